//! One RTP stream between a caller and the edge: which packets are accepted, and which are echoed.
//!
//! It builds packets and determines their destination, and counts received packets. It holds no socket, so that a
//! test sees every packet that would be sent. Echoed packets carry the edge's own SSRC and sequence numbers: with
//! the caller's, a mixer or recorder would take them for its own packets in a loop (RFC 3550 §8.2).

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use didww_types::Timestamp;
use service_base::net::{Budget, OwnSockets};
use trunk_rules::carrier::{
    AgreedMedia, Codec, Direction, Heard, Media, MediaFacts, Protection, RtpHeader, RtpPath,
    SrtpAuthentication, TrunkTerms, is_rtcp, ping_packet, rtp_payload,
};

use crate::media_report::SharedFacts;

/// Limit of sources of dropped packets that a record names.
const MAX_NAMED_SOURCES: usize = 8;
/// The static payload type of comfort noise (RFC 3389), which clients send without negotiating it.
const COMFORT_NOISE: u8 = 13;
const DEFAULT_PAYLOAD_TYPE: u8 = 8;

/// The state of one RTP stream.
pub(super) struct Stream {
    path: RtpPath,
    trunk: Arc<TrunkTerms>,
    own: OwnSockets,
    /// The last destination address, and whether it can be the address of a socket of this server.
    nearness: Option<(IpAddr, bool)>,
    /// True if packets are echoed; encrypted packets are only counted.
    echo: bool,
    /// True if the last session description of the caller named an address.
    is_addressed: bool,
    /// True from the answer until the caller has named an address, which one without an offer does in its ACK.
    ping_is_due: bool,
    payload_type: u8,
    /// The payload types in which the caller may send audio; empty before a description was agreed on.
    audio_types: Box<[u8]>,
    /// The payload types of telephone events: that of the caller's description, and that of the edge's offer if it is
    /// another one.
    telephone_events: [Option<u8>; 2],
    codec: Codec,
    /// Limits the packets to the rate of the codec.
    packets: Budget,
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    /// The check of encrypted packets, and the key that it is made of. Most calls have none.
    authentication: Option<Box<(Protection, SrtpAuthentication)>>,
    facts: Arc<SharedFacts>,
}

impl Stream {
    pub(super) fn new(
        signalling: IpAddr,
        trunk: Arc<TrunkTerms>,
        own: OwnSockets,
        random: u64,
        (facts, now): (Arc<SharedFacts>, Timestamp),
    ) -> Self {
        let [s1, s2, s3, s4, n1, n2, t1, t2] = random.to_be_bytes();
        let codec = Codec::Pcma;
        Self {
            path: RtpPath::new(signalling, now),
            trunk,
            own,
            nearness: None,
            echo: true,
            is_addressed: false,
            ping_is_due: false,
            payload_type: DEFAULT_PAYLOAD_TYPE,
            audio_types: Box::default(),
            telephone_events: [None; 2],
            codec,
            packets: budget(codec),
            ssrc: u32::from_be_bytes([s1, s2, s3, s4]),
            sequence: u16::from_be_bytes([n1, n2]),
            timestamp: u32::from_be_bytes([t1, t2, n2, n1]),
            authentication: None,
            facts,
        }
    }

    /// Applies the outcome of an offer and its answer; `offered` is the caller's media address in it.
    pub(super) fn apply(&mut self, media: &Media, offered: Option<SocketAddr>, now: Timestamp) {
        self.path.negotiated(offered, media.direction, now);
        self.is_addressed = offered.is_some();
        self.echo = media.protection == Protection::Plain;
        self.payload_type = media.payload_type;
        self.audio_types = media.payload_types.as_slice().into();
        self.telephone_events = [media.telephone_event, media.offered_telephone_event];
        if media.codec != self.codec {
            self.codec = media.codec;
            self.packets = budget(media.codec);
        }
        let known = self.authentication.as_ref().is_some_and(|known| known.0 == media.protection);
        if !known {
            let check = SrtpAuthentication::of(&media.protection);
            self.authentication = check.map(|check| Box::new((media.protection.clone(), check)));
        }
        self.facts.lock().agree(AgreedMedia::of(media, offered));
    }

    /// Stops sending and expecting packets until media is negotiated again.
    pub(super) fn remove_stream(&mut self, now: Timestamp) {
        self.path.negotiated(None, Direction::Inactive, now);
        self.is_addressed = false;
        self.facts.lock().remove_stream();
    }

