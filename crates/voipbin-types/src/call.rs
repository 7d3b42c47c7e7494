//! Calls, as far as the outbound side shows them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::lenient::{is_zero, not_empty, or_default};
use super::{Action, ActionBody, Address, Anonymous, Timestamp};

wire_core::string_enum! {
    /// How far a call is. It never goes back.
    #[derive(Default)]
    CallStatus {
        /// The INVITE is on its way.
        #[default]
        Dialing = "dialing",
        /// The far end rings.
        Ringing = "ringing",
        /// It was answered.
        Progressing = "progressing",
        /// It is being hung up after its answer.
        Terminating = "terminating",
        /// It is being hung up before an answer.
        Canceling = "canceling",
        /// It is over.
        Hangup = "hangup",
    }
}

wire_core::string_enum! {
    /// Why a call is over.
    HangupReason {
        /// One side hung up after the answer.
        Normal = "normal",
        /// The carrier refused the call, or could not be reached.
        Failed = "failed",
        /// The far end is busy.
        Busy = "busy",
        /// It was cancelled before an answer.
        Cancel = "cancel",
        /// It reached the longest time that a call may take.
        Timeout = "timeout",
        /// The far end did not answer, or was not allowed to be called by its carrier.
        Noanswer = "noanswer",
        /// It rang for as long as the service lets it.
        Dialout = "dialout",
        /// A machine answered.
        Amd = "amd",
    }
}

wire_core::string_enum! {
    /// Which side ended a call.
    HangupBy {
        /// The far end or its carrier.
        Remote = "remote",
        /// The service.
        Local = "local",
    }
}

wire_core::string_enum! {
    /// Which way a call goes.
    CallDirection {
        /// Into the service.
        Incoming = "incoming",
        /// Out of the service.
        Outgoing = "outgoing",
    }
}

wire_core::string_enum! {
    /// What a call runs.
    CallKind {
        /// A flow.
        Flow = "flow",
    }
}

wire_core::string_enum! {
    /// Which way of a call is muted.
    MuteDirection {
        /// Both.
        Both = "both",
        /// What comes out of the service.
        Out = "out",
        /// What comes into the service.
        In = "in",
    }
}

/// A call.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Call {
    /// The id.
    pub id: Uuid,
    /// The customer.
    #[serde(default, deserialize_with = "or_default")]
    pub customer_id: Uuid,
    /// What kind of owner it has; mostly empty.
    #[serde(default, deserialize_with = "or_default")]
    pub owner_type: String,
    /// Its owner.
    #[serde(default, deserialize_with = "or_default")]
    pub owner_id: Uuid,
    /// The flow that it runs.
    #[serde(default, deserialize_with = "or_default")]
    pub flow_id: Uuid,
    /// The run of the flow.
    #[serde(default, deserialize_with = "or_default")]
    pub activeflow_id: Uuid,
    /// What it runs.
    #[serde(
        rename = "type",
        default,
        deserialize_with = "not_empty",
        skip_serializing_if = "Option::is_none"
    )]
    pub kind: Option<CallKind>,
    /// The call that it hangs on.
    #[serde(default, deserialize_with = "or_default")]
    pub master_call_id: Uuid,
    /// The calls that hang on it.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub chained_call_ids: Vec<Uuid>,
    /// The recording that is being made.
    #[serde(default, deserialize_with = "or_default")]
    pub recording_id: Uuid,
    /// The recordings that were made.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub recording_ids: Vec<Uuid>,
    /// Its group; the service leaves it [`ZERO`](super::ZERO).
    #[serde(default, deserialize_with = "or_default")]
    pub groupcall_id: Uuid,
    /// Who calls.
    #[serde(default, deserialize_with = "or_default")]
    pub source: Address,
    /// Who is called.
    #[serde(default, deserialize_with = "or_default")]
    pub destination: Address,
    /// How far it is.
    pub status: CallStatus,
    /// The action that it is at.
    #[serde(default, deserialize_with = "or_default")]
    pub action: Action,
    /// What the service was told about it, such as `route_provider_ids`.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, Value>,
    /// Which way it goes.
    #[serde(default, deserialize_with = "not_empty", skip_serializing_if = "Option::is_none")]
    pub direction: Option<CallDirection>,
    /// Which way of it is muted.
    #[serde(default, deserialize_with = "not_empty", skip_serializing_if = "Option::is_none")]
    pub mute_direction: Option<MuteDirection>,
    /// Which side ended it; nothing until its end.
    #[serde(default, deserialize_with = "not_empty", skip_serializing_if = "Option::is_none")]
    pub hangup_by: Option<HangupBy>,
    /// Why it is over; nothing until its end.
    #[serde(default, deserialize_with = "not_empty", skip_serializing_if = "Option::is_none")]
    pub hangup_reason: Option<HangupReason>,
    /// When it was answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tm_progressing: Option<Timestamp>,
    /// When the far end began to ring.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tm_ringing: Option<Timestamp>,
    /// When it was over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tm_hangup: Option<Timestamp>,
    /// When it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tm_create: Option<Timestamp>,
    /// When it changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tm_update: Option<Timestamp>,
    /// When it was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tm_delete: Option<Timestamp>,
}

impl Call {
    /// Whether it is over.
    pub fn is_over(&self) -> bool {
        self.status == CallStatus::Hangup
    }

    /// Whether it was answered, be it over or not.
    pub fn was_answered(&self) -> bool {
        self.tm_progressing.is_some()
    }
}

/// Places calls by the customer's routes.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct CallCreate {
    /// The flow that runs after the answer.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_zero")]
    pub flow_id: Uuid,
    /// What is done after the answer; ignored when there is a flow.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<ActionBody>,
    /// Who calls: a number of the customer, else the customer's default one is taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Address>,
    /// Who is called.
    #[serde(deserialize_with = "or_default")]
    pub destinations: Vec<Address>,
    /// Whether the caller's number is shown; `auto` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub anonymous: Option<Anonymous>,
    /// Variables of the flow.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<String, String>,
}

impl CallCreate {
    /// Calls from one address to others.
    pub fn new(source: Address, destinations: impl IntoIterator<Item = Address>) -> Self {
        let destinations = destinations.into_iter().collect();
        Self { source: Some(source), destinations, ..Self::default() }
    }

    /// Sets the flow that runs after the answer.
    #[must_use]
    pub fn flow_id(mut self, flow: Uuid) -> Self {
        self.flow_id = flow;
        self
    }

    /// Sets what is done after the answer.
    #[must_use]
    pub fn actions(mut self, actions: impl IntoIterator<Item = ActionBody>) -> Self {
        self.actions = actions.into_iter().collect();
        self
    }

    /// Sets whether the caller's number is shown.
    #[must_use]
    pub fn anonymous(mut self, anonymous: Anonymous) -> Self {
        self.anonymous = Some(anonymous);
        self
    }
}

/// What placing calls made.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct CallsCreated {
    /// The calls; fewer than the destinations when some could not be called.
    #[serde(deserialize_with = "or_default")]
    pub calls: Vec<Call>,
    /// The groups of calls, for agents and extensions.
    #[serde(deserialize_with = "or_default")]
    pub groupcalls: Vec<Value>,
}
