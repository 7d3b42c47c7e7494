//! The SIP messages of recent calls, for finding the reason of a failure: as JSON, text, a ladder diagram
//! or a capture file.
//!
//! One [`MessageLog`] serves all SIP stacks of a process. It is kept in memory and lost with it. Messages
//! are found by the `Call-ID`; under it, the messages exchanged with different addresses are separate
//! records, so that a sender who learns the `Call-ID` of another one's call cannot displace its messages.
//! A record belongs to a named owner, such as a trunk, once the stack has named one, and to its source
//! address until then. Secrets are masked when a message is read (`mask`): until then nothing shows its bytes.
//!
//! All bounds are fixed when the log is created, see [`MessageLogLimits`]: a record, an owner, an address
//! without an owner, all records with owners, and all without, have their own. Beyond a bound, the record
//! that was used least recently is dropped, of the owner that occupies the most (in steps of 4 KiB); within a record,
//! the first and the last messages are kept. A flood from unknown addresses thus cannot displace a customer's
//! messages, and one customer's not another's.

mod calls;
mod capture_file;
mod classic_capture_file;
mod ladder;
mod mask;
mod message;
mod newest;
mod packet;
mod summary;
mod text;

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use didww_types::Timestamp;
use rsipstack::sip::Transport;
use service_base::clock::Clock;

use crate::arrival::Arrival;
use crate::head::Head;
use calls::Calls;
use message::{Stored, first_bytes};
use newest::Newest;

pub use calls::MessageLogLimits;
pub use mask::masked_line;
pub use message::{CallMessages, Direction, Message};

/// Messages with a longer `Call-ID` are not stored.
const MAX_CALL_ID_BYTES: usize = 512;

/// The messages of recent calls.
#[derive(Debug)]
pub struct MessageLog {
    calls: Mutex<Calls>,
    clock: Clock,
}

impl MessageLog {
    /// Creates a log without messages, which keeps at most what these limits permit.
    pub fn new(limits: MessageLogLimits, clock: Clock) -> Arc<Self> {
        Arc::new(Self { calls: Mutex::new(Calls::new(limits)), clock })
    }

    /// The messages with a `Call-ID`, oldest first; `None` if none are stored.
    pub fn of(&self, call_id: &str) -> Option<CallMessages> {
        // Copied under the lock, which shares the bytes; masked and sorted outside of it.
        let (messages, omitted) = self.lock().of(call_id)?;
        Some(CallMessages::new(call_id.to_owned(), masked(messages), omitted))
    }

    /// The messages with a `Call-ID` that one stack exchanged, such as `dialler`, oldest first; `None` if none are
    /// stored.
    pub fn of_stack(&self, call_id: &str, stack: &str) -> Option<CallMessages> {
        let (messages, omitted) = self.lock().of_stack(call_id, stack)?;
        Some(CallMessages::new(call_id.to_owned(), masked(messages), omitted))
    }

    /// The newest messages that `selects` accepts, each with its `Call-ID`, the newest first; at most `most`, of those
    /// that were stored when this began. Copies all stored messages, so an asynchronous task calls it on a thread for
    /// blocking work.
    ///
    /// The log is locked for the list of `Call-ID`s, and then for one of them at a time, which has at most 512
    /// messages. It is not locked while messages are selected, so the stacks that store messages meanwhile do not wait
    /// for the whole.
    pub fn recent(&self, most: usize, selects: impl Fn(&Message) -> bool) -> Vec<(Arc<str>, Message)> {
        let began = self.clock.stopwatch();
        let call_ids = self.lock().call_ids();
        let mut newest = Newest::new(most);
        for call_id in call_ids {
            // Copied under the lock, which shares the bytes; examined outside of it.
            let stored = self.lock().of(&call_id);
            // It was dropped meanwhile.
            let Some((messages, _)) = stored else { continue };
            for message in messages {
                let message = message.masked();
                if message.elapsed <= began && selects(&message) {
                    newest.add(&call_id, message);
                }
            }
        }
        newest.sorted()
    }

