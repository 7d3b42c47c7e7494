//! A call until the far end decides: what is said meanwhile, and what its caller may ask.

use std::sync::Arc;
use std::time::Duration;

use trunk_rules::carrier::reason_phrase;

use super::call::{CANCELLED, Call, ending};
use super::event::Event;
use super::far_end::{Outcome, Then};
use super::inside::respond_alone;
use super::record::Ending;
use super::reliable::{self, Due, Reliable};
use super::stack::{Happened, Incoming};

/// The caller wanted to confirm that it rings, and did not.
const UNCONFIRMED: Ending = Ending { cause: 504, code: 504, reason: "No PRACK" };

/// The INVITE was good for a shorter time than it rang.
const EXPIRED: Ending = Ending { cause: 487, code: 487, reason: "Request expired" };

/// A response that is not the last.
struct Ringing {
    code: u16,
    phrase: &'static str,
    contact: String,
    body: String,
}

impl Ringing {
    async fn send(&self, request: &mut Incoming, reliable: Option<&Reliable>) {
        // It makes a dialog, so it says how its requests travel (RFC 3261 §12.1.1).
        let routes: Vec<String> = request.values("Record-Route").map(str::to_owned).collect();
        let mut headers: Vec<(&str, &str)> =
            routes.iter().map(|route| ("Record-Route", route.as_str())).collect();
        headers.extend([("Contact", self.contact.as_str()), ("Allow", super::stack::ALLOW)]);
        if !self.body.is_empty() {
            headers.push(("Content-Type", "application/sdp"));
        }
        if let Some(reliable) = reliable {
            headers.extend([("Require", "100rel"), ("RSeq", reliable.number.as_str())]);
        }
        request.respond(self.code, self.phrase, &headers, &self.body).await;
    }
}

impl Call<'_> {
    /// Rings until the far end decides. Returns an ending when the caller or the server was quicker.
    pub(crate) async fn ring(
        &mut self,
        request: &mut Incoming,
        offered: bool,
        description: &str,
        plan: &Outcome,
    ) -> Option<Ending> {
        let ringing = self.ringing(request, offered, description, plan)?;
        ringing.send(request, self.reliable.as_deref()).await;
        let wait = if plan.then == Then::NoAnswer { self.inner.config.ring_timeout } else { plan.ring };
        let facts = Arc::clone(&self.registered.facts);
        let until = facts.origin.started.after(wait);
        let expires = expiry(request).map(|wait| facts.origin.started.after(wait));
        let clock = self.inner.core.clock.clone();
        loop {
            let holds_back = self.reliable.as_ref().is_some_and(|reliable| reliable.holds_back());
            let ending = tokio::select! {
                biased;
                happened = request.happened() => {
                    if happened == Happened::Cancelled {
                        request.respond(487, "Request Terminated", &[], "").await;
                    }
                    return Some(CANCELLED);
                }
                Some(event) = facts.mailbox.next() => match event {
                    Event::HungUp => Some(CANCELLED),
                    Event::Request(inside) => Box::pin(self.early(*inside)).await,
                    Event::End => Some(Ending { cause: 503, code: 503, reason: "Ended by the operator" }),
                    Event::EndFor(cause) => Some(Ending { code: 503, ..ending(cause) }),
                    Event::Answer(_) | Event::PaidUntil(_) => None,
                },
                due = reliable::due(self.reliable.as_deref_mut()) => match due {
                    Due::Repetition => {
                        ringing.send(request, self.reliable.as_deref()).await;
                        None
                    }
                    Due::GivingUp => Some(UNCONFIRMED),
                },
                () = clock.sleep_until(expires.unwrap_or(until)), if expires.is_some_and(|at| at < until) => {
                    Some(EXPIRED)
                }
                () = clock.sleep_until(until), if !holds_back => return None,
            };
            if let Some(ending) = ending {
                request.respond(ending.code, reason_phrase(ending.code), &[], "").await;
                return Some(ending);
            }
        }
    }

    /// What is said before the far end decides; nothing where it decides at once.
    fn ringing(
        &mut self,
        request: &Incoming,
        offered: bool,
        description: &str,
        plan: &Outcome,
    ) -> Option<Ringing> {
        // A caller that insists gets our offer so, and confirms it with its answer; otherwise ours comes with the answer.
        let insists = request.lists("Require", "100rel");
        let reliable = insists || (offered && request.lists("Supported", "100rel"));
        let describes = (offered && plan.early_media) || (!offered && reliable);
        let (code, phrase) = if plan.early_media {
            (183, "Session Progress")
        } else if !plan.ring.is_zero() || plan.then == Then::NoAnswer {
            (180, "Ringing")
        } else {
            return None;
        };
        let random = self.inner.core.ids.word();
        self.reliable = reliable.then(|| Reliable::new(request, random, describes)).flatten().map(Box::new);
        let body = if describes { description.to_owned() } else { String::new() };
        Some(Ringing { code, phrase, contact: self.stack.contact(request), body })
    }

    /// A request in the dialog of a call that is not answered. Returns an ending when it cannot be answered any more.
    async fn early(&mut self, request: Incoming) -> Option<Ending> {
        let describes = matches!(request.description(), Ok(Some(_)));
        let has_agreed = self.reliable.as_ref().is_some_and(|reliable| reliable.has_agreed());
        match request.method() {
            "PRACK" => return self.confirmed(request).await.err(),
            "UPDATE" if has_agreed || !describes => self.take_inside(request).await,
            // The offer of the INVITE is not answered yet (RFC 3261 §14.2, RFC 3311 §5.2).
            _ => self.refuse_for_now(request),
        }
        None
    }

    fn refuse_for_now(&self, request: Incoming) {
        let seconds = (1 + self.inner.core.ids.word() % 9).to_string();
        tokio::spawn(async move {
            request.finish(500, "Server Internal Error", &[("Retry-After", seconds.as_str())]).await;
        });
    }

    /// A PRACK. It may answer an offer of ours, or make one when there was an answer (RFC 3262 §5). An error is a call
    /// without media.
    pub(crate) async fn confirmed(&mut self, prack: Incoming) -> Result<(), Ending> {
        let Some(reliable) = self.reliable.as_mut().filter(|reliable| reliable.is_named_by(&prack)) else {
            respond_alone(prack, 481);
            return Ok(());
        };
        let agreed_before = reliable.confirm();
        let description = prack.description().ok().flatten().map(<[u8]>::to_vec);
        if self.speech.awaits && agreed_before {
            return match self.answered_offer(description.as_deref()).await {
                Ok(()) => {
                    respond_alone(prack, 200);
                    Ok(())
                }
                Err(ending) => {
                    respond_alone(prack, ending.code);
                    Err(ending)
                }
            };
        }
        match description {
            None => respond_alone(prack, 200),
            Some(offer) if agreed_before => self.respond_to_offer(prack, &offer).await,
            Some(_) => self.refuse_for_now(prack),
        }
        Ok(())
    }
}

/// How long an INVITE is good for while it is not answered.
fn expiry(request: &Incoming) -> Option<Duration> {
    let seconds: u32 = request.value("Expires")?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds.into()))
}
