//! A server from its configuration to its end.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use didww_types::Secret;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

#[cfg(feature = "voipbin")]
use crate::config::ConfigError;
use crate::config::{Config, Database};
use crate::demo;
use control_plane::{Control, ControlError, Guard, NewAccount, control_router};
use didww_api::{Api, api_router};
use http_listener::{Limits, ListenerContext, RateLimits, health_router, serve};
use service_base::clock::Clock;
use service_base::descriptors::{self, Descriptors, Share};
use service_base::ids::Ids;
use service_base::net;
#[cfg(feature = "sip")]
use service_base::net::{Entered, Use};
use service_core::{Core, Outbox};
use trunk_store::{OpenError, SqliteStore, Store, StoreError, StoreLimits};
#[cfg(feature = "voipbin")]
use voipbin_platform::Platform;

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The database cannot be used.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// An address cannot be listened on.
    #[error("cannot listen on {0}: {1}")]
    Listen(String, io::Error),
    /// The control API would be open to everybody.
    #[error("the control API on {0} is not on loopback; give --control-token, or --control-listen off")]
    OpenControl(SocketAddr),
    /// Calls cannot be taken.
    #[cfg(feature = "sip")]
    #[error(transparent)]
    Edge(#[from] carrier_edge::EdgeError),
    /// A setting is not right.
    #[error(transparent)]
    Config(#[from] crate::config::ConfigError),
    /// What the communication platform keeps cannot be read or written.
    #[cfg(feature = "voipbin")]
    #[error("the communication platform could not be started: {0}")]
    Platform(#[from] StoreError),
    /// Calls cannot be placed.
    #[cfg(feature = "voipbin")]
    #[error(transparent)]
    Dialler(#[from] voipbin_platform::DiallerError),
    /// The first account or the demo set could not be made.
    #[error("the account could not be set up: {0}")]
    Setup(#[from] ControlError),
}

#[cfg(feature = "voipbin")]
impl From<voipbin_platform::PlatformError> for StartError {
    fn from(error: voipbin_platform::PlatformError) -> Self {
        match error {
            voipbin_platform::PlatformError::Store(error) => Self::Platform(error),
            voipbin_platform::PlatformError::Dialler(error) => Self::Dialler(error),
        }
    }
}

/// Builds a [`Server`] whose parts a test may replace.
#[derive(Debug)]
pub struct ServerBuilder {
    config: Config,
    clock: Clock,
    ids: Ids,
    limits: Limits,
    store_limits: StoreLimits,
    callbacks: callbacks::Settings,
}

/// A running server. Dropping it ends it at once, but for calls, which hang up in the background as long as the runtime
/// lives; the database is let go after them. [`stop`](Self::stop) lets it finish.
#[derive(Debug)]
pub struct Server {
    core: Arc<Core>,
    control: Control,
    address: SocketAddr,
    control_address: Option<SocketAddr>,
    new_key: Option<Secret>,
    accounts_before: Option<usize>,
    made_its_database: bool,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
    #[cfg(feature = "voipbin")]
    platform: Arc<Platform>,
    /// The places of the listeners among our own sockets.
    #[cfg(feature = "sip")]
    _own: Vec<Entered>,
    #[cfg(feature = "sip")]
    edge: Option<carrier_edge::Edge>,
}

impl ServerBuilder {
    /// Another time than the system's.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Other ids and keys than random ones.
    #[must_use]
    pub fn ids(mut self, ids: Ids) -> Self {
        self.ids = ids;
        self
    }

    /// Other limits.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Other limits of what is stored and read.
    #[must_use]
    pub fn store_limits(mut self, limits: StoreLimits) -> Self {
        self.store_limits = limits;
        self
    }

    /// Callbacks made in another way.
    #[must_use]
    pub fn callbacks(mut self, settings: callbacks::Settings) -> Self {
        self.callbacks = settings;
        self
    }

    /// Opens the database, listens, and serves.
    ///
    /// # Errors
    /// [`StartError`]; nothing is served then.
    pub async fn start(self) -> Result<Server, StartError> {
        let Self { config, clock, ids, limits, mut store_limits, mut callbacks } = self;
        let control_limits = config.http.control_limits(limits);
        let limits = config.http.limits(limits);
        store_limits.records = store_limits.records.or(config.accounts.records());
        callbacks.allow_loopback |= config.allow_loopback_callbacks;
        #[cfg(feature = "sip")]
        let edge = config.sip.as_ref().map(|sip| Ok::<_, StartError>((sip.to_edge()?, sip.listen.is_some())));
        #[cfg(feature = "sip")]
        let edge = edge.transpose()?;
        #[cfg(feature = "sip")]
        if let Some((edge, _)) = &edge {
            callbacks.on_manual_block |= edge.settings.callback_on_manual_block;
            callbacks.retry_clock_factor *= edge.settings.retry_clock_factor;
        }
        #[cfg(feature = "voipbin")]
        {
            let platform = &config.voipbin.platform;
            callbacks.webhooks_waiting = platform.webhooks_waiting.unwrap_or(callbacks.webhooks_waiting);
            callbacks.webhook_age = platform.webhook_age.unwrap_or(callbacks.webhook_age);
        }
        let listener = listen(&config.listen).await?;
        let address = local(&listener, &config.listen)?;
        let control_listener = control_listener(&config).await?;
        let (store, made_its_database) = open_store(&config.database, store_limits)?;
        let core = Arc::new(Core::new(
            store,
            clock,
            ids,
            Outbox::new(callbacks.on_manual_block),
            Descriptors::new(descriptors::open_files()),
            limits.guesses,
        ));
        #[cfg(feature = "voipbin")]
        let platform =
            Arc::new(Platform::load(Arc::clone(&core), config.voipbin.platform.clone(), limits).await?);
        #[cfg(feature = "sip")]
        let edge = match edge {
            Some((edge, asked)) => start_edge(&core, edge, asked).await?,
            None => None,
        };
        #[cfg(feature = "voipbin")]
        let platform_tasks = start_platform(&platform, edge.as_ref()).await?;
        let control = Control::new(
            Arc::clone(&core),
            #[cfg(feature = "voipbin")]
            Arc::clone(&platform),
            #[cfg(feature = "sip")]
            edge.as_ref().map(carrier_edge::Edge::handle),
        );
        #[cfg(feature = "voipbin")]
        if let Some((username, password)) = &config.voipbin.admin {
            control.ensure_super_admin(username, password.clone()).await?;
        }
        // Nothing may fail after the first account is made: its key is said once.
        let FirstAccount { new_key, accounts_before } = first_account(&control, &config).await?;

        let (stop, stopped) = watch::channel(false);
        let mut tasks = Vec::new();
        #[cfg(feature = "sip")]
        let mut own = vec![core.own.enter(address, Use::Other)];
        let mut control_address = None;
        if let Some((listener, at, host)) = control_listener {
            control_address = Some(at);
            let guard = Guard { token: config.control_token.clone(), host };
            let router = control_router(control.clone(), guard, limits);
            let door = door(&core, &config, control_limits, Share::Control);
            tasks.push(tokio::spawn(serve(listener, router, door, stopped.clone())));
            #[cfg(feature = "sip")]
            own.push(core.own.enter(at, Use::Other));
        }
        #[cfg(feature = "voipbin")]
        tasks.push(tokio::spawn(ended_with(platform_tasks, stopped.clone())));
        tasks.push(tokio::spawn(callbacks::run(Arc::clone(&core), callbacks, stopped.clone())));
        let rates = RateLimits::new(config.accounts.rate(address.ip().to_canonical().is_loopback()));
        let api = Api::new(Arc::clone(&core), config.public_url.clone(), limits, rates);
        let router = api_router(Arc::new(api)).merge(health_router(Arc::clone(&core)));
        #[cfg(feature = "voipbin")]
        let router = router.merge(voipbin_platform::router(Arc::clone(&platform)));
        tasks.push(tokio::spawn(serve(listener, router, door(&core, &config, limits, Share::Api), stopped)));
        Ok(Server {
            core,
            control,
            address,
            control_address,
            new_key,
            accounts_before,
            made_its_database,
            stop,
            tasks,
            #[cfg(feature = "voipbin")]
            platform,
            #[cfg(feature = "sip")]
            _own: own,
            #[cfg(feature = "sip")]
            edge,
        })
    }
}

/// Opens the database; returns too whether it was created by that.
fn open_store(database: &Database, limits: StoreLimits) -> Result<(Arc<dyn Store>, bool), OpenError> {
    Ok(match database {
        Database::File(file) => {
            let is_new = std::fs::metadata(file).map_or(true, |file| file.len() == 0);
            (Arc::new(SqliteStore::open_with(file, limits)?), is_new)
        }
        Database::Ephemeral => (Arc::new(SqliteStore::in_memory_with(limits)?), true),
    })
}

/// What a listener is served with.
fn door(core: &Core, config: &Config, limits: Limits, share: Share) -> ListenerContext {
    let (proxies, descriptors) = (config.http.proxies.clone(), core.descriptors.clone());
    ListenerContext { limits, proxies, descriptors, share, clock: core.clock.clone() }
}

/// Ends a task when the server stops.
#[cfg(feature = "voipbin")]
async fn ended_with(task: impl Future<Output = ()>, mut stop: watch::Receiver<bool>) {
    tokio::select! {
        _ = stop.wait_for(|stop| *stop) => {}
        () = task => {}
    }
}

/// A usual address that is taken by somebody else, and that nobody asked for, is no reason not to start.
#[cfg(feature = "sip")]
async fn start_edge(
    core: &Arc<Core>,
    config: carrier_edge::EdgeConfig,
    asked: bool,
) -> Result<Option<carrier_edge::Edge>, StartError> {
    use carrier_edge::{Edge, EdgeError};
    match Edge::start(Arc::clone(core), config).await {
        Ok(edge) => Ok(Some(edge)),
        Err(error @ EdgeError::Listen { .. }) if !asked => {
            tracing::warn!(%error, "no calls are taken; name another address with --sip-listen");
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// Starts the platform's calls. A host that is mapped to an edge that does not run is a mistake in the configuration.
#[cfg(feature = "voipbin")]
async fn start_platform(
    platform: &Arc<Platform>,
    edge: Option<&carrier_edge::Edge>,
) -> Result<impl Future<Output = ()> + use<>, StartError> {
    if edge.is_none()
        && let Some((name, _)) = platform.config.hosts.iter().find(|(_, place)| *place == "edge")
    {
        let right = "no SIP is taken here, so there is no edge; give --sip-listen, or an address";
        let given = format!("{name} = edge");
        return Err(ConfigError::Value { name: "voipbin.hosts", given, right }.into());
    }
    Ok(voipbin_platform::start(platform, edge.map(carrier_edge::Edge::address)).await?)
}

/// Listens for control requests, if that is wanted and safe; gives the address too, and as it was told.
async fn control_listener(config: &Config) -> Result<Option<(TcpListener, SocketAddr, String)>, StartError> {
    let Some(text) = &config.control_listen else { return Ok(None) };
    let listener = listen(text).await?;
    let at = local(&listener, text)?;
    if !at.ip().is_loopback() && config.control_token.is_none() {
        return Err(StartError::OpenControl(at));
    }
    Ok(Some((listener, at, text.clone())))
}

async fn listen(address: &str) -> Result<TcpListener, StartError> {
    let failed = |error| StartError::Listen(address.to_owned(), error);
    let mut last = io::Error::new(io::ErrorKind::InvalidInput, "the name has no address");
    for address in tokio::net::lookup_host(address).await.map_err(failed)? {
        match net::listen(address) {
            Ok(listener) => return Ok(listener),
            Err(error) => last = error,
        }
    }
    Err(failed(last))
}

fn local(listener: &TcpListener, text: &str) -> Result<SocketAddr, StartError> {
    listener.local_addr().map_err(|error| StartError::Listen(text.to_owned(), error))
}

/// What was done about the account that a newcomer, or `--api-key`, needs.
#[derive(Debug, Default)]
struct FirstAccount {
    /// The key that was made up here.
    new_key: Option<Secret>,
    /// How many accounts there were, if one was made.
    accounts_before: Option<usize>,
}

/// Makes the account that a newcomer, or `--api-key`, needs.
async fn first_account(control: &Control, config: &Config) -> Result<FirstAccount, ControlError> {
    let existing = control.accounts();
    let known = config.api_key.as_ref().is_some_and(|key| control.account_of_key(key).is_some());
    if known || (config.api_key.is_none() && !existing.is_empty()) {
        return Ok(FirstAccount::default());
    }
    let name = if existing.is_empty() { "default" } else { "" };
    let mut new = NewAccount::named(name);
    new.api_key.clone_from(&config.api_key);
    let (account, key) = control.create_account(new).await?;
    if !existing.is_empty() {
        let before = existing.len();
        tracing::warn!(
            account = %account.id, before,
            "the given API key was no account's: a new, empty account was made for it"
        );
    }
    if config.demo && existing.is_empty() {
        demo::fill(control, account.id).await?;
    }
    let new_key = config.api_key.is_none().then_some(key);
    Ok(FirstAccount { new_key, accounts_before: Some(existing.len()) })
}

impl Server {
    /// Builds a server with this configuration.
    pub fn builder(config: Config) -> ServerBuilder {
        ServerBuilder {
            config,
            clock: Clock::system(),
            ids: Ids::system(),
            limits: Limits::default(),
            store_limits: StoreLimits::default(),
            callbacks: callbacks::Settings::default(),
        }
    }

    /// Where the API is served.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where the control API is served.
    pub fn control_address(&self) -> Option<SocketAddr> {
        self.control_address
    }

    /// Where SIP is taken, over UDP and TCP.
    #[cfg(feature = "sip")]
    pub fn sip_address(&self) -> Option<SocketAddr> {
        self.edge.as_ref().map(carrier_edge::Edge::address)
    }

    /// Where SIP is taken over TLS.
    #[cfg(feature = "sip")]
    pub fn sip_tls_address(&self) -> Option<SocketAddr> {
        self.edge.as_ref().and_then(carrier_edge::Edge::tls_address)
    }

    /// The API's base URL, for an SDK.
    pub fn base_url(&self) -> String {
        format!("http://{}/v3", self.address)
    }

    /// The base URL of the communication platform's API, for its SDK.
    #[cfg(feature = "voipbin")]
    pub fn voipbin_url(&self) -> String {
        format!("http://{}/v1.0", self.address)
    }

    /// The key that was made at this start, because there was no account. It is not told again.
    pub fn new_key(&self) -> Option<&Secret> {
        self.new_key.as_ref()
    }

    /// How many accounts the database had before this start made one; none when it made none.
    pub fn accounts_before(&self) -> Option<usize> {
        self.accounts_before
    }

    /// Whether the database was made at this start.
    pub fn made_its_database(&self) -> bool {
        self.made_its_database
    }

    /// Acts upon the server.
    pub fn control(&self) -> Control {
        self.control.clone()
    }

    /// Takes no more work, lets what is in flight finish, and makes everything durable.
    ///
    /// # Errors
    /// When the database could not be closed in order. What was acknowledged is durable all the same.
    pub async fn stop(mut self) -> Result<(), StoreError> {
        self.core.stop_taking_work();
        #[cfg(feature = "voipbin")]
        voipbin_platform::stop(&self.platform).await;
        #[cfg(feature = "sip")]
        if let Some(edge) = self.edge.take() {
            edge.stop().await;
        }
        self.stop.send_replace(true);
        for task in self.tasks.drain(..) {
            if let Err(error) = task.await {
                tracing::error!(%error, "a task of the server ended badly");
            }
        }
        self.core.store.close().await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.core.stop_taking_work();
        #[cfg(feature = "voipbin")]
        {
            voipbin_platform::abandon(&self.platform);
            // A call that goes out through the own edge is hung up by whoever placed it.
            if let Some(edge) = self.edge.take() {
                edge.abandon_after(self.platform.active_calls.all_ended(voipbin_platform::HANG_UP_TIMEOUT));
            }
        }
        // Connections hear of it and end; the listeners are not waited for.
        self.stop.send_replace(true);
        for task in &self.tasks {
            task.abort();
        }
    }
}
