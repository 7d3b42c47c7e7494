//! What the engine's errors mean to a caller.

use rusqlite::{Error, ErrorCode, ffi};

use crate::StoreError;

/// The store's error for an engine's error.
#[expect(clippy::needless_pass_by_value, reason = "it is handed to map_err")]
pub(super) fn failed(error: Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreError::Full,
        // Nothing but the bound on the time of a read interrupts the engine.
        Some(ErrorCode::OperationInterrupted) => StoreError::TooLong,
        Some(ErrorCode::SystemIoFailure) => match error.sqlite_extended_error_code() {
            // A quota and a limit on file sizes reach the engine as writes that fail, and so does a full disk where the
            // memory that readers share with the writer has to grow.
            Some(ffi::SQLITE_IOERR_WRITE | ffi::SQLITE_IOERR_SHMSIZE) => StoreError::Full,
            Some(ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC) => StoreError::Ended,
            _ => StoreError::Failed(error.to_string()),
        },
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StoreError::Corrupt(error.to_string()),
        _ => StoreError::Failed(error.to_string()),
    }
}

/// Whether a statement failed because a value is there already.
pub(super) fn is_taken(error: &Error) -> bool {
    matches!(
        error.sqlite_extended_error_code(),
        Some(
            ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_ROWID
        )
    )
}

/// Whether a statement failed because what it refers to is gone.
pub(super) fn is_gone(error: &Error) -> bool {
    error.sqlite_extended_error_code() == Some(ffi::SQLITE_CONSTRAINT_FOREIGNKEY)
}
