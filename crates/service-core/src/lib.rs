//! What the rooms of a running server share: where things are kept, the time, ids, and word of events to send.
//!
//! It knows no room. Each holds its own state beside this; the server alone knows them all.

// A test reads a packet or two.
#![cfg_attr(test, allow(clippy::disallowed_methods))]

pub mod keep;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

use service_base::clock::Clock;
use service_base::descriptors::Descriptors;
use service_base::guessing::{GuessLimits, Guesses};
use service_base::ids::Ids;
use trunk_store::Store;

/// The shared parts of a running server.
#[derive(Debug)]
pub struct Core {
    /// Accounts, records and documents.
    pub store: Arc<dyn Store>,
    /// The time.
    pub clock: Clock,
    /// Ids, keys and credentials.
    pub ids: Ids,
    /// Events that wait to be sent.
    pub outbox: Outbox,
    /// Wrong API keys and tokens, counted together: a source has one share of guesses, whichever API it asks.
    pub guesses: Guesses,
    /// The files that may be open.
    pub descriptors: Descriptors,
    /// The sockets that this server listens on.
    pub own: service_base::net::OwnSockets,
    /// Whether new work is taken.
    ready: AtomicBool,
}

impl Core {
    /// A core that takes new work, with no sockets of its own yet.
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
            guesses: Guesses::new("API keys and tokens", guesses),
            descriptors,
            own: service_base::net::OwnSockets::default(),
            ready: AtomicBool::new(true),
        }
    }

    /// Whether new work is taken.
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed)
    }

    /// Declares that the server is about to stop.
    pub fn stop_taking_work(&self) {
        self.ready.store(false, Ordering::Relaxed);
    }
}

/// The writers' side of the events that are stored to be sent.
#[derive(Debug, Default)]
pub struct Outbox {
    news: Notify,
    /// Whether an event is written when a trunk is blocked or unblocked by hand. DIDWW documents the threshold alone.
    pub on_manual_block: bool,
}

impl Outbox {
    /// An outbox that nothing woke yet.
    pub fn new(on_manual_block: bool) -> Self {
        Self { news: Notify::new(), on_manual_block }
    }

    /// Declares that a write with events is durable. Without it they wait for the next occasion.
    pub fn wake(&self) {
        self.news.notify_one();
    }

    /// Returns after [`wake`](Self::wake), also when that was called before.
    pub async fn woken(&self) {
        self.news.notified().await;
    }
}
