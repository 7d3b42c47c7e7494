//! Starting and stopping a server: the composition of all services from a configuration.

mod accounts;
mod addresses;
#[cfg(feature = "sip")]
mod edge;
mod error;
mod jobs;
mod lab_surroundings;
mod listeners;
mod live;
#[cfg(feature = "voipbin")]
mod platform;
mod reference;
mod running;
mod world;

use std::net::SocketAddr;
use std::sync::Arc;

#[cfg(feature = "sip")]
use control_plane::TrunkPass;
use control_plane::{Control, ControlAuth, ControlToken, World, control_router};
use didww_api::PriceService;
use didww_types::Secret;
#[cfg(not(feature = "voipbin"))]
use http_listener::Router;
use http_listener::{Handler, Limits, PROTOCOLS, RateLimits};
use lab::Lab;
use metrics::{Metrics, metrics_router};
use service_base::boxed::Boxed;
use service_base::clock::Clock;
use service_base::descriptors::{self, Descriptors, Share};
use service_base::ids::Ids;
#[cfg(feature = "sip")]
use service_base::net::Entered;
use service_core::{Core, Outbox};
use tls_identity::Identity;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use trunk_store::{SqliteStore, Store, StoreError, StoreLimits};
use uuid::Uuid;
#[cfg(feature = "voipbin")]
use voipbin_platform::Platform;

#[cfg(feature = "sip")]
use accounts::MAX_NAMED;
use accounts::{AccountsAtStart, prepare_accounts};
#[cfg(feature = "sip")]
use edge::{edge_config, log_open_trunks, message_log, start_edge, start_inbound};
use listeners::{Guarded, Listeners, is_on_loopback};
#[cfg(feature = "voipbin")]
use platform::{limit_webhooks, prepare_platform, start_platform};
use reference::prepare_reference;
use running::{Running, control_paths};
use world::prepare_world;

#[cfg(not(feature = "postgres"))]
use crate::config::ConfigError;
use crate::config::{Config, Database, PostgresDatabase};

pub use error::StartError;

/// Builds a [`Server`]. A test can replace its clock, ids, limits and callbacks.
#[derive(Debug)]
pub struct ServerBuilder {
    config: Config,
    clock: Clock,
    ids: Ids,
    limits: Limits,
    store_limits: StoreLimits,
    callbacks: callbacks::Settings,
    world: Option<World>,
}

/// A running server. [`stop`](Self::stop) completes the requests in progress. Dropping the server ends it at once,
/// except for active calls: these hang up in the background while the runtime lives, and the database is closed after
/// them.
#[derive(Debug)]
pub struct Server {
    core: Arc<Core>,
    control: Control,
    address: SocketAddr,
    control_address: Option<SocketAddr>,
    metrics_address: Option<SocketAddr>,
    /// Whether the API and the tokens are served over TLS.
    is_secured: bool,
    token_address: SocketAddr,
    /// The price services with listeners of their own.
    price_addresses: Vec<(PriceService, SocketAddr)>,
    accounts: AccountsAtStart,
    created_database: bool,
    /// The certificates that are read again when their files change.
    identities: Vec<Arc<Identity>>,
    control_token: ControlToken,
    rates: Arc<RateLimits>,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
    #[cfg(feature = "voipbin")]
    platform: Arc<Platform>,
    /// The entries of the HTTP listeners in the register of the server's own sockets.
    #[cfg(feature = "sip")]
    _own_sockets: Vec<Entered>,
    #[cfg(feature = "sip")]
    edge: Option<carrier_edge::Edge>,
    #[cfg(feature = "sip")]
    inbound: Arc<inbound_calls::InboundCalls>,
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

    /// Sets the limits on stored records and on lists.
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

    /// Sets the world that fills a new database, instead of that of the configuration.
    #[must_use]
    pub fn world(mut self, world: World) -> Self {
        self.world = Some(world);
        self
    }

