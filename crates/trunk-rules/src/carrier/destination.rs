//! The destinations that a trunk may call: a default action, and prefixes that are exceptions to it.

use didww_types::resources::DefaultDstAction;

use super::Digits;

/// A set of number prefixes. A look-up is one binary search, regardless of their number.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
// Sorted, and no element is a prefix of another. So the only element that can be a prefix of a number is the
// last one that is not greater than it.
pub struct PrefixSet(Box<[Digits]>);

impl PrefixSet {
    /// Builds a set from prefixes in any order. A prefix that begins with another one is redundant and is
    /// dropped.
    pub fn new(prefixes: impl IntoIterator<Item = Digits>) -> Self {
        let mut sorted: Vec<Digits> = prefixes.into_iter().collect();
        sorted.sort_unstable();
        let mut kept: Vec<Digits> = Vec::with_capacity(sorted.len());
        for prefix in sorted {
            if kept.last().is_none_or(|last| !prefix.starts_with(*last)) {
                kept.push(prefix);
            }
        }
        Self(kept.into())
    }

    /// Returns the prefix that a number begins with; the shortest, if several were given.
    pub fn covering(&self, number: Digits) -> Option<Digits> {
        let above = self.0.partition_point(|prefix| *prefix <= number);
        let below = self.0.get(above.checked_sub(1)?)?;
        number.starts_with(*below).then_some(*below)
    }

    /// The number of prefixes in the set.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the set is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A trunk's default destination action and the prefixes that are exceptions to it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DestinationRule {
    reject_by_default: bool,
    exceptions: PrefixSet,
}

/// Why a destination is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DestinationRefusal {
    /// The default is to allow, and the number begins with this excepted prefix.
    Excepted(Digits),
    /// The default is to reject, and the number begins with none of the excepted prefixes, of which there are
    /// this many.
    NotListed(usize),
}

impl DestinationRule {
    /// Combines a default action with its exceptions. An unknown action rejects by default.
    pub fn new(default: &DefaultDstAction, exceptions: PrefixSet) -> Self {
        Self { reject_by_default: *default != DefaultDstAction::AllowAll, exceptions }
    }

    /// Checks a normalised number. The error names the prefix that refuses it, or states how many do not allow it.
    pub fn check(&self, number: Digits) -> Result<(), DestinationRefusal> {
        match (self.reject_by_default, self.exceptions.covering(number)) {
            (false, None) | (true, Some(_)) => Ok(()),
            (false, Some(prefix)) => Err(DestinationRefusal::Excepted(prefix)),
            (true, None) => Err(DestinationRefusal::NotListed(self.exceptions.len())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rule(default: &DefaultDstAction, prefixes: &[&str]) -> DestinationRule {
        DestinationRule::new(default, PrefixSet::new(prefixes.iter().map(|p| p.parse().unwrap())))
    }

    fn allows(rule: &DestinationRule, number: &str) -> bool {
        rule.check(number.parse().unwrap()).is_ok()
    }

    #[test]
    fn allow_all_with_a_prefix_refuses_exactly_that_prefix() {
        let rule = rule(&DefaultDstAction::AllowAll, &["23"]);
        assert!(!allows(&rule, "2345678"));
        assert!(allows(&rule, "2445678") && allows(&rule, "2"));
    }

    #[test]
    fn reject_all_with_a_prefix_allows_exactly_that_prefix() {
        let rule = rule(&DefaultDstAction::RejectAll, &["23"]);
        assert!(allows(&rule, "2345678"));
        assert_eq!(rule.check("2445678".parse().unwrap()), Err(DestinationRefusal::NotListed(1)));
    }

    #[test]
    fn without_prefixes_the_default_decides_alone() {
        assert!(allows(&rule(&DefaultDstAction::AllowAll, &[]), "44"));
        assert!(!allows(&rule(&DefaultDstAction::RejectAll, &[]), "44"));
    }

    #[test]
    fn an_action_that_is_not_known_allows_nothing_by_default() {
        assert!(!allows(&rule(&DefaultDstAction::from("ask_someone"), &[]), "44"));
    }

    proptest! {
        #[test]
        fn the_rule_is_the_exact_inversion_of_its_default(
            prefixes in proptest::collection::vec("[0-9]{1,4}", 0..30), number in "[1-9][0-9]{0,7}"
        ) {
            let prefixes: Vec<&str> = prefixes.iter().map(String::as_str).collect();
            let listed = prefixes.iter().any(|prefix| number.starts_with(prefix));
            prop_assert_eq!(allows(&rule(&DefaultDstAction::AllowAll, &prefixes), &number), !listed);
            prop_assert_eq!(allows(&rule(&DefaultDstAction::RejectAll, &prefixes), &number), listed);
        }
    }
}
