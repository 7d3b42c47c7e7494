//! SIP over TCP and TLS, with limits.
//!
//! The library's own way writes without a time limit, and partly from the task that reads for everybody; a peer that
//! stops reading would hold up all calls, and one that is cut off in the middle of a message garbles what follows. Here each connection has a task of its own: what is to be sent waits in a
//! queue, a peer that does not read is not read from, and one that takes nothing for a while is cut off.

#[cfg(feature = "voipbin")]
mod open;

use std::collections::HashMap;
use std::future::pending;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use rsipstack::sip::{SipMessage, Transport};
use rsipstack::transaction::endpoint::EndpointInnerRef;
use rsipstack::transport::channel::ChannelConnection;
use rsipstack::transport::{SipAddr, SipConnection, TransportEvent};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::Sleep;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::framing::{self, Frame};
use crate::net;
#[cfg(feature = "voipbin")]
pub(crate) use open::{Open, User};

/// Longest that a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Bytes to send beyond which nothing more is taken from a peer.
const FULL: usize = 65_536;
/// Responses that wait to become bytes, beyond which nothing more is taken from a peer.
const QUEUED: usize = 64;
/// Bytes read at a stretch.
const READ: usize = 4_096;
/// The wait after a connection could not be taken, which happens when files run out.
const BREATH: Duration = Duration::from_millis(100);

/// How many connections over TCP and TLS are taken; what is beyond is closed at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connections {
    /// Of all peers together.
    pub all: usize,
    /// Of one address.
    pub of_one_address: usize,
}

impl Default for Connections {
    fn default() -> Self {
        Self { all: 1024, of_one_address: 256 }
    }
}

/// How long things may take on a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Longest that a peer may take nothing of what is sent to it.
    pub(crate) stuck: Duration,
    /// Longest that a message may take to arrive.
    pub(crate) arriving: Duration,
    /// A connection that nobody uses, and on which nothing is sent for so long in either direction, is closed.
    pub(crate) silent: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            stuck: Duration::from_secs(10),
            arriving: Duration::from_secs(32),
            silent: Duration::from_mins(5),
        }
    }
}

/// Hears every message first, and gives back those that are for the library.
pub(crate) type Ear = Arc<dyn Fn(SipMessage) -> Option<SipMessage> + Send + Sync>;

/// What all connections of an endpoint have in common.
#[derive(Clone)]
pub(crate) struct Common {
    pub(crate) endpoint: EndpointInnerRef,
    pub(crate) ear: Option<Ear>,
    pub(crate) limits: Limits,
}

/// The connections that there are, by the address of their peer.
#[derive(Debug)]
pub(crate) struct Places {
    limits: Connections,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// A connection's place; dropping it frees it.
struct Place {
    places: Arc<Places>,
    address: IpAddr,
}

impl Places {
    pub(crate) fn new(limits: Connections) -> Arc<Self> {
        Arc::new(Self { limits, taken: Mutex::default() })
    }

    fn take(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let mut taken = self.lock();
        let of_address = taken.by_address.get(&address).copied().unwrap_or_default();
        if taken.all >= self.limits.all || of_address >= self.limits.of_one_address {
            return None;
        }
        taken.all += 1;
        taken.by_address.insert(address, of_address + 1);
        Some(Place { places: Arc::clone(self), address })
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.lock();
        taken.all -= 1;
        if let Some(count) = taken.by_address.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                taken.by_address.remove(&self.address);
            }
        }
    }
}

/// Takes connections for as long as the server runs.
pub(crate) struct Listener {
    pub(crate) socket: TcpListener,
    /// For TLS.
    pub(crate) acceptor: Option<TlsAcceptor>,
    pub(crate) places: Arc<Places>,
    pub(crate) common: Common,
    pub(crate) token: CancellationToken,
}

impl Listener {
    pub(crate) async fn serve(self) {
        let mut turns = net::Turns::default();
        loop {
            let accepted = tokio::select! {
                () = self.token.cancelled() => return,
                accepted = net::accept(&self.socket, &mut turns) => accepted,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "a connection for SIP could not be taken");
                    tokio::time::sleep(BREATH).await;
                    continue;
                }
            };
            let Some(place) = self.places.take(peer.ip()) else {
                tracing::warn!(%peer, limits = ?self.places.limits, "a connection for SIP was refused: too many");
                continue;
            };
            let (acceptor, common) = (self.acceptor.clone(), self.common.clone());
            let token = self.token.child_token();
            tokio::spawn(async move {
                let talking = talk(stream, peer, acceptor, common, &token);
                let ended = tokio::select! {
                    () = token.cancelled() => Ok(()),
                    ended = talking => ended,
                };
                if let Err(error) = ended {
                    tracing::debug!(%peer, %error, "a connection for SIP ended");
                }
                drop(place);
            });
        }
    }
}

