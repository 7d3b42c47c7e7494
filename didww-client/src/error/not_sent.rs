//! Refused here, before anything was sent.

use client_core::SetupError;
use didww_types::{DecodeError, VersionError};

use crate::Error;

/// Why a client or a request could not be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// The client cannot be made of its settings.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// The key cannot be a header.
    #[error("the API key is empty or has characters that a header cannot carry")]
    ApiKey,
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
pub type NotSent = client_core::NotSent<Reason>;

impl From<Reason> for Error {
    fn from(reason: Reason) -> Self {
        Self::NotSent(Box::new(NotSent::client(reason)))
    }
}

impl From<SetupError> for Error {
    fn from(error: SetupError) -> Self {
        Reason::from(error).into()
    }
}
