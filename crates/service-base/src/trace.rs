//! Tracing spans of the server's operations, for an exporter that the program may install. Without an exporter no span
//! is created, so that the subscriber of a program that embeds the server receives none.
//!
//! A span has ids, names of routes and kinds, methods, codes and numbers. It never has a secret, a telephone number, a
//! body or a URL: spans are sent to a program on another machine. Log lines are not part of spans.

use std::fmt::Display;
use std::sync::OnceLock;

use http::{HeaderMap, HeaderName, HeaderValue};
use tracing::Span;

/// The target of the spans, which distinguishes them from the lines of the log and from the spans of libraries.
pub const TARGET: &str = "trunk_span";

/// The header that names a trace and a span of another service (W3C Trace Context).
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The field that states whether the operation of a span has failed; then its value is [`FAILED`].
pub const STATUS: &str = "otel.status_code";
/// The value of [`STATUS`] after a failure.
pub const FAILED: &str = "ERROR";

/// How an exporter exchanges the ids of spans with other services.
#[derive(Debug, Clone, Copy)]
pub struct Propagation {
    /// Makes a new span the child of the one that a value of [`TRACEPARENT`] names. A value that cannot be read has no
    /// effect.
    pub follow: fn(&Span, &str),
    /// Returns the value of [`TRACEPARENT`] for requests that a span causes.
    pub traceparent: fn(&Span) -> Option<String>,
}

/// Set once, beside the process's subscriber, which is set once too.
static INSTALLED: OnceLock<Propagation> = OnceLock::new();

/// Enables spans, after the subscriber that reads them was installed. Only the first call has an effect.
pub fn install(propagation: Propagation) {
    let _already_installed = INSTALLED.set(propagation);
}

/// Returns true if an exporter reads the spans.
pub fn is_installed() -> bool {
    INSTALLED.get().is_some()
}

/// Makes the new span of a request the child of the one that its headers name.
pub fn follow(span: &Span, headers: &HeaderMap) {
    let Some(installed) = INSTALLED.get() else { return };
    let mut values = headers.get_all(TRACEPARENT).iter();
    // If there are several values, none can be trusted.
    if let (Some(value), None) = (values.next(), values.next())
        && let Ok(text) = value.to_str()
    {
        (installed.follow)(span, text);
    }
}

/// Returns the value of [`TRACEPARENT`] for a request that the current span causes; `None` without an exporter.
pub fn traceparent() -> Option<HeaderValue> {
    let installed = INSTALLED.get()?;
    let text = (installed.traceparent)(&Span::current())?;
    HeaderValue::from_str(&text).ok()
}

/// Records a field of the current span, which must have declared it; else nothing happens.
pub fn record(field: &'static str, value: impl Display) {
    if is_installed() {
        Span::current().record(field, tracing::field::display(value));
    }
}

/// Records a code of a protocol in a field of the current span, as a number.
pub fn record_code(field: &'static str, code: u16) {
    if is_installed() {
        Span::current().record(field, i64::from(code));
    }
}

/// Records in the current span that its operation failed.
pub fn record_failure() {
    record(STATUS, FAILED);
}
