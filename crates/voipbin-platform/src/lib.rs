//! VoIPBIN's outbound side: its API, and calls that go out through carriers.
//!
//! A call of a customer is sent as a real INVITE to the providers that the routes, or the request itself,
//! select. The carrier decides what happens to it; this crate follows the call, records it, and reports its
//! events to webhooks. It knows nothing about trunks: a provider may be a trunk of this server's own carrier
//! edge or any other SIP host.
//!
//! It accepts no calls from outside, and handles neither SIP nor media itself: `sip-dialler` does. It refuses requests
//! with VoIPBIN's statuses and reasons (`error`).
//!
//! The layers, each of which only knows those before it: `records` (what is stored), `platform` (the shared
//! state), `call_plan` and `engine` (calls), `api` (requests).
//!
//! Bounds: requests and their bodies (`api`, `login_bodies`), waiting logins (`hashing`), active calls in all and of
//! each customer (`active_calls`), cached records (`cache`), and responses of carriers' APIs (`setup`).
//!
//! Compatible with VoIPBIN, not affiliated with it.

mod active_calls;
mod api;
mod cache;
mod call_plan;
mod caller;
mod config;
mod contract;
mod directory;
mod endpoints;
mod engine;
mod entity;
mod error;
mod flow_cursor;
mod hashing;
mod health;
mod invite;
mod login_bodies;
mod open_providers;
mod other_nodes;
mod passwords;
mod platform;
mod provider_list;
mod prune;
mod query;
mod records;
mod request;
mod setup;
mod sip_analysis;
mod sip_gateway;
mod span;
mod timestamps;
mod token;
mod webhooks;

use std::net::SocketAddr;
use std::sync::{Arc, Weak};
use std::time::Duration;

use service_base::background::in_background;
use service_base::boxed::Boxed;
use service_core::jobs::JobSet;
use trunk_store::{Interest, StoreError};

pub use sip_dialler::{DiallerError, MessageLog};
pub use voipbin_types::{
    Flow, Number, NumberKind, NumberStatus, Provider, Route, SupportMetadata, Timestamp,
};

pub use crate::active_calls::ActiveCalls;
pub use crate::api::{paths, refusal, router};
pub use crate::config::{CarrierTimeouts, PlatformConfig};
pub use crate::contract::openapi;
pub use crate::directory::Directory;
pub use crate::endpoints::{ENDPOINTS, Endpoint, Needs};
pub use crate::entity::{Entity, Kind};
pub use crate::health::{probe_all, schedule as schedule_probes};
pub use crate::open_providers::{OpenProvider, open_providers};
pub use crate::passwords::hash;
pub use crate::platform::Platform;
pub use crate::provider_list::providers;
pub use crate::records::access_keys::{AccessKey, AccessKeyPrivate, AccessKeyRequest, AccessKeys};
pub use crate::records::call_tries::CallTry;
pub use crate::records::calls::{CallPrivate, Calls};
pub use crate::records::customers::{
    Agent, AgentPrivate, Agents, Customer, CustomerPrivate, CustomerStatus, Customers, WebhookMethod,
};
pub use crate::records::flows::{FlowPrivate, Flows};
pub use crate::records::numbers::PhoneNumbers;
pub use crate::records::outbound_configs::{OutboundConfigs, empty as empty_config};
pub use crate::records::providers::{ProviderPrivate, Providers, SipCredentials};
pub use crate::records::routes::Routes;
pub use crate::sip_gateway::{SipGateway, SipGatewayError};
pub use crate::timestamps::UniqueTimestamps;
pub use crate::token::{Claims, DirectClaim, sign};

/// How long active calls may take to hang up when the server stops or is reset.
pub const HANG_UP_TIMEOUT: Duration = Duration::from_secs(5);

