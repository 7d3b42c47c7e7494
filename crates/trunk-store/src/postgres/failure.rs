//! The failures of statements, and the errors that callers receive for them.

use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use crate::StoreError;

/// The outcome of the statements of a read or of a transaction.
pub(super) type Done<T> = Result<T, Failure>;

/// Why a read or a transaction was aborted.
#[derive(Debug)]
pub(super) enum Failure {
    /// The error of the caller.
    Refused(StoreError),
    /// Another transaction was faster. The next attempt sees its result.
    LostRace,
    /// The account is near its quota. The next attempt counts exactly, which locks all rows of the count.
    NearQuota,
    /// The server or the connection failed. The runner decides whether to repeat.
    Engine(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Engine(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Refused(error)
    }
}

impl Failure {
    /// Whether a statement failed because of this unique constraint or index. The transaction has ended then.
    pub(super) fn is_taken(&self, constraint: &str) -> bool {
        let Self::Engine(error) = self else { return false };
        let Some(error) = error.as_db_error() else { return false };
        *error.code() == SqlState::UNIQUE_VIOLATION && error.constraint() == Some(constraint)
    }

    /// Whether the transaction lost against another one, and may succeed if it is repeated.
    pub(super) fn is_lost_race(&self) -> bool {
        let Self::Engine(error) = self else { return matches!(self, Self::LostRace | Self::NearQuota) };
        matches!(error.code(), Some(&SqlState::T_R_SERIALIZATION_FAILURE | &SqlState::T_R_DEADLOCK_DETECTED))
    }

    /// Whether the connection can no longer be used, or the server accepts no statements on it.
    pub(super) fn is_broken(&self) -> bool {
        let Self::Engine(error) = self else { return false };
        match error.as_db_error() {
            Some(error) => is_away(error.code()),
            None => error.is_closed() || is_of_network(error),
        }
    }

    /// Whether the server accepts no writes: it is a standby by now, or was set to read-only.
    pub(super) fn is_read_only(&self) -> bool {
        let Self::Engine(error) = self else { return false };
        error.code() == Some(&SqlState::READ_ONLY_SQL_TRANSACTION)
    }

    /// The error for the caller of a read or of a write.
    pub(super) fn into_store_error(self, is_write: bool) -> StoreError {
        let is_broken = self.is_broken();
        match self {
            Self::Refused(error) => error,
            Self::LostRace | Self::NearQuota => StoreError::Overloaded,
            Self::Engine(_) if is_broken => StoreError::Unavailable,
            Self::Engine(error) => match error.as_db_error() {
                Some(error) => of_server(error, is_write),
                None => StoreError::Failed(error.to_string()),
            },
        }
    }
}

fn is_of_network(error: &Error) -> bool {
    std::error::Error::source(error).is_some_and(<dyn std::error::Error>::is::<std::io::Error>)
}

/// Whether the server is away: it starts, stops, or is a standby.
fn is_away(code: &SqlState) -> bool {
    let class = code.code().get(..2);
    class == Some("08")
        || [
            SqlState::ADMIN_SHUTDOWN,
            SqlState::CRASH_SHUTDOWN,
            SqlState::CANNOT_CONNECT_NOW,
            SqlState::TOO_MANY_CONNECTIONS,
            SqlState::READ_ONLY_SQL_TRANSACTION,
            SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
        ]
        .contains(code)
}

fn of_server(error: &tokio_postgres::error::DbError, is_write: bool) -> StoreError {
    let code = error.code();
    if [SqlState::QUERY_CANCELED, SqlState::LOCK_NOT_AVAILABLE].contains(code) {
        // Only a time limit cancels a statement: that of this server, or a `lock_timeout` of the role or the database.
        return if is_write { StoreError::Overloaded } else { StoreError::TooLong };
    }
    if *code == SqlState::DISK_FULL {
        return StoreError::Full;
    }
    if [SqlState::DATA_CORRUPTED, SqlState::INDEX_CORRUPTED].contains(code) {
        return StoreError::Corrupt(error.message().to_owned());
    }
    StoreError::Failed(format!("{} ({})", error.message(), code.code()))
}
