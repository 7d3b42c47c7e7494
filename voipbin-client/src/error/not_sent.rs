//! Refused here, before anything was sent.

use std::fmt;

use client_core::{Exchange, SetupError};

use crate::Error;

/// Why a client or a request could not be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// The base URL cannot be used.
    #[error("the base URL {0}; it looks like `https://api.voipbin.net/v1.0`")]
    BaseUrl(&'static str),
    /// There is nothing to say who calls.
    #[error("there are no credentials: give an access key or a token, or log in")]
    NoCredentials,
    /// The credentials cannot be sent.
    #[error("the access key or token is empty or has characters that a header cannot carry")]
    Credentials,
    /// A timeout is none.
    #[error("a timeout is more than zero and at most an hour")]
    Timeout,
    /// The HTTP client cannot be made.
    #[error("the HTTP client cannot be made")]
    HttpClient(#[source] reqwest::Error),
    /// This build has no TLS of its own.
    #[error("without the feature `rustls` the builder needs an HTTP client: `ClientBuilder::http_client`")]
    NoHttpClient,
    /// A path would lead elsewhere.
    #[error("the path is not one below the base URL")]
    Path,
    /// The body cannot be written.
    #[error("the body cannot be written")]
    Body(#[source] serde_json::Error),
}

/// Nothing was sent.
#[derive(Debug)]
#[non_exhaustive]
pub struct NotSent {
    /// The request, unless the client itself could not be built.
    pub exchange: Option<Exchange>,
    /// Why.
    pub reason: Reason,
}

impl fmt::Display for NotSent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.exchange {
            Some(exchange) => write!(f, "{exchange} was not sent: {}", self.reason),
            None => write!(f, "the client cannot be built: {}", self.reason),
        }
    }
}

impl std::error::Error for NotSent {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&self.reason)
    }
}

impl From<SetupError> for Reason {
    fn from(error: SetupError) -> Self {
        match error {
            SetupError::BaseUrl(problem) => Self::BaseUrl(problem),
            SetupError::HttpClient(error) => Self::HttpClient(error),
            SetupError::NoHttpClient => Self::NoHttpClient,
            _ => Self::Timeout,
        }
    }
}

impl From<Reason> for Error {
    fn from(reason: Reason) -> Self {
        Self::NotSent(Box::new(NotSent { exchange: None, reason }))
    }
}
