//! The reasons for which a client or a request is refused before anything is sent.

use client_core::SetupError;

use crate::Error;

/// Why a client or a request could not be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// The settings are invalid, or the HTTP client could not be built.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// The builder has received neither an access key nor a token, and has not logged in.
    #[error("there are no credentials: set an access key or a token, or log in")]
    NoCredentials,
    /// The token is empty or no valid value of an HTTP header, or the access key is empty or no valid value of
    /// a cookie.
    #[error("the access key or token is empty or contains characters that its header cannot contain")]
    Credentials,
    /// The path is not valid below the base URL.
    #[error("the path is not valid below the base URL")]
    Path,
    /// The body could not be encoded.
    #[error("the body cannot be encoded")]
    Body(#[source] serde_json::Error),
}

/// The client refused a request, or could not be built; nothing was sent.
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
