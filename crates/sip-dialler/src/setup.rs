//! A call until it is answered, refused or given up.

use std::sync::Arc;
use std::time::Duration;

use rsipstack::sip::{Header, Method, Response};

use super::connect::{Hop, NoWay};
use super::dialog::{Dialog, answer, ask, challenge, lists, remote_tag, sequence};
use super::incoming::finish_alone;
use super::invite::Invite;
use super::leg::{Authorization, Call};
use super::media::Media;
use super::origin::Line;
use super::registry::Inbound;
use super::stack::ALLOW;
use super::{LegEnd, LegEvent};
use service_base::summed::Summed;
use sip_transport::body::session_description;
use sip_transport::session_timer::{Said, Session};

/// Calls for which there was no port, or no file that may be open for it.
static NO_PORT: Summed = Summed::new("calls were not placed: no port for media was free");

/// How a setup ends.
pub(crate) enum Outcome {
    Up(Box<Up>),
    Over(LegEnd),
}

/// An answered call.
pub(crate) struct Up {
    pub dialog: Dialog,
    pub session: Option<Session>,
    /// Whether the far end understands UPDATE.
    pub updates: bool,
}

/// How an attempt at one address ends.
enum Attempt {
    Up(Box<Up>),
    Over(LegEnd),
    /// Another address may do better.
    Elsewhere(LegEnd),
    /// The INVITE carries a digest now.
    Again,
}

/// A call that is given up while its INVITE is under way.
#[derive(Debug)]
pub(crate) struct Leaving {
    end: LegEnd,
    /// When its end is told even if the far end has not confirmed it.
    tell_at: Duration,
    /// When the INVITE is left alone; set when it was cancelled.
    abandon_at: Option<Duration>,
}

/// How many round trips the end of a call may take before it is told all the same.
pub(crate) const PATIENCE: u32 = 4;
/// What a call ends with whose answer has no media that was offered: nobody could hear anything.
const NOT_ACCEPTABLE_HERE: u16 = 488;
/// Most challenges of different realms that are answered.
const MOST_CHALLENGES: usize = 4;

impl Call {
    pub(crate) async fn set_up(&mut self) -> Outcome {
        let inner = Arc::clone(&self.inner);
        let addresses = match self.unless_given_up(inner.resolver.targets(&self.target, &inner.ids)).await {
            Ok(addresses) => addresses,
            Err(end) => return Outcome::Over(end),
        };
        let mut last = LegEnd::NoResponse;
        let (transport, name) = (self.target.transport, self.target.host.clone());
        for address in addresses {
            let hop =
                match self.unless_given_up(inner.connect.to(&inner.stack, transport, address, &name)).await {
                    Ok(Ok(hop)) => hop,
                    Ok(Err(why)) => {
                        tracing::info!(%address, %why, "there is no way to a carrier");
                        continue;
                    }
                    Err(end) => return Outcome::Over(end),
                };
            if !self.open_media(&hop).await {
                if NO_PORT.admits((), inner.clock.now()) {
                    tracing::warn!("a call was not placed: no port for media is free");
                }
                return Outcome::Over(LegEnd::NoResponse);
            }
            loop {
                match self.attempt(&hop).await {
                    Attempt::Up(up) => return Outcome::Up(up),
                    Attempt::Over(end) => return Outcome::Over(end),
                    Attempt::Elsewhere(end) => {
                        last = end;
                        break;
                    }
                    Attempt::Again if self.hang_up.is_cancelled() => return Outcome::Over(LegEnd::Cancelled),
                    Attempt::Again => {}
                }
            }
        }
        Outcome::Over(last)
    }

    /// Waits for something, but not longer than the call is wanted.
    async fn unless_given_up<T>(&self, wanted: impl Future<Output = T>) -> Result<T, LegEnd> {
        tokio::select! {
            biased;
            () = self.hang_up.cancelled() => Err(LegEnd::Cancelled),
            () = self.inner.clock.sleep_until(self.ring_until) => Err(LegEnd::RingTimeout),
            done = wanted => Ok(done),
        }
    }

    async fn open_media(&mut self, hop: &Hop) -> bool {
        if self.media.is_none() {
            let inner = &self.inner;
            let (bind, told) = (inner.config.listen, hop.local.ip());
            self.media = Media::open(&inner.ports, bind, told, inner.ids.word()).await;
        }
        self.media.is_some()
    }

