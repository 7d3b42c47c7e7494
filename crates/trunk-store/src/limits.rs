//! How much of a store one may take, and who "one" is.

use std::time::Duration;

use uuid::Uuid;

/// Whose time a long read takes. Nobody's read waits behind more than one of each other asker's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Asker {
    /// An account, by its number.
    Account(i64),
    /// A customer of the communication platform.
    Customer(Uuid),
    /// Who runs the server, over the control API.
    Operator,
}

/// How much is kept, and how much is read at once and for how long. What goes beyond is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreLimits {
    /// Records of a type that an account may have which has no quota of its own; none is no limit.
    pub records: Option<u64>,
    /// Long reads under way at once. A database in memory has one connection, and does one.
    pub reads: usize,
    /// Those of one asker.
    pub reads_of_one: usize,
    /// Long reads that wait.
    pub waiting: usize,
    /// Those of one asker.
    pub waiting_of_one: usize,
    /// How long one may wait.
    pub patience: Duration,
    /// How long one may take.
    pub time: Duration,
    /// Most bytes of the records of a page, as they are stored.
    pub bytes: usize,
}

impl Default for StoreLimits {
    fn default() -> Self {
        Self {
            records: None,
            reads: 4,
            reads_of_one: 2,
            waiting: 1_024,
            waiting_of_one: 64,
            patience: Duration::from_secs(2),
            time: Duration::from_secs(2),
            bytes: 16 << 20,
        }
    }
}
