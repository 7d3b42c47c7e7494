//! Whose media is taken, where it is sent to, and when silence ends a call.
//!
//! Media goes to an address from which RTP of the call came, and to no other but for one empty packet after the
//! answer. So nobody can have it sent to a third party: an SDP proves nothing. What is sent there is an echo of what
//! came from there, so it is never more.
//!
//! A socket brings each packet's source and moment here; it refuses to touch the packets themselves. All but
//! the modes' names is inferred.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use didww_types::Timestamp;
use didww_types::resources::VoiceOutTrunk;

use super::media_address::no_media_to;
use super::network::{Address, Block};
use super::terms::blocks;
use super::{Codec, Direction, TermsError};

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
        self.allowed.is_empty() || self.lists(source)
    }

    /// Whether an address is among those allowed.
    pub fn lists(&self, address: IpAddr) -> bool {
        let address = Address::of(address);
        self.allowed.iter().any(|network| network.contains(address))
    }
}

impl Codec {
    /// The most RTP packets a second that a sender of this codec has reason to send: twice as many as with the shortest
    /// packets that are in use, 10 ms of PCM and G.729, and one frame of the others.
    pub const fn packets_a_second(self) -> u32 {
        match self {
            Self::Pcma | Self::Pcmu | Self::G729 => 200,
            Self::Gsm => 100,
            Self::G723 => 67,
        }
    }
}

/// The media path of one call towards the customer.
#[derive(Debug, Clone)]
pub struct RtpPath {
    /// Where the call's signalling comes from.
    signalling: IpAddr,
    offered: Option<SocketAddr>,
    /// As the customer says it.
    direction: Direction,
    mode: Mode,
    last: Timestamp,
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
    /// Media came from there; of a symmetric path only the offered address can still take its place.
    Settled(SocketAddr),
}

/// What becomes of an RTP packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// Its source is not allowed: it is dropped, and breaks no silence.
    Dropped,
    /// It is taken.
    Taken,
    /// It is taken, and came from the address that media goes to, or another port of it.
    ToEcho(SocketAddr),
}

impl RtpPath {
    /// The path of a call whose signalling comes from an address and that has no media yet.
    pub fn new(signalling: IpAddr, now: Timestamp) -> Self {
        Self {
            signalling: signalling.to_canonical(),
            offered: None,
            direction: Direction::Inactive,
            mode: Mode::Listening,
            last: now,
            dropped: 0,
        }
    }

    /// Takes what an SDP of the customer says: its address, and who sends. What was learned holds as long as the address
    /// does. The watch for silence starts anew with media that is expected again.
    pub fn negotiated(&mut self, offered: Option<SocketAddr>, direction: Direction, now: Timestamp) {
        let offered = offered.map(canonical);
        if offered != self.offered {
            self.offered = offered;
            self.mode = Mode::Listening;
        }
        let was_expected = self.is_expected();
        self.direction = direction;
        if self.is_expected() && !was_expected {
            self.last = now;
        }
    }

    /// Whether the customer is to send: a call on hold, and one that only listens, may be silent.
    const fn is_expected(&self) -> bool {
        matches!(self.direction, Direction::SendRecv)
    }

    /// Whether the customer is to hear anything.
    const fn is_sending(&self) -> bool {
        matches!(self.direction, Direction::SendRecv | Direction::RecvOnly)
    }

    /// Takes an RTP packet, or drops it silently because of its source. What is dropped does not count against silence.
    pub fn receive(&mut self, terms: &RtpTerms, from: SocketAddr, now: Timestamp) -> Heard {
        let from = canonical(from);
        if !terms.accepts(from.ip()) {
            self.dropped = self.dropped.saturating_add(1);
            return Heard::Dropped;
        }
        self.last = now;
        if terms.force_symmetric {
            self.learn(terms, from, now);
        } else if let Some(offered) = self.offered.filter(|offered| offered.ip() == from.ip()) {
            // A phone may send from another port than it hears at.
            self.settle(terms, offered);
        }
        match self.target() {
            Some(target) if target.ip() == from.ip() => Heard::ToEcho(target),
            _ => Heard::Taken,
        }
    }

    fn learn(&mut self, terms: &RtpTerms, from: SocketAddr, now: Timestamp) {
        if Some(from) == self.offered {
            return self.settle(terms, from);
        }
        let (packets, since) = match self.mode {
            Mode::Settled(_) => return,
            Mode::Learning { from: known, packets, since } if known == from => (packets + 1, since),
            Mode::Learning { .. } | Mode::Listening => (1, now),
        };
        self.mode = Mode::Learning { from, packets, since };
        let waited = now.as_unix_millis().saturating_sub(since.as_unix_millis());
        if packets >= LEARN_PACKETS || waited >= LEARN_MILLIS {
            self.settle(terms, from);
        }
    }

    fn settle(&mut self, terms: &RtpTerms, at: SocketAddr) {
        if no_media_to(at, self.signalling, terms.lists(at.ip())).is_none() {
            self.mode = Mode::Settled(at);
        }
    }

