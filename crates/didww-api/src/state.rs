//! State of the API that the other services of the process do not share.

use std::sync::Arc;

use http_listener::idempotency::Idempotency;
use http_listener::{FairLimiter, Limits, RateLimits};
use service_base::first_time::FirstTime;
use service_core::Core;
use token_service::TokenService;
use trunk_rules::domain::Rulebook;

use crate::jsonapi::{KeptPages, RenderedResources};
use crate::prices::services::PriceServices;

/// The state that every request handler of the API receives.
#[derive(Debug)]
pub struct Api {
    /// Store, clock, ids and the other parts that all services of the process share.
    pub core: Arc<Core>,
    /// The rules of the declared types.
    pub rules: Rulebook,
    /// Scheme and host of the links in responses; if `None`, links use the `Host` header of the request.
    pub public_url: Option<String>,
    /// Limits on the size and the duration of a request body.
    pub limits: Limits,
    /// Requests that each API key or account may still send in the current period. Requests for tokens share it.
    pub rates: Arc<RateLimits>,
    /// Requests without a credential that each address may still send to this node.
    pub anonymous: RateLimits,
    /// Checks the access tokens of requests.
    pub tokens: Arc<TokenService>,
    /// Admits a bounded number of simultaneous writes, in turn by account.
    pub writes: FairLimiter,
    /// Admits a bounded number of simultaneous reads of lists, and of records with others, in turn by account.
    pub lists: FairLimiter,
    /// Admits a bounded number of simultaneous uploads of files, in turn by account.
    pub uploads: FairLimiter,
    /// The requests with an idempotency key that are in progress.
    pub idempotency: Idempotency,
    /// The texts of the resources that were rendered last.
    pub(crate) rendered: RenderedResources,
    /// The pages that were answered last.
    pub(crate) pages: KeptPages,
    /// The API keys whose ignored version headers were logged.
    pub ignored_versions: FirstTime,
    /// The price services.
    pub prices: PriceServices,
}

impl Api {
    /// Creates the state of a server that has not served a request yet.
    pub fn new(
        core: Arc<Core>,
        public_url: Option<String>,
        limits: Limits,
        rates: Arc<RateLimits>,
        tokens: Arc<TokenService>,
    ) -> Self {
        let rules = Rulebook::DIDWW;
        Self {
            core,
            rules,
            public_url,
            limits,
            anonymous: rates.apart(),
            rates,
            tokens,
            writes: FairLimiter::writes(),
            lists: FairLimiter::lists(),
            uploads: FairLimiter::uploads(),
            idempotency: Idempotency::default(),
            rendered: RenderedResources::default(),
            pages: KeptPages::default(),
            ignored_versions: FirstTime::default(),
            prices: PriceServices::default(),
        }
    }

    /// Sets the price services. By default they have no plans.
    #[must_use]
    pub fn with_prices(self, prices: PriceServices) -> Self {
        Self { prices, ..self }
    }
}
