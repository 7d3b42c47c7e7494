//! The media of a call: silence, so that a far end that expects packets does not hang up.
//!
//! Nothing is received: the system drops incoming packets without waking a task, so no peer feeds a loop
//! here. The silence is suppressed as in RFC 3551 §4.1: a quarter of a second of it opens address
//! translators, and then one packet a second keeps the stream alive. Fifty packets a second for every call
//! would be most of the server's work.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use didww_types::resources::MediaEncryptionMode;
use service_base::net::{Budget, Use, is_own_address};
use sip_transport::{MediaSocket, Ports, sdp};
use trunk_rules::carrier::{
    Codec, Direction, Media as Described, MediaHost, Profile, Settings, negotiate, no_media_to,
};

use crate::egress::Egress;
use crate::shared::Shared;

/// The codecs that are accepted.
const CODECS: [Codec; 2] = [Codec::Pcmu, Codec::Pcma];
/// The duration of the audio in a packet.
const PACKET_DURATION: Duration = Duration::from_millis(20);
/// The number of samples in a packet; each is one byte.
const SAMPLES_PER_PACKET: usize = 160;
/// The number of contiguous packets at the beginning.
const INITIAL_PACKETS: u32 = 13;
/// The interval of packets after those.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(1);

/// Maximum number of host lookups of a call without a pause.
const MAX_LOOKUP_BURST: u64 = 4;
/// Milliseconds after which a further lookup is possible.
const LOOKUP_COST_MS: u64 = 15_000;

/// The destination and the encoding of the silence.
#[derive(Debug, Clone, Copy)]
struct Stream {
    to: SocketAddr,
    payload_type: u8,
    /// The byte that encodes silence.
    silence: u8,
}

/// The media socket and the stream of a call.
pub(crate) struct Media {
    bound: MediaSocket,
    /// The address in our session descriptions.
    address: SocketAddr,
    /// The identity of the session in its descriptions.
    identity: sdp::Identity,
    stream: Option<Stream>,
    /// The SSRC.
    source: u32,
    sequence: u16,
    /// The RTP timestamp at zero of the clock's stopwatch.
    timestamp: u32,
    /// The number of packets that were sent.
    sent: u32,
    /// When the next packet is due, on the clock's stopwatch.
    next: Duration,
    /// Limits the lookups of hosts in the far end's descriptions, in milliseconds.
    lookups: Budget,
}

impl Media {
    /// Binds a port; `None` if none is free. `advertised` is the address for our session descriptions.
    pub(crate) async fn open(ports: &Ports, bind: IpAddr, advertised: IpAddr, random: u64) -> Option<Self> {
        let bound = ports.bind(bind).await?;
        let socket = &bound.socket;
        // Nothing is read, so the smallest buffer suffices; a larger one is harmless.
        let _granted = socket2::SockRef::from(socket).set_recv_buffer_size(0);
        let address = SocketAddr::new(advertised, socket.local_addr().ok()?.port());
        let random = random.to_be_bytes();
        let [source @ .., _, _, _, _] = random;
        let [_, _, _, _, sequence @ .., _, _] = random;
        let [_, _, timestamp @ .., _, _] = random;
        let identity = sdp::Identity::new(u64::from_be_bytes(random));
        Some(Self {
            bound,
            address,
            identity,
            stream: None,
            source: u32::from_be_bytes(source),
            sequence: u16::from_be_bytes(sequence),
            timestamp: u32::from_be_bytes(timestamp),
            sent: 0,
            next: Duration::ZERO,
            lookups: Budget::new(1_000, MAX_LOOKUP_BURST * LOOKUP_COST_MS),
        })
    }

    /// Closes the media. An unused socket is kept for another call.
    pub(crate) fn close(self, ports: &Ports) {
        if self.sent == 0 && self.stream.is_none() {
            ports.recycle(self.bound);
        }
    }

    #[cfg(test)]
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The description for an offer of ours.
    pub(crate) fn offer(&mut self, codecs: &[Codec]) -> String {
        sdp::offer(&mut self.identity, self.address, codecs, Profile::Avp, "")
    }

