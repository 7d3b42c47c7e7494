//! Batches: either all changes of a batch are written or none, and batches do not affect each other.

use didww_types::Resource as _;
use didww_types::resources::Balance;
use serde_json::{Map, json};
use trunk_store::{Change, ListQuery, Order, Record, Scope, Store, StoreError};

use crate::support::records::{
    commit, did, dids, everything, found, id, insert, linked, members, replace, trunk, trunks,
};

pub(super) async fn a_batch_that_fails_anywhere_leaves_nothing(store: &impl Store) {
    commit(store, vec![insert(dids(1), id(1), did("1", &json!({})))]).await;
    let base = vec![linked(trunks(1), id(2), trunk("kept", &json!({})), vec![("dids", vec![id(1)])])];
    commit(store, base).await;
    let before = dump(store).await;
    let owner = found(store, trunks(1), id(2)).await;
    let good = vec![
        insert(trunks(1), id(10), trunk("x", &json!({}))),
        linked(trunks(1), id(11), trunk("y", &json!({})), vec![("dids", vec![id(1)])]),
        members(trunks(1), owner.clone(), "dids", false, vec![id(1)]),
        Change::Delete { scope: dids(1), id: id(1) },
        insert(dids(1), id(12), did("2", &json!({}))),
    ];
    let bad = [
        (insert(trunks(1), id(20), trunk("kept", &json!({}))), StoreError::Taken("name".to_owned())),
        (insert(trunks(1), id(2), trunk("z", &json!({}))), StoreError::Taken("id".to_owned())),
        (Change::Delete { scope: trunks(1), id: id(99) }, StoreError::Conflict),
        (
            linked(trunks(1), id(21), trunk("z", &json!({})), vec![("dids", vec![id(99)])]),
            StoreError::Conflict,
        ),
    ];
    for (change, error) in bad {
        for place in 0..=good.len() {
            let mut batch = good.clone();
            batch.insert(place, change.clone());
            assert_eq!(store.commit(batch).await, Err(error.clone()), "at {place}");
            assert_eq!(dump(store).await, before, "{error} at {place}");
        }
    }
    commit(store, good).await;
    assert_ne!(dump(store).await, before);
}

pub(super) async fn one_failing_write_does_not_affect_concurrent_writes(store: &impl Store) {
    commit(store, vec![insert(trunks(1), id(1), trunk("taken", &json!({})))]).await;
    let writes = (100..400_u128).map(|n| {
        let name = if n % 10 == 0 { "taken".to_owned() } else { n.to_string() };
        store.commit(vec![insert(trunks(1), id(n), trunk(&name, &json!({})))])
    });
    for (n, outcome) in (100..).zip(futures_util::future::join_all(writes).await) {
        if n % 10 == 0 {
            assert_eq!(outcome, Err(StoreError::Taken("name".to_owned())));
        } else {
            assert_eq!(outcome.unwrap()[0].id, id(n));
        }
    }
    assert_eq!(store.list(everything(trunks(1))).await.unwrap().total, 271);
}

pub(super) async fn of_two_changes_to_the_same_record_one_is_a_conflict(store: &impl Store) {
    let made = commit(store, vec![insert(trunks(1), id(1), trunk("a", &json!({})))]).await.remove(0);
    let writes = (0..20)
        .map(|n| store.commit(vec![replace(trunks(1), made.clone(), trunk(&n.to_string(), &json!({})))]));
    let outcomes = futures_util::future::join_all(writes).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Err(StoreError::Conflict)).count(), 19);
}

/// Payments that race: each reads a balance, and writes it together with what it pays for.
pub(super) async fn what_leaves_a_balance_is_what_the_records_beside_it_cost(store: &impl Store) {
    let balances = Scope { account: 1, spec: Balance::SPEC };
    let money = |cents: i64| {
        let texts = [("balance", cents), ("credit", 0), ("total_balance", cents)];
        let text = |cents: i64| json!(format!("{}.{:02}", cents / 100, cents % 100));
        texts.into_iter().map(|(name, cents)| (name.to_owned(), text(cents))).collect::<Map<_, _>>()
    };
    let cents = |record: &Record| -> i64 {
        let balance = record.attributes().unwrap()["balance"].as_str().unwrap().replace('.', "");
        balance.parse().unwrap()
    };
    commit(store, vec![insert(balances, id(1), money(1_000))]).await;
    let (money, cents) = (&money, &cents);
    let pay = |payer: u128| async move {
        let (mut paid, mut conflicts) = (0_u32, 0_u32);
        for number in 0..10_u128 {
            loop {
                let before = found(store, balances, id(1)).await;
                let left = cents(&before) - 35;
                if left < 0 {
                    return paid;
                }
                let place = 1_000 + payer * 100 + number;
                let bought = insert(dids(1), id(place), did(&place.to_string(), &json!({})));
                match store.commit(vec![bought, replace(balances, before, money(left))]).await {
                    Ok(_) => break,
                    Err(StoreError::Conflict) => conflicts += 1,
                    Err(error) => panic!("{error}"),
                }
                assert!(conflicts < 10_000, "every conflict means that another one paid");
            }
            paid += 1;
        }
        paid
    };
    let paid: u32 = futures_util::future::join_all((0..6).map(pay)).await.into_iter().sum();
    assert_eq!(paid, 28, "as many as the balance pays for");
    assert_eq!(cents(&found(store, balances, id(1)).await), 1_000 - 28 * 35);
    assert_eq!(store.list(everything(dids(1))).await.unwrap().total, 28);
}

/// Everything of account 1 that the store's interface returns.
pub(super) async fn dump(store: &impl Store) -> Vec<String> {
    let mut lines = Vec::new();
    for scope in [trunks(1), dids(1)] {
        for order in [vec![], vec![Order { attribute: "name", descending: false }]] {
            if !order.is_empty() && scope.spec.name == "dids" {
                continue;
            }
            let listing = store.list(ListQuery { order, ..everything(scope) }).await.unwrap();
            for record in &listing.records {
                let members = store.members(scope, vec![record.number], "dids", 1_000).await.unwrap();
                lines.push(format!("{record:?} {members:?}"));
            }
            lines.push(listing.total.to_string());
        }
    }
    lines
}
