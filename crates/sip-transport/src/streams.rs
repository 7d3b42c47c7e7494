//! SIP over TCP and TLS, with limits.
//!
//! The library's own implementation writes without a time limit, partly from the task that reads for all
//! connections: a peer that stops reading would block all calls, and an interrupted write would corrupt the
//! messages after it. Here each connection has its own task. Messages to be sent wait in a queue. While a
//! peer does not read, nothing is read from it, and a peer that accepts nothing for [`Limits::write_timeout`]
//! is disconnected.

mod handshakes;
mod outgoing;
mod slots;

use std::future::pending;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use rsipstack::sip::Transport;
use rsipstack::transport::channel::ChannelConnection;
use rsipstack::transport::{SipAddr, SipConnection, TransportEvent};
use service_base::boxed::Boxed;
use service_base::clock::Clock;
use service_base::descriptors::{Descriptors, Share};
use service_base::log_limiter::LogLimiter;
use service_base::net::{self, Turns};
use tls_identity::Identity;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::Sleep;
use tokio_util::sync::CancellationToken;

use crate::arrival::{Arrival, canonical};
use crate::framing::{self, Frame, Framer};
use crate::intake::{FilterAction, Intake};
pub use crate::limits::Limits;
use crate::readable::without_null_tag;

use handshakes::Handshakes;
pub use outgoing::{Lease, OutgoingStream, SendError};
use slots::Slot;
pub use slots::{ConnectionSlots, Connections};

/// Maximum duration of a TLS handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Reading from a peer pauses while this many bytes or more wait to be sent to it.
const MAX_PENDING_BYTES: usize = 65_536;
/// Reading from a peer pauses while this many of its responses or more are queued.
const MAX_QUEUED_RESPONSES: usize = 64;
/// Space in bytes that is reserved for each read.
const READ_SIZE: usize = 4_096;
/// The send buffer of each connection in bytes. By default the kernel buffers megabytes for a peer that does
/// not read, which would delay its detection.
const SEND_BUFFER_BYTES: usize = 65_536;
/// Maximum duration of sending the last response on a connection.
const FINAL_WRITE_TIMEOUT: Duration = Duration::from_millis(500);
/// Delay after an error of `accept`, which occurs when no more files may be open.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(100);

/// Limits the log lines about connections that are refused or cannot be accepted. Further ones are counted
/// and logged as a sum.
#[derive(Debug)]
pub struct RefusedConnections {
    too_many: LogLimiter,
    handshakes: LogLimiter,
    failed: LogLimiter,
}

impl Default for RefusedConnections {
    fn default() -> Self {
        Self::new()
    }
}

impl RefusedConnections {
    /// Creates limits under which nothing is counted yet.
    pub const fn new() -> Self {
        Self {
            too_many: LogLimiter::new("SIP connections were refused: too many"),
            handshakes: LogLimiter::new(
                "SIP connections were refused: too many TLS handshakes of one address",
            ),
            failed: LogLimiter::new("SIP connections could not be accepted"),
        }
    }

    /// Logs the sums that are due.
    pub fn write_log_summaries(&self, clock: &Clock) {
        for kind in [&self.too_many, &self.handshakes, &self.failed] {
            kind.write_due_summary(clock.now());
        }
    }
}

/// Accepts connections over TCP or TLS.
pub struct Listener {
    /// The socket that accepts connections, bound by the caller.
    pub socket: TcpListener,
    /// The certificate of a TLS listener.
    pub identity: Option<Arc<Identity>>,
    /// The limits on the number of connections. Each listener has its own.
    pub places: Arc<ConnectionSlots>,
    /// The endpoint that receives the messages.
    pub common: Intake,
    /// Ends the listener and all its connections.
    pub token: CancellationToken,
    /// Used for rate limits of log lines.
    pub clock: Clock,
    /// Limits the log lines about refused connections. Listeners may share it.
    pub refused: Arc<RefusedConnections>,
    /// The limit of open files.
    pub descriptors: Descriptors,
}

