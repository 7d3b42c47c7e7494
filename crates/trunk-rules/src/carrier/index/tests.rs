use didww_types::Resource as _;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::carrier::{Channel, DidFacts, TrunkLinks};

const IDS: usize = 6;
const USERS: usize = 4;

fn id_of(trunk: usize) -> Id<VoiceOutTrunk> {
    Id::from(trunk.to_string())
}

/// A trunk with the username of this number, or without one from [`USERS`] on, which may present all numbers of its
/// account.
fn terms(trunk: usize, user: usize, capacity: u32) -> TrunkTerms {
    let mut method = json!({
        "type": "ip_only", "attributes": { "allowed_sip_ips": ["203.0.113.0/24"], "tech_prefix": "" }
    });
    if user < USERS {
        method["type"] = json!("credentials_and_ip");
        method["attributes"]["username"] = json!(format!("user {user}"));
        method["attributes"]["password"] = json!("secret");
    }
    let object = json!({ "type": "voice_out_trunks", "id": trunk.to_string(), "attributes": {
        "name": "trunk", "status": "active", "on_cli_mismatch_action": "reject_call", "capacity_limit": capacity,
        "created_at": "2026-01-01T00:00:00.000Z", "allow_any_did_as_cli": true, "threshold_reached": false,
        "media_encryption_mode": "disabled", "default_dst_action": "allow_all", "dst_prefixes": [],
        "authentication_method": method
    } });
    let decoded = VoiceOutTrunk::decode(serde_json::from_value(object).unwrap()).unwrap();
    TrunkTerms::new(&decoded, &TrunkLinks::default(), "account".into(), &AccountDids::default(), "realm")
        .unwrap()
}

#[test]
fn an_account_is_removed_with_its_trunks_and_dids_and_no_other_is() {
    let did = DidFacts {
        id: "did".into(),
        number: "442011111111".to_owned(),
        eligible: true,
        emergency_enabled: false,
        expires_at: None,
    };
    let mut index = TrunkIndex::new();
    for trunk in [0, 1] {
        index.insert(terms(trunk, trunk, 1)).unwrap();
    }
    index.dids_mut(&"account".into()).set(&did);
    index.dids_mut(&"another".into()).set(&did);
    assert!(index.dids("account").knows(&did.id) && !index.dids("a third").knows(&did.id));
    index.remove_account("account");
    assert!(index.is_clean() && !index.dids("account").knows(&did.id));
    assert!(index.dids("another").knows(&did.id));
}

#[test]
fn what_a_trunk_spent_changes_without_the_rest_of_it() {
    let mut index = TrunkIndex::new();
    index.insert(terms(0, 0, 1)).unwrap();
    let before = Arc::clone(index.get(&id_of(0)).unwrap());
    let spent = Money::new(rust_decimal::Decimal::ONE);
    assert!(index.set_spent(&id_of(0), spent) && !index.set_spent(&id_of(1), spent));
    let after = Arc::clone(index.with_username("user 0").unwrap());
    assert_eq!((after.spent, before.spent), (spent, Money::default()), "calls in progress keep their terms");
    assert!(Arc::ptr_eq(&before.policy, &after.policy));
    index.insert(terms(0, 0, 1)).unwrap();
    index.remove(&id_of(0)).unwrap();
    assert!(index.is_clean());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    // The second last user means a trunk without a username, and the last one a removal.
    #[test]
    fn it_finds_the_trunks_that_a_map_has(
        steps in proptest::collection::vec((0usize..IDS, 0usize..USERS + 2, 1u32..4), 0..40)
    ) {
        let mut index = TrunkIndex::new();
        let mut model: BTreeMap<usize, (usize, u32)> = BTreeMap::new();
        let mut held: BTreeMap<usize, Channel> = BTreeMap::new();
        for (trunk, user, capacity) in steps {
            let owner = model.iter().find(|(other, (used, _))| **other != trunk && *used == user && user < USERS);
            let owner = owner.map(|(owner, _)| id_of(*owner));
            if user > USERS {
                prop_assert_eq!(index.remove(&id_of(trunk)).is_some(), model.remove(&trunk).is_some());
                held.remove(&trunk);
            } else if let Some(owner) = owner {
                let refused = Err(IndexError { trunk: id_of(trunk), owner });
                prop_assert_eq!(index.insert(terms(trunk, user, capacity)), refused);
            } else {
                prop_assert_eq!(index.insert(terms(trunk, user, capacity)), Ok(()));
                model.insert(trunk, (user, capacity));
                let take = || index.channels(&id_of(trunk)).unwrap().take(None).unwrap();
                held.entry(trunk).or_insert_with(take);
            }
            prop_assert_eq!((index.len(), index.is_empty()), (model.len(), model.is_empty()));
            for trunk in 0..IDS {
                let (id, known) = (id_of(trunk), model.get(&trunk));
                let found = index.get(&id).map(|terms| (terms.id.clone(), terms.capacity));
                prop_assert_eq!(found, known.map(|(_, capacity)| (id.clone(), Some(*capacity))));
                prop_assert_eq!(index.channels(&id).map(Channels::held), known.map(|_| 1), "an update keeps them");
            }
            for user in 0..USERS {
                let found = index.with_username(&format!("user {user}")).map(|terms| terms.id.clone());
                let expected = model.iter().find(|(_, (used, _))| *used == user).map(|(trunk, _)| id_of(*trunk));
                prop_assert_eq!(found, expected);
            }
            let source = index.sources.find(Address::of("203.0.113.5".parse().unwrap()), b"44");
            let open = if let Found::Open(slot) = source { index.entry(slot) } else { None };
            let expected = model.iter().find(|(_, (user, _))| *user == USERS).map(|(trunk, _)| id_of(*trunk));
            prop_assert_eq!(open.map(|entry| entry.terms.id.clone()), expected);
            prop_assert_eq!(source == Found::NoAddress, model.is_empty());
            let all: Vec<&Arc<TrunkTerms>> = model.keys().filter_map(|trunk| index.get(&id_of(*trunk))).collect();
            for (one, other) in all.iter().flat_map(|one| all.iter().map(move |other| (one, other))) {
                prop_assert_eq!(Arc::ptr_eq(&one.policy, &other.policy), one.capacity == other.capacity);
            }
        }
        for trunk in 0..IDS {
            index.remove(&id_of(trunk));
        }
        prop_assert!(index.is_clean());
    }
}
