//! The interface through which the lab uses its server.

use std::fmt;

use axum::response::Response;
use http::StatusCode;
use http::request::Parts;
use service_base::boxed::Boxed;
use uuid::Uuid;

/// The operations of a server that the lab needs.
pub trait Surroundings: fmt::Debug + Send + Sync {
    /// Finds the account whose key or token a request has. It does not count as an attempt to guess one. It may leave
    /// data that the API would look up again in the extensions.
    fn account<'a>(&'a self, request: &'a mut Parts) -> Boxed<'a, Option<Uuid>>;

    /// Makes the error response with this status of the API at a request's path.
    fn refusal(&self, request: &Parts, status: StatusCode) -> Response;

    /// Waits until the server stops.
    fn stopping(&self) -> Boxed<'_, ()>;
}