impl Listener {
    /// Accepts connections until the token is cancelled. Each listener needs its own task, so that an error
    /// of one does not delay the others.
    pub fn serve(self) -> Boxed<'static, ()> {
        Box::pin(self.accept_connections())
    }

    async fn accept_connections(self) {
        let mut turns = Turns::default();
        let handshakes = self.identity.as_ref().map(|_| Handshakes::default());
        loop {
            let accepted = tokio::select! {
                () = self.token.cancelled() => return,
                accepted = net::accept(&self.socket, &mut turns) => accepted,
            };
            let (stream, peer) = match accepted {
                Ok((stream, peer)) => (stream, canonical(peer)),
                Err(error) => {
                    if self.refused.failed.admits(error.kind(), self.clock.now()) {
                        tracing::warn!(%error, "a SIP connection could not be accepted");
                    }
                    tokio::time::sleep(ACCEPT_RETRY_DELAY).await;
                    continue;
                }
            };
            if handshakes.as_ref().is_some_and(|all| !all.admits(peer.ip(), self.clock.stopwatch())) {
                if self.refused.handshakes.admits(peer.ip(), self.clock.now()) {
                    tracing::warn!(%peer, "a SIP connection was refused: too many TLS handshakes of its address");
                }
                continue;
            }
            // Without an address it has ended already.
            let Ok(local) = stream.local_addr() else { continue };
            let transport = if self.identity.is_some() { Transport::Tls } else { Transport::Tcp };
            let arrival = Arrival { source: peer, local: canonical(local), transport };
            let token = self.token.child_token();
            let permit = || self.descriptors.take(Share::Signalling);
            let slot = self.places.take(arrival, &token, permit, |arrival| self.common.needs(arrival));
            let Some(slot) = slot else {
                if self.refused.too_many.admits(peer.ip(), self.clock.now()) {
                    let limits = self.places.limits();
                    tracing::warn!(%peer, ?limits, "a SIP connection was refused: too many");
                }
                continue;
            };
            let (identity, common) = (self.identity.clone(), self.common.clone());
            tokio::spawn(async move {
                let serving = serve_connection(stream, arrival, identity, common, &token, &slot);
                let ended = tokio::select! {
                    () = token.cancelled() => Ok(()),
                    ended = serving => ended,
                };
                if let Err(error) = ended {
                    tracing::debug!(%peer, %error, "a SIP connection ended");
                }
                // So that users of the connection notice its end.
                token.cancel();
                drop(slot);
            });
        }
    }
}

async fn serve_connection(
    stream: TcpStream,
    arrival: Arrival,
    identity: Option<Arc<Identity>>,
    common: Intake,
    token: &CancellationToken,
    slot: &Slot,
) -> io::Result<()> {
    // Small messages must not wait for each other (Nagle).
    stream.set_nodelay(true)?;
    // The system may enforce a larger minimum.
    let _granted = socket2::SockRef::from(&stream).set_send_buffer_size(SEND_BUFFER_BYTES);
    let (connection, to_send) = StreamConnection::new(common, arrival, token).await?;
    match identity {
        None => Box::pin(connection.run(stream, to_send, Some(slot))).await,
        Some(identity) => {
            let handshake = Box::pin(identity.acceptor().accept(stream));
            let stream = tokio::time::timeout(HANDSHAKE_TIMEOUT, handshake).await??;
            Box::pin(connection.run(stream, to_send, Some(slot))).await
        }
    }
}

/// The leases of an outgoing connection.
#[derive(Debug, Default)]
struct Leases {
    count: usize,
    /// Whether the connection is being closed, so that no new lease is possible.
    closed: bool,
}

type SharedLeases = Arc<Mutex<Leases>>;

fn lock(shared: &SharedLeases) -> MutexGuard<'_, Leases> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A connection whose messages are exchanged with the library.
struct StreamConnection {
    common: Intake,
    connection: SipConnection,
    arrival: Arrival,
    leases: SharedLeases,
    /// Messages that bypass the library, for an outgoing connection.
    direct: Option<mpsc::Receiver<Vec<u8>>>,
}

type ToSend = mpsc::UnboundedReceiver<TransportEvent>;

