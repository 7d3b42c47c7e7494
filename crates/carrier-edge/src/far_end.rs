//! The far end, which is played: what happens to a call that was let through.

use std::time::Duration;

use trunk_rules::carrier::Digits;

/// What the called party does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// How long it rings before anything else happens.
    pub ring: Duration,
    /// Whether the caller hears something before the answer (183 with SDP instead of 180).
    pub early_media: bool,
    /// What happens then.
    pub then: Then,
}

/// What happens after the ringing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// It is answered and stays up until the caller hangs up, or until the callee does after this long.
    Answer(Option<Duration>),
    /// It is not answered.
    NoAnswer,
    /// It is refused with this SIP response, 300 to 699.
    Refuse(u16),
}

/// What happens to numbers that begin with a prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FarEndRule {
    /// The beginning of the number.
    pub prefix: Digits,
    /// What happens.
    pub outcome: Outcome,
}

/// Who is called, by the beginning of the number; the longest beginning decides.
///
/// The prefix 9990, which no country has, followed by a number makes test numbers that need no configuration:
///
/// | number | what happens |
/// | --- | --- |
/// | 9990180 | rings and is not answered |
/// | 9990183 | early media, then answered after one second |
/// | 9990200 | answered at once |
/// | 9990201 to 9990299 | answered at once; the callee hangs up after 1 to 99 seconds |
/// | 9990300 to 9990699 | refused with that SIP response: 9990486 is busy |
///
/// Every other number rings for 200 ms, is answered, and stays up until the caller hangs up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FarEnd {
    rules: Vec<FarEndRule>,
}

const TEST_PREFIX: &str = "9990";
const USUAL: Outcome =
    Outcome { ring: Duration::from_millis(200), early_media: false, then: Then::Answer(None) };
const AT_ONCE: Outcome = Outcome { ring: Duration::ZERO, early_media: false, then: Then::Answer(None) };

impl FarEnd {
    /// Takes rules; of two for one prefix the later stays.
    pub fn new(rules: impl IntoIterator<Item = FarEndRule>) -> Self {
        let mut all: Vec<FarEndRule> = Vec::new();
        for rule in rules {
            all.retain(|known| known.prefix != rule.prefix);
            all.push(rule);
        }
        all.sort_by_key(|rule| std::cmp::Reverse(rule.prefix.len()));
        Self { rules: all }
    }

    /// What happens to a call to this number.
    pub fn outcome(&self, number: Digits) -> Outcome {
        let rule = self.rules.iter().find(|rule| number.starts_with(rule.prefix));
        rule.map(|rule| rule.outcome.clone()).or_else(|| test_number(number)).unwrap_or(USUAL)
    }
}

fn test_number(number: Digits) -> Option<Outcome> {
    let text = number.to_string();
    let code: u16 = text.strip_prefix(TEST_PREFIX).filter(|code| code.len() == 3)?.parse().ok()?;
    match code {
        180 => Some(Outcome { then: Then::NoAnswer, ..AT_ONCE }),
        183 => Some(Outcome { ring: Duration::from_secs(1), early_media: true, ..AT_ONCE }),
        200 => Some(AT_ONCE),
        201..=299 => {
            let up = Duration::from_secs(u64::from(code - 200));
            Some(Outcome { then: Then::Answer(Some(up)), ..AT_ONCE })
        }
        300..=699 => Some(Outcome { then: Then::Refuse(code), ..AT_ONCE }),
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
    fn test_numbers_work_without_configuration_and_all_others_are_answered() {
        let far_end = FarEnd::default();
        assert_eq!(outcome(&far_end, "9990486").then, Then::Refuse(486));
        assert_eq!(outcome(&far_end, "9990180").then, Then::NoAnswer);
        assert_eq!(outcome(&far_end, "9990203").then, Then::Answer(Some(Duration::from_secs(3))));
        assert!(outcome(&far_end, "9990183").early_media);
        assert_eq!(outcome(&far_end, "442079460018"), USUAL);
        assert_eq!(outcome(&far_end, "99904860"), USUAL);
    }

    #[test]
    fn the_longest_prefix_of_the_table_decides() {
        let rule = |prefix: &str, code| FarEndRule {
            prefix: prefix.parse().unwrap(),
            outcome: Outcome { then: Then::Refuse(code), ..AT_ONCE },
        };
        let far_end = FarEnd::new([rule("44", 486), rule("447", 603), rule("44", 480)]);
        assert_eq!(outcome(&far_end, "441").then, Then::Refuse(480));
        assert_eq!(outcome(&far_end, "4470").then, Then::Refuse(603));
    }
}
