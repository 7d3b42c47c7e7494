//! One call that was let through, from its first ring to its record.
//!
//! A call that is up keeps little: what it needs of the INVITE is copied, the INVITE goes when it was acknowledged,
//! and whatever is large and short lives in a box of its own.

mod charging;

use std::sync::Arc;
use std::time::Duration;

use didww_types::Timestamp;
use trunk_rules::carrier::{Admitted, Cause, Channel, Media, negotiate, reason_phrase, taken_out};

use super::calls::Registered;
use super::event::Event;
use super::facts::{Facts, Key, Origin};
use super::far_end::{Outcome, Then};
use super::media::Endpoint;
use super::record::{CallRecord, Ending};
use super::reliable::{self, Due, Reliable};
use super::spend::Over;
use super::stack::{Dialog, Happened, Incoming, Stack};
use super::unacknowledged;
use super::{Inner, sdp};
use crate::places::Place;
use crate::summed::Summed;

/// Shortest session interval that is accepted, in seconds (RFC 4028).
const MIN_SESSION: u64 = 90;

/// A call that nobody ends, on hold and without a session timer, would keep its channel for ever.
const LONGEST: Duration = Duration::from_hours(24);

/// Calls for which there was no room.
static FULL: Summed = Summed::new("calls were refused: their account has as many as it may have");

const HUNG_UP: Ending = Ending { cause: 200, code: 200, reason: "Bye" };
const CANCELLED: Ending = Ending { cause: 487, code: 487, reason: "Request terminated (Cancel)" };

/// The caller wanted to confirm that it rings, and did not.
const UNCONFIRMED: Ending = Ending { cause: 504, code: 504, reason: "No PRACK" };

const fn ending(cause: Cause) -> Ending {
    Ending { cause: cause.id(), code: cause.code(), reason: cause.text() }
}

/// Takes a call from admission to its record. The channel is given back when the call is over, however it ends.
pub(super) async fn run(
    inner: &Arc<Inner>,
    stack: &Arc<Stack>,
    request: Incoming,
    mut admitted: Box<Admitted>,
    channel: Channel,
    started: Timestamp,
) {
    let Some(key) = Key::of(&request) else {
        drop(channel);
        return request.finish(400, "Bad Request", &[]).await;
    };
    let offered = admitted.media.take().map(Box::new);
    let facts = Facts::new(key, Origin::of(inner, &request, started), *admitted);
    let registered = inner.calls.register(facts);
    let source = registered.facts.origin.source.ip();
    let mut call = Call {
        inner,
        stack,
        registered,
        media: None,
        place: None,
        session: None,
        unacknowledged: None,
        paid_until: None,
    };
    let (ending, unconfirmed) = call.live(request, offered).await;
    call.registered.leave();
    drop(channel);
    // One that ends when nothing pays for it any more is not charged for what the clock is late.
    let now = inner.app.clock.now();
    let ended = call.paid_until.map_or(now, |until| until.min(now));
    let over = inner.spend.over(call.facts(), ended);
    let record = record_of(inner, call.facts(), ending, (ended, over), call.media.as_ref());
    call.media = None;
    Box::pin(inner.spend.record(inner, &call.facts().trunk, record, over.is_some())).await;
    // Whoever waits for the end of all calls waits for their records.
    drop(call);
    inner.front.had_a_call(source);
    if let Some(mut request) = unconfirmed {
        // A refused or cancelled INVITE is repeated until its ACK comes.
        request.refused().await;
    }
}

