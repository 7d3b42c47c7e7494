//! An established call, until one side hangs up.

use std::sync::Arc;
use std::time::Duration;

use didww_types::Timestamp;
use rsipstack::sip::{Header, Method, Response};
use rsipstack::transaction::transaction::Transaction;
use service_base::awaited::Awaited;
use service_base::clock::Clock;
use service_base::log_limiter::LogLimiter;
use sip_transport::body::session_description;
use sip_transport::session_timer::{Decision, Session, TimerHeaders};
use sip_transport::tag_of;

use crate::call::{AnsweredCall, AnsweredReinvite, Call, MAX_END_ROUND_TRIPS};
use crate::dialog::Dialog;
use crate::dialogs::Inbound;
use crate::digest::Answers;
use crate::headers::{remote_tag, sequence, value};
use crate::inspection::has_offer;
use crate::invite::Invite;
use crate::leg::{LegEnd, LegEvent};
use crate::media::Media;
use crate::responses::{Completion, finish_in_background};
use crate::stack::ALLOW;
use crate::stopwatch::sleep_until;

/// Delay before a failed refresh is repeated, within the 2.1 to 4 seconds that a caller waits after a 491
/// (RFC 3261 §14.1).
const REFRESH_RETRY_DELAY: Duration = Duration::from_secs(3);

/// Limits the lines about refused refreshes, each of which is repeated for as long as its session lasts.
static REFUSED_REFRESHES: LogLimiter = LogLimiter::new("refreshes of sessions were refused");

/// The state of an established call.
struct Established {
    dialog: Dialog,
    session: Option<Session>,
    /// The `Min-SE` in seconds with which the far end refused an interval; 0 if it has not.
    min_interval: u32,
    supports_update: bool,
    /// The pending refresh, if it is an UPDATE.
    update: Option<Awaited<Option<Response>>>,
    /// The pending refresh, if it is an INVITE.
    invite: Option<Invite>,
    /// The answers to the challenges of a refresh, for the INVITE that repeats it.
    answers: Answers,
}

impl Call {
    /// Runs an answered call until its end.
    pub(crate) async fn run_established(&mut self, answered: AnsweredCall) -> LegEnd {
        self.report(LegEvent::Answered);
        let AnsweredCall { dialog, session, supports_update } = answered;
        let mut state = Established {
            dialog,
            session,
            min_interval: 0,
            supports_update,
            update: None,
            invite: None,
            answers: Answers::default(),
        };
        let clock = self.shared.clock.clone();
        // Rare work is boxed, so that the state of an established call stays small.
        loop {
            let invite = state.invite.as_ref().and_then(Invite::next_timer);
            let media = self.media.as_ref().and_then(Media::next_packet);
            let next_timer = [invite, media].into_iter().flatten().min();
            let session = state.session.map(|session| session.next());
            tokio::select! {
                biased;
                () = self.hang_up.cancelled() => {
                    Box::pin(self.hang_up(state)).await;
                    return LegEnd::HungUpByUs;
                }
                // Both before the inbox: after its ACK or its response, the far end may send a request at once.
                completion = completion(&mut self.reinvite) => {
                    let offers = self.reinvite.take().is_some_and(|reinvite| reinvite.offers);
                    match completion {
                        // An unacceptable answer does not end the call, since the far end requested the offer.
                        Completion::Acknowledged(answer) if offers => {
                            log_unacceptable(Box::pin(self.apply_later_answer(&answer)).await);
                        }
                        Completion::Unacknowledged => {
                            return Box::pin(self.end_unacknowledged(state)).await;
                        }
                        Completion::Acknowledged(_) | Completion::Abandoned => {}
                    }
                }
                response = update_response(&mut state.update) => {
                    if let Some(response) = response.as_ref().filter(|it| it.status_code.code() < 300) {
                        // An UPDATE refreshes the target as an INVITE does (RFC 3311 §5.1).
                        Box::pin(state.dialog.retarget(&self.origin, &response.headers)).await;
                    }
                    if !self.refreshed(&mut state, response.as_ref()) {
                        return Box::pin(self.end_expired(state)).await;
                    }
                }
                inbound = self.inbox.next() => match inbound {
                    Inbound::Response(response) => {
                        if !Box::pin(self.invite_response(&mut state, &response)).await {
                            return Box::pin(self.end_expired(state)).await;
                        }
                    }
                    Inbound::Request(request) => {
                        if Box::pin(self.in_dialog_request(&mut state, *request)).await {
                            return LegEnd::HungUp;
                        }
                    }
                },
                // After the inbox: the response may have arrived before the end of its connection.
                () = lost(state.invite.as_ref()) => self.repeat_lost(&mut state),
                () = session_timer(&clock, session) => {
                    let now = self.shared.clock.now();
                    if state.session.is_some_and(|session| now < session.ends_at) {
                        Box::pin(self.refresh(&mut state)).await;
                    } else {
                        tracing::info!("a session was not refreshed in time");
                        return Box::pin(self.end_expired(state)).await;
                    }
                }
                () = sleep_until(&clock, next_timer) => {
                    let now = clock.stopwatch();
                    if let Some(media) = &mut self.media {
                        media.on_timer(now);
                    }
                    let has_timed_out = match &mut state.invite {
                        Some(invite) => Box::pin(invite.on_timer(now)).await,
                        None => false,
                    };
                    if has_timed_out && state.invite.as_ref().is_some_and(|invite| !invite.hop.is_open()) {
                        self.repeat_lost(&mut state);
                    } else if has_timed_out {
                        tracing::info!("the carrier did not answer the refresh of a session");
                        return Box::pin(self.end_expired(state)).await;
                    }
                }
            }
        }
    }

