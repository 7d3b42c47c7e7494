//! One admitted call, from its first provisional response to its record.
//!
//! An answered call uses little memory: it copies what it needs of the INVITE, drops the INVITE after the
//! ACK, and boxes large futures that live briefly.

mod charging;
mod endings;
mod fault;
mod info;
mod negotiation;
mod pending_refresh;
mod refresh;
mod refusal;
mod reinvite;
mod reliable;
mod requests;
mod ringing;
mod sdp_state;
mod span;
mod start;

use std::sync::Arc;
use std::time::Duration;

use didww_types::Timestamp;
use lab::CallFault;
use service_base::log_limiter::LogLimiter;
use service_base::slots::Slot;
use sip_transport::session_timer::Session;
use tracing::Span;
use trunk_rules::carrier::{Cause, Media};

use super::attempt_log;
use super::billing::RecordOf;
use super::call_event::{CallEvent, PendingBye};
use super::call_state::CallState;
use super::calls::Registered;
use super::changes::has_lost_its_trunk;
use super::far_end::{Outcome, Then};
use super::hung_up_by::HungUpBy;
use super::inner::Inner;
use super::media::{Endpoint, receive_media};
use super::merged_requests::Pending;
use super::record::{CallRecord, Ending, FinalCharge};
use super::stack::{Dialog, Incoming, InviteEvent, Stack};
use super::unacknowledged_answers::UnacknowledgedAnswer;
use endings::{ending, hung_up, refused_by_far_end};
use pending_refresh::{PendingRefresh, Reconnecting};
use reinvite::AnsweredReinvite;
use reliable::Reliable;
use sdp_state::SdpState;

pub(crate) use start::{Channels, Start};

/// Limit of a call's duration. A call on hold without a session timer would otherwise keep its channel for
/// ever if neither side ends it.
const MAX_CALL_DURATION: Duration = Duration::from_hours(24);

/// Sums up log lines about calls beyond the limit of their account.
static ACCOUNT_LIMIT_LOG: LogLimiter =
    LogLimiter::new("accounts had calls refused at their limit of active calls");

/// Runs a call from its admission to its record. The channel is released when the call ends, for any reason.
///
/// This future lives as long as the call. What is needed only before the call is answered, or after its end, is in
/// others, which are dropped as soon as they have ended.
pub(crate) async fn run(inner: &Arc<Inner>, stack: &Arc<Stack>, start: Box<Start<'_>>) {
    let Some(Begun { held, mut call, setup }) = Box::pin(Call::begin(inner, stack, start)).await else {
        return;
    };
    let end = match Box::pin(call.ring_and_answer(setup)).await {
        Ok(hang_up_at) => {
            let (ending, owes_bye) = call.run_established(hang_up_at).await;
            End::Answered(ending, owes_bye)
        }
        Err(end) => *end,
    };
    let (unacknowledged_invite, pending) = Box::pin(finish(call, held, end)).await;
    if let Some(mut request) = unacknowledged_invite {
        // The final response to a refused or cancelled INVITE is repeated until its ACK arrives.
        Box::pin(request.wait_refusal_delivered()).await;
    }
    if let Some(pending) = pending {
        // It was answered: a copy of its INVITE that arrives later must not start a new call.
        pending.remember(inner.core.clock.stopwatch());
    }
}

