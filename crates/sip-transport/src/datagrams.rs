//! SIP over UDP: one socket that knows to which of its addresses a datagram came, and answers from there.
//!
//! The library's own reader takes 8,192 bytes, has no limits, and answers from whatever address the system
//! likes. This one reads datagrams of every size, 16 in a row before others have their turn, and hands them
//! to the endpoint by the same way as a stream does. It keeps one buffer and no datagram; what the kernel's
//! queue cannot hold is lost, as datagrams may be, and so is an answer that the kernel does not take at once:
//! nobody waits for a peer here.

use std::future::{Future, pending, ready};
use std::io::{self, IoSlice, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::AsRawFd as _;
use std::pin::Pin;
use std::sync::Arc;

use nix::libc;
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrIn, SockaddrIn6, SockaddrStorage, recvmsg,
    sendmsg, setsockopt, sockopt,
};
use rsipstack::platform::net::UdpSocket as LibrarySocket;
use rsipstack::sip::Transport;
use rsipstack::transport::SipConnection;
use rsipstack::transport::udp::UdpConnection;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;
use tokio_util::sync::CancellationToken;

use super::arrival::{Arrival, Common, Entry, Way, canonical};
use service_base::net::{self, Turns};

/// Bytes that the kernel may hold for this socket until they are read, if the system allows so many
/// (`net.core.rmem_max`). The usual 200 kilobytes are full after 10 milliseconds of a flood.
const KERNEL_BUFFER: usize = 8 << 20;
/// No datagram is longer.
const LONGEST: usize = 65_536;

/// A socket for SIP over UDP.
pub struct Datagrams {
    socket: UdpSocket,
    address: SocketAddr,
    token: CancellationToken,
}

/// A datagram that lies in the buffer.
struct Received {
    length: usize,
    source: SocketAddr,
    /// The address that it was sent to.
    local: IpAddr,
}

impl Datagrams {
    /// Binds; must be called within the runtime.
    pub fn bind(address: SocketAddr, token: CancellationToken) -> io::Result<Arc<Self>> {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_nonblocking(true)?;
        // Where the system allows less, less it is; who may administer the network is not held to that.
        let _granted = socket.set_recv_buffer_size(KERNEL_BUFFER);
        #[cfg(target_os = "linux")]
        let _forced = setsockopt(&socket, sockopt::RcvBufForce, &KERNEL_BUFFER);
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
        Ok(Arc::new(Self { socket, address, token }))
    }

    /// Where it listens; its address may be unspecified.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Reads until the token is cancelled.
    pub async fn serve(self: Arc<Self>, common: Common) {
        let mut buffer = vec![0; LONGEST];
        let mut turns = Turns::default();
        loop {
            let received = tokio::select! {
                () = self.token.cancelled() => return,
                received = net::receive(&self.socket, &mut turns, |_| self.receive(&mut buffer)) => received,
            };
            match received {
                Ok(Received { length, source, local }) => {
                    let bytes = buffer.get(..length).unwrap_or_default();
                    self.take(&common, bytes, source, local).await;
                }
                // One datagram's misfortune; that the next one has it too must not stop everybody else.
                Err(error) => tracing::debug!(%error, "a datagram could not be read"),
            }
        }
    }

    async fn take(self: &Arc<Self>, common: &Common, bytes: &[u8], source: SocketAddr, local: IpAddr) {
        let local = SocketAddr::new(local, self.address.port());
        let arrival = Arrival { source: canonical(source), local, transport: Transport::Udp };
        if let Entry::Reply(answer) = common.take(bytes, &arrival, Way::Datagrams(self)).await {
            self.send(&answer, local.ip(), arrival.source);
        }
    }