    /// The description that answers an offer.
    pub(crate) fn answer(&mut self, offer: &Described) -> String {
        // No key, because encrypted media are not negotiated.
        sdp::answer(&mut self.identity, offer, self.address, "")
    }

    /// Sends to the address of a description from now on, if that is allowed. `carrier` is the address of the
    /// carrier that sent it.
    pub(crate) async fn apply(
        &mut self,
        shared: &Shared,
        egress: Egress,
        carrier: IpAddr,
        described: &Described,
    ) {
        let to = match &described.host {
            // The unspecified address means hold (RFC 2543).
            MediaHost::Address(address) if address.is_unspecified() => None,
            MediaHost::Address(address) => {
                Some(*address).filter(|address| shared.network.resolver.allows(egress, "its media", *address))
            }
            MediaHost::Name(name) => {
                let may_resolve = self.lookups.take(shared.clock.stopwatch(), LOOKUP_COST_MS);
                let found = if may_resolve { shared.network.resolver.host(name, egress).await } else { None };
                found.map(|(address, _)| address)
            }
        };
        let to = to.map(|to| SocketAddr::new(to, described.port)).filter(|to| may_send(shared, carrier, *to));
        let is_held = matches!(described.direction, Direction::SendOnly | Direction::Inactive);
        self.stream = to.filter(|_| !is_held).map(|to| Stream {
            to,
            payload_type: described.payload_type,
            silence: if described.codec == Codec::Pcma { 0xd5 } else { 0xff },
        });
        self.next = shared.clock.stopwatch();
    }

    /// Stops sending until the next description.
    pub(crate) fn disable(&mut self) {
        self.stream = None;
    }

    /// The description that answers an offer in which every stream is disabled.
    pub(crate) fn answer_disabled(&mut self, lines: &[String]) -> String {
        sdp::answer_taken_out(&mut self.identity, lines, self.address)
    }

    /// When the next packet is due, on the clock's stopwatch; `None` if nothing is sent.
    pub(crate) fn next_packet(&self) -> Option<Duration> {
        self.stream.map(|_| self.next)
    }

    /// Sends a packet if one is due.
    pub(crate) fn on_timer(&mut self, now: Duration) {
        let Some(stream) = self.stream.filter(|_| self.next <= now) else { return };
        // A packet after a pause begins a talkspurt and carries the marker bit (RFC 3551 §4.1).
        let begins = self.sent == 0 || self.sent >= INITIAL_PACKETS;
        let clock = now.as_millis() * (SAMPLES_PER_PACKET as u128) / PACKET_DURATION.as_millis();
        #[expect(clippy::cast_possible_truncation, reason = "time stamps wrap around")]
        let stamp = self.timestamp.wrapping_add(clock as u32);
        let mut packet = [stream.silence; 12 + SAMPLES_PER_PACKET];
        let head: [u8; 12] = {
            let [s1, s2] = self.sequence.to_be_bytes();
            let [t1, t2, t3, t4] = stamp.to_be_bytes();
            let [c1, c2, c3, c4] = self.source.to_be_bytes();
            [0x80, stream.payload_type | u8::from(begins) << 7, s1, s2, t1, t2, t3, t4, c1, c2, c3, c4]
        };
        for (to, from) in packet.iter_mut().zip(head) {
            *to = from;
        }
        // A failure is treated like a lost packet.
        let _lost = self.bound.socket.send_to(&packet, stream.to);
        self.sequence = self.sequence.wrapping_add(1);
        self.sent = self.sent.saturating_add(1);
        let pause = if self.sent < INITIAL_PACKETS { PACKET_DURATION } else { KEEPALIVE_INTERVAL };
        // Missed packets are skipped, because they would be sent in a burst.
        self.next = (self.next + pause).max(now);
    }
}

