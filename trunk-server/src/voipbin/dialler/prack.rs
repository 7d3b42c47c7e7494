//! Reliable provisional responses (RFC 3262).

use std::sync::Arc;

use rsipstack::sip::{Header, Method, Response};

use super::dialog::{Dialog, ask, remote_tag, value};
use super::invite::Invite;
use super::leg::Call;

/// A dialog before the answer, for reliable provisional responses.
pub(super) struct Early {
    pub(super) dialog: Dialog,
    /// The number of the last response that was acknowledged.
    confirmed: u32,
    /// The answer that one of them brought.
    pub(super) answer: Option<Vec<u8>>,
}

/// Most dialogs before the answer.
const FORKS: usize = 8;
impl Call {
    /// Acknowledges a reliable provisional response (RFC 3262).
    pub(super) async fn confirm(&mut self, response: &Response, invite: &Invite) {
        let number = value(&response.headers, "RSeq").and_then(|number| number.trim().parse::<u32>().ok());
        let Some(number) = number else { return };
        let tag = remote_tag(response);
        let place = match self.early.iter().position(|early| early.dialog.tag == tag) {
            Some(place) => place,
            None if self.early.len() >= FORKS => return,
            None => {
                let dialog =
                    Dialog::of(&self.origin, response, &invite.hop, &self.uri, invite.sequence).await;
                // The first number is the far end's choice; the others follow it.
                let confirmed = number.wrapping_sub(1);
                self.early.push(Early { dialog, confirmed, answer: None });
                self.early.len() - 1
            }
        };
        let Some(early) = self.early.get_mut(place) else { return };
        if number != early.confirmed.wrapping_add(1) {
            // It came again, which its PRACK's own repetitions deal with; or one before it is missing still.
            return;
        }
        early.confirmed = number;
        if !response.body.is_empty() {
            early.answer = Some(response.body.clone());
        }
        let next = early.dialog.next_sequence();
        let rack = format!("{number} {} INVITE", invite.sequence);
        let further = vec![Header::Other("RAck".to_owned(), rack)];
        let prack = early.dialog.request(&self.origin, Method::PRack, next, further, String::new());
        let (origin, hop) = (Arc::clone(&self.origin), early.dialog.hop.clone());
        tokio::spawn(async move { ask(&origin, prack, &hop).await });
    }
}
