//! What is done on a call after its answer.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::Timestamp;
use super::lenient::{is_zero, or_default};

wire_core::string_enum! {
    /// What an action does.
    ActionKind {
        /// Finds out whether a person or a machine answered.
        Amd = "amd",
        /// Answers the call.
        Answer = "answer",
        /// Sums up what was said.
        AiSummary = "ai_summary",
        /// Lets an AI talk.
        AiTalk = "ai_talk",
        /// Gives an AI a task.
        AiTask = "ai_task",
        /// Plays a beep.
        Beep = "beep",
        /// Holds the call.
        Block = "block",
        /// Goes on elsewhere, by a variable.
        Branch = "branch",
        /// Makes another call.
        Call = "call",
        /// Opens a case.
        CaseCreate = "case_create",
        /// Goes on by the digits received.
        ConditionCallDigits = "condition_call_digits",
        /// Goes on by the call's status.
        ConditionCallStatus = "condition_call_status",
        /// Goes on by the time of day.
        ConditionDatetime = "condition_datetime",
        /// Goes on by a variable.
        ConditionVariable = "condition_variable",
        /// Joins a bridge.
        ConfbridgeJoin = "confbridge_join",
        /// Joins a conference.
        ConferenceJoin = "conference_join",
        /// Connects another party.
        Connect = "connect",
        /// Sends into a conversation.
        ConversationSend = "conversation_send",
        /// Waits for digits.
        DigitsReceive = "digits_receive",
        /// Sends digits.
        DigitsSend = "digits_send",
        /// Sends back what it hears.
        Echo = "echo",
        /// Sends a mail.
        EmailSend = "email_send",
        /// Does nothing.
        Empty = "empty",
        /// Begins to send the media elsewhere.
        ExternalMediaStart = "external_media_start",
        /// Ends it.
        ExternalMediaStop = "external_media_stop",
        /// Asks a URL for what comes next.
        Fetch = "fetch",
        /// Takes what comes next from a flow.
        FetchFlow = "fetch_flow",
        /// Goes on elsewhere.
        Goto = "goto",
        /// Hangs up.
        Hangup = "hangup",
        /// Sends a message.
        MessageSend = "message_send",
        /// Mutes.
        Mute = "mute",
        /// Plays files.
        Play = "play",
        /// Joins a queue.
        QueueJoin = "queue_join",
        /// Begins to record.
        RecordingStart = "recording_start",
        /// Ends it.
        RecordingStop = "recording_stop",
        /// Waits.
        Sleep = "sleep",
        /// Ends the flow.
        Stop = "stop",
        /// Sends back the stream.
        StreamEcho = "stream_echo",
        /// Says a text.
        Talk = "talk",
        /// Begins to write down what is said.
        TranscribeStart = "transcribe_start",
        /// Ends it.
        TranscribeStop = "transcribe_stop",
        /// Writes down what was recorded.
        TranscribeRecording = "transcribe_recording",
        /// Sets a variable.
        VariableSet = "variable_set",
        /// Sends a webhook.
        WebhookSend = "webhook_send",
    }
}

/// An action's own settings, by name.
pub type ActionOption = BTreeMap<String, Value>;

/// The action that a call is at.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Action {
    /// The id; [`BASIC`](super::BASIC) before the first action.
    #[serde(deserialize_with = "or_default")]
    pub id: Uuid,
    /// The action that comes next; [`ZERO`](super::ZERO) is the one that follows.
    #[serde(deserialize_with = "or_default")]
    pub next_id: Uuid,
    /// What it does; nothing at a call's first moment.
    #[serde(
        rename = "type",
        deserialize_with = "super::lenient::not_empty",
        skip_serializing_if = "Option::is_none"
    )]
    pub kind: Option<ActionKind>,
    /// Its settings.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub option: ActionOption,
    /// When it began.
    pub tm_execute: Option<Timestamp>,
}

/// An action to be done.
///
/// ```
/// use voipbin_types::{ActionBody, ActionKind};
/// let action = ActionBody::new(ActionKind::Beep).option("volume", 3);
/// assert_eq!(serde_json::to_string(&action)?, r#"{"type":"beep","option":{"volume":3}}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ActionBody {
    /// An id that other actions go to; the service gives one when there is none.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_zero")]
    pub id: Uuid,
    /// The action that comes next; the one that follows when there is none.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_zero")]
    pub next_id: Uuid,
    /// What it does.
    #[serde(rename = "type", default = "ActionBody::no_kind")]
    pub kind: ActionKind,
    /// Its settings.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub option: ActionOption,
}

impl ActionBody {
    fn no_kind() -> ActionKind {
        ActionKind::from("")
    }

    /// An action without settings.
    pub fn new(kind: ActionKind) -> Self {
        Self { id: Uuid::nil(), next_id: Uuid::nil(), kind, option: ActionOption::new() }
    }

    /// Answers the call.
    pub fn answer() -> Self {
        Self::new(ActionKind::Answer)
    }

    /// Says a text in a language such as `en-US`.
    pub fn talk(text: impl Into<String>, language: impl Into<String>) -> Self {
        Self::new(ActionKind::Talk).option("text", text.into()).option("language", language.into())
    }

    /// Plays the files at these URLs.
    pub fn play<U: Into<String>>(urls: impl IntoIterator<Item = U>) -> Self {
        let urls: Vec<String> = urls.into_iter().map(Into::into).collect();
        Self::new(ActionKind::Play).option("stream_urls", urls)
    }

    /// Waits.
    pub fn sleep(duration: Duration) -> Self {
        Self::new(ActionKind::Sleep)
            .option("duration", u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
    }

    /// Goes on at the action with this id, so many times.
    pub fn goto(target: Uuid, loop_count: u32) -> Self {
        Self::new(ActionKind::Goto).option("target_id", target.to_string()).option("loop_count", loop_count)
    }

    /// Hangs up.
    pub fn hangup() -> Self {
        Self::new(ActionKind::Hangup)
    }

    /// The same action with an id that others can go to.
    #[must_use]
    pub fn id(mut self, id: Uuid) -> Self {
        self.id = id;
        self
    }

    /// The same action with a setting.
    #[must_use]
    pub fn option(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.option.insert(name.into(), value.into());
        self
    }
}
