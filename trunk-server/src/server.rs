//! A server from its configuration to its end.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use didww_types::Secret;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::app::App;
use crate::callbacks;
use crate::clock::Clock;
use crate::config::{Config, Database};
use crate::control::{Control, ControlError, Guard, NewAccount, control_router};
use crate::demo;
use crate::descriptors::{self, Descriptors, Share};
use crate::http::{RateLimits, public_router};
use crate::ids::Ids;
use crate::net;
#[cfg(feature = "sip")]
use crate::net::{Entered, Use};
use crate::serve::{Door, Limits, serve};
use crate::store::{OpenError, SqliteStore, Store, StoreError, StoreLimits};
#[cfg(feature = "voipbin")]
use crate::voipbin::Platform;

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
    Edge(#[from] crate::edge::EdgeError),
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
    Dialler(#[from] crate::voipbin::DiallerError),
    /// The first account or the demo set could not be made.
    #[error("the account could not be set up: {0}")]
    Setup(#[from] ControlError),
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
    app: Arc<App>,
    address: SocketAddr,
    control_address: Option<SocketAddr>,
    new_key: Option<Secret>,
    accounts_before: Option<usize>,
    made_its_database: bool,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
    /// The places of the listeners among our own sockets.
    #[cfg(feature = "sip")]
    _own: Vec<Entered>,
    #[cfg(feature = "sip")]
    edge: Option<crate::edge::Edge>,
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
        let made_its_database = match &config.database {
            Database::File(file) => std::fs::metadata(file).map_or(true, |file| file.len() == 0),
            Database::Ephemeral => true,
        };
        let store: Arc<dyn Store> = Arc::new(match &config.database {
            Database::File(file) => SqliteStore::open_with(file, store_limits)?,
            Database::Ephemeral => SqliteStore::in_memory_with(store_limits)?,
        });
        let descriptors = Descriptors::new(descriptors::open_files());
        #[cfg(feature = "voipbin")]
        let room = descriptors.most(Share::Outgoing);
        #[cfg(feature = "voipbin")]
        let platform =
            Platform::load(&*store, &clock, &ids, config.voipbin.platform.clone(), limits.guesses, room)
                .await?;
        let mut app = App::new(
            store,
            clock,
            ids,
            callbacks,
            config.public_url.clone(),
            limits,
            descriptors,
            #[cfg(feature = "voipbin")]
            platform,
        );
        app.rates = RateLimits::new(config.accounts.rate(address.ip().to_canonical().is_loopback()));
        let app = Arc::new(app);
        #[cfg(feature = "sip")]
        let edge = match edge {
            Some((edge, asked)) => start_edge(&app, edge, asked).await?,
            None => None,
        };
        #[cfg(feature = "voipbin")]
        let platform_tasks =
            crate::voipbin::start(&app, edge.as_ref().map(crate::edge::Edge::address)).await?;
        #[cfg(feature = "voipbin")]
        if let Some((username, password)) = &config.voipbin.admin {
            Control::new(Arc::clone(&app)).ensure_super_admin(username, password.clone()).await?;
        }
        // Nothing may fail after the first account is made: its key is said once.
        let FirstAccount { new_key, accounts_before } =
            first_account(&Control::new(Arc::clone(&app)), &config).await?;

        let (stop, stopped) = watch::channel(false);
        let mut tasks = Vec::new();
        #[cfg(feature = "sip")]
        let mut own = vec![app.own.enter(address, Use::Other)];
        let mut control_address = None;
        if let Some((listener, at, host)) = control_listener {
            control_address = Some(at);
            let guard = Guard { token: config.control_token.clone(), host };
            let router = control_router(Arc::clone(&app), guard);
            let door = door(&app, &config, control_limits, Share::Control);
            tasks.push(tokio::spawn(serve(listener, router, door, stopped.clone())));
            #[cfg(feature = "sip")]
            own.push(app.own.enter(at, Use::Other));
        }
        #[cfg(feature = "voipbin")]
        tasks.push(tokio::spawn(ended_with(platform_tasks, stopped.clone())));
        tasks.push(tokio::spawn(callbacks::run(Arc::clone(&app), stopped.clone())));
        let door = door(&app, &config, limits, Share::Api);
        tasks.push(tokio::spawn(serve(listener, public_router(Arc::clone(&app)), door, stopped)));
        Ok(Server {
            app,
            address,
            control_address,
            new_key,
            accounts_before,
            made_its_database,
            stop,
            tasks,
            #[cfg(feature = "sip")]
            _own: own,
            #[cfg(feature = "sip")]
            edge,
        })
    }
}

/// What a listener is served with.
fn door(app: &App, config: &Config, limits: Limits, share: Share) -> Door {
    let (proxies, descriptors) = (config.http.proxies.clone(), app.descriptors.clone());
    Door { limits, proxies, descriptors, share, clock: app.clock.clone() }
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
    app: &Arc<App>,
    config: crate::edge::EdgeConfig,
    asked: bool,
) -> Result<Option<crate::edge::Edge>, StartError> {
    use crate::edge::{Edge, EdgeError};
    match Edge::start(Arc::clone(app), config).await {
        Ok(edge) => {
            // The first and only edge of this server.
            let _first = app.edge.set(Arc::downgrade(edge.inner()));
            Ok(Some(edge))
        }
        Err(error @ EdgeError::Listen { .. }) if !asked => {
            tracing::warn!(%error, "no calls are taken; name another address with --sip-listen");
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
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
    let new = NewAccount { api_key: config.api_key.clone(), ..NewAccount::named(name) };
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
        self.edge.as_ref().map(crate::edge::Edge::address)
    }

    /// Where SIP is taken over TLS.
    #[cfg(feature = "sip")]
    pub fn sip_tls_address(&self) -> Option<SocketAddr> {
        self.edge.as_ref().and_then(crate::edge::Edge::tls_address)
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
        Control::new(Arc::clone(&self.app))
    }

    /// Takes no more work, lets what is in flight finish, and makes everything durable.
    ///
    /// # Errors
    /// When the database could not be closed in order. What was acknowledged is durable all the same.
    pub async fn stop(mut self) -> Result<(), StoreError> {
        self.app.stop_taking_work();
        #[cfg(feature = "voipbin")]
        crate::voipbin::stop(&self.app).await;
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
        self.app.store.close().await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.app.stop_taking_work();
        #[cfg(feature = "voipbin")]
        {
            crate::voipbin::abandon(&self.app);
            // A call that goes out through the own edge is hung up by whoever placed it.
            if let Some(edge) = self.edge.take() {
                edge.abandon_after(self.app.platform.live.over(crate::voipbin::HANGING_UP));
            }
        }
        // Connections hear of it and end; the listeners are not waited for.
        self.stop.send_replace(true);
        for task in &self.tasks {
            task.abort();
        }
    }
}
