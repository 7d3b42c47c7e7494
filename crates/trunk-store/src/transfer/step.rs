//! The progress of a transfer.

/// A phase of a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Phase {
    /// Reads the whole backup, to check that it is intact.
    Check,
    /// Writes the rows to the target.
    Copy,
    /// Builds the index and other derived rows.
    Index,
    /// Reads the target back, and compares it with the source.
    Verify,
}

/// The progress of a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// The present phase.
    pub phase: Phase,
    /// Number of rows that are done in this phase.
    pub done: u64,
    /// Number of all rows of this phase; 0 if it is not known.
    pub of: u64,
}

/// Receives the steps of a transfer.
pub type Report<'a> = &'a mut (dyn FnMut(Step) + Send);
