//! A call that is up, until one side hangs up.

use std::sync::Arc;
use std::time::Duration;

use rsipstack::sip::{Header, Method, Response};
use rsipstack::transaction::transaction::Transaction;
use tokio::sync::oneshot;

use super::dialog::{Dialog, remote_tag, sequence, value};
use super::incoming::finish_alone;
use super::invite::Invite;
use super::leg::Call;
use super::media::Media;
use super::registry::Inbound;
use super::setup::{PATIENCE, Up, pause};
use super::stack::ALLOW;
use super::uri::tag_of;
use super::{LegEnd, LegEvent};
use sip_transport::body::session_description;
use sip_transport::session_timer::{Decision, Said, Session};

/// How long until a refresh is tried again that met one of the far end's (RFC 3261 §14.1), at most.
const AGAIN: Duration = Duration::from_secs(3);

/// A call that is up.
struct Talk {
    dialog: Dialog,
    session: Option<Session>,
    /// The shortest interval in seconds that the far end takes, once it refused a shorter one.
    least_interval: u32,
    updates: bool,
    /// The refresh that is under way, as an UPDATE...
    update: Option<oneshot::Receiver<Option<Response>>>,
    /// ... or as an INVITE.
    invite: Option<Invite>,
}

impl Call {
    pub(crate) async fn talk(&mut self, up: Up) -> LegEnd {
        self.tell(LegEvent::Answered);
        let Up { dialog, session, updates } = up;
        let mut talk = Talk { dialog, session, least_interval: 0, updates, update: None, invite: None };
        let clock = self.inner.clock.clone();
        // What is seldom done has its own place on the heap while it is done: the state of a call that is up
        // stays small.
        loop {
            let invite = talk.invite.as_ref().and_then(Invite::next);
            let media = self.media.as_ref().and_then(Media::next);
            let next = [invite, media].into_iter().flatten().min();
            let session = talk.session.map(|session| session.next());
            tokio::select! {
                biased;
                () = self.hang_up.cancelled() => {
                    Box::pin(self.hang_up(talk.dialog)).await;
                    return LegEnd::HungUpByUs;
                }
                inbound = self.inbox.next() => match inbound {
                    Inbound::Response(response) => {
                        if !Box::pin(self.response(&mut talk, &response)).await {
                            Box::pin(self.hang_up(talk.dialog)).await;
                            return LegEnd::HungUp;
                        }
                    }
                    Inbound::Request(request) => {
                        if Box::pin(self.request(&mut talk, *request)).await {
                            return LegEnd::HungUp;
                        }
                    }
                    // The call stays up: it is the far end that asked for the offer.
                    Inbound::Answer(answer) => drop(Box::pin(self.take_answer(&answer)).await),
                },
                last = updated(&mut talk.update) => {
                    if !self.refreshed(&mut talk, last.as_ref()) {
                        Box::pin(self.hang_up(talk.dialog)).await;
                        return LegEnd::HungUp;
                    }
                }
                () = at(&clock, session) => {
                    let now = self.inner.clock.now();
                    if talk.session.is_some_and(|session| now < session.ends_at) {
                        Box::pin(self.refresh(&mut talk)).await;
                    } else {
                        tracing::info!("a session was not refreshed in time");
                        Box::pin(self.hang_up(talk.dialog)).await;
                        return LegEnd::HungUp;
                    }
                }
                () = pause(&clock, next) => {
                    let now = clock.stopwatch();
                    if let Some(media) = &mut self.media {
                        media.on_time(now);
                    }
                    if let Some(invite) = &mut talk.invite
                        && Box::pin(invite.on_time(now)).await
                    {
                        tracing::info!("the carrier did not answer the refresh of a session");
                        Box::pin(self.hang_up(talk.dialog)).await;
                        return LegEnd::HungUp;
                    }
                }
            }
        }
    }

    /// Hangs up, and waits a while for the answer; the BYE goes on by itself.
    async fn hang_up(&mut self, dialog: Dialog) {
        self.media = None;
        let bye = dialog.bye(&self.origin);
        let _late = tokio::time::timeout(self.inner.config.t1 * PATIENCE, bye).await;
    }

    /// A request of the far end; gives whether it hung up.
    async fn request(&mut self, talk: &mut Talk, request: Transaction) -> bool {
        let headers = &request.original.headers;
        let from = value(headers, "From").and_then(tag_of).unwrap_or_default();
        let to = value(headers, "To").and_then(tag_of).unwrap_or_default();
        if from != talk.dialog.tag || to != self.origin.tag {
            finish_alone(request, 481, "Call/Transaction Does Not Exist", Vec::new());
            return false;
        }
        match request.original.method {
            Method::Bye => {
                self.media = None;
                finish_alone(request, 200, "OK", Vec::new());
                return true;
            }
            Method::Invite if talk.invite.is_some() => {
                finish_alone(request, 491, "Request Pending", Vec::new());
            }
            Method::Invite | Method::Update => {
                let now = self.inner.clock.now();
                let Ok(said) = Said::of(headers) else {
                    finish_alone(request, 400, "Bad Request", Vec::new());
                    return false;
                };
                let mut further = vec![Header::Supported("timer".into())];
                match said.decide(talk.session.map(|session| session.terms)) {
                    Decision::TooShort(least) => {
                        let header = Header::Other("Min-SE".to_owned(), least.to_string());
                        finish_alone(request, 422, "Session Interval Too Small", vec![header]);
                        return false;
                    }
                    Decision::With(terms) => {
                        talk.session = Some(Session::new(terms, now));
                        further.push(Header::Other("Session-Expires".to_owned(), terms.in_response()));
                        if said.is_supported() {
                            further.push(Header::Require("timer".into()));
                        }
                    }
                    Decision::Without => talk.session = None,
                }
                talk.dialog.retarget(&self.origin, headers).await;
                self.renegotiate(request, further).await;
            }
            Method::Options => finish_alone(request, 200, "OK", vec![Header::Allow(ALLOW.into())]),
            _ => finish_alone(request, 405, "Method Not Allowed", vec![Header::Allow(ALLOW.into())]),
        }
        false
    }