fn record_of(
    inner: &Inner,
    facts: &Facts,
    ending: Ending,
    over: (Timestamp, Option<Over>),
    media: Option<&Endpoint>,
) -> Box<CallRecord> {
    let traffic = media.map(Endpoint::traffic).unwrap_or_default();
    let (trunk, call_id) = (&facts.trunk.name, &facts.key.call_id);
    let admits = |what: &str| inner.sums.media.admits((trunk, what), inner.app.clock.now());
    if traffic.dropped > 0 && admits("dropped") {
        let (dropped, from) = (traffic.dropped, traffic.dropped_from);
        tracing::warn!(%trunk, %call_id, dropped, ?from, "RTP was dropped: the sources are not in allowed_rtp_ips");
    }
    if let Some(why) = traffic.why_silent.filter(|why| admits(why)) {
        let received = traffic.received;
        tracing::warn!(%trunk, %call_id, received, why, "RTP came and none was sent");
    }
    Box::new(CallRecord::of_call(inner, facts, ending, over, &traffic))
}

struct Call<'a> {
    inner: &'a Arc<Inner>,
    stack: &'a Arc<Stack>,
    registered: Registered<'a>,
    media: Option<Endpoint>,
    /// Its place among the calls of its account.
    place: Option<Place<i64>>,
    /// The session timer: its interval, and when it runs out.
    session: Option<(Duration, Timestamp)>,
    /// Its place among the answers that wait to be acknowledged.
    unacknowledged: Option<unacknowledged::Place<'a>>,
    /// When it ends because nothing pays for it any more.
    paid_until: Option<Timestamp>,
}

/// A response that is not the last.
struct Ringing {
    code: u16,
    phrase: &'static str,
    contact: String,
    body: String,
    reliable: Option<Reliable>,
}

impl Ringing {
    async fn send(&mut self, request: &mut Incoming) {
        let mut headers = vec![("Contact", self.contact.as_str())];
        if !self.body.is_empty() {
            headers.push(("Content-Type", "application/sdp"));
        }
        if let Some(reliable) = &self.reliable {
            headers.extend([("Require", "100rel"), ("RSeq", reliable.number.as_str())]);
        }
        request.respond(self.code, self.phrase, &headers, &self.body).await;
    }
}

/// A call that was answered.
struct Begun {
    /// What requests of ours in its dialog need.
    dialog: Option<Box<Dialog>>,
    /// How it went, and when the far end hangs up.
    answered: Answered,
    until: Option<Timestamp>,
}

/// A call that was not answered, with its INVITE, whose final response is to be confirmed.
struct Unanswered {
    ending: Ending,
    request: Incoming,
}

/// How the answer of a call went.
enum Answered {
    /// It is up.
    Up,
    /// It ended before the caller confirmed the answer, and whether a BYE is owed.
    Ended(Ending, bool),
}

