//! Phone numbers of a customer.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Timestamp;
use super::lenient::{or_default, uuid_or_zero};

wire_core::string_enum! {
    /// The type of a number.
    NumberKind {
        /// A number of a telephone network. Only such a number can be the source of a call.
        Normal = "normal",
        /// A number that exists on the platform alone; it begins with `+899`.
        Virtual = "virtual",
    }
}

wire_core::string_enum! {
    /// The status of a number.
    NumberStatus {
        /// The number can be used.
        Active = "active",
        /// The number was released, and can no longer be a caller number.
        Deleted = "deleted",
    }
}

/// A phone number of a customer. Every member is always present on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Number {
    /// The id of the number's record.
    pub id: Uuid,
    /// The id of the customer.
    pub customer_id: Uuid,
    /// The number in E.164 form, with its plus.
    pub number: String,
    /// The type.
    #[serde(rename = "type")]
    pub kind: NumberKind,
    /// The id of the flow that incoming calls execute; [`ZERO`](super::ZERO) for none.
    #[serde(default, deserialize_with = "or_default")]
    pub call_flow_id: Uuid,
    /// The id of the flow that incoming messages execute; [`ZERO`](super::ZERO) for none.
    #[serde(default, deserialize_with = "or_default")]
    pub message_flow_id: Uuid,
    /// The number's name.
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
    /// A note about the number.
    #[serde(default, deserialize_with = "or_default")]
    pub detail: String,
    /// The status. It can be empty until the number's provider has confirmed it.
    pub status: NumberStatus,
    /// Whether the number's provider supports T.38.
    #[serde(default)]
    pub t38_enabled: bool,
    /// Whether emergency calls can be placed from the number.
    #[serde(default)]
    pub emergency_enabled: bool,
    /// Settings for support.
    #[serde(default, deserialize_with = "or_default")]
    pub metadata: SupportMetadata,
    /// The time at which a normal number was bought.
    #[serde(default)]
    pub tm_purchase: Option<Timestamp>,
    /// The time at which a normal number was last renewed.
    #[serde(default)]
    pub tm_renew: Option<Timestamp>,
    /// The time at which the number was added.
    #[serde(default)]
    pub tm_create: Option<Timestamp>,
    /// The time of the last change.
    #[serde(default)]
    pub tm_update: Option<Timestamp>,
    /// The time at which the number was released.
    #[serde(default)]
    pub tm_delete: Option<Timestamp>,
}

/// Settings of a number or a customer for support. As the body of a request it replaces all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct SupportMetadata {
    /// Whether the media of calls is to be recorded for support.
    #[serde(deserialize_with = "or_default")]
    pub rtp_debug: bool,
}

/// The body of a request that replaces the writable members of a number. Members that it leaves out become
/// empty.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct NumberBody {
    /// The id of the flow that incoming calls execute; [`ZERO`](super::ZERO) for none.
    #[serde(deserialize_with = "uuid_or_zero")]
    pub call_flow_id: Uuid,
    /// The id of the flow that incoming messages execute; [`ZERO`](super::ZERO) for none.
    #[serde(deserialize_with = "uuid_or_zero")]
    pub message_flow_id: Uuid,
    /// The number's name, of at most 255 characters.
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    /// A note about the number, of at most 65,535 bytes.
    #[serde(deserialize_with = "or_default")]
    pub detail: String,
}

/// The body of a request that replaces both flows of a number. A member that it leaves out becomes
/// [`ZERO`](super::ZERO).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct NumberFlows {
    /// The id of the flow that incoming calls execute.
    #[serde(deserialize_with = "uuid_or_zero")]
    pub call_flow_id: Uuid,
    /// The id of the flow that incoming messages execute.
    #[serde(deserialize_with = "uuid_or_zero")]
    pub message_flow_id: Uuid,
}
