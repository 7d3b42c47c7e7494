//! The error of a request or a client that was refused before anything was sent.

use std::error::Error;
use std::fmt;

use crate::Exchange;

/// The client refused a request, or could not be built; nothing was sent.
///
/// `R` is the SDK's own reason, which includes [`SetupError`](crate::SetupError).
#[derive(Debug)]
#[non_exhaustive]
pub struct NotSent<R> {
    /// The request; `None` when the client itself could not be built.
    pub exchange: Option<Exchange>,
    /// Why nothing was sent, in the terms of the client that was used.
    pub reason: R,
}

impl<R> NotSent<R> {
    /// Creates the error for a request that was not sent.
    pub fn request(exchange: Exchange, reason: impl Into<R>) -> Self {
        Self { exchange: Some(exchange), reason: reason.into() }
    }

    /// Creates the error for a client that could not be built.
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
    /// The source of the reason. The reason itself is left out, because its text is part of this error's
    /// text.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.reason.source()
    }
}
