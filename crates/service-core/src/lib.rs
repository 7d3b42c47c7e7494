//! The parts that the components of a running server share: the store, the clock, ids, the outbox of
//! events, and the jobs that are due later.
//!
//! The components are the APIs, the carrier edge, the outbound platform, the callbacks and the control API.
//! This crate depends on none of them. Each has its own state and holds a reference to [`Core`].

// Tests read single packets directly.
#![cfg_attr(test, allow(clippy::disallowed_methods))]

pub mod audit;
pub mod audit_log;
pub mod channels;
pub mod cleanup;
pub mod counts;
pub mod expiry;
pub mod exports;
pub mod files;
mod full_history;
pub mod inbound_records;
pub mod interrupted;
pub mod jobs;
pub mod kept;
pub mod nodes;
pub mod price_plans;
pub mod reference;
pub mod retention;
mod retry;
mod status_callbacks;
pub mod stock_search;
mod transaction;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use service_base::clock::Clock;
use service_base::descriptors::Descriptors;
use service_base::guessing::{GuessLimiter, GuessLimits};
use service_base::ids::Ids;
use service_base::net::OwnSockets;
use tokio::sync::{Notify, watch};
use trunk_store::{Change, Record, Store, StoreError};

use audit::Audit;
use counts::Counts;
use price_plans::PricePlans;
use stock_search::StockSearch;

pub use retry::{AttemptError, Retries};
pub use transaction::Decided;

/// The state that all components of a running server share.
#[derive(Debug)]
pub struct Core {
    /// The database: accounts, resources, records of calls, and events to send.
    pub store: Arc<dyn Store>,
    /// The server's time, which the control API can freeze and advance.
    pub clock: Clock,
    /// The generator of ids, keys and credentials.
    pub ids: Ids,
    /// Notifies the sender of callbacks about stored events.
    pub outbox: Outbox,
    /// Failed authentications with API keys and tokens. All APIs share it, so a client cannot multiply its
    /// guesses.
    pub guesses: GuessLimiter,
    /// The budget of file descriptors.
    pub descriptors: Descriptors,
    /// The sockets of this process that peers can reach, to which no media is sent.
    pub own: OwnSockets,
    /// Counters of the work of the server's tasks.
    pub counts: Counts,
    /// The audit: which records were changed, by whom and when.
    pub audit: Audit,
    /// The rates of outbound calls that single accounts have. None are known until they are [begun](PricePlans::begin).
    pub price_plans: PricePlans,
    /// The search for records in stock.
    pub stock: StockSearch,
    /// False as soon as the server is stopping.
    ready: AtomicBool,
    /// True once the server is stopping, for tasks that wait for that.
    stopping: watch::Sender<bool>,
    /// True once another node has taken over the calls of this one.
    retired: watch::Sender<bool>,
    /// Number of live nodes of the database, this one included, as last known.
    live_nodes: AtomicU32,
}

impl Core {
    /// Creates the shared state of a server that is ready and has registered no sockets yet.
    pub fn new(
        store: Arc<dyn Store>,
        clock: Clock,
        ids: Ids,
        outbox: Outbox,
        descriptors: Descriptors,
        guesses: GuessLimits,
    ) -> Self {
        Self {
            store,
            clock,
            ids,
            outbox,
            guesses: GuessLimiter::new("API keys and tokens", guesses),
            descriptors,
            own: OwnSockets::default(),
            counts: Counts::default(),
            audit: Audit::default(),
            price_plans: PricePlans::default(),
            stock: StockSearch::default(),
            ready: AtomicBool::new(true),
            stopping: watch::Sender::new(false),
            retired: watch::Sender::new(false),
            live_nodes: AtomicU32::new(1),
        }
    }

    /// Commits changes to the store, with the callbacks about the statuses that they change and their entry in the
    /// audit, and wakes the sender of callbacks if there are events. Returns the record of each inserted and replaced
    /// record, in the order of the changes.
    ///
    /// If an account has filled its history, requests cannot make further changes, but jobs can: their changes then
    /// have no entry in the history.
    ///
    /// # Errors
    /// Those of [`Writes::commit`](trunk_store::Writes::commit).
    pub async fn commit(&self, changes: Vec<Change>) -> Result<Vec<Record>, StoreError> {
        let rest = if audit::is_job() { full_history::without_kept(&changes) } else { None };
        let done = self.write(changes).await;
        match rest {
            Some(rest) if done.as_ref().is_err_and(full_history::is_full) => {
                tracing::warn!(
                    "an account has too many entries in its history; a job continues without further ones"
                );
                self.write(rest).await
            }
            _ => done,
        }
    }

    async fn write(&self, mut changes: Vec<Change>) -> Result<Vec<Record>, StoreError> {
        let now = self.clock.now();
        let events = status_callbacks::events(&changes, now);
        changes.extend(events);
        if self.audit.is_enabled() {
            let entry = self.audit.entry(&changes, now, &self.ids, self.store.node())?;
            changes.extend(entry);
        }
        let has_events = changes.iter().any(|change| matches!(change, Change::Emit(_)));
        let records = self.store.commit(changes).await?;
        if has_events {
            self.outbox.wake();
        }
        Ok(records)
    }

    /// Returns whether the server accepts new work. `/readyz` reports it.
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed)
    }

    /// Marks the server as stopping. From then on it is not ready.
    pub fn stop_taking_work(&self) {
        self.ready.store(false, Ordering::Relaxed);
        self.stopping.send_replace(true);
    }

    /// Waits until the server is stopping.
    pub async fn stopping(&self) {
        let mut stopping = self.stopping.subscribe();
        // The sender lives as long as this.
        let _stopping = stopping.wait_for(|is_stopping| *is_stopping).await;
    }

    /// Returns the number of live nodes of the database, this one included. It is at most a few seconds old, but the
    /// last known one while the database cannot be read.
    pub fn live_nodes(&self) -> u32 {
        self.live_nodes.load(Ordering::Relaxed)
    }

    /// Marks this node as one that another node took for dead. It is then not ready, and runs no calls.
    fn retire(&self) {
        self.stop_taking_work();
        self.retired.send_replace(true);
    }

    /// Returns whether another node took this one for dead: its process must be started again, as another node.
    pub fn is_retired(&self) -> bool {
        *self.retired.borrow()
    }

    /// Waits until another node takes this one for dead.
    pub async fn retired(&self) {
        let mut retired = self.retired.subscribe();
        // The sender lives as long as this.
        let _retired = retired.wait_for(|is_retired| *is_retired).await;
    }
}

/// The signal from components that store events to the task that sends them.
#[derive(Debug, Default)]
pub struct Outbox {
    stored: Notify,
    /// Whether manually blocking or unblocking a trunk also creates an event.
    pub on_manual_block: bool,
}

impl Outbox {
    /// Creates an outbox without a pending signal.
    pub fn new(on_manual_block: bool) -> Self {
        Self { stored: Notify::new(), on_manual_block }
    }

    /// Signals that a transaction with events was committed. Without the signal, the events are found when
    /// the sender next reads the store.
    pub fn wake(&self) {
        self.stored.notify_one();
    }

    /// Waits for [`wake`](Self::wake). A call that came before, and was not awaited yet, ends the wait at
    /// once.
    pub async fn woken(&self) {
        self.stored.notified().await;
    }
}
