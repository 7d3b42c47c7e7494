//! Why a control act was not done.

use trunk_store::StoreError;

/// Why a control act was not done. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// There is no such thing.
    #[error("there is no {0}")]
    NotFound(String),
    /// A value is wrong; the text says what would be right.
    #[error("`{field}` {message}")]
    Invalid {
        /// The member.
        field: String,
        /// What is wrong with it, and what would be right.
        message: String,
    },
    /// The store did not do it.
    #[error(transparent)]
    Store(StoreError),
}

impl ControlError {
    pub(crate) fn invalid(field: &str, message: impl Into<String>) -> Self {
        Self::Invalid { field: field.to_owned(), message: message.into() }
    }
}

impl From<StoreError> for ControlError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Taken(field) => Self::Invalid { field, message: "has already been taken".to_owned() },
            other => Self::Store(other),
        }
    }
}
