//! VoIPBIN's outbound side: its API, and calls that go out through carriers.
//!
//! Customers' calls leave as real INVITEs for the providers that routes, or whoever places a call, name. What becomes
//! of them is the carrier's decision: here it is followed, kept and told. Nothing here knows what a trunk is: a
//! provider may be a trunk of this server's own edge as well as anybody's SIP host.
//!
//! Compatible with VoIPBIN, not affiliated with it.

// A test reads a packet or two.
#![cfg_attr(test, allow(clippy::disallowed_methods))]

mod api;
mod caller;
mod calls;
mod customers;
mod endpoints;
mod engine;
mod entity;
mod error;
mod flows;
mod hashing;
mod health;
mod invite;
mod known;
mod live;
mod login;
mod moment;
mod outbound_configs;
mod outgoing;
mod platform;
mod provider_calls;
mod providers;
mod prune;
mod query;
mod routes;
mod run;
mod setup;
mod sip_gateway;
mod token;
mod variables;
mod webhooks;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use service_base::background::in_background;
use trunk_store::StoreError;

pub use api::router;
pub use customers::{AccessKey, Agent, Customer, CustomerStatus, PhoneNumber, WebhookMethod};
pub use customers::{
    AccessKeyOwn, AccessKeys, AgentOwn, Agents, CustomerOwn, Customers, PhoneNumbers, digest,
};
pub use endpoints::{ENDPOINTS, Endpoint, Needs};
pub use entity::{Entity, Kind, newborn};
pub use flows::Flow;
pub use flows::Flows;
pub use health::probe_all;
pub use login::hash;
pub use moment::Moment;
pub use outbound_configs::{OutboundConfigs, empty as empty_config};
pub use platform::Platform;
pub use platform::{CarrierPatience, PlatformConfig};
pub use sip_dialler::DiallerError;
pub use sip_gateway::{SipGateway, SipGatewayError};
pub use token::{Claims, DirectClaim, sign};

/// How long calls may take to hang up when the server stops.
pub const HANGING_UP: Duration = Duration::from_secs(5);

/// Why the platform did not start.
#[derive(Debug, thiserror::Error)]
pub enum PlatformError {
    /// What it keeps cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Calls cannot be placed.
    #[error(transparent)]
    Dialler(#[from] DiallerError),
}

/// Starts to place calls, with this server's own edge where hosts are mapped to it. Returns the background work, which
/// has to be polled for as long as the server runs.
///
/// # Errors
/// [`PlatformError`]; no call is placed then.
pub async fn start(
    platform: &Arc<Platform>,
    edge: Option<SocketAddr>,
) -> Result<impl Future<Output = ()> + use<>, PlatformError> {
    let left = engine::end_what_is_left(platform).await?;
    if left > 0 {
        tracing::warn!(calls = left, "calls were up when the server ended; they are over");
    }
    let config = sip_dialler::DiallerConfig {
        own: platform.core.own.clone(),
        descriptors: platform.core.descriptors.clone(),
        ..platform.config.dialler(edge)
    };
    let dialler =
        sip_dialler::Dialler::start(config, platform.core.clock.clone(), platform.core.ids.clone()).await?;
    tracing::info!(address = %dialler.address(), "calls go out from here");
    // The first and only one of this server.
    let _first = platform.dialler.set(Arc::new(dialler));
    let (watched, pruned) = (health::watch(Arc::clone(platform)), prune::run(Arc::clone(platform)));
    Ok(async move {
        tokio::join!(watched, pruned);
    })
}

/// Has what is up hang up, and places no more calls, without waiting for it; then nothing is listened on any more.
pub fn abandon(platform: &Platform) {
    platform.live.abandon();
    let Some(dialler) = platform.dialler.get().map(Arc::clone) else { return };
    let (over, gone) = (platform.live.over(HANGING_UP), Arc::clone(&dialler));
    let ending = async move {
        over.await;
        gone.abandon();
    };
    in_background(ending, || dialler.abandon());
}

/// Hangs up what is up, and places no more calls.
pub async fn stop(platform: &Platform) {
    platform.live.stop(HANGING_UP).await;
    if let Some(dialler) = platform.dialler.get() {
        dialler.stop().await;
    }
}
