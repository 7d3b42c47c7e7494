//! The health and the end of the embedded engine.

use tokio::sync::watch;

use super::super::error::failed;
use super::super::scan;
use super::SqliteStore;
use crate::{Answer, Engine, Load, MissingCommits, WriteHealth};

impl Engine for SqliteStore {
    fn write_health(&self) -> watch::Receiver<WriteHealth> {
        self.health.subscribe()
    }

    fn missing_commits(&self) -> Option<MissingCommits> {
        self.missing
    }

    fn load(&self) -> Load {
        let (waiting, commits) = self.connections.counts();
        let (reads_waiting, reads_running) = self.scans.counts();
        Load { waiting, commits, reads_waiting, reads_running }
    }

    fn check(&self) -> Answer<'_, ()> {
        let checked = self.connections.read(|connection| {
            connection
                .query_row("SELECT count(*) FROM symbol", [], |row| row.get::<_, i64>(0))
                .map_err(failed)
        });
        Answer::ready(checked.map(|_| ()))
    }

    fn close(&self) -> Answer<'_, ()> {
        let threads = self.scans.end();
        Answer::later(async move {
            let joined = tokio::task::spawn_blocking(move || scan::join(threads)).await;
            if joined.is_err() {
                tracing::error!("a read thread panicked");
            }
            self.connections.close().await
        })
    }
}
