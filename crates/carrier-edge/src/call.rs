//! One call that was let through, from its first ring to its record.
//!
//! A call that is up keeps little: what it needs of the INVITE is copied, the INVITE goes when it was acknowledged,
//! and whatever is large and short lives in a box of its own.

mod charging;

use std::sync::Arc;
use std::time::Duration;

use didww_types::Timestamp;
use trunk_rules::carrier::{Admitted, Cause, Channel, Media, reason_phrase};

use super::calls::Registered;
use super::event::Event;
use super::facts::{Facts, Key, Origin};
use super::far_end::Then;
use super::media::Endpoint;
use super::offer::Speech;
use super::record::{CallRecord, Ending};
use super::refresh::{self, Refreshing};
use super::reliable::Reliable;
use super::spend::Over;
use super::stack::{Dialog, Happened, Incoming, Stack};
use super::unacknowledged;
use super::{Inner, inspection};
use service_base::places::Place;
use service_base::summed::Summed;
use sip_transport::session_timer::Session;

/// A call that nobody ends, on hold and without a session timer, would keep its channel for ever.
const LONGEST: Duration = Duration::from_hours(24);

/// Calls for which there was no room.
static FULL: Summed = Summed::new("calls were refused: their account has as many as it may have");

const HUNG_UP: Ending = Ending { cause: 200, code: 200, reason: "Bye" };
pub(crate) const CANCELLED: Ending = Ending { cause: 487, code: 487, reason: "Request terminated (Cancel)" };

pub(crate) const fn ending(cause: Cause) -> Ending {
    Ending { cause: cause.id(), code: cause.code(), reason: cause.text() }
}

/// Takes a call from admission to its record. The channel is given back when the call is over, however it ends.
/// Returns whether the call was answered or given up by its caller: a copy of its INVITE that still comes is none.
pub(crate) async fn run(
    inner: &Arc<Inner>,
    stack: &Arc<Stack>,
    request: Incoming,
    mut admitted: Box<Admitted>,
    channel: Channel,
    started: Timestamp,
) -> bool {
    let (Some(key), Some((sequence, _))) = (Key::of(&request), request.sequence()) else {
        drop(channel);
        request.finish(400, "Bad Request", &[]).await;
        return false;
    };
    let offered = admitted.media.take().map(Box::new);
    let facts = Facts::new(key, Origin::of(inner, &request, started), sequence, *admitted);
    let registered = inner.calls.register(facts);
    let source = registered.facts.origin.source.ip();
    let mut call = Call {
        inner,
        stack,
        registered,
        media: None,
        place: None,
        unacknowledged: None,
        paid_until: None,
        speech: Speech::new(inner.core.ids.word()),
        session: None,
        least_interval: 0,
        dialog: None,
        reliable: None,
        refreshing: None,
    };
    let (ending, unconfirmed) = call.live(request, offered).await;
    let began = call.facts().connected().is_some() || ending == CANCELLED;
    call.registered.leave();
    drop(channel);
    // One that ends when nothing pays for it any more is not charged for what the clock is late.
    let now = inner.core.clock.now();
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
    began
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
    let admits = |what: &str| inner.sums.media.admits((trunk, what), inner.core.clock.now());
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

pub(crate) struct Call<'a> {
    pub inner: &'a Arc<Inner>,
    pub stack: &'a Arc<Stack>,
    pub registered: Registered<'a>,
    pub media: Option<Endpoint>,
    pub speech: Speech,
    /// The session timer.
    pub session: Option<Session>,
    /// The shortest interval in seconds that the caller takes, once it refused a shorter one.
    pub least_interval: u32,
    /// What requests of ours need.
    pub dialog: Option<Box<Dialog>>,
    /// The response before the answer that the caller confirms.
    pub reliable: Option<Box<Reliable>>,
    pub refreshing: Option<Refreshing>,
    /// Its place among the calls of its account.
    place: Option<Place<i64>>,
    /// Its place among the answers that wait to be acknowledged.
    unacknowledged: Option<unacknowledged::Place<'a>>,
    /// When it ends because nothing pays for it any more.
    pub paid_until: Option<Timestamp>,
}

/// A call that was answered.
struct Begun {
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

