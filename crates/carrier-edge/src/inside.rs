//! Requests in the dialog of a call, other than BYE: new offers, and refreshes of its session.

use std::sync::Arc;

use didww_types::Timestamp;
use trunk_rules::carrier::reason_phrase;

use super::call::Call;
use super::event::Event;
use super::inspection;
use super::stack::Incoming;
use sip_transport::session_timer::{Decision, Said, Session};

impl Call<'_> {
    /// A request in the dialog that does not end it.
    pub(crate) async fn inside(&mut self, request: Box<Incoming>) {
        if request.method() == "PRACK" {
            // It crossed the answer: nothing hangs on it any more.
            let _no_media = Box::pin(self.confirmed(*request)).await;
        } else {
            Box::pin(self.take_inside(*request)).await;
        }
    }

    /// A re-INVITE or an UPDATE.
    pub(crate) async fn take_inside(&mut self, request: Incoming) {
        let invites = request.method() == "INVITE";
        let offer = request.description().ok().flatten().map(<[u8]>::to_vec);
        let refreshes = self.refreshing.as_ref().is_some_and(|refreshing| refreshing.offers);
        if (invites || offer.is_some()) && (self.speech.awaits || refreshes) {
            // An offer of ours is under way (RFC 3261 §14.2, RFC 3311 §5.2).
            return respond_alone(request, 491);
        }
        if let Some(offer) = offer {
            return self.respond_to_offer(request, &offer).await;
        }
        let body = if invites { self.offer() } else { String::new() };
        self.agree(request, &body, invites).await;
    }

    /// Answers a request that brings an offer. One that does not fit leaves the call as it is.
    pub(crate) async fn respond_to_offer(&mut self, request: Incoming, offer: &[u8]) {
        match self.renegotiated(offer).await {
            Ok(answer) => self.agree(request, &answer, false).await,
            Err(why) => {
                if self.may_warn() {
                    let call_id = request.call_id();
                    tracing::warn!(%why, call_id, "a new offer was refused; the call stays as it is");
                }
                respond_alone(request, why.code(&self.inner.config.settings));
            }
        }
    }

    /// Says 200 to a request in the dialog. `offers` says that the body is an offer of ours.
    async fn agree(&mut self, mut request: Incoming, body: &str, offers: bool) {
        let contact = self.stack.contact(&request);
        let mut headers = vec![("Contact", contact.as_str()), ("Allow", super::stack::ALLOW)];
        headers.push(("Supported", super::stack::SUPPORTED));
        if !body.is_empty() {
            headers.push(("Content-Type", "application/sdp"));
        }
        let mut expires = Vec::new();
        if matches!(request.method(), "INVITE" | "UPDATE") {
            if let Some(dialog) = &mut self.dialog {
                request.retarget(dialog);
                dialog.contact = contact.as_str().into();
            }
            expires = self.agree_on_session(&request, self.inner.core.clock.now());
        }
        headers.extend(expires.iter().map(|(name, value)| (*name, value.as_str())));
        request.respond(200, "OK", &headers, body).await;
        let facts = Arc::clone(&self.registered.facts);
        tokio::spawn(async move {
            request.confirmed().await;
            if offers {
                // A call that is over needs no answer, and one that is flooded loses it.
                let _lost = facts.mailbox.put(Event::Answer(request.take_acknowledgement()));
            }
        });
    }

    /// Starts the session timer anew as a request wants it; returns the headers that say so.
    pub(crate) fn agree_on_session(&mut self, request: &Incoming, now: Timestamp) -> Vec<inspection::Header> {
        // What cannot be read, or is too short, was refused before.
        let said = Said::of(request.headers()).unwrap_or_default();
        let Decision::With(terms) = said.decide(self.session.map(|session| session.terms)) else {
            self.session = None;
            return Vec::new();
        };
        self.session = Some(Session::new(terms, now));
        let mut headers = vec![("Session-Expires", terms.in_response())];
        if said.is_supported() {
            headers.push(("Require", "timer".to_owned()));
        }
        headers
    }
}

/// Answers a request whose transaction nobody else waits for.
pub(crate) fn respond_alone(request: Incoming, code: u16) {
    let phrase = if code == 200 { "OK" } else { reason_phrase(code) };
    tokio::spawn(async move { request.finish(code, phrase, &[]).await });
}
