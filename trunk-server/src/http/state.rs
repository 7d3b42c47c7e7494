//! What the API holds beside what all rooms share.

use std::sync::Arc;

use super::in_turn::InTurn;
use super::rate_limit::RateLimits;
use crate::core::Core;
use crate::serve::Limits;

/// The API of a running server.
#[derive(Debug)]
pub(crate) struct Api {
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
    pub(crate) fn new(
        core: Arc<Core>,
        public_url: Option<String>,
        limits: Limits,
        rates: RateLimits,
    ) -> Self {
        Self { core, public_url, limits, rates, writes: InTurn::writes(), lists: InTurn::lists() }
    }
}
