//! Refused here, before anything was sent.

use client_core::SetupError;

use crate::Error;

/// Why a client or a request could not be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// The client cannot be made of its settings.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// There is nothing to say who calls.
    #[error("there are no credentials: give an access key or a token, or log in")]
    NoCredentials,
    /// The credentials cannot be sent.
    #[error("the access key or token is empty or has characters that a header cannot carry")]
    Credentials,
    /// A path would lead elsewhere.
    #[error("the path is not one below the base URL")]
    Path,
    /// The body cannot be written.
    #[error("the body cannot be written")]
    Body(#[source] serde_json::Error),
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
