//! How many commits there were: counted in the database, noted outside it, compared at the start.
//!
//! A write-ahead log that is cut, changed or gone leaves an older database that is whole in itself, and the engine says
//! nothing. So each commit counts itself in its own transaction, and once it is durable the count is noted in a file
//! beside the database, which costs one small write and no flush. A database that holds fewer commits than are noted has
//! lost some. The note may be older than the database, after a power cut; it is never newer, for it follows the flush.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, params};

use super::files::beside;
use crate::MissingCommits;
use service_base::clock::Clock;

/// A count, and when the last one was made, in milliseconds since 1970 by the system's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Count {
    pub(super) made: i64,
    pub(super) at: i64,
}

impl Count {
    /// One line with a checksum, of the same length for every count.
    fn to_line(self) -> String {
        let text = format!("{:020} {:020}", self.made, self.at);
        format!("{text} {:016x}\n", checksum(text.as_bytes()))
    }

    fn parse(line: &str) -> Option<Self> {
        let (text, sum) = line.strip_suffix('\n')?.rsplit_once(' ')?;
        let (made, at) = text.split_once(' ')?;
        let is_whole = u64::from_str_radix(sum, 16) == Ok(checksum(text.as_bytes()));
        is_whole.then_some(Self { made: made.parse().ok()?, at: at.parse().ok()? })
    }

    /// What a database counted.
    pub(super) fn of(connection: &Connection) -> rusqlite::Result<Self> {
        let mut select = connection.prepare_cached("SELECT made, at FROM commits")?;
        select.query_row([], |row| Ok(Self { made: row.get(0)?, at: row.get(1)? }))
    }
}

/// FNV-1a: it finds a line that was torn or edited, and defends against nobody.
fn checksum(bytes: &[u8]) -> u64 {
    let mix = |sum: u64, byte: &u8| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, mix)
}

/// The file beside a database in which its commits are noted.
pub(super) fn note_of(path: &Path) -> PathBuf {
    beside(path, "-commits")
}

/// What is noted beside a database; nothing when there is no note, or none that can be read.
pub(super) fn noted(path: &Path) -> Option<Count> {
    let note = std::fs::read_to_string(note_of(path)).ok()?;
    let count = Count::parse(&note);
    if count.is_none() && !note.is_empty() {
        let note = note_of(path);
        tracing::warn!(note = %note.display(), "the note of commits cannot be read: whether any are missing is not known");
    }
    count
}

/// The commits that a database lost.
pub(super) fn missing(noted: Count, there: Count) -> Option<MissingCommits> {
    let lost = u64::try_from(noted.made.saturating_sub(there.made)).ok().filter(|lost| *lost > 0)?;
    Some(MissingCommits::new(lost, there.at, noted.at))
}

/// Counts the commits of an open database.
#[derive(Debug)]
pub(super) struct Commits {
    note: File,
    /// As the last commit left it.
    count: Count,
    clock: Clock,
    is_noted: bool,
}

impl Commits {
    /// Goes on from what the database counted.
    pub(super) fn open(path: &Path, count: Count, clock: Clock) -> std::io::Result<Self> {
        let note =
            OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(note_of(path))?;
        let line = count.to_line();
        note.write_all_at(line.as_bytes(), 0)?;
        note.set_len(line.len() as u64)?;
        Ok(Self { note, count, clock, is_noted: true })
    }

    /// Counts the commit that a transaction will be, in this transaction. Returns the count that it makes.
    pub(super) fn count(&self, connection: &Connection) -> rusqlite::Result<Count> {
        let count = Count { made: self.count.made.saturating_add(1), at: self.clock.now().as_unix_millis() };
        let mut update = connection.prepare_cached("UPDATE commits SET made = ?1, at = ?2")?;
        update.execute(params![count.made, count.at])?;
        Ok(count)
    }

    /// The commit is durable.
    pub(super) fn note(&mut self, count: Count) {
        self.count = count;
        match self.note.write_all_at(count.to_line().as_bytes(), 0) {
            Ok(()) => self.is_noted = true,
            Err(error) if self.is_noted => {
                self.is_noted = false;
                tracing::warn!(%error, "commits cannot be noted: the next start will not see whether some are missing");
            }
            Err(_) => {}
        }
    }

    /// As the last durable commit left it.
    pub(super) fn last(&self) -> Count {
        self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_read_back_and_a_torn_one_is_not() {
        let count = Count { made: 1_234, at: 1_764_307_200_000 };
        let line = count.to_line();
        assert_eq!((Count::parse(&line), line.len()), (Some(count), Count::default().to_line().len()));
        for torn in [&line[1..], &line[..line.len() - 1], &line.replace('4', "5"), "", "\n", "1 2 3\n"] {
            assert_eq!(Count::parse(torn), None, "{torn:?}");
        }
    }

    #[test]
    fn fewer_commits_than_are_noted_are_missing_and_more_are_not() {
        let count = |made, at| Count { made, at };
        assert_eq!(missing(count(7, 70), count(4, 40)), Some(MissingCommits::new(3, 40, 70)));
        assert_eq!(missing(count(7, 70), count(7, 70)), None);
        assert_eq!(missing(count(7, 70), count(9, 90)), None);
    }
}
