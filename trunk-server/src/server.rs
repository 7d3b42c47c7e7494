//! Starting and stopping a server: the composition of all services from a configuration.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use control_plane::{Control, ControlAuth, ControlError, NewAccount, control_router};
use didww_api::{Api, api_router};
use didww_types::Secret;
use http_listener::{Limits, ListenerContext, RateLimits, Router, health_router, idempotency, serve};
use service_base::clock::Clock;
use service_base::descriptors::{self, Descriptors, Share};
use service_base::forwarded::Proxies;
use service_base::ids::Ids;
use service_base::net;
#[cfg(feature = "sip")]
use service_base::net::{Entered, Use};
use service_core::jobs::{self, JobSet};
use service_core::{Core, Outbox};
use token_service::{TokenService, token_router};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use trunk_store::{OpenError, SqliteStore, Store, StoreError, StoreLimits};
use uuid::Uuid;
#[cfg(feature = "voipbin")]
use voipbin_platform::Platform;

use crate::config::{Config, ConfigError, Database};
use crate::demo;

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The database cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The server cannot listen on an address.
    #[error("cannot listen on {0}: {1}{advice}", advice = listen_advice(.0, .1))]
    Listen(String, io::Error),
    /// The control API would be reachable from other machines without a token.
    #[error("the control API on {0} is not on loopback; set --control-token, or --control-listen off")]
    OpenControl(SocketAddr),
    /// The carrier edge did not start.
    #[cfg(feature = "sip")]
    #[error(transparent)]
    Edge(#[from] carrier_edge::EdgeError),
    /// A setting is not valid.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The stored data of the communication platform cannot be read or written.
    #[cfg(feature = "voipbin")]
    #[error("the communication platform could not be started: {0}")]
    Platform(#[from] StoreError),
    /// The dialler of outbound calls did not start.
    #[cfg(feature = "voipbin")]
    #[error(transparent)]
    Dialler(#[from] voipbin_platform::DiallerError),
    /// The first account, its demo DIDs or the super admin could not be created.
    #[error("the account could not be set up: {0}")]
    Setup(#[from] ControlError),
}

/// The continuation of the error of a listener, for errors whose usual cause is known.
fn listen_advice(address: &str, error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => "; another process has this port",
        io::ErrorKind::AddrNotAvailable | io::ErrorKind::Unsupported if address.starts_with('[') => {
            "; this machine has no such address: its IPv6 may be off"
        }
        io::ErrorKind::AddrNotAvailable => "; this machine has no such address",
        io::ErrorKind::PermissionDenied => "; a port below 1024 needs a privilege",
        _ => "",
    }
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

/// Builds a [`Server`]. A test can replace its clock, ids, limits and callbacks.
#[derive(Debug)]
pub struct ServerBuilder {
    config: Config,
    clock: Clock,
    ids: Ids,
    limits: Limits,
    store_limits: StoreLimits,
    callbacks: callbacks::Settings,
}

/// A running server. [`stop`](Self::stop) finishes what is in flight. Dropping the server ends it at once, except for
/// active calls: these hang up in the background while the runtime lives, and the database is closed after them.
#[derive(Debug)]
pub struct Server {
    core: Arc<Core>,
    control: Control,
    address: SocketAddr,
    control_address: Option<SocketAddr>,
    token_address: SocketAddr,
    accounts: AccountsAtStart,
    created_database: bool,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
    #[cfg(feature = "voipbin")]
    platform: Arc<Platform>,
    /// The entries of the HTTP listeners in the register of the server's own sockets.
    #[cfg(feature = "sip")]
    _own_sockets: Vec<Entered>,
    #[cfg(feature = "sip")]
    edge: Option<carrier_edge::Edge>,
}

impl ServerBuilder {
    /// Sets the clock; by default the system's.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Sets the source of ids, keys and credentials; by default they are random.
    #[must_use]
    pub fn ids(mut self, ids: Ids) -> Self {
        self.ids = ids;
        self
    }

    /// Sets the limits of the HTTP listeners, which the `[http]` table of the configuration overrides.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets the limits on what is stored and read.
    #[must_use]
    pub fn store_limits(mut self, limits: StoreLimits) -> Self {
        self.store_limits = limits;
        self
    }

    /// Sets how callbacks and webhooks are sent.
    #[must_use]
    pub fn callbacks(mut self, settings: callbacks::Settings) -> Self {
        self.callbacks = settings;
        self
    }

    /// Opens the database, listens, and serves.
    ///
    /// # Errors
    /// If a part cannot start; then nothing is served.
    pub async fn start(self) -> Result<Server, StartError> {
        let Self { config, clock, ids, limits, mut store_limits, mut callbacks } = self;
        let control_limits = config.http.control_limits(limits);
        let limits = config.http.limits(limits);
        store_limits.records = store_limits.records.or(config.accounts.max_records());
        callbacks.allow_loopback |= config.allow_loopback_callbacks;
        #[cfg(feature = "sip")]
        let edge = edge_config(&config, &mut callbacks)?;
        #[cfg(feature = "voipbin")]
        limit_webhooks(&mut callbacks, &config.voipbin.platform);
        let listener = listen(&config.listen).await?;
        let address = local(&listener, &config.listen)?;
        let control_listener = control_listener(&config).await?;
        let token_listener = token_listener(&config).await?;
        let (store, created_database) = open_store(&config.database, store_limits)?;
        let core = Arc::new(Core::new(
            store,
            clock,
            ids,
            Outbox::new(callbacks.on_manual_block),
            Descriptors::new(descriptors::open_files()),
            limits.guesses,
        ));
        #[cfg(feature = "sip")]
        let messages = message_log(edge.as_ref().map(|(edge, _)| edge), &core.clock);
        #[cfg(feature = "voipbin")]
        let platform =
            Arc::new(Platform::load(Arc::clone(&core), config.voipbin.platform.clone(), limits).await?);
        #[cfg(feature = "sip")]
        let edge = match edge {
            Some((edge, is_explicit)) => start_edge(&core, edge, is_explicit, messages.clone()).await?,
            None => None,
        };
        #[cfg(feature = "voipbin")]
        let platform_jobs = start_platform(&platform, edge.as_ref(), messages.clone()).await?;
        let control = Control::new(
            Arc::clone(&core),
            #[cfg(feature = "voipbin")]
            Arc::clone(&platform),
            #[cfg(feature = "sip")]
            edge.as_ref().map(carrier_edge::Edge::handle),
            #[cfg(feature = "sip")]
            messages,
        )
        .of_environment(config.tokens.environment());
        #[cfg(feature = "voipbin")]
        if let Some((username, password)) = &config.voipbin.admin {
            control.ensure_super_admin(username, password.clone()).await?;
        }
        #[cfg(feature = "sip")]
        if edge.is_some() {
            log_open_trunks(&control).await?;
        }
        #[cfg(feature = "voipbin")]
        log_open_providers(&control).await?;
        // Nothing after this can fail: the key of the first account is printed only once.
        let accounts = prepare_accounts(&control, &config).await?;

        let (stop, stopped) = watch::channel(false);
        let mut running = Running::new(Arc::clone(&core), config.http.proxies.clone(), stopped);
        let mut control_address = None;
        if let Some((listener, at, host)) = control_listener {
            control_address = Some(at);
            let auth = ControlAuth { token: config.control_token.clone(), host };
            let router = control_router(control.clone(), auth, limits);
            running.serve((listener, at), router, control_limits, Share::Control);
        }
        let jobs = idempotency::jobs(&core.clock);
        #[cfg(feature = "sip")]
        let jobs = edge.iter().fold(jobs, |jobs, edge| jobs.and(edge.jobs()));
        #[cfg(feature = "voipbin")]
        let jobs = jobs.and(platform_jobs);
        running.run_jobs(jobs, callbacks);
        let rates = Arc::new(RateLimits::new(config.accounts.max_rate(is_on_loopback(address))));
        let settings = config.tokens.settings();
        let tokens = Arc::new(TokenService::new(Arc::clone(&core), settings, limits, Arc::clone(&rates)));
        let api = Api::new(Arc::clone(&core), config.public_url.clone(), limits, rates, Arc::clone(&tokens));
        let router = api_router(Arc::new(api)).merge(health_router(Arc::clone(&core)));
        let token_address = token_listener.as_ref().map_or(address, |(_, at)| *at);
        if let Some(listener) = token_listener {
            running.serve(listener, token_router(tokens), limits, Share::Api);
        }
        #[cfg(feature = "voipbin")]
        let router = router.merge(voipbin_platform::router(Arc::clone(&platform)));
        running.serve((listener, address), router, limits, Share::Api);
        Ok(Server {
            core,
            control,
            address,
            control_address,
            accounts,
            token_address,
            created_database,
            stop,
            tasks: running.tasks,
            #[cfg(feature = "voipbin")]
            platform,
            #[cfg(feature = "sip")]
            _own_sockets: running.own_sockets,
            #[cfg(feature = "sip")]
            edge,
        })
    }
}

/// The edge's configuration, if there is to be one, and whether its address was set. Applies its settings of callbacks.
#[cfg(feature = "sip")]
fn edge_config(
    config: &Config,
    callbacks: &mut callbacks::Settings,
) -> Result<Option<(carrier_edge::EdgeConfig, bool)>, StartError> {
    let Some(sip) = &config.sip else { return Ok(None) };
    let edge = sip.to_edge()?;
    callbacks.on_manual_block &= edge.settings.callback_on_manual_block;
    callbacks.retry_clock_factor *= edge.settings.retry_clock_factor;
    Ok(Some((edge, sip.listen.is_some())))
}

/// Maximum number of open trunks, and of open providers, that the start names.
#[cfg(any(feature = "sip", feature = "voipbin"))]
const MAX_NAMED: usize = 10;

/// Logs the trunks that take calls from any address.
#[cfg(feature = "sip")]
async fn log_open_trunks(control: &Control) -> Result<(), ControlError> {
    let open = control.open_trunks(MAX_NAMED).await?;
    if open.total > 0 {
        let named: Vec<String> = open.trunks.iter().map(|open| open.trunk.to_string()).collect();
        tracing::warn!(
            total = open.total,
            trunks = named.join(", "),
            "trunks take calls from any address; GET /control/v1/trunks/open lists them"
        );
    }
    Ok(())
}

/// Logs the providers whose trunk at the carrier takes calls from any address.
#[cfg(feature = "voipbin")]
async fn log_open_providers(control: &Control) -> Result<(), ControlError> {
    let open = control.open_providers().await?;
    if !open.is_empty() {
        let named: Vec<String> = open.iter().take(MAX_NAMED).map(|open| open.provider.to_string()).collect();
        tracing::warn!(
            total = open.len(),
            providers = named.join(", "),
            "trunks of providers at carriers take calls from any address; GET /control/v1/providers/open lists them"
        );
    }
    Ok(())
}

/// Opens the database. Returns it, and whether it is new.
fn open_store(database: &Database, limits: StoreLimits) -> Result<(Arc<dyn Store>, bool), OpenError> {
    Ok(match database {
        Database::File(file) => {
            let is_new = std::fs::metadata(file).map_or(true, |file| file.len() == 0);
            (Arc::new(SqliteStore::open_with(file, limits)?), is_new)
        }
        Database::Ephemeral => (Arc::new(SqliteStore::in_memory_with(limits)?), true),
    })
}

/// The tasks of a server, and its own sockets, while it starts.
struct Running {
    core: Arc<Core>,
    proxies: Proxies,
    stopped: watch::Receiver<bool>,
    tasks: Vec<JoinHandle<()>>,
    #[cfg(feature = "sip")]
    own_sockets: Vec<Entered>,
}

impl Running {
    fn new(core: Arc<Core>, proxies: Proxies, stopped: watch::Receiver<bool>) -> Self {
        Self {
            core,
            proxies,
            stopped,
            tasks: Vec::new(),
            #[cfg(feature = "sip")]
            own_sockets: Vec::new(),
        }
    }

    fn serve(
        &mut self,
        (listener, at): (TcpListener, SocketAddr),
        router: Router,
        limits: Limits,
        share: Share,
    ) {
        let (proxies, descriptors) = (self.proxies.clone(), self.core.descriptors.clone());
        let clock = self.core.clock.clone();
        let context = ListenerContext { limits, proxies, descriptors, share, clock };
        self.tasks.push(tokio::spawn(serve(listener, router, context, self.stopped.clone())));
        #[cfg(feature = "sip")]
        self.own_sockets.push(self.core.own.enter(at, Use::Other));
        #[cfg(not(feature = "sip"))]
        let _needed_by_the_edge_alone = at;
    }

    fn run_jobs(&mut self, jobs: JobSet, callbacks: callbacks::Settings) {
        let stopped = || self.stopped.clone();
        let jobs = tokio::spawn(jobs::run(Arc::clone(&self.core), jobs, stopped()));
        let callbacks = tokio::spawn(callbacks::run(Arc::clone(&self.core), callbacks, stopped()));
        self.tasks.extend([jobs, callbacks]);
    }
}

/// Applies the platform's limits on webhooks.
#[cfg(feature = "voipbin")]
fn limit_webhooks(callbacks: &mut callbacks::Settings, platform: &voipbin_platform::PlatformConfig) {
    callbacks.webhooks_waiting = platform.webhooks_waiting.unwrap_or(callbacks.webhooks_waiting);
    callbacks.webhook_age = platform.webhook_age.unwrap_or(callbacks.webhook_age);
}

/// Creates the log of SIP messages, which the edge and the dialler share. `None` if the configuration disables it.
#[cfg(feature = "sip")]
fn message_log(
    edge: Option<&carrier_edge::EdgeConfig>,
    clock: &Clock,
) -> Option<Arc<carrier_edge::MessageLog>> {
    use carrier_edge::{MessageLog, MessageLogLimits};
    let limits = match edge.map(|edge| edge.message_bytes) {
        Some(0) => return None,
        Some(bytes) => MessageLogLimits::of(bytes),
        None => MessageLogLimits::default(),
    };
    Some(MessageLog::new(limits, clock.clone()))
}

/// Starts the carrier edge. If its address is not configured and another process uses the default one, the server logs a
/// warning and runs without the edge.
#[cfg(feature = "sip")]
async fn start_edge(
    core: &Arc<Core>,
    mut config: carrier_edge::EdgeConfig,
    is_explicit: bool,
    messages: Option<Arc<carrier_edge::MessageLog>>,
) -> Result<Option<carrier_edge::Edge>, StartError> {
    use carrier_edge::{Edge, EdgeError};
    config.messages = messages;
    match Edge::start(Arc::clone(core), config).await {
        Ok(edge) => Ok(Some(edge)),
        Err(error @ EdgeError::Listen { .. }) if !is_explicit => {
            tracing::warn!(%error, "SIP is disabled; set another address with --sip-listen");
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// Starts the dialler of the communication platform. Returns the platform's jobs.
///
/// # Errors
/// If it cannot start, or the configuration maps a host to the carrier edge and the edge does not run.
#[cfg(feature = "voipbin")]
async fn start_platform(
    platform: &Arc<Platform>,
    edge: Option<&carrier_edge::Edge>,
    messages: Option<Arc<carrier_edge::MessageLog>>,
) -> Result<JobSet, StartError> {
    if edge.is_none()
        && let Some((name, _)) = platform.config.hosts.iter().find(|(_, destination)| *destination == "edge")
    {
        let expected = "SIP is off, so there is no edge; set --sip-listen, or give an address";
        let given = format!("{name} = edge");
        return Err(ConfigError::Value { name: "voipbin.hosts", given, expected }.into());
    }
    Ok(voipbin_platform::start(platform, edge.map(carrier_edge::Edge::address), messages).await?)
}

/// Listens for control requests if the configuration enables them. Returns the listener, its address, and the
/// configured address.
///
/// # Errors
/// If the address is not on loopback and there is no token.
async fn control_listener(config: &Config) -> Result<Option<(TcpListener, SocketAddr, String)>, StartError> {
    let Some(text) = &config.control_listen else { return Ok(None) };
    let listener = listen(text).await?;
    let at = local(&listener, text)?;
    if !at.ip().is_loopback() && config.control_token.is_none() {
        return Err(StartError::OpenControl(at));
    }
    Ok(Some((listener, at, text.clone())))
}

/// Listens for requests for tokens if the configuration has a listener of their own. Returns it and its address.
async fn token_listener(config: &Config) -> Result<Option<(TcpListener, SocketAddr)>, StartError> {
    let Some(text) = &config.tokens.listen else { return Ok(None) };
    let listener = listen(text).await?;
    let at = local(&listener, text)?;
    Ok(Some((listener, at)))
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

fn is_on_loopback(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

fn local(listener: &TcpListener, text: &str) -> Result<SocketAddr, StartError> {
    listener.local_addr().map_err(|error| StartError::Listen(text.to_owned(), error))
}

/// What the start found about accounts, and made.
#[derive(Debug, Default)]
struct AccountsAtStart {
    /// The generated key, if there was no account and no configured key.
    new_key: Option<Secret>,
    /// The generated callback secret of the demo.
    new_callback_secret: Option<Secret>,
    /// The number of accounts before, if an account was created.
    accounts_before: Option<usize>,
    /// The accounts whose callbacks are not sent.
    unsigned_accounts: Vec<Uuid>,
}

/// Creates the first account if there is none, and enables the configured callback secret.
async fn prepare_accounts(control: &Control, config: &Config) -> Result<AccountsAtStart, ControlError> {
    let accounts = first_account(control, config).await?;
    Ok(AccountsAtStart { unsigned_accounts: sign_callbacks(control, config).await?, ..accounts })
}

/// Creates an account if there is none, or none with the configured API key.
async fn first_account(control: &Control, config: &Config) -> Result<AccountsAtStart, ControlError> {
    let existing = control.accounts().await?;
    let key_exists = match &config.api_key {
        Some(key) => control.account_of_key(key).await?.is_some(),
        None => false,
    };
    if key_exists || (config.api_key.is_none() && !existing.is_empty()) {
        return Ok(AccountsAtStart::default());
    }
    let name = if existing.is_empty() { "default" } else { "" };
    let mut new = NewAccount::named(name);
    new.api_key.clone_from(&config.api_key);
    let (account, key) = control.create_account(new).await?;
    if !existing.is_empty() {
        let before = existing.len();
        tracing::warn!(
            account = %account.id, before,
            "no account had the configured API key: a new, empty account was made for it"
        );
    }
    let mut new_callback_secret = None;
    if config.demo && existing.is_empty() {
        let secret = demo::fill(control, account.id, config.callback_secret.clone()).await?;
        new_callback_secret = config.callback_secret.is_none().then_some(secret);
    }
    let new_key = config.api_key.is_none().then_some(key);
    Ok(AccountsAtStart {
        new_key,
        new_callback_secret,
        accounts_before: Some(existing.len()),
        unsigned_accounts: Vec::new(),
    })
}

/// Enables the configured callback secret: in the account with the configured API key, or in the only account. Returns the
/// accounts whose callbacks are not sent, and logs them.
async fn sign_callbacks(control: &Control, config: &Config) -> Result<Vec<Uuid>, ControlError> {
    if let Some(secret) = &config.callback_secret {
        let account = match &config.api_key {
            Some(key) => control.account_of_key(key).await?,
            None => match control.accounts().await?.as_slice() {
                [only] => Some(Arc::clone(only)),
                _ => None,
            },
        };
        if let Some(account) = account {
            control.ensure_callback_secret(account.id, secret.clone()).await?;
        } else {
            tracing::warn!(
                "`callback_secret` is ignored: there are several accounts, and `api_key` names none"
            );
        }
    }
    let unsigned = control.accounts_without_callback_secret().await?;
    log_unsigned_accounts(&unsigned);
    Ok(unsigned)
}

/// Maximum number of accounts without a callback secret that the start names.
const MAX_NAMED_ACCOUNTS: usize = 10;

/// Logs the accounts whose callbacks are not sent.
fn log_unsigned_accounts(accounts: &[Uuid]) {
    if accounts.is_empty() {
        return;
    }
    let named: Vec<String> = accounts.iter().take(MAX_NAMED_ACCOUNTS).map(ToString::to_string).collect();
    tracing::warn!(
        total = accounts.len(),
        accounts = named.join(", "),
        "accounts have trunks with a callback URL and no enabled callback secret, so no callback of theirs is sent; \
         POST /control/v1/accounts/ID/callback_secrets makes one"
    );
}

impl Server {
    /// Returns a builder of a server with this configuration.
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

    /// Returns the address of the API.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the address of the control API, if it is enabled.
    pub fn control_address(&self) -> Option<SocketAddr> {
        self.control_address
    }

    /// Returns the URL of the service that mints access tokens, such as `http://127.0.0.1:8080/token`: at the API's address
    /// unless it has a listener of its own.
    pub fn token_url(&self) -> String {
        format!("http://{}/token", self.token_address)
    }

    /// Returns the address of SIP over UDP and TCP, if the edge runs.
    #[cfg(feature = "sip")]
    pub fn sip_address(&self) -> Option<SocketAddr> {
        self.edge.as_ref().map(carrier_edge::Edge::address)
    }

    /// Returns the address of SIP over TLS, if it is enabled.
    #[cfg(feature = "sip")]
    pub fn sip_tls_address(&self) -> Option<SocketAddr> {
        self.edge.as_ref().and_then(carrier_edge::Edge::tls_address)
    }

    /// Returns the base URL of the API for an SDK, such as `http://127.0.0.1:8080/v3`.
    pub fn base_url(&self) -> String {
        format!("http://{}/v3", self.address)
    }

    /// Returns the base URL of the communication platform's API for an SDK, such as `http://127.0.0.1:8080/v1.0`.
    #[cfg(feature = "voipbin")]
    pub fn voipbin_url(&self) -> String {
        format!("http://{}/v1.0", self.address)
    }

    /// Returns the API key that this start generated because there was no account. It cannot be read after this process
    /// ends.
    pub fn new_key(&self) -> Option<&Secret> {
        self.accounts.new_key.as_ref()
    }

    /// Returns the callback secret that this start generated for the demo.
    pub fn new_callback_secret(&self) -> Option<&Secret> {
        self.accounts.new_callback_secret.as_ref()
    }

    /// Returns the accounts that had trunks with a callback URL and no enabled callback secret at the start: no callback of
    /// theirs is sent.
    pub fn unsigned_accounts(&self) -> &[Uuid] {
        &self.accounts.unsigned_accounts
    }

    /// Returns the number of accounts before this start created one; `None` if it created none.
    pub fn accounts_before(&self) -> Option<usize> {
        self.accounts.accounts_before
    }

    /// Returns true if this start created the database.
    pub fn created_database(&self) -> bool {
        self.created_database
    }

    /// Returns the control of the server: accounts, DIDs, the clock.
    pub fn control(&self) -> Control {
        self.control.clone()
    }

    /// Stops accepting work, finishes what is in flight, and closes the database.
    ///
    /// # Errors
    /// If the database could not be closed in order. Acknowledged writes are durable in any case.
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
                tracing::error!(%error, "a task of the server failed");
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
            // The dialler hangs up a call that it placed through the server's own edge, so the edge must outlive it.
            if let Some(edge) = self.edge.take() {
                edge.abandon_after(self.platform.active_calls.all_ended(voipbin_platform::HANG_UP_TIMEOUT));
            }
        }
        // Connections are notified and close. Listeners are aborted without waiting.
        self.stop.send_replace(true);
        for task in &self.tasks {
            task.abort();
        }
    }
}