    /// Hangs up, and waits a few round trips for the response; the task of the BYE continues after that.
    async fn hang_up(&mut self, mut state: Established) {
        self.media = None;
        // What is still pending goes on in tasks, which the wait below must not delay.
        (self.reinvite, state.update) = (None, None);
        // So that a BYE of the far end which crosses ours is known.
        self.expect_stray_responses();
        self.expect_refusal(&mut state);
        let bye = state.dialog.bye(&self.origin);
        let _timeout = tokio::time::timeout(self.shared.config.t1 * MAX_END_ROUND_TRIPS, bye).await;
    }

    /// Keeps the ACK of the refusal that a pending re-INVITE receives because its dialog ends (RFC 3261 §15.1.2).
    fn expect_refusal(&mut self, state: &mut Established) {
        if let Some(invite) = state.invite.take() {
            let ack = invite.ack_in_dialog();
            self.acks.expect_refusal(invite.sequence, &state.dialog.tag, &ack, &invite.hop);
        }
    }

    /// Ends a call whose carrier did not acknowledge the answer to its re-INVITE (RFC 3261 §14.2 and §13.3.1.4).
    async fn end_unacknowledged(&mut self, state: Established) -> LegEnd {
        tracing::info!("the carrier did not acknowledge the answer to its re-INVITE");
        self.end_expired(state).await
    }

    /// Ends a call in which the far end no longer takes part.
    async fn end_expired(&mut self, state: Established) -> LegEnd {
        self.hang_up(state).await;
        LegEnd::Expired
    }

    /// Returns true while an offer of ours in the 200 to a re-INVITE has no answer.
    fn awaits_answer(&self) -> bool {
        self.reinvite.as_ref().is_some_and(|reinvite| reinvite.offers)
    }

    /// Answers a request of the far end, and returns whether it hung up.
    async fn in_dialog_request(&mut self, state: &mut Established, request: Transaction) -> bool {
        let headers = &request.original.headers;
        let from = value(headers, "From").and_then(tag_of).unwrap_or_default();
        let to = value(headers, "To").and_then(tag_of).unwrap_or_default();
        if from != state.dialog.tag || to != self.origin.tag {
            finish_in_background(request, 481, "Call/Transaction Does Not Exist", Vec::new());
            return false;
        }
        let Some(request) = self.inspected(request) else { return false };
        let headers = &request.original.headers;
        let is_offered = state.invite.is_some() || self.awaits_answer();
        match request.original.method {
            Method::Bye => {
                self.media = None;
                // So that a repetition of it is still known.
                self.expect_stray_responses();
                self.expect_refusal(state);
                finish_in_background(request, 200, "OK", Vec::new());
                return true;
            }
            // Our own offer has no answer yet, in an INVITE or in the 2xx to one (RFC 3261 §14.2, RFC 3311 §5.2).
            Method::Invite if is_offered => {
                finish_in_background(request, 491, "Request Pending", Vec::new());
            }
            Method::Update if is_offered && has_offer(&request) => {
                finish_in_background(request, 491, "Request Pending", Vec::new());
            }
            Method::Invite | Method::Update => {
                let now = self.shared.clock.now();
                let Ok(timer) = TimerHeaders::of(headers) else {
                    finish_in_background(request, 400, "Bad Request", Vec::new());
                    return false;
                };
                let mut further = vec![Header::Supported("timer".into())];
                let session = match timer.decide(state.session.map(|session| session.terms)) {
                    Decision::TooShort(least) => {
                        let header = Header::Other("Min-SE".to_owned(), least.to_string());
                        finish_in_background(request, 422, "Session Interval Too Small", vec![header]);
                        return false;
                    }
                    Decision::With(terms) => {
                        further.push(Header::Other("Session-Expires".to_owned(), terms.in_response()));
                        if timer.is_supported() {
                            further.push(Header::Require("timer".into()));
                        }
                        Some(Session::new(terms, now))
                    }
                    Decision::Without => None,
                };
                let headers = headers.clone();
                // Over TLS the address of a later connection is another one than that of the INVITE.
                let hop = Some(state.dialog.hop.clone());
                // A request that is refused changes neither the target nor the session.
                if self.renegotiate(request, hop, further).await {
                    state.session = session;
                    state.dialog.retarget(&self.origin, &headers).await;
                }
            }
            Method::Options => finish_in_background(request, 200, "OK", vec![Header::Allow(ALLOW.into())]),
            _ => finish_in_background(request, 405, "Method Not Allowed", vec![Header::Allow(ALLOW.into())]),
        }
        false
    }

