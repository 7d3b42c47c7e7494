//! The service inside a test.

use didww_types::{ApiVersion, Feature, Secret};
use uuid::Uuid;

use crate::config::{Config, Database};
use crate::server::{Server, StartError};
use control_plane::{Control, NewAccount};
use http_listener::Limits;
use service_base::clock::Clock;
use service_base::ids::Ids;
use trunk_store::StoreLimits;

/// A server in memory on a random port of loopback, with an account and a key. Dropping it ends it.
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
#[derive(Debug)]
pub struct TestServer {
    server: Server,
    account: Uuid,
    api_key: Secret,
}

/// Builds a [`TestServer`] that differs from the usual one.
#[derive(Debug, Default)]
pub struct TestServerBuilder {
    account: NewAccount,
    clock: Option<Clock>,
    ids: Option<Ids>,
    control_listen: Option<String>,
    callbacks: Option<callbacks::Settings>,
    #[cfg(feature = "sip")]
    sip: Option<crate::config::SipConfig>,
    #[cfg(feature = "voipbin")]
    voipbin: Option<voipbin_platform::PlatformConfig>,
    limits: Limits,
    proxies: crate::Proxies,
    store_limits: StoreLimits,
}

impl TestServer {
    /// Starts the usual one: an account at 2021-12-15 with the outbound plan, without a rate limit.
    ///
    /// # Panics
    /// When it cannot start, for a test has nothing to do then.
    pub async fn start() -> Self {
        Self::builder().start().await
    }

    /// Builds another one.
    pub fn builder() -> TestServerBuilder {
        TestServerBuilder::default()
    }

    /// The base URL for an SDK, such as `http://127.0.0.1:49152/v3`.
    pub fn base_url(&self) -> String {
        self.server.base_url()
    }

    /// The base URL of the communication platform's API, such as `http://127.0.0.1:49152/v1.0`.
    #[cfg(feature = "voipbin")]
    pub fn voipbin_url(&self) -> String {
        self.server.voipbin_url()
    }

    /// The account's key.
    pub fn api_key(&self) -> &str {
        self.api_key.expose()
    }

    /// The account.
    pub fn account(&self) -> Uuid {
        self.account
    }

    /// Acts upon the server: accounts, DIDs, staff, time.
    pub fn control(&self) -> Control {
        self.server.control()
    }

    /// The server itself.
    pub fn server(&self) -> &Server {
        &self.server
    }
}

impl TestServerBuilder {
    /// The version that the account is assigned to.
    #[must_use]
    pub fn version(mut self, version: ApiVersion) -> Self {
        self.account.version = version;
        self
    }

    /// One more feature for the account.
    #[must_use]
    pub fn feature(mut self, feature: Feature) -> Self {
        self.account.features.push(feature);
        self
    }

    /// The account's key.
    #[must_use]
    pub fn api_key(mut self, key: impl Into<Secret>) -> Self {
        self.account.api_key = Some(key.into());
        self
    }

    /// Another time than the system's.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Ids, keys and credentials that are the same for the same seed.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.ids = Some(Ids::seeded(seed));
        self
    }

    /// Other limits than the usual ones.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Believes these proxies when they say whom they ask for.
    #[must_use]
    pub fn proxies(mut self, proxies: crate::Proxies) -> Self {
        self.proxies = proxies;
        self
    }

    /// Other limits of what is stored and read.
    #[must_use]
    pub fn store_limits(mut self, limits: StoreLimits) -> Self {
        self.store_limits = limits;
        self
    }

    /// Serves the control API too, on a random port of loopback.
    #[must_use]
    pub fn control_listener(mut self) -> Self {
        self.control_listen = Some("127.0.0.1:0".to_owned());
        self
    }

    /// Callbacks made in another way. Usually they may go to loopback, where a test's receiver is.
    #[must_use]
    pub fn callbacks(mut self, settings: callbacks::Settings) -> Self {
        self.callbacks = Some(settings);
        self
    }

    /// Takes calls too, on a random port of loopback.
    #[cfg(feature = "sip")]
    #[must_use]
    pub fn sip(mut self) -> Self {
        self.sip = Some(crate::config::SipConfig::at("127.0.0.1:0"));
        self
    }

    /// The communication platform's side works like this. Usually it asks no provider whether it is there, for a test
    /// asks with [`Control::probe_providers`], and calls to SIP URIs may go to loopback, where a test's peers are.
    #[cfg(feature = "voipbin")]
    #[must_use]
    pub fn voipbin(mut self, config: voipbin_platform::PlatformConfig) -> Self {
        self.voipbin = Some(config);
        self
    }

    /// Starts it.
    ///
    /// # Panics
    /// When it cannot start, for a test has nothing to do then.
    pub async fn start(self) -> TestServer {
        // It is large while it starts, and small where it is awaited.
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
            database: Database::Ephemeral,
            api_key: Some(api_key.clone()),
            #[cfg(feature = "sip")]
            sip: self.sip,
            ..Config::default()
        };
        config.http.proxies = self.proxies;
        #[cfg(feature = "voipbin")]
        {
            config.voipbin.platform = self.voipbin.unwrap_or_else(|| {
                let mut near = voipbin_platform::PlatformConfig::default();
                near.probe_interval = std::time::Duration::ZERO;
                near.allow_private_destinations = true;
                near
            });
        }
        let mut near = callbacks::Settings::default();
        near.allow_loopback = true;
        let server = Server::builder(config)
            .clock(self.clock.unwrap_or_default())
            .ids(ids)
            .limits(self.limits)
            .store_limits(self.store_limits)
            .callbacks(self.callbacks.unwrap_or(near))
            .start()
            .await?;
        let control = server.control();
        let account = control.account_of_key(&api_key).map(|account| account.id).unwrap_or_default();
        let mut patch = control_plane::AccountPatch::default();
        patch.version = Some(self.account.version);
        patch.features = Some(self.account.features);
        control.update_account(account, patch).await?;
        Ok(TestServer { server, account, api_key })
    }
}
