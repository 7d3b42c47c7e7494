//! SIP over UDP: a socket that records the destination address of each datagram and responds from that
//! address.
//!
//! The library's own reader accepts only 8,192 bytes, has no limits, and responds from an address that the
//! system chooses. This one reads datagrams of any size, yields to other tasks after 16 in a row, and passes
//! them to the endpoint in the same way as a stream does. It has one buffer and no queue: the kernel drops
//! datagrams that its own queue cannot hold. A response that the kernel does not accept at once is lost;
//! sending never waits for a peer.

use std::future::{Future, pending, ready};
use std::io::{self, IoSlice, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::AsRawFd as _;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nix::libc;
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrIn, SockaddrIn6, SockaddrStorage, recvmsg,
    sendmsg, setsockopt, sockopt,
};
use rsipstack::platform::net::UdpSocket as LibrarySocket;
use rsipstack::sip::Transport;
use rsipstack::transport::SipConnection;
use rsipstack::transport::udp::UdpConnection;
use service_base::boxed::Boxed;
use service_base::net::{self, Turns};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;
use tokio_util::sync::CancellationToken;

use crate::arrival::{Arrival, canonical};
use crate::head::Head;
use crate::intake::{FilterAction, Intake, ReplyPath};
use crate::messages::Tap;
use crate::readable::without_null_tag;
use crate::via::response_address;

/// The requested receive buffer in bytes; `net.core.rmem_max` may limit it. The usual default of 200
/// kilobytes is full after 10 milliseconds of a flood.
const RECEIVE_BUFFER_BYTES: usize = 8 << 20;
/// The size of the buffer: no datagram is larger.
const MAX_DATAGRAM_BYTES: usize = 65_536;

/// A socket for SIP over UDP.
pub struct Datagrams {
    socket: UdpSocket,
    address: SocketAddr,
    token: CancellationToken,
    tap: Tap,
}

/// A datagram in the buffer.
struct Received {
    length: usize,
    source: SocketAddr,
    /// The address that the datagram was sent to.
    local: IpAddr,
}

