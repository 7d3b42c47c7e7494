//! Requests of far ends: to their calls, or answered here.

use std::sync::{Arc, Weak};

use rsipstack::sip::prelude::HeadersExt as _;
use rsipstack::sip::{Header, Method, SipMessage, StatusCode};
use rsipstack::transaction::TransactionReceiver;
use rsipstack::transaction::transaction::Transaction;
use rsipstack::transport::SipConnection;
use tokio::sync::Semaphore;

use super::Inner;
use super::dialog::value;
use super::registry::{Inbound, Undelivered};
use super::stack::ALLOW;
use super::uri::tag_of;
use sip_transport::body::session_description;

/// Most requests that belong to no call and are answered at the same time.
const AT_ONCE: usize = 1024;

/// Takes requests until the endpoint ends.
pub(crate) async fn take(inner: Weak<Inner>, mut requests: TransactionReceiver) {
    let room = Arc::new(Semaphore::new(AT_ONCE));
    while let Some(request) = requests.recv().await {
        let Some(inner) = inner.upgrade() else { return };
        if request.original.method == Method::Ack {
            // It belongs to no answer of ours, and an ACK is never answered itself.
            continue;
        }
        let Some(request) = to_its_call(&inner, request) else { continue };
        // Beyond that a request is lost, as a datagram may be: its sender repeats it.
        let Ok(place) = Arc::clone(&room).try_acquire_owned() else { continue };
        let own = Arc::clone(&inner);
        inner.stack.spawn(async move {
            stranger(&own, request).await;
            drop(place);
        });
    }
}

/// Hands a request to the call that it belongs to; gives it back when there is none.
fn to_its_call(inner: &Inner, request: Transaction) -> Option<Transaction> {
    let headers = &request.original.headers;
    let inside = value(headers, "To").and_then(tag_of).is_some();
    let Some(call_id) = request.original.call_id_header().ok().map(|id| id.value().to_owned()) else {
        return Some(request);
    };
    if !inside {
        return Some(request);
    }
    match inner.registry.deliver(&call_id, Inbound::Request(Box::new(request))) {
        Err(Undelivered::Absent(Inbound::Request(request))) if inner.registry.is_late(&call_id) => {
            finish_late(*request);
            None
        }
        Err(Undelivered::Absent(Inbound::Request(request))) => Some(*request),
        // Over UDP it comes again, so it is as good as lost on the way. Nothing else repeats it.
        Err(Undelivered::Full(Inbound::Request(request)))
            if request.connection.as_ref().is_some_and(SipConnection::is_reliable) =>
        {
            finish_alone(*request, 503, "Service Unavailable", Vec::new());
            None
        }
        _ => None,
    }
}

/// Answers a request that belongs to no call.
async fn stranger(inner: &Inner, mut request: Transaction) {
    let headers = &mut request.original.headers;
    let inside = value(headers, "To").and_then(tag_of).is_some();
    if !inside {
        let tag = inner.ids.tag();
        for header in headers.iter_mut() {
            if let Header::To(to) = header {
                *to = format!("{};tag={tag}", to.value()).into();
            }
        }
    }
    let allow = vec![Header::Allow(ALLOW.into())];
    match request.original.method {
        Method::Options if !inside => finish(request, 200, "OK", allow).await,
        _ if inside => finish(request, 481, "Call/Transaction Does Not Exist", Vec::new()).await,
        // The dialler takes no calls.
        _ => finish(request, 405, "Method Not Allowed", allow).await,
    }
}

/// Answers a request for a call that is over: both sides may hang up at the same time.
pub(crate) fn finish_late(request: Transaction) {
    let bye = request.original.method == Method::Bye;
    let (code, phrase) = if bye { (200, "OK") } else { (481, "Call/Transaction Does Not Exist") };
    finish_alone(request, code, phrase, Vec::new());
}

/// Sends a response. A failure to send is the network's, and the far end's timers deal with it.
pub(crate) async fn respond(
    request: &mut Transaction,
    code: u16,
    phrase: &str,
    further: Vec<Header>,
    body: String,
) {
    // The library takes the phrase of a code from its own table, except for codes that it does not know.
    let status = if code < 300 { StatusCode::from(code) } else { StatusCode::Other(code, phrase.to_owned()) };
    let described = !body.is_empty();
    let body = described.then(|| body.into_bytes());
    let mut response = request.endpoint_inner.make_response(&request.original, status, body);
    response.headers.extend(further);
    if described {
        response.headers.push(Header::ContentType("application/sdp".into()));
    }
    if let Err(error) = request.respond(response).await {
        tracing::debug!(code, %error, "a response was not sent");
    }
}

/// Sends a final response and sees the transaction to its end.
pub(crate) async fn finish(mut request: Transaction, code: u16, phrase: &str, further: Vec<Header>) {
    respond(&mut request, code, phrase, further, String::new()).await;
    let _unread = see_off(request).await;
}

/// Sees an answered transaction to its end: repetitions need it. Returns the session description in its ACK.
pub(crate) async fn see_off(mut request: Transaction) -> Vec<u8> {
    // The library's timers end with the endpoint, and so do all its connections.
    let open = request.connection.as_ref().and_then(SipConnection::cancel_token).unwrap_or_default();
    let acknowledged = async {
        let mut body = Vec::new();
        while !request.is_terminated() {
            match request.receive().await {
                Some(SipMessage::Request(ack)) if ack.method == Method::Ack => {
                    let described = session_description(&ack.headers, &ack.body).ok().flatten();
                    body = described.unwrap_or_default().to_vec();
                }
                Some(_) => {}
                None => break,
            }
        }
        body
    };
    open.run_until_cancelled(acknowledged).await.unwrap_or_default()
}

/// The same for a request that nobody else waits for.
pub(crate) fn finish_alone(request: Transaction, code: u16, phrase: &'static str, further: Vec<Header>) {
    tokio::spawn(async move { finish(request, code, phrase, further).await });
}