    /// Every stored `Call-ID`, in no particular order.
    pub fn call_ids(&self) -> Vec<String> {
        let call_ids = self.lock().call_ids();
        call_ids.iter().map(ToString::to_string).collect()
    }

    /// The approximate number of bytes of memory that the stored messages occupy.
    pub fn occupied(&self) -> usize {
        self.lock().occupied()
    }

    fn lock(&self) -> MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where a SIP stack stores its messages. Without a log, nothing is stored.
#[derive(Debug, Clone)]
pub struct Tap {
    log: Option<Arc<MessageLog>>,
    stack: &'static str,
}

/// When a message was handed to the system or received.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    at: Timestamp,
    elapsed: Duration,
}

impl Tap {
    /// A tap for the messages of a stack, whose name is reported with each of them.
    pub fn new(log: Option<Arc<MessageLog>>, stack: &'static str) -> Self {
        Self { log, stack }
    }

    /// Assigns the messages with a `Call-ID` that are exchanged with an address to an owner, such as the id
    /// of a trunk, including those that are stored already.
    pub fn assign(&self, call_id: &str, peer: IpAddr, owner: &str) {
        if let Some(log) = &self.log
            && call_id.len() <= MAX_CALL_ID_BYTES
        {
            log.lock().assign(call_id, (self.stack, peer), owner);
        }
    }

    /// The current time, to be taken before a message is sent; `None` without a log.
    pub(crate) fn moment(&self) -> Option<Moment> {
        let clock = &self.log.as_ref()?.clock;
        Some(Moment { at: clock.now(), elapsed: clock.stopwatch() })
    }

    /// Stores a received message. Of the messages that the filter dropped, only the ACK of a challenge is stored, and
    /// only if other messages of its call are stored. So a flood costs no more.
    pub fn received(&self, bytes: &[u8], arrival: &Arrival, was_dropped: bool) {
        if was_dropped && !bytes.starts_with(b"ACK ") {
            return;
        }
        let Some(moment) = self.moment() else { return };
        let ends = [arrival.local, arrival.source];
        self.store(bytes, Direction::Received, ends, arrival.transport, moment, was_dropped);
    }

    /// Stores a message that was sent at `moment`.
    pub(crate) fn sent(
        &self,
        bytes: &[u8],
        ends: [SocketAddr; 2],
        transport: Transport,
        moment: Option<Moment>,
    ) {
        if let Some(moment) = moment {
            self.store(bytes, Direction::Sent, ends, transport, moment, false);
        }
    }

    fn store(
        &self,
        bytes: &[u8],
        direction: Direction,
        [local, remote]: [SocketAddr; 2],
        transport: Transport,
        moment: Moment,
        only_known: bool,
    ) {
        let Some(log) = &self.log else { return };
        let Some(head) = Head::of(bytes) else { return };
        let Some(call_id) = call_id_of(&head) else { return };
        let party = (self.stack, remote.ip());
        if only_known && !log.lock().contains(&call_id, party) {
            return;
        }
        let message = Message {
            at: moment.at,
            elapsed: moment.elapsed,
            stack: self.stack,
            direction,
            local,
            remote,
            transport: match transport {
                Transport::Tcp => "TCP",
                Transport::Tls => "TLS",
                _ => "UDP",
            },
            length: bytes.len(),
            bytes: first_bytes(bytes).into(),
        };
        log.lock().add(&call_id, party, Stored::new(message));
    }
}

fn masked(messages: Vec<Stored>) -> Vec<Message> {
    messages.into_iter().map(Stored::masked).collect()
}

/// The `Call-ID` of a message, if it has one that can be stored.
fn call_id_of<'a>(head: &Head<'a>) -> Option<Cow<'a, str>> {
    let value = head.value(["Call-ID", "i"])?;
    let text = match value {
        Cow::Borrowed(value) => Cow::Borrowed(std::str::from_utf8(value).ok()?),
        Cow::Owned(value) => Cow::Owned(String::from_utf8(value).ok()?),
    };
    (!text.is_empty() && text.len() <= MAX_CALL_ID_BYTES).then_some(text)
}

#[cfg(test)]
mod tests;
