//! Client transactions of requests other than INVITE.

use std::time::Duration;

use rsipstack::sip::{Request, Response, SipMessage};
use rsipstack::transaction::key::{TransactionKey, TransactionRole};
use rsipstack::transaction::transaction::Transaction;

use crate::hop::Hop;
use crate::stack::Stack;

/// Maximum duration of writing a request.
const SEND_TIMEOUT: Duration = Duration::from_secs(1);

/// Sends a request other than INVITE, and waits for its final response. The library retransmits it, and
/// returns a 408 if no response arrives. `None` if the request could not be sent, the connection was closed
/// or the endpoint ended.
pub(crate) async fn request_response(stack: &Stack, request: Request, hop: &Hop) -> Option<Response> {
    let key = TransactionKey::from_request(&request, TransactionRole::Client).ok()?;
    let endpoint = stack.endpoint().clone();
    let mut transaction = Transaction::new_client(key, request, endpoint, Some(hop.connection.clone()));
    transaction.destination = Some(hop.destination.clone());
    tokio::time::timeout(SEND_TIMEOUT, transaction.send()).await.ok()?.ok()?;
    let final_response = async {
        loop {
            match transaction.receive().await? {
                SipMessage::Response(response) if response.status_code.code() >= 200 => {
                    return Some(response);
                }
                _ => {}
            }
        }
    };
    tokio::select! {
        biased;
        // The library's timers end with the endpoint.
        response = stack.token().run_until_cancelled(final_response) => response?,
        // Over a reliable transport nothing is retransmitted, and the library is not notified that it was
        // closed.
        () = hop.closed() => None,
    }
}
