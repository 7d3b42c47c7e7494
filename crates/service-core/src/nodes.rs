//! The heartbeat of this node among those that share its database, and the takeover of dead nodes.
//!
//! A node is dead when its number of heartbeats does not change for [`DEAD_AFTER`] on the stopwatch of an observing
//! node; clocks of nodes are never compared. Every node observes all others, and the database decides which one is the
//! heir of a dead node. The heir settles the calls of the dead node and removes it; if it dies meanwhile, another one
//! continues.
//!
//! No node is found dead because the database was unavailable: a node that could not write its own heartbeat, or read
//! those of the others, starts its observation again. A live node that was found dead detects this at its next
//! heartbeat, ends its calls, and is [retired](crate::Core::is_retired).
//!
//! A database in a file has one node, and nothing here runs.

use std::collections::{HashMap, HashSet};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use didww_types::Timestamp;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use service_base::clock::Stopwatch;
use tokio::sync::Semaphore;
use trunk_store::{Calls, Node, Nodes, RunningCalls, StoreError};

use crate::Core;

/// Time between two heartbeats, and between two observations of the others.
pub const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(2);
/// The time without a heartbeat after which a node is dead. Its calls have an heir two intervals later at most.
pub const DEAD_AFTER: Duration = Duration::from_secs(10);
/// Time until a heartbeat that could not be written is tried again: a busy database must not make this node seem dead.
const RETRY_DELAY: Duration = Duration::from_millis(500);
/// The longest time of one heartbeat or observation.
const ATTEMPT_LIMIT: Duration = Duration::from_secs(4);
/// The longest time between two observations after which the earlier ones still count.
const MAX_GAP: Duration = Duration::from_secs(8);
/// Maximum number of dead nodes that are taken over or removed at once. Heartbeats use the same few connections: behind
/// all nodes that died in a series of restarts, one would wait until this node seems dead.
const MAX_TAKEOVERS: usize = 2;

/// Ends the calls of this node, and settles those of dead nodes.
pub trait CallKeeper: Send + Sync {
    /// Whether this node can settle calls. If not, it leaves dead nodes with calls to others.
    fn can_settle(&self) -> bool {
        true
    }

    /// Writes the records, charges and events of the calls of a dead node. It returns when they are written, and may be
    /// called again for calls that it has settled already.
    ///
    /// # Errors
    /// If some are not written yet.
    fn settle(&self, calls: RunningCalls) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Ends all calls of this node, because another node has written their records.
    fn end_all(&self);
}

/// The keeper of a node that runs no calls.
#[derive(Debug, Clone, Copy)]
pub struct NoCalls;

impl CallKeeper for NoCalls {
    fn can_settle(&self) -> bool {
        false
    }

    async fn settle(&self, _calls: RunningCalls) -> Result<(), StoreError> {
        Ok(())
    }

    fn end_all(&self) {}
}

/// Writes the first heartbeat of this node, so that other nodes count the calls and leases that it takes from now on.
///
/// # Errors
/// If it cannot be written.
pub async fn begin(core: &Core) -> Result<(), StoreError> {
    if !core.store.is_shared() {
        return Ok(());
    }
    core.store.heartbeat(core.clock.now()).await?;
    // It is not known yet which of them are dead.
    if let Ok(nodes) = core.store.nodes().await {
        let number = u32::try_from(nodes.len()).unwrap_or(u32::MAX);
        core.live_nodes.store(number.max(1), Ordering::Relaxed);
    }
    Ok(())
}

/// Does a part of the start that can take long, between [`begin`] and [`run`], with heartbeats meanwhile: without them
/// another node would find this one dead before it serves, and so after each further start.
pub async fn beating<T>(core: &Core, work: impl Future<Output = T>) -> T {
    if !core.store.is_shared() {
        return work.await;
    }
    beat_during(&*core.store, || core.clock.now(), work).await
}