impl Datagrams {
    /// Binds a socket to an address. Must be called within a Tokio runtime; [`serve`](Self::serve) ends with
    /// the token. Datagrams that are sent are stored in `tap`.
    pub fn bind(address: SocketAddr, token: CancellationToken, tap: Tap) -> io::Result<Arc<Self>> {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_nonblocking(true)?;
        // The system may grant less; a process with CAP_NET_ADMIN can exceed that limit.
        let _granted = socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES);
        #[cfg(target_os = "linux")]
        let _forced = setsockopt(&socket, sockopt::RcvBufForce, &RECEIVE_BUFFER_BYTES);
        socket.bind(&address.into())?;
        if address.ip().is_unspecified() {
            if address.is_ipv4() {
                setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?;
            } else {
                setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true)?;
            }
        }
        let socket = UdpSocket::from_std(socket.into())?;
        let address = socket.local_addr()?;
        Ok(Arc::new(Self { socket, address, token, tap }))
    }

    /// The bound address; its IP address may be unspecified.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Receives datagrams until the token is cancelled.
    pub fn serve(self: Arc<Self>, common: Intake) -> Boxed<'static, ()> {
        Box::pin(self.receive_until_cancelled(common))
    }

    async fn receive_until_cancelled(self: Arc<Self>, common: Intake) {
        let mut buffer = vec![0; MAX_DATAGRAM_BYTES];
        // The system writes the local address of each datagram into it, if the socket is bound to all of them.
        let mut control =
            self.is_bound_to_all().then(|| nix::cmsg_space!(libc::in_pktinfo, libc::in6_pktinfo));
        let mut turns = Turns::default();
        let replies = Replies { datagrams: Arc::clone(&self), last: Mutex::default() };
        loop {
            let received = tokio::select! {
                // Nearly always there is a datagram, or nothing: then the token is asked too, and after 16 in a row.
                biased;
                received = net::receive(&self.socket, &mut turns, |_| {
                    self.receive(&mut buffer, control.as_deref_mut())
                }) => received,
                () = self.token.cancelled() => return,
            };
            match received {
                Ok(Received { length, source, local }) => {
                    let bytes = buffer.get(..length).unwrap_or_default();
                    self.handle(&common, &replies, bytes, source, local).await;
                }
                // An error concerns a single datagram, so receiving continues even if it repeats.
                Err(error) => tracing::debug!(%error, "a datagram could not be received"),
            }
        }
    }

    async fn handle(
        &self,
        common: &Intake,
        replies: &Replies,
        bytes: &[u8],
        source: SocketAddr,
        local: IpAddr,
    ) {
        let local = SocketAddr::new(local, self.address.port());
        let arrival = Arrival { source: canonical(source), local, transport: Transport::Udp };
        let decided = common.receive(bytes, &arrival, replies).await;
        let responses = match &decided {
            FilterAction::Reply(response) => std::slice::from_ref(response),
            FilterAction::Replies(responses) => responses.as_slice(),
            FilterAction::Pass | FilterAction::Drop => return,
        };
        let via = Head::of(bytes).and_then(|head| head.value(["Via", "v"]));
        let to = via
            .map_or(arrival.source, |via| response_address(&String::from_utf8_lossy(&via), arrival.source));
        for response in responses {
            self.send(response, local.ip(), to);
        }
    }

    /// Receives one datagram, with its source and the address that it was sent to.
    fn receive(&self, buffer: &mut [u8], control: Option<&mut [u8]>) -> io::Result<Received> {
        let mut slices = [IoSliceMut::new(buffer)];
        let message =
            recvmsg::<SockaddrStorage>(self.socket.as_raw_fd(), &mut slices, control, MsgFlags::empty())?;
        let source = message.address.as_ref().and_then(address_of);
        let source = source.ok_or_else(|| io::Error::other("a datagram has no source"))?;
        let mut local = self.address.ip();
        if has_all_control_data(&message) {
            for part in message.cmsgs()? {
                match part {
                    ControlMessageOwned::Ipv4PacketInfo(info) => {
                        local = Ipv4Addr::from(u32::from_be(info.ipi_spec_dst.s_addr)).into();
                    }
                    ControlMessageOwned::Ipv6PacketInfo(info) => {
                        local = IpAddr::from(Ipv6Addr::from(info.ipi6_addr.s6_addr)).to_canonical();
                    }
                    _ => {}
                }
            }
        }
        Ok(Received { length: message.bytes, source, local })
    }

    /// Sends a datagram from one of the local addresses, or drops it if the kernel does not accept it at
    /// once.
    pub fn send(&self, bytes: &[u8], from: IpAddr, to: SocketAddr) {
        // Taken before the datagram is sent, because the answer may be received at once.
        let moment = self.tap.moment();
        match self.try_send(bytes, from, to) {
            Ok(_) => {
                let from = SocketAddr::new(from.to_canonical(), self.address.port());
                self.tap.sent(bytes, [from, to], Transport::Udp, moment);
            }
            Err(error) => tracing::debug!(%to, %error, "a datagram was not sent"),
        }
    }

    fn try_send(&self, bytes: &[u8], from: IpAddr, to: SocketAddr) -> io::Result<usize> {
        let to = match (self.address, to) {
            (SocketAddr::V6(_), SocketAddr::V4(v4)) => {
                SocketAddr::V6(SocketAddrV6::new(v4.ip().to_ipv6_mapped(), v4.port(), 0, 0))
            }
            _ => to,
        };
        let (v4, v6);
        let source = match (self.address, from) {
            _ if !self.is_bound_to_all() || from.is_unspecified() => None,
            (SocketAddr::V4(_), IpAddr::V4(from)) => {
                v4 = libc::in_pktinfo {
                    ipi_ifindex: 0,
                    ipi_spec_dst: libc::in_addr { s_addr: u32::from(from).to_be() },
                    ipi_addr: libc::in_addr { s_addr: 0 },
                };
                Some(ControlMessage::Ipv4PacketInfo(&v4))
            }
            (_, from) => {
                let from = match from {
                    IpAddr::V4(from) => from.to_ipv6_mapped(),
                    IpAddr::V6(from) => from,
                };
                v6 = libc::in6_pktinfo {
                    ipi6_addr: libc::in6_addr { s6_addr: from.octets() },
                    ipi6_ifindex: 0,
                };
                Some(ControlMessage::Ipv6PacketInfo(&v6))
            }
        };
        let (slices, to) = ([IoSlice::new(bytes)], SockaddrStorage::from(to));
        // The socket is non-blocking, and no task waits until it is writable.
        let sent = sendmsg(self.socket.as_raw_fd(), &slices, source.as_slice(), MsgFlags::empty(), Some(&to));
        sent.map_err(io::Error::from)
    }

    /// Whether the socket is bound to all addresses of the machine.
    fn is_bound_to_all(&self) -> bool {
        self.address.ip().is_unspecified()
    }

    /// A connection with which the library sends to any address.
    pub async fn anywhere(self: &Arc<Self>) -> rsipstack::Result<SipConnection> {
        self.library_socket(self.address, None).await
    }

    async fn library_socket(
        self: &Arc<Self>,
        local: SocketAddr,
        peer: Option<SocketAddr>,
    ) -> rsipstack::Result<SipConnection> {
        let path = LibrarySender { datagrams: Arc::clone(self), local, peer };
        let socket = UdpConnection::from_socket(Arc::new(path), None, Some(self.token.clone())).await?;
        Ok(SipConnection::Udp(socket))
    }
}

