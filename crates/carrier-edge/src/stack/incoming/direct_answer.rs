//! Answers without a body over UDP that are sent past the library, which would copy each of them twice and write each header into a
//! text of its own. The library has them all the same, and repeats them as its own.

use std::fmt::Write as _;

use rsipstack::sip::{Method, Response};
use rsipstack::transaction::transaction::Transaction;
use rsipstack::transaction::{TransactionState, TransactionTimer};
use rsipstack::transport::SipConnection;

use super::Incoming;
use crate::stack::kept_answer;

impl Incoming {
    /// Returns true if [`refuse`](Self::refuse) can refuse it: an INVITE over UDP without a final response.
    pub(super) fn can_be_refused_directly(&self) -> bool {
        let Transaction { original, connection, state, .. } = &self.0.transaction;
        original.method == Method::Invite
            && matches!(connection, Some(SipConnection::Udp(_)))
            && matches!(state, TransactionState::Trying | TransactionState::Proceeding)
    }

    /// Refuses an INVITE, and sets its transaction to the state in which the library repeats the refusal until the ACK arrives, for
    /// 32 seconds at most (RFC 3261 §17.2.1).
    pub(super) async fn refuse(&mut self, response: Response) {
        self.send_directly(&response).await;
        let transaction = &mut self.0.transaction;
        let (timers, option) = (&transaction.endpoint_inner.timers, &transaction.endpoint_inner.option);
        let repeats = TransactionTimer::TimerG(transaction.key.clone(), option.t1);
        let repeats = timers.timeout(option.t1, repeats);
        let ends = timers.timeout(option.t1x64, TransactionTimer::TimerD(transaction.key.clone()));
        transaction.timer_g = Some(repeats);
        transaction.timer_d = Some(ends);
        transaction.last_response = Some(response);
        transaction.state = TransactionState::Completed;
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
        if let Err(error) = socket.send_raw(text_of(response).as_bytes(), peer).await {
            tracing::debug!(code, %error, "a response was not sent");
        }
    }
}

/// A response without a body as the library writes it.
fn text_of(response: &Response) -> String {
    let mut text = String::with_capacity(768);
    let _infallible =
        write!(text, "SIP/2.0 {} {}\r\n", response.status_code.code(), response.status_code.text());
    for header in response.headers.iter() {
        for part in [header.name(), ": ", header.value(), "\r\n"] {
            text.push_str(part);
        }
    }
    text.push_str("\r\n");
    text
}

#[cfg(test)]
mod tests {
    use rsipstack::sip::SipMessage;

    use super::*;

    #[test]
    fn a_response_is_written_as_the_library_writes_it() {
        let text = "SIP/2.0 401 Unauthorized\r\nVia: SIP/2.0/UDP a;branch=z9hG4bKa\r\nFrom: <sip:a@h>;tag=f\r\n\
                    To: <sip:b@h>;tag=t\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\nX-Other: 1\r\nContent-Length: 0\r\n\r\n";
        let response = match SipMessage::try_from(text.as_bytes()) {
            Ok(SipMessage::Response(response)) => response,
            _ => panic!("{text}"),
        };
        assert_eq!(text_of(&response).as_bytes(), response.to_bytes());
    }
}
