//! The configuration of the edge, and the errors of its start.

use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use lab::Lab;
use sip_transport::{Connections, MessageLog};
use tls_identity::{IdentityError, IdentityFiles};
use trunk_rules::carrier::{RateCard, Settings, SettingsError};
use trunk_store::StoreError;

use super::far_end::FarEnd;

/// The configuration of an edge. [`EdgeConfig::new`] sets the defaults.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct EdgeConfig {
    /// The address on which SIP is served over UDP and TCP.
    pub listen: SocketAddr,
    /// The address on which SIP is served over TLS, and its certificate. Default: no TLS.
    pub tls: Option<(SocketAddr, IdentityFiles)>,
    /// The address in `Contact`, `Via` and session descriptions, for a server behind NAT. Default, and for a peer that
    /// called an address of the other family: the address that the peer sent its request to.
    pub advertise: Option<IpAddr>,
    /// The value of the `Server` header, and the `pop` of call records. Default: `trunk-server`.
    pub server_name: String,
    /// The settings of the rules for behaviour that DIDWW does not document.
    pub settings: Settings,
    /// The behaviour of the simulated called parties.
    pub far_end: FarEnd,
    /// The rates of calls by destination, of accounts without rates of their own.
    pub rates: RateCard,
    /// The ports for RTP, of which the even ones are used. Default: 16384 to 32767.
    pub rtp_ports: Range<u16>,
    /// Limit of bytes of media that all calls together send per second; the excess is dropped. Default:
    /// 125,000,000.
    pub media_bytes_per_second: u64,
    /// How long an unanswered call rings before it is ended. Default: 1 minute.
    pub ring_timeout: Duration,
    /// How long a stop waits for calls to end. Default: 2 seconds.
    pub stop_deadline: Duration,
    /// Limits of connections over TCP, and as many over TLS, from all peers and from one address.
    pub connections: Connections,
    /// Limit of active calls, of all accounts together; beyond it an attempt is refused with 503. Default: 65,536.
    pub calls: usize,
    /// Limit of active calls of one account. Default: half of the calls that RTP ports and file descriptors
    /// allow.
    pub calls_per_account: Option<usize>,
    /// For how many months call records are kept, including the current one; at least 1. Default: 3.
    pub keep_months: u32,
    /// How often the time up to which calls are known to be active, and the spending of their trunks, are
    /// written; at least 1 second. Default: 10 seconds.
    pub cost_step: Duration,
    /// Whether the active calls of a trunk that reached its threshold are ended, each at the end of the
    /// interval that it has been charged for. Default: true.
    pub threshold_ends_calls: bool,
    /// How long active calls continue while the store takes no writes. Default: 5 minutes.
    pub unrecorded_grace: Duration,
    /// Limit of unacknowledged answers over UDP for a source that has acknowledged none lately, on trunks
    /// without a digest; at least 1. Default: 16.
    pub unacknowledged_answers: u32,
    /// Limit of recorded refusals per trunk and minute. Default: 1,000.
    pub refusals_recorded: u32,
    /// Whether call records contain the DTMF digits of the caller, which can be PINs or card numbers; their
    /// number is always recorded. Default: false.
    pub dtmf_digits: bool,
    /// The bytes of SIP messages that the server stores of recent calls, see `MessageLogLimits::of`; 0 for none.
    /// Default: 32 MiB.
    pub message_bytes: usize,
    /// Where the SIP messages of calls are stored. Default: nowhere.
    pub messages: Option<Arc<MessageLog>>,
    /// The lab, whose faults change what happens to admitted calls. Default: one without faults.
    pub lab: Lab,
}

impl EdgeConfig {
    /// The default configuration for an edge that listens on `listen`.
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
            calls: 65_536,
            calls_per_account: None,
            keep_months: 3,
            cost_step: Duration::from_secs(10),
            threshold_ends_calls: true,
            unrecorded_grace: Duration::from_mins(5),
            unacknowledged_answers: 16,
            refusals_recorded: 1_000,
            dtmf_digits: false,
            message_bytes: 32 << 20,
            messages: None,
            lab: Lab::default(),
        }
    }
}

/// The error of a failed start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EdgeError {
    /// A socket for SIP could not be opened.
    #[error("cannot listen for SIP on {address}: {why}")]
    Listen {
        /// The address and port, as configured.
        address: SocketAddr,
        /// The reason, from the operating system or the SIP library.
        why: String,
    },
    /// The certificate or key for TLS could not be used.
    #[error("SIP over TLS: {0}")]
    Certificate(#[from] IdentityError),
    /// A setting has an invalid value.
    #[error(transparent)]
    Setting(#[from] SettingsError),
    /// The trunks or their charges could not be read from the store.
    #[error("the trunks could not be read: {0}")]
    Store(#[from] StoreError),
}
