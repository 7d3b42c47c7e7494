//! Requests inside a dialog: whose they are, whether they come in their order, and to which call they go.

use std::sync::Arc;

use trunk_rules::carrier::{Attempt, InDialog, NoncesAt, admit_in_dialog};

use super::attempt::TWILIO_HEADER;
use super::event::Event;
use super::facts::{Facts, Key};
use super::nonces::Counted;
use super::stack::Incoming;
use super::{Inner, inspection, invite};

/// Hands a request to its call, or says that there is no such call.
pub(super) async fn serve(inner: &Arc<Inner>, request: Incoming) {
    let Some(facts) = Key::of(&request).and_then(|key| inner.calls.find(&key)) else {
        return absent(request).await;
    };
    match inner.whose(&facts, &request) {
        InDialog::Accepted(_) => {}
        InDialog::Challenged(challenge) => {
            let (source, method) = (request.source(), request.method());
            tracing::debug!(%source, method, call_id = request.call_id(), "a request inside a call was challenged");
            return invite::challenged(inner, request, challenge).await;
        }
        InDialog::Refused(why) => {
            let (source, method) = (request.source(), request.method());
            tracing::debug!(%source, method, call_id = request.call_id(), why, "a request inside a call was refused");
            return request.finish(403, "Forbidden", &[]).await;
        }
    }
    if let Some(why) = inspection::not_supported(&request) {
        return why.refuse(request).await;
    }
    // One that is older than another that was taken (RFC 3261 §12.2.2).
    if !request.sequence().is_some_and(|(number, _)| facts.follows(number)) {
        return request.finish(500, "Server Internal Error", &[]).await;
    }
    if request.method() == "BYE" {
        return match facts.mailbox.put_last(Event::HungUp) {
            Ok(()) => request.finish(200, "OK", &[]).await,
            Err(_over) => absent(request).await,
        };
    }
    if let Err(Event::Request(request)) = facts.mailbox.put(Event::Request(Box::new(request))) {
        absent(*request).await;
    }
}

async fn absent(request: Incoming) {
    request.finish(481, "Call/Transaction Does Not Exist", &[]).await;
}

impl Inner {
    /// Whether a request inside a dialog is the caller's own.
    fn whose(&self, facts: &Facts, request: &Incoming) -> InDialog {
        let settings = &self.config.settings;
        let now = self.app.clock.now();
        let credentials: Vec<&[u8]> =
            request.values(settings.credentials_header()).map(str::as_bytes).collect();
        let attempt = Attempt {
            method: request.method().as_bytes(),
            credentials: &credentials,
            twilio_account_sid: request.value(TWILIO_HEADER).map(str::as_bytes),
            body: request.body(),
            ..Attempt::new(request.source().ip(), b"", b"")
        };
        let nonces = NoncesAt { key: &self.nonces.0, now, ttl: settings.nonce_ttl };
        let (trunk, peer) = (&facts.trunk, facts.origin.source.ip());
        if !settings.strict_nc {
            return admit_in_dialog(settings, &nonces, trunk, peer, &attempt);
        }
        let mut known = self.nonce_counts.lock();
        let whose = admit_in_dialog(settings, &Counted { nonces, known: &known }, trunk, peer, &attempt);
        if let InDialog::Accepted(Some((nonce, count))) = &whose {
            known.note(nonce.clone(), *count, now, settings.nonce_ttl);
        }
        whose
    }
}
