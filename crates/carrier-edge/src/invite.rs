//! An INVITE outside of a dialog: evaluates the rules, then challenges, refuses or runs the call.

use std::sync::Arc;

use didww_types::Timestamp;
use service_core::channels::{NoChannel, SharedChannel};
use tokio::sync::OwnedSemaphorePermit;
use trunk_rules::carrier::{
    Admitted, Attempt, Cause, Challenge, Channel, Check, DigestFailure, Identified, Nonces, Refusal,
    Snapshot, TrunkTerms, Verdict, admit_and_hold, identify, reason_phrase, sentence,
};

use super::attempt::{Parts, TWILIO_HEADER, sent_digest};
use super::attempt_log;
use super::billing::{FundsAt, RecordOf};
use super::call::{Channels, Start};
use super::call_state::Origin;
use super::calls::StopGuard;
use super::diagnosis::refuse_unchecked;
use super::digest_guesses::DigestAttempt;
use super::inner::{Counters, Inner};
use super::inspection::Header;
use super::nonce_counts::CountedNonces;
use super::rates::RatesOf;
use super::record::CallRecord;
use super::refusal_record_limit::RecordDecision;
use super::stack::{Incoming, Stack};

/// The next step for an attempt. It borrows nothing from the INVITE.
enum Step {
    /// It has a channel of its trunk, and a slot among the active calls of the server.
    Run(Box<Admitted>, Channel, OwnedSemaphorePermit),
    Challenge(Box<Challenge>),
    Refuse(Box<Refusal>, Option<Header>, Option<Box<CallRecord>>),
    /// It is not answered, because its source sent too many wrong digests.
    Drop,
    /// The rules admitted the call without a channel, which must not happen; it is answered with 500.
    WithoutChannel,
}

/// An admitted call that can run, with what it holds until its end.
pub(crate) struct Ready<'a> {
    pub(crate) start: Box<Start<'a>>,
    /// Its slot among the active calls of the server.
    pub(crate) slot: OwnedSemaphorePermit,
}

/// Serves an INVITE outside of a dialog until its transaction has ended, or returns its call.
pub(crate) async fn serve<'a>(
    inner: &'a Arc<Inner>,
    stack: &Arc<Stack>,
    mut request: Incoming,
) -> Option<Ready<'a>> {
    let Some(pending) = inner.merged_requests.begin(&request, inner.core.clock.stopwatch()) else {
        Box::pin(refuse_unchecked(inner, request, 482, MERGED)).await;
        return None;
    };
    let started = inner.core.clock.now();
    let step = inner.decide(&request, started);
    let trunk = match &step {
        Step::Run(admitted, ..) => Some(&admitted.trunk),
        Step::Refuse(refusal, ..) => refusal.trunk.as_ref(),
        _ => None,
    };
    if let Some(trunk) = trunk {
        stack.assign_messages(&request, trunk.id.as_str());
    }
    if matches!(step, Step::Drop) {
        return None;
    }
    // The caller receives 100, and would wait for a final response.
    let stop_guard = inner.calls.delay_stop();
    request.trying().await;
    let (step, shared) = match step {
        Step::Run(admitted, channel, slot) if inner.channels.is_some() => {
            Box::pin(inner.share(&request, admitted, channel, slot, started)).await
        }
        step => (step, None),
    };
    match step {
        // Each future is boxed, so that a short one does not take the memory of the largest.
        Step::Run(admitted, channel, slot) => {
            Counters::count(&inner.counters.admitted);
            let channel = Channels { own: channel, shared: shared.map(Box::new), stop_guard };
            let start = Box::new(Start { request, admitted, channel, started, pending });
            return Some(Ready { start, slot });
        }
        Step::Challenge(challenge) => {
            // Some clients answer a challenge with the same `CSeq` number, which must not count as a merged
            // request.
            drop((pending, stop_guard));
            Box::pin(challenged(inner, request, challenge)).await;
        }
        Step::Refuse(refusal, header, record) => {
            // A proxy that tries its next destination sends the INVITE again, as soon as it has the refusal.
            drop(pending);
            Box::pin(refused(inner, request, refusal, header, record, stop_guard)).await;
        }
        Step::WithoutChannel => Box::pin(refuse_unchecked(inner, request, 500, NO_CHANNEL)).await,
        Step::Drop => {}
    }
    None
}

const MERGED: &str =
    "the same INVITE arrived over another path before: a proxy forked it, or it runs in a loop";
const NO_CALL_SLOT: &str =
    "the server has as many active calls as it can have, of all accounts together (calls)";

const NOT_COUNTED: &str = "the database cannot be reached, and the trunk has no channel left at this server; its operator must bring it back";

const NO_CHANNEL: &str = "the call has no channel, which must not happen";

