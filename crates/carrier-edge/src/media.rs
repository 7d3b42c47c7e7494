//! The RTP endpoint of a call: receives packets, checks their source, and echoes them.
//!
//! Bounds of what a peer can cause: a call reads 2,000 packets a second, in bursts of 256, and the system
//! drops the rest; it echoes at most as many packets as the codec sends ([`Stream`]); all calls together send
//! at most `media_bytes_per_second`; host names in a session description are resolved within the limits of
//! [`HostLookups`](host_lookups::HostLookups). No packet is stored.

pub(crate) mod host_lookups;
mod stream;

use std::future::poll_fn;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll};

use didww_types::Timestamp;
use lab::PacketLoss;
use service_base::net::{Budget, ReceiveLoop};
use sip_transport::{MediaSocket, SocketGuard};
use tokio::net::UdpSocket;
use trunk_rules::carrier::{Media, MediaHost};

use super::call_state::CallState;
use super::inner::Inner;
use host_lookups::CallLookups;
use stream::Stream;

/// Limit of packets that a call reads per second. A call usually receives 50.
const READ_PACKETS_PER_SECOND: u64 = 2_000;
/// Limit of packets that a call reads in a burst.
const READ_BURST: u64 = 256;

/// The media endpoint of one call.
pub(crate) struct Endpoint {
    socket: UdpSocket,
    /// The registration of the socket as one of this server, and its share of the file descriptors.
    _held: SocketGuard,
    /// The host and the port that session descriptions name. Apart, because a `SocketAddr` takes twelve bytes more.
    host: IpAddr,
    port: u16,
    /// The family of the socket, which `host` can differ from.
    is_ipv6: bool,
    stream: Stream,
    read_budget: Budget,
    receive_loop: ReceiveLoop,
    call_lookups: CallLookups,
    /// The packets that a fault loses on their way to the caller. They count as sent.
    loss: Option<Box<PacketLoss>>,
}

impl Endpoint {
    pub(crate) async fn open(
        inner: &Inner,
        bind: IpAddr,
        advertise: IpAddr,
        call_state: &CallState,
        media: Option<&Media>,
        now: Timestamp,
    ) -> Option<Self> {
        let MediaSocket { socket, address, held } = inner.ports.bind(bind).await?;
        let socket = UdpSocket::from_std(socket).ok()?;
        let (host, port, is_ipv6) = (advertise, address.port(), address.is_ipv6());
        let signalling = call_state.origin.source.ip();
        let own = inner.core.own.clone();
        call_state.media.lock().local = Some(SocketAddr::new(host, port));
        let facts = (Arc::clone(&call_state.media), now);
        let stream =
            Stream::new(signalling, Arc::clone(&call_state.trunk), own, inner.core.ids.word(), facts);
        let mut endpoint = Self {
            socket,
            _held: held,
            host,
            port,
            is_ipv6,
            stream,
            read_budget: Budget::new(READ_PACKETS_PER_SECOND, READ_BURST),
            receive_loop: ReceiveLoop::default(),
            call_lookups: CallLookups::new(call_state.account()),
            loss: None,
        };
        if let Some(media) = media {
            endpoint.apply(inner, media, now).await;
        }
        Some(endpoint)
    }

    /// Loses packets to the caller from now on.
    pub(crate) fn lose(&mut self, loss: Option<PacketLoss>) {
        self.loss = loss.map(Box::new);
    }

    /// The address that session descriptions name.
    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::new(self.host, self.port)
    }

    /// Applies the outcome of an offer and its answer.
    pub(crate) async fn apply(&mut self, inner: &Inner, media: &Media, now: Timestamp) {
        let offered = match &media.host {
            // The unspecified address puts the call on hold (RFC 3264 §8.4, the older convention).
            MediaHost::Address(address) if address.is_unspecified() => None,
            MediaHost::Address(address) => Some(SocketAddr::new(*address, media.port)),
            MediaHost::Name(name) => {
                let found = inner
                    .host_lookups
                    .resolve(&mut self.call_lookups, name, inner.core.clock.stopwatch())
                    .await;
                let of_family = self.host.is_ipv4();
                let address = found.into_iter().find(|found| found.is_ipv4() == of_family);
                address.map(|address| SocketAddr::new(address, media.port))
            }
        };
        self.stream.apply(media, offered, now);
        self.send_ping().await;
    }

    /// Handles an offer in which the caller removes its audio stream.
    pub(crate) fn remove_stream(&mut self, now: Timestamp) {
        self.stream.remove_stream(now);
    }

    /// Restarts the RTP timeout, and sends the RTP ping, if the caller has named an address for it.
    pub(crate) async fn answered(&mut self, now: Timestamp) {
        self.stream.answered(now);
        self.send_ping().await;
    }

    /// Sends the RTP ping for a peer that waits for a first packet, if it is due.
    async fn send_ping(&mut self) {
        if let Some((packet, target)) = self.stream.ping()
            && !self.loss.as_mut().is_some_and(|loss| loss.takes_next())
        {
            // A packet that cannot be sent counts as lost.
            let _lost = self.socket.send_to(&packet, of_family(target, self.is_ipv6)).await;
        }
    }

    /// Receives and echoes packets. It is never ready.
    fn poll_receive(&mut self, inner: &Inner, context: &mut Context<'_>) -> Poll<()> {
        let clock = &inner.core.clock;
        let Self { socket, is_ipv6, stream, read_budget, receive_loop, loss, .. } = self;
        let is_ipv6 = *is_ipv6;
        let mut take = |packet: &mut [u8], from| {
            let echo = stream.receive(packet, from, clock.now(), clock.stopwatch(), &inner.media_bytes);
            if let Some(target) = echo
                && !loss.as_mut().is_some_and(|loss| loss.takes_next())
            {
                // A packet for which the socket has no buffer is lost.
                let _lost = socket.try_send_to(packet, of_family(target, is_ipv6));
            }
        };
        receive_loop.poll(socket, clock, read_budget, &mut take, context)
    }

    /// When the RTP timeout ends the call, unless another packet arrives.
    pub(crate) fn silent_until(&self) -> Option<Timestamp> {
        self.stream.silent_until()
    }
}

/// Receives and echoes packets until the future is dropped; nothing without an endpoint. Cancel safe.
pub(crate) fn receive_media(mut media: Option<&mut Endpoint>, inner: &Inner) -> impl Future<Output = ()> {
    poll_fn(move |context| match &mut media {
        Some(media) => media.poll_receive(inner, context),
        None => Poll::Pending,
    })
}

/// Converts an address for a socket: an IPv6 socket needs an IPv4 address as an IPv4-mapped one.
fn of_family(target: SocketAddr, is_ipv6: bool) -> SocketAddr {
    match target.ip() {
        IpAddr::V4(address) if is_ipv6 => SocketAddr::new(address.to_ipv6_mapped().into(), target.port()),
        _ => target,
    }
}
