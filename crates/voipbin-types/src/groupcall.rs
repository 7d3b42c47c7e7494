//! Groups of calls, which ring several addresses for one destination.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::lenient::{is_default, not_empty, or_default};
use super::{Address, Timestamp};

wire_core::string_enum! {
    /// The status of a group of calls.
    GroupcallStatus {
        /// Calls of the group are under way or up.
        Progressing = "progressing",
        /// The service hangs up the calls of the group.
        Hangingup = "hangingup",
        /// All calls of the group have ended.
        Hangup = "hangup",
    }
}

wire_core::string_enum! {
    /// The order in which a group of calls rings its destinations.
    RingMethod {
        /// All destinations ring at once.
        RingAll = "ring_all",
        /// The destinations ring one after the other.
        Linear = "linear",
    }
}

wire_core::string_enum! {
    /// What happens to the other calls of a group when one is answered.
    AnswerMethod {
        /// The other calls are hung up.
        HangupOthers = "hangup_others",
    }
}

/// A group of calls. The service creates one for each destination that is an agent or an extension, and rings
/// the registered phones of it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Groupcall {
    /// The group's id.
    pub id: Uuid,
    /// The id of the customer to whom the group belongs.
    #[serde(default, deserialize_with = "or_default")]
    pub customer_id: Uuid,
    /// The type of the group's owner; usually empty.
    #[serde(default, deserialize_with = "or_default")]
    pub owner_type: String,
    /// The id of the group's owner.
    #[serde(default, deserialize_with = "or_default")]
    pub owner_id: Uuid,
    /// The status of the group.
    #[serde(default, deserialize_with = "not_empty", skip_serializing_if = "Option::is_none")]
    pub status: Option<GroupcallStatus>,
    /// The id of the flow that the answered call executes.
    #[serde(default, deserialize_with = "or_default")]
    pub flow_id: Uuid,
    /// The address of the calling party.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Address>,
    /// The called addresses.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub destinations: Vec<Address>,
    /// The id of the call to which the group is chained.
    #[serde(default, deserialize_with = "or_default")]
    pub master_call_id: Uuid,
    /// The id of the group to which this group is chained.
    #[serde(default, deserialize_with = "or_default")]
    pub master_groupcall_id: Uuid,
    /// The order in which the destinations ring.
    #[serde(default, deserialize_with = "not_empty", skip_serializing_if = "Option::is_none")]
    pub ring_method: Option<RingMethod>,
    /// What happens to the other calls when one is answered.
    #[serde(default, deserialize_with = "not_empty", skip_serializing_if = "Option::is_none")]
    pub answer_method: Option<AnswerMethod>,
    /// The id of the answered call; [`ZERO`](super::ZERO) if there is none.
    #[serde(default, deserialize_with = "or_default")]
    pub answer_call_id: Uuid,
    /// The ids of the calls of the group.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub call_ids: Vec<Uuid>,
    /// The id of the answered group below this one; [`ZERO`](super::ZERO) if there is none.
    #[serde(default, deserialize_with = "or_default")]
    pub answer_groupcall_id: Uuid,
    /// The ids of the groups below this one.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub groupcall_ids: Vec<Uuid>,
    /// The number of calls that have not ended.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub call_count: i64,
    /// The number of groups below this one that have not ended.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub groupcall_count: i64,
    /// The position of the destination that rings, counted from 0, if they ring one after the other.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub dial_index: i64,
    /// The time at which the group was created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tm_create: Option<Timestamp>,
    /// The time of the last change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tm_update: Option<Timestamp>,
    /// The time at which the record was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tm_delete: Option<Timestamp>,
}