/// Writes the record of a call that has ended. Returns its INVITE if the final response is not acknowledged yet, and
/// the entry of one that was answered among the pending INVITEs.
async fn finish<'a>(mut call: Call<'a>, held: Held<'a>, end: End) -> (Option<Incoming>, Option<Pending<'a>>) {
    let (inner, Held { channel, span }) = (call.inner, held);
    let (ending, unacknowledged_invite) = match end {
        End::Unanswered(ending, request) => (ending, Some(request)),
        End::Answered(ending, owes_bye) => {
            call.end_dialog(&ending, owes_bye).await;
            (ending, None)
        }
    };
    let pending = call.pending.take();
    for event in call.registered.leave() {
        match event {
            // The BYE crossed another ending of the call, which may be another BYE.
            CallEvent::HungUp(bye) => call.byes.push(bye),
            CallEvent::Request(in_dialog) => call.refuse_unread(*in_dialog),
            _ => {}
        }
    }
    drop(channel);
    // A call that a timer ends is not charged for the delay of the timer.
    let ended = inner.core.clock.now().min(call.call_state().ends_by());
    let ended = call.paid_until.map_or(ended, |until| until.min(ended));
    let charge = inner.billing.ended(call.call_state(), ended);
    let record = record_of(inner, call.call_state(), &ending, (ended, charge));
    attempt_log::ended(inner, call.call_state(), &record);
    span::end(span, &record);
    call.media = None;
    if charge.as_ref().is_none_or(|charge| charge.survives) {
        // The call costs nothing, or is charged even if the server is killed before its record is written.
        call.byes.clear();
    }
    let kind = match charge {
        None => RecordOf::Unanswered,
        Some(_) if call.byes.is_empty() => RecordOf::Answered,
        Some(_) => RecordOf::Awaited,
    };
    inner.front.record_call(call.call_state(), record.success);
    Box::pin(inner.billing.record(inner, &call.call_state().trunk, record, kind)).await;
    // Dropped only now: a stop of the edge and the answer to a BYE wait for the record too.
    drop(call);
    (unacknowledged_invite, pending)
}

/// Makes the record of an ended call, and logs problems with its media.
fn record_of(
    inner: &Inner,
    call_state: &CallState,
    ending: &Ending,
    end: (Timestamp, Option<FinalCharge>),
) -> Box<CallRecord> {
    let record =
        CallRecord::of_call(&inner.config.server_name, call_state, ending, end).with_media(call_state);
    let (trunk, call_id): (&str, &str) = (&call_state.trunk.name, &call_state.key.call_id);
    let admits = |problem: &str| inner.log_sums.media.admits((trunk, problem), inner.core.clock.now());
    if record.rtp_dropped > 0 && admits("dropped") {
        let (dropped, from) = (record.rtp_dropped, &record.rtp_dropped_from);
        tracing::warn!(
            trunk,
            call_id,
            dropped,
            ?from,
            "RTP was dropped: the sources are not in allowed_rtp_ips, or other hosts than the caller's"
        );
    }
    // Without a packet the caller may be a program that only signals: the log line of the call's end states it.
    let received = record.rtp_received;
    if let Some(why) = record.no_audio.as_deref().filter(|_| received > 0 && admits("no audio")) {
        tracing::warn!(trunk, call_id, received, why, "RTP came and none was sent");
    }
    Box::new(record)
}

/// A call that can run.
struct Begun<'a> {
    held: Held<'a>,
    call: Call<'a>,
    setup: Box<Setup>,
}

/// What a call holds from its admission to its end.
struct Held<'a> {
    channel: Channels<'a>,
    span: Option<Box<Span>>,
}

/// A call in progress: the state that its phases share.
struct Call<'a> {
    inner: &'a Arc<Inner>,
    stack: &'a Arc<Stack>,
    registered: Registered<'a>,
    /// Its INVITE among the pending ones, until the call is refused or cancelled.
    pending: Option<Pending<'a>>,
    media: Option<Endpoint>,
    sdp_state: SdpState,
    /// The last re-INVITE that was answered, until its ACK.
    reinvite: Option<Box<AnsweredReinvite>>,
    /// The session timer (RFC 4028), if one was agreed on.
    session: Option<Session>,
    /// The shortest session interval in seconds that the caller accepts; 0 until it has refused one with 422.
    min_session_interval: u32,
    /// The dialog, for requests of the edge; `None` if the INVITE had no usable contact.
    dialog: Option<Box<Dialog>>,
    /// The reliable provisional response, if one was sent.
    reliable: Option<Box<Reliable>>,
    pending_refresh: Option<Box<PendingRefresh>>,
    /// The connection that the next refresh waits for.
    reconnecting: Option<Reconnecting>,
    /// The caller's BYE, if it ended the call, and those that crossed the end, which the mailbox limits.
    byes: Vec<PendingBye>,
    /// The slot among the active calls of its account.
    account_slot: Option<Slot<i64>>,
    /// The slot among the unacknowledged answers of its source, until the ACK.
    unacknowledged: Option<Box<UnacknowledgedAnswer<'a>>>,
    /// When the call ends because its trunk's threshold allows no further charge.
    paid_until: Option<Timestamp>,
}