    /// Opens the database, listens, and serves.
    ///
    /// # Errors
    /// If a part cannot start; then nothing is served.
    pub fn start(self) -> Boxed<'static, Result<Server, StartError>> {
        Box::pin(self.open())
    }

    #[expect(clippy::too_many_lines, reason = "the order of a start is read in one place")]
    async fn open(self) -> Result<Server, StartError> {
        let Self { config, clock, ids, limits, mut store_limits, mut callbacks, world } = self;
        let control_limits = config.http.control_limits(limits);
        let limits = config.http.limits(limits);
        store_limits.records = store_limits.records.or(config.accounts.max_records());
        callbacks.allow_loopback |= config.allow_loopback_callbacks;
        let lab = Lab::new(clock.clone(), config.journal);
        callbacks.lab = lab.clone();
        #[cfg(feature = "sip")]
        let edge = edge_config(&config, &mut callbacks)?;
        #[cfg(feature = "sip")]
        let rates = edge.as_ref().map(|(edge, _)| edge.rates.clone());
        #[cfg(not(feature = "sip"))]
        let rates = None;
        #[cfg(feature = "voipbin")]
        limit_webhooks(&mut callbacks, &config.voipbin.platform);
        let identity = config.api_tls.clone().map(|files| Identity::load(files, &PROTOCOLS)).transpose()?;
        let listeners = Listeners::open(&config).await?;
        let address = listeners.api.1;
        let (store, created_database) = open_store(&config.database, store_limits, &ids).await?;
        let core = Arc::new(Core::new(
            store,
            clock,
            ids,
            Outbox::new(callbacks.on_manual_block),
            Descriptors::new(descriptors::open_files()),
            limits.guesses,
        ));
        // Before any call is rated by them.
        core.price_plans.begin(&*core.store).await.map_err(StartError::PricePlans)?;
        #[cfg(not(feature = "voipbin"))]
        prepare_reference(&core, &config.reference_data).await?;
        // Concurrently: in a new database, one task writes while the other still reads.
        #[cfg(feature = "voipbin")]
        let platform = {
            let load = Platform::load(Arc::clone(&core), config.voipbin.platform.clone(), limits);
            let load = async { load.await.map_err(StartError::from) };
            let (platform, ()) = tokio::try_join!(load, prepare_reference(&core, &config.reference_data))?;
            Arc::new(platform)
        };
        // The edge reads all trunks in any case.
        let mut pass = None;
        #[cfg(feature = "sip")]
        let messages = message_log(edge.as_ref().map(|(edge, _)| edge), &core.clock);
        #[cfg(feature = "sip")]
        let edge = match edge {
            Some((edge, is_explicit)) => {
                let pass = pass.insert(TrunkPass::new(MAX_NAMED));
                start_edge(&core, edge, is_explicit, messages.clone(), pass).await?
            }
            None => None,
        };
        #[cfg(feature = "voipbin")]
        let platform_jobs = start_platform(&platform, edge.as_ref(), messages.clone()).await?;
        #[cfg(feature = "sip")]
        let inbound = start_inbound(&core, &config, edge.as_ref(), messages.clone()).await?;
        #[cfg(feature = "sip")]
        let has_edge = edge.is_some();
        #[cfg(not(feature = "sip"))]
        let has_edge = false;
        // Only calls through the edge are charged.
        let rates = rates.filter(|_| has_edge);
        let prices = config.prices.services(rates.as_ref(), core.clock.now())?;
        let control = Control::new(
            Arc::clone(&core),
            #[cfg(feature = "voipbin")]
            Arc::clone(&platform),
            #[cfg(feature = "sip")]
            edge.as_ref().map(carrier_edge::Edge::handle),
            #[cfg(feature = "sip")]
            messages,
        )
        .of_environment(config.tokens.environment())
        .with_lab(lab.clone());
        #[cfg(feature = "sip")]
        let control = control.with_inbound_calls(Arc::clone(&inbound));
        #[cfg(feature = "voipbin")]
        prepare_platform(&control, &config).await?;
        let (stop, stopped) = watch::channel(false);
        let mut running = Running::new(Arc::clone(&core), config.http.proxies.clone(), stopped);
        running.counts_requests = listeners.metrics.is_some() || listeners.control.is_some();
        running.identity.clone_from(&identity);
        running.lab = lab;
        running.follow_price_plans();
        if !has_edge {
            running.join_cluster().await?;
        }
        let new_key = prepare_world(&control, &config, world, &mut pass).await?;
        // Nothing after this can fail: the key of the first account is printed only once.
        let mut accounts = prepare_accounts(&control, &config, pass).await?;
        accounts.new_key = accounts.new_key.or(new_key);
        #[cfg(feature = "sip")]
        if edge.is_some() {
            log_open_trunks(&accounts.survey.open);
        }

        let months = config.accounts.months_of_audit();
        let jobs = jobs::of_every_server(&core, months);
        // Records that the start itself stores have no audit entry.
        if months > 0 {
            core.audit.enable();
        }
        #[cfg(feature = "sip")]
        let jobs = edge.iter().fold(jobs, |jobs, edge| jobs.and(edge.jobs())).and(inbound.jobs());
        #[cfg(feature = "voipbin")]
        let jobs = jobs.and(platform_jobs);
        #[cfg(feature = "voipbin")]
        let platform_api = voipbin_platform::router(Arc::clone(&platform));
        #[cfg(not(feature = "voipbin"))]
        let platform_api = Router::new();
        let price_addresses = listeners.prices.iter().map(|(service, _, at)| (*service, *at)).collect();
        let prices = (prices, listeners.prices);
        let rates = config.accounts.max_rate(is_on_loopback(address));
        let rates = Arc::new(RateLimits::shared(rates, &core));
        running.rates = Arc::clone(&rates);
        let (token_address, owners) =
            running.serve_apis(listeners.api, listeners.tokens, prices, &config, limits, platform_api);
        let control_counts =
            if listeners.control.is_some() { running.counts("control", control_paths) } else { None };
        let control = control.with_request_counts(running.counts.clone());
        let control_token = ControlToken::new(config.control_token.clone());
        let control_address = listeners.control.map(|Guarded { listener, at, host }| {
            let auth = ControlAuth { token: control_token.clone(), host };
            let control = control.clone();
            let handler =
                move || Handler::from(control_router(control, auth, limits, owners, web_console::router()));
            running.serve_made((listener, at), handler, control_limits, Share::Control, control_counts);
            at
        });
        let metrics_address = listeners.metrics.map(|listener| {
            let metrics = Metrics::new(
                Arc::clone(&core),
                env!("CARGO_PKG_VERSION"),
                running.counts.clone(),
                #[cfg(feature = "sip")]
                edge.as_ref().map(carrier_edge::Edge::handle),
                #[cfg(feature = "sip")]
                Arc::clone(&inbound),
                #[cfg(feature = "voipbin")]
                Arc::clone(&platform),
            );
            serve_metrics(&mut running, listener, metrics, control_limits)
        });
        let identities = identity.clone().into_iter();
        #[cfg(feature = "sip")]
        let identities = identities.chain(edge.as_ref().and_then(carrier_edge::Edge::tls_identity));
        let identities: Vec<_> = identities.collect();
        running.watch_certificates(&identities);
        // After the listeners, so that overdue jobs do not delay the first request.
        running.run_jobs(jobs, callbacks);
        Ok(Server {
            core,
            control,
            address,
            control_address,
            metrics_address,
            is_secured: identity.is_some(),
            identities,
            control_token,
            rates,
            accounts,
            token_address,
            price_addresses,
            created_database,
            stop,
            tasks: running.tasks,
            #[cfg(feature = "voipbin")]
            platform,
            #[cfg(feature = "sip")]
            _own_sockets: running.own_sockets,
            #[cfg(feature = "sip")]
            edge,
            #[cfg(feature = "sip")]
            inbound,
        })
    }
}

