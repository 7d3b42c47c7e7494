//! The ringing phase of a call: provisional responses, and requests of the caller before the final response.

use std::sync::Arc;
use std::time::Duration;

use super::Call;
use super::endings::{CANCELLED, ending};
use super::reliable::{self, Due, Reliable};
use super::requests::respond_in_background;
use crate::attempt_log::refused_in_call;
use crate::call_event::CallEvent;
use crate::far_end::{Outcome, Then};
use crate::hung_up_by::HungUpBy;
use crate::media::receive_media;
use crate::record::Ending;
use crate::stack::{Incoming, InviteEvent};

/// The caller never sent the PRACK for a reliable provisional response.
const NO_PRACK: Ending = Ending::new(504, 504, "No PRACK", HungUpBy::Timer);

/// The call rang for longer than the `Expires` of the INVITE.
const EXPIRED: Ending = Ending::new(487, 487, "Request expired", HungUpBy::Timer);

/// The interval at which the provisional response is repeated while the callee does not answer (RFC 3261 §13.3.1.1). A
/// proxy cancels an INVITE that has none for three minutes.
const PROGRESS_INTERVAL: Duration = Duration::from_mins(1);

/// A provisional response, such as 180, which can be sent several times.
struct Provisional {
    code: u16,
    phrase: &'static str,
    contact: Arc<str>,
    body: String,
}

impl Provisional {
    async fn send(&self, request: &mut Incoming, reliable: Option<&Reliable>) {
        // The response creates an early dialog, so it repeats the route set (RFC 3261 §12.1.1).
        let routes: Vec<String> = request.values("Record-Route").map(str::to_owned).collect();
        let mut headers: Vec<(&str, &str)> =
            routes.iter().map(|route| ("Record-Route", route.as_str())).collect();
        headers.extend([("Contact", &*self.contact), ("Allow", crate::stack::ALLOW)]);
        if !self.body.is_empty() {
            headers.push(("Content-Type", "application/sdp"));
        }
        let number = reliable.map(Reliable::number);
        if let Some(number) = &number {
            headers.extend([("Require", "100rel"), ("RSeq", number.as_str())]);
        }
        request.respond(self.code, self.phrase, &headers, &self.body).await;
    }
}

