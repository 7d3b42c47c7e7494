//! The media of a call: silence, so that a far end that expects packets does not hang up.
//!
//! Nothing is received: the system drops incoming packets without waking a task, so no peer feeds a loop
//! here. The silence has no pauses for as long as the call lasts, as a telephone's: far ends measure loss and
//! jitter, and some end a call whose stream pauses. Packets are most of the work of a call, so that many calls share a
//! number of them ([`streams`](crate::streams)): all send longer packets then, and none pauses.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use didww_types::resources::MediaEncryptionMode;
use service_base::log_limiter::LogLimiter;
use service_base::net::{Budget, Use, is_own_address};
use sip_transport::{MediaSocket, Ports, sdp};
use trunk_rules::carrier::{
    Agreed, Codec, Direction, Media as Described, MediaHost, OwnOffer, Removed, Settings, negotiate,
    no_media_to,
};

use crate::egress::Egress;
use crate::shared::Shared;
use crate::streams::{Begun, MAX_PACKET_UNITS, Streams};

/// The codecs that are accepted.
const CODECS: [Codec; 2] = [Codec::Pcmu, Codec::Pcma];
/// The settings under which descriptions are negotiated. They are made once: they have a table of emergency numbers.
static SETTINGS: LazyLock<Settings> =
    LazyLock::new(|| Settings { codecs: CODECS.to_vec(), ..Settings::default() });
