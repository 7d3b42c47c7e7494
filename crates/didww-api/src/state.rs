//! What the API holds beside what all rooms share.

use std::sync::Arc;

use http_listener::InTurn;
use http_listener::Limits;
use http_listener::RateLimits;
use service_core::Core;

/// The API of a running server.
#[derive(Debug)]
pub struct Api {
    pub core: Arc<Core>,
    /// What links begin with, when it is not the address that the request came to.
    pub public_url: Option<String>,
    /// What a client may take.
    pub limits: Limits,
    /// How many requests each key may still make.
    pub rates: RateLimits,
    /// Whose writes are under way.
    pub writes: InTurn,
    /// Whose lists are in the making.
    pub lists: InTurn,
}

impl Api {
    pub fn new(core: Arc<Core>, public_url: Option<String>, limits: Limits, rates: RateLimits) -> Self {
        Self { core, public_url, limits, rates, writes: InTurn::writes(), lists: InTurn::lists() }
    }
}