impl Inner {
    /// Evaluates the rules, and takes the channel of an admitted call in the same step.
    fn decide(&self, request: &Incoming, now: Timestamp) -> Step {
        let settings = &self.config.settings;
        let sent = sent_digest(request, settings);
        if sent.is_absent()
            && let Err(Verdict::Challenged(challenge)) = self.identify_without_digest(request, now)
        {
            return self.challenge(request, challenge, None);
        }
        let parts = Parts::of(request, sent);
        let source = request.source().ip();
        let username = sent.username();
        let digest = self.front.digest_attempt(&sent, username.as_deref(), source, now);
        if digest.is_some_and(|digest| !self.front.may_verify(digest)) {
            return Step::Drop;
        }
        if !sent.is_absent() {
            self.unanswered_challenges.answered(source, parts.call_id().as_bytes());
        }
        let nonces = self.front.nonces_at(now);
        let (verdict, channel) = if settings.strict_nc {
            let mut counts = self.nonce_counts.lock();
            let decided =
                self.evaluate(&parts, &CountedNonces { nonces, mark: self.node_mark, counts: &counts }, now);
            if let (Verdict::Admitted(admitted), _) = &decided
                && let Identified::Digest { count } = &admitted.identified
                && let Some(nonce) = sent.nonce()
            {
                counts.record(nonce.into(), *count, now, settings.nonce_ttl);
            }
            decided
        } else {
            self.evaluate(&parts, &nonces, now)
        };
        let was_valid = match &verdict {
            Verdict::Admitted(admitted) => matches!(admitted.identified, Identified::Digest { .. }),
            Verdict::Refused(refusal) => refusal.passed.contains(Check::Digest),
            Verdict::Challenged(_) => false,
        };
        if let Some(digest) = digest.filter(|_| was_valid) {
            self.front.record_valid(digest);
        }
        match (verdict, channel) {
            (Verdict::Admitted(admitted), Some(channel)) => {
                let Ok(slot) = Arc::clone(&self.call_slots).try_acquire_owned() else {
                    drop(channel);
                    return self.refuse(request, &parts, self.without_slot(*admitted), now);
                };
                Step::Run(admitted, channel, slot)
            }
            (Verdict::Admitted(_), None) => Step::WithoutChannel,
            (Verdict::Challenged(challenge), _) => self.challenge(request, challenge, digest),
            (Verdict::Refused(refusal), _) => self.refuse(request, &parts, refusal, now),
        }
    }

    /// Identifies the trunk of a call without a digest. Of an INVITE that is challenged nothing else is read: it is
    /// the first of each call to a trunk with credentials.
    fn identify_without_digest(&self, request: &Incoming, now: Timestamp) -> Result<Identified, Verdict> {
        let attempt = Attempt {
            twilio_account_sid: request.value(TWILIO_HEADER).map(str::as_bytes),
            ..Attempt::new(request.source().ip(), request.request_uri().as_bytes(), b"")
        };
        let nonces = self.front.nonces_at(now);
        let trunks = self.trunks.read();
        let snapshot = Snapshot {
            trunks: &trunks.index,
            settings: &self.config.settings,
            nonces: &nonces,
            rates: None,
            funds: None,
            now,
            random: 0,
        };
        identify(&snapshot, &attempt)
    }

    /// Counts and traces a challenge, which is not sent if its digest is one of too many wrong ones.
    fn challenge(
        &self,
        request: &Incoming,
        challenge: Box<Challenge>,
        digest: Option<DigestAttempt<'_>>,
    ) -> Step {
        Counters::count(&self.counters.challenged);
        attempt_log::challenged(self, request, &challenge);
        let was_guessed = digest.filter(|_| challenge.failure.is_guess());
        if was_guessed.is_none_or(|digest| self.front.count_wrong(digest)) {
            Step::Challenge(challenge)
        } else {
            Step::Drop
        }
    }

    /// Counts and traces a refusal, and makes its record if it has one.
    fn refuse(&self, request: &Incoming, parts: &Parts<'_>, refusal: Box<Refusal>, now: Timestamp) -> Step {
        self.counters.count_refusal(refusal.check);
        attempt_log::refused(self, request, parts, &refusal);
        let record = refusal.trunk.as_ref().filter(|_| refusal.is_recorded());
        let record = record.filter(|trunk| self.may_record(trunk, now)).map(|trunk| {
            let origin = Origin::of(self.core.ids.record(now), request, now);
            let (pop, ended) = (&self.config.server_name, self.core.clock.now());
            Box::new(CallRecord::of_refusal(pop, origin, parts, trunk, &refusal, ended))
        });
        let header = parts.header().filter(|_| refusal.check == Check::Request);
        Step::Refuse(refusal, header, record)
    }

