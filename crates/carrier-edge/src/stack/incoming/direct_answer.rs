//! Answers over UDP that are sent past the library, which would copy each of them twice, write each header into a text of its own,
//! and read the dialog out of it three times. The library has them all the same, and repeats them as its own.

use std::fmt::Write as _;
use std::net::IpAddr;

use rsipstack::sip::{Method, Request, Response};
use rsipstack::transaction::transaction::Transaction;
use rsipstack::transaction::{TransactionState, TransactionTimer};
use rsipstack::transport::SipConnection;
use sip_transport::AckRoute;

use super::{Acknowledgement, Incoming};
use crate::stack::kept_answer;

impl Incoming {
    /// Returns true if it is an INVITE over UDP that begins a dialog and has no final response.
    pub(super) fn can_be_answered_directly(&self) -> bool {
        let Transaction { original, connection, state, .. } = &self.0.transaction;
        self.0.starts_dialog
            && original.method == Method::Invite
            && matches!(connection, Some(SipConnection::Udp(_)))
            && matches!(state, TransactionState::Trying | TransactionState::Proceeding)
    }

    /// The route of the ACK of its final response; `None` if it lacks a part of what the ACK would name.
    pub(super) fn route_ack(&self) -> Option<AckRoute> {
        let (number, _) = self.sequence()?;
        let tags = (self.remote_tag()?, self.local_tag()?);
        Some(self.0.acks.enter(self.call_id(), tags, number, self.0.transaction.tu_sender.clone()))
    }

    /// Sends the final response to an INVITE, and sets its transaction to the state in which the library repeats it until the ACK
    /// arrives, for 32 seconds at most (RFC 3261 §13.3.1.4 and §17.2.1).
    pub(super) async fn answer_invite(&mut self, response: Response, route: AckRoute) {
        // Before it is sent, because the ACK may arrive at once.
        self.0.ack_route = Some(route);
        self.send_directly(&response).await;
        let is_refused = response.status_code.code() >= 300;
        let transaction = &mut self.0.transaction;
        let (timers, option) = (&transaction.endpoint_inner.timers, &transaction.endpoint_inner.option);
        let repeats = TransactionTimer::TimerG(transaction.key.clone(), option.t1);
        let repeats = timers.timeout(option.t1, repeats);
        let end = transaction.key.clone();
        let end = if is_refused { TransactionTimer::TimerD(end) } else { TransactionTimer::TimerL(end) };
        let end = timers.timeout(option.t1x64, end);
        transaction.timer_g = Some(repeats);
        if is_refused {
            transaction.timer_d = Some(end);
            transaction.state = TransactionState::Completed;
        } else {
            transaction.timer_l = Some(end);
            transaction.state = TransactionState::Accepted;
        }
        transaction.last_response = Some(response);
    }

    /// Returns true if it was answered with 2xx past the library, which cannot find its ACK.
    pub(super) fn is_answered_directly(&self) -> bool {
        self.0.ack_route.is_some() && self.0.transaction.state == TransactionState::Accepted
    }

    /// Takes the ACK of a 2xx response. The transaction, which is dropped next, passes what is left of the response to the endpoint.
    pub(super) fn take_ack(&mut self, ack: &Request, source: Option<IpAddr>) {
        self.0.acknowledgement = Some(Acknowledgement::of(ack, source));
        if let Some(response) = &mut self.0.transaction.last_response {
            kept_answer::shorten(response);
        }
    }

    /// Answers a request other than INVITE, and ends its transaction. The library keeps the answer for half a minute, for copies of
    /// the request; `is_plain` is whether it has no header of its own, so that what names the dialog is enough of it.
    pub(super) async fn answer(mut self, mut response: Response, is_plain: bool) {
        self.send_directly(&response).await;
        if is_plain {
            kept_answer::shorten(&mut response);
        }
        // The transaction passes it to the endpoint when it is dropped.
        self.0.transaction.last_response = Some(response);
    }

    async fn send_directly(&self, response: &Response) {
        let Transaction { connection, destination, .. } = &self.0.transaction;
        let (Some(SipConnection::Udp(socket)), Some(peer)) = (connection, destination) else { return };
        let code = response.status_code.code();
        if let Err(error) = socket.send_raw(&bytes_of(response), peer).await {
            tracing::debug!(code, %error, "a response was not sent");
        }
    }
}

/// A response as the library writes it.
fn bytes_of(response: &Response) -> Vec<u8> {
    let mut text = String::with_capacity(1_024);
    let _infallible =
        write!(text, "SIP/2.0 {} {}\r\n", response.status_code.code(), response.status_code.text());
    for header in response.headers.iter() {
        for part in [header.name(), ": ", header.value(), "\r\n"] {
            text.push_str(part);
        }
    }
    text.push_str("\r\n");
    let mut bytes = text.into_bytes();
    bytes.extend_from_slice(&response.body);
    bytes
}

#[cfg(test)]
mod tests {
    use rsipstack::sip::SipMessage;

    use super::*;

    #[test]
    fn a_response_is_written_as_the_library_writes_it() {
        let text = "SIP/2.0 401 Unauthorized\r\nVia: SIP/2.0/UDP a;branch=z9hG4bKa\r\nFrom: <sip:a@h>;tag=f\r\n\
                    To: <sip:b@h>;tag=t\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\nX-Other: 1\r\nContent-Length: 3\r\n\r\nv=0";
        let response = match SipMessage::try_from(text.as_bytes()) {
            Ok(SipMessage::Response(response)) => response,
            _ => panic!("{text}"),
        };
        assert_eq!(bytes_of(&response), response.to_bytes());
    }
}
