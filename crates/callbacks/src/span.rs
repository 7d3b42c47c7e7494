//! The span of an attempt to deliver events, for an exporter of traces.
//!
//! It contains only the host of the URL: paths and queries of callbacks often contain a secret. The receiver can
//! continue the trace, because each request of the attempt names the span in its header `traceparent`.

use service_base::trace;
use tracing::Span;
use tracing::field::{Empty, display};
use trunk_store::{EventForm, Owner};
use url::Url;

use crate::batch::Batch;
use crate::send::Outcome;

/// Begins the span of an attempt, which is disabled without an exporter of traces.
pub(crate) fn begin(batch: &Batch) -> Span {
    if !trace::is_installed() {
        return Span::none();
    }
    let form = match &batch.form {
        EventForm::Trunk { .. } => "trunk",
        EventForm::Status { .. } => "status",
        EventForm::Webhook { .. } => "webhook",
    };
    let (name, url) = (format!("callback {form}"), Url::parse(&batch.url).ok());
    let host = url.as_ref().and_then(Url::host_str).unwrap_or_default();
    let span = tracing::info_span!(
        target: trace::TARGET,
        "callback",
        "otel.name" = name.as_str(),
        "otel.kind" = "client",
        "otel.status_code" = Empty,
        "callback.form" = form,
        "callback.subject" = %batch.subject,
        "callback.events" = i64::try_from(batch.len()).unwrap_or(i64::MAX),
        "server.address" = host,
        "http.response.status_code" = Empty,
        "account.number" = Empty,
        "customer.id" = Empty,
    );
    match batch.owner() {
        Owner::Account(number) => span.record("account.number", number),
        Owner::Customer(id) => span.record("customer.id", display(id)),
    };
    span
}

/// Records the outcome of the attempt in the current span.
pub(crate) fn end(outcome: &Outcome) {
    if let Some(status) = outcome.status {
        trace::record_code("http.response.status_code", status);
    }
    if outcome.error.is_some() {
        trace::record_failure();
    }
}