/// The next event of a connection.
enum Step {
    Send(Vec<u8>),
    Sent(io::Result<usize>),
    Received(io::Result<usize>),
    /// A deadline passed; the text is the reason.
    Expired(&'static str),
    Idle,
}

impl StreamConnection {
    async fn new(common: Intake, arrival: Arrival, token: &CancellationToken) -> io::Result<(Self, ToSend)> {
        let address = SipAddr { r#type: Some(arrival.transport), addr: arrival.source.into() };
        // Unbounded, because senders must never wait. It stays short because reading pauses while it is long.
        let (outgoing, to_send) = mpsc::unbounded_channel();
        // Unused: received messages are passed to the library directly.
        let (_, incoming) = mpsc::unbounded_channel();
        let channel =
            ChannelConnection::create_connection(incoming, outgoing, address, Some(token.child_token()));
        let connection = SipConnection::Channel(channel.await.map_err(io::Error::other)?);
        let leases = SharedLeases::default();
        Ok((Self { common, connection, arrival, leases, direct: None }, to_send))
    }

    /// Reads and writes until the connection ends. An accepted connection has a slot, and must bring an
    /// acceptable message within [`Limits::unproven_timeout`].
    async fn run<S>(mut self, stream: S, mut to_send: ToSend, slot: Option<&Slot>) -> io::Result<()>
    where
        S: AsyncRead + AsyncWrite,
    {
        let (mut reader, mut writer) = tokio::io::split(stream);
        let (mut input, mut output) = (BytesMut::new(), BytesMut::new());
        let mut framer = Framer::default();
        // TLS buffers bytes until it is flushed.
        let mut is_flushed = true;
        let mut message_deadline: Option<Pin<Box<Sleep>>> = None;
        let mut write_deadline: Option<Pin<Box<Sleep>>> = None;
        let mut direct = self.direct.take();
        let limits = self.common.limits;
        let mut turns = Turns::default();
        let mut unproven_deadline = slot.map(|_| Box::pin(tokio::time::sleep(limits.unproven_timeout)));
        loop {
            input.reserve(READ_SIZE);
            let is_sending = !output.is_empty() || !is_flushed;
            let has_room = output.len() < MAX_PENDING_BYTES;
            let may_read = has_room && to_send.len() < MAX_QUEUED_RESPONSES;
            if !is_sending {
                write_deadline = None;
            } else if write_deadline.is_none() {
                write_deadline = Some(Box::pin(tokio::time::sleep(limits.write_timeout)));
            }
            let step = tokio::select! {
                biased;
                // Before the messages of the library: the ACK of a 2xx must precede later requests of its
                // dialog.
                bytes = next_direct(&mut direct), if has_room => Step::Send(bytes),
                event = to_send.recv(), if has_room => Step::Send(bytes_of(event)),
                sent = send(&mut writer, &output), if is_sending => Step::Sent(sent),
                received = reader.read_buf(&mut input), if may_read => Step::Received(received),
                () = passed(message_deadline.as_mut()) => Step::Expired("a message did not arrive completely in time"),
                () = passed(write_deadline.as_mut()) => Step::Expired("the peer does not read"),
                () = passed(unproven_deadline.as_mut()) => Step::Expired("no acceptable message arrived in time"),
                () = tokio::time::sleep(limits.idle_timeout), if !is_sending => Step::Idle,
            };
            match step {
                Step::Send(bytes) => {
                    self.store(&bytes);
                    output.extend_from_slice(&bytes);
                }
                Step::Sent(sent) => {
                    write_deadline = None;
                    is_flushed = output.is_empty();
                    output.advance(sent?);
                }
                Step::Received(received) => {
                    if received? == 0 {
                        return Ok(());
                    }
                    let processed = self.process(&mut framer, &mut input, &mut output, &mut turns).await;
                    let was_accepted = match processed {
                        Ok(was_accepted) => was_accepted,
                        Err(error) => {
                            // The last response, if the peer accepts it at once.
                            let _sent =
                                tokio::time::timeout(FINAL_WRITE_TIMEOUT, writer.write_all(&output)).await;
                            let _flushed = tokio::time::timeout(FINAL_WRITE_TIMEOUT, writer.shutdown()).await;
                            return Err(error);
                        }
                    };
                    if slot.is_none() && input.len() == 2 && input.starts_with(b"\r\n") {
                        // The answer to a ping: before the next one it would look like a ping of the peer.
                        input.clear();
                    }
                    match slot {
                        Some(slot) if was_accepted => {
                            slot.mark_proven();
                            unproven_deadline = None;
                        }
                        Some(slot) if unproven_deadline.is_some() => slot.touch(),
                        _ => {}
                    }
                    message_deadline = match (framing::begins_no_message(&input), message_deadline) {
                        (true, _) => None,
                        (false, Some(deadline)) => Some(deadline),
                        (false, None) => Some(Box::pin(tokio::time::sleep(limits.message_timeout))),
                    };
                }
                Step::Idle if self.common.needs(&self.arrival) || self.is_leased() => {
                    if slot.is_none() {
                        // The peer, or a router between, would forget a silent connection, and the peer of a call
                        // may have no other way to send its BYE (RFC 5626 §4.4.1).
                        output.extend_from_slice(framing::PING);
                    }
                }
                Step::Idle => return Err(io::Error::new(io::ErrorKind::TimedOut, "it was idle")),
                Step::Expired(why) => return Err(io::Error::new(io::ErrorKind::TimedOut, why)),
            }
        }
    }

    /// Stores a message that is about to be sent.
    fn store(&self, bytes: &[u8]) {
        let (tap, arrival) = (&self.common.tap, &self.arrival);
        tap.sent(bytes, [arrival.local, arrival.source], arrival.transport, tap.moment());
    }

    /// Whether a message proves its sender, if it passes the filter.
    fn proves(&self, bytes: &[u8]) -> bool {
        self.common.filter.as_ref().is_none_or(|filter| filter.proves(bytes, &self.arrival))
    }

    /// Whether the connection has a lease. If not, it is marked as closed, so that no new lease is possible.
    fn is_leased(&self) -> bool {
        let mut leases = lock(&self.leases);
        leases.closed = leases.count == 0;
        !leases.closed
    }

    /// Processes all complete messages of the input, and returns whether one of them passed and proves its sender. A
    /// message that cannot be parsed is answered, and reading continues; only a framing error ends the
    /// connection.
    async fn process(
        &self,
        framer: &mut Framer,
        input: &mut BytesMut,
        output: &mut BytesMut,
        turns: &mut Turns,
    ) -> io::Result<bool> {
        let mut was_accepted = false;
        loop {
            turns.pass().await;
            match framer.next_frame(input) {
                Ok(None) => return Ok(was_accepted),
                Ok(Some(Frame::Ping)) => output.extend_from_slice(b"\r\n"),
                Ok(Some(Frame::Message(bytes))) => {
                    // Asked first: the message may end the call that it belongs to.
                    let proves = !was_accepted && self.proves(&bytes);
                    match self.common.receive(&bytes, &self.arrival, &self.connection).await {
                        FilterAction::Pass => was_accepted |= proves,
                        FilterAction::Reply(response) => {
                            self.store(&response);
                            output.extend_from_slice(&response);
                        }
                        FilterAction::Replies(responses) => {
                            for response in responses {
                                self.store(&response);
                                output.extend_from_slice(&response);
                            }
                        }
                        FilterAction::Drop => {}
                    }
                }
                Err(malformed) => {
                    if let Some(filter) = &self.common.filter
                        && let FilterAction::Reply(response) =
                            filter.unreadable(input, &self.arrival, malformed.into())
                    {
                        self.store(&response);
                        output.extend_from_slice(&response);
                    }
                    return Err(io::Error::other(malformed));
                }
            }
        }
    }
}

async fn next_direct(direct: &mut Option<mpsc::Receiver<Vec<u8>>>) -> Vec<u8> {
    match direct {
        // The channel closes with the last handle to the connection; from then on no message can come.
        Some(direct) => match direct.recv().await {
            Some(bytes) => bytes,
            None => pending().await,
        },
        None => pending().await,
    }
}

fn bytes_of(event: Option<TransportEvent>) -> Vec<u8> {
    match event {
        Some(TransportEvent::Incoming(message, ..)) => without_null_tag(&message.to_bytes()).into_owned(),
        _ => Vec::new(),
    }
}

/// Writes some of the bytes and returns their number, or flushes if there are none. Cancel-safe.
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
mod tests;
