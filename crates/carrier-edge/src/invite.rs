//! A call attempt: ask the rules, then challenge, refuse or put it through.

use std::sync::Arc;

use didww_types::Timestamp;
use trunk_rules::carrier::{
    Admitted, Challenge, Channel, Check, Identified, Nonces, Refusal, Snapshot, TrunkTerms, Verdict,
    admit_and_hold, claimed_username,
};

use super::attempt::Parts;
use super::guesses::Try;
use super::inspection::Header;
use super::nonces::Counted;
use super::record::CallRecord;
use super::refusals::Room;
use super::spend::FundsAt;
use super::stack::{Incoming, Stack};
use super::{Counters, Inner, call, diagnosis};

/// What is done with an attempt. The parts of the INVITE that the rules looked at are gone by then.
enum Step {
    Run(Box<Admitted>, Channel),
    Challenge(Box<Challenge>),
    Refuse(Box<Refusal>, Option<Header>, Option<Box<CallRecord>>),
    /// Its source guesses: it is not answered.
    Drop,
    /// The rules let it through without a channel, which they never do.
    Give,
}

pub(crate) async fn serve(inner: &Arc<Inner>, stack: &Arc<Stack>, mut request: Incoming) {
    let stopwatch = || inner.core.clock.stopwatch();
    let Some(pending) = inner.merged.begin(&request, stopwatch()) else {
        return request.finish(482, "Loop Detected", &[]).await;
    };
    let started = inner.core.clock.now();
    let step = inner.decide(&request, started);
    if matches!(step, Step::Drop) {
        return;
    }
    request.trying().await;
    match step {
        // A call lives for hours, a challenge for a moment: neither pays for the other's room.
        Step::Run(admitted, channel) => {
            let Ok(place) = Arc::clone(&inner.room).try_acquire_owned() else {
                drop(channel);
                return request.finish(503, "Service Unavailable", &[]).await;
            };
            let began = Box::pin(call::run(inner, stack, request, admitted, channel, started)).await;
            drop(place);
            if began {
                pending.remember(stopwatch());
            }
        }
        Step::Challenge(challenge) => {
            // Some clients do not count on when they answer a challenge.
            drop(pending);
            challenged(inner, request, challenge).await;
        }
        Step::Refuse(refusal, header, record) => {
            Box::pin(refused(inner, request, refusal, header, record)).await;
        }
        Step::Give => request.finish(500, "Server Internal Error", &[]).await,
        Step::Drop => {}
    }
}

impl Inner {
    /// Asks the rules, and takes the channel of a call that is admitted in the same step.
    fn decide(&self, request: &Incoming, now: Timestamp) -> Step {
        let settings = &self.config.settings;
        let parts = Parts::of(request, settings);
        let source = request.source().ip();
        let name = claimed_username(parts.attempt().credentials, settings);
        let tried = name.as_deref().map(|name| Try { source, name, now });
        if tried.is_some_and(|tried| !self.front.may_try(tried)) {
            return Step::Drop;
        }
        let nonces = self.front.nonces_at(now);
        let (verdict, channel) = if settings.strict_nc {
            let mut known = self.nonce_counts.lock();
            let decided = self.ask(&parts, &Counted { nonces, known: &known }, now);
            if let (Verdict::Admitted(admitted), _) = &decided
                && let Identified::Digest { nonce, count } = &admitted.identified
            {
                known.note(nonce.clone(), *count, now, settings.nonce_ttl);
            }
            decided
        } else {
            self.ask(&parts, &nonces, now)
        };
        let was_right = match &verdict {
            Verdict::Admitted(admitted) => matches!(admitted.identified, Identified::Digest { .. }),
            Verdict::Refused(refusal) => refusal.passed.contains(Check::Digest),
            Verdict::Challenged(_) => false,
        };
        if let Some(tried) = tried.filter(|_| was_right) {
            self.front.right(tried);
        }
        match (verdict, channel) {
            (Verdict::Admitted(admitted), Some(channel)) => {
                Counters::count(&self.counters.admitted);
                Step::Run(admitted, channel)
            }
            (Verdict::Admitted(_), None) => Step::Give,
            (Verdict::Challenged(challenge), _) => {
                Counters::count(&self.counters.challenged);
                diagnosis::challenged(self, request, &challenge);
                let was_guessed = tried.filter(|_| challenge.failure.is_guess());
                if was_guessed.is_none_or(|tried| self.front.wrong(tried)) {
                    Step::Challenge(challenge)
                } else {
                    Step::Drop
                }
            }
            (Verdict::Refused(refusal), _) => {
                Counters::count(&self.counters.refused);
                diagnosis::refused(self, request, &parts, &refusal);
                let record = refusal.trunk.as_ref().filter(|_| refusal.is_recorded());
                let record = record.filter(|trunk| self.has_room(trunk, now)).map(|trunk| {
                    Box::new(CallRecord::of_refusal(self, request, &parts, trunk, &refusal, now))
                });
                let header = parts.header().filter(|_| refusal.check == Check::Request);
                Step::Refuse(refusal, header, record)
            }
        }
    }
}

impl Inner {
    fn ask(&self, parts: &Parts<'_>, nonces: &dyn Nonces, now: Timestamp) -> (Verdict, Option<Channel>) {
        let trunks = self.trunks.read();
        let snapshot = Snapshot {
            trunks: &trunks.index,
            settings: &self.config.settings,
            nonces,
            rates: Some(&self.config.rates),
            funds: Some(&FundsAt { inner: self, now }),
            now,
            random: self.core.ids.word(),
        };
        admit_and_hold(&snapshot, &parts.attempt())
    }

    /// Whether a refusal is recorded.
    fn has_room(&self, trunk: &TrunkTerms, now: Timestamp) -> bool {
        let most = self.config.refusals_recorded;
        let room = self.refusals.count(trunk.id.as_str(), most, now);
        if room == Room::Full {
            self.sums.not_recorded(&trunk.name, most, now);
        }
        if room != Room::Recorded {
            Counters::count(&self.counters.unrecorded);
        }
        room == Room::Recorded
    }
}

pub(crate) async fn challenged(inner: &Inner, request: Incoming, challenge: Box<Challenge>) {
    let settings = &inner.config.settings;
    let nonce = inner.front.nonce(request.source().ip(), inner.core.clock.now());
    let values = challenge.headers(settings, &nonce);
    let headers: Vec<(&str, &str)> =
        values.iter().map(|value| (settings.challenge_header(), value.as_str())).collect();
    request.challenge(challenge.code, challenge.phrase, &headers).await;
}

async fn refused(
    inner: &Arc<Inner>,
    mut request: Incoming,
    refusal: Box<Refusal>,
    header: Option<Header>,
    record: Option<Box<CallRecord>>,
) {
    let counted = inner.calls.count_in();
    let (reason, why) = (refusal.reason(), refusal.diagnosis());
    let mut headers: Vec<(&str, &str)> = header.iter().map(|(name, value)| (*name, value.as_str())).collect();
    // Only whom a trunk names may know what it is that a trunk refuses.
    if inner.config.settings.diagnostic_headers && inner.front.names(request.source().ip()) {
        headers.extend([("Reason", reason.as_str()), (Refusal::DIAGNOSIS_HEADER, why.as_str())]);
    }
    request.respond(refusal.code, refusal.phrase, &headers, "").await;
    if let (Some(record), Some(trunk)) = (record, &refusal.trunk) {
        inner.spend.record(inner, trunk, record, false).await;
    }
    drop(counted);
    request.refused().await;
}
