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

/// The number of packets from one address after which media is latched to it.
const LATCH_PACKETS: u32 = 5;
/// The duration of packets from one address, in milliseconds, after which media is latched to it as well.
const LATCH_MILLIS: i64 = 250;
/// The milliseconds without a packet from the latched address after which another port of its host replaces it.
const REBIND_MILLIS: i64 = 1_000;
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
    /// When a packet last came from exactly the latched address.
    last_from_latched: Timestamp,
}

#[derive(Debug, Clone, Copy)]
enum Mode {
    Unlatched,
    Latching {
        from: SocketAddr,
        packets: u32,
        since: Timestamp,
    },
    /// Media came from this address. With symmetric RTP, only the offered address can still replace it, and the host of
    /// the signalling one that is neither.
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
            last_from_latched: now,
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
    /// timeout, and neither does one from another host than the caller's once that is known.
    pub fn receive(&mut self, terms: &RtpTerms, from: SocketAddr, now: Timestamp) -> Heard {
        let from = canonical(from);
        if !terms.accepts(from.ip()) {
            return Heard::Dropped;
        }
        // It must not keep up a call whose caller is gone.
        if !self.is_of_stranger(terms, from.ip()) {
            self.last_received = now;
        }
        if terms.force_symmetric {
            self.update_latch(terms, from, now);
        } else if let Some(offered) = self.offered.filter(|offered| offered.ip() == from.ip()) {
            // A phone may send from another port than the one it receives on.
            self.latch(terms, offered);
        }
        if matches!(self.mode, Mode::Latched(at) if at == from) {
            self.last_from_latched = now;
        }
        match self.target() {
            Some(target) if target.ip() == from.ip() => Heard::ToEcho(target),
            _ => Heard::Taken,
        }
    }

    /// Whether media from a host is none of the caller's: any host can send to the port, and the caller's media is known
    /// to come from another one.
    pub fn is_of_stranger(&self, terms: &RtpTerms, host: IpAddr) -> bool {
        let host = host.to_canonical();
        let is_other = matches!(self.mode, Mode::Latched(at) if at.ip() != host);
        is_other && !self.is_known(host) && !terms.lists(host)
    }

    fn update_latch(&mut self, terms: &RtpTerms, from: SocketAddr, now: Timestamp) {
        if Some(from) == self.offered {
            return self.latch(terms, from);
        }
        let silence = now.as_unix_millis().saturating_sub(self.last_from_latched.as_unix_millis());
        if let Mode::Latched(at) = self.mode
            && (at.ip() == from.ip() && at != from && Some(at) != self.offered)
            && silence >= REBIND_MILLIS
        {
            // The caller's router has mapped it to another port.
            return self.latch(terms, from);
        }
        // Any host can send to the port. Packets from the host of the signalling are the caller's: they replace a
        // source on another host, and no other host replaces them.
        let is_callers = from.ip() == self.signalling;
        let (packets, since) = match self.mode {
            Mode::Latched(at) if !is_callers || self.is_known(at.ip()) => return,
            Mode::Latching { from: known, .. } if !is_callers && known.ip() == self.signalling => return,
            Mode::Latching { from: known, packets, since } if known == from => (packets + 1, since),
            Mode::Latched(_) | Mode::Latching { .. } | Mode::Unlatched => (1, now),
        };
        self.mode = Mode::Latching { from, packets, since };
        let waited = now.as_unix_millis().saturating_sub(since.as_unix_millis());
        if packets >= LATCH_PACKETS || waited >= LATCH_MILLIS {
            self.latch(terms, from);
        }
    }

    /// Whether a host is that of the signalling or of the offered address.
    fn is_known(&self, host: IpAddr) -> bool {
        host == self.signalling || self.offered.is_some_and(|offered| offered.ip() == host)
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
mod tests;
