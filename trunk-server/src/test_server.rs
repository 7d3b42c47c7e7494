//! A server inside a test.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use control_plane::{Control, NewAccount, World};
use didww_types::{ApiVersion, Feature, Secret};
use http_listener::Limits;
use lab::{Expectations, Fault, FaultState, JournalEntry, Report};
use service_base::clock::Clock;
use service_base::ids::Ids;
use trunk_store::StoreLimits;
use uuid::Uuid;

use crate::config::{Config, Database};
use crate::server::{Server, StartError};

pub use expectation::Expectation;

mod expectation;

/// Maximum number of requests in the journal of a server in a test.
const JOURNAL: usize = 10_000;

/// A server with a database in memory, unless the builder names another one, on a random port of loopback, with one
/// account and its API key. Dropping it stops it.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use trunk_server::{TestServer, control::NewDid};
///
/// let server = TestServer::start().await;
/// server.control().add_did(server.account(), NewDid::new("37061498222")).await?;
/// server.control().clock().freeze(Some("2026-04-08T06:57:33.304Z".parse()?));
/// # Ok(())
/// # }
/// ```
///
/// It keeps a journal of the last 10,000 requests, and can inject faults into requests. Expectations that do not hold
/// when it is dropped fail the test:
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use trunk_server::TestServer;
/// use trunk_server::lab::Fault;
///
/// let server = TestServer::start().await;
/// server.fault(Fault::status(503).path("/v3/dids").nth(1));
/// server.expect("GET", "/v3/dids").at_least(0);
/// assert!(server.received_requests().is_empty());
/// # }
/// ```
#[derive(Debug)]
pub struct TestServer {
    server: Server,
    account: Uuid,
    api_key: Secret,
    expected: Mutex<Expectations>,
}

/// Builds a [`TestServer`] with other settings than the default ones.
#[derive(Debug, Default)]
pub struct TestServerBuilder {
    account: NewAccount,
    #[cfg(feature = "postgres")]
    database: Option<String>,
    clock: Option<Clock>,
    ids: Option<Ids>,
    control_listen: Option<String>,
    api_tls: Option<tls_identity::IdentityFiles>,
    callbacks: Option<callbacks::Settings>,
    callback_secret: Option<Secret>,
    #[cfg(feature = "sip")]
    sip: Option<crate::config::SipConfig>,
    #[cfg(feature = "sip")]
    inbound_calls: Option<inbound_calls::InboundConfig>,
    #[cfg(feature = "voipbin")]
    voipbin: Option<voipbin_platform::PlatformConfig>,
    limits: Limits,
    proxies: crate::Proxies,
    store_limits: StoreLimits,
    tokens: crate::config::TokensConfig,
    prices: crate::config::PricesConfig,
    audit_months: Option<u32>,
    world: Option<World>,
}

impl TestServer {
    /// Starts a server with the default settings: one account at version 2021-12-15 with the outbound plan, and no rate
    /// limit.
    ///
    /// # Panics
    /// If the server cannot start.
    pub async fn start() -> Self {
        Self::builder().start().await
    }

    /// Returns a builder for a server with other settings.
    pub fn builder() -> TestServerBuilder {
        TestServerBuilder::default()
    }

    /// Returns the base URL for an SDK, such as `http://127.0.0.1:49152/v3`.
    pub fn base_url(&self) -> String {
        self.server.base_url()
    }

    /// Returns the base URL of the communication platform's API, such as `http://127.0.0.1:49152/v1.0`.
    #[cfg(feature = "voipbin")]
    pub fn voipbin_url(&self) -> String {
        self.server.voipbin_url()
    }

    /// Returns the URL of the service that mints access tokens, such as `http://127.0.0.1:49152/token`.
    pub fn token_url(&self) -> String {
        self.server.token_url()
    }

    /// Returns the API key of the account.
    pub fn api_key(&self) -> &str {
        self.api_key.expose()
    }

    /// Returns the id of the account.
    pub fn account(&self) -> Uuid {
        self.account
    }

    /// Returns the control of the server: accounts, DIDs, the clock.
    pub fn control(&self) -> Control {
        self.server.control()
    }

    /// Returns the requests to the public APIs, the oldest first: the last 10,000.
    pub fn received_requests(&self) -> Vec<JournalEntry> {
        self.control().received_requests()
    }

    /// Adds a fault. Returns its id.
    ///
    /// # Panics
    /// If it is not valid, or 100 are set.
    pub fn fault(&self, fault: Fault) -> u64 {
        match self.control().add_fault(fault) {
            Ok(FaultState { id, .. }) => id,
            Err(error) => panic!("the fault cannot be set: {error}"),
        }
    }

