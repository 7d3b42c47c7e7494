//! Answers over UDP that are sent past the library, which would copy each of them twice, write each header into a text
//! of its own, and read the dialog out of it three times. A refusal is left to its transaction, which passes it on to
//! its endpoint; what delayed copies of a request need of its answer is kept in
//! [`KeptAnswers`](sip_transport::KeptAnswers).

use std::fmt::Write as _;
use std::net::IpAddr;

use rsipstack::sip::{Header, Method, Request, Response, SipMessage, StatusCode, Version};
use rsipstack::transaction::TransactionState;
use rsipstack::transaction::transaction::{Transaction, TransactionEvent};
use rsipstack::transport::SipConnection;
use sip_transport::AckRoute;

use super::repetition::{Repetition, now};
use super::{Acknowledgement, Incoming, Received};
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

    /// Sends the final response to an INVITE. [`next_event`](Self::next_event) repeats it until the ACK arrives.
    pub(super) async fn answer_invite(&mut self, response: Response, route: AckRoute) {
        // Before it is sent, because the ACK may arrive at once.
        self.0.ack_route = Some(route);
        self.send_directly(response.status_code.code(), &bytes_of(&response)).await;
        self.await_ack(response);
    }

    /// Sends a challenge, which is repeated like an answer. The library has the `To` of it alone, which it needs for a
    /// CANCEL: it must not keep it.
    pub(super) async fn challenge_directly(&mut self, code: u16, challenge: String, route: AckRoute) {
        self.0.ack_route = Some(route);
        self.send_directly(code, challenge.as_bytes()).await;
        let is_to = |header: &&Header| matches!(header, Header::To(_));
        let to: Vec<Header> = self.headers().iter().filter(is_to).cloned().collect();
        self.0.challenge = Some((code, challenge));
        self.await_ack(Response {
            status_code: StatusCode::from(code),
            wire_reason: None,
            version: Version::V2,
            headers: to.into(),
            body: Vec::new(),
        });
    }

    fn await_ack(&mut self, response: Response) {
        let Received { transaction, repetition, .. } = &mut *self.0;
        *repetition = Some(Repetition::of(now(), &transaction.endpoint_inner.option));
        // The state decides how the library handles a CANCEL and a copy of the INVITE.
        let is_refused = response.status_code.code() >= 300;
        transaction.state = if is_refused { TransactionState::Completed } else { TransactionState::Accepted };
        transaction.last_response = Some(response);
    }

    /// Treats a final response that could not be sent as one that was lost. The library starts no timer for it: a call
    /// whose caller closed its connection before the answer would wait for the ACK forever.
    pub(super) fn count_as_lost(&mut self) {
        let Transaction { original, state, endpoint_inner, .. } = &self.0.transaction;
        if !matches!(state, TransactionState::Trying | TransactionState::Proceeding) {
            return;
        }
        if original.method != Method::Invite {
            // It has no ACK.
            self.0.transaction.state = TransactionState::Terminated;
            return;
        }
        let repetition = Repetition::of(now(), &endpoint_inner.option);
        self.0.ack_route = self.route_ack();
        self.0.repetition = Some(repetition);
    }

    /// Returns true while the final response that was sent past the library waits for its ACK.
    pub(super) fn awaits_ack_directly(&self) -> bool {
        self.0.repetition.is_some()
    }

    /// Repeats the final response, or ends the transaction if its time has run out.
    pub(super) async fn repeat_or_end(&mut self) {
        let t2 = self.0.transaction.endpoint_inner.option.t2;
        if !self.0.repetition.as_mut().is_some_and(|repetition| repetition.advance(now(), t2)) {
            self.0.transaction.state = TransactionState::Terminated;
            return;
        }
        self.send_again().await;
    }

    async fn send_again(&self) {
        if let Some((code, challenge)) = &self.0.challenge {
            self.send_directly(*code, challenge.as_bytes()).await;
        } else if let Some(response) = &self.0.transaction.last_response {
            self.send_directly(response.status_code.code(), &bytes_of(response)).await;
        }
    }

    /// Returns true for a copy of the INVITE while the final response waits for its ACK.
    pub(super) fn is_copy_before_ack(&self, event: &TransactionEvent) -> bool {
        self.awaits_ack_directly()
            && matches!(
                event,
                TransactionEvent::Received(SipMessage::Request(request), _) if request.method == Method::Invite
            )
    }

    /// Sends a refusal again for a copy of its INVITE, whose sender may have lost it (RFC 3261 §17.2.1). An answer is
    /// repeated by its timer alone (RFC 6026 §7.1).
    pub(super) async fn answer_copy(&self) {
        let last = self.0.transaction.last_response.as_ref();
        if last.is_some_and(|response| response.status_code.code() >= 300) {
            self.send_again().await;
        }
    }

    /// Takes the ACK of the final response. What copies of the INVITE need of an answer is kept, because the
    /// transaction is dropped next.
    pub(super) fn take_ack(&mut self, ack: &Request, source: Option<IpAddr>) {
        self.0.repetition = None;
        self.0.acknowledgement = Some(Acknowledgement::of(ack, source));
        let Received { transaction, answers, .. } = &mut *self.0;
        let is_answer = |response: &mut Response| response.status_code.code() < 300;
        if let Some(answer) = transaction.last_response.take_if(is_answer) {
            answers.keep(&transaction.key, &kept_answer::own_text(&answer));
        }
    }

    /// Answers a request other than INVITE, and ends its transaction. The answer is kept for half a minute, for copies
    /// of the request; `is_plain` is whether it has no header of its own, so that what names the dialog is enough.
    pub(super) async fn answer(self, code: u16, response: &str, is_plain: bool) {
        self.send_directly(code, response.as_bytes()).await;
        self.0.answers.keep(&self.0.transaction.key, &kept_answer::own_lines(response, is_plain));
    }

    async fn send_directly(&self, code: u16, response: &[u8]) {
        let Transaction { connection, destination, .. } = &self.0.transaction;
        let (Some(SipConnection::Udp(socket)), Some(peer)) = (connection, destination) else { return };
        if let Err(error) = socket.send_raw(response, peer).await {
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
    use super::*;

    #[test]
    fn a_response_is_written_as_the_library_writes_it() {
        let text = "SIP/2.0 401 Unauthorized\r\nVia: SIP/2.0/UDP a;branch=z9hG4bKa\r\nFrom: <sip:a@h>;tag=f\r\n\
                    To: <sip:b@h>;tag=t\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\nX-Other: 1\r\nContent-Length: 3\r\n\r\nv=0";
        let Ok(SipMessage::Response(response)) = SipMessage::try_from(text.as_bytes()) else {
            panic!("{text}")
        };
        assert_eq!(bytes_of(&response), response.to_bytes());
    }
}
