//! What the platform's parts share.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::Range;
use std::sync::Arc;
use std::sync::OnceLock;
use std::time::Duration;

use didww_types::Secret;
use didww_types::values::IpNetworks;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use uuid::Uuid;

use super::customers::Directory;
use super::entity::{Entity, Kind};
use super::hashing::HashingLane;
use super::known::KnownEntities;
use super::live::LiveCalls;
use super::moment::Moments;
use super::sip_gateway::SipGateway;
use http_listener::Limits;
use service_base::descriptors::Share;
use service_base::guessing::Guesses;
use service_base::limiter::{Limiter, Rate};
use service_core::Core;
use sip_dialler::{Dialler, DiallerConfig};
use trunk_store::{DocumentKind, StoreError};

/// How the communication platform's side works.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PlatformConfig {
    /// The address that calls go out from; the machine's own choice when it is none.
    pub sip_bind: Option<IpAddr>,
    /// What carriers are told that calls come from, when a trunk is set up there: `sip_bind` when it is none, and
    /// everywhere when that is none too.
    pub source_networks: Option<IpNetworks>,
    /// Where others reach the platform by SIP, as carriers are told that want to know it. None cannot be set up at
    /// those.
    pub sip_gateway: Option<SipGateway>,
    /// How long carriers' APIs may take while a provider is set up.
    pub carrier_patience: CarrierPatience,
    /// The ports that calls' media uses.
    pub rtp_ports: Range<u16>,
    /// Where hosts of providers really are: name to `host:port` or `host`; `edge` is this server's own edge. A
    /// name stands for every name that ends with it, too: `out.didww.com` for `nyc.us.out.didww.com`.
    pub hosts: BTreeMap<String, String>,
    /// Whether calls to SIP URIs may go to addresses that are not public: this machine, its own edge included, and
    /// private networks. For tests and development: whoever may call can send INVITEs to every service there.
    pub allow_private_destinations: bool,
    /// How long a call rings before it is given up.
    pub ring_timeout: Duration,
    /// Longest time that a call may take.
    pub longest_call: Duration,
    /// How often providers are asked whether they are there; zero never asks.
    pub probe_interval: Duration,
    /// Requests a second and at once of one address to the API; zero is no limit.
    pub ip_rate: (u32, u32),
    /// Requests a second and at once of one customer; zero is no limit.
    pub customer_rate: (u32, u32),
    /// Requests a second and at once of one address to log in; zero is no limit. Who logged in from there with the
    /// same name before is not counted.
    pub login_rate: (u32, u32),
    /// Most calls at once; each takes a file that the process may have open.
    pub calls: usize,
    /// Most of them of one customer. None is 500, or half of those that open files have room for if that is less.
    pub calls_per_customer: Option<usize>,
    /// Months for which calls that are over are kept, the current one included; zero keeps them for ever. Records of
    /// provider calls and flows are kept as long as one of their calls is.
    pub keep_months: u32,
    /// Most events of one customer that wait to be told; as `callbacks::Settings` say when it is none.
    pub webhooks_waiting: Option<u64>,
    /// Longest time for which a customer's event waits; as `callbacks::Settings` say when it is none.
    pub webhook_age: Option<Duration>,
}

/// How long a carrier's API may take while a provider is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct CarrierPatience {
    /// One of the requests; known to be 10 seconds on the running platform.
    pub request: Duration,
    /// All of them together; known to be 30 seconds. A carrier that is asked once has this for its one request.
    pub setup: Duration,
    /// To take away one of the things that were made for nothing.
    pub undo: Duration,
}

impl Default for CarrierPatience {
    fn default() -> Self {
        Self {
            request: Duration::from_secs(10),
            setup: Duration::from_secs(30),
            undo: Duration::from_secs(5),
        }
    }
}

impl Default for PlatformConfig {
    fn default() -> Self {
        Self {
            sip_bind: None,
            source_networks: None,
            sip_gateway: None,
            carrier_patience: CarrierPatience::default(),
            rtp_ports: 40_000..50_000,
            hosts: BTreeMap::new(),
            allow_private_destinations: false,
            ring_timeout: Duration::from_mins(1),
            longest_call: Duration::from_hours(1),
            probe_interval: Duration::from_secs(30),
            ip_rate: (0, 0),
            customer_rate: (0, 0),
            login_rate: (10, 20),
            calls: 20_000,
            calls_per_customer: None,
            keep_months: 3,
            webhooks_waiting: None,
            webhook_age: None,
        }
    }
}

