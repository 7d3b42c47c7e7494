//! Channels of trunks, held by one node and shared by several.

use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::future::join_all;
use trunk_store::{ChannelRequest, Channels, HeldChannels, Store, StoreError};

use super::nodes::{at, node};
use crate::support::records::id;

/// The request of a node for a trunk.
fn request(trunk: u128, calls: u32, more: u32, limit: u32) -> ChannelRequest {
    ChannelRequest { trunk: id(trunk), calls, more, limit }
}

/// Asks for channels of one trunk.
async fn hold(store: &impl Channels, request: ChannelRequest) -> Result<(u32, u32), StoreError> {
    let held = store.hold_channels(vec![request]).await?;
    Ok(held.first().map(|held| (held.held, held.others)).unwrap())
}

pub(super) async fn one_node_holds_as_many_channels_as_the_limit_and_its_calls_have(store: &impl Channels) {
    assert_eq!(store.hold_channels(Vec::new()).await.unwrap(), []);
    let several = vec![request(2, 0, 3, 2), request(1, 0, 1, 0), request(3, 5, 1, 4)];
    let held = [2, 0, 5].map(|held| HeldChannels { held, others: 0 });
    assert_eq!(store.hold_channels(several.clone()).await.unwrap(), held);
    assert_eq!(store.hold_channels(several).await.unwrap(), held, "it may be repeated");
    assert_eq!(hold(store, request(2, 2, 1, 2)).await, Ok((2, 0)));
    assert_eq!(hold(store, request(2, 1, 1, 2)).await, Ok((2, 0)), "a call has ended");
}

/// Three nodes of one database, of which the last one dies.
#[cfg_attr(not(feature = "postgres"), expect(dead_code, reason = "no other engine has several nodes"))]
pub(super) async fn nodes_share_the_channels_of_a_trunk(
    one: &impl Store,
    other: &impl Store,
    dies: &impl Store,
) {
    for beat in [one.heartbeat(at(1_000)), other.heartbeat(at(1_000)), dies.heartbeat(at(1_000))] {
        beat.await.unwrap();
    }
    assert_eq!(hold(one, request(1, 0, 1, 3)).await, Ok((1, 0)));
    assert_eq!(hold(dies, request(1, 0, 1, 3)).await, Ok((1, 1)));
    assert_eq!(hold(other, request(1, 0, 2, 3)).await, Ok((1, 2)), "one is left");
    assert_eq!(hold(one, request(1, 1, 1, 3)).await, Ok((1, 2)), "none is left");
    assert_eq!(hold(one, request(2, 0, 1, 1)).await, Ok((1, 0)), "another trunk has its own");
    assert_eq!(hold(one, request(1, 0, 0, 3)).await.unwrap().0, 0, "its call has ended");
    assert_eq!(hold(other, request(1, 1, 1, 3)).await, Ok((2, 1)), "what one gave back the other takes");
    assert_eq!(hold(other, request(1, 2, 1, 3)).await, Ok((2, 1)));

    let dead = node(one, dies.node()).await.unwrap();
    one.take_over_calls(dead).await.unwrap();
    assert_eq!(hold(dies, request(1, 1, 1, 3)).await, Err(StoreError::Conflict), "it was found dead");
    assert_eq!(hold(other, request(1, 2, 1, 3)).await, Ok((3, 0)), "a dead node holds nothing");
    assert_eq!(one.remove_node(dies.node()).await, Ok(true));
    assert_eq!(hold(other, request(1, 3, 1, 3)).await, Ok((3, 0)));
    assert_eq!(hold(other, request(1, 3, 1, 2)).await, Ok((3, 0)), "a lower limit ends no call");

    assert_eq!(one.remove_node(one.node()).await, Ok(true));
    assert_eq!(hold(one, request(1, 0, 1, 9)).await, Ok((1, 3)), "it asked before it left");
    assert_eq!(hold(other, request(1, 3, 1, 4)).await, Ok((4, 0)), "a node that left holds nothing");
}

/// Nodes with concurrent requests never hold more than the limit in total, and in the end exactly the limit.
#[cfg_attr(not(feature = "postgres"), expect(dead_code, reason = "no other engine has several nodes"))]
pub(super) async fn nodes_that_ask_at_once_receive_the_limit_and_no_more(nodes: [&impl Store; 3]) {
    const LIMIT: u32 = 7;
    for node in nodes {
        node.heartbeat(at(1_000)).await.unwrap();
    }
    let calls = join_all(nodes.map(|node| async move {
        let (mut calls, mut refused) = (0, 0);
        while refused < 3 {
            let (held, others) = hold(node, request(1, calls, 1, LIMIT)).await.unwrap();
            assert!(held + others <= LIMIT, "{held} and {others}");
            refused += u32::from(held == calls);
            calls = held;
        }
        calls
    }))
    .await;
    assert_eq!(calls.iter().sum::<u32>(), LIMIT, "{calls:?}");
}

