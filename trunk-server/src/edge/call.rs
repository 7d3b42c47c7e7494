//! One call that was let through, from its first ring to its record.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use didww_types::Timestamp;
use trunk_rules::carrier::{Admitted, Cause, Channel, Media, negotiate, reason_phrase};

use super::calls::{ActiveCall, Event, Key, Registered};
use super::far_end::{Outcome, Then};
use super::media::Endpoint;
use super::record::{CallRecord, Ending};
use super::stack::{Dialog, Happened, Incoming, Stack};
use super::{Inner, sdp};

/// Shortest session interval that is accepted, in seconds (RFC 4028).
const MIN_SESSION: u64 = 90;

/// A call that nobody ends, on hold and without a session timer, would keep its channel for ever.
const LONGEST: Duration = Duration::from_hours(24);

const HUNG_UP: Ending = Ending { cause: 200, code: 200, reason: "Bye" };
const CANCELLED: Ending = Ending { cause: 487, code: 487, reason: "Request terminated (Cancel)" };

const fn ending(cause: Cause) -> Ending {
    Ending { cause: cause.id(), code: cause.code(), reason: cause.text() }
}

/// Takes a call from admission to its record. The channel is given back when the call is over, however it ends.
pub(super) async fn run(
    inner: &Arc<Inner>,
    stack: &Arc<Stack>,
    request: Incoming,
    admitted: Admitted,
    channel: Channel,
    started: Timestamp,
) {
    let (Some(remote), Some(local)) = (request.remote_tag(), request.local_tag()) else {
        drop(channel);
        return request.finish(400, "Bad Request", &[]).await;
    };
    let mut record = CallRecord::of_call(inner, &request, &admitted, started);
    let key = Key { call_id: request.call_id(), remote, local };
    let registered = inner.calls.register(key, active(&record, &admitted));
    let mut call =
        Call { inner, stack, request, admitted: &admitted, registered, media: None, session: None };
    let (ending, answered) = call.live(started).await;
    let Call { mut request, media, registered, .. } = call;
    registered.leave();
    drop(channel);

    record.time_end = inner.app.clock.now();
    record.time_connect = answered;
    record.success = answered.is_some();
    let up = answered.map(|at| between(at, record.time_end));
    if let Some(rate) = admitted.rate {
        let charge = rate.charge(up);
        (record.duration, record.billing_duration) = (charge.duration, charge.billed);
        record.price = charge.price.to_string();
    } else {
        record.duration = up.map_or(0, |up| up.as_secs() + u64::from(up.subsec_nanos() > 0));
    }
    (record.disconnect_cause, record.disconnect_code) = (ending.cause, ending.code);
    ending.reason.clone_into(&mut record.disconnect_reason);
    if let Some(media) = &media {
        let (dropped, from) = media.dropped();
        record.rtp_dropped = dropped;
        record.rtp_dropped_from = from.iter().map(ToString::to_string).collect();
        if dropped > 0 {
            let trunk = &admitted.trunk.name;
            tracing::warn!(%trunk, dropped, ?from, "RTP was dropped: the sources are not in allowed_rtp_ips");
        }
    }
    drop(media);
    inner.spend.record(inner, &admitted.trunk, record).await;
    // Whoever waits for the end of all calls waits for their records.
    drop(registered);
    // A refused or cancelled INVITE is repeated until its ACK comes.
    request.wait_until_over().await;
}

fn active(record: &CallRecord, admitted: &Admitted) -> ActiveCall {
    ActiveCall {
        id: record.id,
        trunk_id: record.trunk_id.clone(),
        trunk_name: record.trunk_name.clone(),
        account: admitted.trunk.account.parse().unwrap_or_default(),
        src_number: admitted.cli.presented.clone(),
        dst_number: record.dst_number.clone(),
        source: format!("{}:{}", record.source_ip, record.source_port),
        call_id: record.call_id.clone(),
        time_start: record.time_start,
        time_connect: None,
    }
}

fn between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::from_millis(u64::try_from(to.as_unix_millis() - from.as_unix_millis()).unwrap_or(0))
}

