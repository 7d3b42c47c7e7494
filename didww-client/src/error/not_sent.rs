//! Refused here, before anything was sent.

use std::fmt;

use client_core::SetupError;
use didww_types::{DecodeError, VersionError};

use crate::{Error, Exchange};

/// Why a client or a request could not be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// The base URL cannot be used.
    #[error("the base URL {0}; it looks like `https://api.didww.com/v3`")]
    BaseUrl(&'static str),
    /// The key cannot be a header.
    #[error("the API key is empty or has characters that a header cannot carry")]
    ApiKey,
    /// A timeout is none.
    #[error("a timeout is more than zero and at most an hour")]
    Timeout,
    /// The HTTP client cannot be made.
    #[error("the HTTP client cannot be made")]
    HttpClient(#[source] reqwest::Error),
    /// This build has no TLS of its own.
    #[error("without the feature `rustls` the builder needs an HTTP client: `ClientBuilder::http_client`")]
    NoHttpClient,
    /// An id or a path would lead elsewhere.
    #[error("the path is not one below the base URL: ids are not empty, and segments are percent-encoded")]
    Path,
    /// The API version of the client has no words for it.
    #[error(transparent)]
    Version(#[from] VersionError),
    /// The body cannot be written.
    #[error("the body cannot be written {0}")]
    Body(#[from] DecodeError),
    /// The relationship is one that the service alone sets.
    #[error("the relationship `{0}` can only be read")]
    ReadOnly(&'static str),
    /// What was before and what comes after are not the same record.
    #[error("the two readings are of different records")]
    DifferentRecords,
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
        Self::not_sent(None, reason)
    }
}
