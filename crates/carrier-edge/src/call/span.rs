//! The span of an admitted call, for an exporter of traces: from its admission to its end. It contains no telephone
//! numbers.
//!
//! It is held and never entered, so that its cost for an active call is negligible.

use service_base::trace;
use tracing::Span;
use tracing::field::Empty;

use crate::call_state::CallState;
use crate::record::CallRecord;

/// Begins the span of a call. `None` without an exporter of traces. Boxed, because each active call holds one.
pub(super) fn begin(call_state: &CallState) -> Option<Box<Span>> {
    if !trace::is_installed() {
        return None;
    }
    let span = tracing::info_span!(
        target: trace::TARGET,
        "call",
        "otel.name" = "call through a trunk",
        "otel.kind" = "server",
        "call.id" = %call_state.origin.id,
        "trunk.id" = call_state.trunk.id.as_str(),
        "account.number" = call_state.account(),
        "network.transport" = call_state.origin.protocol,
        "call.is_emergency" = call_state.is_emergency,
        "call.is_answered" = Empty,
        "call.seconds" = Empty,
        "call.disconnect_code" = Empty,
        "call.disconnect_cause" = Empty,
        "call.hung_up_by" = Empty,
    );
    Some(Box::new(span))
}

/// Ends the span of a call that has this record.
pub(super) fn end(span: Option<Box<Span>>, record: &CallRecord) {
    let Some(span) = span else { return };
    span.record("call.is_answered", record.success);
    span.record("call.seconds", i64::try_from(record.duration).unwrap_or(i64::MAX));
    span.record("call.disconnect_code", i64::from(record.disconnect_code));
    span.record("call.disconnect_cause", i64::from(record.disconnect_cause));
    span.record("call.hung_up_by", record.hung_up_by.unwrap_or_default());
}
