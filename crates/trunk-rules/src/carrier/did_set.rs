//! The DIDs that may be presented as caller numbers, each with its expiry time.

use std::collections::HashMap;

use didww_types::resources::Did;
use didww_types::{Id, Timestamp};

use super::Digits;

/// The properties of a DID that the rules use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DidFacts {
    /// The DID's id, by which trunks refer to it.
    pub id: Id<Did>,
    /// The number in E.164 without the plus.
    pub number: String,
    /// Whether the DID may be a caller number: it is neither terminated nor blocked, and its group allows
    /// outbound calls.
    pub eligible: bool,
    /// Whether emergency calls may be made from it.
    pub emergency_enabled: bool,
    /// When the DID expires; `None` for never.
    pub expires_at: Option<Timestamp>,
}

impl DidFacts {
    /// Takes the properties of a DID. `voice_out` is a property of its DID group: whether it allows outbound
    /// calls.
    pub fn of(did: &Did, voice_out: bool) -> Self {
        Self {
            id: did.id.clone(),
            number: did.number.clone(),
            eligible: voice_out && !did.blocked && !did.terminated,
            emergency_enabled: did.emergency_enabled == Some(true),
            expires_at: did.expires_at,
        }
    }
}

/// A set of caller numbers with their expiry times.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
// Sorted by number, each number once.
pub struct DidSet(Box<[(Digits, Timestamp)]>);

impl DidSet {
    /// Builds a set from numbers and the times at which they expire.
    pub fn new(numbers: impl IntoIterator<Item = (Digits, Timestamp)>) -> Self {
        let mut sorted: Vec<_> = numbers.into_iter().collect();
        // Of two entries for one number, the one that expires later is kept.
        sorted.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1)));
        sorted.dedup_by_key(|(number, _)| *number);
        Self(sorted.into())
    }

    /// Whether the set contains the number at the given time.
    pub fn contains(&self, number: Digits, now: Timestamp) -> bool {
        let found = self.0.binary_search_by_key(&number, |(number, _)| *number).ok();
        found.and_then(|at| self.0.get(at)).is_some_and(|(_, until)| now < *until)
    }

    /// Returns the first unexpired number in text order.
    pub fn first(&self, now: Timestamp) -> Option<Digits> {
        self.any(now, 0)
    }

    /// Returns an unexpired number, selected by a random number.
    pub fn any(&self, now: Timestamp, random: u64) -> Option<Digits> {
        let count = u64::try_from(self.0.len()).ok().filter(|count| *count > 0)?;
        let start = usize::try_from(random % count).ok()?;
        let (before, after) = self.0.split_at_checked(start)?;
        after.iter().chain(before).find(|(_, until)| now < *until).map(|(number, _)| *number)
    }

    /// The number of entries, expired ones included.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the set has no entries.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The DIDs of an account, prepared once for all its trunks.
#[derive(Debug, Clone, Default)]
pub struct AccountDids {
    by_id: HashMap<Id<Did>, EligibleDid>,
    pub(super) callers: DidSet,
    pub(super) emergency: DidSet,
}

#[derive(Debug, Clone, Copy)]
struct EligibleDid {
    number: Digits,
    until: Timestamp,
    emergency: bool,
}

impl AccountDids {
    /// Builds the set from the account's DIDs. Those that are not eligible, or whose number is invalid, are
    /// left out.
    pub fn new(dids: impl IntoIterator<Item = DidFacts>) -> Self {
        let by_id: HashMap<_, _> = dids
            .into_iter()
            .filter(|did| did.eligible)
            .filter_map(|did| {
                let number = super::normalise(did.number.as_bytes()).ok()?;
                let until = did.expires_at.unwrap_or(Timestamp::from_unix_millis(i64::MAX));
                Some((did.id, EligibleDid { number, until, emergency: did.emergency_enabled }))
            })
            .collect();
        let callers = DidSet::new(by_id.values().map(|did| (did.number, did.until)));
        let emergency =
            DidSet::new(by_id.values().filter(|did| did.emergency).map(|did| (did.number, did.until)));
        Self { by_id, callers, emergency }
    }

    /// The number of an eligible DID.
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
    fn a_did_that_is_not_eligible_or_has_expired_is_not_a_caller_number() {
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
        let among = dids.emergency_among(&["a".into(), "b".into(), "of another account".into()]);
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
