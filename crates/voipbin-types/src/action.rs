//! The actions of a flow, which the service executes on a call after it is answered.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::Timestamp;
use super::lenient::{is_default, or_default, uuid_or_zero};

wire_core::string_enum! {
    /// The type of an action.
    ActionKind {
        /// Detect whether a person or an answering machine has answered.
        Amd = "amd",
        /// Answer the call; without effect when it is answered already.
        Answer = "answer",
        /// Summarise the conversation by an AI.
        AiSummary = "ai_summary",
        /// Connect the call to an AI that talks.
        AiTalk = "ai_talk",
        /// Give an AI a task.
        AiTask = "ai_task",
        /// Play a beep, which takes a fixed time.
        Beep = "beep",
        /// Hold the call at this action.
        Block = "block",
        /// Jump to an action that depends on a variable.
        Branch = "branch",
        /// Place another call. An unknown value of its option `anonymous` is refused.
        Call = "call",
        /// Create a case; the call's media is not affected.
        CaseCreate = "case_create",
        /// Continue or jump, depending on the received digits.
        ConditionCallDigits = "condition_call_digits",
        /// Continue or jump, depending on the status of the call.
        ConditionCallStatus = "condition_call_status",
        /// Continue or jump, depending on date and time.
        ConditionDatetime = "condition_datetime",
        /// Continue or jump, depending on a variable.
        ConditionVariable = "condition_variable",
        /// Join a conference bridge: the call's media is mixed with that of its other members.
        ConfbridgeJoin = "confbridge_join",
        /// Join a conference: the called party hears its other participants.
        ConferenceJoin = "conference_join",
        /// Connect the call to another party.
        Connect = "connect",
        /// Send a message to a conversation.
        ConversationSend = "conversation_send",
        /// Wait for DTMF digits of the called party, at most for the option `duration` (milliseconds).
        DigitsReceive = "digits_receive",
        /// Send the DTMF digits of the option `digits`.
        DigitsSend = "digits_send",
        /// Send the received media back.
        Echo = "echo",
        /// Send an e-mail; the call's media is not affected.
        EmailSend = "email_send",
        /// Do nothing, and continue with the next action.
        Empty = "empty",
        /// Begin to send the call's media to an external address.
        ExternalMediaStart = "external_media_start",
        /// Stop sending the call's media to an external address.
        ExternalMediaStop = "external_media_stop",
        /// Fetch the next actions from a URL.
        Fetch = "fetch",
        /// Fetch the next actions from a flow.
        FetchFlow = "fetch_flow",
        /// Jump to the action `target_id`, at most `loop_count` times.
        Goto = "goto",
        /// Hang up the call. The option `reason` sets the hangup reason; `normal` is the default.
        Hangup = "hangup",
        /// Send a text message; the call's media is not affected.
        MessageSend = "message_send",
        /// Mute the call, in one direction or in both.
        Mute = "mute",
        /// Play the audio files at the URLs of the option `stream_urls`, in their order.
        Play = "play",
        /// Join a queue: the call waits there until an agent takes it.
        QueueJoin = "queue_join",
        /// Start a recording, which `recording_stop` or the end of the call ends.
        RecordingStart = "recording_start",
        /// Stop the recording that `recording_start` began.
        RecordingStop = "recording_stop",
        /// Wait for a fixed time.
        Sleep = "sleep",
        /// End the flow: no later action is executed.
        Stop = "stop",
        /// Send the received stream back.
        StreamEcho = "stream_echo",
        /// Speak the text of the option `text`. With `async` true, the flow does not wait for its end.
        Talk = "talk",
        /// Start a live transcription, which `transcribe_stop` or the end of the call ends.
        TranscribeStart = "transcribe_start",
        /// Stop the transcription that `transcribe_start` began.
        TranscribeStop = "transcribe_stop",
        /// Transcribe a recording; `transcribe_start` transcribes live.
        TranscribeRecording = "transcribe_recording",
        /// Set a variable of the flow.
        VariableSet = "variable_set",
        /// Send a webhook, signed with the customer's secret as those of events are.
        WebhookSend = "webhook_send",
    }
}

/// The settings of an action, by name.
pub type ActionOption = BTreeMap<String, Value>;

