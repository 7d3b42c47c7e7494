//! Who must hear what comes in, by `Call-ID`.
//!
//! Responses to INVITE and OPTIONS are taken away from the SIP library here, before it looks for transactions
//! of its own: it has none for them.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use rsipstack::sip::prelude::HeadersExt as _;
use rsipstack::sip::{Method, Response, SipMessage};
use rsipstack::transaction::endpoint::TransportEventInspector;
use rsipstack::transaction::transaction::Transaction;
use rsipstack::transport::TransportEvent;
use tokio_util::sync::CancellationToken;

use super::late::Late;
use super::{Inner, incoming};
use service_base::mailbox::{Receiver, Sender, mailbox};

/// What comes in for a call.
pub(crate) enum Inbound {
    /// A response to an INVITE or OPTIONS.
    Response(Box<Response>),
    /// A request of the far end, with its transaction.
    Request(Box<Transaction>),
    /// The answer to an offer of ours, which an ACK brought.
    Answer(Vec<u8>),
}

impl Inbound {
    fn is_bye(&self) -> bool {
        matches!(self, Self::Request(request) if request.original.method == Method::Bye)
    }
}

/// Messages that wait for a call. A peer that floods its own call loses the rest; what matters it repeats.
const QUEUE: usize = 16;
/// Further ones that only a BYE may take: a call that is flooded can still be hung up.
const FOR_BYE: usize = 1;

/// How often what is too late to matter is forgotten.
const FORGETTING: Duration = Duration::from_secs(1);

/// Calls that there is always room for.
const ROOM: usize = 1_024;

/// A call that is under way, or what is left of it.
enum Entry {
    Live(Sender<Inbound>),
    Late(Arc<Late>),
}

/// Why something was not handed to its call.
pub(crate) enum Undelivered {
    /// There is no such call.
    Absent(Inbound),
    /// The call is flooded.
    Full(Inbound),
}

/// When which call is forgotten, the earliest first.
type Due = Reverse<(Duration, Arc<str>)>;

#[derive(Default)]
pub(crate) struct Registry {
    calls: Mutex<Calls>,
    /// Until when, on the clock's stopwatch, something is left of calls that are over.
    late: Mutex<BinaryHeap<Due>>,
}

#[derive(Default)]
struct Calls {
    by_id: HashMap<Arc<str>, Entry>,
    /// Whether the dialler has ended; nothing is kept from then on.
    closed: bool,
}

impl Registry {
    /// Opens the inbox of a call.
    pub(crate) fn open(self: &Arc<Self>, call_id: &str) -> Inbox {
        let (sender, receiver) = mailbox(QUEUE + FOR_BYE);
        let call_id: Arc<str> = call_id.into();
        self.lock().by_id.insert(Arc::clone(&call_id), Entry::Live(sender));
        Inbox { registry: Arc::clone(self), call_id, receiver }
    }

    /// Hands something to its call; gives it back when there is none, or when the call is flooded.
    pub(crate) fn deliver(&self, call_id: &str, inbound: Inbound) -> Result<(), Undelivered> {
        let late = match (self.lock().by_id.get(call_id), &inbound) {
            (Some(Entry::Live(sender)), _) => {
                // The lock is held: nobody else takes a place between the look and the leap.
                let room = sender.room();
                if room <= FOR_BYE && !inbound.is_bye() {
                    return Err(Undelivered::Full(inbound));
                }
                return sender.try_send(inbound).map_err(|inbound| {
                    if room == 0 { Undelivered::Full(inbound) } else { Undelivered::Absent(inbound) }
                });
            }
            (Some(Entry::Late(late)), Inbound::Response(_)) => Arc::clone(late),
            _ => return Err(Undelivered::Absent(inbound)),
        };
        if let Inbound::Response(response) = inbound {
            let inner = Arc::clone(&late.origin.inner);
            inner.stack.spawn(async move { late.response(&response).await });
        }
        Ok(())
    }

    /// Whether something is left of a call that is over.
    pub(crate) fn is_late(&self, call_id: &str) -> bool {
        matches!(self.lock().by_id.get(call_id), Some(Entry::Late(_)))
    }

    /// Forgets what is left of calls and too late to matter.
    fn forget(&self, now: Duration) {
        let mut late = self.late.lock().unwrap_or_else(PoisonError::into_inner);
        while late.peek().is_some_and(|Reverse((until, _))| *until <= now) {
            if let Some(Reverse((_, call_id))) = late.pop() {
                self.lock().by_id.remove(&call_id);
            }
        }
        // A rush of calls must not leave its room behind for ever.
        if late.capacity() > ROOM && late.len() < late.capacity() / 4 {
            let wanted = late.len() * 2;
            late.shrink_to(wanted);
        }
        let mut calls = self.lock();
        if calls.by_id.capacity() > ROOM && calls.by_id.len() < calls.by_id.capacity() / 4 {
            let wanted = calls.by_id.len() * 2;
            calls.by_id.shrink_to(wanted);
        }
    }

