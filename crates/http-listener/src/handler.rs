//! What serves the requests of a listener: its router, or the shortcut past it.

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, HttpBody as _};
use axum::response::Response;
use futures_util::FutureExt as _;
use http::header::CONTENT_LENGTH;
use http::{HeaderValue, Method, Request};
use service_base::boxed::Boxed;
use tower::Service as _;

/// Serves the requests of a listener.
#[derive(Debug, Clone)]
pub struct Handler {
    router: Router,
    shortcut: Option<Shortcut>,
}

/// Serves the requests below a path past the router of their listener.
///
/// A router compares a path with its routes, keeps the parameters of the path with the request, and moves the request
/// through several services in boxes of their own. Requests whose function parses the path itself need nothing of that.
#[derive(Clone)]
pub struct Shortcut {
    below: &'static str,
    serve: Arc<dyn Fn(Request<Body>) -> Boxed<'static, Response> + Send + Sync>,
}

impl Handler {
    /// Creates a handler of all requests. Those of the shortcut bypass the router.
    pub fn new(router: Router, shortcut: Option<Shortcut>) -> Self {
        Self { router, shortcut }
    }

    /// Serves a request.
    pub fn serve(&self, request: Request<Body>) -> Boxed<'static, Response> {
        match &self.shortcut {
            Some(shortcut) if shortcut.takes(&request) => (shortcut.serve)(request),
            // A router is always ready.
            _ => Box::pin(self.router.clone().call(request).map(|served| match served {
                Ok(response) => response,
                Err(never) => match never {},
            })),
        }
    }
}

impl From<Router> for Handler {
    fn from(router: Router) -> Self {
        Self::new(router, None)
    }
}

impl Shortcut {
    /// Creates a shortcut for the paths that begin with `below`, such as `/v3/`. The router should have no other
    /// handler for them.
    pub fn new<F>(below: &'static str, serve: impl Fn(Request<Body>) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Response> + Send + 'static,
    {
        Self { below, serve: Arc::new(move |request| Box::pin(serve(request).map(with_length))) }
    }

    /// Whether a request takes the shortcut. Those with the methods whose answers a router changes do not.
    fn takes(&self, request: &Request<Body>) -> bool {
        request.uri().path().starts_with(self.below)
            && !matches!(*request.method(), Method::HEAD | Method::CONNECT)
    }
}

/// States the length of the body in the response, as a router does.
fn with_length(mut response: Response) -> Response {
    if !response.headers().contains_key(CONTENT_LENGTH)
        && let Some(length) = response.body().size_hint().exact()
    {
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    response
}

impl fmt::Debug for Shortcut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shortcut").field("below", &self.below).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    #[tokio::test]
    async fn requests_below_a_path_bypass_the_router_and_their_answers_state_their_length_as_its_own_do() {
        let shortcut = Shortcut::new("/v3/", |_| async { Response::new(Body::from("past the router")) });
        let handler = Handler::new(Router::new().fallback(async || "router"), Some(shortcut));
        let served = async |method: Method, path: &str| {
            let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
            let response = handler.serve(request).await;
            let length = response.headers().get(CONTENT_LENGTH).unwrap().to_str().unwrap().to_owned();
            let body = response.into_body().collect().await.unwrap().to_bytes();
            (String::from_utf8(body.to_vec()).unwrap(), length)
        };
        let is = |text: &str, length: &str| (text.to_owned(), length.to_owned());
        for method in [Method::GET, Method::POST, Method::OPTIONS] {
            assert_eq!(served(method, "/v3/dids?page[size]=1").await, is("past the router", "15"));
        }
        for path in ["/", "/v3", "/v30/dids", "/openapi/v3/", "//v3/dids"] {
            assert_eq!(served(Method::GET, path).await, is("router", "6"), "{path}");
        }
        assert_eq!(served(Method::HEAD, "/v3/dids").await, is("", "6"), "the router removes its body");
    }

    #[tokio::test]
    async fn a_length_that_is_stated_already_stays() {
        let shortcut = Shortcut::new("/", |_| async {
            let mut response = Response::new(Body::empty());
            response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("7"));
            response
        });
        let response = Handler::new(Router::new(), Some(shortcut)).serve(Request::new(Body::empty())).await;
        assert_eq!(response.headers()[CONTENT_LENGTH], "7");
    }
}
