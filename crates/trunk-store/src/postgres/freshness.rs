//! Whether a new connection leads to a primary that has all writes that were confirmed to this node.
//!
//! A primary that was suspended while a standby was promoted still acts as a primary when it resumes, until it is
//! stopped. Of several hosts it may be the first that accepts writes, and reads from it would be stale. It lacks the
//! heartbeats that this node has committed since, and cannot commit one if replication is synchronous.
//!
//! So from the loss of the database until a heartbeat is committed, no connection is used: this node returns no data of
//! a server that may not be the primary, and acknowledges no write before a later heartbeat was committed. Connections
//! that were opened before that are no longer used, and each later one must have the heartbeat.
//!
//! The same follows a commit without an outcome. If its connection broke because its process was ended while it waited
//! for a standby, the commit is visible at this server, and a failover can still lose it. A heartbeat that is committed
//! after it is on the standby together with it, so what is visible by then stays. And if it has no answer in time, the
//! standby may follow another primary, while this one goes on because whatever should have stopped it has died: it
//! answers reads, and commits nothing.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use service_base::clock::Stopwatch;
use tokio::sync::{Notify, watch};
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Error};

use super::parameter::Parameter;

/// How long after a loss reads and writes wait for the heartbeat. Most losses concern one connection, and end within
/// this time.
const GRACE_PERIOD: Duration = Duration::from_secs(1);

/// Makes the statements outside of transactions see what was committed before them, whatever the database's default is.
/// Otherwise a heartbeat that meets another one of this node fails. A pooler can lose the setting, and the heartbeat is
/// repeated then.
pub(super) const ISOLATED: &str = "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED";

/// Whether the server that answers is known to be the primary.
#[derive(Debug, Clone, Copy)]
enum Proof {
    /// The database was not lost since this store was opened.
    NotNeeded,
    /// The database was lost, and no heartbeat was committed since.
    Missing {
        /// When it was lost first.
        since: Stopwatch,
        /// When it was lost last, or a commit became doubtful. A heartbeat that began before is no proof.
        doubted: Stopwatch,
    },
    /// A heartbeat was committed at this time, after the database was lost.
    Shown(Stopwatch),
}

/// The heartbeats of this node that the database has.
#[derive(Debug)]
pub(super) struct Freshness {
    /// The number of this node.
    node: i64,
    /// The number of its heartbeats that are known to be committed; 0 if it has none.
    beats: AtomicI64,
    /// The greatest number of a heartbeat that was sent as a proof, also if it has no outcome.
    sent: AtomicI64,
    proof: watch::Sender<Proof>,
    /// Notified when a commit became doubtful.
    in_doubt: Notify,
}

/// A heartbeat after a loss, whose number is greater than `$2`.
const BEAT: &str = "UPDATE node SET beats = greatest(beats, $2) + 1 \
                    WHERE number = $1 AND heir IS NULL AND NOT removed RETURNING beats";
/// The same if the row of this node was lost too.
const BEAT_ANEW: &str = "INSERT INTO node (number, beats, beat_at, heir, removed) VALUES ($1, $2 + 1, NULL, NULL, false) \
                         ON CONFLICT (number) DO NOTHING RETURNING beats";
/// Commits if this node had no heartbeat, or may have none. It changes no value.
const WRITE_ANYTHING: &str = "INSERT INTO node_number AS n (only_row, last) VALUES (true, 0) \
                              ON CONFLICT (only_row) DO UPDATE SET last = n.last";

impl Freshness {
    pub(super) fn new(node: i64) -> Self {
        let proof = watch::Sender::new(Proof::NotNeeded);
        Self { node, beats: AtomicI64::new(0), sent: AtomicI64::new(0), proof, in_doubt: Notify::new() }
    }

    /// Records that this many heartbeats are committed.
    pub(super) fn note(&self, beats: i64) {
        self.beats.fetch_max(beats, Ordering::Relaxed);
    }

    /// Forgets all heartbeats, because this node was removed from the database.
    pub(super) fn forget(&self) {
        self.beats.store(0, Ordering::Relaxed);
    }

    /// Records that the database was lost.
    pub(super) fn lose(&self) {
        self.proof.send_if_modified(|proof| {
            let now = Stopwatch::start();
            let earlier = match *proof {
                Proof::Missing { since, .. } => Some(since),
                Proof::NotNeeded | Proof::Shown(_) => None,
            };
            *proof = Proof::Missing { since: earlier.unwrap_or(now), doubted: now };
            earlier.is_none()
        });
    }

    /// Records that a commit has no outcome, and wakes the task that waits for [`doubted`](Self::doubted).
    pub(super) fn doubt(&self) {
        self.lose();
        self.in_doubt.notify_one();
    }

    /// Waits for a doubt that was not awaited yet.
    pub(super) async fn doubted(&self) {
        self.in_doubt.notified().await;
    }

    /// Whether a heartbeat must be committed before the database is used.
    pub(super) fn needs_proof(&self) -> bool {
        matches!(*self.proof.borrow(), Proof::Missing { .. })
    }