    /// Forgets everything, for good. What is left of calls keeps the dialler, and this is kept by the
    /// dialler.
    pub(crate) fn close(&self) {
        let mut calls = self.lock();
        calls.closed = true;
        let forgotten = std::mem::take(&mut calls.by_id);
        drop(calls);
        self.late.lock().unwrap_or_else(PoisonError::into_inner).clear();
        // Not under the lock: it is the last of a call that may be dropped with it.
        drop(forgotten);
    }

    fn lock(&self) -> MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forgets what is too late to matter, and in the end everything: what is left of calls holds what they
/// shared.
pub(crate) async fn forget(inner: Weak<Inner>, ended: CancellationToken) {
    let mut ticks = tokio::time::interval(FORGETTING);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while ended.run_until_cancelled(ticks.tick()).await.is_some() {
        let Some(inner) = inner.upgrade() else { return };
        inner.registry.forget(inner.clock.stopwatch());
    }
    if let Some(inner) = inner.upgrade() {
        inner.registry.forget(Duration::MAX);
    }
}

/// What comes in for one call; it is closed when this is dropped.
pub(crate) struct Inbox {
    registry: Arc<Registry>,
    call_id: Arc<str>,
    receiver: Receiver<Inbound>,
}

impl Inbox {
    /// What comes next. Safe to give up waiting for.
    pub(crate) async fn next(&mut self) -> Inbound {
        match self.receiver.recv().await {
            Some(inbound) => inbound,
            // The registry keeps the other end until this is dropped.
            None => std::future::pending().await,
        }
    }

    /// The call is over; something is left of it for a while, on the clock's stopwatch.
    pub(crate) fn retire(mut self, late: Late, until: Duration) {
        let (registry, call_id) = (Arc::clone(&self.registry), Arc::clone(&self.call_id));
        let mut calls = registry.lock();
        if calls.closed {
            return;
        }
        calls.by_id.insert(Arc::clone(&call_id), Entry::Late(Arc::new(late)));
        drop(calls);
        let due = Reverse((until, Arc::clone(&call_id)));
        registry.late.lock().unwrap_or_else(PoisonError::into_inner).push(due);
        // What came before it was known that the call is over.
        while let Some(inbound) = self.receiver.try_recv() {
            if let Err(Undelivered::Absent(Inbound::Request(request))) = registry.deliver(&call_id, inbound) {
                incoming::finish_late(*request);
            }
        }
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        let mut calls = self.registry.lock();
        if matches!(calls.by_id.get(&self.call_id), Some(Entry::Live(_))) {
            calls.by_id.remove(&self.call_id);
        }
    }
}

/// The registry's ear at the SIP library.
pub(crate) struct Ear(pub Arc<Registry>);

impl TransportEventInspector for Ear {
    // The library's trait is written with a macro; this is what it stands for.
    fn handle<'ear, 'future>(
        &'ear self,
        event: TransportEvent,
    ) -> Pin<Box<dyn Future<Output = Option<TransportEvent>> + Send + 'future>>
    where
        'ear: 'future,
        Self: 'future,
    {
        let rest = match event {
            TransportEvent::Incoming(message, connection, from) => {
                self.hear(message).map(|message| TransportEvent::Incoming(message, connection, from))
            }
            other => Some(other),
        };
        Box::pin(std::future::ready(rest))
    }
}

impl Ear {
    /// Gives back what is for the library.
    pub(crate) fn hear(&self, message: SipMessage) -> Option<SipMessage> {
        match message {
            SipMessage::Response(response) => self.take(response).err().map(SipMessage::Response),
            request @ SipMessage::Request(_) => Some(request),
        }
    }

    /// Gives back what is for the library's own transactions.
    fn take(&self, response: Response) -> Result<(), Response> {
        let method = response.cseq_header().ok().and_then(|cseq| cseq.method().ok());
        if !matches!(method, Some(Method::Invite | Method::Options)) {
            return Err(response);
        }
        // One with a second Via was misrouted (RFC 3261 §8.1.3.3).
        if !response.has_multiple_vias()
            && let Ok(call_id) = response.call_id_header()
        {
            let call_id = call_id.value().to_owned();
            // A call that is over, or flooded, loses it.
            let _lost = self.0.deliver(&call_id, Inbound::Response(Box::new(response)));
        }
        Ok(())
    }
}
