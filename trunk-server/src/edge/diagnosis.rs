//! What the operator's log says about a call that did not go through.

use trunk_rules::carrier::{Challenge, Check, DigestFailure, Refusal};

use super::Inner;
use super::attempt::Parts;
use super::stack::Incoming;

/// A challenge: the first of a call is ordinary, a second one says what was wrong with the answer.
pub(super) fn challenged(request: &Incoming, challenge: &Challenge) {
    let (source, call_id) = (request.source(), request.call_id());
    let trunk = challenge.trunk.as_ref().map(|trunk| trunk.name.to_string()).unwrap_or_default();
    if challenge.failure == DigestFailure::NoHeader {
        tracing::debug!(%source, call_id, "challenged");
    } else {
        tracing::warn!(%source, call_id, trunk, why = %challenge.failure, "challenged again");
    }
}

pub(super) fn refused(inner: &Inner, request: &Incoming, parts: &Parts<'_>, refusal: &Refusal) {
    let (source, call_id) = (request.source(), request.call_id());
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
