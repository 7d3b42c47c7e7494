//! Acknowledges reliable provisional responses (RFC 3262).

use std::sync::Arc;

use rsipstack::sip::{Header, Method, Request, Response};
use sip_transport::body::session_description;
use tokio::sync::mpsc;

use crate::call::Call;
use crate::dialog::Dialog;
use crate::early_dialog::EarlyDialog;
use crate::headers::{remote_tag, value};
use crate::hop::Hop;
use crate::invite::Invite;
use crate::network::Network;
use crate::transaction::request_response;

/// Maximum number of early dialogs of a call.
const MAX_EARLY_DIALOGS: usize = 8;
/// Maximum number of PRACK requests of a call. Further reliable responses are not acknowledged.
const MAX_PRACKS: usize = 32;

impl Call {
    /// Acknowledges a reliable provisional response. PRACK requests of a dialog are sent one after the other.
    pub(crate) async fn acknowledge_provisional(&mut self, response: &Response, invite: &Invite) {
        let number = value(&response.headers, "RSeq").and_then(|number| number.trim().parse::<u32>().ok());
        let Some(number) = number else { return };
        if self.early.iter().map(|early| early.count).sum::<usize>() >= MAX_PRACKS {
            return;
        }
        let tag = remote_tag(response);
        let index = match self.early.iter().position(|early| early.dialog.tag == tag) {
            Some(index) => index,
            None if self.early.len() >= MAX_EARLY_DIALOGS => return,
            None => {
                let dialog =
                    Dialog::of(&self.origin, response, &invite.hop, &self.uri, invite.sequence).await;
                // The far end chooses the first number; each further one is greater by one.
                let confirmed = number.wrapping_sub(1);
                let (pracks, receiver) = mpsc::channel(MAX_PRACKS);
                let network = Arc::clone(&self.origin.network);
                let work = send_in_order(network, dialog.hop.clone(), receiver);
                self.origin.network.stack.spawn(work);
                self.early.push(EarlyDialog { dialog, confirmed, answer: None, pracks, count: 0 });
                self.early.len() - 1
            }
        };
        let Some(early) = self.early.get_mut(index) else { return };
        if number != early.confirmed.wrapping_add(1) {
            // Either a retransmission, whose PRACK is retransmitted as well, or an earlier response is still
            // missing.
            return;
        }
        early.confirmed = number;
        // Descriptions after the first one are ignored (RFC 3261 §13.2.1).
        if early.answer.is_none()
            && let Ok(Some(described)) = session_description(&response.headers, &response.body)
        {
            early.answer = Some(described.to_vec());
        }
        let next = early.dialog.next_sequence();
        let rack = format!("{number} {} INVITE", invite.sequence);
        let further = vec![Header::Other("RAck".to_owned(), rack)];
        let prack = early.dialog.request(&self.origin, Method::PRack, next, further, String::new());
        early.count += 1;
        // The channel has room for the maximum number; it is closed only when the dialler stops.
        let _stopped = early.pracks.try_send(prack);
    }
}

/// Sends the PRACK requests of a dialog one after the other.
async fn send_in_order(network: Arc<Network>, hop: Hop, mut pracks: mpsc::Receiver<Request>) {
    while let Some(prack) = pracks.recv().await {
        // If it remains unanswered, the far end retransmits the response or ends the call.
        let _unanswered = request_response(&network.stack, prack, &hop).await;
    }
}
