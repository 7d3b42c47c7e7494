//! The number of commits: counted in the database, recorded in a file beside it, and compared when the database is
//! opened.
//!
//! If the write-ahead log is truncated, changed or deleted, an older state of the database remains, which is consistent
//! in itself, and the engine reports no error. So each commit increments a count in its own transaction, and after the
//! commit is durable, the count is noted in a file beside the database, which costs one small write and no flush. A
//! database with fewer commits than noted has lost some. After a power cut the note may be older than the database. It
//! is never newer, because it is written after the flush.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, params};
use service_base::clock::Clock;

use super::files::with_suffix;
use crate::MissingCommits;

/// A number of commits, and the time of the last one in milliseconds since 1970 by the system's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct CommitCount {
    pub(super) made: i64,
    pub(super) at: i64,
}

impl CommitCount {
    /// Formats a line with a checksum. Its length is the same for every count.
    fn to_line(self) -> String {
        let text = format!("{:020} {:020}", self.made, self.at);
        format!("{text} {:016x}\n", checksum(text.as_bytes()))
    }

    fn parse(line: &str) -> Option<Self> {
        let (text, sum) = line.strip_suffix('\n')?.rsplit_once(' ')?;
        let (made, at) = text.split_once(' ')?;
        let is_intact = u64::from_str_radix(sum, 16) == Ok(checksum(text.as_bytes()));
        is_intact.then_some(Self { made: made.parse().ok()?, at: at.parse().ok()? })
    }

    /// Reads the count from a database.
    pub(super) fn of(connection: &Connection) -> rusqlite::Result<Self> {
        let mut select = connection.prepare_cached("SELECT made, at FROM commits")?;
        select.query_row([], |row| Ok(Self { made: row.get(0)?, at: row.get(1)? }))
    }
}

/// FNV-1a. It detects a torn or edited line, but not a deliberate forgery.
fn checksum(bytes: &[u8]) -> u64 {
    let mix = |sum: u64, byte: &u8| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, mix)
}

/// Returns the path of the note of a database.
pub(super) fn note_path(path: &Path) -> PathBuf {
    with_suffix(path, "-commits")
}

/// Reads the note of a database. Returns `None` if there is no note or it cannot be read.
pub(super) fn read_note(path: &Path) -> Option<CommitCount> {
    let note = std::fs::read_to_string(note_path(path)).ok()?;
    let count = CommitCount::parse(&note);
    if count.is_none() && !note.is_empty() {
        let note = note_path(path);
        tracing::warn!(note = %note.display(), "the note of commits cannot be read: it is not known whether any commits are missing");
    }
    count
}

/// Compares the note with the database. Returns the commits that the database has lost.
pub(super) fn missing(noted: CommitCount, stored: CommitCount) -> Option<MissingCommits> {
    let lost = u64::try_from(noted.made.saturating_sub(stored.made)).ok().filter(|lost| *lost > 0)?;
    Some(MissingCommits::new(lost, stored.at, noted.at))
}

/// Counts the commits of an open database.
#[derive(Debug)]
pub(super) struct Commits {
    note: File,
    /// The count of the last durable commit.
    count: CommitCount,
    clock: Clock,
    /// Whether the last attempt to write the note succeeded.
    is_noted: bool,
}

impl Commits {
    /// Opens the note of a database, and writes the count of the database into it.
    pub(super) fn open(path: &Path, count: CommitCount, clock: Clock) -> std::io::Result<Self> {
        let note =
            OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(note_path(path))?;
        let line = count.to_line();
        note.write_all_at(line.as_bytes(), 0)?;
        note.set_len(line.len() as u64)?;
        Ok(Self { note, count, clock, is_noted: true })
    }

    /// Increments the count inside a transaction, before its commit. Returns the new count.
    pub(super) fn increment(&self, connection: &Connection) -> rusqlite::Result<CommitCount> {
        let count =
            CommitCount { made: self.count.made.saturating_add(1), at: self.clock.now().as_unix_millis() };
        let mut update = connection.prepare_cached("UPDATE commits SET made = ?1, at = ?2")?;
        update.execute(params![count.made, count.at])?;
        Ok(count)
    }

    /// Notes the count of a durable commit.
    pub(super) fn note(&mut self, count: CommitCount) {
        self.count = count;
        match self.note.write_all_at(count.to_line().as_bytes(), 0) {
            Ok(()) => self.is_noted = true,
            Err(error) if self.is_noted => {
                self.is_noted = false;
                tracing::warn!(%error, "commits cannot be noted: the next start cannot detect missing ones");
            }
            Err(_) => {}
        }
    }

    /// Returns the count of the last durable commit.
    pub(super) fn last(&self) -> CommitCount {
        self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_read_back_and_a_torn_one_is_not() {
        let count = CommitCount { made: 1_234, at: 1_764_307_200_000 };
        let line = count.to_line();
        assert_eq!(
            (CommitCount::parse(&line), line.len()),
            (Some(count), CommitCount::default().to_line().len())
        );
        for torn in [&line[1..], &line[..line.len() - 1], &line.replace('4', "5"), "", "\n", "1 2 3\n"] {
            assert_eq!(CommitCount::parse(torn), None, "{torn:?}");
        }
    }

    #[test]
    fn fewer_commits_than_are_noted_are_missing_and_more_are_not() {
        let count = |made, at| CommitCount { made, at };
        assert_eq!(missing(count(7, 70), count(4, 40)), Some(MissingCommits::new(3, 40, 70)));
        assert_eq!(missing(count(7, 70), count(7, 70)), None);
        assert_eq!(missing(count(7, 70), count(9, 90)), None);
    }
}
