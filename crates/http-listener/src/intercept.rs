//! An interceptor between a listener and its handler, and ending a connection instead of responding.

use std::fmt;

use axum::body::Body;
use axum::response::Response;
use http::Request;
use service_base::boxed::Boxed;

use crate::handler::Handler;

/// Intercepts requests between a listener and its handler while it is active.
pub trait Intercept: fmt::Debug + Send + Sync {
    /// Whether requests must pass through [`serve`](Self::serve). It is called for each request, so it must be cheap.
    fn is_active(&self) -> bool;

    /// Serves a request with the handler, or in place of it. A response with [`Abort`] among its extensions is not
    /// sent.
    fn serve<'a>(&'a self, request: Request<Body>, handler: &'a Handler) -> Boxed<'a, Response>;
}

/// Ends the connection of a request instead of responding; over HTTP/2, its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Abort {
    /// The connection is closed in order, after the data that was sent.
    Close,
    /// The connection is reset: data that the client has not received yet is lost.
    Reset,
}

/// The error with which a service ends its connection.
#[derive(Debug, thiserror::Error)]
#[error("a fault ended the connection")]
pub(crate) struct Aborted;
