//! One state of the database for several statements.

use rusqlite::Connection;

use super::error::failed;
use crate::StoreError;

/// A read transaction. Its `BEGIN` and `ROLLBACK` stay compiled, unlike those of the library's transactions: compiling
/// them takes as long as reading a record.
pub(super) struct Snapshot<'a>(&'a Connection);

impl<'a> Snapshot<'a> {
    /// Begins to read. The first statement that reads determines the state.
    pub(super) fn begin(connection: &'a Connection) -> Result<Self, StoreError> {
        // Created before the statement is known to have succeeded: the engine can report an interruption although it
        // was executed.
        let snapshot = Self(connection);
        run(connection, "BEGIN").map_err(failed)?;
        Ok(snapshot)
    }
}

impl Drop for Snapshot<'_> {
    fn drop(&mut self) {
        // The engine ends the transaction itself after some errors.
        if self.0.is_autocommit() || run(self.0, "ROLLBACK").is_ok() || self.0.is_autocommit() {
            return;
        }
        // The time limit counts the steps of a statement that stays compiled over all its uses, so it can interrupt
        // this one too. It does not interrupt the few steps of a newly compiled statement.
        if let Err(error) = self.0.execute_batch("ROLLBACK") {
            tracing::error!(%error, "a read transaction was not ended");
        }
    }
}

fn run(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute([]).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_ends_when_it_is_dropped_also_after_an_error_and_by_a_panic() {
        let connection = Connection::open_in_memory().unwrap();
        let read = |sql: &str| {
            let _snapshot = Snapshot::begin(&connection).unwrap();
            assert!(!connection.is_autocommit());
            connection.query_row(sql, [], |row| row.get::<_, i64>(0))
        };
        for _ in 0..2 {
            assert_eq!(read("SELECT 7").unwrap(), 7);
            assert!(connection.is_autocommit());
        }
        assert!(read("SELECT 7 FROM nothing").is_err());
        assert!(connection.is_autocommit());
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _snapshot = Snapshot::begin(&connection).unwrap();
            assert!(connection.is_autocommit(), "on purpose");
        }));
        assert!(panicked.is_err() && connection.is_autocommit());
    }

    #[test]
    fn a_snapshot_ends_whichever_of_its_steps_is_interrupted() {
        let mut connection = Connection::open_in_memory().unwrap();
        for steps in 0..64 {
            // The engine counts the steps of the compiled statements, which differ from one round to the next.
            connection.progress_handler(20, Some(move || steps % 2 == 1)).unwrap();
            let snapshot = Snapshot::begin(&connection);
            assert!(steps % 2 == 1 || snapshot.is_ok());
            drop(snapshot);
            assert!(connection.is_autocommit(), "{steps}");
        }
    }
}
