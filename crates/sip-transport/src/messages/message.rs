//! A stored message, and the messages of a call.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use didww_types::Timestamp;
use memchr::memrchr;

use super::mask;

/// Maximum number of bytes that are stored of a message.
const MAX_MESSAGE_BYTES: usize = 8_192;

/// Whether this server received or sent a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// It came from the remote address.
    Received,
    /// It went to the remote address.
    Sent,
}

impl Direction {
    /// The name in JSON: `received` or `sent`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Sent => "sent",
        }
    }
}

/// A SIP message as it was captured, with its secrets masked.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Message {
    /// When it was received or sent, on the server's clock.
    pub at: Timestamp,
    /// The same on the clock's stopwatch, which is never frozen.
    pub elapsed: Duration,
    /// The SIP stack that exchanged it, such as `edge`.
    pub stack: &'static str,
    /// Whether it was received or sent.
    pub direction: Direction,
    /// The address of this server.
    pub local: SocketAddr,
    /// The address of the peer.
    pub remote: SocketAddr,
    /// The transport of the message: `UDP`, `TCP` or `TLS`.
    pub transport: &'static str,
    /// Its number of bytes on the wire, of which `bytes` may be only the first.
    pub length: usize,
    /// Its bytes, of which secrets are masked, at most 8,192.
    pub bytes: Arc<[u8]>,
}

impl Message {
    /// The sender and the receiver.
    pub fn ends(&self) -> [SocketAddr; 2] {
        match self.direction {
            Direction::Received => [self.remote, self.local],
            Direction::Sent => [self.local, self.remote],
        }
    }

    /// Whether only a part of the message is stored.
    pub fn is_cut(&self) -> bool {
        self.bytes.len() < self.length
    }
}

/// A message in the log. It still has its secrets, which are masked when it is read: nearly all messages are dropped
/// unread. So nothing but [`masked`](Self::masked) returns its bytes.
#[derive(Clone)]
pub(super) struct Stored(Message);

impl fmt::Debug for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stored").field("length", &self.0.length).finish_non_exhaustive()
    }
}

impl Stored {
    /// A message whose bytes are the [first ones](first_bytes) as they were sent or received.
    pub(super) fn new(unmasked: Message) -> Self {
        Self(unmasked)
    }

    /// The number of bytes that are stored.
    pub(super) fn size(&self) -> usize {
        self.0.bytes.len()
    }

    /// The message, with its secrets masked.
    pub(super) fn masked(self) -> Message {
        Message { bytes: mask::masked(&self.0.bytes), ..self.0 }
    }
}

/// The bytes that are stored of a message. One that is cut ends with a whole line, since a part of a secret might not
/// be recognised.
pub(super) fn first_bytes(message: &[u8]) -> &[u8] {
    message.get(..MAX_MESSAGE_BYTES).map_or(message, |cut| {
        let end = memrchr(b'\n', cut).map_or(0, |at| at + 1);
        cut.get(..end).unwrap_or_default()
    })
}

/// The stored messages with a `Call-ID`.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CallMessages {
    /// The `Call-ID` that all of the messages have.
    pub call_id: String,
    /// The messages of all parties, oldest first.
    pub messages: Vec<Message>,
    /// The number of messages that were dropped because there were too many.
    pub omitted: u64,
}

impl CallMessages {
    pub(super) fn new(call_id: String, mut messages: Vec<Message>, omitted: u64) -> Self {
        messages.sort_by_key(|message| message.elapsed);
        let locals: Vec<(SocketAddr, SocketAddr)> = messages
            .iter()
            .map(|message| (message.remote, message.local))
            .filter(|(_, local)| !local.ip().is_unspecified())
            .collect();
        // A socket that is bound to all addresses sends from one that only the system knows. The destination of the
        // peer's answers shows it.
        for message in messages.iter_mut().filter(|message| message.local.ip().is_unspecified()) {
            let known = locals
                .iter()
                .find(|(remote, local)| *remote == message.remote && local.port() == message.local.port());
            message.local = match (known, message.remote.ip()) {
                (Some((_, local)), _) => *local,
                (None, IpAddr::V4(remote)) if remote.is_loopback() => {
                    (Ipv4Addr::LOCALHOST, message.local.port()).into()
                }
                (None, IpAddr::V6(remote)) if remote.is_loopback() => {
                    (Ipv6Addr::LOCALHOST, message.local.port()).into()
                }
                (None, _) => message.local,
            };
        }
        Self { call_id, messages, omitted }
    }

    /// The messages, without the received copy of each message that this server sent to itself.
    pub(super) fn without_own_copies(&self) -> Vec<&Message> {
        let mut sent: Vec<&Message> = Vec::new();
        let mut messages = Vec::with_capacity(self.messages.len());
        for message in &self.messages {
            if message.direction == Direction::Received {
                let copy =
                    sent.iter().position(|sent| sent.ends() == message.ends() && sent.bytes == message.bytes);
                if let Some(copy) = copy {
                    sent.swap_remove(copy);
                    continue;
                }
            } else {
                sent.push(message);
            }
            messages.push(message);
        }
        messages
    }
}
