//! The handling of a request that all APIs share: its id, its duration, and a response even if the handler panics.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use futures_util::FutureExt as _;
use http::HeaderValue;
use http::request::Parts;
use service_base::trace;
use service_core::Core;

use crate::request_id::{REQUEST_ID, RequestIds};

/// A request that is being served.
#[derive(Debug)]
pub struct Exchange {
    /// The request without its body.
    pub parts: Parts,
    /// The id of the request, for the log and the response.
    pub request_id: String,
    /// When it began, as a reading of the stopwatch.
    started: Duration,
}

/// A handler panicked. The request may have had an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Panicked;

impl Exchange {
    /// Begins to serve a request. The caller's `ids` decide on the request's id.
    pub fn begin(request: Request, core: &Core, ids: &RequestIds) -> (Self, Body) {
        let (parts, body) = request.into_parts();
        let request_id = ids.of(&parts.headers, &core.ids);
        trace::record("request.id", &request_id);
        (Self { parts, request_id, started: core.clock.stopwatch() }, body)
    }

    /// Returns the result of a handler. A panic of the handler is logged, and becomes the API's own error.
    ///
    /// # Errors
    /// The handler's error, or the one for a panic.
    pub fn run<T, E: From<Panicked>>(
        &self,
        handler: impl Future<Output = Result<T, E>>,
    ) -> impl Future<Output = Result<T, E>> {
        // Not an `async fn`: its future would hold the handler twice, as its argument and as the future that it awaits.
        AssertUnwindSafe(handler).catch_unwind().map(|outcome| {
            outcome.unwrap_or_else(|_| {
                let (method, path, request_id) =
                    (&self.parts.method, self.parts.uri.path(), &self.request_id);
                tracing::error!(%method, path, request_id, "a handler panicked");
                Err(Panicked.into())
            })
        })
    }

    /// Returns the time since the request began.
    pub fn runtime(&self, core: &Core) -> Duration {
        core.clock.stopwatch().saturating_sub(self.started)
    }

    /// Adds the id of the request to its response.
    #[must_use]
    pub fn finish(self, mut response: Response) -> Response {
        // A generated id, and a client's that is safe, are valid in a header.
        if let Ok(id) = HeaderValue::try_from(self.request_id) {
            response.headers_mut().insert(REQUEST_ID, id);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    struct Failed;

    impl From<Panicked> for Failed {
        fn from(_: Panicked) -> Self {
            Self
        }
    }

    #[tokio::test]
    async fn a_handler_that_panics_has_the_apis_own_error() {
        let (parts, ()) = http::Request::new(()).into_parts();
        let exchange = Exchange { parts, request_id: "id-1".to_owned(), started: Duration::ZERO };
        assert_eq!(exchange.run(async { Ok::<_, Failed>(1) }).await, Ok(1));
        assert_eq!(exchange.run(async { Err::<u8, _>(Failed) }).await, Err(Failed));
        let outcome = exchange.run::<u8, Failed>(async { panic!("on purpose") }).await;
        assert_eq!(outcome, Err(Failed));
        let response = exchange.finish(Response::new(Body::empty()));
        assert_eq!(response.headers().get("x-request-id").unwrap(), "id-1");
    }
}