    /// Sends the INVITE to one address and sees what becomes of it.
    async fn attempt(&mut self, hop: &Hop) -> Attempt {
        self.early.clear();
        self.way = Some(hop.clone());
        let mut invite = match self.invite(hop).await {
            Ok(invite) => invite,
            Err(why) => {
                tracing::info!(%why, host = self.target.host, "an INVITE was not sent");
                return Attempt::Elsewhere(LegEnd::NoResponse);
            }
        };
        let mut heard = false;
        let clock = self.inner.clock.clone();
        loop {
            if let Some(end) = self.leave_on(&mut invite, heard) {
                return Attempt::Over(end);
            }
            let leaving = self.leaving.as_ref();
            let leave_at =
                leaving.and_then(|leaving| leaving.abandon_at.into_iter().chain([leaving.tell_at]).min());
            let next = [invite.next(), leave_at].into_iter().flatten().min();
            let wanted = leaving.is_none();
            tokio::select! {
                biased;
                () = self.hang_up.cancelled(), if wanted => self.leave(LegEnd::Cancelled, &mut invite),
                inbound = self.inbox.next() => match inbound {
                    Inbound::Request(request) => Box::pin(self.before_answer(*request)).await,
                    Inbound::Answer(_) => {}
                    Inbound::Response(response) => {
                        let current = sequence(&response.headers).is_some_and(|(number, _)| number == invite.sequence);
                        match response.status_code.code() {
                            _ if !current => self.late(&response).await,
                            0..200 => {
                                heard = true;
                                invite.heard();
                                Box::pin(self.provisional(&response, &invite)).await;
                            }
                            200..300 => return Box::pin(self.answered(&response, &invite)).await,
                            _ => return Box::pin(self.refused(&response, &invite)).await,
                        }
                    }
                },
                () = hop.closed(), if !heard => {
                    tracing::info!(host = self.target.host, "the connection to a carrier was closed");
                    return self.unanswered();
                }
                () = clock.sleep_until(self.ring_until), if wanted => self.leave(LegEnd::RingTimeout, &mut invite),
                () = pause(&clock, next) => {
                    if Box::pin(invite.on_time(clock.stopwatch())).await {
                        return self.unanswered();
                    }
                }
            }
        }
    }

    /// Nothing will be heard from here.
    fn unanswered(&self) -> Attempt {
        match &self.leaving {
            Some(leaving) => Attempt::Over(leaving.end),
            None => Attempt::Elsewhere(LegEnd::NoResponse),
        }
    }

    async fn invite(&mut self, hop: &Hop) -> Result<Invite, NoWay> {
        self.sequence += 1;
        let to = format!("<{}>", self.target.who);
        let line =
            Line { method: Method::Invite, uri: &self.uri, to: &to, sequence: self.sequence, routes: &[] };
        let mut further = vec![
            self.origin.contact(hop),
            Header::Allow(ALLOW.into()),
            Header::Supported("100rel, timer".into()),
        ];
        further.extend(self.digests());
        further.extend(self.headers.iter().cloned());
        let offer = self.media.as_mut().map(Media::offer).unwrap_or_default();
        let request = self.origin.request(&line, hop, further, offer);
        Invite::send(&self.inner, request, hop.clone(), self.sequence).await
    }

    /// Gives the call up.
    fn leave(&mut self, end: LegEnd, invite: &mut Invite) {
        invite.fall_silent();
        let tell_at = self.inner.clock.stopwatch() + self.inner.config.t1 * PATIENCE;
        self.leaving = Some(Leaving { end, tell_at, abandon_at: None });
    }

    /// Cancels a call that is given up as soon as that is allowed (RFC 3261 §9.1), and tells its end when
    /// that takes too long. Gives the end when the INVITE is left alone.
    fn leave_on(&mut self, invite: &mut Invite, heard: bool) -> Option<LegEnd> {
        let now = self.inner.clock.stopwatch();
        let t1 = self.inner.config.t1;
        let leaving = self.leaving.as_mut()?;
        let end = leaving.end;
        if heard && leaving.abandon_at.is_none() {
            leaving.abandon_at = Some(now + t1 * 64);
            let (origin, cancel, hop) = (Arc::clone(&self.origin), invite.cancel(), invite.hop.clone());
            // Its answer says nothing: what becomes of the call is said by the answer to the INVITE.
            let inner = Arc::clone(&self.inner);
            inner.stack.spawn(async move {
                let _unanswered = ask(&origin, cancel, &hop).await;
            });
        }
        if leaving.abandon_at.is_some_and(|at| at <= now) {
            self.late_until = now + t1 * 64;
            return Some(end);
        }
        if leaving.tell_at <= now {
            // Once is enough.
            leaving.tell_at = Duration::MAX;
            self.tell(LegEvent::Ended(end));
        }
        None
    }

    async fn provisional(&mut self, response: &Response, invite: &Invite) {
        let code = response.status_code.code();
        if self.leaving.is_none() {
            match code {
                180 => self.tell(LegEvent::Ringing),
                183 => self.tell(LegEvent::Progress),
                _ => {}
            }
        }
        if code > 100 && lists(&response.headers, "Require", "100rel") {
            self.confirm(response, invite).await;
        }
    }

