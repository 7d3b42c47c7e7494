use std::sync::Arc;

use didww_types::Timestamp;
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};
use trunk_store::{Change, Scope, SqliteStore, Writes as _};

use super::super::state::Billing;
use super::super::trunk_ledger::Unstored;
use super::*;
use crate::trunks::Trunks;

const TRUNK: Uuid = Uuid::from_u128(1);
const LIMIT: Option<Decimal> = Some(Decimal::ONE_HUNDRED);

fn at() -> Timestamp {
    Timestamp::from_unix_millis(1_000_000)
}

/// A ledger that has spent its threshold.
fn spent() -> TrunkLedger {
    let mut ledger = TrunkLedger::new(1);
    ledger.spending.add(at(), Decimal::ONE_HUNDRED);
    ledger
}

fn state(revision: i64, threshold_reached: bool) -> TrunkState {
    TrunkState { revision, threshold_reached }
}

#[test]
fn an_older_state_of_a_trunk_does_not_re_open_it() {
    let mut ledgers = Ledgers::default();
    ledgers.insert(TRUNK, spent());
    ledgers.compare(TRUNK, state(3, true));
    ledgers.compare(TRUNK, state(2, false));
    assert!(ledgers.get_mut(&TRUNK).unwrap().spending.blocks(LIMIT, at()));
    ledgers.compare(TRUNK, state(4, false));
    assert!(!ledgers.get_mut(&TRUNK).unwrap().spending.blocks(LIMIT, at()), "its owner re-opened it");
}

fn attributes(threshold_reached: bool) -> Map<String, Value> {
    let attributes = json!({ "name": "Trunk", "status": "active", "threshold_reached": threshold_reached });
    attributes.as_object().unwrap().clone()
}

/// More writes than the feed keeps.
const WRITES: i64 = 8_200;

#[tokio::test]
async fn ledgers_that_fell_behind_the_feed_are_compared_with_their_trunks() {
    let store = SqliteStore::in_memory().unwrap();
    let scope = Scope { account: 1, spec: VoiceOutTrunk::SPEC };
    let billing = Billing::default();
    billing.load(&store, at(), &Trunks::new(String::new(), Vec::new()), |_| {}).await.unwrap();
    let (created_at, links) = (at(), Vec::new());
    let insert =
        Change::Insert { scope, id: TRUNK, created_at, attributes: attributes(true), links, meta: None };
    let mut record = store.commit(vec![insert]).await.unwrap().remove(0);
    {
        let mut ledgers = billing.lock();
        ledgers.insert(TRUNK, spent());
        ledgers.insert(Uuid::from_u128(2), spent());
        ledgers.compare(TRUNK, state(0, true));
    }
    for n in 1..=WRITES {
        // The last write is that of an owner who re-opens the trunk.
        let (before, attributes) = (record, attributes(n < WRITES));
        let replace = Change::Replace { scope, before, attributes, links: Vec::new(), meta: None };
        record = store.commit(vec![replace]).await.unwrap().remove(0);
    }
    assert!(billing.must_compare());
    assert!(
        billing.lock().get_mut(&TRUNK).unwrap().spending.blocks(LIMIT, at()),
        "the re-opening was missed"
    );
    billing.compare(&store, at()).await.unwrap();
    assert!(!billing.must_compare());
    let mut ledgers = billing.lock();
    let ledger = ledgers.get_mut(&TRUNK).unwrap();
    assert_eq!(ledger.state, state(WRITES, false));
    assert!(!ledger.spending.blocks(LIMIT, at()));
}

fn call(id: u128, acknowledged: bool) -> RunningCall {
    let rate = json!({ "rate": "60", "initial_billing_interval": 1, "next_billing_interval": 1 });
    RunningCall {
        id: Uuid::from_u128(id),
        account: 1,
        trunk: TRUNK,
        answered_at: at(),
        acknowledged,
        attributes: rate.to_string(),
    }
}

fn runs(id: u128, acknowledged: bool) -> Committed {
    Committed::CallRunning(Arc::new(call(id, acknowledged)))
}

fn charge(id: u128, price: &str) -> StoredCharge {
    StoredCharge {
        id: Uuid::from_u128(id),
        account: 1,
        trunk: TRUNK,
        ended_at: at(),
        price: price.to_owned(),
    }
}

fn ended(id: u128, price: &str) -> Committed {
    Committed::CallEnded(Arc::new(charge(id, price)))
}

fn later(seconds: u64) -> Timestamp {
    at().after(std::time::Duration::from_secs(seconds))
}

/// What the trunk has spent, and what is held against new calls, at a time.
fn spent_and_held(ledgers: &mut Ledgers, now: Timestamp) -> (Decimal, Decimal) {
    let Some(ledger) = ledgers.get_mut(&TRUNK) else { return Default::default() };
    ledger.grow_others(now);
    (ledger.spending.spent(now), ledger.spending.held(now))
}

fn dollars(spent: u64, held: u64) -> (Decimal, Decimal) {
    (spent.into(), held.into())
}

