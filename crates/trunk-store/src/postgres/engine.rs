//! The engine itself: its health, and closing it.

use std::sync::atomic::Ordering;

use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::PostgresStore;
use crate::{Answer, Engine, Load, MissingCommits, WriteHealth};

impl Engine for PostgresStore {
    fn write_health(&self) -> watch::Receiver<WriteHealth> {
        self.node.health.subscribe()
    }

    /// None: the database server keeps all acknowledged commits.
    fn missing_commits(&self) -> Option<MissingCommits> {
        None
    }

    fn load(&self) -> Load {
        let (reads_waiting, reads_running) = self.node.turns.counts();
        let waiting = u64::try_from(self.node.pool.status().waiting).unwrap_or(u64::MAX);
        Load { waiting, commits: self.node.commits.load(Ordering::Relaxed), reads_waiting, reads_running }
    }

    fn check(&self) -> Answer<'_, ()> {
        let select = "SELECT 1";
        Answer::later(self.node.read(select, |client, select| {
            Box::pin(async move { Ok(client.query_typed(select, &[]).await.map(drop)?) })
        }))
    }

    fn close(&self) -> Answer<'_, ()> {
        Answer::later(async move {
            // No write begins while this waits for those that have begun; later ones find the pools closed.
            let all_ended = self.node.gate.write().await;
            self.node.pool.close();
            self.node.vital_pool.close();
            drop(all_ended);
            self.tasks.iter().for_each(AbortHandle::abort);
            self.node.known.doubt();
            Ok(())
        })
    }
}
