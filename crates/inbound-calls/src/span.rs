//! The span of a call to a DID, for an exporter of traces: from its admission to its end. It contains no telephone
//! numbers.
//!
//! It is held and never entered, so that its cost for a live call is negligible.

use service_base::trace;
use tracing::Span;
use tracing::field::{Empty, display};

use crate::record::InboundCall;

/// Begins the span of a call, which is disabled without an exporter of traces.
pub(crate) fn begin(call: &InboundCall) -> Span {
    if !trace::is_installed() {
        return Span::none();
    }
    let span = tracing::info_span!(
        target: trace::TARGET,
        "inbound call",
        "otel.name" = "call to a DID",
        "otel.kind" = "client",
        "call.id" = %call.id,
        "account.id" = Empty,
        "did.id" = Empty,
        "trunk.id" = Empty,
        "call.is_answered" = Empty,
        "call.seconds" = Empty,
        "call.attempts" = Empty,
        "call.disconnect_code" = Empty,
        "call.hung_up_by" = Empty,
    );
    record_id(&span, "account.id", call.account);
    record_id(&span, "did.id", call.did);
    span
}

/// Records the end of the call in the span. The span ends when it is dropped.
pub(crate) fn record_end(span: &Span, call: &InboundCall) {
    if span.is_disabled() {
        return;
    }
    record_id(span, "trunk.id", call.voice_in_trunk);
    span.record("call.is_answered", call.time_connect.is_some());
    span.record("call.seconds", i64::try_from(call.duration).unwrap_or(i64::MAX));
    span.record("call.attempts", i64::try_from(call.attempts.len()).unwrap_or(i64::MAX));
    span.record("call.disconnect_code", i64::from(call.disconnect_code.unwrap_or_default()));
    span.record("call.hung_up_by", call.disconnect_initiator.as_deref().unwrap_or_default());
}

fn record_id(span: &Span, field: &'static str, id: Option<uuid::Uuid>) {
    if let Some(id) = id {
        span.record(field, display(id));
    }
}
