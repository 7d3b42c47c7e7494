//! SIP over TCP and TLS, with limits.
//!
//! The library's own way writes without a time limit, and partly from the task that reads for everybody; a
//! peer that stops reading would hold up all calls, and one that is cut off in the middle of a message
//! garbles what follows. Here each connection has a task of its own: what is to be sent waits in a queue, a
//! peer that does not read is not read from, and one that takes nothing for a while is cut off.

mod open;
mod places;

use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use rsipstack::sip::Transport;
use rsipstack::transport::channel::ChannelConnection;
use rsipstack::transport::{SipAddr, SipConnection, TransportEvent};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::Sleep;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::arrival::{Arrival, Common, Entry, Way, canonical};
use super::framing::{self, Frame};
use super::stateless::Reply;
pub use open::{Open, User};
pub use places::Connections;
use places::Place;
pub use places::Places;
use service_base::clock::Clock;
use service_base::descriptors::{Descriptors, Share};
use service_base::net::{self, Turns};
use service_base::summed::Summed;

/// Longest that a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Bytes to send beyond which nothing more is taken from a peer.
const FULL: usize = 65_536;
/// Responses that wait to become bytes, beyond which nothing more is taken from a peer.
const QUEUED: usize = 64;
/// Bytes read at a stretch.
const READ: usize = 4_096;
/// Bytes that the kernel may hold for a peer that does not read, of each connection. Left to itself it takes
/// megabytes, and only then does such a peer show.
const KERNEL_BUFFER: usize = 65_536;
/// Longest that the last answer on a connection may take.
const LAST: Duration = Duration::from_millis(500);
/// The wait after a connection could not be taken, which happens when files run out.
const BREATH: Duration = Duration::from_millis(100);

/// How long things may take on a connection.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Longest that a peer may take nothing of what is sent to it.
    pub stuck: Duration,
    /// Longest that a message may take to arrive.
    pub arriving: Duration,
    /// A connection that nobody uses, and on which nothing is sent for so long in either direction, is
    /// closed.
    pub silent: Duration,
    /// Longest that a connection is kept on which nothing came that the door let in.
    pub unproven: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            stuck: Duration::from_secs(10),
            arriving: Duration::from_secs(32),
            silent: Duration::from_mins(5),
            unproven: Duration::from_secs(10),
        }
    }
}

/// What happens to connections that are refused, and to those that cannot be taken.
#[derive(Debug)]
pub struct Refused {
    too_many: Summed,
    failed: Summed,
}

impl Refused {
    pub const fn new() -> Self {
        Self {
            too_many: Summed::new("connections for SIP were refused: too many"),
            failed: Summed::new("connections for SIP could not be taken"),
        }
    }

    pub fn sum_up(&self, clock: &Clock) {
        for kind in [&self.too_many, &self.failed] {
            kind.sum_up(clock.now());
        }
    }
}

/// Takes connections for as long as the server runs.
pub struct Listener {
    pub socket: TcpListener,
    /// For TLS.
    pub acceptor: Option<TlsAcceptor>,
    pub places: Arc<Places>,
    pub common: Common,
    pub token: CancellationToken,
    pub clock: Clock,
    pub refused: Arc<Refused>,
    /// Where connections take the files from that they have open.
    pub descriptors: Descriptors,
}

