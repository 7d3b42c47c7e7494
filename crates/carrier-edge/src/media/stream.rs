//! One RTP stream between a caller and the edge: which packets are accepted, and what is sent back.
//!
//! It builds packets and determines their destination. It holds no socket, so that a test sees everything
//! that would be sent. Echoed packets carry the edge's own SSRC and sequence numbers: with the caller's, a
//! mixer or recorder would take them for its own packets in a loop (RFC 3550 §8.2).

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use didww_types::Timestamp;
use service_base::net::{Budget, OwnSockets};
use trunk_rules::carrier::{Codec, Direction, Heard, Media, Protection, RtpPath, TrunkTerms, ping_packet};

/// Limit of sources of dropped packets that a record names.
const MAX_NAMED_SOURCES: usize = 8;

/// The state of one RTP stream.
pub(super) struct Stream {
    path: RtpPath,
    trunk: Arc<TrunkTerms>,
    own: OwnSockets,
    /// The last destination address, and whether a socket of this server can have it.
    nearness: Option<(IpAddr, bool)>,
    /// True if packets are echoed; encrypted packets are only counted.
    echo: bool,
    payload_type: u8,
    codec: Codec,
    /// Limits the packets to the rate of the codec.
    packets: Budget,
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    received: u64,
    sent: u64,
    excess: u64,
    dropped_from: Vec<IpAddr>,
}

/// The RTP packet counters of a call.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Traffic<'a> {
    /// Packets received from allowed sources.
    pub(crate) received: u64,
    /// Packets echoed to the caller.
    pub(crate) sent: u64,
    /// Packets received from other sources.
    pub(crate) dropped: u64,
    /// Some of these sources.
    pub(crate) dropped_from: &'a [IpAddr],
    /// Packets from allowed sources beyond the rate of the codec or of all calls.
    pub(crate) excess: u64,
    /// Why no packet was echoed although some were received.
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
            nearness: None,
            echo: true,
            payload_type: codec.static_payload_type(),
            codec,
            packets: budget(codec),
            ssrc: u32::from_be_bytes([s1, s2, s3, s4]),
            sequence: u16::from_be_bytes([n1, n2]),
            timestamp: u32::from_be_bytes([t1, t2, n2, n1]),
            received: 0,
            sent: 0,
            excess: 0,
            dropped_from: Vec::new(),
        }
    }

    /// Applies the outcome of an offer and its answer; `offered` is the caller's media address in it.
    pub(super) fn apply(&mut self, media: &Media, offered: Option<SocketAddr>, now: Timestamp) {
        self.path.negotiated(offered, media.direction, now);
        self.echo = media.protection == Protection::Plain;
        self.payload_type = media.payload_type;
        if media.codec != self.codec {
            self.codec = media.codec;
            self.packets = budget(media.codec);
        }
    }

    /// Stops to send and to expect packets until media is negotiated again.
    pub(super) fn remove_stream(&mut self, now: Timestamp) {
        self.path.negotiated(None, Direction::Inactive, now);
    }

    /// Restarts the RTP timeout.
    pub(super) fn restart(&mut self, now: Timestamp) {
        self.path.restart(now);
    }

    /// The RTP ping, a packet for a peer that waits for a first one, and its destination. `None` if none is
    /// to be sent.
    pub(super) fn ping(&mut self) -> Option<([u8; 14], SocketAddr)> {
        let target = self.path.ping_target(&self.trunk.rtp)?;
        if self.is_own(target) {
            return None;
        }
        let sequence = self.next_sequence();
        Some((ping_packet(self.payload_type, sequence, self.timestamp, self.ssrc), target))
    }

    /// Handles a received datagram. If it is to be echoed, rewrites it in place and returns the destination.
    pub(super) fn receive(
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
                if self.dropped_from.len() < MAX_NAMED_SOURCES && !self.dropped_from.contains(&from.ip()) {
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
        let sequence = self.next_sequence();
        self.sent += 1;
        let [_, payload, n1, n2, _, _, _, _, s1, s2, s3, s4, ..] = packet else { return None };
        *payload |= u8::from(begins) << 7;
        [*n1, *n2] = sequence.to_be_bytes();
        [*s1, *s2, *s3, *s4] = self.ssrc.to_be_bytes();
        Some(target)
    }

    fn next_sequence(&mut self) -> u16 {
        self.sequence = self.sequence.wrapping_add(1);
        self.sequence
    }

    /// Returns true if a socket of this server has this address. Sockets open and close, so this is looked up
    /// for each packet to an address of this machine.
    fn is_own(&mut self, target: SocketAddr) -> bool {
        let nearness = match self.nearness {
            Some((known, nearness)) if known == target.ip() => nearness,
            _ => {
                let nearness = self.own.is_near(target.ip());
                self.nearness = Some((target.ip(), nearness));
                nearness
            }
        };
        nearness && self.own.at(target).is_some()
    }

    /// When the RTP timeout ends the call, unless another packet arrives.
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

/// The packet rate of a codec; the packets of one second may arrive at once.
fn budget(codec: Codec) -> Budget {
    let packets = u64::from(codec.packets_a_second());
    Budget::new(packets, packets)
}

/// Returns true for an RTP packet. RTCP on the same port is recognized by its packet types, which RTP does
/// not use (RFC 5761 §4).
fn is_rtp(packet: &[u8]) -> bool {
    matches!(packet, [first, second, ..] if packet.len() >= 12 && first >> 6 == 2 && !(192..=223).contains(second))
}

#[cfg(test)]
mod tests;
