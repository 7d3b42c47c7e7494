//! Converts errors of the engine into errors of the store.

use rusqlite::{Error, ErrorCode, ffi};

use crate::StoreError;

/// Converts an error of the engine.
#[expect(clippy::needless_pass_by_value, reason = "it is passed to map_err")]
pub(super) fn failed(error: Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreError::Full,
        // Only the time limit of a read interrupts the engine.
        Some(ErrorCode::OperationInterrupted) => StoreError::TooLong,
        Some(ErrorCode::SystemIoFailure) => match error.sqlite_extended_error_code() {
            // The engine sees an exceeded quota or file size limit as a failed write, and also a full disk when the
            // memory that readers share with the writer must grow.
            Some(ffi::SQLITE_IOERR_WRITE | ffi::SQLITE_IOERR_SHMSIZE) => StoreError::Full,
            Some(ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC) => StoreError::Ended,
            _ => StoreError::Failed(error.to_string()),
        },
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StoreError::Corrupt(error.to_string()),
        _ => StoreError::Failed(error.to_string()),
    }
}

/// Whether a statement failed because a unique value exists already.
pub(super) fn is_taken(error: &Error) -> bool {
    matches!(
        error.sqlite_extended_error_code(),
        Some(
            ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_ROWID
        )
    )
}

/// Whether a statement failed because a row that it refers to does not exist.
pub(super) fn is_missing_reference(error: &Error) -> bool {
    error.sqlite_extended_error_code() == Some(ffi::SQLITE_CONSTRAINT_FOREIGNKEY)
}