    /// Where media is sent to; nowhere as long as none came, and none is sent to a customer who does not listen.
    pub const fn target(&self) -> Option<SocketAddr> {
        match self.mode {
            Mode::Settled(at) if self.is_sending() => Some(at),
            _ => None,
        }
    }

    /// Where the one packet goes that makes a peer speak that waits for the first: to the offered address, if the
    /// signalling comes from there too, or it is listed.
    pub fn ping_target(&self, terms: &RtpTerms) -> Option<SocketAddr> {
        let offered = self.offered.filter(|_| terms.ping && self.is_sending())?;
        let is_listed = terms.lists(offered.ip());
        let is_known = is_listed || offered.ip() == self.signalling;
        (is_known && no_media_to(offered, self.signalling, is_listed).is_none()).then_some(offered)
    }

    /// Why nothing is sent although media comes, for whoever wonders why there is no audio.
    pub fn why_silent(&self, terms: &RtpTerms) -> Option<&'static str> {
        if self.target().is_some() {
            return None;
        }
        if !self.is_sending() {
            return Some("the caller does not listen: it is on hold, or only sends");
        }
        let Some(offered) = self.offered else { return Some("the SDP names no address that could be found") };
        if let Some(why) = no_media_to(offered, self.signalling, terms.lists(offered.ip())) {
            return Some(why);
        }
        Some(if terms.force_symmetric {
            "too few packets came from one address"
        } else {
            "the SDP names another address than RTP comes from, and force_symmetric_rtp is off"
        })
    }

    /// How many packets were dropped because of their source.
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Starts the watch for silence anew: a call is silent from its answer on, not from its offer.
    pub const fn restart(&mut self, now: Timestamp) {
        self.last = now;
    }

    /// When the call ends if it stays silent; never while nothing is expected from the customer.
    pub fn silent_until(&self, terms: &RtpTerms) -> Option<Timestamp> {
        self.is_expected().then(|| self.last.after(terms.timeout))
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
    use std::collections::HashMap;

    use super::*;
    use proptest::prelude::*;

    const OFFERED: &str = "192.0.2.1:4000";
    const REAL: &str = "203.0.113.9:4711";
    const SIGNALLING: &str = "192.0.2.1";

    fn terms(allowed: &[&str], force_symmetric: bool) -> RtpTerms {
        let allowed = allowed.iter().map(|network| Block::of(network.parse().unwrap())).collect();
        RtpTerms { allowed, force_symmetric, ping: true, timeout: Duration::from_secs(30) }
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
    fn media_from_an_address_that_is_not_allowed_is_dropped_and_counted_and_does_not_break_the_silence() {
        let (terms, mut path) = (terms(&["192.0.2.0/24"], false), path());
        assert_eq!(path.receive(&terms, address(REAL), at(29_000)), Heard::Dropped);
        assert_eq!(path.dropped(), 1);
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
    fn a_phone_may_send_from_another_port_than_it_hears_at() {
        let (terms, mut path) = (terms(&[], false), path());
        let heard = path.receive(&terms, address("192.0.2.1:4998"), at(0));
        assert_eq!(heard, Heard::ToEcho(address(OFFERED)));
    }

    #[test]
    fn symmetric_rtp_latches_after_a_few_packets_or_a_quarter_of_a_second() {
        let terms = terms(&[], true);
        let mut by_count = path();
        for packet in 1..=LEARN_PACKETS {
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
        assert_eq!(path.target(), None);
    }

    #[test]
    fn what_was_learned_outlives_an_offer_that_changes_nothing_and_no_other() {
        let (terms, mut path) = (terms(&[], true), path());
        for _ in 0..LEARN_PACKETS {
            path.receive(&terms, address(REAL), at(0));
        }
        path.negotiated(Some(address(OFFERED)), Direction::SendRecv, at(1));
        assert_eq!(path.target(), Some(address(REAL)));
        path.negotiated(Some(address("192.0.2.1:5000")), Direction::SendRecv, at(2));
        assert_eq!(path.target(), None);
    }

    #[test]
    fn nothing_goes_to_special_addresses_whoever_names_them_and_whatever_comes_from_there() {
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
                assert!(path.why_silent(&terms).is_some());
            }
        }
    }

    #[test]
    fn the_ping_goes_to_where_the_signalling_comes_from_or_to_a_listed_address() {
        let open = terms(&[], false);
        assert_eq!(path().ping_target(&open), Some(address(OFFERED)));
        assert_eq!(path_to(OFFERED, "::ffff:192.0.2.1").ping_target(&open), Some(address(OFFERED)));
        assert_eq!(path_to(REAL, SIGNALLING).ping_target(&open), None, "that may be anybody");
        let listing = terms(&["203.0.113.0/24"], false);
        assert_eq!(path_to(REAL, SIGNALLING).ping_target(&listing), Some(address(REAL)));
        let silent = RtpTerms { ping: false, ..open };
        assert_eq!(path().ping_target(&silent), None);
    }

    #[test]
    fn nothing_is_sent_to_who_does_not_listen_and_nothing_expected_of_who_does_not_speak() {
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

    /// What happens to a call's media.
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