impl Call<'_> {
    fn facts(&self) -> &Facts {
        &self.registered.facts
    }

    /// Gives how the call ended, and its INVITE if somebody must wait for that to be confirmed.
    async fn live(&mut self, request: Incoming, offered: Option<Box<Media>>) -> (Ending, Option<Incoming>) {
        let Begun { dialog, answered, until } = match Box::pin(self.begin(request, offered)).await {
            Ok(begun) => begun,
            Err(unanswered) => return (unanswered.ending, Some(unanswered.request)),
        };
        let (ending, owes_bye) = match answered {
            Answered::Up => self.talk(until).await,
            Answered::Ended(ending, owes_bye) => (ending, owes_bye),
        };
        if let (true, Some(dialog)) = (owes_bye, dialog) {
            Box::pin(end_dialog(dialog, &self.facts().key, ending)).await;
        }
        (ending, None)
    }

    /// Rings and answers. An error is a call that was never answered.
    async fn begin(
        &mut self,
        mut request: Incoming,
        offered: Option<Box<Media>>,
    ) -> Result<Begun, Box<Unanswered>> {
        let started = self.facts().origin.started;
        let (bind, advertise) = self.stack.media_at(&request);
        let facts = Arc::clone(&self.registered.facts);
        if !self.has_room() {
            return Err(refuse(request, ending(Cause::NoFreePorts)).await);
        }
        self.media = Endpoint::open(self.inner, bind, advertise, &facts, offered.as_deref(), started).await;
        if self.media.is_none() {
            return Err(refuse(request, ending(Cause::NoFreePorts)).await);
        }
        let plan = self.inner.config.far_end.outcome(self.facts().destination);
        let description = self.description(offered.as_deref());
        if let Some(ending) = self.ring(&mut request, offered.as_deref(), &description, &plan).await {
            return Err(Box::new(Unanswered { ending, request }));
        }
        let up = match plan.then {
            Then::Answer(up) => up,
            Then::NoAnswer => return Err(refuse(request, ending(Cause::RingingTimeout)).await),
            Then::Refuse(code) => return Err(refuse(request, refused_by_far_end(code)).await),
        };
        let answered = match Box::pin(self.charge(&mut request)).await {
            Ok(answered) => answered,
            Err(ending) => return Err(Box::new(Unanswered { ending, request })),
        };
        let dialog = request.dialog();
        let until = up.map(|up| answered.after(up));
        let answered = self.answer(&mut request, offered.as_deref(), &description, answered).await;
        Ok(Begun { dialog, answered, until })
    }

    /// Whether the account may have one more call. An emergency call is always one of those it may have.
    fn has_room(&mut self) -> bool {
        let (accounts, facts) = (&self.inner.accounts, self.facts());
        let account = facts.account();
        let place = if facts.is_emergency { accounts.take_anyway(account) } else { accounts.take(account) };
        if place.is_none() && FULL.admits(account, self.inner.app.clock.now()) {
            let trunk = &self.facts().trunk.name;
            tracing::warn!(%trunk, "a call was refused: its account has as many calls as it may have");
        }
        self.place = place;
        self.place.is_some()
    }

    /// Rings until the far end decides. Gives an ending when the caller or the server was quicker.
    async fn ring(
        &mut self,
        request: &mut Incoming,
        offered: Option<&Media>,
        description: &str,
        plan: &Outcome,
    ) -> Option<Ending> {
        let mut ringing = self.ringing(request, offered, description, plan)?;
        ringing.send(request).await;
        let wait = if plan.then == Then::NoAnswer { self.inner.config.ring_timeout } else { plan.ring };
        let facts = Arc::clone(&self.registered.facts);
        let until = facts.origin.started.after(wait);
        let clock = self.inner.app.clock.clone();
        loop {
            let holds_back = ringing.reliable.as_ref().is_some_and(Reliable::holds_back);
            tokio::select! {
                biased;
                happened = request.happened() => {
                    if happened == Happened::Cancelled {
                        request.respond(487, "Request Terminated", &[], "").await;
                    }
                    return Some(CANCELLED);
                }
                Some(event) = facts.mailbox.next() => match (event, ringing.reliable.as_mut()) {
                    (Event::HungUp, _) => {
                        request.respond(487, "Request Terminated", &[], "").await;
                        return Some(CANCELLED);
                    }
                    (Event::Request(inside), Some(reliable)) if inside.method() == "PRACK" => {
                        if reliable.confirm(&inside) {
                            respond_alone(*inside, 200, "OK");
                        } else {
                            respond_alone(*inside, 481, "Call/Transaction Does Not Exist");
                        }
                    }
                    (Event::Request(inside), _) => self.inside(inside).await,
                    (Event::Answer(answer), _) => self.answered_offer(&answer).await,
                    (Event::End, _) => {
                        let ending = Ending { cause: 503, code: 503, reason: "Ended by the operator" };
                        request.respond(ending.code, reason_phrase(ending.code), &[], "").await;
                        return Some(ending);
                    }
                    (Event::EndFor(cause), _) => {
                        let ending = Ending { code: 503, ..ending(cause) };
                        request.respond(ending.code, reason_phrase(ending.code), &[], "").await;
                        return Some(ending);
                    }
                    (Event::PaidUntil(_), _) => {}
                },
                due = reliable::due(ringing.reliable.as_mut()) => match due {
                    Due::Repetition => ringing.send(request).await,
                    Due::GivingUp => {
                        request.respond(UNCONFIRMED.code, reason_phrase(UNCONFIRMED.code), &[], "").await;
                        return Some(UNCONFIRMED);
                    }
                },
                () = clock.sleep_until(until), if !holds_back => return None,
            }
        }
    }

    /// What is said before the far end decides; nothing where it decides at once.
    fn ringing(
        &self,
        request: &Incoming,
        offered: Option<&Media>,
        description: &str,
        plan: &Outcome,
    ) -> Option<Ringing> {
        let (code, phrase, body) = if plan.early_media {
            (183, "Session Progress", description.to_owned())
        } else if !plan.ring.is_zero() || plan.then == Then::NoAnswer {
            (180, "Ringing", String::new())
        } else {
            return None;
        };
        // Without an offer it would have to make one, which a response that may be lost must not.
        let reliable =
            offered.and_then(|_| Reliable::new(request, self.inner.app.ids.word(), plan.early_media));
        Some(Ringing { code, phrase, contact: self.stack.contact(request), body, reliable })
    }

    /// What the edge says about its media: the answer to an offer, or an offer of its own.
    fn description(&self, offered: Option<&Media>) -> String {
        let Some(endpoint) = &self.media else { return String::new() };
        match offered {
            Some(media) => sdp::answer(media, endpoint.address(), &self.inner.app.ids.media_key()),
            None => sdp::offer(endpoint.address()),
        }
    }

    /// Answers and waits until the caller confirms it.
    async fn answer(
        &mut self,
        request: &mut Incoming,
        offered: Option<&Media>,
        description: &str,
        answered: Timestamp,
    ) -> Answered {
        self.accept(request, description, answered).await;
        let facts = Arc::clone(&self.registered.facts);
        facts.connect(answered);
        if let Some(media) = &mut self.media {
            media.answered(answered).await;
        }
        loop {
            tokio::select! {
                biased;
                happened = request.happened() => match happened {
                    Happened::Acknowledged => {
                        self.acknowledged(answered);
                        let answer = request.take_acknowledgement();
                        if offered.is_none() {
                            self.answered_offer(&answer).await;
                        }
                        return Answered::Up;
                    }
                    Happened::Cancelled => {}
                    Happened::Over => return Answered::Ended(ending(Cause::NoAck), true),
                },
                Some(event) = facts.mailbox.next() => match event {
                    Event::HungUp => {
                        // It knows the tag of the answer, so it heard it.
                        self.acknowledged(answered);
                        return Answered::Ended(HUNG_UP, false);
                    }
                    Event::Request(inside) => self.inside(inside).await,
                    Event::Answer(answer) => self.answered_offer(&answer).await,
                    Event::End => return Answered::Ended(HUNG_UP, true),
                    Event::EndFor(cause) => return Answered::Ended(ending(cause), true),
                    Event::PaidUntil(until) => self.paid_until = until,
                },
            }
        }
    }

    /// Says 200, with what it takes to be in a dialog.
    async fn accept(&mut self, request: &mut Incoming, description: &str, answered: Timestamp) {
        let contact = self.stack.contact(request);
        let routes: Vec<String> = request.values("Record-Route").map(str::to_owned).collect();
        let mut headers: Vec<(&str, &str)> =
            routes.iter().map(|route| ("Record-Route", route.as_str())).collect();
        headers.extend([("Contact", contact.as_str()), ("Content-Type", "application/sdp")]);
        headers.extend([("Allow", super::stack::ALLOW), ("Supported", "timer, 100rel")]);
        self.session = session_interval(request).map(|interval| (interval, answered.after(interval)));
        let expires = self.session.map(|(interval, _)| format!("{};refresher=uac", interval.as_secs()));
        if let Some(expires) = &expires {
            headers.extend([("Require", "timer"), ("Session-Expires", expires.as_str())]);
        }
        request.respond(200, "OK", &headers, description).await;
    }

    /// The call is up: media, silence, session timer, whoever hangs up first. Gives whether a BYE is owed.
    async fn talk(&mut self, until: Option<Timestamp>) -> (Ending, bool) {
        let facts = Arc::clone(&self.registered.facts);
        let clock = &self.inner.app.clock;
        let longest = clock.now().after(LONGEST);
        loop {
            // A packet puts the silence off; that is looked at when it would be over, not with each packet.
            let silent = self.media.as_ref().and_then(Endpoint::silent_until);
            let session = self.session.map(|(_, at)| at);
            let next =
                [until, silent, session, self.paid_until].into_iter().flatten().fold(longest, Timestamp::min);
            tokio::select! {
                biased;
                Some(event) = facts.mailbox.next() => match event {
                    Event::HungUp => return (HUNG_UP, false),
                    Event::Request(inside) => self.inside(inside).await,
                    Event::Answer(answer) => self.answered_offer(&answer).await,
                    Event::End => return (HUNG_UP, true),
                    Event::EndFor(cause) => return (ending(cause), true),
                    Event::PaidUntil(until) => self.paid_until = until,
                },
                () = clock.sleep_until(next) => {
                    let now = clock.now();
                    let silent = self.media.as_ref().and_then(Endpoint::silent_until);
                    let reached = |at: Option<Timestamp>| at.is_some_and(|at| now >= at);
                    if reached(until) {
                        return (HUNG_UP, true);
                    } else if reached(self.paid_until) {
                        return (ending(Cause::ThresholdReached), true);
                    } else if reached(silent) {
                        return (ending(Cause::RtpTimeout), true);
                    } else if reached(session) || now >= longest {
                        return (ending(Cause::SessionTimeout), true);
                    }
                }
                () = hear(self.media.as_mut(), self.inner) => {}
            }
        }
    }

    /// A request in the dialog that does not end it.
    async fn inside(&mut self, request: Box<Incoming>) {
        Box::pin(self.take_inside(*request)).await;
    }

    async fn take_inside(&mut self, request: Incoming) {
        let contact = self.stack.contact(&request);
        if let Some((interval, _)) = self.session {
            self.session = Some((interval, self.inner.app.clock.now().after(interval)));
        }
        let settings = &self.inner.config.settings;
        let mode = &self.registered.facts.trunk.media_encryption_mode;
        let offer = (!request.body().is_empty()).then(|| request.body().to_vec());
        let negotiated = negotiate(mode, settings, offer.as_deref());
        let taken_out = offer.as_deref().filter(|_| negotiated.is_err()).and_then(taken_out);
        match (request.method(), negotiated) {
            ("PRACK", _) => respond_alone(request, 200, "OK"),
            (_, Err(_)) if let Some(lines) = taken_out => {
                let Some(endpoint) = self.media.as_mut() else { return };
                endpoint.taken_out(self.inner.app.clock.now());
                let body = sdp::answer_taken_out(&lines, endpoint.address());
                self.agree(request, &contact, &body, false).await;
            }
            (_, Err(why)) => {
                if self.admits_warning("offer") {
                    tracing::warn!(%why, call_id = request.call_id(), "a new offer was refused; the call stays as it is");
                }
                respond_alone(request, settings.codec_reject, "Not Acceptable Here");
            }
            (_, Ok(media)) => {
                let offers = media.is_none() && request.method() == "INVITE";
                let body = if offers { self.offer() } else { self.renegotiated(media.as_ref()).await };
                self.agree(request, &contact, &body, offers).await;
            }
        }
    }

    /// Agrees to a request in the dialog; an answer to an offer of ours comes with its ACK.
    async fn agree(&self, mut request: Incoming, contact: &str, body: &str, offers: bool) {
        let expires = self.session.map(|(interval, _)| format!("{};refresher=uac", interval.as_secs()));
        let mut headers = vec![("Contact", contact)];
        if !body.is_empty() {
            headers.push(("Content-Type", "application/sdp"));
        }
        if let Some(expires) = &expires {
            headers.extend([("Require", "timer"), ("Session-Expires", expires.as_str())]);
        }
        request.respond(200, "OK", &headers, body).await;
        let (inner, key) = (Arc::clone(self.inner), Key::of(&request));
        tokio::spawn(async move {
            request.confirmed().await;
            let answer = request.take_acknowledgement();
            if let (true, Some(key)) = (offers && !answer.is_empty(), key) {
                inner.calls.answer(&key, answer);
            }
        });
    }

    fn offer(&self) -> String {
        self.media.as_ref().map(|endpoint| sdp::offer(endpoint.address())).unwrap_or_default()
    }

    /// Takes the answer to an offer of ours. One that does not fit leaves the media where it was.
    async fn answered_offer(&mut self, answer: &[u8]) {
        let mode = &self.registered.facts.trunk.media_encryption_mode;
        match negotiate(mode, &self.inner.config.settings, Some(answer)) {
            Ok(Some(media)) => {
                if let Some(endpoint) = self.media.as_mut() {
                    endpoint.negotiated(self.inner, &media, self.inner.app.clock.now()).await;
                }
            }
            Ok(None) if self.admits_warning("no answer") => {
                tracing::warn!("an offer was acknowledged without an answer; media goes nowhere");
            }
            Err(why) if self.admits_warning("answer") => {
                tracing::warn!(%why, "the answer to an offer does not fit; media stays where it was");
            }
            Ok(None) | Err(_) => {}
        }
    }

    /// Whether a warning about the media of the trunk's calls is written now.
    fn admits_warning(&self, what: &str) -> bool {
        self.inner.sums.media.admits((&self.facts().trunk.name, what), self.inner.app.clock.now())
    }

    async fn renegotiated(&mut self, media: Option<&Media>) -> String {
        let (Some(media), Some(endpoint)) = (media, self.media.as_mut()) else { return String::new() };
        endpoint.negotiated(self.inner, media, self.inner.app.clock.now()).await;
        sdp::answer(media, endpoint.address(), &self.inner.app.ids.media_key())
    }
}