async fn talk(
    stream: TcpStream,
    peer: SocketAddr,
    acceptor: Option<TlsAcceptor>,
    common: Common,
    token: &CancellationToken,
) -> io::Result<()> {
    // Small messages must not wait for each other.
    stream.set_nodelay(true)?;
    let transport = if acceptor.is_some() { Transport::Tls } else { Transport::Tcp };
    let (link, to_send) = Link::new(common, peer, transport, token).await?;
    match acceptor {
        None => Box::pin(link.run(stream, to_send)).await,
        Some(acceptor) => {
            let stream = tokio::time::timeout(HANDSHAKE, Box::pin(acceptor.accept(stream))).await??;
            Box::pin(link.run(stream, to_send)).await
        }
    }
}

/// Who uses a connection.
#[derive(Debug, Default)]
struct Users {
    count: usize,
    /// Whether it is too late to use it.
    closed: bool,
}

type Shared = Arc<Mutex<Users>>;

fn users(shared: &Shared) -> MutexGuard<'_, Users> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A connection as the library sees it.
struct Link {
    common: Common,
    connection: SipConnection,
    peer: SocketAddr,
    address: SipAddr,
    transport: Transport,
    users: Shared,
    /// Messages that do not pass the library, of a connection that we made.
    ours: Option<mpsc::Receiver<Vec<u8>>>,
}

type ToSend = mpsc::UnboundedReceiver<TransportEvent>;

