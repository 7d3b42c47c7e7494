//! The span of a request, for an exporter of traces: from the complete head to the head of the response.
//!
//! A route's handlers add the id of the request, and the account or customer that sends it. The health endpoints have no
//! spans, and neither does a listener that does not know its routes.

use http::{Request, StatusCode};
use service_base::trace;
use tracing::Span;
use tracing::field::Empty;

use crate::context::ListenerContext;
use crate::health::HEALTH_PATHS;
use crate::request_counts::name_of;

/// Begins the span of a request. Without an exporter of traces it is none.
pub(crate) fn begin<B>(listener: &ListenerContext, request: &Request<B>) -> Span {
    let path = request.uri().path();
    let Some(counts) = listener.counts.as_ref().filter(|_| trace::is_installed()) else {
        return Span::none();
    };
    if HEALTH_PATHS.contains(&path) {
        return Span::none();
    }
    let (method, route) = (name_of(request.method()), counts.template(counts.route(path)));
    let name = format!("{method} {route}");
    let span = tracing::info_span!(
        target: trace::TARGET,
        "request",
        "otel.name" = name.as_str(),
        "otel.kind" = "server",
        "otel.status_code" = Empty,
        "http.request.method" = method,
        "http.route" = route,
        "http.response.status_code" = Empty,
        "listener" = counts.listener(),
        "request.id" = Empty,
        "account.id" = Empty,
        "customer.id" = Empty,
    );
    trace::follow(&span, request.headers());
    span
}

/// Records the status of the response. A server error makes the span one.
pub(crate) fn end(span: &Span, status: StatusCode) {
    if span.is_disabled() {
        return;
    }
    span.record("http.response.status_code", i64::from(status.as_u16()));
    if status.is_server_error() {
        span.record(trace::STATUS, trace::FAILED);
    }
}
