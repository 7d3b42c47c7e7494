//! Whose media is taken, where it is sent to, and when silence ends a call.
//!
//! A socket brings each packet's source and moment here; it refuses to touch the packets themselves. All but
//! the modes' names is inferred.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use didww_types::Timestamp;
use didww_types::resources::VoiceOutTrunk;

use super::TermsError;
use super::network::{Address, Block};
use super::terms::blocks;

/// After so many packets from one address it is believed to be the peer's.
const LEARN_PACKETS: u32 = 5;
/// After so many milliseconds of packets from one address as well.
const LEARN_MILLIS: i64 = 250;
const DEFAULT_TIMEOUT: u64 = 30;

/// What a trunk says about media.
#[derive(Debug, Clone)]
pub struct RtpTerms {
    allowed: Box<[Block]>,
    /// Whether media goes to where it comes from.
    pub force_symmetric: bool,
    /// Whether an empty packet is sent once a call is answered.
    pub ping: bool,
    /// How long a call may be silent.
    pub timeout: Duration,
}

impl RtpTerms {
    pub(super) fn new(trunk: &VoiceOutTrunk) -> Result<Self, TermsError> {
        let timeout = trunk.rtp_timeout.and_then(|seconds| u64::try_from(seconds.get()).ok());
        Ok(Self {
            allowed: blocks("allowed_rtp_ips", trunk.allowed_rtp_ips.as_ref())?,
            force_symmetric: trunk.force_symmetric_rtp,
            ping: trunk.rtp_ping,
            timeout: Duration::from_secs(timeout.unwrap_or(DEFAULT_TIMEOUT)),
        })
    }

    /// Whether media from an address is taken. No allowed address at all is no restriction.
    pub fn accepts(&self, source: IpAddr) -> bool {
        let source = Address::of(source);
        self.allowed.is_empty() || self.allowed.iter().any(|network| network.contains(source))
    }
}

/// The media path of one call towards the customer.
#[derive(Debug, Clone)]
pub struct RtpPath {
    offered: Option<SocketAddr>,
    target: Option<SocketAddr>,
    mode: Mode,
    last: Timestamp,
    held: bool,
    dropped: u64,
}

#[derive(Debug, Clone, Copy)]
enum Mode {
    Listening,
    Learning {
        from: SocketAddr,
        packets: u32,
        since: Timestamp,
    },
    /// One address proved right; only the offered one can still take its place.
    Settled,
}

impl RtpPath {
    /// The path of a call that was answered at a moment; `offered` is the address in its SDP.
    pub fn new(offered: Option<SocketAddr>, now: Timestamp) -> Self {
        let offered = offered.map(canonical);
        Self { offered, target: offered, mode: Mode::Listening, last: now, held: false, dropped: 0 }
    }

    /// Takes a packet, or drops it silently because of its source. What is dropped does not count against
    /// silence.
    pub fn receive(&mut self, terms: &RtpTerms, from: SocketAddr, now: Timestamp) -> bool {
        if !terms.accepts(from.ip()) {
            self.dropped = self.dropped.saturating_add(1);
            return false;
        }
        self.last = now;
        if terms.force_symmetric {
            self.learn(canonical(from), now);
        }
        true
    }

    fn learn(&mut self, from: SocketAddr, now: Timestamp) {
        if Some(from) == self.offered {
            self.target = self.offered;
            self.mode = Mode::Settled;
            return;
        }
        let (packets, since) = match self.mode {
            Mode::Settled => return,
            Mode::Learning { from: known, packets, since } if known == from => (packets + 1, since),
            Mode::Learning { .. } | Mode::Listening => (1, now),
        };
        let waited = now.as_unix_millis().saturating_sub(since.as_unix_millis());
        if packets >= LEARN_PACKETS || waited >= LEARN_MILLIS {
            self.target = Some(from);
            self.mode = Mode::Settled;
        } else {
            self.mode = Mode::Learning { from, packets, since };
        }
    }

    /// Where media is sent to; nowhere when the offer named no address and none was learned.
    pub const fn target(&self) -> Option<SocketAddr> {
        self.target
    }

    /// How many packets were dropped because of their source.
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Starts the watch for silence anew: a call is silent from its answer on, not from its offer.
    pub const fn restart(&mut self, now: Timestamp) {
        self.last = now;
    }

    /// Stops or restarts the watch for silence: a call on hold may be silent.
    pub const fn hold(&mut self, held: bool, now: Timestamp) {
        if self.held && !held {
            self.last = now;
        }
        self.held = held;
    }

    /// When the call ends if it stays silent; never while it is on hold.
    pub fn silent_until(&self, terms: &RtpTerms) -> Option<Timestamp> {
        (!self.held).then(|| self.last.after(terms.timeout))
    }

    /// Whether the call was silent for too long.
    pub fn is_over(&self, terms: &RtpTerms, now: Timestamp) -> bool {
        self.silent_until(terms).is_some_and(|end| now >= end)
    }
}

