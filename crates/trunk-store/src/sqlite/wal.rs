//! The write-ahead log: checkpoints, and truncation after a failed commit.
//!
//! The engine's automatic checkpoint, which runs within a commit, hides a failed flush of the database; a later
//! successful flush of the same pages would then prove nothing. So it is switched off, and checkpoints run here, where
//! the error is seen.
//!
//! If a commit fails because its flush failed, its frames are nevertheless complete in the log, and the next start
//! would take them for a commit. The engine reports the valid length of the log, and everything after it is cut off.
//!
//! The schema of a new database is flushed with the first commit after it. If that flush fails, the disk may have lost
//! frames of the schema, which the kernel's memory hides until a power cut. The next start would take them for complete
//! and commit behind them, and a power cut would then end the log before all of its commits. So this log is emptied:
//! nothing in it was acknowledged, and the next start creates the schema again.
//!
//! Growth: a checkpoint waits for no reader (it is passive), and copies the log as far as the oldest reader has seen
//! it. The log is written from its beginning again once all of it is copied and no reader uses it. So reads that
//! overlap without a pause while writes arrive can keep it from restarting, and it grows by all that is written
//! meanwhile. A read ends after a time that `scan` bounds, but its successor may have begun before; no bound on their
//! overlap exists. From [`LONG_LOG_FRAMES`] on, checkpoints are so frequent that one pause is enough. Otherwise the
//! disk is the bound: when it is full, writes are refused until it has space again.

use std::fs::File;
use std::os::unix::fs::FileExt as _;

use rusqlite::Connection;

/// Number of frames not yet checkpointed that make a checkpoint due (about 4 MiB). Writes that arrive during a
/// checkpoint wait for its copies and its flush, so a longer log makes the slowest writes slower. It would hardly copy
/// fewer pages: most pages of the log are new ones, each of which is copied once in any case.
const CHECKPOINT_FRAMES: u64 = 1_000;
/// From this number of frames (about 64 MiB), checkpoints are frequent, so that the log restarts from its beginning as
/// soon as no reader needs it.
const LONG_LOG_FRAMES: u64 = 16_000;
/// Number of frames not yet checkpointed that make a checkpoint of a long log due.
const LONG_LOG_CHECKPOINT_FRAMES: u64 = 100;
/// Bytes before the first frame.
const HEADER_BYTES: u64 = 32;
/// Bytes before the page of each frame.
const FRAME_HEADER_BYTES: u64 = 24;

/// The write-ahead log of an open database.
#[derive(Debug)]
pub(super) struct Wal {
    file: File,
    page_bytes: u64,
    /// False until the first flush of the log of a new database.
    is_flushed: bool,
}

/// The number of valid frames in the log, and how many of them are checkpointed.
struct Frames {
    all: u64,
    checkpointed: u64,
}

impl Wal {
    /// The log of an open database, which is not flushed yet if the database `is_new`.
    pub(super) fn new(file: File, connection: &Connection, is_new: bool) -> rusqlite::Result<Self> {
        connection.execute_batch("PRAGMA wal_autocheckpoint = 0;")?;
        let page_bytes: i64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
        let page_bytes = u64::try_from(page_bytes).unwrap_or_default();
        Ok(Self { file, page_bytes, is_flushed: !is_new })
    }

    /// Notes that a commit was flushed, and with it all of the log before it.
    pub(super) fn note_flush(&mut self) {
        self.is_flushed = true;
    }

    /// Whether a checkpoint is due.
    pub(super) fn is_due(connection: &Connection) -> bool {
        frames(connection).is_ok_and(|frames| {
            let threshold =
                if frames.all >= LONG_LOG_FRAMES { LONG_LOG_CHECKPOINT_FRAMES } else { CHECKPOINT_FRAMES };
            frames.all.saturating_sub(frames.checkpointed) >= threshold
        })
    }

    /// Copies the frames that no reader needs in the log any more into the database, durably.
    pub(super) fn checkpoint(connection: &Connection) -> rusqlite::Result<()> {
        connection.prepare_cached("PRAGMA wal_checkpoint(PASSIVE)")?.query_row([], |_| Ok(()))
    }

    /// Truncates the log to its last valid commit, durably.
    ///
    /// # Errors
    /// The text states what failed: frames of a failed commit may reappear as a commit at the next start.
    pub(super) fn truncate_to_last_commit(&self, connection: &Connection) -> Result<(), String> {
        let frames =
            frames(connection).map_err(|error| format!("the length of the log cannot be read: {error}"))?;
        let valid = match frames.all {
            0 => 0,
            all => HEADER_BYTES + all * (FRAME_HEADER_BYTES + self.page_bytes),
        };
        let length = self
            .file
            .metadata()
            .map_err(|error| format!("the file of the log cannot be read: {error}"))?
            .len();
        self.truncate(length, valid)
    }

    /// Empties a log of which nothing was ever flushed, durably. No connection can read the database after that, so
    /// writing must have ended.
    ///
    /// # Errors
    /// The text states what failed.
    pub(super) fn discard_unflushed(&self) -> Result<(), String> {
        if self.is_flushed { Ok(()) } else { self.truncate(u64::MAX, 0) }
    }

    fn truncate(&self, length: u64, valid: u64) -> Result<(), String> {
        if length > valid {
            // Where the length cannot be changed, zeros in place of the next header invalidate it and all that follows.
            self.file
                .set_len(valid)
                .or_else(|_| self.file.write_all_at(&[0; 32], valid))
                .map_err(|error| format!("the log could not be truncated: {error}"))?;
        }
        self.file
            .sync_all()
            .map_err(|error| format!("the truncation of the log could not be flushed: {error}"))
    }
}

/// Reads the state of the log without a checkpoint.
fn frames(connection: &Connection) -> rusqlite::Result<Frames> {
    let number =
        |row: &rusqlite::Row<'_>, column| row.get::<_, i64>(column).map(|n| u64::try_from(n).unwrap_or(0));
    connection
        .prepare_cached("PRAGMA wal_checkpoint(NOOP)")?
        .query_row([], |row| Ok(Frames { all: number(row, 1)?, checkpointed: number(row, 2)? }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Connects to a new database with a write-ahead log that is checkpointed by nothing but a test.
    fn logged(folder: &tempfile::TempDir) -> Connection {
        let connection = Connection::open(folder.path().join("one.db")).unwrap();
        connection
            .execute_batch(
                "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; CREATE TABLE t (a BLOB NOT NULL);",
            )
            .unwrap();
        connection
    }

    /// Adds at least this number of frames to the log, in one commit.
    fn add_frames(connection: &Connection, number: u64) {
        connection.execute("INSERT INTO t VALUES (zeroblob(4096 * ?1))", [number.cast_signed()]).unwrap();
    }

    #[test]
    fn a_checkpoint_is_due_after_some_megabytes_and_then_the_log_begins_again() {
        let folder = tempfile::tempdir().unwrap();
        let connection = logged(&folder);
        add_frames(&connection, CHECKPOINT_FRAMES / 2);
        assert!(!Wal::is_due(&connection));
        add_frames(&connection, CHECKPOINT_FRAMES / 2);
        assert!(Wal::is_due(&connection));
        let length = || std::fs::metadata(folder.path().join("one.db-wal")).unwrap().len();
        let longest = length();
        assert!(longest < 5 << 20, "writes wait while {longest} bytes are copied");
        Wal::checkpoint(&connection).unwrap();
        assert!(!Wal::is_due(&connection));
        add_frames(&connection, CHECKPOINT_FRAMES / 2);
        assert_eq!((length(), Wal::is_due(&connection)), (longest, false));
    }
}