/// Opens the database. Returns it, and whether it is a new file.
async fn open_store(
    database: &Database,
    limits: StoreLimits,
    ids: &Ids,
) -> Result<(Arc<dyn Store>, bool), StartError> {
    Ok(match database {
        Database::File(file) => {
            let is_new = std::fs::metadata(file).map_or(true, |file| file.len() == 0);
            (Arc::new(SqliteStore::open_with(file, limits)?), is_new)
        }
        Database::Ephemeral => (Arc::new(SqliteStore::in_memory_with(limits)?), true),
        Database::Postgres(database) => (open_postgres(database, limits, ids).await?, false),
    })
}

#[cfg(feature = "postgres")]
async fn open_postgres(
    database: &PostgresDatabase,
    limits: StoreLimits,
    ids: &Ids,
) -> Result<Arc<dyn Store>, StartError> {
    let mut options = trunk_store::PostgresOptions::new(database.url.expose());
    options.listen = database.listen.as_ref().map(|url| url.expose().to_owned());
    options.connections = database.connections;
    options.limits = limits;
    options.ids = ids.clone();
    options.node = None;
    let opened = trunk_store::PostgresStore::open(options).await;
    Ok(Arc::new(opened.map_err(|error| StartError::OpenPostgres(database.shown(), error))?))
}

