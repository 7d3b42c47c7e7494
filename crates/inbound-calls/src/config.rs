//! The configuration of inbound calls, and the dialler's configuration that follows from it.

use std::net::{IpAddr, Ipv4Addr};
use std::ops::Range;
use std::time::Duration;

use sip_dialler::DiallerConfig;

/// The configuration of inbound calls.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct InboundConfig {
    /// The local address that calls are sent from. None is that of the carrier edge if it is loopback, else every
    /// address.
    pub sip_bind: Option<IpAddr>,
    /// The UDP ports for the media of calls. Default: 50000 to 59999.
    pub rtp_ports: Range<u16>,
    /// Whether calls may go to addresses that are not public: private networks and this machine. For tests and
    /// development: every account can then send INVITEs to every service there. Default: false.
    pub allow_private_destinations: bool,
    /// How long the call of a trunk without `ringing_timeout` may ring. Default: 1 minute.
    pub ring_timeout: Duration,
    /// The longest duration of a call, from its request on. A longer call is hung up. Default: 1 hour.
    pub longest_call: Duration,
    /// Maximum number of live calls. Each needs a file descriptor. Default: 1000.
    pub calls: usize,
    /// Maximum number of live calls of one account. Default: 200.
    pub calls_per_account: usize,
    /// How many months calls are kept, including the current month; zero keeps them for ever. Default: 3.
    pub keep_months: u32,
}

impl Default for InboundConfig {
    fn default() -> Self {
        Self {
            sip_bind: None,
            rtp_ports: 50_000..60_000,
            allow_private_destinations: false,
            ring_timeout: Duration::from_mins(1),
            longest_call: Duration::from_hours(1),
            calls: 1_000,
            calls_per_account: 200,
            keep_months: 3,
        }
    }
}

impl InboundConfig {
    /// The dialler's configuration on a server whose carrier edge has this address, if it has one.
    pub(crate) fn dialler(&self, edge: Option<IpAddr>) -> DiallerConfig {
        // From a loopback address only loopback addresses can be reached: it fits if the edge has one.
        let loopback = edge.filter(IpAddr::is_loopback);
        let listen = self.sip_bind.or(loopback).unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        DiallerConfig {
            rtp_ports: self.rtp_ports.clone(),
            allow_private: self.allow_private_destinations,
            // A call times its trunks itself: a trunk's `ringing_timeout` may be longer than the configured one.
            ring_timeout: self.longest_call,
            ..DiallerConfig::new(listen)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_sent_from_the_configured_address_or_from_loopback_beside_an_edge_there() {
        let config = InboundConfig::default();
        let [loopback, public] = ["127.0.0.1", "192.0.2.7"].map(|text| text.parse::<IpAddr>().unwrap());
        assert_eq!(config.dialler(Some(loopback)).listen, loopback);
        for edge in [None, Some(public)] {
            assert!(config.dialler(edge).listen.is_unspecified());
        }
        let bound = InboundConfig { sip_bind: Some(public), ..config };
        assert_eq!(bound.dialler(Some(loopback)).listen, public);
        assert!(!bound.dialler(None).allow_private);
    }
}