/// Whether media may be sent to an address from a carrier's description. Special addresses and our own
/// sockets are refused; private and loopback addresses are allowed only for a carrier in the same range. The
/// media of a call to our own edge may be sent to its sockets.
fn may_send(shared: &Shared, carrier: IpAddr, to: SocketAddr) -> bool {
    let special = no_media_to(to, carrier, false);
    let own = match shared.config.own.at(to) {
        None => None,
        Some(Use::EdgeMedia) if is_own_address(carrier) => None,
        Some(_) => Some("one of our own sockets"),
    };
    let why = special.or(own);
    if let Some(why) = why {
        tracing::info!(%to, why, "media are not sent to the address in a carrier's description");
    }
    why.is_none()
}

/// The media of a session description; `None` for an empty text.
pub(crate) fn described(body: &[u8]) -> Result<Option<Described>, trunk_rules::carrier::MediaRefusal> {
    let settings = Settings { codecs: CODECS.to_vec(), ..Settings::default() };
    negotiate(&MediaEncryptionMode::Disabled, &settings, Some(body))
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use service_base::descriptors::{Descriptors, Share};
    use service_base::net::OwnSockets;
    use sip_transport::SocketAccounting;

    use super::*;

    fn ports() -> Ports {
        let (own, descriptors) = (OwnSockets::default(), Descriptors::new(1_024));
        let books = SocketAccounting { own, purpose: Use::Other, descriptors, share: Share::Outgoing };
        Ports::new(20_000..30_000, 7, books)
    }

    async fn media() -> Media {
        let local = IpAddr::from([127, 0, 0, 1]);
        Media::open(&ports(), local, local, 0x0102_0304_0506_0708).await.unwrap()
    }

    #[tokio::test]
    async fn silence_begins_with_a_quarter_of_a_second_and_goes_on_once_a_second() {
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut media = media().await;
        assert_eq!(media.next_packet(), None, "there is no destination yet");
        let to = receiver.local_addr().unwrap();
        media.stream = Some(Stream { to, payload_type: 8, silence: 0xd5 });
        media.next = Duration::from_secs(5);
        let mut due = Vec::new();
        for _ in 0..15 {
            let next = media.next_packet().unwrap();
            media.on_timer(next);
            due.push(next.as_millis());
        }
        assert_eq!((due[0], due[1], due[12], due[13], due[14]), (5000, 5020, 5240, 6240, 7240));
        let mut packets = Vec::new();
        for _ in 0..15 {
            let mut packet = [0; 400];
            let length = receiver.recv(&mut packet).unwrap();
            assert_eq!((length, packet[0], packet[171]), (172, 0x80, 0xd5));
            let number = u16::from_be_bytes([packet[2], packet[3]]);
            let stamp = u32::from_be_bytes([packet[4], packet[5], packet[6], packet[7]]);
            packets.push((packet[1], number, stamp));
        }
        assert_eq!(
            (packets[0].0, packets[1].0, packets[13].0),
            (0x88, 8, 0x88),
            "a pause ends with a marker"
        );
        assert_eq!(packets[14].1 - packets[0].1, 14);
        assert_eq!((packets[1].2 - packets[0].2, packets[13].2 - packets[12].2), (160, 8000));
    }

    #[tokio::test]
    async fn missed_packets_are_skipped() {
        let mut media = media().await;
        media.stream = Some(Stream { to: media.address, payload_type: 0, silence: 0xff });
        media.on_timer(Duration::from_secs(9));
        assert_eq!(media.sent, 1);
        assert_eq!(media.next_packet(), Some(Duration::from_secs(9)));
    }

    #[test]
    fn an_answer_is_parsed_and_an_unacceptable_one_is_an_error() {
        let answer = "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 4000 RTP/AVP 8 101\r\n";
        let described_media = described(answer.as_bytes()).unwrap().unwrap();
        assert_eq!((described_media.codec, described_media.port), (Codec::Pcma, 4000));
        assert_eq!(described(b"").unwrap(), None);
        assert!(described(b"v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 4000 RTP/AVP 18\r\n").is_err());
    }
}
