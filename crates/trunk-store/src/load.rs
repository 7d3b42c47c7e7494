//! The load of the engine in this process.

/// The queues of the engine now, and its work since it was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Load {
    /// Writes that wait for the writer of a file; on PostgreSQL, reads and writes that wait for a connection.
    pub waiting: u64,
    /// Transactions of this process that were committed. One contains all writes of a file that waited at the same
    /// time.
    pub commits: u64,
    /// Long reads that wait for their turn.
    pub reads_waiting: u64,
    /// Long reads in progress.
    pub reads_running: u64,
}
