//! Calls, with the members that the outbound side uses.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::lenient::{is_default, named_texts, not_empty, or_default, uuid_or_zero};
use super::{Action, ActionBody, Address, Anonymous, Groupcall, Timestamp};

wire_core::string_enum! {
    /// The status of a call. It only advances in the order in which a call proceeds.
    #[derive(Default)]
    CallStatus {
        /// The INVITE has been sent.
        #[default]
        Dialing = "dialing",
        /// The called party is alerted.
        Ringing = "ringing",
        /// The call is answered, and its flow is executed.
        Progressing = "progressing",
        /// The service hangs up a call that has been answered.
        Terminating = "terminating",
        /// The service hangs up a call that has not been answered.
        Canceling = "canceling",
        /// The call has ended. This status is final.
        Hangup = "hangup",
    }
}

wire_core::string_enum! {
    /// The reason for which a call ended.
    HangupReason {
        /// One party hung up after the call was answered.
        Normal = "normal",
        /// The carrier refused the call or could not be reached.
        Failed = "failed",
        /// The called party is busy.
        Busy = "busy",
        /// The call was cancelled before it was answered.
        Cancel = "cancel",
        /// The call reached the maximum duration of calls.
        Timeout = "timeout",
        /// The called party did not answer, or its carrier did not allow the call.
        Noanswer = "noanswer",
        /// The call reached the service's maximum ringing time.
        Dialout = "dialout",
        /// An answering machine answered, and the service hung up.
        Amd = "amd",
    }
}

wire_core::string_enum! {
    /// The side that ended a call.
    HangupBy {
        /// The called party or its carrier.
        Remote = "remote",
        /// The service, by a request, an action, or the end of the flow.
        Local = "local",
    }
}

wire_core::string_enum! {
    /// The direction of a call, as seen from the service.
    CallDirection {
        /// The service receives the call.
        Incoming = "incoming",
        /// The service places the call.
        Outgoing = "outgoing",
    }
}

wire_core::string_enum! {
    /// The type of a call: what it executes.
    CallKind {
        /// The call executes a flow.
        Flow = "flow",
    }
}

wire_core::string_enum! {
    /// The direction of muted media, as seen from the service.
    MuteDirection {
        /// What the service sends and what it receives.
        Both = "both",
        /// The media that the service sends.
        Out = "out",
        /// The media that the service receives.
        In = "in",
    }
}

/// A call.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Call {
    /// The call's id.
    pub id: Uuid,
    /// The id of the customer to whom the call belongs.
    #[serde(default, deserialize_with = "or_default")]
    pub customer_id: Uuid,
    /// The type of the call's owner; usually empty.
    #[serde(default, deserialize_with = "or_default")]
    pub owner_type: String,
    /// The id of the call's owner.
    #[serde(default, deserialize_with = "or_default")]
    pub owner_id: Uuid,
    /// The id of the flow that the call executes.
    #[serde(default, deserialize_with = "or_default")]
    pub flow_id: Uuid,
    /// The id of this execution of the flow.
    #[serde(default, deserialize_with = "or_default")]
    pub activeflow_id: Uuid,
    /// The type of the call.
    #[serde(
        rename = "type",
        default,
        deserialize_with = "not_empty",
        skip_serializing_if = "Option::is_none"
    )]
    pub kind: Option<CallKind>,
    /// The id of the call to which this call is chained.
    #[serde(default, deserialize_with = "or_default")]
    pub master_call_id: Uuid,
    /// The ids of the calls that are chained to this call.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub chained_call_ids: Vec<Uuid>,
    /// The id of the recording in progress; [`ZERO`](super::ZERO) if there is none.
    #[serde(default, deserialize_with = "or_default")]
    pub recording_id: Uuid,
    /// The ids of the call's recordings.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub recording_ids: Vec<Uuid>,
    /// The id of the call's group; the service always sends [`ZERO`](super::ZERO).
    #[serde(default, deserialize_with = "or_default")]
    pub groupcall_id: Uuid,
    /// The address of the calling party.
    #[serde(default, deserialize_with = "or_default")]
    pub source: Address,
    /// The address of the called party.
    #[serde(default, deserialize_with = "or_default")]
    pub destination: Address,
    /// The status of the call.
    pub status: CallStatus,
    /// The action that the call executes at present.
    #[serde(default, deserialize_with = "or_default")]
    pub action: Action,
    /// Facts that the service records about the call, such as `route_provider_ids`.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, Value>,
    /// The direction of the call.
    #[serde(default, deserialize_with = "not_empty", skip_serializing_if = "Option::is_none")]
    pub direction: Option<CallDirection>,
    /// The direction of muted media; `None` if no media is muted.
    #[serde(default, deserialize_with = "not_empty", skip_serializing_if = "Option::is_none")]
    pub mute_direction: Option<MuteDirection>,
    /// The side that ended the call; `None` until it has ended.
    #[serde(default, deserialize_with = "not_empty", skip_serializing_if = "Option::is_none")]
    pub hangup_by: Option<HangupBy>,
    /// The reason for which the call ended; `None` until it has ended.
    #[serde(default, deserialize_with = "not_empty", skip_serializing_if = "Option::is_none")]
    pub hangup_reason: Option<HangupReason>,
    /// The time at which the call was answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tm_progressing: Option<Timestamp>,
    /// The time at which ringing began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tm_ringing: Option<Timestamp>,
    /// The time at which the call ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tm_hangup: Option<Timestamp>,
    /// The time at which the call was placed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tm_create: Option<Timestamp>,
    /// The time of the last change of the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tm_update: Option<Timestamp>,
    /// The time at which the record was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tm_delete: Option<Timestamp>,
}

