//! The simulated far end: how the called party reacts to an admitted call.

use std::time::Duration;

use trunk_rules::carrier::Digits;

/// The behaviour of a called party.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// How long the call rings before `then`.
    pub ring: Duration,
    /// Whether ringing includes early media: a 183 with a session description instead of a 180.
    pub early_media: bool,
    /// The action after the ringing.
    pub then: Then,
}

impl Outcome {
    /// The sentence of an admitted call to this party.
    pub(crate) fn admitted_sentence(&self) -> String {
        format!("every check passed; {}", self.sentence())
    }

    /// The called party's behaviour as a sentence.
    pub(crate) fn sentence(&self) -> String {
        let ring = if self.early_media { "sends early media (183)" } else { "rings (180)" };
        let seconds = self.ring.as_secs_f64();
        let after = if self.ring.is_zero() {
            "the simulated callee".to_owned()
        } else {
            format!("the simulated callee {ring} for {seconds} s and then")
        };
        match self.then {
            Then::Answer(None) => format!("{after} answers; it does not hang up"),
            Then::Answer(Some(talk)) => {
                format!("{after} answers and hangs up after {} s", talk.as_secs_f64())
            }
            Then::NoAnswer => format!("the simulated callee {ring} and does not answer"),
            Then::Refuse(code) => {
                format!("{after} refuses the call with {code} {}", trunk_rules::carrier::reason_phrase(code))
            }
        }
    }
}

/// The action of a called party after the ringing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// The call is answered. The callee hangs up after this time, or never.
    Answer(Option<Duration>),
    /// The call rings for [`EdgeConfig::ring_timeout`](crate::EdgeConfig::ring_timeout) and is not answered.
    NoAnswer,
    /// The call is refused with this SIP response code, 300 to 699.
    Refuse(u16),
}

/// The behaviour of numbers that begin with a prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FarEndRule {
    /// The leading digits of the destination number.
    pub prefix: Digits,
    /// The behaviour of these numbers.
    pub outcome: Outcome,
}

/// The called parties, selected by the longest matching prefix of the destination number.
///
/// The prefix 9990, which no country uses, followed by three digits forms test numbers that need no
/// configuration:
///
/// | number | behaviour |
/// | --- | --- |
/// | 9990180 | rings and is not answered |
/// | 9990183 | early media, then answered after one second |
/// | 9990200 | answered at once |
/// | 9990201 to 9990299 | answered at once; the callee hangs up after 1 to 99 seconds |
/// | 9990300 to 9990699 | refused with that SIP response: 9990486 is busy |
///
/// Every other number rings for 200 ms and is answered; the callee does not hang up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FarEnd {
    rules: Vec<FarEndRule>,
}

const TEST_PREFIX: &str = "9990";
const DEFAULT_OUTCOME: Outcome =
    Outcome { ring: Duration::from_millis(200), early_media: false, then: Then::Answer(None) };
const ANSWERED_AT_ONCE: Outcome =
    Outcome { ring: Duration::ZERO, early_media: false, then: Then::Answer(None) };

impl FarEnd {
    /// Builds the table. Of two rules for one prefix, the later one applies.
    pub fn new(rules: impl IntoIterator<Item = FarEndRule>) -> Self {
        let mut all: Vec<FarEndRule> = Vec::new();
        for rule in rules {
            all.retain(|earlier| earlier.prefix != rule.prefix);
            all.push(rule);
        }
        all.sort_by_key(|rule| std::cmp::Reverse(rule.prefix.len()));
        Self { rules: all }
    }

    /// The behaviour of this number: of the longest matching rule, of a test number, or the default.
    pub fn outcome(&self, number: Digits) -> Outcome {
        let rule = self.rules.iter().find(|rule| number.starts_with(rule.prefix));
        rule.map(|rule| rule.outcome.clone()).or_else(|| test_number(number)).unwrap_or(DEFAULT_OUTCOME)
    }
}

fn test_number(number: Digits) -> Option<Outcome> {
    let text = number.to_string();
    let code: u16 = text.strip_prefix(TEST_PREFIX).filter(|code| code.len() == 3)?.parse().ok()?;
    match code {
        180 => Some(Outcome { then: Then::NoAnswer, ..ANSWERED_AT_ONCE }),
        183 => Some(Outcome { ring: Duration::from_secs(1), early_media: true, ..ANSWERED_AT_ONCE }),
        200 => Some(ANSWERED_AT_ONCE),
        201..=299 => {
            let up = Duration::from_secs(u64::from(code - 200));
            Some(Outcome { then: Then::Answer(Some(up)), ..ANSWERED_AT_ONCE })
        }
        300..=699 => Some(Outcome { then: Then::Refuse(code), ..ANSWERED_AT_ONCE }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(far_end: &FarEnd, number: &str) -> Outcome {
        far_end.outcome(number.parse().unwrap())
    }

    #[test]
    fn what_a_callee_will_do_is_stated_in_words() {
        let far_end = FarEnd::default();
        let sentence = |number| outcome(&far_end, number).sentence();
        assert_eq!(
            sentence("442079460018"),
            "the simulated callee rings (180) for 0.2 s and then answers; it does not hang up"
        );
        assert_eq!(sentence("9990486"), "the simulated callee refuses the call with 486 Busy Here");
        assert_eq!(sentence("9990203"), "the simulated callee answers and hangs up after 3 s");
        assert_eq!(sentence("9990180"), "the simulated callee rings (180) and does not answer");
        let early =
            "the simulated callee sends early media (183) for 1 s and then answers; it does not hang up";
        assert_eq!(sentence("9990183"), early);
    }

    #[test]
    fn test_numbers_work_without_configuration_and_all_others_are_answered() {
        let far_end = FarEnd::default();
        assert_eq!(outcome(&far_end, "9990486").then, Then::Refuse(486));
        assert_eq!(outcome(&far_end, "9990180").then, Then::NoAnswer);
        assert_eq!(outcome(&far_end, "9990203").then, Then::Answer(Some(Duration::from_secs(3))));
        assert!(outcome(&far_end, "9990183").early_media);
        assert_eq!(outcome(&far_end, "442079460018"), DEFAULT_OUTCOME);
        assert_eq!(outcome(&far_end, "99904860"), DEFAULT_OUTCOME);
    }

    #[test]
    fn the_longest_prefix_of_the_table_decides() {
        let rule = |prefix: &str, code| FarEndRule {
            prefix: prefix.parse().unwrap(),
            outcome: Outcome { then: Then::Refuse(code), ..ANSWERED_AT_ONCE },
        };
        let far_end = FarEnd::new([rule("44", 486), rule("447", 603), rule("44", 480)]);
        assert_eq!(outcome(&far_end, "441").then, Then::Refuse(480));
        assert_eq!(outcome(&far_end, "4470").then, Then::Refuse(603));
    }
}
