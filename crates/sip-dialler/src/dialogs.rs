//! Dispatches incoming messages to calls and probes by `Call-ID`.
//!
//! Responses to INVITE and OPTIONS are taken before the SIP library matches them: it has no transactions for
//! them.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use rsipstack::sip::prelude::HeadersExt as _;
use rsipstack::sip::{Method, Response, SipMessage};
use rsipstack::transaction::transaction::Transaction;
use service_base::clock::Clock;
use service_base::mailbox::{Receiver, Sender, mailbox};
use tokio_util::sync::CancellationToken;

use crate::responses::finish_after_end;
use crate::stray_responses::StrayResponses;

/// A message for a call.
pub(crate) enum Inbound {
    /// A response to an INVITE or OPTIONS.
    Response(Box<Response>),
    /// A request of the far end, with its transaction.
    Request(Box<Transaction>),
}

impl Inbound {
    fn is_bye(&self) -> bool {
        matches!(self, Self::Request(request) if request.original.method == Method::Bye)
    }
}

/// Maximum number of queued messages of a call. Further ones are dropped; a peer retransmits those that
/// matter.
const MAX_QUEUED_MESSAGES: u32 = 16;
/// Further queue slots that only a BYE may use, so that a flooded call can still be hung up.
const RESERVED_FOR_BYE: u32 = 1;

/// How often expired entries are removed.
const CLEANUP_INTERVAL: Duration = Duration::from_secs(1);

/// Capacity in calls that is always kept.
const MIN_CAPACITY: usize = 1_024;

/// A call that has not ended, or the remaining state of one that has.
enum Entry {
    Active(Sender<Inbound>),
    Ended(Arc<StrayResponses>),
}

/// Why a message was not delivered; it is returned.
pub(crate) enum Undelivered {
    /// No call has the `Call-ID` of the message.
    Absent(Inbound),
    /// The queue of the call is full.
    Full(Inbound),
}

/// The expiry of an ended call, ordered by the earliest.
type Expiry = Reverse<(Duration, Arc<str>)>;

/// The calls and probes that receive messages.
#[derive(Default)]
pub(crate) struct Dialogs {
    calls: Mutex<Calls>,
    /// When the state of ended calls expires, on the clock's stopwatch.
    expiries: Mutex<BinaryHeap<Expiry>>,
}

#[derive(Default)]
struct Calls {
    by_id: HashMap<Arc<str>, Entry>,
    /// Whether the dialler has ended: the state of ended calls is no longer kept.
    closed: bool,
}

impl Dialogs {
    /// Opens the inbox for a `Call-ID`.
    pub(crate) fn open(self: &Arc<Self>, call_id: &str) -> Inbox {
        let (sender, receiver) = mailbox(MAX_QUEUED_MESSAGES + RESERVED_FOR_BYE);
        let call_id: Arc<str> = call_id.into();
        self.lock().by_id.insert(Arc::clone(&call_id), Entry::Active(sender));
        Inbox { dialogs: Arc::clone(self), call_id, receiver }
    }

    /// Delivers a message to its call; returns it if there is none or its queue is full. Of an ended call,
    /// only responses are handled.
    pub(crate) fn deliver(&self, call_id: &str, inbound: Inbound) -> Result<(), Undelivered> {
        let ended = match (self.lock().by_id.get(call_id), &inbound) {
            (Some(Entry::Active(sender)), _) => {
                // The lock is held, so the room cannot shrink before the message is sent.
                let room = sender.room();
                if room <= RESERVED_FOR_BYE && !inbound.is_bye() {
                    return Err(Undelivered::Full(inbound));
                }
                return sender.try_send(inbound).map_err(|inbound| {
                    if room == 0 { Undelivered::Full(inbound) } else { Undelivered::Absent(inbound) }
                });
            }
            (Some(Entry::Ended(ended)), Inbound::Response(_)) => Arc::clone(ended),
            _ => return Err(Undelivered::Absent(inbound)),
        };
        if let Inbound::Response(response) = inbound {
            let network = Arc::clone(&ended.origin.network);
            network.stack.spawn(async move { ended.handle(&response).await });
        }
        Ok(())
    }

    /// Whether there is a call with this `Call-ID`, or the state of one that has ended.
    pub(crate) fn knows(&self, call_id: &str) -> bool {
        self.lock().by_id.contains_key(call_id)
    }

    /// Whether a call has ended and its state has not expired.
    pub(crate) fn has_ended(&self, call_id: &str) -> bool {
        matches!(self.lock().by_id.get(call_id), Some(Entry::Ended(_)))
    }

