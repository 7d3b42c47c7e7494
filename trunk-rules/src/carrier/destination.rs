//! Which destinations a trunk may call: a default, and prefixes that are exceptions to it.

use didww_types::resources::DefaultDstAction;

use super::Digits;

/// Beginnings of numbers. A number is tested with one binary search, however many there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
// Sorted, and no member begins with another: then the last member not above a number is the only one that
// the number can begin with.
pub struct PrefixSet(Box<[Digits]>);

impl PrefixSet {
    /// Takes prefixes in any order. One that begins with another adds nothing and is dropped.
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

    /// The prefix that a number begins with; the shortest, when several were given.
    pub fn covering(&self, number: Digits) -> Option<Digits> {
        let above = self.0.partition_point(|prefix| *prefix <= number);
        let below = self.0.get(above.checked_sub(1)?)?;
        number.starts_with(*below).then_some(*below)
    }

    /// How many prefixes are kept.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A trunk's default destination action and its exceptions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DestinationRule {
    reject_by_default: bool,
    exceptions: PrefixSet,
}

/// A destination is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DestinationRefusal {
    /// Everything is allowed but what begins with such prefixes, and it begins with this one.
    Excepted(Digits),
    /// Nothing is allowed but what begins with one of so many prefixes, and it begins with none.
    NotListed(usize),
}

impl DestinationRule {
    /// Joins a default and its exceptions. An action this project does not know allows nothing by default.
    pub fn new(default: &DefaultDstAction, exceptions: PrefixSet) -> Self {
        Self { reject_by_default: *default != DefaultDstAction::AllowAll, exceptions }
    }

    /// Decides about a normalised number.
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
