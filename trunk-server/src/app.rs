//! What every part of a running server shares.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::clock::Clock;
use crate::http::RateLimits;
use crate::ids::Ids;
use crate::serve::Limits;
use crate::store::Store;

/// The running server's parts. They meet here and know nothing of each other.
#[derive(Debug)]
pub(crate) struct App {
    /// Accounts and records.
    pub store: Arc<dyn Store>,
    /// The time.
    pub clock: Clock,
    /// Ids, keys and credentials.
    pub ids: Ids,
    /// How many requests each account may still make.
    pub rates: RateLimits,
    /// What links begin with, when it is not the address that the request came to.
    pub public_url: Option<String>,
    /// What a client may take.
    pub limits: Limits,
    /// Whether new work is taken.
    ready: AtomicBool,
}

impl App {
    /// Puts the parts together.
    pub(crate) fn new(
        store: Arc<dyn Store>,
        clock: Clock,
        ids: Ids,
        public_url: Option<String>,
        limits: Limits,
    ) -> Self {
        let (rates, ready) = (RateLimits::default(), AtomicBool::new(true));
        Self { store, clock, ids, rates, public_url, limits, ready }
    }

    /// Whether new work is taken.
    pub(crate) fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed)
    }

    /// Says that the server is about to stop.
    pub(crate) fn stop_taking_work(&self) {
        self.ready.store(false, Ordering::Relaxed);
    }
}
