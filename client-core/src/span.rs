//! The one span of a request.

/// The names of what is told about a request at its end; the span that [`request_span!`](crate::request_span)
/// makes has fields of these names.
#[derive(Debug, Clone, Copy)]
pub struct SpanFields {
    /// How often it was sent.
    pub attempts: &'static str,
    /// The service's own name for it.
    pub request_id: &'static str,
}

/// Makes the span of a request: method, path and template now, status, attempts and request id at its end.
///
/// A macro, because a span's names are part of its place in the program.
#[macro_export]
macro_rules! request_span {
    ($service:literal, $attempts:literal, $request_id:literal, $method:expr, $template:expr, $path:expr $(,)?) => {
        $crate::macro_support::tracing::info_span!(
            $service,
            "http.request.method" = $method.as_str(),
            "url.template" = $template,
            "url.path" = $path,
            "http.response.status_code" = $crate::macro_support::tracing::field::Empty,
            $attempts = $crate::macro_support::tracing::field::Empty,
            $request_id = $crate::macro_support::tracing::field::Empty,
        )
    };
}
