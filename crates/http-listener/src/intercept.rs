//! What a listener asks before a request reaches its router, and how it ends a connection in place of an answer.

use std::fmt;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use http::Request;
use service_base::boxed::Boxed;

/// What stands between a listener and its router while it is active.
pub trait Intercept: fmt::Debug + Send + Sync {
    /// Whether requests are to pass through [`serve`](Self::serve). It is asked for each request, so it must cost next to nothing.
    fn is_active(&self) -> bool;

    /// Serves a request with the router, or in place of it. A response with [`Abort`] among its extensions is not sent.
    fn serve(&self, request: Request<Body>, router: Router) -> Boxed<'static, Response>;
}

/// Ends the connection of a request in place of an answer; over HTTP/2, its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Abort {
    /// The connection is closed as if the server had nothing more to say.
    Close,
    /// The connection is reset: what is on its way is lost.
    Reset,
}

/// The error with which a service ends its connection.
#[derive(Debug, thiserror::Error)]
#[error("the connection was ended on purpose")]
pub(crate) struct Aborted;
