//! Whether a new connection leads to a primary that has what this node was answered before.
//!
//! A primary that stood still while another one took over takes itself for the primary when it wakes up, until it is stopped.
//! Of several hosts it may be the first that accepts writes, and reads there would be old ones. It lacks the heartbeats that
//! this node has had since, and cannot commit one if replication is synchronous.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tokio_postgres::types::Type;
use tokio_postgres::{Client, Error};

use super::parameter::Parameter;

/// The heartbeats of this node that the database has.
#[derive(Debug)]
pub(super) struct Freshness {
    /// The number of this node.
    node: i64,
    /// The number of its heartbeats that are known to be committed; 0 if it has none.
    beats: AtomicI64,
}

impl Freshness {
    pub(super) fn new(node: i64) -> Self {
        Self { node, beats: AtomicI64::new(0) }
    }

    /// Notes that this many heartbeats are committed.
    pub(super) fn note(&self, beats: i64) {
        self.beats.fetch_max(beats, Ordering::Relaxed);
    }

    /// Forgets all heartbeats: this node is removed, and has none any more.
    pub(super) fn forget(&self) {
        self.beats.store(0, Ordering::Relaxed);
    }

    /// Whether a connection leads to a server with all of these heartbeats.
    pub(super) async fn is_kept_by(&self, client: &Client) -> Result<bool, Error> {
        let known = self.beats.load(Ordering::Relaxed);
        if known == 0 {
            return Ok(true);
        }
        let select = "SELECT 1 FROM node WHERE number = $1 AND beats >= $2";
        let parameters: [Parameter<'_>; 2] = [(&self.node, Type::INT8), (&known, Type::INT8)];
        Ok(client.query_typed_opt(select, &parameters).await?.is_some())
    }

    /// Commits a heartbeat after the database was lost: what answers is the primary, whatever it lost.
    ///
    /// The server ends the statement after this limit: of many that follow each other, one waits for a standby that does not
    /// come, and the others for its row.
    pub(super) async fn prove(&self, client: &Client, limit: Duration) -> Result<(), Error> {
        client.batch_execute(&format!("SET statement_timeout = {}", limit.as_millis())).await?;
        let beat = "UPDATE node SET beats = beats + 1 WHERE number = $1 AND heir IS NULL AND NOT removed RETURNING beats";
        let parameters: [Parameter<'_>; 1] = [(&self.node, Type::INT8)];
        if let Some(row) = client.query_typed_opt(beat, &parameters).await? {
            self.beats.store(row.try_get(0)?, Ordering::Relaxed);
        }
        Ok(())
    }
}