    /// Returns the number of requests that a fault was applied to; 0 for a fault that was removed.
    pub fn hits(&self, fault: u64) -> u64 {
        self.control().fault(fault).map(|state| state.hits).unwrap_or_default()
    }

    /// Expects requests with this method, to this path, in which `*` is any text: at least one, unless the result is
    /// changed. The expectation is checked by [`verify`](Self::verify), and when the server is dropped.
    pub fn expect(&self, method: impl Into<String>, path: impl Into<String>) -> Expectation<'_> {
        Expectation::add(&self.expected, lab::Expected::new(method, path))
    }

    /// Compares the journal with all expectations so far.
    pub fn report(&self) -> Report {
        let expected = self.expected.lock().unwrap_or_else(PoisonError::into_inner);
        if expected.requests.is_empty() {
            let mut report = Report::default();
            report.passed = true;
            return report;
        }
        // `try_start` enables the journal, so it exists.
        self.control().verify_journal(&expected).unwrap_or_default()
    }

    /// Fails the test if an expectation does not hold.
    ///
    /// # Panics
    /// If one does not; the message names it, with the most similar requests.
    pub fn verify(&self) {
        let report = self.report();
        assert!(report.passed, "the expected requests did not come: {report}");
    }

    /// Returns the server itself, which has addresses that this type does not repeat.
    pub fn server(&self) -> &Server {
        &self.server
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        // A test that fails already reports its own reason.
        if !std::thread::panicking() {
            self.verify();
        }
    }
}

impl TestServerBuilder {
    /// Sets the account's API version, which serves requests that name no newer one.
    #[must_use]
    pub fn version(mut self, version: ApiVersion) -> Self {
        self.account.version = version;
        self
    }

    /// Adds a feature to the account.
    #[must_use]
    pub fn feature(mut self, feature: Feature) -> Self {
        self.account.features.push(feature);
        self
    }

    /// Sets the API key of the account.
    #[must_use]
    pub fn api_key(mut self, key: impl Into<Secret>) -> Self {
        self.account.api_key = Some(key.into());
        self
    }

    /// Uses a database on a PostgreSQL server instead of one in memory: an empty one, or one of `trunk-server`. The URL
    /// is `postgres://USER@HOST/DATABASE`, and may have a password.
    #[cfg(feature = "postgres")]
    #[must_use]
    pub fn database(mut self, url: impl Into<String>) -> Self {
        self.database = Some(url.into());
        self
    }