    /// Handles a response to an INVITE, and returns whether the call continues.
    async fn invite_response(&mut self, state: &mut Established, response: &Response) -> bool {
        let number = sequence(&response.headers).map(|(number, _)| number);
        let Some(mut invite) = state.invite.take_if(|invite| Some(invite.sequence) == number) else {
            self.stray_response(response).await;
            return true;
        };
        let code = response.status_code.code();
        match code {
            0..200 => {
                // The timeout remains, because no session timer runs while the refresh is pending.
                invite.stop_retransmissions();
                state.invite = Some(invite);
                return true;
            }
            200..300 => {
                state.dialog.retarget(&self.origin, &response.headers).await;
                // The response came over another connection if that of the INVITE was closed.
                state.dialog.reconnect(&self.origin).await;
                // With the credentials of its INVITE (RFC 3261 §13.2.2.4).
                let ack = state.dialog.request(
                    &self.origin,
                    Method::Ack,
                    invite.sequence,
                    state.answers.headers(),
                    String::new(),
                );
                self.acks.send(invite.sequence, remote_tag(response), &ack, &state.dialog.hop).await;
                // An unacceptable answer to a refresh leaves the media unchanged.
                let described = session_description(&response.headers, &response.body).ok().flatten();
                log_unacceptable(self.apply_refresh_answer(described.unwrap_or_default()).await);
            }
            _ => {
                if !invite.hop.is_open()
                    && let Some(hop) = self.origin.reconnected(&invite.hop).await
                {
                    invite.hop = hop;
                }
                let ack = invite.ack(response);
                self.acks.send(invite.sequence, remote_tag(response), &ack, &invite.hop).await;
            }
        }
        self.expect_stray_responses();
        let uri = invite.request.uri.to_string();
        if matches!(code, 401 | 407) && state.answers.add(&self.origin, response, "INVITE", &uri).is_ok() {
            self.refresh_later(state, Duration::ZERO);
            return true;
        }
        state.answers = Answers::default();
        self.refreshed(state, Some(response))
    }

    /// Refreshes the session with an UPDATE if the far end supports it, else with an INVITE.
    async fn refresh(&mut self, state: &mut Established) {
        let Some(session) = state.session.as_mut() else { return };
        session.wait();
        let expires = session.terms.in_request();
        state.dialog.reconnect(&self.origin).await;
        let mut further = vec![self.origin.contact(&state.dialog.hop)];
        further.push(Header::Supported("timer".into()));
        further.push(Header::Other("Session-Expires".to_owned(), expires));
        if state.min_interval > 0 {
            further.push(Header::Other("Min-SE".to_owned(), state.min_interval.to_string()));
        }
        if state.supports_update {
            let (origin, dialog) = (Arc::clone(&self.origin), state.dialog.clone());
            // If the call ends before the response, a task waits for it, at most until the endpoint ends.
            state.update =
                Some(Awaited::new(
                    async move { dialog.send_request(&origin, Method::Update, further).await },
                ));
            return;
        }
        if self.reinvite.is_some() {
            // The far end's own INVITE has no ACK yet (RFC 3261 §14.1).
            return self.refresh_later(state, REFRESH_RETRY_DELAY);
        }
        further.push(Header::Allow(ALLOW.into()));
        further.extend(state.answers.headers());
        let number = state.dialog.next_sequence();
        let codecs = &self.codecs;
        let offer = self.media.as_mut().map(|media| media.refresh_offer(codecs)).unwrap_or_default();
        let request = state.dialog.request(&self.origin, Method::Invite, number, further, offer);
        match Invite::send(&self.shared, request, state.dialog.hop.clone(), number).await {
            Ok(invite) => state.invite = Some(invite),
            Err(why) => {
                tracing::debug!(%why, "the refresh of a session was not sent; it will be repeated");
                self.refresh_later(state, REFRESH_RETRY_DELAY);
            }
        }
    }

