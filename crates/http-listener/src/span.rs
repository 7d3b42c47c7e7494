//! The span of a request, for an exporter of traces: from the complete head to the head of the response.
//!
//! A route's handlers add the id of the request, and the account or customer that sends it. The health endpoints have
//! no spans, and neither does a listener that does not know its routes.

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use http::{Request, StatusCode};
use service_base::boxed::Boxed;
use service_base::trace;
use tracing::field::Empty;
use tracing::{Instrument as _, Span};

use crate::context::ListenerContext;
use crate::handler::Handler;
use crate::health::HEALTH_PATHS;
use crate::intercept::Intercept;
use crate::request_counts::name_of;

/// Begins the span of a request. `None` without an exporter of traces. In a box, because the future of every request
/// has room for it.
pub(crate) fn begin<B>(listener: &ListenerContext, request: &Request<B>) -> Option<Box<Span>> {
    if !trace::is_installed() {
        return None;
    }
    let counts = listener.counts.as_ref()?;
    let path = request.uri().path();
    if HEALTH_PATHS.contains(&path) {
        return None;
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
    Some(Box::new(span))
}

/// Serves a request inside its span. It is a function of its own because the futures of requests without a span would
/// otherwise have a second copy of the request.
pub(crate) fn serve(
    span: &Span,
    intercept: Option<Arc<dyn Intercept>>,
    request: Request<Body>,
    handler: Handler,
) -> Boxed<'static, Response> {
    let served = async move {
        match intercept {
            Some(intercept) => intercept.serve(request, &handler).await,
            None => handler.serve(request).await,
        }
    };
    Box::pin(served.instrument(span.clone()))
}

/// Records the status of the response. A server error makes the span one.
pub(crate) fn end(span: &Span, status: StatusCode) {
    span.record("http.response.status_code", i64::from(status.as_u16()));
    if status.is_server_error() {
        span.record(trace::STATUS, trace::FAILED);
    }
}
