//! Limits the TLS handshakes of each peer address. A handshake costs a signature, and its peer may close the connection
//! right after it, so a limit on connections does not limit the work.

use std::net::IpAddr;
use std::time::Duration;

use service_base::buckets::Buckets;
use service_base::forwarded::origin;
use service_base::rate::Rate;

/// The handshakes of an address in one of the two buckets that it draws on: together 32 a second, and 256 at once.
/// That is the default share of connections, which a client opens again all at once when it has lost them.
const HANDSHAKES: Rate = Rate::per_second(16, 128);

/// The TLS handshakes of one listener, for each IPv4 address and each IPv6 network of 64 bits.
#[derive(Debug)]
pub(super) struct Handshakes(Buckets);

impl Default for Handshakes {
    fn default() -> Self {
        Self(Buckets::new(HANDSHAKES))
    }
}

impl Handshakes {
    /// Counts a handshake of a peer, and returns whether it may begin. `now` is the time on the clock's stopwatch.
    pub(super) fn admits(&self, peer: IpAddr, now: Duration) -> bool {
        self.0.take(origin(peer), i64::try_from(now.as_millis()).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admitted(handshakes: &Handshakes, peer: &str, seconds: u64) -> usize {
        let (peer, now) = (peer.parse().unwrap(), Duration::from_secs(seconds));
        (0..2_000).filter(|_| handshakes.admits(peer, now)).count()
    }

    #[test]
    fn an_address_has_a_burst_and_then_a_rate_and_others_have_their_own() {
        let handshakes = Handshakes::default();
        // It may draw on the same bucket twice.
        assert!((128..=256).contains(&admitted(&handshakes, "192.0.2.1", 1)));
        assert_eq!(admitted(&handshakes, "192.0.2.1", 1), 0);
        assert!((16..=32).contains(&admitted(&handshakes, "192.0.2.1", 2)));
        assert!(admitted(&handshakes, "192.0.2.2", 2) >= 128);
    }

    #[test]
    fn the_addresses_of_an_ipv6_network_count_together() {
        let handshakes = Handshakes::default();
        assert!(admitted(&handshakes, "2001:db8::1", 1) >= 128);
        assert_eq!(admitted(&handshakes, "2001:db8::2", 1), 0);
        assert!(admitted(&handshakes, "2001:db8:0:1::1", 1) >= 128);
    }
}