    /// The call is answered: it is acknowledged, and hung up if it is not wanted any more.
    async fn answered(&mut self, response: &Response, invite: &Invite) -> Attempt {
        let now = self.inner.clock.stopwatch();
        self.late_until = now + self.inner.config.t1 * 64;
        let tag = remote_tag(response);
        let early =
            self.early.iter().position(|early| early.dialog.tag == tag).map(|at| self.early.swap_remove(at));
        let mut answer = early.as_ref().and_then(|early| early.answer.clone());
        let mut dialog = Dialog::of(&self.origin, response, &invite.hop, &self.uri, invite.sequence).await;
        if let Some(early) = &early {
            // Its requests were numbered on already.
            dialog.continues(&early.dialog);
        }
        let ack = dialog.request(&self.origin, Method::Ack, invite.sequence, self.digests(), String::new());
        self.acks.send(invite.sequence, tag, &ack, &dialog.hop).await;
        self.early = Vec::new();
        if let Some(leaving) = &self.leaving {
            let end = leaving.end;
            // Hung up, whether it is waited for or not.
            let bye = dialog.bye(&self.origin);
            let _late = tokio::time::timeout(self.inner.config.t1 * PATIENCE, bye).await;
            return Attempt::Over(end);
        }
        if let Ok(Some(described)) = session_description(&response.headers, &response.body) {
            answer = Some(described.to_vec());
        }
        let fits = match &answer {
            Some(answer) => self.take_answer(answer).await,
            None => false,
        };
        if !fits {
            tracing::info!(
                host = self.target.host,
                "a carrier answered without media that was offered; the call is hung up"
            );
            let bye = dialog.bye(&self.origin);
            let _late = tokio::time::timeout(self.inner.config.t1 * PATIENCE, bye).await;
            return Attempt::Over(LegEnd::Refused(NOT_ACCEPTABLE_HERE));
        }
        let terms = Said::of(&response.headers).ok().and_then(|said| said.agreed());
        let session = terms.map(|terms| Session::new(terms, self.inner.clock.now()));
        let updates = lists(&response.headers, "Allow", "UPDATE");
        Attempt::Up(Box::new(Up { dialog, session, updates }))
    }

    async fn refused(&mut self, response: &Response, invite: &Invite) -> Attempt {
        let code = response.status_code.code();
        self.acks
            .send(invite.sequence, remote_tag(response), &invite.acknowledgement(response), &invite.hop)
            .await;
        if !invite.hop.is_reliable() {
            self.late_until = self.inner.clock.stopwatch() + self.inner.config.t1 * 64;
        }
        if let Some(leaving) = &self.leaving {
            return Attempt::Over(leaving.end);
        }
        match code {
            401 | 407 if self.authorize(response) => Attempt::Again,
            // Another of the host's addresses may have room (RFC 3263 §4.3).
            503 => Attempt::Elsewhere(LegEnd::Refused(code)),
            _ => Attempt::Over(LegEnd::Refused(code)),
        }
    }

    /// Adds the answer to a challenge to the next INVITE; gives whether that is worth a try: a password that
    /// was refused once is not tried again, unless only the nonce was too old.
    fn authorize(&mut self, response: &Response) -> bool {
        let Some(challenge) = challenge(response) else { return false };
        let Some(header) = answer(&self.origin, response, "INVITE", &self.uri) else { return false };
        let (proxy, realm) = (response.status_code.code() == 407, challenge.realm());
        let same = |known: &Authorization| known.proxy == proxy && known.realm == realm;
        let tried = self.authorizations.iter().any(same);
        let worthwhile =
            !tried || challenge.is_stale() && !std::mem::replace(&mut self.refreshed_nonce, true);
        if worthwhile && self.authorizations.len() < MOST_CHALLENGES {
            self.authorizations.retain(|known| !same(known));
            self.authorizations.push(Authorization { proxy, realm, header });
            return true;
        }
        tracing::info!(host = self.target.host, "the carrier refused the credentials");
        false
    }

    /// A request of the far end before its answer.
    async fn before_answer(&mut self, request: rsipstack::transaction::transaction::Transaction) {
        match request.original.method {
            Method::Update => self.renegotiate(request, Vec::new()).await,
            Method::Options => finish_alone(request, 200, "OK", vec![Header::Allow(ALLOW.into())]),
            Method::Bye => finish_alone(request, 200, "OK", Vec::new()),
            Method::Invite => finish_alone(request, 491, "Request Pending", Vec::new()),
            _ => finish_alone(request, 405, "Method Not Allowed", vec![Header::Allow(ALLOW.into())]),
        }
    }
}

/// Waits until the clock's stopwatch shows a time; for ever when there is none.
pub(crate) async fn pause(clock: &service_base::clock::Clock, until: Option<Duration>) {
    match until {
        Some(until) => tokio::time::sleep(until.saturating_sub(clock.stopwatch())).await,
        None => std::future::pending().await,
    }
}