/// The packet that makes a peer start that waits for the first one: marker, two zero bytes of payload.
pub const fn ping_packet(payload_type: u8, sequence: u16, timestamp: u32, ssrc: u32) -> [u8; 14] {
    const VERSION_2: u8 = 0x80;
    const MARKER: u8 = 0x80;
    let [s1, s2] = sequence.to_be_bytes();
    let [t1, t2, t3, t4] = timestamp.to_be_bytes();
    let [i1, i2, i3, i4] = ssrc.to_be_bytes();
    [VERSION_2, MARKER | (payload_type & 0x7f), s1, s2, t1, t2, t3, t4, i1, i2, i3, i4, 0, 0]
}

fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const OFFERED: &str = "192.0.2.1:4000";
    const REAL: &str = "203.0.113.9:4711";

    fn terms(allowed: &[&str], force_symmetric: bool) -> RtpTerms {
        let allowed = allowed.iter().map(|network| Block::of(network.parse().unwrap())).collect();
        RtpTerms { allowed, force_symmetric, ping: false, timeout: Duration::from_secs(30) }
    }

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_unix_millis(millis)
    }

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn path() -> RtpPath {
        RtpPath::new(Some(address(OFFERED)), at(0))
    }

    #[test]
    fn media_from_an_address_that_is_not_allowed_is_dropped_and_counted_and_does_not_break_the_silence() {
        let (terms, mut path) = (terms(&["192.0.2.0/24"], false), path());
        assert!(!path.receive(&terms, address(REAL), at(29_000)));
        assert_eq!(path.dropped(), 1);
        assert!(path.is_over(&terms, at(30_000)));
        assert!(path.receive(&terms, address("[::ffff:192.0.2.200]:1"), at(29_000)));
        assert!(!path.is_over(&terms, at(30_000)) && path.is_over(&terms, at(59_000)));
    }

    #[test]
    fn without_allowed_addresses_media_is_taken_from_anywhere() {
        assert!(path().receive(&terms(&[], false), address("[2001:db8::1]:9"), at(1)));
    }

    #[test]
    fn without_symmetric_rtp_media_goes_to_the_offered_address_whatever_comes_in() {
        let (terms, mut path) = (terms(&[], false), path());
        for millis in 0..1_000 {
            path.receive(&terms, address(REAL), at(millis));
        }
        assert_eq!(path.target(), Some(address(OFFERED)));
    }

    #[test]
    fn symmetric_rtp_latches_after_a_few_packets_or_a_quarter_of_a_second() {
        let terms = terms(&[], true);
        let mut by_count = path();
        for packet in 1..=LEARN_PACKETS {
            assert_eq!(by_count.target(), Some(address(OFFERED)), "packet {packet}");
            by_count.receive(&terms, address(REAL), at(0));
        }
        assert_eq!(by_count.target(), Some(address(REAL)));
        for _ in 0..20 {
            by_count.receive(&terms, address("198.51.100.66:6"), at(1));
        }
        assert_eq!(by_count.target(), Some(address(REAL)), "it is latched");
        let mut by_time = path();
        by_time.receive(&terms, address(REAL), at(0));
        by_time.receive(&terms, address(REAL), at(LEARN_MILLIS));
        assert_eq!(by_time.target(), Some(address(REAL)));
    }

    #[test]
    fn media_from_the_offered_address_ends_the_learning_at_once() {
        let (terms, mut path) = (terms(&[], true), path());
        for _ in 0..LEARN_PACKETS {
            path.receive(&terms, address(REAL), at(0));
        }
        path.receive(&terms, address(OFFERED), at(1));
        assert_eq!(path.target(), Some(address(OFFERED)));
        for millis in 0..1_000 {
            path.receive(&terms, address(REAL), at(millis));
        }
        assert_eq!(path.target(), Some(address(OFFERED)));
    }

    #[test]
    fn nothing_is_learned_from_an_address_that_is_not_allowed() {
        let (terms, mut path) = (terms(&["192.0.2.0/24"], true), path());
        for millis in 0..1_000 {
            path.receive(&terms, address(REAL), at(millis));
        }
        assert_eq!(path.target(), Some(address(OFFERED)));
    }

    #[test]
    fn a_call_on_hold_may_be_silent_and_the_watch_starts_anew_after_it() {
        let (terms, mut path) = (terms(&[], false), path());
        path.hold(true, at(10_000));
        assert!(!path.is_over(&terms, at(1_000_000)));
        path.hold(false, at(1_000_000));
        assert_eq!(path.silent_until(&terms), Some(at(1_030_000)));
    }

    #[test]
    fn the_ping_is_a_marked_rtp_packet_with_two_zero_bytes() {
        let packet = ping_packet(8, 0x0102, 3, 4);
        assert_eq!(packet, [0x80, 0x88, 1, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0]);
    }

    proptest! {
        #[test]
        fn media_never_goes_where_it_could_not_come_from(
            packets in proptest::collection::vec((0u8..4, 1u16..3, 0i64..300), 0..80)
        ) {
            let (terms, mut path) = (terms(&["10.0.0.0/31"], true), path());
            let mut now = 0;
            for (host, port, later) in packets {
                now += later;
                path.receive(&terms, SocketAddr::new(IpAddr::from([10, 0, 0, host]), port), at(now));
                let target = path.target().unwrap();
                prop_assert!(target == address(OFFERED) || terms.accepts(target.ip()));
            }
        }
    }
}
