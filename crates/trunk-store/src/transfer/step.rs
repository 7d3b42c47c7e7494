//! How far a transfer is.

/// What a transfer does now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Phase {
    /// Reads the whole backup, to find out whether it is intact.
    Check,
    /// Writes the rows.
    Copy,
    /// Builds what is derived from the rows.
    Index,
    /// Reads the target back.
    Verify,
}

/// How far a transfer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// What it does.
    pub phase: Phase,
    /// Number of rows that are done in this phase.
    pub done: u64,
    /// Number of rows in all; 0 if it is not known.
    pub of: u64,
}

/// Receives the steps of a transfer.
pub type Report<'a> = &'a mut (dyn FnMut(Step) + Send);
