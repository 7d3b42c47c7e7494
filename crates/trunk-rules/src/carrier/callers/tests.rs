use std::collections::{BTreeMap, BTreeSet};

use didww_types::Id;
use didww_types::resources::Did;
use proptest::prelude::*;

use super::*;
use crate::carrier::DidFacts;

const IDS: u8 = 6;
const TIMES: i64 = 5;
/// The numbers of DIDs, and a text with too many digits for a number.
const NUMBERS: [&str; 5] = ["442011111111", "442022222222", "4420222", "15550100", "12345678901234567890"];

fn at(millis: i64) -> Timestamp {
    Timestamp::from_unix_millis(millis)
}

fn digits(number: &str) -> Option<Digits> {
    number.parse().ok()
}

fn id_of(did: u8) -> Id<Did> {
    Id::from(did.to_string())
}

/// One change of the DIDs of an account, or a trunk that is linked to some.
#[derive(Debug, Clone)]
enum Step {
    Set { did: u8, number: usize, eligible: bool, emergency: bool, until: Option<i64> },
    Remove(u8),
    Link(Vec<u8>),
}

fn step() -> impl Strategy<Value = Step> {
    let set =
        (0..IDS, 0..NUMBERS.len(), any::<bool>(), any::<bool>(), proptest::option::of(0..TIMES)).prop_map(
            |(did, number, eligible, emergency, until)| Step::Set { did, number, eligible, emergency, until },
        );
    let link = proptest::collection::vec(0..IDS, 0..5).prop_map(Step::Link);
    prop_oneof![6 => set, 2 => (0..IDS).prop_map(Step::Remove), 1 => link]
}

/// A DID as a model without any index keeps it.
#[derive(Debug, Clone)]
struct Naive {
    /// Its place among all DIDs that were ever added: a link to a removed DID leads to no later one.
    serial: usize,
    number: Option<Digits>,
    eligible: bool,
    emergency: bool,
    until: Timestamp,
}

/// Compares a set with the DIDs that it represents, after every change.
fn compare<'a>(
    set: CallerSet<'_>,
    expected: impl Iterator<Item = &'a Naive>,
    random: u64,
) -> Result<(), TestCaseError> {
    let mut numbers: BTreeMap<Digits, Timestamp> = BTreeMap::new();
    for did in expected.filter(|did| did.eligible) {
        if let Some(number) = did.number {
            let until = numbers.entry(number).or_insert(did.until);
            *until = did.until.max(*until);
        }
    }
    prop_assert_eq!(set.count(), numbers.len());
    for now in (0..=TIMES).map(at) {
        let usable: BTreeSet<Digits> =
            numbers.iter().filter(|(_, until)| now < **until).map(|(number, _)| *number).collect();
        for number in NUMBERS.iter().filter_map(|number| digits(number)) {
            prop_assert_eq!(set.contains(number, now), usable.contains(&number));
        }
        prop_assert_eq!(set.first(now), usable.first().copied());
        let mut found = BTreeSet::new();
        for more in 0..u64::from(IDS) {
            found.extend(set.any(now, random + more));
        }
        prop_assert_eq!(found, usable, "each of them can be selected, and no other");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_sets_of_trunks_follow_each_change_of_the_dids(
        steps in proptest::collection::vec(step(), 0..40), random in 0u64..1_000
    ) {
        let mut dids = AccountDids::default();
        let mut naive: BTreeMap<u8, Naive> = BTreeMap::new();
        let mut trunks: Vec<(Callers, BTreeSet<usize>)> = Vec::new();
        for (serial, step) in steps.into_iter().enumerate() {
            match step {
                Step::Set { did, number, eligible, emergency, until } => {
                    let facts = DidFacts {
                        id: id_of(did),
                        number: NUMBERS[number].to_owned(),
                        eligible,
                        emergency_enabled: emergency,
                        expires_at: until.map(at),
                    };
                    let known = naive.get(&did).map(|known| known.serial);
                    let is_valid = digits(NUMBERS[number]).is_some();
                    prop_assert_eq!(dids.set(&facts), known.is_none() && is_valid);
                    if known.is_some() || is_valid {
                        naive.insert(did, Naive {
                            serial: known.unwrap_or(serial),
                            number: digits(NUMBERS[number]),
                            eligible,
                            emergency,
                            until: until.map_or(at(i64::MAX), at),
                        });
                    }
                }
                Step::Remove(did) => {
                    dids.remove(&id_of(did));
                    naive.remove(&did);
                }
                Step::Link(ids) => {
                    let serials = ids.iter().filter_map(|did| naive.get(did)).map(|did| did.serial).collect();
                    let ids: Vec<Id<Did>> = ids.into_iter().map(id_of).collect();
                    trunks.push((Callers::Own(dids.links(&ids)), serials));
                }
            }
            for did in 0..IDS {
                prop_assert_eq!(dids.knows(&id_of(did)), naive.contains_key(&did));
            }
            let rescue = || naive.values().filter(|did| did.emergency);
            compare(CallerSet::new(&dids, &Callers::All), naive.values(), random)?;
            compare(CallerSet::emergency(&dids, &Callers::All), rescue(), random)?;
            for (callers, serials) in &trunks {
                let is_linked = |did: &&Naive| serials.contains(&did.serial);
                compare(CallerSet::new(&dids, callers), naive.values().filter(is_linked), random)?;
                compare(CallerSet::emergency(&dids, callers), rescue().filter(is_linked), random)?;
            }
        }
    }
}

#[test]
fn a_random_number_selects_each_number_once_before_it_selects_one_again() {
    let facts = |number: &str| DidFacts {
        id: number.into(),
        number: number.to_owned(),
        eligible: true,
        emergency_enabled: false,
        expires_at: None,
    };
    let dids = AccountDids::new(NUMBERS[..4].iter().map(|number| facts(number)));
    let ids: Vec<Id<Did>> = NUMBERS[..4].iter().map(|number| (*number).into()).collect();
    let all: BTreeSet<Digits> = NUMBERS.iter().filter_map(|number| digits(number)).collect();
    for callers in [Callers::All, Callers::Own(dids.links(&ids))] {
        let set = CallerSet::new(&dids, &callers);
        for start in [0, 7, u64::MAX - 9] {
            let selected: BTreeSet<Digits> =
                (start..start + 4).filter_map(|random| set.any(at(0), random)).collect();
            assert_eq!(selected, all);
        }
    }
}

#[test]
fn the_slot_of_a_removed_did_is_used_again_and_links_to_it_lead_nowhere() {
    let facts = |id: &str| DidFacts {
        id: id.into(),
        number: NUMBERS[0].to_owned(),
        eligible: true,
        emergency_enabled: true,
        expires_at: None,
    };
    let mut dids = AccountDids::new([facts("one")]);
    let callers = Callers::Own(dids.links(&["one".into()]));
    let number = digits(NUMBERS[0]).unwrap();
    assert!(CallerSet::new(&dids, &callers).contains(number, at(0)));
    for another in ["another", "one"] {
        dids.remove(&"one".into());
        dids.remove(&"another".into());
        assert!(dids.set(&facts(another)));
        assert!(CallerSet::new(&dids, &Callers::All).contains(number, at(0)));
        let set = CallerSet::new(&dids, &callers);
        assert_eq!((set.contains(number, at(0)), set.count(), set.first(at(0))), (false, 0, None));
    }
}
