//! A call attempt: ask the rules, then challenge, refuse or put it through.

use std::sync::Arc;

use trunk_rules::carrier::{Challenge, NoncesAt, Refusal, Snapshot, Verdict, admit_and_hold};

use super::attempt::Parts;
use super::record::CallRecord;
use super::stack::{Incoming, Stack};
use super::{Counters, Inner, call, diagnosis};

pub(super) async fn serve(inner: &Arc<Inner>, stack: &Arc<Stack>, mut request: Incoming) {
    request.trying().await;
    let parts = Parts::of(&request, &inner.config.settings);
    let started = inner.app.clock.now();
    let (verdict, channel) = inner.decide(&parts);
    match (verdict, channel) {
        (Verdict::Admitted(admitted), Some(channel)) => {
            Counters::count(&inner.counters.admitted);
            call::run(inner, stack, request, *admitted, channel, started).await;
        }
        (Verdict::Challenged(challenge), _) => {
            Counters::count(&inner.counters.challenged);
            challenged(inner, request, &challenge).await;
        }
        (Verdict::Refused(refusal), _) => {
            Counters::count(&inner.counters.refused);
            refused(inner, request, &parts, &refusal, started).await;
        }
        (Verdict::Admitted(_), None) => request.finish(500, "Server Internal Error", &[]).await,
    }
}

impl Inner {
    /// Asks the rules, and takes the channel of a call that is admitted in the same step.
    fn decide(&self, parts: &Parts) -> (Verdict, Option<trunk_rules::carrier::Channel>) {
        let now = self.app.clock.now();
        let settings = &self.config.settings;
        let nonces = NoncesAt { key: &self.nonces.0, now, ttl: settings.nonce_ttl };
        let trunks = self.trunks.read();
        let snapshot = Snapshot {
            trunks: &trunks.index,
            settings,
            nonces: &nonces,
            rates: Some(&self.config.rates),
            now,
            random: self.app.ids.word(),
        };
        parts.ask(|attempt| admit_and_hold(&snapshot, attempt))
    }
}

async fn challenged(inner: &Inner, request: Incoming, challenge: &Challenge) {
    diagnosis::challenged(&request, challenge);
    let settings = &inner.config.settings;
    let nonce = inner.nonces.0.issue(inner.app.clock.now(), inner.app.ids.word());
    let values = challenge.headers(settings, &nonce);
    let headers: Vec<(&str, &str)> =
        values.iter().map(|value| (settings.challenge_header(), value.as_str())).collect();
    request.finish(challenge.code, challenge.phrase, &headers).await;
}

async fn refused(
    inner: &Arc<Inner>,
    request: Incoming,
    parts: &Parts,
    refusal: &Refusal,
    started: didww_types::Timestamp,
) {
    diagnosis::refused(inner, &request, parts, refusal);
    let (reason, why) = (refusal.reason(), refusal.diagnosis());
    let headers: &[(&str, &str)] = if inner.config.settings.diagnostic_headers {
        &[("Reason", &reason), (Refusal::DIAGNOSIS_HEADER, &why)]
    } else {
        &[]
    };
    if refusal.is_recorded()
        && let Some(trunk) = &refusal.trunk
    {
        let record = CallRecord::of_refusal(inner, &request, parts, trunk, refusal, started);
        inner.spend.record(inner, trunk, record).await;
    }
    request.finish(refusal.code, refusal.phrase, headers).await;
}