#[test]
fn a_call_of_another_node_costs_as_it_runs_and_what_its_record_says_once() {
    let mut ledgers = Ledgers::new(true);
    ledgers.apply(&runs(1, false));
    assert_eq!(spent_and_held(&mut ledgers, later(5)), dollars(0, 1), "its answer is not acknowledged");
    ledgers.apply(&runs(1, true));
    ledgers.apply(&runs(1, true));
    assert_eq!(spent_and_held(&mut ledgers, later(5)), dollars(5, 5));
    let limit = Some(Decimal::from(7));
    assert!(!ledgers.get_mut(&TRUNK).unwrap().is_exhausted(limit, later(6)));
    assert!(ledgers.get_mut(&TRUNK).unwrap().is_exhausted(limit, later(7)), "it grows without a tick");
    for repeated in [ended(1, "8"), ended(1, "8"), runs(1, true)] {
        ledgers.apply(&repeated);
        assert_eq!(spent_and_held(&mut ledgers, later(9)), dollars(8, 8));
    }
    // One that was never seen while it ran.
    ledgers.apply(&ended(2, "3"));
    assert_eq!(spent_and_held(&mut ledgers, later(9)), dollars(11, 11));
    // A free call, and one that was not charged on a trunk that nothing is known of, are not kept.
    let mut ledgers = Ledgers::new(true);
    ledgers.apply(&Committed::CallRunning(Arc::new(RunningCall {
        attributes: "{}".to_owned(),
        ..call(3, true)
    })));
    ledgers.apply(&ended(3, "0"));
    assert!(ledgers.is_empty());
}

#[test]
fn charges_that_were_read_are_not_counted_again_when_the_feed_names_them() {
    let mut ledgers = Ledgers::new(true);
    let calls = vec![NodeCall { node: 2, call: call(2, true) }];
    ledgers.recount(Stored { charges: vec![charge(1, "4")], calls });
    ledgers.apply(&ended(1, "4"));
    ledgers.apply(&runs(1, true));
    assert_eq!(spent_and_held(&mut ledgers, later(3)), dollars(7, 7));
    ledgers.apply(&ended(2, "3"));
    assert_eq!(spent_and_held(&mut ledgers, later(5)), dollars(7, 7));
}

#[test]
fn charges_are_counted_anew_without_losing_what_is_not_stored_yet() {
    let mut ledgers = Ledgers::new(true);
    ledgers.apply(&runs(1, true));
    ledgers.apply(&ended(2, "10"));
    let ledger = ledgers.get_mut(&TRUNK).unwrap();
    // Of this node's calls, the record of 3 is stored before the charges are read, that of 4 while they are, 5 waits.
    for id in [3_u128, 4, 5] {
        ledger.spending.add(at(), Decimal::ONE_HUNDRED);
        ledger.unstored.insert(Uuid::from_u128(id), Unstored::new(at(), Decimal::ONE_HUNDRED));
    }
    ledger.mark_stored(Uuid::from_u128(3), false);
    ledger.mark_stored(Uuid::from_u128(4), true);
    ledger.spending.pardon();
    // The missed changes: 1 has ended for more, and 6 began.
    let calls = vec![NodeCall { node: 2, call: call(6, true) }];
    let charges = vec![charge(1, "20"), charge(2, "10"), charge(3, "100")];
    ledgers.recount(Stored { charges, calls });
    assert_eq!(spent_and_held(&mut ledgers, at()), dollars(331, 331));
    let ledger = ledgers.get_mut(&TRUNK).unwrap();
    assert_eq!(ledger.unstored.keys().copied().collect::<Vec<_>>(), [Uuid::from_u128(5)]);
    assert!(!ledger.spending.blocks(LIMIT, at()), "what its owner decided is not undone");
    ledger.grow_others(later(2));
    assert!(ledger.spending.blocks(LIMIT, later(2)), "it was charged since");
}

#[test]
fn a_charge_that_arrives_while_all_are_read_is_counted_once() {
    let mut ledgers = Ledgers::new(true);
    ledgers.is_recounting = true;
    // The record of 1 is stored before the charges are read, that of 2 afterwards.
    for arrived in [ended(1, "4"), ended(2, "3")] {
        ledgers.apply(&arrived);
    }
    assert_eq!(spent_and_held(&mut ledgers, at()), dollars(7, 7));
    ledgers.recount(Stored { charges: vec![charge(1, "4")], calls: Vec::new() });
    // The follower that began before they were read names both, and repeats one.
    for arrived in [ended(1, "4"), ended(2, "3"), ended(2, "3")] {
        ledgers.apply(&arrived);
    }
    assert_eq!(spent_and_held(&mut ledgers, at()), dollars(7, 7));
}

#[test]
fn the_heir_of_a_call_charges_it_once() {
    let mut ledgers = Ledgers::new(true);
    ledgers.apply(&runs(1, true));
    assert_eq!(spent_and_held(&mut ledgers, later(5)), dollars(5, 5));
    assert!(ledgers.inherit(&call(1, true)));
    assert_eq!(spent_and_held(&mut ledgers, later(5)), dollars(0, 0), "it is charged by its record");
    assert!(!ledgers.inherit(&call(1, true)));
    ledgers.apply(&ended(1, "5"));
    assert_eq!(spent_and_held(&mut ledgers, later(5)), dollars(0, 0));
}

#[test]
fn a_trunk_that_was_blocked_just_now_is_known_to_be() {
    let mut ledgers = Ledgers::new(true);
    ledgers.insert(TRUNK, spent());
    ledgers.compare(TRUNK, state(1, true));
    assert!(ledgers.get_mut(&TRUNK).unwrap().blocked.is_some());
    ledgers.compare(TRUNK, state(2, false));
    assert!(ledgers.get_mut(&TRUNK).unwrap().blocked.is_none());
}
