//! What every part of a running server shares.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::callbacks::{self, Callbacks};
use crate::clock::Clock;
use crate::descriptors::Descriptors;
use crate::guessing::Guesses;
use crate::http::{InTurn, RateLimits};
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
    /// What callback URLs are told.
    pub callbacks: Callbacks,
    /// The edge, once it runs. It holds this, and is held by the server alone: both go when that is dropped.
    #[cfg(feature = "sip")]
    pub edge: std::sync::OnceLock<std::sync::Weak<crate::edge::Inner>>,
    /// The communication platform's side.
    #[cfg(feature = "voipbin")]
    pub platform: crate::voipbin::Platform,
    /// The sockets that this server listens on.
    #[cfg(feature = "sip")]
    pub own: crate::net::OwnSockets,
    /// How many requests each key may still make.
    pub rates: RateLimits,
    /// Whose writes are under way.
    pub writes: InTurn,
    /// Whose lists are in the making.
    pub lists: InTurn,
    /// Wrong API keys and tokens.
    pub guesses: Guesses,
    /// The files that may be open.
    pub descriptors: Descriptors,
    /// What links begin with, when it is not the address that the request came to.
    pub public_url: Option<String>,
    /// What a client may take.
    pub limits: Limits,
    /// Whether new work is taken.
    ready: AtomicBool,
}

impl App {
    /// Puts the parts together.
    #[cfg_attr(feature = "voipbin", expect(clippy::too_many_arguments, reason = "they are the parts"))]
    pub(crate) fn new(
        store: Arc<dyn Store>,
        clock: Clock,
        ids: Ids,
        callbacks: callbacks::Settings,
        public_url: Option<String>,
        limits: Limits,
        descriptors: Descriptors,
        #[cfg(feature = "voipbin")] platform: crate::voipbin::Platform,
    ) -> Self {
        Self {
            store,
            clock,
            ids,
            callbacks: Callbacks::new(callbacks),
            #[cfg(feature = "sip")]
            edge: std::sync::OnceLock::new(),
            #[cfg(feature = "voipbin")]
            platform,
            #[cfg(feature = "sip")]
            own: crate::net::OwnSockets::default(),
            rates: RateLimits::default(),
            writes: InTurn::writes(),
            lists: InTurn::lists(),
            guesses: Guesses::new("API keys and tokens", limits.guesses),
            descriptors,
            public_url,
            limits,
            ready: AtomicBool::new(true),
        }
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