#[cfg(not(feature = "postgres"))]
async fn open_postgres(
    database: &PostgresDatabase,
    _limits: StoreLimits,
    _ids: &Ids,
) -> Result<Arc<dyn Store>, StartError> {
    let expected = "give a file, or build trunk-server with its feature `postgres`";
    Err(ConfigError::Value { name: "database", given: database.shown(), expected }.into())
}

/// Maximum number of connections to the metrics: there are few scrapers.
const METRICS_CONNECTIONS: usize = 64;

/// Serves the metrics. Returns their address.
fn serve_metrics(
    running: &mut Running,
    Guarded { listener, at, host }: Guarded,
    metrics: Metrics,
    mut limits: Limits,
) -> SocketAddr {
    limits.connections = METRICS_CONNECTIONS;
    let router = metrics_router(Arc::new(metrics), is_on_loopback(at).then_some(host));
    running.serve((listener, at), router, limits, Share::Control, None);
    at
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
            world: None,
        }
    }

    /// Reads the files of certificates again, which otherwise happens within some seconds after they changed. The log
    /// names files that cannot be used; the previous certificates remain in use then.
    pub fn reload_certificates(&self) {
        tls_identity::reload_all(&self.identities);
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

    /// Returns the accounts that had trunks with a callback URL and no enabled callback secret at the start: no
    /// callback of theirs is sent.
    pub fn unsigned_accounts(&self) -> &[Uuid] {
        &self.accounts.survey.unsigned_accounts
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

    /// Waits until another server on the same database has declared this one dead, because it wrote no heartbeat for
    /// ten seconds. Its calls have ended then; it must be stopped, and its process restarted.
    pub async fn retired(&self) {
        self.core.retired().await;
    }

    /// Stops accepting work, completes requests and calls in progress, and closes the database. Calls of VoIPBIN and
    /// calls to DIDs are ended concurrently.
    ///
    /// # Errors
    /// If the database could not be closed in order. Acknowledged writes are durable in any case.
    pub async fn stop(mut self) -> Result<(), StoreError> {
        self.core.stop_taking_work();
        #[cfg(feature = "voipbin")]
        tokio::join!(voipbin_platform::stop(&self.platform), self.inbound.stop());
        #[cfg(all(feature = "sip", not(feature = "voipbin")))]
        self.inbound.stop().await;
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
        #[cfg(feature = "sip")]
        self.inbound.abandon();
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
