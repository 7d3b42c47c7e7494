//! Handles requests in the dialog of a call, other than BYE and INFO: new offers, session refreshes and PRACK.

use std::sync::Arc;

use didww_types::Timestamp;
use sip_transport::session_timer::{Decision, Session, TimerHeaders};
use trunk_rules::carrier::{Cause, Direction, reason_phrase};

use super::Call;
use super::endings::ending;
use super::reinvite::AnsweredReinvite;
use crate::attempt_log::refused_in_call;
use crate::inspection;
use crate::record::Ending;
use crate::stack::{Acknowledgement, Incoming};

impl Call<'_> {
    /// Handles a request in the dialog of an answered call.
    pub(super) async fn handle_request(&mut self, request: Box<Incoming>) {
        if request.method() == "PRACK" {
            // The PRACK crossed the answer, so its outcome no longer matters.
            let _no_media = Box::pin(self.handle_prack(*request)).await;
        } else if request.method() == "INFO" {
            self.handle_info(*request);
        } else {
            Box::pin(self.handle_offer_or_update(*request)).await;
        }
    }

    /// Handles a re-INVITE or an UPDATE.
    pub(super) async fn handle_offer_or_update(&mut self, request: Incoming) {
        let invites = request.method() == "INVITE";
        let offer = request.description().ok().flatten().map(<[u8]>::to_vec);
        let refreshes = self.pending_refresh.as_ref().is_some_and(|pending| pending.has_offer);
        if (invites || offer.is_some()) && (self.sdp_state.awaits_answer || refreshes) {
            // An offer of the edge is pending (RFC 3261 §14.2, RFC 3311 §5.2).
            refused_in_call(self.inner, &request, 491, "an offer of the server is not answered yet");
            return respond_in_background(request, 491, None);
        }
        if let Some(offer) = offer {
            return self.respond_to_offer(request, &offer).await;
        }
        let body = if invites { self.offer(Direction::SendRecv) } else { String::new() };
        self.accept_request(request, &body, invites).await;
    }

    /// Answers a request that carries an offer. An offer that cannot be accepted is refused; the call is
    /// unchanged then.
    pub(super) async fn respond_to_offer(&mut self, request: Incoming, offer: &[u8]) {
        match self.renegotiated(offer).await {
            Ok(answer) => self.accept_request(request, &answer, false).await,
            Err(why) => {
                if self.may_warn() {
                    let call_id = request.call_id();
                    tracing::warn!(%why, call_id, "a new offer was refused; the call continues unchanged");
                }
                let (code, warning) = (why.code(&self.inner.config.settings), self.warning(why.warning()));
                refused_in_call(self.inner, &request, code, &why.to_string());
                respond_in_background(request, code, Some(warning));
            }
        }
    }

    /// Answers a request in the dialog with 200. `offers` is true if the body is an offer of the edge.
    async fn accept_request(&mut self, mut request: Incoming, body: &str, offers: bool) {
        let contact = self.stack.contact(&request);
        let mut headers = vec![("Contact", &*contact), ("Allow", crate::stack::ALLOW)];
        headers.push(("Supported", crate::stack::SUPPORTED));
        if !body.is_empty() {
            headers.push(("Content-Type", "application/sdp"));
        }
        let mut expires = Vec::new();
        if matches!(request.method(), "INVITE" | "UPDATE") {
            if let Some(dialog) = &mut self.dialog {
                request.retarget(dialog);
                dialog.contact = Arc::clone(&contact);
                self.registered.moved_to(request.source(), request.transport());
            }
            expires = self.agree_on_session(&request, self.inner.core.clock.now());
        }
        headers.extend(expires.iter().map(|(name, value)| (*name, value.as_str())));
        request.respond(200, "OK", &headers, body).await;
        if request.method() == "INVITE" {
            // One of the caller's that it has not acknowledged yet is repeated in the background.
            self.reinvite = Some(Box::new(AnsweredReinvite::new(request, offers)));
        } else {
            tokio::spawn(async move { request.wait_acknowledged().await });
        }
    }

    /// Answers a request that the call did not read before its end (RFC 3261 §15.1.2): over TCP it is not repeated.
    pub(super) fn refuse_unread(&self, request: Incoming) {
        refused_in_call(self.inner, &request, 487, "the call ended before this request was handled");
        respond_in_background(request, 487, None);
    }

    /// Handles the end of a re-INVITE's transaction: its ACK, which answers an offer of the edge, or that none arrived.
    ///
    /// # Errors
    /// The ending of the call, if the offer has no usable answer, or there was no ACK (RFC 3261 §14.2 and §13.3.1.4).
    pub(super) async fn reinvite_acknowledged(&mut self, ack: Option<Acknowledgement>) -> Result<(), Ending> {
        let offers = self.reinvite.take().is_some_and(|reinvite| reinvite.offers);
        if offers {
            return self.acknowledged_offer(ack, false).await;
        }
        ack.map(drop).ok_or_else(|| ending(Cause::NoAck))
    }

    /// Restarts the session timer as a request proposes it. Returns the headers of the response.
    pub(super) fn agree_on_session(&mut self, request: &Incoming, now: Timestamp) -> Vec<inspection::Header> {
        // An unreadable or too short interval was refused by `inspection::not_supported`.
        let timer = TimerHeaders::of(request.headers()).unwrap_or_default();
        let Decision::With(terms) = timer.decide(self.session.map(|session| session.terms)) else {
            self.session = None;
            return Vec::new();
        };
        self.session = Some(Session::new(terms, now));
        let mut headers = vec![("Session-Expires", terms.in_response())];
        if timer.is_supported() {
            headers.push(("Require", "timer".to_owned()));
        }
        headers
    }
}

/// Answers a request in the background, because its call does not wait for the transaction.
pub(super) fn respond_in_background(request: Incoming, code: u16, header: Option<inspection::Header>) {
    let phrase = if code == 200 { "OK" } else { reason_phrase(code) };
    tokio::spawn(async move {
        let headers: Vec<(&str, &str)> = header.iter().map(|(name, value)| (*name, value.as_str())).collect();
        request.finish(code, phrase, &headers).await;
    });
}
