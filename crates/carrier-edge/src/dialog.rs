//! Requests inside a dialog: whose they are, whether they come in their order, and to which call they go.

use std::sync::Arc;

use trunk_rules::carrier::{Attempt, InDialog, admit_in_dialog, claimed_username};

use super::attempt::TWILIO_HEADER;
use super::event::Event;
use super::facts::{Facts, Key};
use super::guesses::Try;
use super::nonces::Counted;
use super::stack::Incoming;
use super::{Inner, inspection, invite};

/// Hands a request to its call, or says that there is no such call.
pub(crate) async fn serve(inner: &Arc<Inner>, request: Incoming) {
    let Some(facts) = Key::of(&request).and_then(|key| inner.calls.find(&key)) else {
        return absent(request).await;
    };
    match inner.whose(&facts, &request) {
        None => return,
        Some(InDialog::Accepted(_)) => {}
        Some(InDialog::Challenged(challenge)) => {
            let (source, method) = (request.source(), request.method());
            tracing::debug!(%source, method, call_id = request.call_id(), "a request inside a call was challenged");
            return invite::challenged(inner, request, challenge).await;
        }
        Some(InDialog::Refused(why)) => {
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
    /// Whether a request inside a dialog is the caller's own; nothing when its source guesses.
    fn whose(&self, facts: &Facts, request: &Incoming) -> Option<InDialog> {
        let settings = &self.config.settings;
        let now = self.core.clock.now();
        let credentials: Vec<&[u8]> =
            request.values(settings.credentials_header()).map(str::as_bytes).collect();
        let source = request.source().ip();
        let (trunk, peer) = (&facts.trunk, facts.origin.source.ip());
        let name = claimed_username(&credentials, settings).filter(|_| source != peer);
        let tried = name.as_deref().map(|name| Try { source, name, now });
        if tried.is_some_and(|tried| !self.front.may_try(tried)) {
            return None;
        }
        let attempt = Attempt {
            method: request.method().as_bytes(),
            credentials: &credentials,
            twilio_account_sid: request.value(TWILIO_HEADER).map(str::as_bytes),
            body: request.body(),
            ..Attempt::new(source, b"", b"")
        };
        let nonces = self.front.nonces_at(now);
        let whose = if settings.strict_nc {
            let mut known = self.nonce_counts.lock();
            let whose = admit_in_dialog(settings, &Counted { nonces, known: &known }, trunk, peer, &attempt);
            if let InDialog::Accepted(Some((nonce, count))) = &whose {
                known.note(nonce.clone(), *count, now, settings.nonce_ttl);
            }
            whose
        } else {
            admit_in_dialog(settings, &nonces, trunk, peer, &attempt)
        };
        match (&whose, tried) {
            (InDialog::Accepted(Some(_)), Some(tried)) => self.front.right(tried),
            (InDialog::Challenged(challenge), Some(tried))
                if challenge.failure.is_guess() && !self.front.wrong(tried) =>
            {
                return None;
            }
            _ => {}
        }
        Some(whose)
    }
}
