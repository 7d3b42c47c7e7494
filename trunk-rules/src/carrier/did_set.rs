//! The numbers that may be shown as caller, with the moment at which each stops being one.

use std::collections::HashMap;

use didww_types::resources::Did;
use didww_types::{Id, Timestamp};

use super::Digits;

/// What the rules need to know of a DID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DidFacts {
    /// The DID's id.
    pub id: Id<Did>,
    /// The number in E.164 without the plus.
    pub number: String,
    /// Whether it may be a caller number: neither terminated nor blocked, and its group can call out.
    pub eligible: bool,
    /// Whether emergency calls may be made from it.
    pub emergency_enabled: bool,
    /// When it stops being of use; none is never.
    pub expires_at: Option<Timestamp>,
}

impl DidFacts {
    /// Takes the facts from a DID; whether it can call out is a fact of its group.
    pub fn of(did: &Did, voice_out: bool) -> Self {
        Self {
            id: did.id.clone(),
            number: did.number.clone(),
            eligible: voice_out && !did.blocked && !did.terminated,
            emergency_enabled: did.emergency_enabled,
            expires_at: did.expires_at,
        }
    }
}

/// A set of caller numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
// Sorted by number.
pub struct DidSet(Box<[(Digits, Timestamp)]>);

impl DidSet {
    /// Takes numbers with the moment from which each counts no more.
    pub fn new(numbers: impl IntoIterator<Item = (Digits, Timestamp)>) -> Self {
        let mut sorted: Vec<_> = numbers.into_iter().collect();
        // Of two entries of one number the one that is good for longer stays.
        sorted.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1)));
        sorted.dedup_by_key(|(number, _)| *number);
        Self(sorted.into())
    }

    /// Whether a number is in the set at a moment.
    pub fn contains(&self, number: Digits, now: Timestamp) -> bool {
        let found = self.0.binary_search_by_key(&number, |(number, _)| *number).ok();
        found.and_then(|at| self.0.get(at)).is_some_and(|(_, until)| now < *until)
    }

    /// The first number of the set in the order of texts.
    pub fn first(&self, now: Timestamp) -> Option<Digits> {
        self.any(now, 0)
    }

    /// A number of the set, chosen by a random word.
    pub fn any(&self, now: Timestamp, random: u64) -> Option<Digits> {
        let count = u64::try_from(self.0.len()).ok().filter(|count| *count > 0)?;
        let start = usize::try_from(random % count).ok()?;
        let (before, after) = self.0.split_at_checked(start)?;
        after.iter().chain(before).find(|(_, until)| now < *until).map(|(number, _)| *number)
    }

    /// How many numbers there are, those included whose time is over.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no number.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The DIDs of an account, prepared once for all its trunks.
#[derive(Debug, Clone, Default)]
pub struct AccountDids {
    by_id: HashMap<Id<Did>, Known>,
    pub(super) callers: DidSet,
    pub(super) emergency: DidSet,
}

#[derive(Debug, Clone, Copy)]
struct Known {
    number: Digits,
    until: Timestamp,
    emergency: bool,
}

impl AccountDids {
    /// Takes the account's DIDs. Those that are not eligible, or whose number is none, are left out.
    pub fn new(dids: impl IntoIterator<Item = DidFacts>) -> Self {
        let by_id: HashMap<_, _> = dids
            .into_iter()
            .filter(|did| did.eligible)
            .filter_map(|did| {
                let number = super::normalise(did.number.as_bytes()).ok()?;
                let until = did.expires_at.unwrap_or(Timestamp::from_unix_millis(i64::MAX));
                Some((did.id, Known { number, until, emergency: did.emergency_enabled }))
            })
            .collect();
        let callers = DidSet::new(by_id.values().map(|did| (did.number, did.until)));
        let emergency =
            DidSet::new(by_id.values().filter(|did| did.emergency).map(|did| (did.number, did.until)));
        Self { by_id, callers, emergency }
    }

    /// The number of a DID that is eligible.
    pub(super) fn number(&self, id: &Id<Did>) -> Option<Digits> {
        self.by_id.get(id).map(|did| did.number)
    }

    pub(super) fn callers_among(&self, ids: &[Id<Did>]) -> DidSet {
        let found = ids.iter().filter_map(|id| self.by_id.get(id));
        DidSet::new(found.map(|did| (did.number, did.until)))
    }

    pub(super) fn emergency_among(&self, ids: &[Id<Did>]) -> DidSet {
        let found = ids.iter().filter_map(|id| self.by_id.get(id)).filter(|did| did.emergency);
        DidSet::new(found.map(|did| (did.number, did.until)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_unix_millis(millis)
    }

    fn facts(id: &str, number: &str) -> DidFacts {
        DidFacts {
            id: id.into(),
            number: number.to_owned(),
            eligible: true,
            emergency_enabled: false,
            expires_at: None,
        }
    }

    #[test]
    fn a_did_that_is_not_eligible_or_is_over_is_no_caller_number() {
        let dids = AccountDids::new([
            facts("a", "442011111111"),
            DidFacts { eligible: false, ..facts("b", "442022222222") },
            DidFacts { expires_at: Some(at(10)), ..facts("c", "442033333333") },
        ]);
        let holds = |number: &str, now| dids.callers.contains(number.parse().unwrap(), at(now));
        assert!(holds("442011111111", 10) && !holds("442022222222", 0));
        assert!(holds("442033333333", 9) && !holds("442033333333", 10));
    }

    #[test]
    fn emergency_dids_are_only_those_with_emergency_service() {
        let dids = AccountDids::new([
            DidFacts { emergency_enabled: true, ..facts("a", "442011111111") },
            facts("b", "442022222222"),
        ]);
        let among = dids.emergency_among(&["a".into(), "b".into(), "of somebody else".into()]);
        assert_eq!(among.first(at(0)), "442011111111".parse().ok());
        assert_eq!(among.len(), 1);
    }

    proptest! {
        #[test]
        fn a_chosen_number_is_always_one_of_the_set(
            numbers in proptest::collection::vec(("[1-9][0-9]{0,3}", 0i64..20), 0..12),
            random in any::<u64>(), now in 0i64..20
        ) {
            let set = DidSet::new(numbers.iter().map(|(n, until)| (n.parse().unwrap(), at(*until))));
            let good = numbers.iter().filter(|(_, until)| now < *until).map(|(n, _)| n.as_str());
            let first = good.min();
            let found = set.first(at(now)).map(|number| number.to_string());
            prop_assert_eq!(found.as_deref(), first);
            match set.any(at(now), random) {
                Some(number) => prop_assert!(set.contains(number, at(now))),
                None => prop_assert!(first.is_none()),
            }
        }
    }
}
