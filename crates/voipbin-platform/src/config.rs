//! The configuration of the platform, and the dialler's configuration that follows from it.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::Range;
use std::time::Duration;

use didww_types::values::IpNetworks;
use sip_dialler::DiallerConfig;

use crate::sip_gateway::SipGateway;

/// The host of providers whose trunk is one of this server's own: it always leads to the server's own carrier
/// edge. Names below `localhost` are never looked up in the DNS (RFC 6761), so that it shadows no other host.
pub(crate) const EDGE_HOST: &str = "edge.localhost";

/// The configuration of the platform.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PlatformConfig {
    /// The local address that calls are sent from. If `None`, the system selects one.
    pub sip_bind: Option<IpAddr>,
    /// The networks from which carriers are configured to accept calls when a trunk is set up there. None means
    /// `sip_bind`, or every address when `sip_bind` is none or unspecified.
    pub source_networks: Option<IpNetworks>,
    /// The platform's public SIP address, for carriers that require one. With none, no provider can be set up
    /// at those carriers.
    pub sip_gateway: Option<SipGateway>,
    /// Time limits for carriers' APIs while a provider is set up.
    pub carrier_timeouts: CarrierTimeouts,
    /// The UDP ports for the media of calls.
    pub rtp_ports: Range<u16>,
    /// Replacements for the hosts of providers: from a name to `host:port`, `host`, or `edge` for this
    /// server's own carrier edge. A name also applies to every name below it: `out.didww.com` to
    /// `nyc.us.out.didww.com`.
    pub hosts: BTreeMap<String, String>,
    /// Whether calls to SIP URIs may go to addresses that are not public: private networks and this machine,
    /// including its own edge. For tests and development: every caller who may place calls can then send
    /// INVITEs to every service there.
    pub allow_private_destinations: bool,
    /// How long a call may ring before it is cancelled.
    pub ring_timeout: Duration,
    /// The longest duration of a call, from its first INVITE on. A longer call is hung up.
    pub longest_call: Duration,
    /// The interval of the health checks of providers; zero disables them.
    pub probe_interval: Duration,
    /// Requests of one client address to the API: sustained rate per second, and burst. Zero means no limit.
    pub ip_rate: (u32, u32),
    /// Requests of one customer: sustained rate per second, and burst. Zero means no limit.
    pub customer_rate: (u32, u32),
    /// Login requests of one client address: sustained rate per second, and burst. Zero means no limit. A
    /// username that logged in from the same address before is exempt.
    pub login_rate: (u32, u32),
    /// Maximum number of active calls at once. Each needs a file descriptor.
    pub calls: usize,
    /// Maximum number of active calls of one customer. None means 500, or half of the calls that the limit on file
    /// descriptors permits if that is less.
    pub calls_per_customer: Option<usize>,
    /// How many months calls are kept after they ended, including the current month; zero keeps them for
    /// ever. Provider calls and flows are kept as long as one of their calls is.
    pub keep_months: u32,
    /// Maximum number of webhook events of one customer that wait for delivery. None means the default of
    /// `callbacks::Settings`.
    pub webhooks_waiting: Option<u64>,
    /// How long a webhook event may wait for delivery. None means the default of `callbacks::Settings`.
    pub webhook_age: Option<Duration>,
}

/// Time limits for a carrier's API while a provider is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct CarrierTimeouts {
    /// For one request; 10 seconds by default, as on VoIPBIN's own platform.
    pub request: Duration,
    /// For all requests of a setup together; 30 seconds by default, as on VoIPBIN's own platform. For a
    /// carrier that needs a single request, this is the limit of that request.
    pub setup: Duration,
    /// For deleting one of the objects that a failed setup created at the carrier; 5 seconds by default.
    pub undo: Duration,
}

impl Default for CarrierTimeouts {
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
            carrier_timeouts: CarrierTimeouts::default(),
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
    /// The networks from which carriers are configured to accept calls: see the field.
    pub fn source_networks(&self) -> IpNetworks {
        let bind = self.sip_bind.filter(|address| !address.is_unspecified());
        self.source_networks.clone().unwrap_or_else(|| {
            let text = bind.map_or_else(|| "0.0.0.0/0".to_owned(), |address| address.to_string());
            IpNetworks::parse([text]).unwrap_or_default()
        })
    }

    /// Whether a new trunk accepts calls from every address: neither `source_networks` nor `sip_bind` limits it.
    pub(crate) fn accepts_every_source(&self) -> bool {
        self.source_networks().has_every_address()
    }

    /// Whether the host map replaces a host: it names the host, or a name above it.
    pub(crate) fn maps(&self, host: &str) -> bool {
        self.hosts.keys().any(|name| {
            let above = host.strip_suffix(name.to_ascii_lowercase().trim_end_matches('.'));
            above.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        })
    }

    /// The dialler's configuration on a server with this edge, if it has one.
    pub fn dialler(&self, edge: Option<SocketAddr>) -> DiallerConfig {
        let target = |target: &String| match (target.as_str(), edge) {
            ("edge", Some(edge)) => edge.to_string(),
            _ => target.clone(),
        };
        // From a loopback address only loopback addresses can be reached: it fits if the edge has one.
        let loopback = edge.map(|edge| edge.ip()).filter(IpAddr::is_loopback);
        let listen = self.sip_bind.or(loopback).unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let own = edge.map(|edge| (EDGE_HOST.to_owned(), edge.to_string()));
        let mapped = self.hosts.iter().map(|(name, host)| (name.clone(), target(host)));
        DiallerConfig {
            rtp_ports: self.rtp_ports.clone(),
            allow_private: self.allow_private_destinations,
            hosts: own.into_iter().chain(mapped).collect(),
            ring_timeout: self.ring_timeout,
            ..DiallerConfig::new(listen)
        }
    }
}
