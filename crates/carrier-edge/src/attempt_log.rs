//! Log lines for the operator about attempts that were not admitted.

use didww_types::Timestamp;
use service_base::log_limiter::LogLimiter;
use trunk_rules::carrier::{Challenge, Check, DigestFailure, Refusal};

use super::Inner;
use super::attempt::Parts;
use super::stack::Incoming;

/// Log lines that callers can cause. The first ones of a minute are written, the others are summed up.
#[derive(Debug)]
pub(crate) struct LogSums {
    challenged: LogLimiter,
    refused: LogLimiter,
    unrecorded: LogLimiter,
    pub registrations: LogLimiter,
    pub media: LogLimiter,
}

impl LogSums {
    pub(crate) const fn new() -> Self {
        Self {
            challenged: LogLimiter::new("attempts were challenged again"),
            refused: LogLimiter::new("attempts were refused"),
            unrecorded: LogLimiter::new("trunks had refusals that were not recorded"),
            registrations: LogLimiter::new("registrations were refused"),
            media: LogLimiter::new("calls had problems with their media"),
        }
    }

    pub(crate) fn write_log_summaries(&self, now: Timestamp) {
        let Self { challenged, refused, unrecorded, registrations, media } = self;
        for kind in [challenged, refused, unrecorded, registrations, media] {
            kind.write_due_summary(now);
        }
    }

    /// Logs that further refusals of a trunk are not recorded in this minute.
    pub(crate) fn not_recorded(&self, trunk: &str, limit: u32, now: Timestamp) {
        if self.unrecorded.admits(trunk, now) {
            tracing::warn!(%trunk, most = limit, "no more refusals of the trunk are recorded in this minute");
        }
    }
}

/// Logs a challenge. The first one of a call is ordinary and logged at debug level; another one is logged as
/// a warning with the flaw of the digest.
pub(crate) fn challenged(inner: &Inner, request: &Incoming, challenge: &Challenge) {
    let (source, call_id) = (request.source(), request.call_id());
    let trunk = challenge.trunk.as_ref().map(|trunk| trunk.name.to_string()).unwrap_or_default();
    if challenge.failure == DigestFailure::NoHeader {
        tracing::debug!(%source, call_id, "challenged");
    } else if inner
        .log_sums
        .challenged
        .admits((source.ip(), challenge.failure.to_string()), inner.core.clock.now())
    {
        tracing::warn!(%source, call_id, trunk, why = %challenge.failure, "challenged again");
    }
}

/// Logs a refusal, with what the operator needs to correct it.
pub(crate) fn refused(inner: &Inner, request: &Incoming, parts: &Parts<'_>, refusal: &Refusal) {
    let (source, call_id) = (request.source(), request.call_id());
    if !inner.log_sums.refused.admits((source.ip(), refusal.check), inner.core.clock.now()) {
        return;
    }
    let trunk = refusal.trunk.as_ref().map(|trunk| trunk.name.to_string()).unwrap_or_default();
    let (check, configured, received) = (refusal.check, &refusal.configured, &refusal.received);
    let why = &refusal.explanation;
    match check {
        Check::Source => {
            let nearest = inner.trunks.read().index.nearest_network(source.ip());
            let nearest = nearest.map_or_else(|| "none".to_owned(), |network| network.to_string());
            tracing::warn!(%source, call_id, nearest, why, code = refusal.code, "refused: unknown address");
        }
        Check::Cli => {
            let from = parts.from();
            tracing::warn!(%source, call_id, trunk, %check, configured, received, from, why, code = refusal.code, "refused");
        }
        Check::Capacity => {
            let id = refusal.trunk.as_ref().map(|trunk| trunk.id.to_string()).unwrap_or_default();
            let callers = inner.calls.callers_on(&id, 10);
            tracing::warn!(%source, call_id, trunk, configured, received, why, ?callers, code = refusal.code, "refused: full");
        }
        _ => tracing::warn!(
            %source, call_id, trunk, %check, configured, received, why, code = refusal.code, "refused"
        ),
    }
}
