//! The ids of traces in headers of requests (W3C Trace Context). Only `traceparent` is read; the vendor-specific
//! entries of `tracestate` are dropped.

use std::collections::HashMap;

use opentelemetry::Context;
use opentelemetry::propagation::{Extractor, TextMapPropagator as _};
use opentelemetry::trace::TraceContextExt as _;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use service_base::trace::{Propagation, TRACEPARENT};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// The format of W3C.
pub(super) const W3C: Propagation = Propagation { follow, traceparent };
/// No format: each trace begins and ends in this server.
pub(super) const NONE: Propagation = Propagation { follow: |_, _| {}, traceparent: |_| None };

/// The value of `traceparent`, the only header that is read.
struct Header<'a>(&'a str);

impl Extractor for Header<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        (key == TRACEPARENT.as_str()).then_some(self.0)
    }

    fn keys(&self) -> Vec<&str> {
        vec!["traceparent"]
    }
}

fn follow(span: &Span, traceparent: &str) {
    let parent = TraceContextPropagator::new().extract_with_context(&Context::new(), &Header(traceparent));
    if parent.has_active_span() {
        // It fails only for a disabled span.
        let _disabled = span.set_parent(parent);
    }
}

fn traceparent(span: &Span) -> Option<String> {
    let mut headers: HashMap<String, String> = HashMap::new();
    TraceContextPropagator::new().inject_context(&span.context(), &mut headers);
    headers.remove(TRACEPARENT.as_str())
}
