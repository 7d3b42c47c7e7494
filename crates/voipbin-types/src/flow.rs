//! Flows: stored lists of actions.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::lenient::{is_default, not_empty, or_default, uuid_or_zero};
use super::{Action, ActionBody, Timestamp};

wire_core::string_enum! {
    /// The type of a flow.
    FlowKind {
        /// A flow for calls, the only type that the API creates.
        Flow = "flow",
    }
}

/// A list of actions that calls execute after they are answered.
///
/// A flow that a client created is kept until it is deleted. For the actions of a request that places calls,
/// the service creates a temporary flow, which no list contains.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Flow {
    /// The id that calls carry as `flow_id`.
    pub id: Uuid,
    /// The id of the customer.
    #[serde(default, deserialize_with = "or_default")]
    pub customer_id: Uuid,
    /// The type.
    #[serde(
        rename = "type",
        default,
        deserialize_with = "not_empty",
        skip_serializing_if = "Option::is_none"
    )]
    pub kind: Option<FlowKind>,
    /// The flow's name.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// A note about the flow.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// The actions, in the order in which they run unless one names another successor.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<Action>,
    /// The address by which the flow can be reached without the customer's credentials: `direct.` and 12
    /// hexadecimal digits. A temporary flow has none.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "String::is_empty")]
    pub direct_hash: String,
    /// The id of the flow that follows this one; [`ZERO`](super::ZERO) for none.
    #[serde(default, deserialize_with = "or_default")]
    pub on_complete_flow_id: Uuid,
    /// The time at which the flow was created.
    #[serde(default)]
    pub tm_create: Option<Timestamp>,
    /// The time of the last change.
    #[serde(default)]
    pub tm_update: Option<Timestamp>,
    /// The time at which the flow was deleted.
    #[serde(default)]
    pub tm_delete: Option<Timestamp>,
}

/// The body of a request that creates a flow, or that replaces all members of an existing one. Members that it
/// leaves out become empty.
///
/// ```
/// # mod voipbin_client { pub use voipbin_types as types; }
/// use voipbin_client::types::{ActionBody, FlowBody};
/// let body = FlowBody::new("Greeting", [ActionBody::answer(), ActionBody::talk("Hello", "en-US")]);
/// assert_eq!(body.actions.len(), 2);
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct FlowBody {
    /// The flow's name, of at most 255 characters.
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    /// A note about the flow, of at most 65,535 bytes.
    #[serde(deserialize_with = "or_default")]
    pub detail: String,
    /// The actions, in the order in which they run unless one names another successor.
    #[serde(deserialize_with = "or_default")]
    pub actions: Vec<ActionBody>,
    /// The id of the flow that follows this one; [`ZERO`](super::ZERO) for none.
    #[serde(deserialize_with = "uuid_or_zero", skip_serializing_if = "is_default")]
    pub on_complete_flow_id: Uuid,
}

impl FlowBody {
    /// Creates a body from a name and actions.
    pub fn new(name: impl Into<String>, actions: impl IntoIterator<Item = ActionBody>) -> Self {
        Self { name: name.into(), actions: actions.into_iter().collect(), ..Self::default() }
    }
}

impl From<Flow> for FlowBody {
    fn from(flow: Flow) -> Self {
        Self {
            name: flow.name,
            detail: flow.detail,
            actions: flow.actions.into_iter().map(ActionBody::from).collect(),
            on_complete_flow_id: flow.on_complete_flow_id,
        }
    }
}