/// Why the platform did not start.
#[derive(Debug, thiserror::Error)]
pub enum PlatformError {
    /// The store cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The dialler cannot be started, so that no call could be placed.
    #[error(transparent)]
    Dialler(#[from] DiallerError),
}

/// Starts the dialler, with this server's own edge where hosts are mapped to it. Calls that an earlier
/// process left active are ended first. The SIP messages of calls are stored in `messages`. Returns the jobs of the
/// platform, to be run for as long as the server runs.
///
/// # Errors
/// [`PlatformError`]; then no call can be placed.
pub fn start(
    platform: &Arc<Platform>,
    edge: Option<SocketAddr>,
    messages: Option<Arc<MessageLog>>,
) -> Boxed<'_, Result<JobSet, PlatformError>> {
    Box::pin(start_calling(platform, edge, messages))
}

async fn start_calling(
    platform: &Arc<Platform>,
    edge: Option<SocketAddr>,
    messages: Option<Arc<MessageLog>>,
) -> Result<JobSet, PlatformError> {
    let interrupted = engine::end_interrupted_calls(platform).await?;
    if interrupted > 0 {
        tracing::warn!(calls = interrupted, "calls were active when the server was killed; they have ended");
    }
    let config = sip_dialler::DiallerConfig {
        own: platform.core.own.clone(),
        descriptors: platform.core.descriptors.clone(),
        messages,
        ..platform.config.dialler(edge)
    };
    let dialler =
        sip_dialler::Dialler::start(config, platform.core.clock.clone(), platform.core.ids.clone()).await?;
    tracing::info!(address = %dialler.address(), "calls are sent from this address");
    if platform.core.store.is_shared() {
        let store = &platform.core.store;
        let (hang_ups, wakes) = (store.follow(Interest::AllButRecords), store.wakes());
        tokio::spawn(other_nodes::follow_hang_ups(Arc::downgrade(platform), hang_ups, wakes));
        let (followed, wakes) = (store.follow(Interest::AllButRecords), store.wakes());
        tokio::spawn(directory::follow(Arc::downgrade(platform), followed, wakes));
        tokio::spawn(end_calls_without_task(Arc::downgrade(platform)));
    }
    // A server starts its platform once.
    let _first = platform.dialler.set(Arc::new(dialler));
    Ok(health::jobs(platform).await?.and(prune::jobs(platform)))
}

/// Time between two searches for calls without a task.
const SEARCH_INTERVAL: Duration = Duration::from_secs(10);
/// The time until a search that failed is repeated.
const SEARCH_RETRY_DELAY: Duration = Duration::from_secs(1);

/// Ends the calls of nodes that died, and those whose creation was committed although it failed here, for as long as the
/// platform exists.
async fn end_calls_without_task(platform: Weak<Platform>) {
    let mut wait = SEARCH_INTERVAL;
    loop {
        tokio::time::sleep(wait).await;
        let Some(platform) = platform.upgrade() else { return };
        let ended = engine::end_interrupted_calls(&platform).await;
        wait = if ended.is_ok() { SEARCH_INTERVAL } else { SEARCH_RETRY_DELAY };
        match ended {
            Ok(0) => {}
            Ok(calls) => tracing::warn!(
                calls,
                "calls have ended whose server died, or whose creation was committed without an answer of the database"
            ),
            Err(error) => tracing::debug!(%error, "calls that no server runs could not be looked for"),
        }
    }
}

/// Makes active calls hang up and accepts no more, without waiting. The dialler's sockets are closed once the
/// calls have ended, or after [`HANG_UP_TIMEOUT`].
pub fn abandon(platform: &Platform) {
    platform.active_calls.abandon();
    let Some(dialler) = platform.dialler.get().map(Arc::clone) else { return };
    let (all_ended, ended_dialler) = (platform.active_calls.all_ended(HANG_UP_TIMEOUT), Arc::clone(&dialler));
    let ending = async move {
        all_ended.await;
        ended_dialler.abandon();
    };
    in_background(ending, || dialler.abandon());
}

/// Makes active calls hang up and accepts no more. Waits at most [`HANG_UP_TIMEOUT`] for their ends, then
/// stops the dialler.
pub fn stop(platform: &Platform) -> Boxed<'_, ()> {
    Box::pin(async move {
        platform.active_calls.stop(HANG_UP_TIMEOUT).await;
        if let Some(dialler) = platform.dialler.get() {
            dialler.stop().await;
        }
    })
}
