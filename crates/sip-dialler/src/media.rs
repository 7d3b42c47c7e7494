//! The media of a call: silence, so that a far end that waits for packets does not hang up.
//!
//! Nothing is heard: packets that come in are dropped by the system, which costs no waking, and no loop here
//! is fed by a peer. And silence is suppressed as RFC 3551 §4.1 has it: a quarter of a second of it opens the
//! way through address translators, and then one packet a second shows that we are there. Fifty a second for
//! every call would be the server's main work.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use didww_types::resources::MediaEncryptionMode;
use trunk_rules::carrier::{
    Codec, Direction, Media as Described, MediaHost, Profile, Settings, negotiate, no_media_to,
};

use super::{Inner, Reach};
use service_base::net::{Budget, Use, is_own_address};
use sip_transport::{Bound, Ports, sdp};

/// What is offered, and taken of offers.
const CODECS: [Codec; 2] = [Codec::Pcmu, Codec::Pcma];
/// What one packet holds.
const PACKET: Duration = Duration::from_millis(20);
/// Samples, which are bytes, of one packet.
const SAMPLES: usize = 160;
/// Packets one after another in the beginning.
const OPENING: u32 = 13;
/// How often there is one after that.
const SIGN_OF_LIFE: Duration = Duration::from_secs(1);

/// Lookups of one call at once.
const LOOKUPS: u64 = 4;
/// Milliseconds after which it may have another.
const LOOKUP_COST: u64 = 15_000;

/// Where silence goes, and in which form.
#[derive(Debug, Clone, Copy)]
struct Stream {
    to: SocketAddr,
    payload_type: u8,
    silence: u8,
}

pub(crate) struct Media {
    bound: Bound,
    /// What the far end is told.
    address: SocketAddr,
    /// What names the session in what is said of it.
    identity: sdp::Identity,
    stream: Option<Stream>,
    source: u32,
    sequence: u16,
    /// The stamp of a packet at the stopwatch's zero.
    timestamp: u32,
    sent: u32,
    /// When the next packet is due, on the clock's stopwatch.
    next: Duration,
    /// Lookups of hosts that the far end names, in milliseconds of their cost.
    lookups: Budget,
}

impl Media {
    /// Takes a port; `None` when none is free.
    pub(crate) async fn open(ports: &Ports, bind: IpAddr, told: IpAddr, random: u64) -> Option<Self> {
        let bound = ports.bind(bind).await?;
        let socket = &bound.socket;
        // Nobody reads: the least that the system keeps is enough. It is no harm if it keeps more.
        let _kept = socket2::SockRef::from(socket).set_recv_buffer_size(0);
        let address = SocketAddr::new(told, socket.local_addr().ok()?.port());
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
            lookups: Budget::new(1_000, LOOKUPS * LOOKUP_COST),
        })
    }

    /// The end. A socket that nothing was sent from serves another call.
    pub(crate) fn close(self, ports: &Ports) {
        if self.sent == 0 && self.stream.is_none() {
            ports.give_back(self.bound);
        }
    }

    #[cfg(test)]
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Our offer.
    pub(crate) fn offer(&mut self) -> String {
        sdp::offer(&mut self.identity, self.address, &CODECS, Profile::Avp, "")
    }

    /// Our answer to an offer.
    pub(crate) fn answer(&mut self, offer: &Described) -> String {
        // There is no key: encrypted media is not negotiated.
        sdp::answer(&mut self.identity, offer, self.address, "")
    }

    /// Sends to where a description of a carrier at an address says, from now on, if it may go there.
    pub(crate) async fn follow(
        &mut self,
        inner: &Inner,
        reach: Reach,
        carrier: IpAddr,
        described: &Described,
    ) {
        let to = match &described.host {
            // The unspecified address is the old way to say "hold".
            MediaHost::Address(address) if address.is_unspecified() => None,
            MediaHost::Address(address) => {
                Some(*address).filter(|address| inner.resolver.reaches(reach, "its media", *address))
            }
            MediaHost::Name(name) => {
                let may_ask = self.lookups.take(inner.clock.stopwatch(), LOOKUP_COST);
                let found = if may_ask { inner.resolver.host(name, reach).await } else { None };
                found.map(|(address, _)| address)
            }
        };
        let to = to.map(|to| SocketAddr::new(to, described.port)).filter(|to| may_go(inner, carrier, *to));
        let held = matches!(described.direction, Direction::SendOnly | Direction::Inactive);
        self.stream = to.filter(|_| !held).map(|to| Stream {
            to,
            payload_type: described.payload_type,
            silence: if described.codec == Codec::Pcma { 0xd5 } else { 0xff },
        });
        self.next = inner.clock.stopwatch();
    }

    /// Nothing is sent any more until there is a description again.
    pub(crate) fn taken_out(&mut self) {
        self.stream = None;
    }

    /// Our answer to an offer that takes every stream out of the call.
    pub(crate) fn answer_taken_out(&mut self, lines: &[String]) -> String {
        sdp::answer_taken_out(&mut self.identity, lines, self.address)
    }

    /// When the next packet is due.
    pub(crate) fn next(&self) -> Option<Duration> {
        self.stream.map(|_| self.next)
    }

    /// Sends what is due by now.
    pub(crate) fn on_time(&mut self, now: Duration) {
        let Some(stream) = self.stream.filter(|_| self.next <= now) else { return };
        // A packet that follows a pause begins a talkspurt, and says so.
        let begins = self.sent == 0 || self.sent >= OPENING;
        let clock = now.as_millis() * (SAMPLES as u128) / PACKET.as_millis();
        #[expect(clippy::cast_possible_truncation, reason = "time stamps wrap around")]
        let stamp = self.timestamp.wrapping_add(clock as u32);
        let mut packet = [stream.silence; 12 + SAMPLES];
        let head: [u8; 12] = {
            let [s1, s2] = self.sequence.to_be_bytes();
            let [t1, t2, t3, t4] = stamp.to_be_bytes();
            let [c1, c2, c3, c4] = self.source.to_be_bytes();
            [0x80, stream.payload_type | u8::from(begins) << 7, s1, s2, t1, t2, t3, t4, c1, c2, c3, c4]
        };
        for (to, from) in packet.iter_mut().zip(head) {
            *to = from;
        }
        // A packet that cannot be sent is lost, as packets are.
        let _lost = self.bound.socket.send_to(&packet, stream.to);
        self.sequence = self.sequence.wrapping_add(1);
        self.sent = self.sent.saturating_add(1);
        let pause = if self.sent < OPENING { PACKET } else { SIGN_OF_LIFE };
        // Not what was missed while nobody had time: that would come in a burst.
        self.next = (self.next + pause).max(now);
    }
}

