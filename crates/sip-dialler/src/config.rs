//! The configuration of a dialler, and the errors of its start and of its probes.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use service_base::descriptors::{self, Descriptors};
use service_base::net::OwnSockets;
use sip_transport::streams::Limits;
use sip_transport::{Connections, MessageLog};
use trunk_rules::carrier::Codec;

/// The configuration of a dialler, which is read once, at its start.
#[derive(Debug, Clone)]
pub struct DiallerConfig {
    /// The address for SIP over UDP and TCP, and the source address of media. Carriers of the other address
    /// family cannot be called.
    pub listen: IpAddr,
    /// The port for SIP; 0 for any free port. Default: 0.
    pub port: u16,
    /// The address that carriers receive in `Via`, `Contact` and SDP. Default: `listen`, or, if that is
    /// unspecified, the source address of the route to the carrier.
    pub advertise: Option<IpAddr>,
    /// The ports for RTP, of which the even ones are used. Default: 32768 to 49151.
    pub rtp_ports: Range<u16>,
    /// The host map: host names whose location differs from DNS, as `host[:port]` or `address[:port]`.
    pub hosts: BTreeMap<String, String>,
    /// Whether calls with [`Egress::Public`](crate::Egress::Public) may also be sent to non-public addresses.
    /// Default: false.
    pub allow_private: bool,
    /// The codecs that calls without their own offer, the preferred one first: G.711 only, because the dialler sends
    /// its silence. Default: PCMU, PCMA.
    pub codecs: Vec<Codec>,
    /// The sockets of this process, which no media is sent to.
    pub own: OwnSockets,
    /// The DNS servers. Default: those of the system.
    pub name_servers: Vec<SocketAddr>,
    /// A PEM file of root certificates for TLS. Default: those that the system trusts.
    pub tls_roots: Option<PathBuf>,
    /// The value of the `User-Agent` header. Default: `trunk-server`.
    pub user_agent: String,
    /// Maximum time until a call is answered. Default: 1 minute.
    pub ring_timeout: Duration,
    /// Maximum time to establish a connection. Default: 5 seconds.
    pub connect_timeout: Duration,
    /// Maximum numbers of incoming connections. Default: 256, of which 64 from one address.
    pub connections: Connections,
    /// The time limits of connections in both directions. Defaults: 4 seconds for a stalled write, 1 minute
    /// idle, and else those of [`Limits`].
    pub limits: Limits,
    /// Maximum duration of a probe. Default: 5 seconds.
    pub probe_timeout: Duration,
    /// Maximum time for calls to end when the dialler stops. Default: 4 seconds.
    pub stop_deadline: Duration,
    /// The estimated round-trip time T1, from which SIP's timers are derived (RFC 3261 §17.1.1.1): a request
    /// times out after 64 of them. Default: 500 ms.
    pub t1: Duration,
    /// The limit of open files that calls and connections share.
    pub descriptors: Descriptors,
    /// Where the SIP messages of calls are stored, those of a carrier's host together. Default: nowhere.
    pub messages: Option<Arc<MessageLog>>,
}

impl DiallerConfig {
    /// A configuration with the defaults, for an address.
    pub fn new(listen: IpAddr) -> Self {
        Self {
            listen,
            port: 0,
            advertise: None,
            rtp_ports: 32_768..49_152,
            hosts: BTreeMap::new(),
            allow_private: false,
            codecs: vec![Codec::Pcmu, Codec::Pcma],
            own: OwnSockets::default(),
            name_servers: Vec::new(),
            tls_roots: None,
            user_agent: "trunk-server".to_owned(),
            ring_timeout: Duration::from_mins(1),
            connect_timeout: Duration::from_secs(5),
            connections: Connections { all: 256, of_one_address: 64 },
            limits: Limits {
                write_timeout: Duration::from_secs(4),
                idle_timeout: Duration::from_mins(1),
                ..Limits::default()
            },
            probe_timeout: Duration::from_secs(5),
            stop_deadline: Duration::from_secs(4),
            t1: Duration::from_millis(500),
            descriptors: Descriptors::new(descriptors::open_files()),
            messages: None,
        }
    }
}

/// Why the dialler does not start.
#[derive(Debug, thiserror::Error)]
pub enum DiallerError {
    /// The address or the port cannot be bound.
    #[error("the dialler cannot listen for SIP on {address}: {why}")]
    Listen {
        /// The configured address and port.
        address: SocketAddr,
        /// The error of the operating system, as text.
        why: String,
    },
    /// The file of root certificates cannot be read, or contains none.
    #[error("the root certificates in {} cannot be used for calls over TLS: {why}", file.display())]
    Roots {
        /// The path of the file, as configured.
        file: PathBuf,
        /// Why it cannot be used: it cannot be read, or has no certificate.
        why: String,
    },
    /// The host map or the DNS configuration is invalid.
    #[error("host names cannot be resolved: {0}")]
    Names(String),
}

/// Why a probe did not reach a carrier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProbeError {
    /// The hostname cannot be dialled.
    #[error("the hostname cannot be dialled")]
    Hostname,
    /// The host has no address.
    #[error("the host name has no address")]
    Unresolved,
    /// The request could not be sent, or no connection could be established.
    #[error("the request could not be sent")]
    Unsent,
    /// No response arrived within [`probe_timeout`](DiallerConfig::probe_timeout).
    #[error("no response arrived in time")]
    Silent,
}
