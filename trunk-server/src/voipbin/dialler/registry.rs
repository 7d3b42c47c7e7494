//! Who must hear what comes in, by `Call-ID`.
//!
//! Responses to INVITE and OPTIONS are taken away from the SIP library here, before it looks for transactions of its
//! own: it has none for them.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rsipstack::sip::prelude::HeadersExt as _;
use rsipstack::sip::{Method, Response, SipMessage};
use rsipstack::transaction::endpoint::TransportEventInspector;
use rsipstack::transaction::transaction::Transaction;
use rsipstack::transport::TransportEvent;
use tokio::sync::mpsc;

/// What comes in for a call.
pub(super) enum Inbound {
    /// A response to an INVITE or OPTIONS.
    Response(Box<Response>),
    /// A request of the far end, with its transaction.
    Request(Box<Transaction>),
    /// The answer to an offer of ours, which an ACK brought.
    Answer(Vec<u8>),
}

/// Messages that wait for a call. A peer that floods its own call loses the rest; what matters it repeats.
const QUEUE: usize = 16;

#[derive(Default)]
pub(super) struct Registry {
    calls: Mutex<HashMap<String, mpsc::Sender<Inbound>>>,
}

impl Registry {
    /// Opens the inbox of a call.
    pub(super) fn open(self: &Arc<Self>, call_id: &str) -> Inbox {
        let (sender, receiver) = mpsc::channel(QUEUE);
        self.lock().insert(call_id.to_owned(), sender);
        Inbox { registry: Arc::clone(self), call_id: call_id.to_owned(), receiver }
    }

    /// Hands something to its call; gives it back when there is none, or when the call is flooded.
    pub(super) fn deliver(&self, call_id: &str, inbound: Inbound) -> Result<(), Inbound> {
        let Some(sender) = self.lock().get(call_id).cloned() else { return Err(inbound) };
        sender.try_send(inbound).map_err(|error| match error {
            mpsc::error::TrySendError::Full(inbound) | mpsc::error::TrySendError::Closed(inbound) => inbound,
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, mpsc::Sender<Inbound>>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What comes in for one call; it is closed when this is dropped.
pub(super) struct Inbox {
    registry: Arc<Registry>,
    call_id: String,
    receiver: mpsc::Receiver<Inbound>,
}

impl Inbox {
    /// What comes next. Safe to give up waiting for.
    pub(super) async fn next(&mut self) -> Inbound {
        match self.receiver.recv().await {
            Some(inbound) => inbound,
            // The registry keeps the other end until this is dropped.
            None => std::future::pending().await,
        }
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        self.registry.lock().remove(&self.call_id);
    }
}

/// The registry's ear at the SIP library.
pub(super) struct Ear(pub(super) Arc<Registry>);

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
            TransportEvent::Incoming(SipMessage::Response(response), connection, from) => {
                match self.take(response) {
                    Ok(()) => None,
                    Err(response) => Some(TransportEvent::Incoming(response.into(), connection, from)),
                }
            }
            other => Some(other),
        };
        Box::pin(std::future::ready(rest))
    }
}

impl Ear {
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
