//! Durations and sizes of a run.

use std::path::PathBuf;
use std::time::Duration;

use crate::Outcome;

/// The sizes of a run, for the full and the short form.
#[derive(Debug)]
pub(crate) struct Plan {
    /// True for a short run (`--quick`).
    pub(crate) quick: bool,
    /// The revision that is measured, and the day.
    pub(crate) measured_at: String,
    /// Folder for databases, empty at the start.
    pub(crate) work: PathBuf,
    /// Folder where Prism is installed.
    pub(crate) prism: PathBuf,
    /// Number of rounds; each side has one turn in each.
    pub(crate) rounds: usize,
    /// Duration of a turn under load.
    pub(crate) turn: Duration,
    /// Number of records in the small and in the large database.
    pub(crate) records: (u64, u64),
    /// Number of requests before resident memory is read.
    pub(crate) requests: u64,
    /// Number of calls in a turn.
    pub(crate) calls: u32,
    /// Number of simultaneous calls when memory is read.
    pub(crate) calls_up: u32,
    /// Number of placed and ended calls before memory is read.
    pub(crate) calls_over: u64,
    /// Duration of the steady calls, and the time after which memory is first read.
    pub(crate) steady: (Duration, Duration),
    /// Number of repetitions of short measurements.
    pub(crate) repeats: usize,
}

impl Plan {
    pub(crate) fn new(quick: bool, measured_at: String, work: PathBuf, prism: PathBuf) -> Outcome<Self> {
        if work.exists() {
            std::fs::remove_dir_all(&work)?;
        }
        std::fs::create_dir_all(&work)?;
        let plan = Self {
            quick,
            measured_at,
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
