//! Decides which RTP is accepted, where RTP is sent, and when silence ends a call.
//!
//! Media is sent only to an address from which RTP of the call came, except for one empty packet after the
//! answer. An SDP proves nothing, so a caller cannot direct media at a third party. Only received packets are echoed,
//! so no more is sent than was received.
//!
//! The socket's owner passes in the source and the arrival time of each packet; packet contents are not
//! handled here. All behaviour is inferred; only the names of the attributes are DIDWW's.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use didww_types::Timestamp;
use didww_types::resources::VoiceOutTrunk;

use super::media_address::no_media_to;
use super::network::Address;
use super::subnet_set::SubnetSet;
use super::terms::subnets;
use super::{Codec, Direction, TermsError};

/// The number of packets from one address after which it is taken for the peer's.
const LATCH_PACKETS: u32 = 5;
/// The milliseconds of packets from one address after which it is taken for the peer's as well.
const LATCH_MILLIS: i64 = 250;
const DEFAULT_TIMEOUT_SECONDS: u64 = 30;

/// How the media of a trunk's calls is accepted and sent, from the trunk's attributes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RtpTerms {
    allowed: SubnetSet,
    /// Whether media is sent to where it comes from (`force_symmetric_rtp`).
    pub force_symmetric: bool,
    /// Whether one empty packet is sent when a call is answered (`rtp_ping`).
    pub ping: bool,
    /// How long a call may be silent before it ends (`rtp_timeout`); 30 seconds if the trunk sets none.
    pub timeout: Duration,
}

impl RtpTerms {
    pub(super) fn new(trunk: &VoiceOutTrunk) -> Result<Self, TermsError> {
        let timeout = trunk.rtp_timeout.and_then(|seconds| u64::try_from(seconds.get()).ok());
        Ok(Self {
            allowed: subnets("allowed_rtp_ips", trunk.allowed_rtp_ips.as_ref())?,
            force_symmetric: trunk.force_symmetric_rtp,
            ping: trunk.rtp_ping,
            timeout: Duration::from_secs(timeout.unwrap_or(DEFAULT_TIMEOUT_SECONDS)),
        })
    }

    #[cfg(test)]
    pub(super) fn for_tests(allowed: &[&str], force_symmetric: bool) -> Self {
        let allowed = allowed.iter().map(|network| super::network::Subnet::of(network.parse().unwrap()));
        let allowed = SubnetSet::new(allowed);
        Self { allowed, force_symmetric, ping: false, timeout: Duration::from_secs(30) }
    }

    /// Whether media from an address is accepted. An empty list allows every address.
    pub fn accepts(&self, source: IpAddr) -> bool {
        self.allowed.is_empty() || self.lists(source)
    }

    /// Whether an address is in `allowed_rtp_ips`.
    pub fn lists(&self, address: IpAddr) -> bool {
        self.allowed.contains(Address::of(address))
    }
}

impl Codec {
    /// The maximum RTP packets per second that a sender of this codec can need: twice the rate of the
    /// shortest packets in use, which are 10 ms for PCM, G.722, G.729 and Opus, and one frame for the others.
    pub const fn packets_a_second(self) -> u32 {
        match self {
            Self::Pcma | Self::Pcmu | Self::G729 | Self::Opus | Self::G722 => 200,
            Self::Gsm | Self::Ilbc => 100,
            Self::G723 => 67,
        }
    }
}

/// The media path between the edge and the customer, for one call.
#[derive(Debug, Clone)]
pub struct RtpPath {
    /// The address that the call's signalling comes from.
    signalling: IpAddr,
    offered: Option<SocketAddr>,
    /// From the customer's point of view.
    direction: Direction,
    mode: Mode,
    last_received: Timestamp,
}

#[derive(Debug, Clone, Copy)]
enum Mode {
    Unlatched,
    Latching {
        from: SocketAddr,
        packets: u32,
        since: Timestamp,
    },
    /// Media came from this address. With symmetric RTP, only the offered address can still replace it.
    Latched(SocketAddr),
}

/// The handling of a received RTP packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// The source is not allowed. The packet is dropped and does not reset the RTP timeout.
    Dropped,
    /// The packet is accepted and not echoed.
    Taken,
    /// The packet is accepted, and comes from the host that media is sent to; its port may differ. The echo
    /// goes to this address.
    ToEcho(SocketAddr),
}

impl RtpPath {
    /// Creates the path of a call that has no media yet. `signalling` is the address that the call's
    /// signalling comes from.
    pub fn new(signalling: IpAddr, now: Timestamp) -> Self {
        Self {
            signalling: signalling.to_canonical(),
            offered: None,
            direction: Direction::Inactive,
            mode: Mode::Unlatched,
            last_received: now,
        }
    }