/// Refuses a call that is let through and cannot be put up.
async fn refuse(mut request: Incoming, ending: Ending) -> Box<Unanswered> {
    request.respond(ending.code, reason_phrase(ending.code), &[], "").await;
    Box::new(Unanswered { ending, request })
}

fn refused_by_far_end(code: u16) -> Ending {
    let known =
        [Cause::Forbidden, Cause::BusyHere, Cause::Decline].into_iter().find(|cause| cause.code() == code);
    Ending { cause: known.map_or(code, Cause::id), code, reason: reason_phrase(code) }
}

/// The interval that the caller asks for, if both sides know session timers.
fn session_interval(request: &Incoming) -> Option<Duration> {
    let supported = request.values("Supported").any(|value| value.contains("timer"));
    let seconds: u64 = request.value("Session-Expires")?.split(';').next()?.trim().parse().ok()?;
    supported.then(|| Duration::from_secs(seconds.max(MIN_SESSION)))
}

async fn hear(media: Option<&mut Endpoint>, inner: &Inner) {
    match media {
        Some(media) => media.hear(inner).await,
        None => std::future::pending().await,
    }
}

/// Answers a request whose transaction nobody else waits for.
fn respond_alone(request: Incoming, code: u16, phrase: &'static str) {
    tokio::spawn(async move { request.finish(code, phrase, &[]).await });
}

/// Ends a dialog from our side. The BYE is under way when the call leaves, for the server may stop then; its
/// answer need not be waited for.
async fn end_dialog(dialog: Box<Dialog>, key: &Key, ending: Ending) {
    let reason = format!("SIP;cause={};text=\"{}\"", ending.code, ending.reason);
    dialog.bye(&key.call_id, &reason).await;
}