    /// Returns how the call ended, and its INVITE if its final response is still to be confirmed.
    async fn live(&mut self, request: Incoming, offered: Option<Box<Media>>) -> (Ending, Option<Incoming>) {
        let Begun { answered, until } = match Box::pin(self.begin(request, offered)).await {
            Ok(begun) => begun,
            Err(unanswered) => return (unanswered.ending, Some(unanswered.request)),
        };
        let (ending, owes_bye) = match answered {
            Answered::Up => self.talk(until).await,
            Answered::Ended(ending, owes_bye) => (ending, owes_bye),
        };
        if let (true, Some(dialog)) = (owes_bye, self.dialog.take()) {
            // The BYE is under way when the call leaves, for the server may stop then; its answer need not be waited for.
            let reason = format!("SIP;cause={};text=\"{}\"", ending.code, ending.reason);
            Box::pin(dialog.bye(&reason)).await;
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
            return Err(self.refuse(request, ending(Cause::NoFreePorts)).await);
        }
        self.media = Endpoint::open(self.inner, bind, advertise, &facts, offered.as_deref(), started).await;
        if self.media.is_none() {
            return Err(self.refuse(request, ending(Cause::NoFreePorts)).await);
        }
        self.dialog = request.dialog();
        if let Some(dialog) = &mut self.dialog {
            dialog.contact = self.stack.contact(&request).into();
        }
        let plan = self.inner.config.far_end.outcome(self.facts().destination);
        let description = self.description(offered.as_deref());
        if let Some(ending) = self.ring(&mut request, offered.is_some(), &description, &plan).await {
            return Err(Box::new(Unanswered { ending, request }));
        }
        let up = match plan.then {
            Then::Answer(up) => up,
            Then::NoAnswer => return Err(self.refuse(request, ending(Cause::RingingTimeout)).await),
            Then::Refuse(code) => return Err(self.refuse(request, refused_by_far_end(code)).await),
        };
        let answered = match Box::pin(self.charge(&mut request)).await {
            Ok(answered) => answered,
            Err(ending) => return Err(Box::new(Unanswered { ending, request })),
        };
        let until = up.map(|up| answered.after(up));
        // What was agreed on before is not said again where the offer was ours.
        let said = offered.is_some() || self.speech.awaits;
        let answered = self.answer(&mut request, if said { &description } else { "" }, answered).await;
        Ok(Begun { answered, until })
    }

    /// Whether the account may have one more call. An emergency call is always one of those it may have.
    fn has_room(&mut self) -> bool {
        let (accounts, facts) = (&self.inner.accounts, self.facts());
        let account = facts.account();
        let place = if facts.is_emergency { accounts.take_anyway(account) } else { accounts.take(account) };
        if place.is_none() && FULL.admits(account, self.inner.core.clock.now()) {
            let trunk = &self.facts().trunk.name;
            tracing::warn!(%trunk, "a call was refused: its account has as many calls as it may have");
        }
        self.place = place;
        self.place.is_some()
    }

    /// Answers, and waits until the caller confirms it.
    async fn answer(&mut self, request: &mut Incoming, description: &str, answered: Timestamp) -> Answered {
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
                        let ack = request.take_acknowledgement();
                        return match self.acknowledged_offer(ack).await {
                            Ok(()) => Answered::Up,
                            Err(ending) => Answered::Ended(ending, true),
                        };
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
                    Event::Answer(_) => {}
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
        headers.push(("Contact", contact.as_str()));
        if !description.is_empty() {
            headers.push(("Content-Type", "application/sdp"));
        }
        headers.extend([("Allow", super::stack::ALLOW), ("Supported", super::stack::SUPPORTED)]);
        let expires = self.agree_on_session(request, answered);
        headers.extend(expires.iter().map(|(name, value)| (*name, value.as_str())));
        request.respond(200, "OK", &headers, description).await;
    }

    /// The call is up: media, silence, session timer, whoever hangs up first. Returns whether a BYE is owed.
    async fn talk(&mut self, until: Option<Timestamp>) -> (Ending, bool) {
        let facts = Arc::clone(&self.registered.facts);
        let clock = &self.inner.core.clock;
        let longest = clock.now().after(LONGEST);
        loop {
            // A packet puts the silence off; that is looked at when it would be over, not with each packet.
            let silent = self.media.as_ref().and_then(Endpoint::silent_until);
            let session = self.session.map(|session| session.next());
            let next =
                [until, silent, session, self.paid_until].into_iter().flatten().fold(longest, Timestamp::min);
            tokio::select! {
                biased;
                Some(event) = facts.mailbox.next() => match event {
                    Event::HungUp => return (HUNG_UP, false),
                    Event::Request(inside) => self.inside(inside).await,
                    Event::Answer(ack) => if let Err(ending) = Box::pin(self.acknowledged_offer(ack)).await {
                        return (ending, true);
                    },
                    Event::End => return (HUNG_UP, true),
                    Event::EndFor(cause) => return (ending(cause), true),
                    Event::PaidUntil(until) => self.paid_until = until,
                },
                last = refresh::outcome(self.refreshing.as_mut()) => {
                    if !Box::pin(self.refreshed(last)).await {
                        return (ending(Cause::SessionTimeout), true);
                    }
                }
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
                    } else if reached(self.session.map(|session| session.ends_at)) || now >= longest {
                        return (ending(Cause::SessionTimeout), true);
                    } else if reached(session) {
                        Box::pin(self.refresh()).await;
                    }
                }
                () = hear(self.media.as_mut(), self.inner) => {}
            }
        }
    }

    /// Refuses a call that is let through and cannot be put up.
    async fn refuse(&self, mut request: Incoming, ending: Ending) -> Box<Unanswered> {
        let header = inspection::header_of(ending.code, self.inner.core.ids.word());
        let headers: Vec<(&str, &str)> = header.iter().map(|(name, value)| (*name, value.as_str())).collect();
        request.respond(ending.code, reason_phrase(ending.code), &headers, "").await;
        Box::new(Unanswered { ending, request })
    }
}

fn refused_by_far_end(code: u16) -> Ending {
    let known =
        [Cause::Forbidden, Cause::BusyHere, Cause::Decline].into_iter().find(|cause| cause.code() == code);
    Ending { cause: known.map_or(code, Cause::id), code, reason: reason_phrase(code) }
}

async fn hear(media: Option<&mut Endpoint>, inner: &Inner) {
    match media {
        Some(media) => media.hear(inner).await,
        None => std::future::pending().await,
    }
}