    /// Handles the outcome of a refresh, and returns whether the call continues. `None` means that it was not
    /// sent.
    fn refreshed(&self, state: &mut Established, response: Option<&Response>) -> bool {
        state.update = None;
        let now = self.shared.clock.now();
        let timer =
            response.and_then(|response| TimerHeaders::of(&response.headers).ok()).unwrap_or_default();
        match response.map(|response| response.status_code.code()) {
            // A response without `Session-Expires` ends the session timer (RFC 4028 §7.2).
            Some(200..300) => state.session = timer.agreed().map(|terms| Session::new(terms, now)),
            // The connection was closed meanwhile; another one may succeed.
            None if !state.dialog.hop.is_open() => self.refresh_later(state, REFRESH_RETRY_DELAY),
            // The far end does not know the call, or does not respond.
            Some(408 | 481) | None => return false,
            Some(405 | 501) if state.supports_update => {
                state.supports_update = false;
                self.refresh_later(state, Duration::ZERO);
            }
            Some(422) if timer.min_se > state.session.map(|session| session.terms.interval) => {
                if let (Some(min_se), Some(session)) = (timer.min_se, state.session.as_mut()) {
                    session.terms.interval = min_se;
                    state.min_interval = min_se;
                }
                self.refresh_later(state, Duration::ZERO);
            }
            // The refresh remains up to us until the session expires.
            Some(code) => {
                if REFUSED_REFRESHES.admits(&self.origin.call_id, now) {
                    tracing::info!(
                        call_id = %self.origin.call_id,
                        code,
                        "the carrier refused the refresh of a session, which will be repeated"
                    );
                }
                self.refresh_later(state, REFRESH_RETRY_DELAY);
            }
        }
        true
    }

    /// Schedules another refresh for a re-INVITE whose connection was closed, and that had no response over another.
    fn repeat_lost(&self, state: &mut Established) {
        tracing::debug!("the connection of a refresh was closed; it will be repeated");
        (state.invite, state.answers) = (None, Answers::default());
        self.refresh_later(state, REFRESH_RETRY_DELAY);
    }

    /// Schedules another refresh after a delay.
    fn refresh_later(&self, state: &mut Established, delay: Duration) {
        if let Some(session) = &mut state.session {
            session.try_again_at(self.shared.clock.now().after(delay));
        }
    }
}

/// Logs that an answer within a call is not acceptable.
fn log_unacceptable(applied: Result<(), String>) {
    if let Err(why) = applied {
        tracing::info!(%why, "a carrier's answer within a call is not acceptable; the media remain unchanged");
    }
}

/// Waits for the end of a re-INVITE's transaction; forever if there is none. Cancel safe.
async fn completion(reinvite: &mut Option<AnsweredReinvite>) -> Completion {
    Awaited::result_of(reinvite.as_mut().map(|reinvite| &mut reinvite.completion)).await
}

/// Waits for the response to a pending UPDATE; forever if there is none. Cancel safe.
async fn update_response(update: &mut Option<Awaited<Option<Response>>>) -> Option<Response> {
    Awaited::result_of(update.as_mut()).await
}

/// Waits until no response to a pending INVITE can arrive any more, because its connection was closed and the far end
/// cannot respond over another one; forever if there is no INVITE.
async fn lost(invite: Option<&Invite>) {
    match invite.filter(|invite| !invite.hop.can_be_answered_over_another()) {
        // Boxed, because it is rarely needed: it must not enlarge the state of every call.
        Some(invite) => Box::pin(invite.hop.closed()).await,
        None => std::future::pending().await,
    }
}

/// Waits for the next event of the session timer; forever if there is none.
async fn session_timer(clock: &Clock, time: Option<Timestamp>) {
    match time {
        Some(time) => clock.sleep_until(time).await,
        None => std::future::pending().await,
    }
}
