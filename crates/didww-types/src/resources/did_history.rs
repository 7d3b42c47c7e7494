//! The history of DIDs: `did_history`.

use serde::{Deserialize, Serialize};

use crate::enumeration::string_enum;
use crate::{Extra, Id, Resource, Timestamp};

string_enum! {
    /// An event in the history of a DID.
    DidHistoryAction {
        /// The account received the DID.
        Assigned = "assigned",
        /// A further period was paid.
        Renewed = "renewed",
        /// The DID ends with the paid period.
        Canceled = "canceled",
        /// The account lost the DID.
        Removed = "removed",
        /// The number of its renewals was changed.
        BillingCyclesCountChanged = "billing_cycles_count_changed",
        /// The termination was revoked.
        Restored = "restored",
    }
}

string_enum! {
    /// The origin of a change of a DID.
    DidHistoryMethod {
        /// The service itself, at a due time.
        System = "system",
        /// An older API.
        Api2 = "api2",
        /// This API.
        Api3 = "api3",
        /// DIDWW's staff.
        Staff = "staff",
        /// The customer portal.
        UserPanel = "user_panel",
        /// A language model with tools (MCP).
        Mcp = "mcp",
    }
}

/// An event of a DID in the last 90 days. The newest comes first.
#[derive(Debug, Clone, PartialEq, Resource)]
#[resource(
    name = "did_history",
    since = "2026-04-16",
    verbs(list, get),
    order(by = "-created_at", since = "2026-04-16"),
    kept_days = 90
)]
#[filter(name = "created_at_gteq", created_from, value = Timestamp)]
#[filter(name = "created_at_lteq", created_until, value = Timestamp)]
#[filter(name = "id", id, list, value = Id<DidHistory>)]
#[non_exhaustive]
pub struct DidHistory {
    /// The entry's id, a UUID that the service chose.
    pub id: Id<DidHistory>,
    /// The telephone number of the DID, in E.164 form without the plus sign.
    #[attr(filter)]
    pub did_number: Option<String>,
    /// The event of the DID.
    #[attr(filter, default = "assigned")]
    pub action: DidHistoryAction,
    /// The origin of the change.
    #[attr(filter, default = "system")]
    pub method: DidHistoryMethod,
    /// The time of the change.
    #[attr(sort)]
    pub created_at: Timestamp,
    /// The numbers of renewals, of the action `billing_cycles_count_changed`.
    #[meta]
    pub meta: DidHistoryMeta,
    /// Attributes that this crate does not declare.
    #[extra]
    pub extra: Extra,
}

/// The `meta` member of an entry, which only those about the number of renewals have.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DidHistoryMeta {
    /// The number before the change, as a text; `empty` is unlimited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The number after the change, as a text; `empty` is unlimited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}