/// The duration of the audio in a packet, unless there are too many streams.
const PACKET_DURATION: Duration = Duration::from_millis(20);
/// The number of samples of [`PACKET_DURATION`]; each is one byte.
const SAMPLES_PER_PACKET: usize = 160;
/// Logs once that packets are longer, and how many streams began since.
static LONG_PACKETS: LogLimiter =
    LogLimiter::once("calls began while packets of media were longer than 20 ms: many calls send media");

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
    /// What later offers must keep; most calls have nothing.
    agreed: Option<Box<Agreed>>,
    /// The disabled streams, while the far end has removed the audio.
    removed: Option<Box<Removed>>,
    /// The agreed direction, from the far end's point of view.
    direction: Direction,
    stream: Option<Stream>,
    /// The SSRC of the stream, the same in all its packets (RFC 3550).
    source: u32,
    sequence: u16,
    /// The RTP timestamp at zero of the clock's stopwatch.
    timestamp: u32,
    /// The number of packets that were sent.
    sent: u32,
    /// Whether the next packet begins a talkspurt.
    begins: bool,
    /// Counts the stream, while there is one.
    begun: Option<Begun>,
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
        let address = SocketAddr::new(advertised, bound.address.port());
        let random = random.to_be_bytes();
        let [source @ .., _, _, _, _] = random;
        let [_, _, _, _, sequence @ .., _, _] = random;
        let [_, _, timestamp @ .., _, _] = random;
        let identity = sdp::Identity::new(u64::from_be_bytes(random));
        Some(Self {
            bound,
            address,
            identity,
            agreed: None,
            removed: None,
            direction: Direction::SendRecv,
            stream: None,
            source: u32::from_be_bytes(source),
            sequence: u16::from_be_bytes(sequence),
            timestamp: u32::from_be_bytes(timestamp),
            sent: 0,
            begins: true,
            begun: None,
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

    /// The description for an offer of ours: in both directions, in the streams that were negotiated (RFC 3264 §8).
    pub(crate) fn offer(&mut self, codecs: &[Codec]) -> String {
        self.offer_in(codecs, Direction::SendRecv)
    }

    /// The description for the offer of a session refresh, which changes nothing: a call on hold stays there, and
    /// audio that was removed stays removed.
    pub(crate) fn refresh_offer(&mut self, codecs: &[Codec]) -> String {
        match self.disabled_lines() {
            Some(lines) => sdp::answer_taken_out(&mut self.identity, &lines, self.address),
            None => self.offer_in(codecs, self.direction.reversed()),
        }
    }

    /// `direction` is from our point of view.
    fn offer_in(&mut self, codecs: &[Codec], direction: Direction) -> String {
        let offer = later_offer(self.agreed.as_deref(), self.removed.as_deref());
        // The agreed codec comes first, and the others in the configured order.
        let mut ordered: Vec<(u8, Codec)> =
            offer.codecs.first().copied().filter(|_| self.agreed.is_some()).into_iter().collect();
        for codec in codecs {
            let (number, codec) = (codec.offered_payload_type(), *codec);
            if ordered.iter().all(|known| known.0 != number && known.1 != codec) {
                ordered.push((number, codec));
            }
        }
        let offer = OwnOffer { direction, codecs: ordered, ..offer };
        // No key, because encrypted media are not negotiated.
        sdp::own_offer(&mut self.identity, self.address, &offer, "")
    }

    /// The `m=` values of an offer that leaves removed audio as it is; `None` while there is audio, or if the
    /// streams were too many to keep.
    pub(crate) fn disabled_lines(&self) -> Option<Vec<String>> {
        self.removed.as_deref().map(Removed::lines).filter(|lines| !lines.is_empty())
    }

    /// Records what a description of the far end agreed on. `is_answer` is whether it answers an offer of ours:
    /// some far ends leave disabled streams out of an answer, which stay in later offers.
    pub(crate) fn agree(&mut self, described: &Described, is_answer: bool) {
        self.agreed = if is_answer {
            let offer = later_offer(self.agreed.as_deref(), self.removed.as_deref());
            let whole = offer.completed(described.clone());
            Agreed::of(&whole, &MediaEncryptionMode::Disabled, &SETTINGS)
        } else {
            Agreed::of(described, &MediaEncryptionMode::Disabled, &SETTINGS)
        };
        self.removed = None;
        self.direction = described.direction;
    }

    /// The description that answers an offer.
    pub(crate) fn answer(&mut self, offer: &Described) -> String {
        // No key, because encrypted media are not negotiated.
        sdp::answer(&mut self.identity, offer, self.address, "")
    }

    /// Sends to the address of a description from now on, if that is allowed, and returns where, or why nothing is
    /// sent. `carrier` is the address of the carrier that sent it.
    pub(crate) async fn apply(
        &mut self,
        shared: &Shared,
        egress: Egress,
        carrier: IpAddr,
        described: &Described,
    ) -> String {
        let found = match &described.host {
            // The unspecified address means hold (RFC 2543).
            MediaHost::Address(address) if address.is_unspecified() => {
                Err("the carrier holds the call".to_owned())
            }
            MediaHost::Address(address) if shared.network.resolver.allows(egress, "its media", *address) => {
                Ok(*address)
            }
            MediaHost::Address(address) => Err(format!("{address} is not a public address")),
            MediaHost::Name(name) => {
                let may_resolve = self.lookups.take(shared.clock.stopwatch(), LOOKUP_COST_MS);
                let found = if may_resolve { shared.network.resolver.host(name, egress).await } else { None };
                found
                    .map(|(address, _)| address)
                    .ok_or_else(|| format!("the host {name} has no usable address"))
            }
        };
        let to =
            found.map(|address| SocketAddr::new(address, described.port)).and_then(|to| {
                match not_allowed(shared, carrier, to) {
                    Some(why) => Err(format!("{to} is {why}")),
                    None => Ok(to),
                }
            });
        let to = to.and_then(|to| match described.direction {
            Direction::SendOnly | Direction::Inactive => Err("the carrier holds the call".to_owned()),
            _ => Ok(to),
        });
        let before = self.stream.take();
        match to {
            Ok(to) => {
                let (codec, silence) =
                    if described.codec == Codec::Pcma { ("PCMA", 0xd5) } else { ("PCMU", 0xff) };
                self.stream = Some(Stream { to, payload_type: described.payload_type, silence });
                if before.is_none() {
                    self.begin(&shared.streams, shared.clock.stopwatch());
                    let units = self.begun.as_ref().map_or(1, Begun::packet_units);
                    if units > 1 && LONG_PACKETS.admits((), shared.clock.now()) {
                        let milliseconds = PACKET_DURATION.as_millis() * units as u128;
                        tracing::warn!(milliseconds, "many calls send media: their packets are longer");
                    }
                }
                format!("{codec} to {to}")
            }
            Err(why) => {
                self.begun = None;
                format!("no media are sent: {why}")
            }
        }
    }

    /// Begins a stream, whose first packet is due now.
    fn begin(&mut self, streams: &Arc<Streams>, now: Duration) {
        self.begun = Some(streams.begin());
        (self.begins, self.next) = (true, now);
    }

    /// Stops sending, because the far end removed the audio; `lines` are the `m=` values of its description.
    /// `is_answer` is as in [`Self::agree`].
    pub(crate) fn remove(&mut self, lines: &[String], is_answer: bool) {
        self.disable();
        let removed = if is_answer {
            let is_audio = |line: &String| line.split_ascii_whitespace().next() == Some("audio");
            let at = lines.iter().position(is_audio).unwrap_or_default();
            let offer = later_offer(self.agreed.as_deref(), self.removed.as_deref());
            Removed::of(&offer.completed_lines(lines, at))
        } else {
            Removed::of(lines)
        };
        self.removed = Some(Box::new(removed));
    }

    /// Stops sending until the next description.
    pub(crate) fn disable(&mut self) {
        (self.stream, self.begun) = (None, None);
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
        // Missed audio is skipped, because it would be sent in a burst. The timestamps advance in whole units.
        if now >= self.next + PACKET_DURATION * 2 {
            let missed = now.saturating_sub(self.next).as_millis() / PACKET_DURATION.as_millis();
            self.next += PACKET_DURATION * u32::try_from(missed).unwrap_or(u32::MAX);
        }
        // The first packet begins a talkspurt and carries the marker bit (RFC 3551 §4.1).
        let begins = std::mem::take(&mut self.begins);
        let clock = self.next.as_millis() * (SAMPLES_PER_PACKET as u128) / PACKET_DURATION.as_millis();
        #[expect(clippy::cast_possible_truncation, reason = "time stamps wrap around")]
        let stamp = self.timestamp.wrapping_add(clock as u32);
        let units = self.begun.as_ref().map_or(1, Begun::packet_units);
        let mut packet = [stream.silence; 12 + SAMPLES_PER_PACKET * MAX_PACKET_UNITS];
        let head: [u8; 12] = {
            let [s1, s2] = self.sequence.to_be_bytes();
            let [t1, t2, t3, t4] = stamp.to_be_bytes();
            let [c1, c2, c3, c4] = self.source.to_be_bytes();
            [0x80, stream.payload_type | u8::from(begins) << 7, s1, s2, t1, t2, t3, t4, c1, c2, c3, c4]
        };
        for (to, from) in packet.iter_mut().zip(head) {
            *to = from;
        }
        let packet = packet.get(..12 + SAMPLES_PER_PACKET * units).unwrap_or_default();
        // A failure is treated like a lost packet.
        let _lost = self.bound.socket.send_to(packet, stream.to);
        self.sequence = self.sequence.wrapping_add(1);
        self.sent = self.sent.saturating_add(1);
        self.next += PACKET_DURATION * u32::try_from(units).unwrap_or(1);
    }
}

/// Why media may not be sent to an address from a carrier's description; `None` if they may. Special addresses and our
/// own sockets are refused; private and loopback addresses are allowed only for a carrier in the same range. The media
/// of a call to our own edge may be sent to its sockets.
fn not_allowed(shared: &Shared, carrier: IpAddr, to: SocketAddr) -> Option<&'static str> {
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
    why
}