    /// Takes a channel of an admitted call from those that the nodes share, if there are other nodes.
    async fn share(
        &self,
        request: &Incoming,
        admitted: Box<Admitted>,
        channel: Channel,
        slot: OwnedSemaphorePermit,
        now: Timestamp,
    ) -> (Step, Option<SharedChannel>) {
        let trunk = admitted.trunk.id.as_str().parse();
        let (Some(channels), Ok(trunk)) = (&self.channels, trunk) else {
            return (Step::Run(admitted, channel, slot), None);
        };
        let settings = &self.config.settings;
        // The limit does not apply to a call that skips the check.
        let limit = admitted.trunk.capacity.filter(|_| admitted.passed.contains(Check::Capacity));
        let refusal = match channels.take(trunk, limit).await {
            Ok(shared) => return (Step::Run(admitted, channel, slot), Some(shared)),
            Err(NoChannel::Full(full)) => Box::new(Refusal::without_channel(*admitted, full, settings)),
            Err(NoChannel::Unknown) => {
                let configured = format!("capacity_limit {}", limit.unwrap_or_default());
                let received = "the calls of other servers cannot be counted".to_owned();
                unavailable(*admitted, Cause::NotRecorded, configured, received, NOT_COUNTED)
            }
        };
        drop((channel, slot));
        let parts = Parts::of(request, sent_digest(request, settings));
        (self.refuse(request, &parts, refusal, now), None)
    }

    /// The refusal of a call for which its trunk has a channel but the server has no slot.
    fn without_slot(&self, admitted: Admitted) -> Box<Refusal> {
        let limit = self.config.calls;
        let (configured, received) =
            (format!("calls {limit}"), format!("{limit} active calls of the server"));
        unavailable(admitted, Cause::NoFreePorts, configured, received, NO_CALL_SLOT)
    }
}

/// The refusal of a call that passed every check of its trunk, because the server lacks a resource.
fn unavailable(
    admitted: Admitted,
    cause: Cause,
    configured: String,
    received: String,
    explanation: &str,
) -> Box<Refusal> {
    let code = 503;
    Box::new(Refusal {
        check: Check::Capacity,
        cause,
        code,
        phrase: reason_phrase(code),
        trunk: Some(admitted.trunk),
        configured,
        received,
        explanation: sentence(explanation),
        warning: None,
        dialled: admitted.dialled,
        passed: admitted.passed,
    })
}

impl Inner {
    /// Evaluates the rules against the current trunks.
    fn evaluate(&self, parts: &Parts<'_>, nonces: &dyn Nonces, now: Timestamp) -> (Verdict, Option<Channel>) {
        let trunks = self.trunks.read();
        let snapshot = Snapshot {
            trunks: &trunks.index,
            settings: &self.config.settings,
            nonces,
            rates: Some(&RatesOf { own: &self.core.price_plans, standard: &self.config.rates }),
            funds: Some(&FundsAt { inner: self, now }),
            now,
            random: self.core.ids.word(),
        };
        admit_and_hold(&snapshot, &parts.attempt())
    }

    /// Counts a refusal of a trunk. Returns true if it is recorded.
    fn may_record(&self, trunk: &TrunkTerms, now: Timestamp) -> bool {
        let limit = self.config.refusals_recorded;
        let decision = self.refusal_record_limit.count(trunk.id.as_str(), limit, now);
        if decision == RecordDecision::FirstOmitted {
            self.log_sums.not_recorded(&trunk.name, limit, now);
        }
        if decision != RecordDecision::Recorded {
            Counters::count(&self.counters.unrecorded);
        }
        decision == RecordDecision::Recorded
    }
}

/// Sends a challenge with a new nonce.
pub(crate) async fn challenged(inner: &Inner, request: Incoming, challenge: Box<Challenge>) {
    let settings = &inner.config.settings;
    let nonce = inner.front.nonce(request.source().ip(), inner.core.clock.now());
    let values = challenge.headers(settings, &nonce);
    // The first challenge of a call is ordinary.
    let is_explained = challenge.failure != DigestFailure::NoHeader && inner.diagnoses(&request);
    let diagnosis = is_explained.then(|| challenge.diagnosis());
    let mut headers: Vec<(&str, &str)> =
        values.iter().map(|value| (settings.challenge_header(), value.as_str())).collect();
    headers.extend(diagnosis.iter().map(|why| (Refusal::DIAGNOSIS_HEADER, why.as_str())));
    request.challenge(challenge.code, challenge.phrase, &headers).await;
}

/// Sends a refusal, and writes its record if it has one.
async fn refused(
    inner: &Arc<Inner>,
    mut request: Incoming,
    refusal: Box<Refusal>,
    header: Option<Header>,
    record: Option<Box<CallRecord>>,
    stop_guard: StopGuard<'_>,
) {
    let diagnosis = inner.diagnoses(&request).then(|| (refusal.reason(), refusal.diagnosis()));
    let mut headers: Vec<(&str, &str)> = header.iter().map(|(name, value)| (*name, value.as_str())).collect();
    if let Some((reason, why)) = &diagnosis {
        headers.extend([("Reason", reason.as_str()), (Refusal::DIAGNOSIS_HEADER, why.as_str())]);
    }
    // Codes and texts of the standard: they state nothing about the trunk.
    let warning = refusal.warning.map(|warning| warning.header(&inner.config.server_name));
    headers.extend(warning.iter().map(|warning| ("Warning", warning.as_str())));
    request.respond(refusal.code, refusal.phrase, &headers, "").await;
    if let (Some(record), Some(trunk)) = (record, &refusal.trunk) {
        inner.billing.record(inner, trunk, record, RecordOf::Unanswered).await;
    }
    drop(stop_guard);
    request.wait_refusal_delivered().await;
}
