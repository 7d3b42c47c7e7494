//! The span of a call of the platform, for an exporter of traces: from its first INVITE to its end. It contains no
//! telephone numbers.
//!
//! It is held and never entered, so that its cost for an active call is negligible.

use service_base::trace;
use tracing::Span;
use tracing::field::Empty;

use crate::entity::Entity;
use crate::records::calls::Calls;

/// Begins the span of a call, which is disabled without an exporter of traces.
pub(crate) fn begin(call: &Entity<Calls>) -> Span {
    if !trace::is_installed() {
        return Span::none();
    }
    tracing::info_span!(
        target: trace::TARGET,
        "platform call",
        "otel.name" = "call through a provider",
        "otel.kind" = "client",
        "call.id" = %call.id,
        "customer.id" = %call.customer,
        "call.is_answered" = Empty,
        "call.attempts" = Empty,
        "call.hung_up_by" = Empty,
        "call.hangup_reason" = Empty,
    )
}

/// Records in the span how the call ended. The span ends when it is dropped.
pub(crate) fn record_end(span: &Span, call: &Entity<Calls>) {
    if span.is_disabled() {
        return;
    }
    span.record("call.is_answered", call.public.tm_progressing.is_some());
    span.record("call.attempts", i64::try_from(call.private.tries.len()).unwrap_or(i64::MAX));
    if let Some(by) = &call.public.hangup_by {
        span.record("call.hung_up_by", by.as_str());
    }
    if let Some(reason) = &call.public.hangup_reason {
        span.record("call.hangup_reason", reason.as_str());
    }
}