impl Call<'_> {
    /// Rings until the far end acts. Returns an ending if the caller or the server ended the call before
    /// that.
    pub(super) async fn ring(
        &mut self,
        request: &mut Incoming,
        offered: bool,
        description: &str,
        plan: &Outcome,
    ) -> Option<Ending> {
        let mut provisional = self.provisional(request, offered, description, plan)?;
        // With a session description, the caller knows where to send media.
        let has_early_media = !provisional.body.is_empty();
        provisional.send(request, self.reliable.as_deref()).await;
        let wait = if plan.then == Then::NoAnswer { self.inner.config.ring_timeout } else { plan.ring };
        let call_state = Arc::clone(&self.registered.call_state);
        let until = call_state.origin.started.after(wait);
        let expires = expiry(request).map(|wait| call_state.origin.started.after(wait));
        let clock = self.inner.core.clock.clone();
        let mut next_progress = call_state.origin.started.after(PROGRESS_INTERVAL);
        loop {
            let holds_back = self.reliable.as_ref().is_some_and(|reliable| reliable.holds_back());
            let ending = tokio::select! {
                biased;
                invite_event = request.next_event() => {
                    // A proxy that leaves one destination sends the INVITE to the next one right behind the CANCEL.
                    self.pending = None;
                    if invite_event == InviteEvent::Cancelled {
                        request.respond(487, "Request Terminated", &[], "").await;
                    }
                    return Some(CANCELLED);
                }
                Some(event) = call_state.mailbox.next() => match event {
                    CallEvent::HungUp(bye) => {
                        self.byes.push(bye);
                        Some(CANCELLED)
                    }
                    CallEvent::Request(in_dialog) => Box::pin(self.handle_early_request(*in_dialog)).await,
                    CallEvent::End(by) => {
                        let is_operator = by == HungUpBy::Operator;
                        let reason = if is_operator { "Ended by the operator" } else { "Server stopped" };
                        Some(Ending::new(503, 503, reason, by))
                    }
                    CallEvent::EndFor(cause) => Some(Ending { code: 503, ..ending(cause) }),
                    CallEvent::PaidUntil(_) => None,
                },
                due = reliable::due(self.reliable.as_deref_mut()) => match due {
                    Due::Repetition => {
                        provisional.send(request, self.reliable.as_deref()).await;
                        None
                    }
                    Due::Timeout => Some(NO_PRACK),
                },
                () = clock.sleep_until(expires.unwrap_or(until)), if expires.is_some_and(|at| at < until) => {
                    Some(EXPIRED)
                }
                () = clock.sleep_until(until), if !holds_back => return None,
                () = clock.sleep_until(next_progress) => {
                    next_progress = clock.now().after(PROGRESS_INTERVAL);
                    self.send_progress(request, &mut provisional).await;
                    None
                }
                // What waits in the kernel until the answer would be echoed at once then, and count as lost.
                () = receive_media(self.media.as_mut(), self.inner), if has_early_media => None,
            };
            if let Some(ending) = ending {
                self.respond_with(request, &ending).await;
                return Some(ending);
            }
        }
    }

    /// Repeats the provisional response, so that no proxy cancels the call. A reliable one gets another number; while
    /// it is not acknowledged, its own repetitions are enough.
    async fn send_progress(&mut self, request: &mut Incoming, provisional: &mut Provisional) {
        if let Some(reliable) = &mut self.reliable {
            if !reliable.renew() {
                return;
            }
            // The session description was acknowledged with the response that carried it.
            provisional.body.clear();
        }
        provisional.send(request, self.reliable.as_deref()).await;
    }

    /// The provisional response of the far end; `None` if it acts at once.
    fn provisional(
        &mut self,
        request: &Incoming,
        offered: bool,
        description: &str,
        plan: &Outcome,
    ) -> Option<Provisional> {
        // A caller that requires 100rel and made no offer receives the edge's offer here, and answers it in
        // the PRACK. Without 100rel the 200 carries the edge's offer.
        let requires_100rel = request.lists("Require", "100rel");
        let reliable = requires_100rel || (offered && request.lists("Supported", "100rel"));
        let has_description = (offered && plan.early_media) || (!offered && reliable);
        let (code, phrase) = if plan.early_media {
            (183, "Session Progress")
        } else if !plan.ring.is_zero() || plan.then == Then::NoAnswer {
            (180, "Ringing")
        } else {
            return None;
        };
        let random = self.inner.core.ids.word();
        self.reliable =
            reliable.then(|| Reliable::new(request, random, has_description)).flatten().map(Box::new);
        let body = if has_description { description.to_owned() } else { String::new() };
        Some(Provisional { code, phrase, contact: self.stack.contact(request), body })
    }

    /// Handles a request in the early dialog. Returns an ending if the call can no longer be answered.
    async fn handle_early_request(&mut self, request: Incoming) -> Option<Ending> {
        let has_description = matches!(request.description(), Ok(Some(_)));
        let has_agreed = self.reliable.as_ref().is_some_and(|reliable| reliable.has_agreed());
        match request.method() {
            "PRACK" => return self.handle_prack(request).await.err(),
            "INFO" => self.handle_info(request),
            "UPDATE" if has_agreed || !has_description => self.handle_offer_or_update(request).await,
            // The offer of the INVITE is not answered yet (RFC 3261 §14.2, RFC 3311 §5.2).
            _ => self.refuse_for_now(request),
        }
        None
    }

    /// Answers with 500 and a `Retry-After` of 1 to 9 seconds (RFC 3261 §14.2).
    fn refuse_for_now(&self, request: Incoming) {
        refused_in_call(self.inner, &request, 500, "the offer of the INVITE is not answered yet");
        let seconds = (1 + self.inner.core.ids.word() % 9).to_string();
        tokio::spawn(async move {
            request.finish(500, "Server Internal Error", &[("Retry-After", seconds.as_str())]).await;
        });
    }

    /// Handles a PRACK. It may carry the answer to an offer of the edge, or a new offer once the first one
    /// was answered (RFC 3262 §5).
    ///
    /// # Errors
    /// The ending of a call for which no media could be agreed on.
    pub(super) async fn handle_prack(&mut self, prack: Incoming) -> Result<(), Ending> {
        let Some(reliable) = self.reliable.as_mut().filter(|reliable| reliable.is_named_by(&prack)) else {
            refused_in_call(self.inner, &prack, 481, "the RAck of the PRACK names no response that is sent");
            respond_in_background(prack, 481, None);
            return Ok(());
        };
        let agreed_before = reliable.acknowledge();
        let description = prack.description().map(|found| found.map(<[u8]>::to_vec));
        if self.sdp_state.awaits_answer && agreed_before {
            return match self.answered_offer("PRACK", description, true).await {
                Ok(()) => {
                    respond_in_background(prack, 200, None);
                    Ok(())
                }
                Err(ending) => {
                    let warning = ending.warning.map(|warning| self.warning(warning));
                    respond_in_background(prack, ending.code, warning);
                    Err(ending)
                }
            };
        }
        match description.ok().flatten() {
            None => respond_in_background(prack, 200, None),
            Some(offer) if agreed_before => self.respond_to_offer(prack, &offer).await,
            Some(_) => self.refuse_for_now(prack),
        }
        Ok(())
    }
}

/// The `Expires` of an INVITE: how long it stays valid without an answer.
fn expiry(request: &Incoming) -> Option<Duration> {
    let seconds: u32 = request.value("Expires")?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds.into()))
}
