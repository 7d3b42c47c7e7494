use didww_types::Timestamp;
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};
use trunk_store::{Change, Scope, SqliteStore, Writes as _};

use super::super::state::Billing;
use super::*;

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
    billing.load(&store, at()).await.unwrap();
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