    /// Removes ended calls whose state has expired.
    fn remove_expired(&self, now: Duration) {
        let mut expiries = self.expiries.lock().unwrap_or_else(PoisonError::into_inner);
        while expiries.peek().is_some_and(|Reverse((until, _))| *until <= now) {
            if let Some(Reverse((_, call_id))) = expiries.pop() {
                self.lock().by_id.remove(&call_id);
            }
        }
        // The memory of a peak of calls is freed.
        if expiries.capacity() > MIN_CAPACITY && expiries.len() < expiries.capacity() / 4 {
            let wanted = expiries.len() * 2;
            expiries.shrink_to(wanted);
        }
        let mut calls = self.lock();
        if calls.by_id.capacity() > MIN_CAPACITY && calls.by_id.len() < calls.by_id.capacity() / 4 {
            let wanted = calls.by_id.len() * 2;
            calls.by_id.shrink_to(wanted);
        }
    }

    /// Removes all calls, and keeps none from now on. This breaks a reference cycle: ended calls hold the
    /// network, whose endpoint holds this.
    pub(crate) fn close(&self) {
        let mut calls = self.lock();
        calls.closed = true;
        let removed = std::mem::take(&mut calls.by_id);
        drop(calls);
        self.expiries.lock().unwrap_or_else(PoisonError::into_inner).clear();
        // Dropped without the lock, since it may hold the last references to a call.
        drop(removed);
    }

    /// Takes responses to INVITE and OPTIONS, and returns all other messages, which the library processes.
    pub(crate) fn inspect(&self, message: SipMessage) -> Option<SipMessage> {
        match message {
            SipMessage::Response(response) => self.take_response(response).err().map(SipMessage::Response),
            request @ SipMessage::Request(_) => Some(request),
        }
    }

    /// Returns a response that belongs to a transaction of the library.
    fn take_response(&self, response: Response) -> Result<(), Response> {
        let method = response.cseq_header().ok().and_then(|cseq| cseq.method().ok());
        if !matches!(method, Some(Method::Invite | Method::Options)) {
            return Err(response);
        }
        // A response with a second Via was misrouted (RFC 3261 §8.1.3.3).
        if !response.has_multiple_vias()
            && let Ok(call_id) = response.call_id_header()
        {
            let call_id = call_id.value().to_owned();
            // It is dropped if the call has ended or its queue is full.
            let _undelivered = self.deliver(&call_id, Inbound::Response(Box::new(response)));
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Removes expired entries until the token is cancelled, and then all of them, since they hold the network.
pub(crate) async fn remove_expired(dialogs: Weak<Dialogs>, clock: Clock, ended: CancellationToken) {
    let mut ticks = tokio::time::interval(CLEANUP_INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while ended.run_until_cancelled(ticks.tick()).await.is_some() {
        let Some(dialogs) = dialogs.upgrade() else { return };
        dialogs.remove_expired(clock.stopwatch());
    }
    if let Some(dialogs) = dialogs.upgrade() {
        dialogs.remove_expired(Duration::MAX);
    }
}

/// The queue of a call's messages. Dropping it removes the call.
pub(crate) struct Inbox {
    dialogs: Arc<Dialogs>,
    call_id: Arc<str>,
    receiver: Receiver<Inbound>,
}

impl Inbox {
    /// Waits for the next message of the call. Dropping the future loses none.
    pub(crate) async fn next(&mut self) -> Inbound {
        match self.receiver.recv().await {
            Some(inbound) => inbound,
            // Not reached: the sender is kept until this inbox is dropped.
            None => std::future::pending().await,
        }
    }

    /// Ends the call, and keeps the state for stray responses until a time on the clock's stopwatch.
    pub(crate) fn retire(mut self, stray: StrayResponses, until: Duration) {
        let (dialogs, call_id) = (Arc::clone(&self.dialogs), Arc::clone(&self.call_id));
        let mut calls = dialogs.lock();
        if calls.closed {
            return;
        }
        calls.by_id.insert(Arc::clone(&call_id), Entry::Ended(Arc::new(stray)));
        drop(calls);
        let expiry = Reverse((until, Arc::clone(&call_id)));
        dialogs.expiries.lock().unwrap_or_else(PoisonError::into_inner).push(expiry);
        // Messages that were queued before the end.
        while let Some(inbound) = self.receiver.try_recv() {
            if let Err(Undelivered::Absent(Inbound::Request(request))) = dialogs.deliver(&call_id, inbound) {
                finish_after_end(*request);
            }
        }
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        let mut calls = self.dialogs.lock();
        if matches!(calls.by_id.get(&self.call_id), Some(Entry::Active(_))) {
            calls.by_id.remove(&self.call_id);
        }
    }
}