    /// Sets the clock; by default the system's.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Makes ids, keys and credentials the same for the same seed.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.ids = Some(Ids::seeded(seed));
        self
    }

    /// Fills the server with a world. Its first account is that of the test, with the test's API key beside its own
    /// ones, and with the version and the features that the world states.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use trunk_server::{TestServer, control};
    ///
    /// let world = control::scenario("one-trunk").ok_or("no such scenario")?.world()?;
    /// let server = TestServer::builder().world(world).start().await;
    /// let saved = server.control().save_world(control::SaveOptions::default()).await?;
    /// assert_eq!(saved.accounts[0].records.of("voice_out_trunks").len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn world(mut self, world: World) -> Self {
        self.world = Some(world);
        self
    }

    /// Sets the limits of the HTTP listeners.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Trusts the headers of these proxies about the client's address.
    #[must_use]
    pub fn proxies(mut self, proxies: crate::Proxies) -> Self {
        self.proxies = proxies;
        self
    }

    /// Sets the limits on stored records and on lists.
    #[must_use]
    pub fn store_limits(mut self, limits: StoreLimits) -> Self {
        self.store_limits = limits;
        self
    }

    /// Sets the environment and the listener of the service that mints access tokens. The default is the production
    /// environment and the API's address.
    #[must_use]
    pub fn tokens(mut self, config: crate::config::TokensConfig) -> Self {
        self.tokens = config;
        self
    }

    /// Sets where the price services are served, and their plans. By default the API's listener serves them by the host
    /// of a request, and only outbound calls have a plan, if there is an edge.
    #[must_use]
    pub fn prices(mut self, config: crate::config::PricesConfig) -> Self {
        self.prices = config;
        self
    }

    /// Keeps an audit for this number of months, which [`Control::audit`] reads; 0 to 1200.
    #[must_use]
    pub fn audit_months(mut self, months: u32) -> Self {
        self.audit_months = Some(months);
        self
    }

    /// Enables the control API over HTTP, on a random port of loopback.
    #[must_use]
    pub fn control_listener(mut self) -> Self {
        self.control_listen = Some("127.0.0.1:0".to_owned());
        self
    }

    /// Serves the API over TLS with a certificate and its key, which are in these PEM files.
    #[must_use]
    pub fn tls(mut self, certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        self.api_tls = Some(tls_identity::IdentityFiles { certificate: certificate.into(), key: key.into() });
        self
    }

    /// Adds a callback secret to the account, which signs its callbacks. Without one, no callback is sent.
    #[must_use]
    pub fn callback_secret(mut self, secret: impl Into<Secret>) -> Self {
        self.callback_secret = Some(secret.into());
        self
    }

    /// Sets how callbacks are sent. By default they can go to loopback, where a test's receiver is.
    #[must_use]
    pub fn callbacks(mut self, settings: callbacks::Settings) -> Self {
        self.callbacks = Some(settings);
        self
    }

    /// Enables the carrier edge, on a random port of loopback.
    #[cfg(feature = "sip")]
    #[must_use]
    pub fn sip(mut self) -> Self {
        self.sip = Some(crate::config::SipConfig::at("127.0.0.1:0"));
        self
    }

    /// Sets the configuration of calls to DIDs. By default they can go to loopback, where a test's callees are.
    #[cfg(feature = "sip")]
    #[must_use]
    pub fn inbound_calls(mut self, config: inbound_calls::InboundConfig) -> Self {
        self.inbound_calls = Some(config);
        self
    }

    /// Sets the configuration of the communication platform. By default it does not probe providers on its own, because
    /// a test probes them with [`Control::probe_providers`], and calls to SIP URIs can go to loopback, where a test's
    /// peers are.
    #[cfg(feature = "voipbin")]
    #[must_use]
    pub fn voipbin(mut self, config: voipbin_platform::PlatformConfig) -> Self {
        self.voipbin = Some(config);
        self
    }

    /// Starts the server.
    ///
    /// # Panics
    /// If the server cannot start.
    pub async fn start(self) -> TestServer {
        // The future is large: it is boxed, so that the futures of tests stay small.
        match Box::pin(self.try_start()).await {
            Ok(server) => server,
            Err(error) => panic!("the test server did not start: {error}"),
        }
    }

    async fn try_start(self) -> Result<TestServer, StartError> {
        let ids = self.ids.unwrap_or_default();
        let api_key = self.account.api_key.clone().unwrap_or_else(|| ids.api_key());
        let mut config = Config {
            listen: "127.0.0.1:0".to_owned(),
            control_listen: self.control_listen,
            api_tls: self.api_tls,
            database: Database::Ephemeral,
            journal: JOURNAL,
            api_key: Some(api_key.clone()),
            callback_secret: self.callback_secret,
            #[cfg(feature = "sip")]
            sip: self.sip,
            ..Config::default()
        };
        #[cfg(feature = "postgres")]
        if let Some(url) = self.database {
            config.database = Database::Postgres(crate::config::PostgresDatabase::new(url));
        }
        config.http.proxies = self.proxies;
        config.tokens = self.tokens;
        config.prices = self.prices;
        config.accounts.audit_months = self.audit_months;
        #[cfg(feature = "sip")]
        {
            config.inbound_calls.calls = self.inbound_calls.unwrap_or_else(|| {
                let mut calls = inbound_calls::InboundConfig::default();
                calls.allow_private_destinations = true;
                calls
            });
        }
        #[cfg(feature = "voipbin")]
        {
            config.voipbin.platform = self.voipbin.unwrap_or_else(|| {
                let mut platform = voipbin_platform::PlatformConfig::default();
                platform.probe_interval = std::time::Duration::ZERO;
                platform.allow_private_destinations = true;
                platform
            });
        }
        let mut callbacks = callbacks::Settings::default();
        callbacks.allow_loopback = true;
        let has_world = self.world.is_some();
        let builder = Server::builder(config);
        let builder = match self.world {
            Some(world) => builder.world(world),
            None => builder,
        };
        let server = builder
            .clock(self.clock.unwrap_or_default())
            .ids(ids)
            .limits(self.limits)
            .store_limits(self.store_limits)
            .callbacks(self.callbacks.unwrap_or(callbacks))
            .start()
            .await?;
        let control = server.control();
        let account = control.account_of_key(&api_key).await?.map(|account| account.id).unwrap_or_default();
        if !has_world {
            let mut patch = control_plane::AccountPatch::default();
            patch.version = Some(self.account.version);
            patch.features = Some(self.account.features);
            control.update_account(account, patch).await?;
        }
        Ok(TestServer { server, account, api_key, expected: Mutex::default() })
    }
}