/// The way back to the senders of datagrams, for as long as the socket is served.
struct Replies {
    datagrams: Arc<Datagrams>,
    /// The connection of the last datagram. A peer's datagrams come one after the other, and its calls share the
    /// connection.
    last: Mutex<Option<LastConnection>>,
}

/// A connection, with the ends that it is for.
struct LastConnection {
    local: SocketAddr,
    peer: SocketAddr,
    connection: SipConnection,
}

impl Replies {
    fn last(&self) -> MutexGuard<'_, Option<LastConnection>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn last_between(&self, local: SocketAddr, peer: SocketAddr) -> Option<SipConnection> {
        let last = self.last();
        let last = last.as_ref().filter(|last| (last.local, last.peer) == (local, peer));
        last.map(|last| last.connection.clone())
    }
}

impl ReplyPath for Replies {
    const IS_DATAGRAM: bool = true;

    /// Sends from the address that the message was received on, and only to this address.
    async fn connection(&self, arrival: &Arrival, to: SocketAddr) -> rsipstack::Result<SipConnection> {
        if let Some(connection) = self.last_between(arrival.local, to) {
            return Ok(connection);
        }
        let connection = self.datagrams.library_socket(arrival.local, Some(to)).await?;
        let last = LastConnection { local: arrival.local, peer: to, connection: connection.clone() };
        *self.last() = Some(last);
        Ok(connection)
    }
}

/// Whether the kernel's control data was received without truncation.
fn has_all_control_data<S>(message: &nix::sys::socket::RecvMsg<'_, '_, S>) -> bool {
    !message.flags.contains(MsgFlags::MSG_CTRUNC)
}

fn address_of(storage: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = storage.as_sockaddr_in().map(|address: &SockaddrIn| SocketAddrV4::from(*address).into());
    v4.or_else(|| storage.as_sockaddr_in6().map(|address: &SockaddrIn6| SocketAddrV6::from(*address).into()))
}

/// The socket as the library uses it: for sending only.
struct LibrarySender {
    datagrams: Arc<Datagrams>,
    local: SocketAddr,
    /// If set, all datagrams go to this address.
    peer: Option<SocketAddr>,
}

type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = rsipstack::Result<T>> + Send + 'a>>;

// The library declares its trait with `async_trait`; these are the expanded signatures.
impl LibrarySocket for LibrarySender {
    fn recv_from<'path, 'buffer, 'future>(
        &'path self,
        _buffer: &'buffer mut [u8],
    ) -> BoxFuture<'future, (usize, SocketAddr)>
    where
        'path: 'future,
        'buffer: 'future,
        Self: 'future,
    {
        // `Datagrams::serve` receives instead.
        Box::pin(pending())
    }

    fn send_to<'path, 'bytes, 'future>(
        &'path self,
        bytes: &'bytes [u8],
        to: SocketAddr,
    ) -> BoxFuture<'future, usize>
    where
        'path: 'future,
        'bytes: 'future,
        Self: 'future,
    {
        self.datagrams.send(&without_null_tag(bytes), self.local.ip(), self.peer.unwrap_or(to));
        Box::pin(ready(Ok(bytes.len())))
    }

    fn local_addr(&self) -> rsipstack::Result<SocketAddr> {
        Ok(self.local)
    }
}
