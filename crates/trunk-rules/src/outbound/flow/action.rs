//! Actions as sent, and how the state machine interprets them.

use std::time::Duration;

use serde_json::{Map, Value};
use uuid::Uuid;

use super::super::hangup::HangupReason;
use super::estimate;

/// Every accepted action type.
const ACTION_TYPES: &str = "amd answer ai_summary ai_talk ai_task beep block branch call case_create \
    condition_call_digits condition_call_status condition_datetime condition_variable confbridge_join \
    conference_join connect conversation_send digits_receive digits_send echo email_send empty \
    external_media_start external_media_stop fetch fetch_flow goto hangup message_send mute play queue_join \
    recording_start recording_stop sleep stop stream_echo talk transcribe_start transcribe_stop \
    transcribe_recording variable_set webhook_send";

/// The default duration of `echo` and `stream_echo`.
const DEFAULT_ECHO_DURATION: Duration = Duration::from_mins(3);

/// An action of a request.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Action {
    /// The action's id, by which other actions refer to it; nil for none.
    pub id: Uuid,
    /// The id of the following action; nil for the next one in the list.
    pub next_id: Uuid,
    /// The action type.
    pub kind: String,
    /// The options. An option of the wrong JSON type counts as absent.
    pub option: Map<String, Value>,
}

/// Why actions are refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FlowError {
    /// The action type is unknown.
    #[error("not supported action type: {0}")]
    Type(String),
    /// The `anonymous` option of a `call` or `connect` is none of the three documented values.
    #[error("invalid anonymous value for {kind} action: {value}")]
    Anonymous {
        /// The action type.
        kind: &'static str,
        /// The value that was sent.
        value: String,
    },
}

impl FlowError {
    /// The reason code in the error response.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Type(_) => "INVALID_ACTION_TYPE",
            Self::Anonymous { .. } => "INVALID_ANONYMOUS_VALUE",
        }
    }
}

/// What the state machine does for an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Behaviour {
    Answer,
    Takes(Duration),
    AtOnce,
    Goto { target: Uuid, loop_count: u64 },
    Stop,
    Hangup(HangupReason),
}

impl Action {
    pub(super) fn read(&self) -> Result<Behaviour, FlowError> {
        Ok(match self.kind.as_str() {
            "answer" => Behaviour::Answer,
            "sleep" | "digits_receive" => Behaviour::Takes(self.millis("duration").unwrap_or_default()),
            "echo" | "stream_echo" => Behaviour::Takes(
                self.millis("duration").filter(|time| !time.is_zero()).unwrap_or(DEFAULT_ECHO_DURATION),
            ),
            "beep" => Behaviour::Takes(estimate::BEEP_DURATION),
            "talk" if self.option.get("async").and_then(Value::as_bool) == Some(true) => Behaviour::AtOnce,
            "talk" => Behaviour::Takes(estimate::speech(self.text("text"))),
            "play" => Behaviour::Takes(estimate::streams(
                self.option.get("stream_urls").and_then(Value::as_array).map_or(0, Vec::len),
            )),
            "digits_send" => Behaviour::Takes(self.tones()),
            "goto" => Behaviour::Goto {
                target: Uuid::try_parse(self.text("target_id")).unwrap_or_default(),
                loop_count: self.option.get("loop_count").and_then(Value::as_u64).unwrap_or_default(),
            },
            "stop" => Behaviour::Stop,
            "hangup" => {
                Behaviour::Hangup(HangupReason::parse(self.text("reason")).unwrap_or(HangupReason::Normal))
            }
            "call" => self.outgoing_call("call")?,
            "connect" => self.outgoing_call("connect")?,
            kind if ACTION_TYPES.split_ascii_whitespace().any(|known| known == kind) => Behaviour::AtOnce,
            other => return Err(FlowError::Type(other.to_owned())),
        })
    }

