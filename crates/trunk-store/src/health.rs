//! The health of the store: whether it accepts writes, and which commits were missing when it was opened.

use didww_types::Timestamp;

/// Whether the store accepts writes, according to the outcome of the latest writes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum WriteHealth {
    /// Writes are accepted, as far as the latest ones show.
    Writable,
    /// The disk, its quota or a limit on file sizes is full, or the disk cannot be written, and writes are refused. The
    /// store tests every half second whether that has ended.
    Full,
    /// The database cannot be reached. The engine reconnects by itself.
    Away,
    /// No write is accepted until the server is restarted, because the state of the disk after a failed write is
    /// unknown, or because the database's file is gone. The text is the reason, for the operator.
    Ended(String),
}

impl WriteHealth {
    /// Returns why writes are refused, or `None` if they are accepted.
    pub fn reason(&self) -> Option<String> {
        match self {
            Self::Writable => None,
            Self::Full => Some(
                "writes are refused: the disk, its quota or a limit on file sizes is full, or the disk cannot be \
                 written"
                    .to_owned(),
            ),
            Self::Away => Some("the database cannot be reached".to_owned()),
            Self::Ended(why) => Some(format!("writes have ended until the server is restarted: {why}")),
        }
    }
}

/// Commits that were acknowledged and are missing from the database that was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct MissingCommits {
    /// Number of commits. A commit contains all writes that waited at the same time, so at least as many writes are
    /// lost.
    pub commits: u64,
    /// Time of the last commit that is present; 1970 if there is none.
    pub since: Timestamp,
    /// Time of the last missing commit.
    pub until: Timestamp,
}

impl MissingCommits {
    /// Both times are in milliseconds since 1970.
    pub(crate) fn new(commits: u64, since: i64, until: i64) -> Self {
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
