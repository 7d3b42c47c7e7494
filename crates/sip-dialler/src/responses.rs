//! Responses to requests of far ends.

use rsipstack::sip::{Header, Method, SipMessage, StatusCode};
use rsipstack::transaction::TransactionState;
use rsipstack::transaction::transaction::Transaction;
use rsipstack::transport::SipConnection;
use sip_transport::body::session_description;

/// Answers a request for a call that has ended: 200 to a BYE, because both sides may hang up at the same
/// time, and 481 to others.
pub(crate) fn finish_after_end(request: Transaction) {
    let bye = request.original.method == Method::Bye;
    let (code, phrase) = if bye { (200, "OK") } else { (481, "Call/Transaction Does Not Exist") };
    finish_in_background(request, code, phrase, Vec::new());
}

/// Sends a response. A failure is only logged: the far end handles it with its timers.
pub(crate) async fn respond(
    request: &mut Transaction,
    code: u16,
    phrase: &str,
    further: Vec<Header>,
    body: String,
) {
    // The library uses its own reason phrases, except for codes that are unknown to it.
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

/// Sends a final response without a body, and keeps the transaction until its end.
pub(crate) async fn finish(mut request: Transaction, code: u16, phrase: &str, further: Vec<Header>) {
    respond(&mut request, code, phrase, further, String::new()).await;
    let _unused = complete(request).await;
}

/// How an answered transaction ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Completion {
    /// The far end acknowledged the answer; the session description in the ACK, empty if there is none.
    Acknowledged(Vec<u8>),
    /// No ACK arrived for as long as the answer was repeated. Only an INVITE has one.
    Unacknowledged,
    /// The endpoint ended first, or no answer was sent.
    Abandoned,
}

/// Keeps an answered transaction until its end, so that retransmissions are answered. The end of its TCP connection
/// does not end it: the ACK may come over another one (RFC 3261 §17.2.1 and §18.2.2).
pub(crate) async fn complete(mut request: Transaction) -> Completion {
    // The token of the UDP socket is cancelled with the endpoint, which terminates the transactions over TCP itself.
    let datagrams = request.connection.as_ref().filter(|connection| !connection.is_reliable());
    let open = datagrams.and_then(SipConnection::cancel_token).unwrap_or_default();
    if datagrams.is_none() && matches!(request.state, TransactionState::Trying | TransactionState::Proceeding)
    {
        // The answer could not be sent, and nothing is repeated over TCP.
        return Completion::Abandoned;
    }
    // Its own timer ends a transaction earlier, unless its answer could not be sent or the endpoint ended just before
    // it began.
    let longest = request.endpoint_inner.option.t1x64 * 2;
    let acknowledged = async {
        let mut body = None;
        while !request.is_terminated() {
            match request.receive().await {
                Some(SipMessage::Request(ack)) if ack.method == Method::Ack => {
                    let described = session_description(&ack.headers, &ack.body).ok().flatten();
                    body = Some(described.unwrap_or_default().to_vec());
                }
                Some(_) => {}
                None => break,
            }
        }
        (body, request.is_terminated())
    };
    match open.run_until_cancelled(tokio::time::timeout(longest, acknowledged)).await {
        Some(Ok((Some(body), _))) => Completion::Acknowledged(body),
        Some(Ok((None, true))) => Completion::Unacknowledged,
        Some(Ok((None, false)) | Err(_)) | None => Completion::Abandoned,
    }
}

/// Sends a final response in a task of its own.
pub(crate) fn finish_in_background(
    request: Transaction,
    code: u16,
    phrase: &'static str,
    further: Vec<Header>,
) {
    tokio::spawn(async move { finish(request, code, phrase, further).await });
}
