//! The write-ahead log: folded into the database little by little, and cut back behind a commit that failed.
//!
//! The engine's own folding within a commit hides a failed flush of the database, after which a later flush of the same
//! pages proves nothing. So it is switched off, and done here, where an error is seen.
//!
//! When a commit fails because the flush did, its frames stand in the log all the same, whole, and the next start would
//! take them for a commit. The engine knows how far the log is good, and everything behind is cut off.

use std::fs::File;
use std::os::unix::fs::FileExt as _;

use rusqlite::Connection;

/// Frames that are folded at a time.
const STEP: u64 = 1_000;
/// A log of so many frames is folded more eagerly, so that it begins anew as soon as no reader needs it: 64 MiB.
const LONG: u64 = 16_000;
/// Bytes before the first frame, and before each frame's page.
const HEADER: u64 = 32;
const FRAME_HEADER: u64 = 24;

/// The write-ahead log of an open database.
#[derive(Debug)]
pub(super) struct Log {
    file: File,
    page: u64,
}

/// How many frames a log has, and how many of them are in the database, too.
struct Frames {
    all: u64,
    folded: u64,
}

impl Log {
    pub(super) fn new(file: File, connection: &Connection) -> rusqlite::Result<Self> {
        connection.execute_batch("PRAGMA wal_autocheckpoint = 0;")?;
        let page: i64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
        Ok(Self { file, page: u64::try_from(page).unwrap_or_default() })
    }

    /// Whether there is enough to fold.
    pub(super) fn is_due(connection: &Connection) -> bool {
        frames(connection).is_ok_and(|frames| {
            let step = if frames.all < LONG { STEP } else { STEP / 10 };
            frames.all.saturating_sub(frames.folded) >= step
        })
    }

    /// Folds what no reader needs in the log any more, and makes it durable in the database.
    pub(super) fn fold(connection: &Connection) -> rusqlite::Result<()> {
        connection.prepare_cached("PRAGMA wal_checkpoint(PASSIVE)")?.query_row([], |_| Ok(()))
    }

    /// Cuts off everything behind the last good commit, durably.
    ///
    /// # Errors
    /// When that cannot be done, or not be known: frames of a failed commit may come back with the next start.
    pub(super) fn cut_back(&self, connection: &Connection) -> Result<(), String> {
        let frames = frames(connection).map_err(|error| format!("the log's length is not known: {error}"))?;
        let good = if frames.all == 0 { 0 } else { HEADER + frames.all * (FRAME_HEADER + self.page) };
        let length =
            self.file.metadata().map_err(|error| format!("the log cannot be looked at: {error}"))?.len();
        if length > good {
            // Without a header there is no frame, and none behind it: as good, where the length must stay.
            self.file
                .set_len(good)
                .or_else(|_| self.file.write_all_at(&[0; 32], good))
                .map_err(|error| format!("the log could not be cut back: {error}"))?;
        }
        self.file
            .sync_all()
            .map_err(|error| format!("the log was cut back, and that could not be flushed: {error}"))
    }
}

/// Looks at the log and changes nothing.
fn frames(connection: &Connection) -> rusqlite::Result<Frames> {
    let number =
        |row: &rusqlite::Row<'_>, column| row.get::<_, i64>(column).map(|n| u64::try_from(n).unwrap_or(0));
    connection
        .prepare_cached("PRAGMA wal_checkpoint(NOOP)")?
        .query_row([], |row| Ok(Frames { all: number(row, 1)?, folded: number(row, 2)? }))
}