/// Whether media may be sent to an address that a carrier named: never to what is special or our own, and to
/// what is near only for a carrier that is as near. Calls that we place at our own edge send their media
/// there.
fn may_go(inner: &Inner, carrier: IpAddr, to: SocketAddr) -> bool {
    let special = no_media_to(to, carrier, false);
    let own = match inner.config.own.at(to) {
        None => None,
        Some(Use::EdgeMedia) if is_own_address(carrier) => None,
        Some(_) => Some("one of our own sockets"),
    };
    let why = special.or(own);
    if let Some(why) = why {
        tracing::info!(%to, why, "a carrier named an address for media that nothing is sent to");
    }
    why.is_none()
}

/// What a body describes; `None` when it describes nothing.
pub(crate) fn described(body: &[u8]) -> Result<Option<Described>, trunk_rules::carrier::MediaRefusal> {
    let settings = Settings { codecs: CODECS.to_vec(), ..Settings::default() };
    negotiate(&MediaEncryptionMode::Disabled, &settings, Some(body))
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;
    use service_base::descriptors::{Descriptors, Share};
    use service_base::net::OwnSockets;
    use sip_transport::Books;

    fn ports() -> Ports {
        let (own, descriptors) = (OwnSockets::default(), Descriptors::new(1_024));
        let books = Books { own, purpose: Use::Other, descriptors, share: Share::Outgoing };
        Ports::new(20_000..30_000, 7, books)
    }

    async fn media() -> Media {
        let local = IpAddr::from([127, 0, 0, 1]);
        Media::open(&ports(), local, local, 0x0102_0304_0506_0708).await.unwrap()
    }

    #[tokio::test]
    async fn silence_begins_with_a_quarter_of_a_second_and_goes_on_once_a_second() {
        let hears = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut media = media().await;
        assert_eq!(media.next(), None, "nothing goes nowhere");
        let to = hears.local_addr().unwrap();
        media.stream = Some(Stream { to, payload_type: 8, silence: 0xd5 });
        media.next = Duration::from_secs(5);
        let mut due = Vec::new();
        for _ in 0..15 {
            let next = media.next().unwrap();
            media.on_time(next);
            due.push(next.as_millis());
        }
        assert_eq!((due[0], due[1], due[12], due[13], due[14]), (5000, 5020, 5240, 6240, 7240));
        let mut packets = Vec::new();
        for _ in 0..15 {
            let mut packet = [0; 400];
            let length = hears.recv(&mut packet).unwrap();
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
    async fn what_was_missed_is_not_made_up_for() {
        let mut media = media().await;
        media.stream = Some(Stream { to: media.address, payload_type: 0, silence: 0xff });
        media.on_time(Duration::from_secs(9));
        assert_eq!(media.sent, 1);
        assert_eq!(media.next(), Some(Duration::from_secs(9)));
    }

    #[test]
    fn an_answer_is_read_and_what_is_none_is_told() {
        let answer = "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 4000 RTP/AVP 8 101\r\n";
        let described_media = described(answer.as_bytes()).unwrap().unwrap();
        assert_eq!((described_media.codec, described_media.port), (Codec::Pcma, 4000));
        assert_eq!(described(b"").unwrap(), None);
        assert!(described(b"v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 4000 RTP/AVP 18\r\n").is_err());
    }
}
