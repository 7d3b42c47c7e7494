//! The error of control operations.

use service_core::AttemptError;
use trunk_store::StoreError;

/// Why a control operation failed. Nothing was changed, except that the outcome of a write can be unknown
/// ([`StoreError::Unknown`]).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// The named thing does not exist.
    #[error("there is no {0}")]
    NotFound(String),
    /// A value is not valid; the message states the valid ones.
    #[error("`{field}` {message}")]
    Invalid {
        /// The member of the body, the query parameter, or `body` or `query` as a whole.
        field: String,
        /// The reason, as the continuation of a sentence that begins with the field.
        message: String,
    },
    /// The maximum number of such operations is in progress.
    #[error("{0}")]
    Busy(String),
    /// The store failed or refused the operation.
    #[error(transparent)]
    Store(StoreError),
}

impl ControlError {
    pub(crate) fn invalid(field: &str, message: impl Into<String>) -> Self {
        Self::Invalid { field: field.to_owned(), message: message.into() }
    }
}

impl From<ControlError> for AttemptError<ControlError> {
    fn from(error: ControlError) -> Self {
        Self::Other(error)
    }
}

impl From<StoreError> for ControlError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Taken(field) => Self::Invalid { field, message: "has already been taken".to_owned() },
            StoreError::Unstorable { what, flaw } => Self::invalid(what, flaw),
            other => Self::Store(other),
        }
    }
}