    /// Applies an SDP of the customer: its address and direction. The learned address is kept while the
    /// offered address stays the same. The RTP timeout restarts when media is expected again.
    pub fn negotiated(&mut self, offered: Option<SocketAddr>, direction: Direction, now: Timestamp) {
        let offered = offered.map(canonical);
        if offered != self.offered {
            self.offered = offered;
            self.mode = Mode::Unlatched;
        }
        let expected_rtp = self.expects_rtp();
        self.direction = direction;
        if self.expects_rtp() && !expected_rtp {
            self.last_received = now;
        }
    }

    /// Whether RTP is expected from the customer. A call on hold, and one that only receives, may be silent.
    const fn expects_rtp(&self) -> bool {
        matches!(self.direction, Direction::SendRecv)
    }

    /// Whether the customer receives media.
    const fn may_send(&self) -> bool {
        matches!(self.direction, Direction::SendRecv | Direction::RecvOnly)
    }

    /// Accepts an RTP packet, or drops it because of its source. A dropped packet does not reset the RTP
    /// timeout.
    pub fn receive(&mut self, terms: &RtpTerms, from: SocketAddr, now: Timestamp) -> Heard {
        let from = canonical(from);
        if !terms.accepts(from.ip()) {
            return Heard::Dropped;
        }
        self.last_received = now;
        if terms.force_symmetric {
            self.update_latch(terms, from, now);
        } else if let Some(offered) = self.offered.filter(|offered| offered.ip() == from.ip()) {
            // A phone may send from another port than the one it receives on.
            self.latch(terms, offered);
        }
        match self.target() {
            Some(target) if target.ip() == from.ip() => Heard::ToEcho(target),
            _ => Heard::Taken,
        }
    }

    fn update_latch(&mut self, terms: &RtpTerms, from: SocketAddr, now: Timestamp) {
        if Some(from) == self.offered {
            return self.latch(terms, from);
        }
        let (packets, since) = match self.mode {
            Mode::Latched(_) => return,
            Mode::Latching { from: known, packets, since } if known == from => (packets + 1, since),
            Mode::Latching { .. } | Mode::Unlatched => (1, now),
        };
        self.mode = Mode::Latching { from, packets, since };
        let waited = now.as_unix_millis().saturating_sub(since.as_unix_millis());
        if packets >= LATCH_PACKETS || waited >= LATCH_MILLIS {
            self.latch(terms, from);
        }
    }

    fn latch(&mut self, terms: &RtpTerms, at: SocketAddr) {
        if no_media_to(at, self.signalling, terms.lists(at.ip())).is_none() {
            self.mode = Mode::Latched(at);
        }
    }

    /// The address that media is sent to; `None` until media has come from it, and while the customer does
    /// not receive.
    pub const fn target(&self) -> Option<SocketAddr> {
        match self.mode {
            Mode::Latched(at) if self.may_send() => Some(at),
            _ => None,
        }
    }

    /// The destination of the single packet that starts a peer which waits for the first packet: the offered
    /// address, if the signalling comes from it too or the trunk lists it.
    pub fn ping_target(&self, terms: &RtpTerms) -> Option<SocketAddr> {
        let offered = self.offered.filter(|_| terms.ping && self.may_send())?;
        let is_listed = terms.lists(offered.ip());
        let is_known = is_listed || offered.ip() == self.signalling;
        (is_known && no_media_to(offered, self.signalling, is_listed).is_none()).then_some(offered)
    }

    /// Restarts the RTP timeout. Silence counts from the answer, not from the offer.
    pub const fn restart(&mut self, now: Timestamp) {
        self.last_received = now;
    }

    /// When the RTP timeout ends the call if no RTP arrives; `None` while no RTP is expected from the
    /// customer.
    pub fn silent_until(&self, terms: &RtpTerms) -> Option<Timestamp> {
        self.expects_rtp().then(|| self.last_received.after(terms.timeout))
    }

    /// Whether the RTP timeout has expired.
    pub fn is_over(&self, terms: &RtpTerms, now: Timestamp) -> bool {
        self.silent_until(terms).is_some_and(|end| now >= end)
    }
}