/// What happens next on a connection.
enum Step {
    Send(Vec<u8>),
    Sent(io::Result<usize>),
    Received(io::Result<usize>),
    Late(&'static str),
    Silent,
}

impl Link {
    async fn new(
        common: Common,
        peer: SocketAddr,
        transport: Transport,
        token: &CancellationToken,
    ) -> io::Result<(Self, ToSend)> {
        let address = SipAddr { r#type: Some(transport), addr: peer.into() };
        // Not bounded, for whoever sends must never wait; the queue is short because nothing is read while it is not.
        let (outgoing, to_send) = mpsc::unbounded_channel();
        // Messages are handed to the library directly, so nothing comes this way.
        let (_, incoming) = mpsc::unbounded_channel();
        let channel = ChannelConnection::create_connection(
            incoming,
            outgoing,
            address.clone(),
            Some(token.child_token()),
        );
        let connection = SipConnection::Channel(channel.await.map_err(io::Error::other)?);
        let users = Shared::default();
        Ok((Self { common, connection, peer, address, transport, users, ours: None }, to_send))
    }

    async fn run<S>(mut self, stream: S, mut to_send: ToSend) -> io::Result<()>
    where
        S: AsyncRead + AsyncWrite,
    {
        let (mut reader, mut writer) = tokio::io::split(stream);
        let (mut input, mut output) = (BytesMut::new(), BytesMut::new());
        // TLS keeps bytes to itself until it is told to flush.
        let mut is_flushed = true;
        let mut arriving: Option<Pin<Box<Sleep>>> = None;
        let mut stuck: Option<Pin<Box<Sleep>>> = None;
        let mut ours = self.ours.take();
        let limits = self.common.limits;
        loop {
            input.reserve(READ);
            let is_sending = !output.is_empty() || !is_flushed;
            let has_room = output.len() < FULL;
            let may_read = has_room && to_send.len() < QUEUED;
            if !is_sending {
                stuck = None;
            } else if stuck.is_none() {
                stuck = Some(Box::pin(tokio::time::sleep(limits.stuck)));
            }
            let step = tokio::select! {
                biased;
                // Before what the library sends: the ACK of an answer goes before what follows it in the call.
                bytes = next_of(&mut ours), if has_room => Step::Send(bytes),
                event = to_send.recv(), if has_room => Step::Send(bytes_of(event)),
                sent = send(&mut writer, &output), if is_sending => Step::Sent(sent),
                received = reader.read_buf(&mut input), if may_read => Step::Received(received),
                () = passed(arriving.as_mut()) => Step::Late("a message never came whole"),
                () = passed(stuck.as_mut()) => Step::Late("the peer does not read"),
                () = tokio::time::sleep(limits.silent), if !is_sending => Step::Silent,
            };
            match step {
                Step::Send(bytes) => output.extend_from_slice(&bytes),
                Step::Sent(sent) => {
                    stuck = None;
                    is_flushed = output.is_empty();
                    output.advance(sent?);
                }
                Step::Received(received) => {
                    if received? == 0 {
                        return Ok(());
                    }
                    self.take(&mut input, &mut output).await?;
                    arriving = match (input.is_empty(), arriving) {
                        (true, _) => None,
                        (false, Some(since)) => Some(since),
                        (false, None) => Some(Box::pin(tokio::time::sleep(limits.arriving))),
                    };
                }
                Step::Silent if self.is_in_use() => {}
                Step::Silent => return Err(io::Error::new(io::ErrorKind::TimedOut, "it was silent")),
                Step::Late(why) => return Err(io::Error::new(io::ErrorKind::TimedOut, why)),
            }
        }
    }

    /// Whether somebody uses it; from then on nobody can when nobody does.
    fn is_in_use(&self) -> bool {
        let mut users = users(&self.users);
        users.closed = users.count == 0;
        !users.closed
    }

    /// Hands the whole messages that came to the library.
    async fn take(&self, input: &mut BytesMut, output: &mut BytesMut) -> io::Result<()> {
        while let Some(frame) = framing::next(input).map_err(io::Error::other)? {
            match frame {
                Frame::Ping => output.extend_from_slice(b"\r\n"),
                Frame::Message(bytes) => {
                    let parsed = SipMessage::try_from(&bytes[..]).map_err(io::Error::other)?;
                    let message = SipConnection::update_msg_received(parsed, self.peer, self.transport);
                    let taken = match message {
                        Ok(message) => self.hand_on(message).await,
                        Err(error) => Err(error),
                    };
                    if let Err(error) = taken {
                        tracing::debug!(peer = %self.peer, %error, "a message was not understood");
                    }
                }
            }
        }
        Ok(())
    }

    async fn hand_on(&self, message: SipMessage) -> rsipstack::Result<()> {
        let rest = match &self.common.ear {
            Some(ear) => ear(message),
            None => Some(message),
        };
        let Some(message) = rest else { return Ok(()) };
        let connection = self.connection.clone();
        Box::pin(self.common.endpoint.on_received_message(message, connection, &self.address)).await
    }
}

async fn next_of(ours: &mut Option<mpsc::Receiver<Vec<u8>>>) -> Vec<u8> {
    match ours {
        // The other end is there as long as it can be used; after that there is nothing to wait for.
        Some(ours) => match ours.recv().await {
            Some(bytes) => bytes,
            None => pending().await,
        },
        None => pending().await,
    }
}

fn bytes_of(event: Option<TransportEvent>) -> Vec<u8> {
    match event {
        Some(TransportEvent::Incoming(message, ..)) => message.to_bytes(),
        _ => Vec::new(),
    }
}

/// Sends some of the bytes; when there are none, what TLS kept to itself. Safe to give up waiting for.
async fn send(writer: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<usize> {
    if bytes.is_empty() {
        return writer.flush().await.map(|()| 0);
    }
    match writer.write(bytes).await {
        Ok(0) => Err(io::ErrorKind::WriteZero.into()),
        sent => sent,
    }
}

async fn passed(deadline: Option<&mut Pin<Box<Sleep>>>) {
    match deadline {
        Some(deadline) => deadline.await,
        None => pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_limited_for_all_and_for_each_address_and_come_back() {
        let places = Places::new(Connections { all: 3, of_one_address: 2 });
        let [a, b]: [IpAddr; 2] = ["192.0.2.1", "2001:db8::1"].map(|text| text.parse().unwrap());
        let first = places.take(a).unwrap();
        let _second = places.take(a).unwrap();
        assert!(places.take(a).is_none());
        let _other = places.take(b).unwrap();
        assert!(places.take(b).is_none());
        drop(first);
        let _again = places.take(a).unwrap();
        assert!(places.take(b).is_none());
        assert_eq!(places.lock().by_address.len(), 2);
    }
}