/// What a call is set up from. It is one pointer, because the future of the call, which lives as long as the call, has
/// room for every value that is passed through it.
struct Setup {
    request: Incoming,
    /// The media of the offer in the INVITE; `None` if the edge must make one.
    offered: Option<Box<Media>>,
    /// What the far end does.
    plan: Outcome,
    fault: Option<CallFault>,
}

/// How a call ended.
enum End {
    /// It was not answered. The final response to its INVITE is not acknowledged yet.
    Unanswered(Ending, Incoming),
    /// It was answered with 200. The second field is true if the edge must send a BYE.
    Answered(Ending, bool),
}

/// What followed the 200, up to its ACK or the end of the call.
enum AnswerOutcome {
    /// The caller acknowledged the answer.
    Acknowledged,
    /// The call ended. The second field is true if the edge must send a BYE.
    Ended(Ending, bool),
}

impl Call<'_> {
    fn call_state(&self) -> &CallState {
        &self.registered.call_state
    }

    /// Ends the dialog of an answered call.
    async fn end_dialog(&mut self, ending: &Ending, owes_bye: bool) {
        // What is still pending in the dialog goes on in tasks: neither the BYE nor the store must delay it.
        (self.reinvite, self.pending_refresh) = (None, None);
        if let (true, Some(dialog)) = (owes_bye, self.dialog.take()) {
            // The BYE is sent before the call is removed, because the server may stop right after. Its answer
            // is not awaited.
            let reason = format!("SIP;cause={};text=\"{}\"", ending.code, ending.reason);
            Box::pin(dialog.bye(&reason, self.stack.reconnections())).await;
        }
    }

    /// Rings and answers, and waits until the caller acknowledges the answer. Returns when the far end hangs up; `None`
    /// if it never does.
    ///
    /// # Errors
    /// The end of a call that was not answered, or ended before its answer was acknowledged. Boxed, because the future
    /// of the call has room for it.
    async fn ring_and_answer(&mut self, setup: Box<Setup>) -> Result<Option<Timestamp>, Box<End>> {
        let Setup { mut request, offered, plan, fault } = *setup;
        let started = self.call_state().origin.started;
        let (bind, advertise) = self.stack.media_at(&request);
        let call_state = Arc::clone(&self.registered.call_state);
        if !self.take_account_slot() {
            return Err(self.refuse(request, ending(Cause::NoFreePorts)).await);
        }
        self.media =
            Endpoint::open(self.inner, bind, advertise, &call_state, offered.as_deref(), started).await;
        if self.media.is_none() {
            return Err(self.refuse(request, ending(Cause::NoFreePorts)).await);
        }
        let loses_ack = fault.as_ref().is_some_and(|fault| fault.loses_ack);
        if let (Some(media), Some(fault)) = (&mut self.media, fault) {
            media.lose(fault.loss);
        }
        self.dialog = request.dialog();
        if let Some(dialog) = &mut self.dialog {
            dialog.contact = self.stack.contact(&request);
        }
        let description = self.description(offered.as_deref());
        if let Some(ending) = self.ring(&mut request, offered.is_some(), &description, &plan).await {
            return Err(Box::new(End::Unanswered(ending, request)));
        }
        let talk_time = match plan.then {
            Then::Answer(talk_time) => talk_time,
            Then::NoAnswer => return Err(self.refuse(request, ending(Cause::RingingTimeout)).await),
            Then::Refuse(code) => return Err(self.refuse(request, refused_by_far_end(code)).await),
        };
        if has_lost_its_trunk(self.inner, &call_state) {
            // A call that does not ring reads no events before it is answered.
            let ending = Ending { code: 503, ..ending(Cause::TrunkDeleted) };
            return Err(self.refuse(request, ending).await);
        }
        let answered = match Box::pin(self.charge(&mut request)).await {
            Ok(answered) => answered,
            Err(ending) => return Err(Box::new(End::Unanswered(ending, request))),
        };
        let hang_up_at = talk_time.map(|time| answered.after(time));
        call_state.end_by(answered.after(talk_time.unwrap_or(MAX_CALL_DURATION)));
        // If the edge made the offer and the caller answered it in PRACK, the 200 carries no description; nor does it if
        // a PRACK or an UPDATE has changed the first one, which some callers take from the 200 (RFC 3261 §13.2.1).
        let is_first = !self.sdp_state.identity.has_changed();
        let has_description = self.sdp_state.awaits_answer || (offered.is_some() && is_first);
        if loses_ack {
            request.lose_acknowledgements();
        }
        let outcome =
            self.answer(&mut request, if has_description { &description } else { "" }, answered).await;
        match outcome {
            AnswerOutcome::Acknowledged => Ok(hang_up_at),
            AnswerOutcome::Ended(ending, owes_bye) => Err(Box::new(End::Answered(ending, owes_bye))),
        }
    }

    /// Takes a slot among the active calls of the account. Returns true if there was one; an emergency call
    /// always has one.
    fn take_account_slot(&mut self) -> bool {
        let (account_slots, call_state) = (&self.inner.account_slots, self.call_state());
        let account = call_state.account();
        let account_slot = if call_state.is_emergency {
            account_slots.take_anyway(account)
        } else {
            account_slots.take(account)
        };
        if account_slot.is_none() && ACCOUNT_LIMIT_LOG.admits(account, self.inner.core.clock.now()) {
            let trunk: &str = &self.call_state().trunk.name;
            tracing::warn!(trunk, "a call was refused: its account has reached its limit of active calls");
        }
        self.account_slot = account_slot;
        self.account_slot.is_some()
    }

    /// Sends the 200, and waits until the caller acknowledges it. If the server ends the call before that, the 200 is
    /// still repeated, and a BYE follows the ACK: before it, there is no dialog for the caller that a BYE could end
    /// (RFC 3261 §15). Only a server that stops does not wait.
    async fn answer(
        &mut self,
        request: &mut Incoming,
        description: &str,
        answered: Timestamp,
    ) -> AnswerOutcome {
        self.accept(request, description, answered).await;
        let call_state = Arc::clone(&self.registered.call_state);
        call_state.connect(answered);
        if let Some(media) = &mut self.media {
            media.answered(answered).await;
        }
        let mut ended = None;
        loop {
            tokio::select! {
                biased;
                invite_event = request.next_event() => match invite_event {
                    InviteEvent::Acknowledged => {
                        self.acknowledged(answered);
                        if let Some(ending) = ended {
                            return AnswerOutcome::Ended(ending, true);
                        }
                        if self.reinvite.as_ref().is_some_and(|reinvite| reinvite.offers) {
                            // The pending offer is that of a later 200, whose ACK answers it.
                            return AnswerOutcome::Acknowledged;
                        }
                        let ack = request.take_acknowledgement();
                        return match self.acknowledged_offer(ack, true).await {
                            Ok(()) => AnswerOutcome::Acknowledged,
                            Err(ending) => AnswerOutcome::Ended(ending, true),
                        };
                    }
                    InviteEvent::Cancelled => {}
                    InviteEvent::Terminated => {
                        return AnswerOutcome::Ended(ended.unwrap_or(ending(Cause::NoAck)), true);
                    }
                },
                ack = reinvite::acknowledgement(self.reinvite.as_deref_mut()) => {
                    if let Err(ending) = Box::pin(self.reinvite_acknowledged(ack)).await {
                        ended = ended.or(Some(ending));
                    }
                }
                Some(event) = call_state.mailbox.next() => match event {
                    CallEvent::HungUp(bye) => {
                        self.byes.push(bye);
                        // The BYE carries the tag of the answer, so the caller has received the answer.
                        self.acknowledged(answered);
                        return AnswerOutcome::Ended(hung_up(HungUpBy::Caller), false);
                    }
                    CallEvent::Request(in_dialog) => self.handle_request(in_dialog).await,
                    CallEvent::End(by @ HungUpBy::Server) => return AnswerOutcome::Ended(hung_up(by), true),
                    CallEvent::End(by) => ended = ended.or(Some(hung_up(by))),
                    CallEvent::EndFor(cause) => ended = ended.or(Some(ending(cause))),
                    CallEvent::PaidUntil(until) => self.paid_until = until,
                },
                // An echo needs no proof of the address: it goes to the host that its packet came from, if at all, and
                // is no larger, so that the sender of a forged INVITE could send the same itself.
                () = receive_media(self.media.as_mut(), self.inner), if !self.sdp_state.awaits_answer => {}
            }
        }
    }

    /// Sends 200 with the headers that establish the dialog.
    async fn accept(&mut self, request: &mut Incoming, description: &str, answered: Timestamp) {
        let contact = self.stack.contact(request);
        let routes: Vec<String> = request.values("Record-Route").map(str::to_owned).collect();
        let mut headers: Vec<(&str, &str)> =
            routes.iter().map(|route| ("Record-Route", route.as_str())).collect();
        headers.push(("Contact", &*contact));
        if !description.is_empty() {
            headers.push(("Content-Type", "application/sdp"));
        }
        headers.extend([("Allow", super::stack::ALLOW), ("Supported", super::stack::SUPPORTED)]);
        let expires = self.agree_on_session(request, answered);
        headers.extend(expires.iter().map(|(name, value)| (*name, value.as_str())));
        request.respond(200, "OK", &headers, description).await;
    }

    /// Runs an acknowledged call until one side hangs up or a time limit ends it: silence, session timer,
    /// threshold, or `MAX_CALL_DURATION`. Returns how it ended, and true if the edge must send a BYE.
    async fn run_established(&mut self, hang_up_at: Option<Timestamp>) -> (Ending, bool) {
        let clock = &self.inner.core.clock;
        let longest = clock.now().after(MAX_CALL_DURATION);
        loop {
            // Each packet extends the RTP timeout. The new deadline is read only when the old one has passed.
            let silence_ends = self.media.as_ref().and_then(Endpoint::silent_until);
            let session = self.session.map(|session| session.next());
            let next = [hang_up_at, silence_ends, session, self.paid_until]
                .into_iter()
                .flatten()
                .fold(longest, Timestamp::min);
            tokio::select! {
                biased;
                // Before the mailbox: a caller that sends a request after its response expects the response to count.
                last = pending_refresh::response(self.pending_refresh.as_deref_mut()) => {
                    if let Err(ending) = Box::pin(self.refreshed(last)).await {
                        return (ending, true);
                    }
                }
                ack = reinvite::acknowledgement(self.reinvite.as_deref_mut()) => {
                    if let Err(ending) = Box::pin(self.reinvite_acknowledged(ack)).await {
                        return (ending, true);
                    }
                }
                lease = pending_refresh::connection(self.reconnecting.as_mut()) => {
                    Box::pin(self.reconnected(lease)).await;
                }
                Some(event) = self.registered.call_state.mailbox.next() => match event {
                    CallEvent::HungUp(bye) => {
                        self.byes.push(bye);
                        return (hung_up(HungUpBy::Caller), false);
                    }
                    CallEvent::Request(in_dialog) => self.handle_request(in_dialog).await,
                    CallEvent::End(by) => return (hung_up(by), true),
                    CallEvent::EndFor(cause) => return (ending(cause), true),
                    CallEvent::PaidUntil(until) => self.paid_until = until,
                },
                () = clock.sleep_until(next) => {
                    let now = clock.now();
                    let silence_ends = self.media.as_ref().and_then(Endpoint::silent_until);
                    let reached = |at: Option<Timestamp>| at.is_some_and(|at| now >= at);
                    if reached(hang_up_at) {
                        return (hung_up(HungUpBy::FarEnd), true);
                    } else if reached(self.paid_until) {
                        return (ending(Cause::ThresholdReached), true);
                    } else if reached(silence_ends) {
                        return (ending(Cause::RtpTimeout), true);
                    } else if reached(self.session.map(|session| session.ends_at)) || now >= longest {
                        return (ending(Cause::SessionTimeout), true);
                    } else if reached(session) {
                        Box::pin(self.refresh()).await;
                    }
                }
                () = receive_media(self.media.as_mut(), self.inner) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests;