async fn beat_during<S: Nodes + ?Sized, T>(
    store: &S,
    now: impl Fn() -> Timestamp,
    work: impl Future<Output = T>,
) -> T {
    let mut work = pin!(work);
    loop {
        if let Ok(done) = tokio::time::timeout(HEARTBEAT_INTERVAL, &mut work).await {
            return done;
        }
        let beat = tokio::time::timeout(ATTEMPT_LIMIT, store.heartbeat(now())).await;
        tracing::debug!(?beat, "the start of this node takes long");
    }
}

/// Removes this node, which stops in order. If it still has calls without a record, it remains, and others find it
/// dead.
pub async fn leave(core: &Core) {
    if core.store.is_shared() && !core.is_retired() {
        let left = tokio::time::timeout(ATTEMPT_LIMIT, core.store.remove_node(core.store.node())).await;
        tracing::debug!(?left, "this node leaves the others");
    }
}

/// Writes heartbeats and observes the others, until this node is retired.
pub async fn run(core: &Core, keeper: &impl CallKeeper) {
    if !core.store.is_shared() {
        return std::future::pending().await;
    }
    live(&*core.store, || core.clock.now(), keeper, &core.live_nodes).await;
    let node = core.store.node();
    tracing::error!(
        node,
        "another node found this one dead and settled its calls; they end here, and the server must be started again"
    );
    core.retire();
    keeper.end_all();
}

/// Returns when another node has taken over the calls of this one.
async fn live<S: Nodes + Calls + ?Sized>(
    store: &S,
    now: impl Fn() -> Timestamp,
    keeper: &impl CallKeeper,
    live_nodes: &AtomicU32,
) {
    let (is_heard, since) = (AtomicBool::new(true), Stopwatch::start());
    tokio::select! {
        () = beat(store, now, &is_heard) => {}
        () = watch(store, keeper, &is_heard, live_nodes, || since.elapsed()) => {}
    }
}

async fn beat<S: Nodes + ?Sized>(store: &S, now: impl Fn() -> Timestamp, is_heard: &AtomicBool) {
    loop {
        let beat = tokio::time::timeout(ATTEMPT_LIMIT, store.heartbeat(now())).await;
        let is_written = matches!(beat, Ok(Ok(())));
        let was_heard = is_heard.swap(is_written, Ordering::Relaxed);
        match beat {
            Ok(Err(StoreError::Conflict)) => return,
            Ok(Ok(())) => {}
            missed if was_heard => tracing::warn!(?missed, "the heartbeat of this node could not be written"),
            _ => {}
        }
        tokio::time::sleep(if is_written { HEARTBEAT_INTERVAL } else { RETRY_DELAY }).await;
    }
}

/// Observes the nodes, and settles the calls of dead ones meanwhile: however long that takes, another node that dies is
/// found in time, and its channels are free as soon as it has an heir. `now` is the time of a stopwatch.
async fn watch<S: Nodes + Calls + ?Sized>(
    store: &S,
    keeper: &impl CallKeeper,
    is_heard: &AtomicBool,
    live_nodes: &AtomicU32,
    now: impl Fn() -> Duration,
) {
    let (mut watched, turns) = (Watched::default(), Semaphore::new(MAX_TAKEOVERS));
    let (mut inherited, mut settling) = (HashSet::new(), FuturesUnordered::new());
    loop {
        let dead = find_dead(store, &mut watched, is_heard, &now).await;
        if let Some(living) = watched.living {
            live_nodes.store(living, Ordering::Relaxed);
        }
        for dead in dead {
            if inherited.insert(dead.number) {
                let turns = &turns;
                settling.push(async move {
                    inherit(store, keeper, dead, turns).await;
                    dead.number
                });
            }
        }
        let mut next = pin!(tokio::time::sleep(HEARTBEAT_INTERVAL));
        loop {
            tokio::select! {
                () = &mut next => break,
                Some(number) = settling.next() => {
                    inherited.remove(&number);
                }
            }
        }
    }
}

