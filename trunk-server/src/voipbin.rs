//! VoIPBIN's outbound side: its API, and calls that go out through carriers.
//!
//! Customers' calls leave as real INVITEs for the providers that routes, or whoever places a call, name. What becomes
//! of them is the carrier's decision: here it is followed, kept and told. Nothing here knows what a trunk is: a
//! provider may be a trunk of this server's own edge as well as anybody's SIP host.
//!
//! Compatible with VoIPBIN, not affiliated with it.

mod api;
mod caller;
mod calls;
mod customers;
pub(crate) mod dialler;
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

use crate::app::App;
use crate::ending::in_background;
use crate::server::StartError;

pub(crate) use api::handle;
pub use customers::{AccessKey, Agent, Customer, CustomerStatus, PhoneNumber, WebhookMethod};
pub(crate) use customers::{
    AccessKeyOwn, AccessKeys, AgentOwn, Agents, CustomerOwn, Customers, PhoneNumbers, digest,
};
pub use dialler::DiallerError;
pub use endpoints::{ENDPOINTS, Endpoint, Needs};
pub(crate) use entity::{Entity, Kind, newborn};
pub use flows::Flow;
pub(crate) use flows::Flows;
pub(crate) use health::probe_all;
pub(crate) use login::hash;
pub(crate) use moment::Moment;
pub(crate) use outbound_configs::{OutboundConfigs, empty as empty_config};
pub(crate) use platform::Platform;
pub use platform::{CarrierPatience, PlatformConfig};
pub use sip_gateway::{SipGateway, SipGatewayError};
pub(crate) use token::{Claims, DirectClaim, sign};

/// The paths that the platform serves on the public listener.
pub(crate) const PATHS: &[&str] = &["/v1.0/{*path}", "/v1/{*path}", "/auth/login", "/ping"];

/// How long calls may take to hang up when the server stops.
pub(crate) const HANGING_UP: Duration = Duration::from_secs(5);

/// Starts to place calls. Gives what has to run as long as the server does.
pub(crate) async fn start(
    app: &Arc<App>,
    edge: Option<SocketAddr>,
) -> Result<impl Future<Output = ()> + use<>, StartError> {
    let left = engine::end_what_is_left(app).await?;
    if left > 0 {
        tracing::warn!(calls = left, "calls were up when the server ended; they are over");
    }
    if edge.is_none()
        && let Some((name, _)) = app.platform.config.hosts.iter().find(|(_, place)| *place == "edge")
    {
        let right = "no SIP is taken here, so there is no edge; give --sip-listen, or an address";
        let given = format!("{name} = edge");
        return Err(crate::config::ConfigError::Value { name: "voipbin.hosts", given, right }.into());
    }
    let config = dialler::DiallerConfig {
        own: app.own.clone(),
        descriptors: app.descriptors.clone(),
        ..app.platform.config.dialler(edge)
    };
    let dialler = dialler::Dialler::start(config, app.clock.clone(), app.ids.clone()).await?;
    tracing::info!(address = %dialler.address(), "calls go out from here");
    // The first and only one of this server.
    let _first = app.platform.dialler.set(Arc::new(dialler));
    let (watched, pruned) = (health::watch(Arc::clone(app)), prune::run(Arc::clone(app)));
    Ok(async move {
        tokio::join!(watched, pruned);
    })
}

/// Has what is up hang up, and places no more calls, without waiting for it; then nothing is listened on any more.
pub(crate) fn abandon(app: &App) {
    app.platform.live.abandon();
    let Some(dialler) = app.platform.dialler.get().map(Arc::clone) else { return };
    let (over, gone) = (app.platform.live.over(HANGING_UP), Arc::clone(&dialler));
    let ending = async move {
        over.await;
        gone.abandon();
    };
    in_background(ending, || dialler.abandon());
}

/// Hangs up what is up, and places no more calls.
pub(crate) async fn stop(app: &App) {
    app.platform.live.stop(HANGING_UP).await;
    if let Some(dialler) = app.platform.dialler.get() {
        dialler.stop().await;
    }
}