/// Builds the packet that starts a peer which waits for the first one: marker bit set, two zero bytes of
/// payload.
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
    use std::collections::HashMap;

    use super::*;
    use proptest::prelude::*;

    const OFFERED: &str = "192.0.2.1:4000";
    const REAL: &str = "203.0.113.9:4711";
    const SIGNALLING: &str = "192.0.2.1";

    fn terms(allowed: &[&str], force_symmetric: bool) -> RtpTerms {
        RtpTerms { ping: true, ..RtpTerms::for_tests(allowed, force_symmetric) }
    }

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_unix_millis(millis)
    }

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn path_to(offered: &str, signalling: &str) -> RtpPath {
        let mut path = RtpPath::new(signalling.parse().unwrap(), at(0));
        path.negotiated(Some(address(offered)), Direction::SendRecv, at(0));
        path
    }

    fn path() -> RtpPath {
        path_to(OFFERED, SIGNALLING)
    }

    #[test]
    fn media_from_an_address_that_is_not_allowed_is_dropped_and_does_not_break_the_silence() {
        let (terms, mut path) = (terms(&["192.0.2.0/24"], false), path());
        assert_eq!(path.receive(&terms, address(REAL), at(29_000)), Heard::Dropped);
        assert!(path.is_over(&terms, at(30_000)));
        let mapped = address("[::ffff:192.0.2.200]:1");
        assert_eq!(path.receive(&terms, mapped, at(29_000)), Heard::Taken);
        assert!(!path.is_over(&terms, at(30_000)) && path.is_over(&terms, at(59_000)));
    }

    #[test]
    fn without_allowed_addresses_media_is_taken_from_anywhere() {
        assert_eq!(path().receive(&terms(&[], false), address("[2001:db8::1]:9"), at(1)), Heard::Taken);
    }

    #[test]
    fn without_symmetric_rtp_media_goes_to_the_offered_address_once_media_came_from_there() {
        let (terms, mut path) = (terms(&[], false), path());
        for millis in 0..1_000 {
            assert_eq!(path.receive(&terms, address(REAL), at(millis)), Heard::Taken);
        }
        assert_eq!(path.target(), None);
        let offered = address(OFFERED);
        assert_eq!(path.receive(&terms, offered, at(1_000)), Heard::ToEcho(offered));
        assert_eq!(
            path.receive(&terms, address(REAL), at(1_001)),
            Heard::Taken,
            "an echo goes back or nowhere"
        );
    }

    #[test]
    fn a_phone_may_send_from_another_port_than_the_one_it_receives_on() {
        let (terms, mut path) = (terms(&[], false), path());
        let heard = path.receive(&terms, address("192.0.2.1:4998"), at(0));
        assert_eq!(heard, Heard::ToEcho(address(OFFERED)));
    }

    #[test]
    fn symmetric_rtp_latches_after_a_few_packets_or_a_quarter_of_a_second() {
        let terms = terms(&[], true);
        let mut by_count = path();
        for packet in 1..=LATCH_PACKETS {
            assert_eq!(by_count.target(), None, "packet {packet}");
            by_count.receive(&terms, address(REAL), at(0));
        }
        assert_eq!(by_count.target(), Some(address(REAL)));
        for _ in 0..20 {
            by_count.receive(&terms, address("198.51.100.66:6000"), at(1));
        }
        assert_eq!(by_count.target(), Some(address(REAL)), "it is latched");
        let mut by_time = path();
        by_time.receive(&terms, address(REAL), at(0));
        by_time.receive(&terms, address(REAL), at(LATCH_MILLIS));
        assert_eq!(by_time.target(), Some(address(REAL)));
    }

    #[test]
    fn media_from_the_offered_address_ends_the_learning_at_once() {
        let (terms, mut path) = (terms(&[], true), path());
        for _ in 0..LATCH_PACKETS {
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
        assert_eq!(path.target(), None);
    }

    #[test]
    fn the_learned_address_is_kept_by_an_offer_that_changes_nothing_and_by_no_other() {
        let (terms, mut path) = (terms(&[], true), path());
        for _ in 0..LATCH_PACKETS {
            path.receive(&terms, address(REAL), at(0));
        }
        path.negotiated(Some(address(OFFERED)), Direction::SendRecv, at(1));
        assert_eq!(path.target(), Some(address(REAL)));
        path.negotiated(Some(address("192.0.2.1:5000")), Direction::SendRecv, at(2));
        assert_eq!(path.target(), None);
    }

    #[test]
    fn nothing_is_sent_to_forbidden_addresses_whatever_names_them_and_whatever_comes_from_them() {
        for named in
            ["169.254.169.254:4000", "224.0.0.1:4000", "10.0.0.1:4000", "127.0.0.1:4000", "192.0.2.1:53"]
        {
            for force_symmetric in [false, true] {
                let (terms, mut path) = (terms(&[], force_symmetric), path_to(named, "192.0.2.77"));
                assert_eq!(path.ping_target(&terms), None, "{named}");
                for millis in 0..10 {
                    assert_eq!(path.receive(&terms, address(named), at(millis)), Heard::Taken, "{named}");
                }
                assert_eq!(path.target(), None, "{named}");
            }
        }
    }

    #[test]
    fn the_ping_goes_to_where_the_signalling_comes_from_or_to_a_listed_address() {
        let open = terms(&[], false);
        assert_eq!(path().ping_target(&open), Some(address(OFFERED)));
        assert_eq!(path_to(OFFERED, "::ffff:192.0.2.1").ping_target(&open), Some(address(OFFERED)));
        assert_eq!(path_to(REAL, SIGNALLING).ping_target(&open), None, "it may be any third party");
        let listing = terms(&["203.0.113.0/24"], false);
        assert_eq!(path_to(REAL, SIGNALLING).ping_target(&listing), Some(address(REAL)));
        let silent = RtpTerms { ping: false, ..open };
        assert_eq!(path().ping_target(&silent), None);
    }

    #[test]
    fn nothing_is_sent_to_a_peer_that_does_not_receive_and_nothing_expected_of_one_that_does_not_send() {
        let terms = terms(&[], false);
        for (direction, sends, expects) in [
            (Direction::SendRecv, true, true),
            (Direction::SendOnly, false, false),
            (Direction::RecvOnly, true, false),
            (Direction::Inactive, false, false),
        ] {
            let mut path = path();
            path.negotiated(Some(address(OFFERED)), direction, at(10_000));
            let heard = path.receive(&terms, address(OFFERED), at(11_000));
            assert_eq!(heard == Heard::ToEcho(address(OFFERED)), sends, "{direction:?}");
            assert_eq!(path.ping_target(&terms).is_some(), sends, "{direction:?}");
            assert_eq!(path.is_over(&terms, at(1_000_000)), expects, "{direction:?}");
            path.negotiated(Some(address(OFFERED)), Direction::SendRecv, at(1_000_000));
            assert_eq!(path.target(), Some(address(OFFERED)), "it goes on where it was");
            let since = if expects { 11_000 } else { 1_000_000 };
            assert_eq!(path.silent_until(&terms), Some(at(since + 30_000)), "{direction:?}");
        }
    }

    #[test]
    fn the_ping_is_a_marked_rtp_packet_with_two_zero_bytes() {
        let packet = ping_packet(8, 0x0102, 3, 4);
        assert_eq!(packet, [0x80, 0x88, 1, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0]);
    }

    /// An event in the life of a media path.
    #[derive(Debug, Clone)]
    enum Step {
        Packet { host: u8, port: u16, bytes: u64, later: i64 },
        Offer { host: u8, port: u16, direction: u8 },
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            8 => (0u8..5, 1_023u16..1_027, 12u64..200, 0i64..300)
                .prop_map(|(host, port, bytes, later)| Step::Packet { host, port, bytes, later }),
            1 => (0u8..5, 1_023u16..1_027, 0u8..6)
                .prop_map(|(host, port, direction)| Step::Offer { host, port, direction }),
        ]
    }

    proptest! {
        #[test]
        fn no_address_is_sent_more_than_came_from_it_and_one_ping(
            symmetric: bool,
            restricted: bool,
            signalling in 0u8..5,
            steps in proptest::collection::vec(step(), 0..120),
        ) {
            let terms = terms(if restricted { &["10.0.0.0/30"] } else { &[] }, symmetric);
            let ip = |host: u8| IpAddr::from(if host == 4 { [169, 254, 0, 4] } else { [10, 0, 0, host] });
            let mut path = RtpPath::new(ip(signalling), at(0));
            let (mut now, mut pinged) = (0, false);
            let (mut came, mut sent) = (HashMap::<IpAddr, u64>::new(), HashMap::<IpAddr, u64>::new());
            for step in steps {
                match step {
                    Step::Offer { host, port, direction } => {
                        let direction = match direction {
                            0 => Direction::SendOnly,
                            1 => Direction::RecvOnly,
                            2 => Direction::Inactive,
                            _ => Direction::SendRecv,
                        };
                        path.negotiated(Some(SocketAddr::new(ip(host), port)), direction, at(now));
                        if let (false, Some(target)) = (pinged, path.ping_target(&terms)) {
                            pinged = true;
                            prop_assert!(target.ip() == ip(signalling) || terms.lists(target.ip()));
                            *sent.entry(target.ip()).or_default() += 14;
                        }
                    }
                    Step::Packet { host, port, bytes, later } => {
                        now += later;
                        *came.entry(ip(host)).or_default() += bytes;
                        let heard = path.receive(&terms, SocketAddr::new(ip(host), port), at(now));
                        if let Heard::ToEcho(target) = heard {
                            prop_assert!(terms.accepts(target.ip()) && target.port() >= 1_024 && target.ip() != ip(4));
                            *sent.entry(target.ip()).or_default() += bytes;
                        }
                    }
                }
            }
            for (address, sent) in sent {
                let came = came.get(&address).copied().unwrap_or_default();
                prop_assert!(sent <= came + 14, "{}: {} for {}", address, sent, came);
            }
        }
    }
}
