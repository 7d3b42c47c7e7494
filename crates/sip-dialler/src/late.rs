//! What may still come for a call that is over: final responses whose ACK was lost, and answers of forks.
//!
//! For half a minute after each call, so this is kept small and without a task of its own.

use std::sync::Arc;

use rsipstack::sip::{Header, Method, Response};

use super::acks::Acks;
use super::connect::Hop;
use super::dialog::{Dialog, remote_tag, sequence};
use super::origin::Origin;

/// What is left of a call.
pub(crate) struct Late {
    pub origin: Arc<Origin>,
    /// What was called.
    pub uri: Box<str>,
    /// Where the INVITE went.
    pub way: Hop,
    /// The digests that it carried.
    pub digests: Box<[Header]>,
    pub acks: tokio::sync::Mutex<Acks>,
}

impl Late {
    /// Deals with a response that came after the end.
    pub(crate) async fn response(&self, response: &Response) {
        let mut acks = self.acks.lock().await;
        late(&self.origin, &self.uri, &self.way, &self.digests, &mut acks, response).await;
    }
}

/// Acknowledges a final response that came again. One of another dialog, which a fork made after the call was
/// answered or given up, is acknowledged and hung up.
pub(crate) async fn late(
    origin: &Arc<Origin>,
    uri: &str,
    way: &Hop,
    digests: &[Header],
    acks: &mut Acks,
    response: &Response,
) {
    let code = response.status_code.code();
    let Some((number, _)) = sequence(&response.headers) else { return };
    if code < 200 || acks.again(number, remote_tag(response)).await || code >= 300 || acks.is_full() {
        return;
    }
    let dialog = Dialog::of(origin, response, way, uri, number).await;
    let ack = dialog.request(origin, Method::Ack, number, digests.to_vec(), String::new());
    acks.send(number, remote_tag(response), &ack, &dialog.hop).await;
    // Hung up, whether it is waited for or not.
    let _bye = dialog.bye(origin);
}
