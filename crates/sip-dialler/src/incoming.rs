//! Requests of far ends: passed to their calls, or answered here.

use std::sync::{Arc, Weak};

use rsipstack::sip::prelude::HeadersExt as _;
use rsipstack::sip::{Header, Method};
use rsipstack::transaction::TransactionReceiver;
use rsipstack::transaction::transaction::Transaction;
use rsipstack::transport::SipConnection;
use sip_transport::tag_of;
use tokio::sync::Semaphore;

use crate::dialogs::{Inbound, Undelivered};
use crate::headers::value;
use crate::network::Network;
use crate::responses::{finish, finish_after_end, finish_in_background};
use crate::shared::Shared;
use crate::stack::ALLOW;

/// Maximum number of requests outside of calls that are answered at the same time.
const MAX_CONCURRENT_ANSWERS: usize = 1024;

/// Receives requests until the endpoint ends.
pub(crate) async fn receive(shared: Weak<Shared>, mut requests: TransactionReceiver) {
    let permits = Arc::new(Semaphore::new(MAX_CONCURRENT_ANSWERS));
    while let Some(request) = requests.recv().await {
        let Some(shared) = shared.upgrade() else { return };
        if request.original.method == Method::Ack {
            // An ACK outside of a transaction of ours; ACKs are never answered.
            continue;
        }
        let Some(request) = deliver(&shared, request) else { continue };
        // A request beyond the limit is dropped like a lost datagram: the far end retransmits it.
        let Ok(permit) = Arc::clone(&permits).try_acquire_owned() else { continue };
        let network = Arc::clone(&shared.network);
        shared.network.stack.spawn(async move {
            answer_outside_call(&network, request).await;
            drop(permit);
        });
    }
}

/// Passes a request to its call; returns it if there is none.
fn deliver(shared: &Shared, request: Transaction) -> Option<Transaction> {
    let headers = &request.original.headers;
    let in_dialog = value(headers, "To").and_then(tag_of).is_some();
    let Some(call_id) = request.original.call_id_header().ok().map(|id| id.value().to_owned()) else {
        return Some(request);
    };
    if !in_dialog {
        return Some(request);
    }
    match shared.dialogs.deliver(&call_id, Inbound::Request(Box::new(request))) {
        Err(Undelivered::Absent(Inbound::Request(request))) if shared.dialogs.has_ended(&call_id) => {
            finish_after_end(*request);
            None
        }
        Err(Undelivered::Absent(Inbound::Request(request))) => Some(*request),
        // A UDP request is retransmitted, so it may be dropped; over other transports it must be answered.
        Err(Undelivered::Full(Inbound::Request(request)))
            if request.connection.as_ref().is_some_and(SipConnection::is_reliable) =>
        {
            finish_in_background(*request, 503, "Service Unavailable", Vec::new());
            None
        }
        _ => None,
    }
}

/// Answers a request that belongs to no call.
async fn answer_outside_call(network: &Network, mut request: Transaction) {
    let headers = &mut request.original.headers;
    let in_dialog = value(headers, "To").and_then(tag_of).is_some();
    if !in_dialog {
        let tag = network.ids.tag();
        for header in headers.iter_mut() {
            if let Header::To(to) = header {
                *to = format!("{};tag={tag}", to.value()).into();
            }
        }
    }
    let allow = vec![Header::Allow(ALLOW.into())];
    match request.original.method {
        Method::Options if !in_dialog => finish(request, 200, "OK", allow).await,
        _ if in_dialog => finish(request, 481, "Call/Transaction Does Not Exist", Vec::new()).await,
        // The dialler accepts no incoming calls.
        _ => finish(request, 405, "Method Not Allowed", allow).await,
    }
}