    /// One datagram, with the address that it was sent to.
    fn receive(&self, buffer: &mut [u8]) -> io::Result<Received> {
        let mut slices = [IoSliceMut::new(buffer)];
        let mut control = self.is_everywhere().then(|| nix::cmsg_space!(libc::in_pktinfo, libc::in6_pktinfo));
        let message = recvmsg::<SockaddrStorage>(
            self.socket.as_raw_fd(),
            &mut slices,
            control.as_deref_mut(),
            MsgFlags::empty(),
        )?;
        let source = message.address.as_ref().and_then(address_of);
        let source = source.ok_or_else(|| io::Error::other("a datagram has no source"))?;
        let mut local = self.address.ip();
        if control_is_read(&message) {
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

    /// Sends at once or not at all, from one of the own addresses.
    fn send(&self, bytes: &[u8], from: IpAddr, to: SocketAddr) {
        if let Err(error) = self.try_send(bytes, from, to) {
            tracing::debug!(%to, %error, "a datagram was not sent");
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
            _ if !self.is_everywhere() || from.is_unspecified() => None,
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
        // The socket never blocks, and nobody waits until it could be written to.
        let sent = sendmsg(self.socket.as_raw_fd(), &slices, source.as_slice(), MsgFlags::empty(), Some(&to));
        sent.map_err(io::Error::from)
    }

    /// Whether it listens on every address of the machine.
    fn is_everywhere(&self) -> bool {
        self.address.ip().is_unspecified()
    }

    /// What the library answers a message with: it reaches the peer that the message came from, from the
    /// address that it came to, and nobody else, whatever a `Via` says.
    pub async fn connection(self: &Arc<Self>, arrival: &Arrival) -> rsipstack::Result<SipConnection> {
        let Arrival { source, local, .. } = *arrival;
        self.library_socket(local, Some(source)).await
    }

    /// What the library sends to any address with.
    pub async fn anywhere(self: &Arc<Self>) -> rsipstack::Result<SipConnection> {
        self.library_socket(self.address, None).await
    }

    async fn library_socket(
        self: &Arc<Self>,
        local: SocketAddr,
        peer: Option<SocketAddr>,
    ) -> rsipstack::Result<SipConnection> {
        let path = Path { datagrams: Arc::clone(self), local, peer };
        let socket = UdpConnection::from_socket(Arc::new(path), None, Some(self.token.clone())).await?;
        Ok(SipConnection::Udp(socket))
    }
}

/// Whether the kernel said anything beside the datagram.
fn control_is_read<S>(message: &nix::sys::socket::RecvMsg<'_, '_, S>) -> bool {
    !message.flags.contains(MsgFlags::MSG_CTRUNC)
}

fn address_of(storage: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = storage.as_sockaddr_in().map(|address: &SockaddrIn| SocketAddrV4::from(*address).into());
    v4.or_else(|| storage.as_sockaddr_in6().map(|address: &SockaddrIn6| SocketAddrV6::from(*address).into()))
}

/// The socket as the library sends through it.
struct Path {
    datagrams: Arc<Datagrams>,
    local: SocketAddr,
    /// The one peer that is sent to.
    peer: Option<SocketAddr>,
}

type Answer<'a, T> = Pin<Box<dyn Future<Output = rsipstack::Result<T>> + Send + 'a>>;

// The library's trait is written with a macro; this is what it stands for.
impl LibrarySocket for Path {
    fn recv_from<'path, 'buffer, 'future>(
        &'path self,
        _buffer: &'buffer mut [u8],
    ) -> Answer<'future, (usize, SocketAddr)>
    where
        'path: 'future,
        'buffer: 'future,
        Self: 'future,
    {
        // Everything is read above.
        Box::pin(pending())
    }

    fn send_to<'path, 'bytes, 'future>(
        &'path self,
        bytes: &'bytes [u8],
        to: SocketAddr,
    ) -> Answer<'future, usize>
    where
        'path: 'future,
        'bytes: 'future,
        Self: 'future,
    {
        self.datagrams.send(bytes, self.local.ip(), self.peer.unwrap_or(to));
        Box::pin(ready(Ok(bytes.len())))
    }

    fn local_addr(&self) -> rsipstack::Result<SocketAddr> {
        Ok(self.local)
    }
}