/// Reads the nodes, and returns those that are dead and have no live heir. `now` is the time of a stopwatch.
async fn find_dead<S: Nodes + ?Sized>(
    store: &S,
    watched: &mut Watched,
    is_heard: &AtomicBool,
    now: impl Fn() -> Duration,
) -> Vec<Node> {
    let nodes = tokio::time::timeout(ATTEMPT_LIMIT, store.nodes()).await;
    let is_read = matches!(nodes, Ok(Ok(_)));
    if !is_read || !is_heard.load(Ordering::Relaxed) {
        *watched = Watched::default();
    }
    let Ok(Ok(nodes)) = nodes else { return Vec::new() };
    watched.look(store.node(), &nodes, now())
}

/// Becomes the heir of a dead node, settles its calls and removes it, if no other node does.
async fn inherit<S: Nodes + Calls + ?Sized>(
    store: &S,
    keeper: &impl CallKeeper,
    dead: Node,
    turns: &Semaphore,
) {
    let number = dead.number;
    let turn = turns.acquire().await;
    if !keeper.can_settle() && has_calls(store, number).await {
        return;
    }
    let taken_over = store.take_over_calls(dead).await;
    drop(turn);
    let calls = match taken_over {
        Ok(calls) => calls,
        Err(StoreError::Conflict) => return,
        Err(error) => {
            return tracing::warn!(%error, number, "the calls of a dead node could not be taken over");
        }
    };
    if dead.heir != Some(store.node()) {
        tracing::warn!(number, calls = calls.calls.len(), "a node is dead; this one settles its calls");
    }
    if let Err(error) = keeper.settle(calls).await {
        return tracing::warn!(%error, number, "calls of a dead node are not settled yet");
    }
    let _turn = turns.acquire().await;
    match store.remove_node(number).await {
        Ok(true) => tracing::info!(number, "a dead node was removed"),
        // The next observation finds the remaining calls.
        Ok(false) => {}
        Err(error) => tracing::warn!(%error, number, "a dead node could not be removed"),
    }
}

/// Whether a node has calls without a record; true if the store fails.
async fn has_calls<S: Calls + ?Sized>(store: &S, node: i64) -> bool {
    let others = store.calls_of_others(None).await;
    others.map_or(true, |others| others.iter().any(|call| call.node == node))
}

/// The observed heartbeats of all nodes.
#[derive(Debug, Default)]
struct Watched {
    /// The number of heartbeats of each node, and since when it has not changed.
    beats: HashMap<i64, (i64, Duration)>,
    looked_at: Duration,
    /// Number of nodes that were not known to be dead at the last observation, at least this one.
    living: Option<u32>,
}

impl Watched {
    /// Observes the nodes at a time of a stopwatch. Returns those that are dead and have no live heir.
    fn look(&mut self, own: i64, nodes: &[Node], now: Duration) -> Vec<Node> {
        if now.saturating_sub(self.looked_at) > MAX_GAP {
            self.beats.clear();
        }
        self.looked_at = now;
        self.beats.retain(|number, _| nodes.iter().any(|node| node.number == *number));
        for node in nodes {
            let seen = self.beats.entry(node.number).or_insert((node.beats, now));
            if seen.0 != node.beats {
                *seen = (node.beats, now);
            }
        }
        let is_dead = |number: i64| {
            number != own
                && self.beats.get(&number).is_none_or(|(_, since)| now.saturating_sub(*since) >= DEAD_AFTER)
        };
        let living = nodes.iter().filter(|node| node.heir.is_none() && !is_dead(node.number)).count();
        self.living = Some(u32::try_from(living).unwrap_or(u32::MAX).max(1));
        let has_heir = |node: &Node| node.heir.is_some_and(|heir| heir != own && !is_dead(heir));
        nodes.iter().filter(|node| is_dead(node.number) && !has_heir(node)).copied().collect()
    }
}

#[cfg(test)]
mod tests;