/// The media of a session description; `None` for an empty text.
pub(crate) fn described(body: &[u8]) -> Result<Option<Described>, trunk_rules::carrier::MediaRefusal> {
    negotiate(&MediaEncryptionMode::Disabled, &SETTINGS, Some(body))
}

/// An offer of ours in the streams of the session, in both directions.
fn later_offer<'a>(agreed: Option<&'a Agreed>, removed: Option<&'a Removed>) -> OwnOffer<'a> {
    let offer = OwnOffer::new(&MediaEncryptionMode::Disabled, &SETTINGS, agreed);
    match removed {
        Some(removed) => removed.restored(offer),
        None => offer,
    }
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

    /// Sends the packets that are due until a time, and returns when each was due, in milliseconds.
    fn run(media: &mut Media, until: Duration) -> Vec<u128> {
        let mut due = Vec::new();
        while let Some(next) = media.next_packet().filter(|next| *next < until) {
            // A timer of a busy machine fires a little late.
            media.on_timer(next + Duration::from_millis(3));
            due.push(next.as_millis());
        }
        due
    }

    /// The second bytes, the numbers and the time stamps of packets of this length.
    fn received(receiver: &UdpSocket, count: usize, length: usize) -> Vec<(u8, u16, u32)> {
        (0..count)
            .map(|_| {
                let mut packet = [0; 2_000];
                let bytes = receiver.recv(&mut packet).unwrap();
                assert_eq!((bytes, packet[0], packet[length - 1]), (length, 0x80, 0xd5));
                let number = u16::from_be_bytes([packet[2], packet[3]]);
                (packet[1], number, u32::from_be_bytes([packet[4], packet[5], packet[6], packet[7]]))
            })
            .collect()
    }

    /// A stream that has begun beside this number of others.
    async fn begun(receiver: &UdpSocket, others: usize) -> Media {
        let mut media = media().await;
        assert_eq!(media.next_packet(), None, "there is no destination yet");
        let to = receiver.local_addr().unwrap();
        media.stream = Some(Stream { to, payload_type: 8, silence: 0xd5 });
        media.begin(&Streams::beside(others), Duration::from_secs(5));
        media
    }

    #[tokio::test]
    async fn silence_is_sent_every_20_milliseconds_for_as_long_as_the_call_lasts() {
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut media = begun(&receiver, 0).await;
        let due = run(&mut media, Duration::from_secs(8));
        let expected: Vec<u128> = (5_000..8_000).step_by(20).collect();
        assert_eq!(due, expected);
        let packets = received(&receiver, 150, 172);
        assert_eq!(
            (packets[0].0, packets[1].0, packets[149].0),
            (0x88, 8, 8),
            "one marker, at the beginning"
        );
        for (one, next) in packets.iter().zip(packets.iter().skip(1)) {
            assert_eq!((next.1.wrapping_sub(one.1), next.2.wrapping_sub(one.2)), (1, 160));
        }
    }

    #[tokio::test]
    async fn the_streams_of_many_calls_have_longer_packets_without_pauses() {
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        for (others, units) in [(999, 1), (1_000, 2), (2_500, 3), (7_999, 8), (50_000, 8)] {
            let mut media = begun(&receiver, others).await;
            let due = run(&mut media, Duration::from_secs(6));
            let expected: Vec<u128> = (5_000..6_000).step_by(units * 20).collect();
            assert_eq!(due, expected);
            let packets = received(&receiver, due.len(), 12 + units * 160);
            for (one, next) in packets.iter().zip(packets.iter().skip(1)) {
                let step = (next.0, next.1.wrapping_sub(one.1), next.2.wrapping_sub(one.2) as usize);
                assert_eq!(step, (8, 1, units * 160), "{others}");
            }
        }
    }

    #[tokio::test]
    async fn packets_become_shorter_when_other_streams_end() {
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut media = begun(&receiver, 0).await;
        let streams = media.begun.as_ref().unwrap().all();
        let others: Vec<Begun> = (0..1_500).map(|_| streams.begin()).collect();
        assert_eq!(run(&mut media, Duration::from_millis(5_080)), [5_000, 5_040]);
        drop(others);
        assert_eq!(run(&mut media, Duration::from_millis(5_120)), [5_080, 5_100]);
        media.disable();
        assert_eq!(streams.count(), 0);
    }

    #[tokio::test]
    async fn missed_packets_are_skipped() {
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut media = begun(&receiver, 0).await;
        media.on_timer(Duration::from_millis(9_007));
        assert_eq!(media.sent, 1);
        assert_eq!(media.next_packet(), Some(Duration::from_millis(9_020)));
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
