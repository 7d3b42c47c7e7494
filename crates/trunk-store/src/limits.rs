//! Limits on reads and on stored records, and the askers to which the limits apply.

use std::time::Duration;

use uuid::Uuid;

/// The party on whose behalf a long read runs. Askers take turns: a read waits for at most one read of each other
/// asker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Asker {
    /// An account, by its number.
    Account(i64),
    /// A customer of the communication platform.
    Customer(Uuid),
    /// The operator of the server, through the control API.
    Operator,
}

/// Limits of the store. Reads and records that exceed a limit are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreLimits {
    /// Default quota: the maximum number of records of each type in an account without a quota of its own. `None` means
    /// no limit.
    pub records: Option<u64>,
    /// Maximum number of long reads that run at once. A database in memory has one connection and runs one.
    pub running: usize,
    /// Maximum number of long reads of one asker that run at once.
    pub running_per_asker: usize,
    /// Maximum number of long reads that wait.
    pub waiting: usize,
    /// Maximum number of long reads of one asker that wait.
    pub waiting_per_asker: usize,
    /// Maximum time that a long read waits before it starts.
    pub max_wait: Duration,
    /// Maximum time that a long read runs.
    pub time: Duration,
    /// Maximum size of the records of a page in bytes, as they are stored.
    pub page_bytes: usize,
}

impl Default for StoreLimits {
    fn default() -> Self {
        Self {
            records: None,
            running: 4,
            running_per_asker: 2,
            waiting: 1_024,
            waiting_per_asker: 64,
            max_wait: Duration::from_secs(2),
            time: Duration::from_secs(2),
            page_bytes: 16 << 20,
        }
    }
}