struct Call<'a> {
    inner: &'a Arc<Inner>,
    stack: &'a Arc<Stack>,
    request: Incoming,
    admitted: &'a Admitted,
    registered: Registered<'a>,
    media: Option<Endpoint>,
    /// The session timer: its interval, and when it runs out.
    session: Option<(Duration, Timestamp)>,
}

impl Call<'_> {
    /// Gives how the call ended, and when it was answered if it was.
    async fn live(&mut self, started: Timestamp) -> (Ending, Option<Timestamp>) {
        let terms = self.admitted.trunk.rtp.clone();
        let (bind, advertise) = (self.stack.address().ip(), self.stack.advertise());
        let ports = &self.inner.ports;
        let media = self.admitted.media.as_ref();
        self.media = Endpoint::open(ports, bind, advertise, media, terms, started).await;
        if self.media.is_none() {
            self.refuse(ending(Cause::NoFreePorts)).await;
            return (ending(Cause::NoFreePorts), None);
        }
        let plan = self.inner.config.far_end.outcome(self.admitted.destination);
        if let Some(ending) = self.ring(&plan, started).await {
            return (ending, None);
        }
        let up = match plan.then {
            Then::Answer(up) => up,
            Then::NoAnswer => {
                self.refuse(ending(Cause::RingingTimeout)).await;
                return (ending(Cause::RingingTimeout), None);
            }
            Then::Refuse(code) => {
                let ending = refused_by_far_end(code);
                self.refuse(ending).await;
                return (ending, None);
            }
        };
        let answered = self.inner.app.clock.now();
        let dialog = self.request.dialog();
        let ending = match self.answer(answered).await {
            Err(ending) => ending,
            Ok(()) => self.talk(up.map(|up| answered.after(up))).await,
        };
        if let (true, Some(dialog)) = (ending.1, dialog) {
            end_dialog(dialog, ending.0).await;
        }
        (ending.0, Some(answered))
    }

    /// Rings until the far end decides. Gives an ending when the caller or the server was quicker.
    async fn ring(&mut self, plan: &Outcome, started: Timestamp) -> Option<Ending> {
        let contact = self.stack.contact(self.request.transport());
        if plan.early_media {
            let body = self.description();
            let headers = [("Contact", contact.as_str()), ("Content-Type", "application/sdp")];
            self.request.respond(183, "Session Progress", &headers, &body).await;
        } else if !plan.ring.is_zero() || plan.then == Then::NoAnswer {
            self.request.respond(180, "Ringing", &[("Contact", &contact)], "").await;
        }
        let wait = if plan.then == Then::NoAnswer { self.inner.config.ring_timeout } else { plan.ring };
        let until = started.after(wait);
        let clock = self.inner.app.clock.clone();
        loop {
            tokio::select! {
                biased;
                happened = self.request.happened() => {
                    if happened == Happened::Cancelled {
                        self.request.respond(487, "Request Terminated", &[], "").await;
                    }
                    return Some(CANCELLED);
                }
                event = self.registered.events.recv() => match event {
                    Some(Event::Request(request)) if request.method() == "BYE" => {
                        respond_alone(*request, 200, "OK");
                        self.request.respond(487, "Request Terminated", &[], "").await;
                        return Some(CANCELLED);
                    }
                    Some(Event::Request(request)) => self.inside(*request).await,
                    Some(Event::Answer(answer)) => self.answered_offer(&answer).await,
                    Some(Event::End) | None => {
                        let ending = Ending { cause: 503, code: 503, reason: "Ended by the operator" };
                        self.refuse(ending).await;
                        return Some(ending);
                    }
                },
                () = clock.sleep_until(until) => return None,
            }
        }
    }

    async fn refuse(&mut self, ending: Ending) {
        self.request.respond(ending.code, reason_phrase(ending.code), &[], "").await;
    }

    /// What the edge says about its media: the answer to an offer, or an offer of its own.
    fn description(&self) -> String {
        let Some(endpoint) = &self.media else { return String::new() };
        match &self.admitted.media {
            Some(media) => sdp::answer(media, endpoint.address(), &self.inner.app.ids.media_key()),
            None => sdp::offer(endpoint.address()),
        }
    }

    /// Answers and waits until the caller confirms it. An error is an ending, and whether a BYE is owed.
    async fn answer(&mut self, answered: Timestamp) -> Result<(), (Ending, bool)> {
        let contact = self.stack.contact(self.request.transport());
        let body = self.description();
        let routes = self.request.values("Record-Route");
        let mut headers: Vec<(&str, &str)> =
            routes.iter().map(|route| ("Record-Route", route.as_str())).collect();
        headers.extend([("Contact", contact.as_str()), ("Content-Type", "application/sdp")]);
        headers.extend([("Allow", super::stack::ALLOW), ("Supported", "timer")]);
        self.session = session_interval(&self.request).map(|interval| (interval, answered.after(interval)));
        let expires = self.session.map(|(interval, _)| format!("{};refresher=uac", interval.as_secs()));
        if let Some(expires) = &expires {
            headers.extend([("Require", "timer"), ("Session-Expires", expires.as_str())]);
        }
        self.request.respond(200, "OK", &headers, &body).await;
        self.registered.call.lock().unwrap_or_else(PoisonError::into_inner).time_connect = Some(answered);
        let random = self.inner.app.ids.word();
        if let Some(media) = &mut self.media {
            media.answered(answered, random).await;
        }
        loop {
            tokio::select! {
                biased;
                happened = self.request.happened() => match happened {
                    Happened::Acknowledged => {
                        let answer = self.request.take_acknowledgement();
                        if self.admitted.media.is_none() {
                            self.answered_offer(&answer).await;
                        }
                        return Ok(());
                    }
                    Happened::Cancelled => {}
                    Happened::Over => return Err((ending(Cause::NoAck), true)),
                },
                event = self.registered.events.recv() => match event {
                    Some(Event::Request(request)) if request.method() == "BYE" => {
                        respond_alone(*request, 200, "OK");
                        return Err((HUNG_UP, false));
                    }
                    Some(Event::Request(request)) => self.inside(*request).await,
                    Some(Event::Answer(answer)) => self.answered_offer(&answer).await,
                    Some(Event::End) | None => return Err((HUNG_UP, true)),
                },
            }
        }
    }

    /// The call is up: media, silence, session timer, whoever hangs up first. Gives whether a BYE is owed.
    async fn talk(&mut self, until: Option<Timestamp>) -> (Ending, bool) {
        let clock = self.inner.app.clock.clone();
        let mut buffer = [0_u8; 2048];
        let longest = clock.now().after(LONGEST);
        loop {
            let silent = self.media.as_ref().and_then(Endpoint::silent_until);
            let session = self.session.map(|(_, at)| at);
            let next = [until, silent, session, Some(longest)].into_iter().flatten().min();
            tokio::select! {
                biased;
                event = self.registered.events.recv() => match event {
                    Some(Event::Request(request)) if request.method() == "BYE" => {
                        respond_alone(*request, 200, "OK");
                        return (HUNG_UP, false);
                    }
                    Some(Event::Request(request)) => self.inside(*request).await,
                    Some(Event::Answer(answer)) => self.answered_offer(&answer).await,
                    Some(Event::End) | None => return (HUNG_UP, true),
                },
                () = wait(&clock, next) => {
                    let now = clock.now();
                    let reached = |at: Option<Timestamp>| at.is_some_and(|at| now >= at);
                    if reached(until) {
                        return (HUNG_UP, true);
                    } else if reached(silent) {
                        return (ending(Cause::RtpTimeout), true);
                    } else if reached(session) || now >= longest {
                        return (ending(Cause::SessionTimeout), true);
                    }
                }
                () = hear(self.media.as_mut(), &mut buffer, &clock) => {}
            }
        }
    }

    /// A request in the dialog that does not end it.
    async fn inside(&mut self, mut request: Incoming) {
        let contact = self.stack.contact(request.transport());
        if let Some((interval, _)) = self.session {
            self.session = Some((interval, self.inner.app.clock.now().after(interval)));
        }
        let settings = &self.inner.config.settings;
        let mode = &self.admitted.trunk.media_encryption_mode;
        let offer = (!request.body().is_empty()).then(|| request.body().to_vec());
        match (request.method(), negotiate(mode, settings, offer.as_deref())) {
            ("PRACK", _) => respond_alone(request, 200, "OK"),
            (_, Err(why)) => {
                tracing::warn!(%why, call_id = request.call_id(), "a new offer was refused; the call stays as it is");
                respond_alone(request, settings.codec_reject, "Not Acceptable Here");
            }
            (_, Ok(media)) => {
                let offers = media.is_none() && request.method() == "INVITE";
                let body = if offers { self.offer() } else { self.renegotiated(media.as_ref()).await };
                let expires =
                    self.session.map(|(interval, _)| format!("{};refresher=uac", interval.as_secs()));
                let mut headers = vec![("Contact", contact.as_str())];
                if !body.is_empty() {
                    headers.push(("Content-Type", "application/sdp"));
                }
                if let Some(expires) = &expires {
                    headers.extend([("Require", "timer"), ("Session-Expires", expires.as_str())]);
                }
                request.respond(200, "OK", &headers, &body).await;
                let (inner, key) = (Arc::clone(self.inner), Key::of(&request));
                tokio::spawn(async move {
                    request.wait_until_over().await;
                    let answer = request.take_acknowledgement();
                    if let (true, Some(key)) = (offers && !answer.is_empty(), key) {
                        inner.calls.answer(&key, answer);
                    }
                });
            }
        }
    }

    fn offer(&self) -> String {
        self.media.as_ref().map(|endpoint| sdp::offer(endpoint.address())).unwrap_or_default()
    }

    /// Takes the answer to an offer of ours. One that does not fit leaves the media where it was.
    async fn answered_offer(&mut self, answer: &[u8]) {
        let mode = &self.admitted.trunk.media_encryption_mode;
        match negotiate(mode, &self.inner.config.settings, Some(answer)) {
            Ok(Some(media)) => {
                if let Some(endpoint) = self.media.as_mut() {
                    endpoint.negotiated(&media, self.inner.app.clock.now()).await;
                }
            }
            Ok(None) => tracing::warn!("an offer was acknowledged without an answer; media goes nowhere"),
            Err(why) => tracing::warn!(%why, "the answer to an offer does not fit; media stays where it was"),
        }
    }

    async fn renegotiated(&mut self, media: Option<&Media>) -> String {
        let (Some(media), Some(endpoint)) = (media, self.media.as_mut()) else { return String::new() };
        endpoint.negotiated(media, self.inner.app.clock.now()).await;
        sdp::answer(media, endpoint.address(), &self.inner.app.ids.media_key())
    }
}

