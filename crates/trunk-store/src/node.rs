//! Nodes: the processes that share a database.

use didww_types::Timestamp;

/// A node of a database: a process that has it open, or that ended without releasing its calls and leases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Node {
    /// The number, which no other process of the database has, or ever had.
    pub number: i64,
    /// Number of heartbeats. A node whose number of heartbeats does not change for a time, on the stopwatch of the
    /// observing node, is dead. The clocks of two nodes are never compared.
    pub beats: i64,
    /// The time of the last heartbeat, on the node's own clock; `None` if it never had one.
    pub beat_at: Option<Timestamp>,
    /// The node that settles the calls of this one, because it was found dead.
    pub heir: Option<i64>,
}
