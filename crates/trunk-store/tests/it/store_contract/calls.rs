//! Answered calls: their rows, and the records that replace them; queries of records, and how old ones are deleted.

use std::sync::Arc;

use didww_types::Timestamp;
use futures_util::future::{join, join_all};
use trunk_store::{CallQuery, Calls, Change, RunningCall, RunningCalls, StoredCall, Writes};

use crate::support::records::{commit, id};

fn at(millis: i64) -> Timestamp {
    Timestamp::from_unix_millis(millis)
}

pub(super) fn running(number: u128, acknowledged: bool) -> RunningCall {
    RunningCall {
        id: id(number),
        account: 1,
        trunk: id(9),
        answered_at: at(1_000),
        acknowledged,
        attributes: "{}".to_owned(),
    }
}

pub(super) fn record(number: u128, price: &str) -> Change {
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
        call_id: None,
        attributes: "{}".to_owned(),
    }))
}

pub(super) fn answered(number: u128, acknowledged: bool) -> Change {
    Change::Answered(Arc::new(running(number, acknowledged)))
}

pub(super) async fn a_call_that_was_answered_is_kept_until_its_record_takes_its_place(
    store: &(impl Calls + Writes),
) {
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

pub(super) async fn a_second_record_or_a_late_running_call_is_ignored(store: &(impl Calls + Writes)) {
    commit(store, vec![record(1, "0.5")]).await;
    commit(store, vec![answered(1, true), record(1, "0.7")]).await;
    assert_eq!(store.running_calls().await.unwrap().calls, []);
    let query = CallQuery { limit: 10, ..CallQuery::default() };
    let prices: Vec<String> = store.calls(query).await.unwrap().into_iter().map(|call| call.price).collect();
    assert_eq!(prices, ["0.5"]);
}

pub(super) async fn a_reset_deletes_the_running_calls_of_its_account(store: &(impl Calls + Writes)) {
    commit(store, vec![answered(1, true)]).await;
    store.reset(Some(2), false).await.unwrap();
    assert_eq!(store.running_calls().await.unwrap().calls.len(), 1);
    store.reset(Some(1), false).await.unwrap();
    assert_eq!(store.running_calls().await.unwrap().calls.len(), 0);
}

/// The record of a call that ended at `ended` milliseconds, on the trunk of its account.
fn ended(number: u128, account: i64, ended: i64, source: &str) -> Change {
    Change::Call(Arc::new(StoredCall {
        id: id(number),
        account,
        trunk: id(account.unsigned_abs().into()),
        ended_at: at(ended),
        cause: if source == "111" { 200 } else { 486 },
        code: 200,
        source: source.to_owned(),
        destination: "999".to_owned(),
        price: if account == 1 { "0.25".to_owned() } else { "0".to_owned() },
        call_id: Some(format!("call {number}")),
        attributes: format!(
            "{{\"number\":{number},\"source_ip\":\"192.0.2.{account}\",\"check\":{}}}",
            if source == "111" { "null" } else { "\"cli\"" }
        ),
    }))
}

pub(super) async fn every_filter_of_call_records_finds_what_it_should(store: &(impl Calls + Writes)) {
    let calls = [
        ended(1, 1, 1_000, "111"),
        ended(2, 2, 2_000, "111"),
        ended(3, 1, 3_000, "222"),
        ended(4, 2, 4_000, "222"),
    ];
    for call in calls {
        commit(store, vec![call]).await;
    }
    let numbers = async |query: CallQuery| {
        let found = store.calls(query).await.unwrap();
        found.iter().map(|call| call.id.as_u128()).collect::<Vec<_>>()
    };
    let all = CallQuery { limit: 10, ..CallQuery::default() };
    assert_eq!(numbers(all.clone()).await, [4, 3, 2, 1], "the newest first");
    assert_eq!(numbers(CallQuery { limit: 2, ..all.clone() }).await, [4, 3]);
    assert_eq!(numbers(CallQuery { account: Some(1), ..all.clone() }).await, [3, 1]);
    assert_eq!(numbers(CallQuery { trunk: Some(id(2)), ..all.clone() }).await, [4, 2]);
    assert_eq!(numbers(CallQuery { cause: Some(200), ..all.clone() }).await, [2, 1]);
    assert_eq!(numbers(CallQuery { number: Some("22".to_owned()), ..all.clone() }).await, [4, 3]);
    assert_eq!(numbers(CallQuery { number: Some("99".to_owned()), ..all.clone() }).await, [4, 3, 2, 1]);
    let call_id = Some("call 3".to_owned());
    assert_eq!(numbers(CallQuery { call_id, ..all.clone() }).await, [3]);
    let source_ip = Some("192.0.2.2".parse().unwrap());
    assert_eq!(numbers(CallQuery { source_ip, ..all.clone() }).await, [4, 2]);
    assert_eq!(numbers(CallQuery { check: Some("cli".to_owned()), ..all.clone() }).await, [4, 3]);
    let between = CallQuery { from: Some(at(2_000)), to: Some(at(4_000)), ..all.clone() };
    assert_eq!(numbers(between).await, [3, 2], "the end is exclusive");
    let behind = async |query: CallQuery, number: i64| {
        let found = store.calls_after(query, number).await.unwrap();
        found.into_iter().map(|(number, call)| (number, call.id.as_u128())).collect::<Vec<_>>()
    };
    let first = behind(CallQuery { limit: 3, ..all.clone() }, i64::MIN).await;
    assert_eq!(first.iter().map(|(_, id)| *id).collect::<Vec<_>>(), [1, 2, 3], "the lowest number first");
    let next = behind(CallQuery { account: Some(2), ..all.clone() }, first[1].0).await;
    assert_eq!(next.iter().map(|(_, id)| *id).collect::<Vec<_>>(), [4]);
    assert_eq!(numbers(CallQuery { account: Some(1), cause: Some(486), ..all }).await, [3]);
}

pub(super) async fn charges_are_those_of_calls_that_cost_something(store: &(impl Calls + Writes)) {
    commit(store, vec![ended(1, 1, 1_000, "111"), ended(2, 2, 2_000, "111"), ended(3, 1, 3_000, "222")])
        .await;
    let charges = async |from| store.charges_since(at(from)).await.unwrap();
    assert_eq!(charges(0).await.len(), 2, "a free call is no charge");
    let [last] = &charges(1_001).await[..] else { panic!("one call ended since") };
    assert_eq!((last.account, last.trunk, last.ended_at, last.price.as_str()), (1, id(1), at(3_000), "0.25"));
    assert_eq!(charges(3_001).await, []);
}

pub(super) async fn old_records_of_calls_are_deleted_a_few_at_a_time(store: &(impl Calls + Writes)) {
    for number in 1..=5 {
        commit(store, vec![ended(number, 1, 1_000 * i64::try_from(number).unwrap(), "111")]).await;
    }
    assert_eq!(store.forget_calls(at(4_000), 2).await, Ok(2));
    assert_eq!(store.forget_calls(at(4_000), 2).await, Ok(1));
    assert_eq!(store.forget_calls(at(4_000), 2).await, Ok(0));
    let left = store.calls(CallQuery { limit: 10, ..CallQuery::default() }).await.unwrap();
    assert_eq!(left.iter().map(|call| call.id).collect::<Vec<_>>(), [id(5), id(4)]);
}

pub(super) async fn a_call_is_charged_once_however_its_writes_meet(store: &(impl Calls + Writes)) {
    let writes = (1..=40).map(|number| {
        let late = store.commit(vec![answered(number, true)]);
        let records = store.commit(vec![record(number, "0.5")]);
        join(join(late, records), store.commit(vec![record(number, "0.5"), Change::Acknowledged(id(number))]))
    });
    for ((late, one), other) in join_all(writes).await {
        late.and(one).and(other).unwrap();
    }
    assert_eq!(store.running_calls().await.unwrap().calls, [], "a call with a record is not running");
    assert_eq!(store.charges_since(at(0)).await.unwrap().len(), 40);
    let query = CallQuery { limit: 99, ..CallQuery::default() };
    assert_eq!(store.calls(query).await.unwrap().len(), 40);
}

pub(super) async fn a_step_outlives_the_calls_that_it_was_written_for(store: &(impl Calls + Writes)) {
    commit(store, vec![answered(1, true)]).await;
    commit(store, vec![Change::Step(at(2_000))]).await;
    commit(store, vec![record(1, "0.5")]).await;
    let ended = RunningCalls { calls: Vec::new(), step: Some(at(2_000)) };
    assert_eq!(store.running_calls().await.unwrap(), ended);
    // A step from a clock that was ahead is set back.
    commit(store, vec![Change::Step(at(1_500)), answered(2, false)]).await;
    let running = RunningCalls { calls: vec![running(2, false)], step: Some(at(1_500)) };
    assert_eq!(store.running_calls().await.unwrap(), running);
}