fn refused_by_far_end(code: u16) -> Ending {
    let known =
        [Cause::Forbidden, Cause::BusyHere, Cause::Decline].into_iter().find(|cause| cause.code() == code);
    Ending { cause: known.map_or(code, Cause::id), code, reason: reason_phrase(code) }
}

/// The interval that the caller asks for, if both sides know session timers.
fn session_interval(request: &Incoming) -> Option<Duration> {
    let supported =
        request.values("Supported").iter().chain(&request.values("k")).any(|value| value.contains("timer"));
    let seconds: u64 = request.value("Session-Expires")?.split(';').next()?.trim().parse().ok()?;
    supported.then(|| Duration::from_secs(seconds.max(MIN_SESSION)))
}

async fn wait(clock: &crate::clock::Clock, until: Option<Timestamp>) {
    match until {
        Some(until) => clock.sleep_until(until).await,
        None => std::future::pending().await,
    }
}

async fn hear(media: Option<&mut Endpoint>, buffer: &mut [u8], clock: &crate::clock::Clock) {
    match media {
        Some(media) => media.hear(buffer, clock).await,
        None => std::future::pending().await,
    }
}

/// Answers a request whose transaction nobody else waits for.
fn respond_alone(request: Incoming, code: u16, phrase: &'static str) {
    tokio::spawn(async move { request.finish(code, phrase, &[]).await });
}

/// Ends a dialog from our side. The BYE is under way when the call leaves, for the server may stop then; its
/// answer need not be waited for.
async fn end_dialog(dialog: Dialog, ending: Ending) {
    let reason = format!("SIP;cause={};text=\"{}\"", ending.code, ending.reason);
    dialog.bye(&reason).await;
}
