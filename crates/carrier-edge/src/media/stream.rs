//! One stream of RTP between a caller and us: which packets are taken, and what is sent back.
//!
//! It composes packets and says where they go; it refuses to hold a socket, so that a test sees all that would be sent.
//! Packets that are echoed bear our own source and numbers: with the caller's, a mixer or a recorder takes them for its
//! own in a circle (RFC 3550 §8.2).

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use didww_types::Timestamp;
use trunk_rules::carrier::{Codec, Direction, Heard, Media, Protection, RtpPath, TrunkTerms, ping_packet};

use service_base::net::{Budget, OwnSockets};

/// Sources of dropped packets that a record names.
const NAMED: usize = 8;

pub(super) struct Stream {
    path: RtpPath,
    trunk: Arc<TrunkTerms>,
    own: OwnSockets,
    /// Where media went last, and whether that can be a socket of ours.
    near: Option<(IpAddr, bool)>,
    /// Whether what is heard may be sent back: what is encrypted is only counted.
    echo: bool,
    payload_type: u8,
    codec: Codec,
    /// Packets that the codec has reason to send.
    packets: Budget,
    source: u32,
    sequence: u16,
    timestamp: u32,
    received: u64,
    sent: u64,
    excess: u64,
    dropped_from: Vec<IpAddr>,
}

/// What came and went in packets of RTP.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Traffic<'a> {
    /// From sources that are allowed.
    pub(crate) received: u64,
    /// Sent back.
    pub(crate) sent: u64,
    /// From sources that are not allowed, and some of these.
    pub(crate) dropped: u64,
    pub(crate) dropped_from: &'a [IpAddr],
    /// More than is taken in the time.
    pub(crate) excess: u64,
    /// Why nothing is sent back.
    pub(crate) why_silent: Option<&'static str>,
}

impl Stream {
    pub(super) fn new(
        signalling: IpAddr,
        trunk: Arc<TrunkTerms>,
        own: OwnSockets,
        random: u64,
        now: Timestamp,
    ) -> Self {
        let [s1, s2, s3, s4, n1, n2, t1, t2] = random.to_be_bytes();
        let codec = Codec::Pcma;
        Self {
            path: RtpPath::new(signalling, now),
            trunk,
            own,
            near: None,
            echo: true,
            payload_type: codec.static_payload_type(),
            codec,
            packets: budget(codec),
            source: u32::from_be_bytes([s1, s2, s3, s4]),
            sequence: u16::from_be_bytes([n1, n2]),
            timestamp: u32::from_be_bytes([t1, t2, n2, n1]),
            received: 0,
            sent: 0,
            excess: 0,
            dropped_from: Vec::new(),
        }
    }

    /// Takes what an offer or an answer said, and the address that it led to.
    pub(super) fn negotiated(&mut self, media: &Media, offered: Option<SocketAddr>, now: Timestamp) {
        self.path.negotiated(offered, media.direction, now);
        self.echo = media.protection == Protection::Plain;
        self.payload_type = media.payload_type;
        if media.codec != self.codec {
            self.codec = media.codec;
            self.packets = budget(media.codec);
        }
    }

    /// Nothing is sent, and nothing expected, until something is negotiated again.
    pub(super) fn taken_out(&mut self, now: Timestamp) {
        self.path.negotiated(None, Direction::Inactive, now);
    }

    /// Starts the watch for silence anew.
    pub(super) fn restart(&mut self, now: Timestamp) {
        self.path.restart(now);
    }

    /// The packet that makes a peer speak that waits for the first one, and where it goes, if one is to be sent.
    pub(super) fn ping(&mut self) -> Option<([u8; 14], SocketAddr)> {
        let target = self.path.ping_target(&self.trunk.rtp)?;
        if self.is_own(target) {
            return None;
        }
        let sequence = self.next();
        Some((ping_packet(self.payload_type, sequence, self.timestamp, self.source), target))
    }

    /// Takes a datagram. What is to be sent back is made of it in place, and goes where this returns.
    pub(super) fn heard(
        &mut self,
        packet: &mut [u8],
        from: SocketAddr,
        now: Timestamp,
        stopwatch: Duration,
        all_calls: &Budget,
    ) -> Option<SocketAddr> {
        let is_rtp = is_rtp(packet);
        if !is_rtp && self.trunk.rtp.accepts(from.ip()) {
            return None;
        }
        let target = match self.path.receive(&self.trunk.rtp, from, now) {
            Heard::Dropped => {
                if self.dropped_from.len() < NAMED && !self.dropped_from.contains(&from.ip()) {
                    self.dropped_from.push(from.ip());
                }
                return None;
            }
            Heard::Taken => None,
            Heard::ToEcho(target) => Some(target),
        };
        self.received += 1;
        if !self.packets.take(stopwatch, 1) {
            self.excess += 1;
            return None;
        }
        let target = target.filter(|target| self.echo && !self.is_own(*target))?;
        let length = u64::try_from(packet.len()).unwrap_or(u64::MAX);
        if !all_calls.take(stopwatch, length) {
            self.excess += 1;
            return None;
        }
        let begins = self.sent == 0;
        let sequence = self.next();
        self.sent += 1;
        let [_, payload, n1, n2, _, _, _, _, s1, s2, s3, s4, ..] = packet else { return None };
        *payload |= u8::from(begins) << 7;
        [*n1, *n2] = sequence.to_be_bytes();
        [*s1, *s2, *s3, *s4] = self.source.to_be_bytes();
        Some(target)
    }

    fn next(&mut self) -> u16 {
        self.sequence = self.sequence.wrapping_add(1);
        self.sequence
    }

    /// Whether a socket of ours is there. Sockets come and go, so it is asked for each packet that stays on this machine.
    fn is_own(&mut self, target: SocketAddr) -> bool {
        let near = match self.near {
            Some((known, near)) if known == target.ip() => near,
            _ => {
                let near = self.own.is_near(target.ip());
                self.near = Some((target.ip(), near));
                near
            }
        };
        near && self.own.at(target).is_some()
    }

    /// When the call ends if it stays silent.
    pub(super) fn silent_until(&self) -> Option<Timestamp> {
        self.path.silent_until(&self.trunk.rtp)
    }

    pub(super) fn traffic(&self) -> Traffic<'_> {
        let silent = self.sent == 0 && self.received > 0;
        let why = || if self.echo { self.path.why_silent(&self.trunk.rtp) } else { None };
        Traffic {
            received: self.received,
            sent: self.sent,
            dropped: self.path.dropped(),
            dropped_from: &self.dropped_from,
            excess: self.excess,
            why_silent: if silent { why() } else { None },
        }
    }
}

/// A second's worth may come at once.
fn budget(codec: Codec) -> Budget {
    let packets = u64::from(codec.packets_a_second());
    Budget::new(packets, packets)
}

/// RTCP on the same port has types that no payload has (RFC 5761 §4).
fn is_rtp(packet: &[u8]) -> bool {
    matches!(packet, [first, second, ..] if packet.len() >= 12 && first >> 6 == 2 && !(192..=223).contains(second))
}

#[cfg(test)]
mod tests;