    /// Records the answer of the call: silence counts from now, and the RTP ping is due.
    pub(super) fn answered(&mut self, now: Timestamp) {
        self.path.restart(now);
        self.ping_is_due = true;
    }

    /// The RTP ping, a packet for a peer that waits for a first one, and its destination. `None` if none is
    /// to be sent.
    pub(super) fn ping(&mut self) -> Option<([u8; 14], SocketAddr)> {
        if !self.ping_is_due || !self.is_addressed {
            return None;
        }
        self.ping_is_due = false;
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
        let facts = Arc::clone(&self.facts);
        let mut facts = facts.lock();
        let header = RtpHeader::of(packet);
        if header.is_none() && self.trunk.rtp.accepts(from.ip()) {
            // RTCP is expected on this port, and not counted as dropped.
            facts.dropped.not_rtp += u64::from(!is_rtcp(packet));
            return None;
        }
        let target = match self.path.receive(&self.trunk.rtp, from, now) {
            Heard::Dropped => {
                count_foreign(&mut facts, from.ip());
                return None;
            }
            Heard::Taken => None,
            Heard::ToEcho(target) => Some(target),
        };
        let header = header?;
        // Its packets use up nothing of the caller's, and no key in them was pressed by the caller.
        if self.path.is_of_stranger(&self.trunk.rtp, from.ip()) {
            count_foreign(&mut facts, from.ip());
            return None;
        }
        facts.received.count(packet.len());
        facts.first_source.get_or_insert(from);
        if !self.packets.take(stopwatch, 1) {
            facts.dropped.rate += 1;
            return None;
        }
        if !self.is_agreed(header, packet, stopwatch, &mut facts) {
            return None;
        }
        let target = target.filter(|_| self.echo)?;
        if self.is_own(target) {
            facts.dropped.own_socket += 1;
            return None;
        }
        let length = u64::try_from(packet.len()).unwrap_or(u64::MAX);
        if !all_calls.take(stopwatch, length) {
            facts.dropped.all_calls += 1;
            return None;
        }
        let begins = facts.sent.packets == 0;
        let sequence = self.next_sequence();
        facts.sent.count(packet.len());
        let [_, payload, n1, n2, _, _, _, _, s1, s2, s3, s4, ..] = packet else { return None };
        if let [Some(wanted), Some(offered)] = self.telephone_events
            && header.payload_type == offered
        {
            // The caller receives events under the number in its own description.
            *payload = (*payload & 0x80) | wanted;
        }
        *payload |= u8::from(begins) << 7;
        [*n1, *n2] = sequence.to_be_bytes();
        [*s1, *s2, *s3, *s4] = self.ssrc.to_be_bytes();
        Some(target)
    }

    /// Returns true if the packet has an agreed payload type, and records what it carries. Other types are
    /// ignored (RFC 3550 §5.1). Before a description was agreed on, every type is accepted.
    fn is_agreed(
        &mut self,
        header: RtpHeader,
        packet: &[u8],
        arrival: Duration,
        facts: &mut MediaFacts,
    ) -> bool {
        let RtpHeader { payload_type, sequence, timestamp, ssrc } = header;
        if let Some(authentication) = &mut self.authentication {
            authentication.1.count(packet, facts);
        }
        if self.audio_types.contains(&payload_type) {
            facts.reception.count(ssrc, sequence, timestamp, arrival, self.codec.clock_rate());
            return true;
        }
        facts.reception.count_other(ssrc, sequence);
        if self.telephone_events.contains(&Some(payload_type)) {
            facts.dtmf.event(ssrc, timestamp, rtp_payload(packet).filter(|_| self.echo));
        } else if payload_type != COMFORT_NOISE && !self.audio_types.is_empty() {
            facts.dropped.payload_type += 1;
            facts.other_payload_type.get_or_insert(payload_type);
            return false;
        }
        true
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
}

/// Counts a packet that is dropped because of its source.
fn count_foreign(facts: &mut MediaFacts, source: IpAddr) {
    facts.dropped.source += 1;
    let sources = &mut facts.dropped_from;
    if sources.len() < MAX_NAMED_SOURCES && !sources.contains(&source) {
        *sources = sources.iter().copied().chain([source]).collect();
    }
}

/// The packet rate of a codec; the packets of one second may arrive at once.
fn budget(codec: Codec) -> Budget {
    let packets = u64::from(codec.packets_a_second());
    Budget::new(packets, packets)
}

#[cfg(test)]
mod tests;
