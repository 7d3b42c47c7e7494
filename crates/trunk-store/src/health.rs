//! Whether the store takes writes, and what it missed when it was opened: for those who must know before they ask.

use didww_types::Timestamp;

/// Whether the store takes writes, as the last ones showed. A reader of it learns of each change.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum WriteHealth {
    /// It does.
    Writable,
    /// The disk, its quota or a limit on file sizes is full: writes are refused. The store tries by itself whether there
    /// is room again, every half second.
    Full,
    /// No write is taken until the server is started again, because what a write left on the disk cannot be known, or
    /// because the file is gone. The text says which, for the operator.
    Ended(String),
}

impl WriteHealth {
    /// Why writes are refused; nothing when they are not.
    pub fn reason(&self) -> Option<String> {
        match self {
            Self::Writable => None,
            Self::Full => {
                Some("writes are refused: the disk, its quota or a limit on file sizes is full".to_owned())
            }
            Self::Ended(why) => Some(format!("writes have ended until the server is started again: {why}")),
        }
    }
}

/// Commits that were acknowledged once and are not in the database that was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct MissingCommits {
    /// How many. A commit holds all writes that waited at the same time, so they are at least as many writes.
    pub commits: u64,
    /// When the last one was made that is there; 1970 when there is none.
    pub since: Timestamp,
    /// When the last one was made that is missing.
    pub until: Timestamp,
}

impl MissingCommits {
    /// So many commits, acknowledged between two times in milliseconds since 1970.
    pub fn new(commits: u64, since: i64, until: i64) -> Self {
        let at = Timestamp::from_unix_millis;
        Self { commits, since: at(since), until: at(until) }
    }
}

impl std::fmt::Display for MissingCommits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { commits, since, until } = self;
        write!(f, "{commits} acknowledged commits are missing, made after {since} and until {until}")
    }
}