    /// A response to an INVITE; gives whether the call goes on.
    async fn response(&mut self, talk: &mut Talk, response: &Response) -> bool {
        let number = sequence(&response.headers).map(|(number, _)| number);
        let Some(mut invite) = talk.invite.take_if(|invite| Some(invite.sequence) == number) else {
            self.late(response).await;
            return true;
        };
        let code = response.status_code.code();
        match code {
            0..200 => {
                // It has the INVITE, but must answer in time all the same: meanwhile the session runs out
                // unseen.
                invite.fall_silent();
                talk.invite = Some(invite);
                return true;
            }
            200..300 => {
                talk.dialog.retarget(&self.origin, &response.headers).await;
                let ack = talk.dialog.request(
                    &self.origin,
                    Method::Ack,
                    invite.sequence,
                    Vec::new(),
                    String::new(),
                );
                self.acks.send(invite.sequence, remote_tag(response), &ack, &talk.dialog.hop).await;
                // A refresh changes nothing; an answer that does not fit leaves the media where it was.
                let described = session_description(&response.headers, &response.body).ok().flatten();
                let _fits = self.take_answer(described.unwrap_or_default()).await;
            }
            _ => {
                let ack = invite.acknowledgement(response);
                self.acks.send(invite.sequence, remote_tag(response), &ack, &invite.hop).await;
            }
        }
        self.late_until = self.inner.clock.stopwatch() + self.inner.config.t1 * 64;
        self.refreshed(talk, Some(response))
    }

    /// Refreshes the session: by UPDATE where the far end understands it, else by INVITE.
    async fn refresh(&mut self, talk: &mut Talk) {
        let Some(session) = talk.session.as_mut() else { return };
        session.wait();
        let expires = session.terms.in_request();
        talk.dialog.reconnect(&self.origin).await;
        let mut further = vec![self.origin.contact(&talk.dialog.hop)];
        further.push(Header::Supported("timer".into()));
        further.push(Header::Other("Session-Expires".to_owned(), expires));
        if talk.least_interval > 0 {
            further.push(Header::Other("Min-SE".to_owned(), talk.least_interval.to_string()));
        }
        if talk.updates {
            let (sender, receiver) = oneshot::channel();
            let (origin, dialog) = (Arc::clone(&self.origin), talk.dialog.clone());
            // Two, for the UPDATE may be sent again with a digest.
            let _used = (talk.dialog.next_sequence(), talk.dialog.next_sequence());
            let inner = Arc::clone(&self.inner);
            inner.stack.spawn(async move {
                let code = dialog.ask(&origin, Method::Update, further).await;
                // The call may be over meanwhile.
                let _gone = sender.send(code);
            });
            talk.update = Some(receiver);
            return;
        }
        further.push(Header::Allow(ALLOW.into()));
        let number = talk.dialog.next_sequence();
        let offer = self.media.as_mut().map(Media::offer).unwrap_or_default();
        let request = talk.dialog.request(&self.origin, Method::Invite, number, further, offer);
        match Invite::send(&self.inner, request, talk.dialog.hop.clone(), number).await {
            Ok(invite) => talk.invite = Some(invite),
            Err(why) => {
                tracing::debug!(%why, "a session was not refreshed; it will be tried again");
                self.try_again(talk, AGAIN);
            }
        }
    }

    /// What became of a refresh; gives whether the call goes on.
    fn refreshed(&self, talk: &mut Talk, last: Option<&Response>) -> bool {
        talk.update = None;
        let now = self.inner.clock.now();
        let said = last.and_then(|last| Said::of(&last.headers).ok()).unwrap_or_default();
        match last.map(|last| last.status_code.code()) {
            // Without a word about it there is no session timer any more (RFC 4028 §7.2).
            Some(200..300) => talk.session = said.agreed().map(|terms| Session::new(terms, now)),
            // The connection was closed meanwhile; there may be another.
            None if !talk.dialog.hop.is_open() => self.try_again(talk, AGAIN),
            // The far end does not know the call, or does not answer.
            Some(408 | 481) | None => return false,
            Some(405 | 501) if talk.updates => {
                talk.updates = false;
                self.try_again(talk, Duration::ZERO);
            }
            Some(422) if said.least > talk.session.map(|session| session.terms.interval) => {
                if let (Some(least), Some(session)) = (said.least, talk.session.as_mut()) {
                    session.terms.interval = least;
                    talk.least_interval = least;
                }
                self.try_again(talk, Duration::ZERO);
            }
            // It was ours to refresh, and is until the session is over.
            Some(_) => self.try_again(talk, AGAIN),
        }
        true
    }

    fn try_again(&self, talk: &mut Talk, wait: Duration) {
        if let Some(session) = &mut talk.session {
            session.try_again_at(self.inner.clock.now().after(wait));
        }
    }
}

async fn updated(update: &mut Option<oneshot::Receiver<Option<Response>>>) -> Option<Response> {
    match update {
        Some(receiver) => receiver.await.ok().flatten(),
        None => std::future::pending().await,
    }
}

async fn at(clock: &service_base::clock::Clock, at: Option<didww_types::Timestamp>) {
    match at {
        Some(at) => clock.sleep_until(at).await,
        None => std::future::pending().await,
    }
}
