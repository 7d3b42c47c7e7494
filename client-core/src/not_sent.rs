//! Refused before anything was sent.

use std::error::Error;
use std::fmt;

use crate::Exchange;

/// Nothing was sent. The reasons are each SDK's own, [`SetupError`](crate::SetupError) among them.
#[derive(Debug)]
#[non_exhaustive]
pub struct NotSent<R> {
    /// The request, unless the client itself could not be built.
    pub exchange: Option<Exchange>,
    /// Why.
    pub reason: R,
}

impl<R> NotSent<R> {
    /// A request that was not sent.
    pub fn request(exchange: Exchange, reason: impl Into<R>) -> Self {
        Self { exchange: Some(exchange), reason: reason.into() }
    }

    /// A client that could not be built.
    pub fn client(reason: impl Into<R>) -> Self {
        Self { exchange: None, reason: reason.into() }
    }
}

impl<R: fmt::Display> fmt::Display for NotSent<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.exchange {
            Some(exchange) => write!(f, "{exchange} was not sent: {}", self.reason),
            None => write!(f, "the client cannot be built: {}", self.reason),
        }
    }
}

impl<R: Error> Error for NotSent<R> {
    /// What is behind the reason, whose own text is a part of this one's.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.reason.source()
    }
}
