//! What the edge is told before it starts.

use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use trunk_rules::carrier::{RateCard, Settings, SettingsError};

use super::far_end::FarEnd;
use sip_transport::Connections;
use trunk_store::StoreError;

/// The edge's configuration.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct EdgeConfig {
    /// Where SIP is taken, over UDP and TCP.
    pub listen: SocketAddr,
    /// Where SIP is taken over TLS, and with which certificate.
    pub tls: Option<(SocketAddr, Tls)>,
    /// The address that peers are told; the one listened on unless told otherwise.
    pub advertise: Option<IpAddr>,
    /// What the `Server` header says.
    pub server_name: String,
    /// Everything about trunks and calls that no source states.
    pub settings: Settings,
    /// How the far end behaves.
    pub far_end: FarEnd,
    /// What calls cost.
    pub rates: RateCard,
    /// Ports for RTP; even ones are used.
    pub rtp_ports: Range<u16>,
    /// Bytes of media that all calls together send in a second; what is more is dropped.
    pub media_bytes_per_second: u64,
    /// How long a call may ring that nobody answers.
    pub ring_timeout: Duration,
    /// How long calls may take to end when the server stops.
    pub stop_deadline: Duration,
    /// Most connections over TCP and TLS, of all peers and of one address.
    pub connections: Connections,
    /// Most calls of one account at once. None is half of those that there is room for.
    pub calls_per_account: Option<usize>,
    /// For how many months records of calls are kept, the current one included; at least 1.
    pub keep_months: u32,
    /// How often it is written up to when calls are known to be up, and what their trunks spent; at least 1 second.
    pub cost_step: Duration,
    /// Whether calls end whose trunk reached its threshold, each when the time is over that was charged for it.
    pub threshold_ends_calls: bool,
    /// How long calls go on while nothing can be written.
    pub unrecorded_grace: Duration,
    /// Most answers that a source of datagrams leaves unacknowledged that never acknowledged one; at least 1.
    pub unacknowledged_answers: u32,
    /// Most refusals of a trunk that are recorded in a minute.
    pub refusals_recorded: u32,
}

/// A certificate with its key, in PEM files.
#[derive(Debug, Clone)]
pub struct Tls {
    /// The certificate and the chain above it.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

impl EdgeConfig {
    /// The usual edge at an address.
    pub fn new(listen: SocketAddr) -> Self {
        Self {
            listen,
            tls: None,
            advertise: None,
            server_name: "trunk-server".to_owned(),
            settings: Settings::default(),
            far_end: FarEnd::default(),
            rates: super::rates::default_rates(),
            rtp_ports: 16_384..32_768,
            media_bytes_per_second: 125_000_000,
            ring_timeout: Duration::from_mins(1),
            stop_deadline: Duration::from_secs(2),
            connections: Connections::default(),
            calls_per_account: None,
            keep_months: 3,
            cost_step: Duration::from_secs(10),
            threshold_ends_calls: true,
            unrecorded_grace: Duration::from_mins(5),
            unacknowledged_answers: 16,
            refusals_recorded: 1_000,
        }
    }
}

/// Why the edge does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EdgeError {
    /// An address cannot be listened on.
    #[error("cannot take SIP on {address}: {why}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        why: String,
    },
    /// A certificate or key cannot be used.
    #[error("the file {} cannot be used for SIP over TLS: {why}", file.display())]
    Certificate {
        /// The file.
        file: PathBuf,
        /// Why not.
        why: String,
    },
    /// A setting has no sense.
    #[error(transparent)]
    Setting(#[from] SettingsError),
    /// The trunks could not be read.
    #[error("the trunks could not be read: {0}")]
    Store(#[from] StoreError),
}
