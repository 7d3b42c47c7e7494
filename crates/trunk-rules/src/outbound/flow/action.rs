//! How the state machine interprets an action of a request. An option of the wrong JSON type counts as absent.

use std::time::Duration;

use serde_json::Value;
use uuid::Uuid;
use voipbin_types::{ActionBody, ActionKind, ActionOption, Anonymous, HangupReason};

use super::estimate;

/// The default duration of `echo` and `stream_echo`.
const DEFAULT_ECHO_DURATION: Duration = Duration::from_mins(3);

/// Why the actions of a request are refused, all together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FlowError {
    /// The action type is unknown.
    #[error("not supported action type: {0}")]
    Type(String),
    /// The `anonymous` option of a `call` or `connect` is none of the three documented values.
    #[error("invalid anonymous value for {kind} action: {value}")]
    Anonymous {
        /// The type of the refused action: `call` or `connect`.
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

/// The behaviour of the state machine for an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Behaviour {
    Answer,
    Takes(Duration),
    AtOnce,
    Goto { target: Uuid, loop_count: u64 },
    Stop,
    Hangup(HangupReason),
}

impl Behaviour {
    pub(super) fn of(action: &ActionBody) -> Result<Self, FlowError> {
        let option = Options(&action.option);
        Ok(match &action.kind {
            ActionKind::Answer => Self::Answer,
            ActionKind::Sleep | ActionKind::DigitsReceive => {
                Self::Takes(option.millis("duration").unwrap_or_default())
            }
            ActionKind::Echo | ActionKind::StreamEcho => Self::Takes(
                option.millis("duration").filter(|time| !time.is_zero()).unwrap_or(DEFAULT_ECHO_DURATION),
            ),
            ActionKind::Beep => Self::Takes(estimate::BEEP_DURATION),
            ActionKind::Talk if option.get("async").and_then(Value::as_bool) == Some(true) => Self::AtOnce,
            ActionKind::Talk => Self::Takes(estimate::speech(option.text("text"))),
            ActionKind::Play => Self::Takes(estimate::streams(
                option.get("stream_urls").and_then(Value::as_array).map_or(0, Vec::len),
            )),
            ActionKind::DigitsSend => Self::Takes(option.tones()),
            ActionKind::Goto => Self::Goto {
                target: Uuid::try_parse(option.text("target_id")).unwrap_or_default(),
                loop_count: option.whole("loop_count").unwrap_or_default(),
            },
            ActionKind::Stop => Self::Stop,
            ActionKind::Hangup => Self::Hangup(match HangupReason::from(option.text("reason")) {
                HangupReason::Unknown(_) => HangupReason::Normal,
                reason => reason,
            }),
            ActionKind::Call => Self::outgoing_call("call", &option)?,
            ActionKind::Connect => Self::outgoing_call("connect", &option)?,
            ActionKind::Unknown(kind) => return Err(FlowError::Type(kind.as_str().to_owned())),
            _ => Self::AtOnce,
        })
    }

    /// Validates an action that would place another call.
    fn outgoing_call(kind: &'static str, option: &Options<'_>) -> Result<Self, FlowError> {
        let value = option.text("anonymous");
        if value.is_empty() || Anonymous::TEXTS.contains(&value) {
            Ok(Self::AtOnce)
        } else {
            Err(FlowError::Anonymous { kind, value: value.to_owned() })
        }
    }
}

/// The options of an action.
struct Options<'a>(&'a ActionOption);

impl Options<'_> {
    fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    fn tones(&self) -> Duration {
        let count = u32::try_from(self.text("digits").chars().count()).unwrap_or(u32::MAX);
        let (tone, pause) =
            (self.millis("duration").unwrap_or_default(), self.millis("interval").unwrap_or_default());
        tone.saturating_mul(count).saturating_add(pause.saturating_mul(count.saturating_sub(1)))
    }

    fn text(&self, name: &str) -> &str {
        self.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// An option in milliseconds; a negative number counts as absent.
    fn millis(&self, name: &str) -> Option<Duration> {
        self.whole(name).map(Duration::from_millis)
    }

    /// A whole number that is not negative. The platform holds the numbers of an option as floating point, so
    /// `1000.0` is whole too.
    fn whole(&self, name: &str) -> Option<u64> {
        let value = self.get(name)?;
        let from_float = || {
            let number = value.as_f64().filter(|number| *number >= 0.0 && number.fract() == 0.0)?;
            format!("{number:.0}").parse().ok()
        };
        value.as_u64().or_else(from_float)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(kind: &str, option: Value) -> Result<Behaviour, FlowError> {
        let Value::Object(option) = option else { panic!("an option is an object") };
        let action = ActionBody { option: option.into_iter().collect(), ..ActionBody::new(kind.into()) };
        Behaviour::of(&action)
    }

    fn millis(kind: &str, option: Value) -> u128 {
        match read(kind, option) {
            Ok(Behaviour::Takes(duration)) => duration.as_millis(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_listed_type_is_accepted_and_others_are_refused_by_name() {
        assert_eq!(ActionKind::TEXTS.len(), 44);
        for kind in ActionKind::TEXTS {
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
        assert_eq!(millis("sleep", json!({"duration": 1500.0})), 1500);
        assert_eq!(millis("sleep", json!({"duration": 1500.5})), 0);
        assert_eq!(millis("sleep", json!({"duration": 1e300})), 0);
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
    fn a_goto_counts_its_loops_in_whole_numbers_however_they_are_written() {
        for (count, expected) in [(json!(3), 3), (json!(3.0), 3), (json!(2.5), 0), (json!(-1.0), 0)] {
            let behaviour = read("goto", json!({"loop_count": count})).unwrap();
            assert_eq!(behaviour, Behaviour::Goto { target: Uuid::nil(), loop_count: expected });
        }
    }

    #[test]
    fn talk_that_is_not_waited_for_passes_at_once() {
        assert_eq!(read("talk", json!({"text": "hello", "async": true})), Ok(Behaviour::AtOnce));
    }
}