impl PlatformConfig {
    /// What carriers are told that calls come from.
    pub fn source_networks(&self) -> IpNetworks {
        let bind = self.sip_bind.filter(|address| !address.is_unspecified());
        let known = self.source_networks.clone();
        known.unwrap_or_else(|| {
            let text = bind.map_or_else(|| "0.0.0.0/0".to_owned(), |address| address.to_string());
            IpNetworks::parse([text]).unwrap_or_default()
        })
    }

    /// How calls go out, on a server whose edge is here.
    pub fn dialler(&self, edge: Option<SocketAddr>) -> DiallerConfig {
        let place = |place: &String| match (place.as_str(), edge) {
            ("edge", Some(edge)) => edge.to_string(),
            _ => place.clone(),
        };
        // Loopback reaches only loopback, and is right where the edge is there.
        let near = edge.map(|edge| edge.ip()).filter(IpAddr::is_loopback);
        let listen = self.sip_bind.or(near).unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        DiallerConfig {
            rtp_ports: self.rtp_ports.clone(),
            allow_private: self.allow_private_destinations,
            hosts: self.hosts.iter().map(|(name, at)| (name.clone(), place(at))).collect(),
            ring_timeout: self.ring_timeout,
            ..DiallerConfig::new(listen)
        }
    }
}

/// Most calls of one customer where nothing is said.
const USUAL_OF_CUSTOMER: usize = 500;

/// The platform of a running server.
pub struct Platform {
    pub core: Arc<Core>,
    pub config: PlatformConfig,
    /// What a client may take.
    pub limits: Limits,
    pub moments: Moments,
    /// What tokens are signed with.
    pub signing: Secret,
    pub directory: Directory,
    pub known: Arc<KnownEntities>,
    /// Held by whoever changes customers and what belongs to them.
    pub changes: Mutex<()>,
    pub live: LiveCalls,
    /// Set once calls can be placed.
    pub dialler: OnceLock<Arc<Dialler>>,
    pub by_address: Limiter<IpAddr>,
    pub by_customer: Limiter<Uuid>,
    pub login_rates: Limiter<IpAddr>,
    /// Logins that failed.
    pub logins: Guesses,
    /// Where passwords are hashed.
    pub hashing: HashingLane,
}

impl std::fmt::Debug for Platform {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Platform").field("config", &self.config).finish_non_exhaustive()
    }
}

/// What the platform itself must remember: what its tokens are signed with.
struct Remembered;

impl Kind for Remembered {
    const KIND: DocumentKind = DocumentKind::Platform;
    type Wire = ();
    type Own = Option<Signing>;
}

#[derive(Clone, Serialize, Deserialize)]
struct Signing {
    secret: Secret,
}

impl Platform {
    /// Reads what there is. Calls have room as far as descriptors have.
    pub async fn load(core: Arc<Core>, config: PlatformConfig, limits: Limits) -> Result<Self, StoreError> {
        let (store, ids) = (&*core.store, &core.ids);
        let room = core.descriptors.max_for(Share::Outgoing);
        let moments = Moments::after(core.clock.clone(), store.newest_document().await?);
        let signing = if let Some(Signing { secret }) =
            Entity::<Remembered>::find(store, Uuid::nil()).await?.and_then(|it| it.own)
        {
            secret
        } else {
            let signing = Signing { secret: ids.token() };
            let entity = Entity::<Remembered>::new(
                Uuid::nil(),
                Uuid::nil(),
                moments.next(),
                (),
                Some(signing.clone()),
            );
            store.commit(vec![entity.put()]).await?;
            signing.secret
        };
        let known = Arc::new(KnownEntities::default());
        store.observe_documents(known.clone());
        let of_customer = room.div_ceil(2).min(USUAL_OF_CUSTOMER);
        let hashing = HashingLane::start()
            .map_err(|error| StoreError::Failed(format!("no thread to hash passwords: {error}")))?;
        Ok(Self {
            known,
            moments,
            signing,
            directory: Directory::load(store).await?,
            changes: Mutex::new(()),
            live: LiveCalls::new(config.calls.min(room), config.calls_per_customer.unwrap_or(of_customer)),
            dialler: OnceLock::new(),
            by_address: Limiter::default(),
            by_customer: Limiter::default(),
            login_rates: Limiter::default(),
            logins: Guesses::new("logins", limits.guesses),
            hashing,
            config,
            limits,
            core,
        })
    }
}

pub(crate) fn rate((per_second, burst): (u32, u32)) -> Rate {
    Rate::per_second(per_second, burst)
}