/// What says nothing is deleted, and what a node holds is not.
#[cfg_attr(not(feature = "postgres"), expect(dead_code, reason = "no other engine has several nodes"))]
pub(super) async fn channels_that_no_node_holds_are_forgotten(
    one: &impl Store,
    other: &impl Store,
    rows: impl Fn() -> String,
) {
    for beat in [one.heartbeat(at(1_000)), other.heartbeat(at(1_000))] {
        beat.await.unwrap();
    }
    for trunk in 1..=3 {
        assert_eq!(hold(one, request(trunk, 0, 1, 1)).await, Ok((1, 0)));
    }
    assert_eq!(one.forget_channels(10).await, Ok(0), "a node holds them all");
    assert_eq!(hold(one, request(1, 0, 0, 1)).await, Ok((0, 0)), "a call has ended");
    assert_eq!(hold(one, request(2, 0, 0, 1)).await, Ok((0, 0)), "and another one");
    assert_eq!(rows(), "3|3");
    assert_eq!(other.forget_channels(1).await, Ok(2), "one of each kind");
    assert_eq!(rows(), "2|2");
    assert_eq!(other.forget_channels(10).await, Ok(2));
    assert_eq!((rows().as_str(), other.forget_channels(10).await), ("1|1", Ok(0)));
    assert_eq!(hold(other, request(3, 0, 1, 1)).await, Ok((0, 1)), "what a node holds counts");
    assert_eq!(hold(other, request(1, 0, 1, 1)).await, Ok((1, 0)), "the row is made again");
    assert_eq!(hold(one, request(1, 0, 1, 1)).await, Ok((0, 1)));
}

/// What a node wrote after it had left is deleted, also if it holds channels.
#[cfg_attr(not(feature = "postgres"), expect(dead_code, reason = "no other engine has several nodes"))]
pub(super) async fn channels_of_a_node_that_left_are_forgotten(
    leaves: &impl Store,
    other: &impl Store,
    rows: impl Fn() -> String,
) {
    for beat in [leaves.heartbeat(at(1_000)), other.heartbeat(at(1_000))] {
        beat.await.unwrap();
    }
    assert_eq!(hold(other, request(1, 0, 1, 1)).await, Ok((1, 0)));
    assert_eq!(leaves.remove_node(leaves.node()).await, Ok(true));
    assert_eq!(hold(leaves, request(2, 0, 1, 1)).await, Ok((1, 0)), "it asked before it left");
    assert_eq!(rows(), "2|2");
    assert_eq!(other.forget_channels(10).await, Ok(2));
    assert_eq!((rows().as_str(), other.forget_channels(10).await), ("1|1", Ok(0)));
}

/// Nodes take and return the one channel of a trunk while what says nothing is deleted all the time: it never is two
/// calls'.
#[cfg_attr(not(feature = "postgres"), expect(dead_code, reason = "no other engine has several nodes"))]
pub(super) async fn no_channel_is_taken_twice_while_rows_are_forgotten<S: Store>(
    nodes: [&S; 3],
    forgets: &S,
) {
    const ROUNDS: u32 = 60;
    for node in nodes.into_iter().chain([forgets]) {
        node.heartbeat(at(1_000)).await.unwrap();
    }
    let (held, taken) = (AtomicU32::new(0), AtomicU32::new(0));
    let calls = join_all(nodes.map(|node| {
        let (held, taken) = (&held, &taken);
        async move {
            for _ in 0..ROUNDS {
                if hold(node, request(1, 0, 1, 1)).await.unwrap().0 == 1 {
                    assert_eq!(held.fetch_add(1, Ordering::SeqCst), 0, "two nodes have the channel");
                    taken.fetch_add(1, Ordering::SeqCst);
                    tokio::task::yield_now().await;
                    held.fetch_sub(1, Ordering::SeqCst);
                }
                hold(node, request(1, 0, 0, 1)).await.unwrap();
            }
        }
    }));
    let mut forgotten = 0;
    tokio::pin!(calls);
    loop {
        tokio::select! {
            _ = &mut calls => break,
            rows = forgets.forget_channels(10) => forgotten += rows.unwrap(),
        }
    }
    println!("{} calls, {forgotten} rows forgotten", taken.load(Ordering::SeqCst));
    assert!(taken.load(Ordering::SeqCst) > 0 && forgotten > 0);
}

/// The first node that asks makes a secret.
#[cfg_attr(not(feature = "postgres"), expect(dead_code, reason = "no other engine has several nodes"))]
pub(super) async fn nodes_share_a_secret(one: &impl Store, other: &impl Store) {
    assert_eq!(one.shared_secret("one", [1; 32]).await, Ok([1; 32]));
    assert_eq!(other.shared_secret("one", [2; 32]).await, Ok([1; 32]));
    assert_eq!(other.shared_secret("other", [3; 32]).await, Ok([3; 32]));
}
