//! Reliable provisional responses (RFC 3262).

use std::sync::Arc;

use rsipstack::sip::{Header, Method, Request, Response};
use tokio::sync::mpsc;

use super::connect::Hop;
use super::dialog::{Dialog, ask, remote_tag, value};
use super::invite::Invite;
use super::leg::Call;
use super::origin::Origin;
use sip_transport::body::session_description;

/// A dialog before the answer, for reliable provisional responses.
pub(crate) struct Early {
    pub dialog: Dialog,
    /// The number of the last response that was acknowledged.
    confirmed: u32,
    /// The answer that one of them brought.
    pub answer: Option<Vec<u8>>,
    /// Acknowledgements that wait for the one before.
    waiting: mpsc::Sender<Request>,
    /// How many there were.
    count: usize,
}

/// Most dialogs before the answer.
const FORKS: usize = 8;
/// Most acknowledgements of a call. A far end that wants more repeats its responses in vain.
const MOST: usize = 32;

impl Call {
    /// Acknowledges a reliable provisional response (RFC 3262).
    pub(crate) async fn confirm(&mut self, response: &Response, invite: &Invite) {
        let number = value(&response.headers, "RSeq").and_then(|number| number.trim().parse::<u32>().ok());
        let Some(number) = number else { return };
        if self.early.iter().map(|early| early.count).sum::<usize>() >= MOST {
            return;
        }
        let tag = remote_tag(response);
        let place = match self.early.iter().position(|early| early.dialog.tag == tag) {
            Some(place) => place,
            None if self.early.len() >= FORKS => return,
            None => {
                let dialog =
                    Dialog::of(&self.origin, response, &invite.hop, &self.uri, invite.sequence).await;
                // The first number is the far end's choice; the others follow it.
                let confirmed = number.wrapping_sub(1);
                let (waiting, pracks) = mpsc::channel(MOST);
                let work = acknowledge(Arc::clone(&self.origin), dialog.hop.clone(), pracks);
                self.inner.stack.spawn(work);
                self.early.push(Early { dialog, confirmed, answer: None, waiting, count: 0 });
                self.early.len() - 1
            }
        };
        let Some(early) = self.early.get_mut(place) else { return };
        if number != early.confirmed.wrapping_add(1) {
            // It came again, which its PRACK's own repetitions deal with; or one before it is missing still.
            return;
        }
        early.confirmed = number;
        if let Ok(Some(described)) = session_description(&response.headers, &response.body) {
            early.answer = Some(described.to_vec());
        }
        let next = early.dialog.next_sequence();
        let rack = format!("{number} {} INVITE", invite.sequence);
        let further = vec![Header::Other("RAck".to_owned(), rack)];
        let prack = early.dialog.request(&self.origin, Method::PRack, next, further, String::new());
        early.count += 1;
        // There is room for all that are allowed; the other end is gone only when the dialler stops.
        let _stopped = early.waiting.try_send(prack);
    }
}

/// Sends the acknowledgements of a dialog one after another.
async fn acknowledge(origin: Arc<Origin>, hop: Hop, mut pracks: mpsc::Receiver<Request>) {
    while let Some(prack) = pracks.recv().await {
        // Without an answer to it the far end repeats what it acknowledges, or gives up.
        let _unanswered = ask(&origin, prack, &hop).await;
    }
}
