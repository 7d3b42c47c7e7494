//! Answered calls: their rows, and the records that replace them.

use std::sync::Arc;

use didww_types::Timestamp;
use trunk_store::{CallQuery, Change, RunningCall, RunningCalls, Store, StoredCall};

use crate::support::records::{commit, id};

fn at(millis: i64) -> Timestamp {
    Timestamp::from_unix_millis(millis)
}

fn running(number: u128, acknowledged: bool) -> RunningCall {
    RunningCall {
        id: id(number),
        account: 1,
        trunk: id(9),
        answered_at: at(1_000),
        acknowledged,
        attributes: "{}".to_owned(),
    }
}

fn record(number: u128, price: &str) -> Change {
    Change::Call(Arc::new(StoredCall {
        id: id(number),
        account: 1,
        trunk: id(9),
        ended_at: at(5_000),
        cause: 200,
        code: 200,
        source: "1".to_owned(),
        destination: "2".to_owned(),
        price: price.to_owned(),
        attributes: "{}".to_owned(),
    }))
}

fn answered(number: u128, acknowledged: bool) -> Change {
    Change::Answered(Arc::new(running(number, acknowledged)))
}

pub(super) async fn a_call_that_was_answered_is_kept_until_its_record_takes_its_place(store: &dyn Store) {
    assert_eq!(store.running_calls().await.unwrap(), RunningCalls::default());
    commit(store, vec![answered(1, false), answered(2, true), answered(3, false)]).await;
    commit(store, vec![Change::Acknowledged(id(1)), Change::Acknowledged(id(7)), Change::Step(at(2_000))])
        .await;
    commit(store, vec![answered(2, false), Change::Step(at(3_000))]).await;
    let kept = store.running_calls().await.unwrap();
    assert_eq!(kept.calls, [running(1, true), running(2, true), running(3, false)]);
    assert_eq!(kept.step, Some(at(3_000)));
    commit(store, vec![record(1, "0.5")]).await;
    assert_eq!(store.running_calls().await.unwrap().calls, [running(2, true), running(3, false)]);
    assert_eq!(store.charges_since(at(0)).await.unwrap().len(), 1);
}

pub(super) async fn a_second_record_or_a_late_running_call_is_ignored(store: &dyn Store) {
    commit(store, vec![record(1, "0.5")]).await;
    commit(store, vec![answered(1, true), record(1, "0.7")]).await;
    assert_eq!(store.running_calls().await.unwrap().calls, []);
    let query = CallQuery { limit: 10, ..CallQuery::default() };
    let prices: Vec<String> = store.calls(query).await.unwrap().into_iter().map(|call| call.price).collect();
    assert_eq!(prices, ["0.5"]);
}

pub(super) async fn a_reset_deletes_the_running_calls_of_its_account(store: &dyn Store) {
    commit(store, vec![answered(1, true)]).await;
    store.reset(Some(2), false).await.unwrap();
    assert_eq!(store.running_calls().await.unwrap().calls.len(), 1);
    store.reset(Some(1), false).await.unwrap();
    assert_eq!(store.running_calls().await.unwrap().calls.len(), 0);
}
