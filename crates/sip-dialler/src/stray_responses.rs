//! Responses after the end of a call or of its setup: retransmitted final responses whose ACK was lost, and
//! answers of further forks.
//!
//! The state is kept for half a minute after each call, so it is small and has no task.

use std::sync::Arc;

use rsipstack::sip::{Header, Method, Response};

use crate::acks::Acks;
use crate::dialog::Dialog;
use crate::headers::{remote_tag, sequence};
use crate::hop::Hop;
use crate::origin::Origin;

/// The state of an ended call that handles such responses.
pub(crate) struct StrayResponses {
    pub(crate) origin: Arc<Origin>,
    /// The Request-URI of the INVITE.
    pub(crate) uri: Box<str>,
    /// The hop of the INVITE.
    pub(crate) hop: Hop,
    /// The digest headers of the INVITE.
    pub(crate) digests: Box<[Header]>,
    pub(crate) acks: tokio::sync::Mutex<Acks>,
}

impl StrayResponses {
    /// Handles a response that arrived after the end of the call.
    pub(crate) async fn handle(&self, response: &Response) {
        let mut acks = self.acks.lock().await;
        handle_stray(&self.origin, &self.uri, &self.hop, &self.digests, &mut acks, response).await;
    }
}

/// Acknowledges a retransmitted final response. A 2xx of another dialog, which a fork created after the call
/// was answered or abandoned, is acknowledged and hung up.
pub(crate) async fn handle_stray(
    origin: &Arc<Origin>,
    uri: &str,
    hop: &Hop,
    digests: &[Header],
    acks: &mut Acks,
    response: &Response,
) {
    let code = response.status_code.code();
    let Some((number, _)) = sequence(&response.headers) else { return };
    if code < 200 || acks.resend(code, number, remote_tag(response)).await || code >= 300 || acks.is_full() {
        return;
    }
    let dialog = Dialog::of(origin, response, hop, uri, number).await;
    let ack = dialog.request(origin, Method::Ack, number, digests.to_vec(), String::new());
    acks.send(number, remote_tag(response), &ack, &dialog.hop).await;
    // The BYE is sent by its own task.
    let _bye = dialog.bye(origin);
}
