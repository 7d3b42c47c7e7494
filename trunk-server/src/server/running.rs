//! The tasks of a server while it starts.

use std::net::SocketAddr;
use std::sync::Arc;

use control_plane::OwnersApi;
use didww_api::{
    Api, OnBehalf, PriceService, PriceServices, api_router, api_shortcut, price_paths, price_router,
};
use http::{HeaderValue, header};
use http_listener::{
    HEALTH_PATHS, Handler, Intercept, Limits, ListenerContext, RateLimits, RequestCounts, Router,
    health_router, serve_made,
};
use lab::Lab;
use service_base::descriptors::Share;
use service_base::forwarded::Proxies;
#[cfg(feature = "sip")]
use service_base::net::{Entered, Use};
use service_base::trace;
use service_core::Core;
use service_core::jobs::{self, JobSet};
use service_core::nodes::{self, NoCalls};
use tls_identity::Identity;
use token_service::{TOKEN_PATH, TokenService, token_router};
use tokio::net::TcpListener;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tower::ServiceExt as _;

use super::error::StartError;
use super::lab_surroundings::ServerSurroundings;
use super::listeners::PriceListener;
use crate::config::Config;

/// The tasks of a server, and its own sockets, while it starts.
pub(super) struct Running {
    core: Arc<Core>,
    proxies: Proxies,
    stopped: watch::Receiver<bool>,
    pub(super) tasks: Vec<JoinHandle<()>>,
    /// The certificate of the API and of tokens.
    pub(super) identity: Option<Arc<Identity>>,
    /// Whether requests are counted, because a listener reports the counts: that of the metrics, or of the
    /// control API.
    pub(super) counts_requests: bool,
    /// The counted requests of the listeners so far.
    pub(super) counts: Vec<Arc<RequestCounts>>,
    /// The lab, which intercepts the requests to the public APIs.
    pub(super) lab: Lab,
    /// The limits of requests to the public APIs in a second.
    pub(super) rates: Arc<RateLimits>,
    #[cfg(feature = "sip")]
    pub(super) own_sockets: Vec<Entered>,
}

impl Running {
    pub(super) fn new(core: Arc<Core>, proxies: Proxies, stopped: watch::Receiver<bool>) -> Self {
        Self {
            core,
            proxies,
            stopped,
            tasks: Vec::new(),
            identity: None,
            counts_requests: false,
            counts: Vec::new(),
            lab: Lab::default(),
            rates: Arc::new(RateLimits::new(0)),
            #[cfg(feature = "sip")]
            own_sockets: Vec::new(),
        }
    }

    /// Counters of a listener that serves these paths and the health endpoints, if requests are counted.
    pub(super) fn counts(
        &mut self,
        listener: &'static str,
        paths: fn() -> Vec<String>,
    ) -> Option<Arc<RequestCounts>> {
        // The spans of requests have the names of the counted routes.
        if !self.counts_requests && !trace::is_installed() {
            return None;
        }
        let health = || HEALTH_PATHS.into_iter().map(str::to_owned);
        let counts = RequestCounts::new(listener, move || paths().into_iter().chain(health()).collect());
        let counts = Arc::new(counts);
        self.counts.push(Arc::clone(&counts));
        Some(counts)
    }

    pub(super) fn serve(
        &mut self,
        (listener, at): (TcpListener, SocketAddr),
        handler: impl Into<Handler>,
        limits: Limits,
        share: Share,
        counts: Option<Arc<RequestCounts>>,
    ) {
        let handler = handler.into();
        self.serve_made((listener, at), move || handler, limits, share, counts);
    }

    /// As [`serve`](Self::serve), with a handler that is made for the first connection.
    pub(super) fn serve_made(
        &mut self,
        (listener, at): (TcpListener, SocketAddr),
        make: impl FnOnce() -> Handler + Send + 'static,
        limits: Limits,
        share: Share,
        counts: Option<Arc<RequestCounts>>,
    ) {
        let (proxies, descriptors) = (self.proxies.clone(), self.core.descriptors.clone());
        let clock = self.core.clock.clone();
        // The control API and the metrics are for this machine, or for networks that protect them by other means.
        let tls = self.identity.clone().filter(|_| share == Share::Api);
        // Faults do not apply to the control API, so that they can be removed.
        let lab = (share == Share::Api).then(|| self.lab.clone());
        let intercept = lab.map(|lab| Arc::new(lab) as Arc<dyn Intercept>);
        let context = ListenerContext { limits, proxies, descriptors, share, clock, tls, counts, intercept };
        self.tasks.push(tokio::spawn(serve_made(listener, Box::new(make), context, self.stopped.clone())));
        #[cfg(feature = "sip")]
        self.own_sockets.push(self.core.own.enter(at, Use::Other));
        #[cfg(not(feature = "sip"))]
        let _needed_by_the_edge_alone = at;
    }

    /// Reads certificates again when their files change, until the server stops.
    pub(super) fn watch_certificates(&mut self, identities: &[Arc<Identity>]) {
        if !identities.is_empty() {
            let watching = tls_identity::watch(identities.to_vec(), self.stopped.clone());
            self.tasks.push(tokio::spawn(watching));
        }
    }

