//! How long and how much is measured.

use std::path::PathBuf;
use std::time::Duration;

use crate::Outcome;

/// The sizes of a run.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Whether it is a short run.
    pub(crate) quick: bool,
    /// A folder for databases, empty at the start.
    pub(crate) work: PathBuf,
    /// Where Prism is installed.
    pub(crate) prism: PathBuf,
    /// How often each side takes its turn.
    pub(crate) rounds: usize,
    /// How long a turn under load is.
    pub(crate) turn: Duration,
    /// Records in the small and in the large database.
    pub(crate) records: (u64, u64),
    /// Requests before resident memory is looked at.
    pub(crate) requests: u64,
    /// Calls a turn.
    pub(crate) calls: u32,
    /// Calls that are up at once before memory is looked at.
    pub(crate) calls_up: u32,
    /// Calls that are placed and over before memory is looked at.
    pub(crate) calls_over: u64,
    /// For how long calls come steadily, and after which part of it memory is looked at first.
    pub(crate) steady: (Duration, Duration),
    /// How often something short is timed.
    pub(crate) repeats: usize,
}

impl Plan {
    pub(crate) fn new(quick: bool, work: PathBuf, prism: PathBuf) -> Outcome<Self> {
        if work.exists() {
            std::fs::remove_dir_all(&work)?;
        }
        std::fs::create_dir_all(&work)?;
        let plan = Self {
            quick,
            work,
            prism,
            rounds: 5,
            turn: Duration::from_secs(3),
            records: (1_000, 1_000_000),
            requests: 1_000_000,
            calls: 5_000,
            calls_up: 20_000,
            calls_over: 100_000,
            steady: (Duration::from_mins(10), Duration::from_mins(1)),
            repeats: 51,
        };
        if !quick {
            return Ok(plan);
        }
        Ok(Self {
            rounds: 3,
            turn: Duration::from_secs(2),
            records: (1_000, 50_000),
            requests: 100_000,
            calls_up: 4_000,
            calls_over: 20_000,
            steady: (Duration::from_mins(1), Duration::from_secs(6)),
            repeats: 15,
            ..plan
        })
    }
}
