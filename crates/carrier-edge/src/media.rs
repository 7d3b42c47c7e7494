//! The RTP endpoint of a call: it hears, checks who speaks, and echoes.
//!
//! What a peer can make it do is bounded: 2,000 packets a second are read and 256 at once, what is beyond is left to the
//! system; of those, as many are echoed as the codec has reason to send ([`Stream`]), and all calls together send
//! `media_bytes_per_second`; names in an SDP are looked up within the bounds of [`Names`]. Nothing is kept of a packet.

mod names;
mod stream;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use didww_types::Timestamp;
use tokio::net::UdpSocket;
use trunk_rules::carrier::{Media, MediaHost};

use super::Inner;
use super::facts::Facts;
use names::Asked;
pub(crate) use names::Names;
use service_base::net::{self, Budget};
use sip_transport::{Bound, Held};
use stream::Stream;
pub(crate) use stream::Traffic;

/// Packets of one call that are read in a second, and at once. A call sends fifty.
const READ: (u64, u64) = (2_000, 256);

/// The media of one call.
pub(crate) struct Endpoint {
    socket: UdpSocket,
    /// Its place among our own sockets, and the right to have it open.
    _held: Held,
    address: SocketAddr,
    stream: Stream,
    read: Budget,
    asked: Asked,
}

impl Endpoint {
    pub(crate) async fn open(
        inner: &Inner,
        bind: IpAddr,
        advertise: IpAddr,
        facts: &Facts,
        media: Option<&Media>,
        now: Timestamp,
    ) -> Option<Self> {
        let Bound { socket, held } = inner.ports.bind(bind).await?;
        let socket = UdpSocket::from_std(socket).ok()?;
        let address = SocketAddr::new(advertise, socket.local_addr().ok()?.port());
        let signalling = facts.origin.source.ip();
        let own = inner.core.own.clone();
        let stream = Stream::new(signalling, Arc::clone(&facts.trunk), own, inner.core.ids.word(), now);
        let mut endpoint = Self {
            socket,
            _held: held,
            address,
            stream,
            read: Budget::new(READ.0, READ.1),
            asked: Asked::default(),
        };
        if let Some(media) = media {
            endpoint.negotiated(inner, media, now).await;
        }
        Some(endpoint)
    }

    /// What peers are told.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes what an offer or an answer said.
    pub(crate) async fn negotiated(&mut self, inner: &Inner, media: &Media, now: Timestamp) {
        let offered = match &media.host {
            // The unspecified address is the old way to say "hold".
            MediaHost::Address(address) if address.is_unspecified() => None,
            MediaHost::Address(address) => Some(SocketAddr::new(*address, media.port)),
            MediaHost::Name(name) => {
                let found = inner.names.find(&mut self.asked, name, inner.core.clock.stopwatch()).await;
                let of_family = self.address.is_ipv4();
                let address = found.into_iter().find(|found| found.is_ipv4() == of_family);
                address.map(|address| SocketAddr::new(address, media.port))
            }
        };
        self.stream.negotiated(media, offered, now);
    }

    /// The caller takes its stream out of the call.
    pub(crate) fn taken_out(&mut self, now: Timestamp) {
        self.stream.taken_out(now);
    }

    /// Starts the watch for silence anew, and makes a peer speak that waits for the first packet.
    pub(crate) async fn answered(&mut self, now: Timestamp) {
        self.stream.restart(now);
        if let Some((packet, target)) = self.stream.ping() {
            // A packet that cannot be sent is lost, as packets are.
            let _lost = self.socket.send_to(&packet, self.reachable(target)).await;
        }
    }

    /// Hears and echoes for as long as nobody gives up waiting, which is always safe.
    pub(crate) async fn hear(&mut self, inner: &Inner) {
        let (clock, is_ipv6) = (&inner.core.clock, self.is_ipv6());
        let Self { socket, stream, read, .. } = self;
        let take = |packet: &mut [u8], from| {
            let echo = stream.heard(packet, from, clock.now(), clock.stopwatch(), &inner.media_bytes);
            if let Some(target) = echo {
                // What finds no room is lost.
                let _lost = socket.try_send_to(packet, of_family(target, is_ipv6));
            }
        };
        net::receive_loop(socket, clock, read, take).await;
    }

    fn is_ipv6(&self) -> bool {
        self.socket.local_addr().is_ok_and(|local| local.is_ipv6())
    }

    fn reachable(&self, target: SocketAddr) -> SocketAddr {
        of_family(target, self.is_ipv6())
    }

    /// When the call ends if it stays silent.
    pub(crate) fn silent_until(&self) -> Option<Timestamp> {
        self.stream.silent_until()
    }

    /// What came and went.
    pub(crate) fn traffic(&self) -> Traffic<'_> {
        self.stream.traffic()
    }
}

/// An address as a socket takes it: one of IPv6 knows those of IPv4 as mapped ones.
fn of_family(target: SocketAddr, is_ipv6: bool) -> SocketAddr {
    match target.ip() {
        IpAddr::V4(address) if is_ipv6 => SocketAddr::new(address.to_ipv6_mapped().into(), target.port()),
        _ => target,
    }
}