    /// Writes the heartbeat of this server, and takes over from dead ones, until it stops. An edge does this itself,
    /// because its calls are taken over too.
    pub(super) async fn join_cluster(&mut self) -> Result<(), StartError> {
        nodes::begin(&self.core).await.map_err(StartError::FirstHeartbeat)?;
        let (core, mut stopped) = (Arc::clone(&self.core), self.stopped.clone());
        self.tasks.push(tokio::spawn(async move {
            let is_stopped = async { stopped.wait_for(|stopped| *stopped).await.is_ok() };
            tokio::select! {
                () = nodes::run(&core, &NoCalls) => {}
                _ = is_stopped => nodes::leave(&core).await,
            }
        }));
        Ok(())
    }

    /// Keeps the price plans of accounts as they are stored, also by other servers of the database, until the server
    /// stops.
    pub(super) fn follow_price_plans(&mut self) {
        let (core, mut stopped) = (Arc::clone(&self.core), self.stopped.clone());
        self.tasks.push(tokio::spawn(async move {
            let is_stopped = async { stopped.wait_for(|stopped| *stopped).await.is_ok() };
            tokio::select! {
                () = core.price_plans.run(&*core.store) => {}
                _ = is_stopped => {}
            }
        }));
    }

    /// Serves the public APIs, and the tokens and prices of DIDWW's where they have listeners of their own. Returns the
    /// address of the tokens, and DIDWW's API for requests that the server itself sends for an account.
    pub(super) fn serve_apis(
        &mut self,
        (listener, address): (TcpListener, SocketAddr),
        token_listener: Option<(TcpListener, SocketAddr)>,
        (prices, price_listeners): (PriceServices, Vec<PriceListener>),
        config: &Config,
        limits: Limits,
        platform: Router,
    ) -> (SocketAddr, OwnersApi) {
        let core = &self.core;
        let rates = Arc::clone(&self.rates);
        let settings = config.tokens.settings();
        let tokens = Arc::new(TokenService::new(Arc::clone(core), settings, limits, Arc::clone(&rates)));
        let api = Api::new(Arc::clone(core), config.public_url.clone(), limits, rates, Arc::clone(&tokens));
        let api = Arc::new(api.with_prices(prices));
        self.lab.enter(Arc::new(ServerSurroundings::new(Arc::clone(&api))));
        let for_prices = Arc::clone(&api);
        let shortcut = api_shortcut(Arc::clone(&api));
        let api = api_router(api);
        let owners = owners_api(api.clone(), address);
        let router = api.merge(health_router(Arc::clone(core))).merge(platform);
        let token_address = token_listener.as_ref().map_or(address, |(_, at)| *at);
        if let Some(listener) = token_listener {
            let counts = self.counts("tokens", || vec![TOKEN_PATH.to_owned()]);
            self.serve(listener, token_router(tokens), limits, Share::Api, counts);
        }
        for (service, listener, at) in price_listeners {
            let counts = self.counts(price_listener_name(service), price_paths);
            let router = price_router(Arc::clone(&for_prices), service);
            self.serve((listener, at), router, limits, Share::Api, counts);
        }
        let counts = self.counts("api", api_paths);
        make_routes_beside(counts.clone());
        let handler = Handler::new(router, Some(shortcut));
        self.serve((listener, address), handler, limits, Share::Api, counts);
        (token_address, owners)
    }

    pub(super) fn run_jobs(&mut self, jobs: JobSet, callbacks: callbacks::Settings) {
        let stopped = || self.stopped.clone();
        let jobs = tokio::spawn(jobs::run(Arc::clone(&self.core), jobs, stopped()));
        let callbacks = tokio::spawn(callbacks::run(Arc::clone(&self.core), callbacks, stopped()));
        self.tasks.extend([jobs, callbacks]);
    }
}

/// Makes the routes of a listener on another thread while the start goes on. In a runtime of one thread, which tests
/// have, the first request makes them.
fn make_routes_beside(counts: Option<Arc<RequestCounts>>) {
    let has_threads = Handle::current().runtime_flavor() == RuntimeFlavor::MultiThread;
    if let Some(counts) = counts.filter(|_| has_threads) {
        tokio::spawn(async move { counts.make_routes() });
    }
}

/// DIDWW's API without credentials, for an account. Its links lead to the address of the API.
fn owners_api(api: Router, address: SocketAddr) -> OwnersApi {
    let host = HeaderValue::from_str(&address.to_string()).ok();
    OwnersApi::new(move |account, mut request| {
        request.extensions_mut().insert(OnBehalf(account));
        request.headers_mut().extend(host.clone().map(|host| (header::HOST, host)));
        let api = api.clone();
        Box::pin(async move { api.oneshot(request).await.unwrap_or_else(|never| match never {}) })
    })
}

/// The name that a price service's own listener has in the metrics.
const fn price_listener_name(service: PriceService) -> &'static str {
    match service {
        PriceService::VoiceIn => "voice_in_prices",
        PriceService::VoiceOut => "voice_out_prices",
        PriceService::Sms => "sms_prices",
    }
}

/// The templates of the paths at the address of the control API.
pub(super) fn control_paths() -> Vec<String> {
    control_plane::paths().into_iter().chain(web_console::PATHS.map(str::to_owned)).collect()
}

/// The templates of the paths at the address of the API.
fn api_paths() -> Vec<String> {
    let mut paths = didww_api::paths();
    paths.push(TOKEN_PATH.to_owned());
    #[cfg(feature = "voipbin")]
    paths.extend(voipbin_platform::paths());
    paths
}