impl Listener {
    /// Each listener has a task of its own: one that cannot take connections waits without the others.
    pub async fn serve(self) {
        let mut turns = Turns::default();
        loop {
            let accepted = tokio::select! {
                () = self.token.cancelled() => return,
                accepted = net::accept(&self.socket, &mut turns) => accepted,
            };
            let (stream, peer) = match accepted {
                Ok((stream, peer)) => (stream, canonical(peer)),
                Err(error) => {
                    if self.refused.failed.admits(error.kind(), self.clock.now()) {
                        tracing::warn!(%error, "a connection for SIP could not be taken");
                    }
                    tokio::time::sleep(BREATH).await;
                    continue;
                }
            };
            let token = self.token.child_token();
            let files = || self.descriptors.take(Share::Signalling);
            let place = self.places.take(peer.ip(), &token);
            let Some((place, permit)) = place.and_then(|place| Some((place, files()?))) else {
                if self.refused.too_many.admits(peer.ip(), self.clock.now()) {
                    let limits = self.places.limits();
                    tracing::warn!(%peer, ?limits, "a connection for SIP was refused: too many");
                }
                continue;
            };
            let (acceptor, common) = (self.acceptor.clone(), self.common.clone());
            tokio::spawn(async move {
                let talking = talk(stream, peer, acceptor, common, &token, &place);
                let ended = tokio::select! {
                    () = token.cancelled() => Ok(()),
                    ended = talking => ended,
                };
                if let Err(error) = ended {
                    tracing::debug!(%peer, %error, "a connection for SIP ended");
                }
                drop((place, permit));
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
    place: &Place,
) -> io::Result<()> {
    // Small messages must not wait for each other.
    stream.set_nodelay(true)?;
    // Where the system does not let it be less, more it is.
    let _granted = socket2::SockRef::from(&stream).set_send_buffer_size(KERNEL_BUFFER);
    let transport = if acceptor.is_some() { Transport::Tls } else { Transport::Tcp };
    let arrival = Arrival { source: peer, local: canonical(stream.local_addr()?), transport };
    let (link, to_send) = Link::new(common, arrival, token).await?;
    match acceptor {
        None => Box::pin(link.run(stream, to_send, Some(place))).await,
        Some(acceptor) => {
            let stream = tokio::time::timeout(HANDSHAKE, Box::pin(acceptor.accept(stream))).await??;
            Box::pin(link.run(stream, to_send, Some(place))).await
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
    arrival: Arrival,
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
    async fn new(common: Common, arrival: Arrival, token: &CancellationToken) -> io::Result<(Self, ToSend)> {
        let address = SipAddr { r#type: Some(arrival.transport), addr: arrival.source.into() };
        // Not bounded, for whoever sends must never wait; the queue is short because nothing is read while it
        // is not.
        let (outgoing, to_send) = mpsc::unbounded_channel();
        // Messages are handed to the library directly, so nothing comes this way.
        let (_, incoming) = mpsc::unbounded_channel();
        let channel =
            ChannelConnection::create_connection(incoming, outgoing, address, Some(token.child_token()));
        let connection = SipConnection::Channel(channel.await.map_err(io::Error::other)?);
        let users = Shared::default();
        Ok((Self { common, connection, arrival, users, ours: None }, to_send))
    }

    /// A connection that somebody else made has a place, and must be worth it soon.
    async fn run<S>(mut self, stream: S, mut to_send: ToSend, place: Option<&Place>) -> io::Result<()>
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
        let mut turns = Turns::default();
        let mut unproven = place.map(|_| Box::pin(tokio::time::sleep(limits.unproven)));
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
                // Before what the library sends: the ACK of an answer goes before what follows it in the
                // call.
                bytes = next_of(&mut ours), if has_room => Step::Send(bytes),
                event = to_send.recv(), if has_room => Step::Send(bytes_of(event)),
                sent = send(&mut writer, &output), if is_sending => Step::Sent(sent),
                received = reader.read_buf(&mut input), if may_read => Step::Received(received),
                () = passed(arriving.as_mut()) => Step::Late("a message never came whole"),
                () = passed(stuck.as_mut()) => Step::Late("the peer does not read"),
                () = passed(unproven.as_mut()) => Step::Late("nothing came that was let in"),
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
                    let was_let_in = match self.take(&mut input, &mut output, &mut turns).await {
                        Ok(was_let_in) => was_let_in,
                        Err(error) => {
                            // The last answer, if the peer takes it at once.
                            let _sent = tokio::time::timeout(LAST, writer.write_all(&output)).await;
                            let _flushed = tokio::time::timeout(LAST, writer.shutdown()).await;
                            return Err(error);
                        }
                    };
                    match place {
                        Some(place) if was_let_in => {
                            place.prove();
                            unproven = None;
                        }
                        Some(place) if unproven.is_some() => place.stir(),
                        _ => {}
                    }
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

    /// Hands on the whole messages that came; returns whether one of them was let in. One that cannot be read
    /// is answered, and the next one is read: only where nobody can say where the next one begins is it over.
    async fn take(&self, input: &mut BytesMut, output: &mut BytesMut, turns: &mut Turns) -> io::Result<bool> {
        let mut was_let_in = false;
        loop {
            turns.pass().await;
            match framing::next(input) {
                Ok(None) => return Ok(was_let_in),
                Ok(Some(Frame::Ping)) => output.extend_from_slice(b"\r\n"),
                Ok(Some(Frame::Message(bytes))) => {
                    match self.common.take(&bytes, &self.arrival, Way::Stream(&self.connection)).await {
                        Entry::Pass => was_let_in = true,
                        Entry::Reply(answer) => output.extend_from_slice(&answer),
                        Entry::Drop => {}
                    }
                }
                Err(malformed) => {
                    if let Some(door) = &self.common.door
                        && let Entry::Reply(answer) =
                            door.unreadable(input, &self.arrival, &Reply::new(400, "Bad Request"))
                    {
                        output.extend_from_slice(&answer);
                    }
                    return Err(io::Error::other(malformed));
                }
            }
        }
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
