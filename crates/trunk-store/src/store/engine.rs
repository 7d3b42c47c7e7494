//! The engine itself: its health, and closing it.

use tokio::sync::watch;

use crate::answer::Answer;
use crate::health::{MissingCommits, WriteHealth};
use crate::load::Load;

/// The state of the engine in this process.
pub trait Engine: Send + Sync + std::fmt::Debug {
    /// Returns a receiver of the write health: whether writes of this process are accepted. While they are refused
    /// because the disk is full, the engine tests by itself whether it has space again.
    fn write_health(&self) -> watch::Receiver<WriteHealth>;

    /// Returns the acknowledged commits that were missing from the database when it was opened.
    fn missing_commits(&self) -> Option<MissingCommits>;

    /// Returns the load of the engine. It reads no stored data.
    fn load(&self) -> Load;

    /// Fails if the store cannot be read now.
    fn check(&self) -> Answer<'_, ()>;

    /// Completes the writes that wait, and releases the files or connections. Every later read or write fails.
    fn close(&self) -> Answer<'_, ()>;
}
