//! Requests inside a dialog: authenticates their sender, checks their order, and passes them to their call.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use trunk_rules::carrier::{Attempt, InDialog, SentDigest, admit_in_dialog};

use super::attempt::{TWILIO_HEADER, sent_digest};
use super::call_event::CallEvent;
use super::call_state::{CallState, DialogKey};
use super::front::millis;
use super::inner::Inner;
use super::nonce_counts::CountedNonces;
use super::stack::Incoming;
use super::{attempt_log, inspection, invite};

/// Limit of the time for which the answer to a BYE waits for the store. A disk that is slower
/// must not keep callers from hanging up; they repeat an unanswered BYE for up to 32 seconds.
const MAX_BYE_DELAY: Duration = Duration::from_secs(1);

const NO_CALL: &str = "there is no such call: it has ended, or its Call-ID or a tag was changed on the way";
const ENDED: &str = "the call has just ended, or has too many requests that wait";
const OUT_OF_ORDER: &str = "the number in CSeq is lower than that of an earlier request of the call";

/// Passes a request to its call, or answers it with 481 if there is none.
pub(crate) async fn serve(inner: &Arc<Inner>, request: Incoming) {
    let Some(call_state) = DialogKey::of(&request).and_then(|key| inner.calls.find(&key)) else {
        return refuse_without_dialog(inner, request, NO_CALL).await;
    };
    match inner.authenticate(&call_state, &request) {
        None => return,
        Some(InDialog::Accepted(_)) => {}
        Some(InDialog::Challenged(challenge)) => {
            attempt_log::refused_in_call(inner, &request, challenge.code, &challenge.explanation());
            return invite::challenged(inner, request, challenge).await;
        }
        Some(InDialog::Refused(why)) => {
            attempt_log::refused_in_call(inner, &request, 403, why);
            return request.finish(403, "Forbidden", &[]).await;
        }
    }
    if request.method() != "BYE" && !call_state.may_ask(millis(inner.core.clock.stopwatch())) {
        inner.front.dropped(request.source().ip());
        // A dropped datagram is repeated later. Over a stream nothing is.
        if request.transport() != "udp" {
            request.finish(503, "Service Unavailable", &[("Retry-After", "1")]).await;
        }
        return;
    }
    if let Some(why) = inspection::not_supported(&request) {
        attempt_log::refused_in_call(inner, &request, why.cause.code(), why.flaw().explanation);
        return why.refuse(request).await;
    }
    // A request with a lower number than an earlier one is out of order (RFC 3261 §12.2.2).
    if !request.sequence().is_some_and(|(number, _)| call_state.accept_sequence(number)) {
        attempt_log::refused_in_call(inner, &request, 500, OUT_OF_ORDER);
        return request.finish(500, "Server Internal Error", &[]).await;
    }
    if request.method() == "BYE" {
        let (pending, recorded) = oneshot::channel();
        if call_state.mailbox.put_last(CallEvent::HungUp(pending)).is_err() {
            return refuse_without_dialog(inner, request, ENDED).await;
        }
        let _recorded_or_late = tokio::time::timeout(MAX_BYE_DELAY, recorded).await;
        return request.finish(200, "OK", &[]).await;
    }
    if let Err(CallEvent::Request(request)) = call_state.mailbox.put(CallEvent::Request(Box::new(request))) {
        refuse_without_dialog(inner, *request, ENDED).await;
    }
}

/// Whether a request names an active call by its `Call-ID` and tags.
pub(crate) fn names_call(inner: &Inner, request: &Incoming) -> bool {
    DialogKey::of(request).is_some_and(|key| inner.calls.contains(&key))
}

/// Answers a request that names no call with 481.
pub(crate) async fn refuse_without_call(inner: &Inner, request: Incoming) {
    refuse_without_dialog(inner, request, NO_CALL).await;
}

async fn refuse_without_dialog(inner: &Inner, request: Incoming, why: &str) {
    attempt_log::refused_in_call(inner, &request, 481, why);
    request.finish_once(481, "Call/Transaction Does Not Exist", &[]).await;
}

impl Inner {
    /// Decides whether a request inside a dialog is from the call's caller. `None` if it must not be
    /// answered, because its source sent too many wrong digests.
    fn authenticate(&self, call_state: &CallState, request: &Incoming) -> Option<InDialog> {
        let settings = &self.config.settings;
        let now = self.core.clock.now();
        let source = request.source().ip();
        let (trunk, peer) = (&call_state.trunk, call_state.origin.source.ip());
        // A request from the address of the call needs no digest.
        let sent = if source == peer { *SentDigest::NONE } else { sent_digest(request, settings) };
        let username = sent.username();
        let digest = self.front.digest_attempt(&sent, username.as_deref(), source, now);
        if digest.is_some_and(|digest| !self.front.may_verify(digest)) {
            return None;
        }
        let attempt = Attempt {
            method: request.method().as_bytes(),
            credentials: &sent,
            twilio_account_sid: request.value(TWILIO_HEADER).map(str::as_bytes),
            body: request.body(),
            ..Attempt::new(source, b"", b"")
        };
        let nonces = self.front.nonces_at(now);
        let decision = if settings.strict_nc {
            let mut counts = self.nonce_counts.lock();
            let decision = admit_in_dialog(
                settings,
                &CountedNonces { nonces, mark: self.node_mark, counts: &counts },
                trunk,
                peer,
                &attempt,
            );
            if let InDialog::Accepted(Some((nonce, count))) = &decision {
                counts.record(nonce.clone(), *count, now, settings.nonce_ttl);
            }
            decision
        } else {
            admit_in_dialog(settings, &nonces, trunk, peer, &attempt)
        };
        match (&decision, digest) {
            (InDialog::Accepted(Some(_)), Some(digest)) => self.front.record_valid(digest),
            (InDialog::Challenged(challenge), Some(digest))
                if challenge.failure.is_guess() && !self.front.count_wrong(digest) =>
            {
                return None;
            }
            _ => {}
        }
        Some(decision)
    }
}
