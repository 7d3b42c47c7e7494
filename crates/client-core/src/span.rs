//! The tracing span of a request.

/// The names of the span fields that are recorded when a request ends. The span that
/// [`request_span!`](crate::request_span) creates must have fields of these names.
#[derive(Debug, Clone, Copy)]
pub struct SpanFields {
    /// The field for the number of attempts.
    pub attempts: &'static str,
    /// The field for the `x-request-id` of the response.
    pub request_id: &'static str,
}

/// Creates the span of a request. Method, path and template are set at once; status, attempts and request id
/// are empty until [`Channel::send`](crate::Channel::send) records them.
///
/// It is a macro because `tracing` needs the names of a span and its fields at compile time.
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