impl Call {
    /// Whether the call has ended: its status is `hangup`.
    pub fn is_over(&self) -> bool {
        self.status == CallStatus::Hangup
    }

    /// Whether the call was answered. It stays true after the call has ended.
    ///
    /// A call that is up counts as answered even without a `tm_progressing`, as in VoIPBIN's documents.
    pub fn was_answered(&self) -> bool {
        let is_up = matches!(self.status, CallStatus::Progressing | CallStatus::Terminating);
        self.tm_progressing.is_some() || is_up
    }
}

/// The body of a request that places calls through the customer's routes.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct CallCreate {
    /// The id of the flow to execute when the call is answered; [`ZERO`](super::ZERO) for none.
    #[serde(deserialize_with = "uuid_or_zero", skip_serializing_if = "is_default")]
    pub flow_id: Uuid,
    /// The actions to execute when the call is answered; ignored when there is a flow.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<ActionBody>,
    /// The address of the calling party. Unless it is a number of the customer, the customer's default number
    /// is used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Address>,
    /// The addresses to call.
    #[serde(deserialize_with = "or_default")]
    pub destinations: Vec<Address>,
    /// Whether the caller's number is presented; `None` is `auto`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub anonymous: Option<Anonymous>,
    /// The variables of the flow, by name.
    #[serde(deserialize_with = "named_texts", skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<String, String>,
}

impl CallCreate {
    /// Creates a body that places a call to each destination. Without a [`source`](Self::source), the service
    /// uses the customer's default number.
    ///
    /// ```
    /// # mod voipbin_client { pub use voipbin_types as types; }
    /// use voipbin_client::types::{ActionBody, Address, CallCreate};
    /// let body = CallCreate::new([Address::tel("+821012345678")])
    ///     .source(Address::tel("+14155551234"))
    ///     .actions([ActionBody::talk("Hello ${name}", "en-US")])
    ///     .variables([("name", "Ann")]);
    /// assert_eq!(body.variables["name"], "Ann");
    /// ```
    pub fn new(destinations: impl IntoIterator<Item = Address>) -> Self {
        Self { destinations: destinations.into_iter().collect(), ..Self::default() }
    }

    /// Sets the address of the calling party.
    #[must_use]
    pub fn source(mut self, source: Address) -> Self {
        self.source = Some(source);
        self
    }

    /// Sets the flow to execute when the call is answered.
    #[must_use]
    pub fn flow_id(mut self, flow: Uuid) -> Self {
        self.flow_id = flow;
        self
    }

    /// Sets the actions to execute when the call is answered.
    #[must_use]
    pub fn actions(mut self, actions: impl IntoIterator<Item = ActionBody>) -> Self {
        self.actions = actions.into_iter().collect();
        self
    }

    /// Sets whether the caller's number is presented.
    #[must_use]
    pub fn anonymous(mut self, anonymous: Anonymous) -> Self {
        self.anonymous = Some(anonymous);
        self
    }

    /// Adds variables of the flow, by name. The service accepts 100 variables, 32,768 bytes in a value, and
    /// 65,536 bytes in all names and values together.
    #[must_use]
    pub fn variables<N: Into<String>, V: Into<String>>(
        mut self,
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let variables = variables.into_iter().map(|(name, value)| (name.into(), value.into()));
        self.variables.extend(variables);
        self
    }
}

/// The response to a request that places calls.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct CallsCreated {
    /// The calls that were placed: fewer than the destinations when some of those could not be called.
    #[serde(deserialize_with = "or_default")]
    pub calls: Vec<Call>,
    /// The groups of calls that were placed, for destinations that are agents or extensions.
    #[serde(deserialize_with = "or_default")]
    pub groupcalls: Vec<Groupcall>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_parsed_as_they_are_written() {
        let reasons = ["normal", "failed", "busy", "cancel", "timeout", "noanswer", "dialout", "amd"];
        assert_eq!(HangupReason::TEXTS, reasons);
        for reason in reasons {
            let parsed = HangupReason::from(reason);
            assert!(!matches!(parsed, HangupReason::Unknown(_)), "{reason}");
            assert_eq!(parsed.as_str(), reason);
        }
        assert!(matches!(HangupReason::from("no_answer"), HangupReason::Unknown(_)));
        assert_eq!(
            CallStatus::TEXTS,
            ["dialing", "ringing", "progressing", "terminating", "canceling", "hangup"]
        );
    }
}