/// An action of a flow, or the present action of a call.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Action {
    /// The action's id; [`BASIC`](super::BASIC) before the first action.
    #[serde(deserialize_with = "or_default")]
    pub id: Uuid,
    /// The id of the next action; [`ZERO`](super::ZERO) for the one that follows in the list.
    #[serde(deserialize_with = "or_default")]
    pub next_id: Uuid,
    /// The type of the action; `None` before the first action.
    #[serde(
        rename = "type",
        deserialize_with = "super::lenient::not_empty",
        skip_serializing_if = "Option::is_none"
    )]
    pub kind: Option<ActionKind>,
    /// The settings of the action.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub option: ActionOption,
    /// The time at which the action began; `None` in a flow.
    pub tm_execute: Option<Timestamp>,
}

/// An action in a request.
///
/// ```
/// # mod voipbin_client { pub use voipbin_types as types; }
/// use voipbin_client::types::{ActionBody, ActionKind};
/// let action = ActionBody::new(ActionKind::Beep).option("volume", 3);
/// assert_eq!(serde_json::to_string(&action)?, r#"{"type":"beep","option":{"volume":3}}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ActionBody {
    /// The id by which other actions jump to this one. For [`ZERO`](super::ZERO), and for a text that is not a
    /// UUID, the service assigns an id.
    #[serde(default, deserialize_with = "uuid_or_zero", skip_serializing_if = "is_default")]
    pub id: Uuid,
    /// The id of the next action; [`ZERO`](super::ZERO) for the one that follows in the list.
    #[serde(default, deserialize_with = "uuid_or_zero", skip_serializing_if = "is_default")]
    pub next_id: Uuid,
    /// The type of the action.
    #[serde(rename = "type", default = "ActionBody::no_kind", deserialize_with = "kind_or_none")]
    pub kind: ActionKind,
    /// The settings of the action.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub option: ActionOption,
}

/// Decodes `null` as the empty type, as the service does.
fn kind_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ActionKind, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_else(ActionBody::no_kind))
}

impl ActionBody {
    fn no_kind() -> ActionKind {
        ActionKind::from("")
    }

    /// Creates an action without settings.
    pub fn new(kind: ActionKind) -> Self {
        Self { id: Uuid::nil(), next_id: Uuid::nil(), kind, option: ActionOption::new() }
    }

    /// Creates an action that answers the call.
    pub fn answer() -> Self {
        Self::new(ActionKind::Answer)
    }

    /// Creates an action that speaks a text in a language such as `en-US`.
    pub fn talk(text: impl Into<String>, language: impl Into<String>) -> Self {
        Self::new(ActionKind::Talk).option("text", text.into()).option("language", language.into())
    }

    /// Creates an action that plays the audio files at these URLs, one after the other.
    pub fn play<U: Into<String>>(urls: impl IntoIterator<Item = U>) -> Self {
        let urls: Vec<String> = urls.into_iter().map(Into::into).collect();
        Self::new(ActionKind::Play).option("stream_urls", urls)
    }

    /// Creates an action that waits. The duration is sent in whole milliseconds.
    pub fn sleep(duration: Duration) -> Self {
        Self::new(ActionKind::Sleep)
            .option("duration", u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
    }

    /// Creates an action that jumps to the action with this id, at most `loop_count` times.
    pub fn goto(target: Uuid, loop_count: u32) -> Self {
        Self::new(ActionKind::Goto).option("target_id", target.to_string()).option("loop_count", loop_count)
    }

    /// Creates an action that hangs up the call.
    pub fn hangup() -> Self {
        Self::new(ActionKind::Hangup)
    }

    /// Sets the id by which other actions jump to this one.
    #[must_use]
    pub fn id(mut self, id: Uuid) -> Self {
        self.id = id;
        self
    }

    /// Adds a setting, or replaces that of the same name. Names are not checked here.
    #[must_use]
    pub fn option(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.option.insert(name.into(), value.into());
        self
    }
}

impl From<Action> for ActionBody {
    fn from(action: Action) -> Self {
        Self {
            id: action.id,
            next_id: action.next_id,
            kind: action.kind.unwrap_or_else(Self::no_kind),
            option: action.option,
        }
    }
}

impl From<ActionBody> for Action {
    /// An action that has not begun.
    fn from(body: ActionBody) -> Self {
        Self {
            id: body.id,
            next_id: body.next_id,
            kind: Some(body.kind).filter(|kind| !kind.as_str().is_empty()),
            option: body.option,
            tm_execute: None,
        }
    }
}
