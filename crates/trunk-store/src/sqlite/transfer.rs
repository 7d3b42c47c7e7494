//! The two ends of a transfer in the embedded engine.

mod source;
mod statements;
mod target;

pub(crate) use source::SqliteSource;
pub(crate) use target::SqliteTarget;
