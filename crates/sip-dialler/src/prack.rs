//! Acknowledges reliable provisional responses (RFC 3262).

use std::sync::Arc;

use rsipstack::sip::{Header, Method, Response};
use sip_transport::body::session_description;
use tokio::sync::mpsc;

use crate::call::Call;
use crate::dialog::Dialog;
use crate::early_dialog::EarlyDialog;
use crate::headers::{remote_tag, value};
use crate::invite::Invite;
use crate::origin::Origin;

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
                let work = send_in_order(Arc::clone(&self.origin), receiver);
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
        let rack = format!("{number} {} INVITE", invite.sequence);
        let further = vec![Header::Other("RAck".to_owned(), rack)];
        early.count += 1;
        // The channel has room for the maximum number; it is closed only when the dialler stops.
        let _stopped = early.pracks.try_send((early.dialog.clone(), further));
    }
}

/// Sends the PRACK requests of a dialog one after the other.
async fn send_in_order(origin: Arc<Origin>, mut pracks: mpsc::Receiver<(Dialog, Vec<Header>)>) {
    while let Some((mut dialog, further)) = pracks.recv().await {
        dialog.reconnect(&origin).await;
        // If it remains unanswered, the far end retransmits the response or ends the call.
        let _unanswered = dialog.send_request(&origin, Method::PRack, further).await;
    }
}
