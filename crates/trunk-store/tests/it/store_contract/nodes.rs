//! Nodes: their heartbeats, and who settles the calls of one that is dead.

use didww_types::Timestamp;
use trunk_store::{Change, Node, RunningCalls, Store, StoreError};

use super::calls::{answered, record, running};
use crate::support::records::commit;

pub(super) fn at(millis: i64) -> Timestamp {
    Timestamp::from_unix_millis(millis)
}

/// The node of a database with a number.
pub(super) async fn node(store: &impl Store, number: i64) -> Option<Node> {
    store.nodes().await.unwrap().into_iter().find(|node| node.number == number)
}

pub(super) async fn a_node_is_listed_while_it_beats_or_has_calls(store: &impl Store) {
    let own = store.node();
    assert_eq!(node(store, own).await, None);
    commit(store, vec![answered(1, true)]).await;
    assert_eq!(node(store, own).await, Some(Node { number: own, beats: 0, beat_at: None, heir: None }));
    for beats in 1..=2 {
        store.heartbeat(at(beats * 1_000)).await.unwrap();
        let beat_at = Some(at(beats * 1_000));
        assert_eq!(node(store, own).await, Some(Node { number: own, beats, beat_at, heir: None }));
    }
    assert_eq!(store.remove_node(own).await, Ok(false), "it has a call");
    commit(store, vec![record(1, "0.5")]).await;
    assert!(node(store, own).await.is_some());
    assert_eq!(store.remove_node(own + 1).await, Ok(false));
    assert_eq!(store.remove_node(own).await, Ok(true));
    assert_eq!(node(store, own).await, None);
}

pub(super) async fn a_node_that_is_not_dead_is_not_taken_over(store: &impl Store) {
    store.heartbeat(at(1_000)).await.unwrap();
    let own = node(store, store.node()).await.unwrap();
    assert_eq!(store.take_over_calls(own).await, Err(StoreError::Conflict), "it is the one that asks");
    let unknown = Node { number: own.number + 1, ..own };
    assert_eq!(store.take_over_calls(unknown).await, Err(StoreError::Conflict));
    store.heartbeat(at(2_000)).await.unwrap();
}

/// Three nodes of one database, of which the first dies with two calls.
pub(super) async fn the_calls_of_a_dead_node_are_settled_once(
    dies: &impl Store,
    heir: &impl Store,
    third: &impl Store,
) {
    for store_beats in [dies.heartbeat(at(1_000)), heir.heartbeat(at(1_000)), third.heartbeat(at(1_000))] {
        store_beats.await.unwrap();
    }
    let changes = vec![answered(1, true), answered(2, false), answered(3, true), Change::Step(at(3_000))];
    commit(dies, changes).await;
    commit(dies, vec![record(3, "0.1")]).await;
    commit(heir, vec![answered(4, true), Change::Step(at(9_000))]).await;
    let own = RunningCalls { calls: vec![running(4, true)], step: Some(at(9_000)) };
    assert_eq!(heir.running_calls().await.unwrap(), own);

    let seen = node(heir, dies.node()).await.unwrap();
    dies.heartbeat(at(2_000)).await.unwrap();
    assert_eq!(heir.take_over_calls(seen).await, Err(StoreError::Conflict), "it lives");
    let seen = node(heir, dies.node()).await.unwrap();
    let left = RunningCalls { calls: vec![running(1, true), running(2, false)], step: Some(at(3_000)) };
    assert_eq!(heir.take_over_calls(seen).await.unwrap(), left);
    assert_eq!(third.take_over_calls(seen).await, Err(StoreError::Conflict), "it has an heir");
    assert_eq!(
        dies.heartbeat(at(4_000)).await,
        Err(StoreError::Conflict),
        "it is told that it was found dead"
    );
    assert_eq!(heir.running_calls().await.unwrap(), own, "what is known of its own calls is not of those");
    assert_eq!(heir.take_over_calls(seen).await.unwrap(), left, "the heir may repeat it");
    assert_eq!(heir.remove_node(dies.node()).await, Ok(false), "its calls have no records yet");

    // The heir dies over the second record, and the third node settles what is left.
    commit(heir, vec![record(1, "0.2")]).await;
    let dead = node(third, dies.node()).await.unwrap();
    assert_eq!(dead.heir, Some(heir.node()));
    let calls = third.take_over_calls(dead).await.unwrap().calls;
    assert_eq!(calls, [running(2, false)]);
    assert_eq!(heir.take_over_calls(dead).await, Err(StoreError::Conflict));
    assert_eq!(heir.remove_node(dies.node()).await, Ok(false));
    commit(third, vec![record(2, "0.3")]).await;
    // Those who were thought dead write their records after all.
    commit(heir, vec![record(2, "0.7")]).await;
    commit(dies, vec![record(1, "0.7"), record(2, "0.7")]).await;
    let charged = third.charges_since(at(0)).await.unwrap();
    let mut prices: Vec<&str> = charged.iter().map(|charge| charge.price.as_str()).collect();
    prices.sort_unstable();
    assert_eq!(prices, ["0.1", "0.2", "0.3"], "each call is charged once");
    assert_eq!(third.remove_node(dies.node()).await, Ok(true));
    assert_eq!(node(third, dies.node()).await, None);

    // A call that the removed node answers before it learns of its end is not lost.
    commit(dies, vec![answered(5, true)]).await;
    assert_eq!(dies.heartbeat(at(5_000)).await, Err(StoreError::Conflict));
    let again = node(third, dies.node()).await.unwrap();
    assert_eq!(third.take_over_calls(again).await.unwrap().calls, [running(5, true)]);
    commit(third, vec![record(5, "0.5")]).await;
    assert_eq!(third.remove_node(dies.node()).await, Ok(true));
    assert_eq!(third.take_over_calls(again).await, Err(StoreError::Conflict), "there is no such node");
}

/// Two nodes of one database ask for the same work at the same time.
pub(super) async fn two_nodes_share_what_is_due(one: &impl Store, other: &impl Store) {
    super::jobs::jobs_are_taken_by_one_of_two(one, other).await;
    super::events::subjects_are_taken_by_one_of_two(one, other).await;
    one.reset(None, false).await.unwrap();
    super::events::two_nodes_send_each_event_once_and_in_its_order(one, other).await;
    super::records::a_number_is_taken_through_one_of_two(one, other).await;
}