    /// Returns true if the database is not lost. Shortly after a loss it waits for the heartbeat.
    pub(super) async fn is_certain(&self) -> bool {
        let known = *self.proof.borrow();
        let Proof::Missing { since, .. } = known else { return true };
        let mut proof = self.proof.subscribe();
        let shown = proof.wait_for(|proof| !matches!(proof, Proof::Missing { .. }));
        let shown = tokio::time::timeout(GRACE_PERIOD.saturating_sub(since.elapsed()), shown).await;
        matches!(shown, Ok(Ok(_)))
    }

    /// Whether a connection that was opened at this time may be used.
    pub(super) fn permits(&self, opened: Instant) -> bool {
        match *self.proof.borrow() {
            Proof::NotNeeded => true,
            Proof::Missing { .. } => false,
            Proof::Shown(since) => opened > since.started(),
        }
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

    /// Commits a heartbeat after the database was lost, which proves that the server that answers is the primary, and
    /// that a standby has what this one shows.
    ///
    /// The server ends the statement after `limit`: otherwise one of several attempts would wait for a missing standby,
    /// and the others for its row lock.
    pub(super) async fn prove(&self, client: &Client, limit: Duration) -> Result<(), Error> {
        let begun = Stopwatch::start();
        let settings = format!("{ISOLATED}; SET statement_timeout = {}", limit.as_millis());
        client.batch_execute(&settings).await?;
        let known = self.beats.load(Ordering::Relaxed);
        let shown = self.greatest_shown(known);
        let parameters: [Parameter<'_>; 2] = [(&self.node, Type::INT8), (&shown, Type::INT8)];
        let mut beat = client.query_typed_opt(BEAT, &parameters).await?;
        if beat.is_none() && known > 0 {
            beat = client.query_typed_opt(BEAT_ANEW, &parameters).await?;
        }
        match beat {
            Some(row) => self.beats.store(row.try_get(0)?, Ordering::Relaxed),
            None => client.batch_execute(WRITE_ANYTHING).await?,
        }
        self.show(begun);
        Ok(())
    }

    /// The greatest number that an old primary may show without having committed it: that of one heartbeat after the
    /// known ones, or of an earlier proof that waited there until its process ended. The next proof has a greater one.
    fn greatest_shown(&self, known: i64) -> i64 {
        let shown = self.sent.load(Ordering::Relaxed).max(known.saturating_add(1));
        self.sent.store(shown.saturating_add(1), Ordering::Relaxed);
        shown
    }

    /// Records that a heartbeat was committed that began at this time.
    fn show(&self, begun: Stopwatch) {
        self.proof.send_if_modified(|proof| {
            let is_doubted_since =
                matches!(*proof, Proof::Missing { doubted, .. } if doubted.started() >= begun.started());
            if !is_doubted_since {
                *proof = Proof::Shown(Stopwatch::start());
            }
            !is_doubted_since
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn no_connection_is_used_after_a_loss_until_there_is_proof_and_none_from_before_it_then() {
        let freshness = Freshness::new(1);
        let opened = || Stopwatch::start().started();
        let at_first = opened();
        assert!(freshness.is_certain().await && freshness.permits(at_first));
        freshness.lose();
        assert!(!freshness.permits(opened()), "where it leads is not known");
        let before = opened();
        freshness.proof.send_replace(Proof::Shown(Stopwatch::start()));
        assert!(!freshness.permits(at_first) && !freshness.permits(before), "it was opened before the proof");
        assert!(freshness.permits(opened()), "it has to show the proof");
        freshness.lose();
        assert!(!freshness.permits(opened()), "the proof counts until the next loss");
    }

    #[tokio::test]
    async fn a_read_that_begins_after_a_loss_waits_for_the_proof_for_a_time() {
        let freshness = Freshness::new(1);
        freshness.lose();
        let proven = async {
            tokio::task::yield_now().await;
            freshness.proof.send_replace(Proof::Shown(Stopwatch::start()));
        };
        assert!(tokio::join!(biased; freshness.is_certain(), proven).0);
        freshness.lose();
        assert!(!freshness.is_certain().await, "there is none in time");
    }

    #[test]
    fn each_proof_has_a_greater_number_than_what_an_old_primary_may_show() {
        let freshness = Freshness::new(1);
        assert_eq!(freshness.greatest_shown(5), 6, "a heartbeat whose outcome is not known");
        assert_eq!(freshness.greatest_shown(5), 7, "the proof before, which had the number 7");
        assert_eq!(freshness.greatest_shown(20), 21);
    }

    /// A stopwatch that was started later than every one before it.
    fn later() -> Stopwatch {
        let before = Stopwatch::start().started();
        std::iter::repeat_with(Stopwatch::start).find(|stopwatch| stopwatch.started() > before).unwrap()
    }

    #[tokio::test]
    async fn a_heartbeat_that_began_before_a_commit_became_doubtful_is_no_proof() {
        let freshness = Freshness::new(1);
        freshness.lose();
        let begun = later();
        freshness.doubt();
        freshness.show(begun);
        assert!(freshness.needs_proof(), "the commit may be behind the heartbeat");
        freshness.doubted().await;
        freshness.show(later());
        assert!(!freshness.needs_proof() && freshness.is_certain().await);
        freshness.doubt();
        assert!(!freshness.is_certain().await, "each doubt needs a proof");
    }
}
