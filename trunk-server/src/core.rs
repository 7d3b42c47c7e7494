//! What the rooms of a running server share: where things are kept, the time, ids, and word of events to send.
//!
//! It knows no room. Each holds its own state beside this; the server alone knows them all.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

use crate::clock::Clock;
use crate::descriptors::Descriptors;
use crate::guessing::{GuessLimits, Guesses};
use crate::ids::Ids;
use crate::store::Store;

/// The shared parts of a running server.
#[derive(Debug)]
pub(crate) struct Core {
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
    #[cfg(feature = "sip")]
    pub own: crate::net::OwnSockets,
    /// Whether new work is taken.
    ready: AtomicBool,
}

impl Core {
    pub(crate) fn new(
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
            #[cfg(feature = "sip")]
            own: crate::net::OwnSockets::default(),
            ready: AtomicBool::new(true),
        }
    }

    /// Whether new work is taken.
    pub(crate) fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed)
    }

    /// Declares that the server is about to stop.
    pub(crate) fn stop_taking_work(&self) {
        self.ready.store(false, Ordering::Relaxed);
    }
}

/// The writers' side of the events that are stored to be sent.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    news: Notify,
    /// Whether an event is written when a trunk is blocked or unblocked by hand. DIDWW documents the threshold alone.
    pub on_manual_block: bool,
}

impl Outbox {
    pub(crate) fn new(on_manual_block: bool) -> Self {
        Self { news: Notify::new(), on_manual_block }
    }

    /// Declares that a write with events is durable. Without it they wait for the next occasion.
    pub(crate) fn wake(&self) {
        self.news.notify_one();
    }

    /// Returns after [`wake`](Self::wake), also when that was called before.
    pub(crate) async fn woken(&self) {
        self.news.notified().await;
    }
}