    /// Validates an action that would place another call.
    fn outgoing_call(&self, kind: &'static str) -> Result<Behaviour, FlowError> {
        match self.text("anonymous") {
            "" | "yes" | "no" | "auto" => Ok(Behaviour::AtOnce),
            value => Err(FlowError::Anonymous { kind, value: value.to_owned() }),
        }
    }

    fn tones(&self) -> Duration {
        let count = u32::try_from(self.text("digits").chars().count()).unwrap_or(u32::MAX);
        let (tone, pause) =
            (self.millis("duration").unwrap_or_default(), self.millis("interval").unwrap_or_default());
        tone.saturating_mul(count).saturating_add(pause.saturating_mul(count.saturating_sub(1)))
    }

    fn text(&self, name: &str) -> &str {
        self.option.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// An option in milliseconds; a negative number counts as absent.
    fn millis(&self, name: &str) -> Option<Duration> {
        self.option.get(name).and_then(Value::as_u64).map(Duration::from_millis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(kind: &str, option: Value) -> Result<Behaviour, FlowError> {
        let Value::Object(option) = option else { panic!("an option is an object") };
        Action { kind: kind.into(), option, ..Action::default() }.read()
    }

    fn millis(kind: &str, option: Value) -> u128 {
        match read(kind, option) {
            Ok(Behaviour::Takes(duration)) => duration.as_millis(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_listed_type_is_accepted_and_others_are_refused_by_name() {
        assert_eq!(ACTION_TYPES.split_ascii_whitespace().count(), 44);
        for kind in ACTION_TYPES.split_ascii_whitespace() {
            assert!(read(kind, json!({})).is_ok(), "{kind}");
        }
        let error = read("bogus", json!({})).unwrap_err();
        assert_eq!(
            (error.to_string().as_str(), error.reason()),
            ("not supported action type: bogus", "INVALID_ACTION_TYPE")
        );
        assert!(read("", json!({})).is_err() && read("answer beep", json!({})).is_err());
    }

    #[test]
    fn a_call_or_connect_with_an_unknown_anonymous_value_is_refused() {
        for value in ["yes", "no", "auto", ""] {
            assert_eq!(read("connect", json!({"anonymous": value})), Ok(Behaviour::AtOnce));
        }
        for kind in ["call", "connect"] {
            let error = read(kind, json!({"anonymous": "maybe"})).unwrap_err();
            assert_eq!(error.to_string(), format!("invalid anonymous value for {kind} action: maybe"));
            assert_eq!(error.reason(), "INVALID_ANONYMOUS_VALUE");
        }
    }

    #[test]
    fn sleep_and_echo_take_their_milliseconds() {
        assert_eq!(millis("sleep", json!({"duration": 1500})), 1500);
        assert_eq!(millis("sleep", json!({})), 0);
        assert_eq!(millis("sleep", json!({"duration": -5})), 0);
        assert_eq!(millis("echo", json!({"duration": 700})), 700);
        for option in [json!({}), json!({"duration": 0}), json!({"duration": "700"})] {
            assert_eq!(millis("stream_echo", option), 180_000);
        }
    }

    #[test]
    fn sent_digits_take_their_tones_and_the_pauses_between_them() {
        let option = json!({"digits": "123", "duration": 100, "interval": 50});
        assert_eq!(millis("digits_send", option), 400);
    }

    #[test]
    fn an_action_takes_as_long_as_it_says_for_the_call_has_a_limit_of_its_own() {
        assert_eq!(millis("sleep", json!({"duration": u64::MAX})), u128::from(u64::MAX));
        assert_eq!(millis("talk", json!({"text": "x".repeat(1_000_000)})), 70_000_000);
        let endless = json!({"digits": "1".repeat(5_000), "duration": u64::MAX, "interval": u64::MAX});
        assert_eq!(millis("digits_send", endless), Duration::MAX.as_millis());
    }

    #[test]
    fn talk_that_is_not_waited_for_passes_at_once() {
        assert_eq!(read("talk", json!({"text": "hello", "async": true})), Ok(Behaviour::AtOnce));
    }
}
