//! The change feed of a node: its own writes as they are committed, and those of other nodes from a table that is
//! polled.
//!
//! A transaction writes its rows with the database's time, as its last statement, and commits a little later; so a row
//! may become visible after later ones were read. Each poll therefore reads again from the oldest transaction that was
//! in progress at the last poll, and drops the rows that it has seen, by their ids. The server shows only transactions
//! of the same user; so a poll in [`WIDE_INTERVAL`] reads again from [`OVERLAP`] before the last one, twice the longest
//! transaction. A node marks the rows of its own writes as seen before it commits them; as long as it does not know
//! whether they are committed, each poll reads again from the first of them.
//!
//! The effects of a record are added in the order of its revisions, so that a copy never becomes older: the tasks that
//! commit run in any order. Followers reload when a reset arrives after later changes, when the clock was set back, and
//! after a lost connection: changes may then have been missed, or another server may have taken over without the latest
//! ones. A call that a node wanted to end meanwhile is named to them nevertheless.
//!
//! Bounds: a poll reads [`MAX_ROWS`] rows, and followers reload if there are more; rows are deleted after
//! [`ROW_MEMORY_MICROS`].

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use service_base::clock::Stopwatch;
use tokio::sync::watch;
use tokio_postgres::Client;
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::address::STATEMENT_LIMIT;
use super::change_rows::{ChangeRow, DOCUMENT_KINDS, MAX_ROWS, Polled, read_hang_ups, read_rows, what};
use super::failure::Done;
use super::open_error::PostgresOpenError;
use super::parameter::Parameter;
use super::reasons::Reasons;
use super::run::ATTEMPT_LIMIT;
use super::seen::{FeedState, ROW_MEMORY_MICROS, RowId};
use super::transaction::Announcement;
use super::{Node, call_rows, records};
use crate::{Committed, RunningCall, StoredCharge, WriteHealth};

/// Time between two polls: a fifth of [`CHANGE_DELAY`](crate::CHANGE_DELAY).
const POLL_INTERVAL: Duration = Duration::from_millis(200);
/// The longest time of a poll, and of connecting for it.
const POLL_LIMIT: Duration = Duration::from_secs(2);
/// How far a poll reads back, in microseconds: twice the longest transaction.
#[expect(clippy::cast_possible_truncation, reason = "it is six seconds")]
const OVERLAP: i64 = 2 * ATTEMPT_LIMIT.as_micros() as i64;
/// How far every poll reads back at least, in microseconds.
const MIN_OVERLAP_MICROS: i64 = 100_000;
/// Time between two polls that read back by the whole overlap.
const WIDE_INTERVAL: Duration = Duration::from_secs(2);
/// The time without a poll after which rows may have been deleted unread, in microseconds.
const MAX_GAP: i64 = ROW_MEMORY_MICROS / 2;
/// Time between two deletions of old rows.
const PRUNE_INTERVAL: Duration = Duration::from_secs(10);

/// The marks of rows that are about to be committed. They are removed unless the transaction succeeds.
pub(super) struct Marks<'a> {
    node: &'a Node,
    rows: Vec<RowId>,
}

impl Marks<'_> {
    /// Keeps the marks: the transaction was committed. `position` is the greatest one of its rows.
    pub(super) fn keep(mut self, position: i64) {
        let mut seen = self.node.seen();
        seen.rows.extend(self.rows.drain(..).map(|row| (row, Some(position))));
    }
}

impl Drop for Marks<'_> {
    fn drop(&mut self) {
        if !self.rows.is_empty() {
            let mut seen = self.node.seen();
            for row in &self.rows {
                seen.rows.remove(row);
            }
        }
    }
}

impl Node {
    pub(super) fn seen(&self) -> MutexGuard<'_, FeedState> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes the idle connections: those of a server that disappeared without closing them may be silent for ever.
    fn leave_connections(&self) {
        for pool in [&self.pool, &self.vital_pool] {
            drop(pool.retain(|_, _| false));
        }
    }

    /// Marks rows that this node is about to commit as seen.
    pub(super) fn mark(&self, rows: &[i64]) -> Marks<'_> {
        let rows: Vec<RowId> = rows.iter().map(|row| (self.number, *row)).collect();
        self.seen().rows.extend(rows.iter().map(|row| (*row, None)));
        Marks { node: self, rows }
    }

    /// Adds the effects of a transaction of this node to the feed. `position` is the greatest one of its rows. All
    /// followers reload if the effects on records were not collected but a follower now needs them, or if a reset is
    /// late.
    pub(super) fn publish(&self, announced: Vec<Announcement>, position: i64, has_links: bool) {
        let (mut effects, mut deleted, mut is_complete) = (Vec::new(), Vec::new(), true);
        let follows_records = self.feed.follows_records();
        let mut seen = self.seen();
        for announcement in announced {
            match announcement {
                Announcement::Record { account, record, links } => {
                    if follows_records && !has_links {
                        is_complete = false;
                    }
                    if seen.is_newer(account, record.number, record.revision, position) && has_links {
                        let record = *record;
                        effects.push(Committed::Stored(crate::StoredRecord { account, record, links }));
                    }
                }
                Announcement::RecordDeleted { account, kind, id, number } => {
                    if seen.is_newer(account, number, i64::MAX, position) && follows_records {
                        deleted.push(Committed::Deleted { account, kind, id });
                    }
                }
                Announcement::Document { kind, id, customer, .. } => {
                    effects.push(Committed::Document { kind, id, customer });
                }
                Announcement::Account { number } => effects.push(Committed::Account { account: number }),
                // A node does not receive its own calls.
                Announcement::TokenKeys
                | Announcement::CallRunning { .. }
                | Announcement::CallEnded { .. } => {}
                Announcement::HangUp { call } => effects.push(Committed::HangUp(call)),
                Announcement::Reset { account, accounts } => {
                    is_complete &= !seen.is_late_reset(account, position);
                    effects.push(Committed::Reset { account, accounts });
                }
            }
        }
        effects.extend(deleted);
        if is_complete {
            // Under the lock, so that effects are added in the order in which they were compared.
            self.feed.append(effects.into());
        } else {
            self.feed.lose();
        }
    }
}

/// Marks the present commits as seen: the data that a follower loads contains them.
pub(super) async fn begin(node: &Node, client: &Client) -> Done<()> {
    // The rows of transactions in progress are read later; rows that are older than the overlap are not read.
    let Polled { now, oldest, .. } = read_rows(client, i64::MAX).await?;
    let from = oldest.min(now - OVERLAP) - 1;
    let Polled { rows, .. } = read_rows(client, from).await?;
    let mut seen = node.seen();
    (seen.from, seen.wide_from, seen.polled_at) = (from, from, now);
    seen.rows.extend(rows.into_iter().map(|(position, row, _)| (row, Some(position))));
    Ok(())
}

/// Polls until the task is aborted.
pub(super) async fn run(node: Arc<Node>, client: Client, mut wake: watch::Receiver<()>) {
    let (mut client, mut is_lost, mut is_at_once) = (Some(client), false, false);
    let (mut widened, mut pruned) = (Stopwatch::start(), Stopwatch::start());
    // The hosts of the address that a new connection leaves out.
    let (mut tried, mut reasons) = (0, Reasons::default());
    loop {
        if !is_at_once {
            let interval = async {
                // A notification only shortens the wait.
                if let Ok(Err(_)) = tokio::time::timeout(POLL_INTERVAL, wake.changed()).await {
                    // The sender of notifications has ended: only the interval is left.
                    tokio::time::sleep(POLL_INTERVAL).await;
                }
            };
            tokio::select! {
                () = interval => {}
                () = node.freshness.doubted() => {}
            }
        }
        let since = Stopwatch::start();
        let is_wide = widened.elapsed() >= WIDE_INTERVAL;
        if is_wide {
            widened = Stopwatch::start();
        }
        let attempt = attempt(&node, (&mut client, &mut tried), is_lost, is_wide);
        let attempt = tokio::time::timeout(POLL_LIMIT, attempt).await;
        match attempt {
            Ok(Ok(())) => {
                (is_lost, is_at_once, tried) = (false, false, 0);
                reasons.clear();
                node.known.confirm(since);
                node.report(true);
            }
            failed => {
                let error = match failed {
                    // It was an attempt to connect.
                    Ok(Err(failure)) if is_lost => PostgresOpenError::from(failure).to_string(),
                    Ok(Err(failure)) => failure.into_store_error(false).to_string(),
                    _ => "no answer in time".to_owned(),
                };
                if reasons.is_new(&error) {
                    tracing::warn!(error, node = node.number, "the changes of other nodes cannot be read");
                }
                // Reads and writes wait meanwhile, and most losses concern one connection.
                (client, is_lost, is_at_once) = (None, true, !is_lost);
                node.freshness.lose();
                node.leave_connections();
                node.report(false);
            }
        }
        if pruned.elapsed() >= PRUNE_INTERVAL
            && let Some(client) = &client
        {
            pruned = Stopwatch::start();
            let delete = "DELETE FROM change WHERE position < $1";
            let before = node.seen().polled_at - ROW_MEMORY_MICROS;
            let parameters: [Parameter<'_>; 1] = [(&before, Type::INT8)];
            let deleted = client.execute_typed(delete, &parameters);
            if !matches!(tokio::time::timeout(POLL_LIMIT, deleted).await, Ok(Ok(_))) {
                tracing::debug!(node = node.number, "old rows of the change feed were not deleted");
            }
        }
    }
}

/// Polls once, on a new connection if there is none. If that leads to a server that commits nothing, the next attempt
/// leaves out its host: a primary that was can go on beside the next one.
async fn attempt(
    node: &Node,
    (client, tried): (&mut Option<Client>, &mut usize),
    was_lost: bool,
    is_wide: bool,
) -> Done<()> {
    let client = if let Some(client) = client {
        client
    } else {
        let behind = std::mem::take(tried);
        let (new, tried_then) = node.address.connect_next(behind).await?;
        *tried = tried_then;
        client.insert(new)
    };
    if was_lost {
        node.freshness.prove(client, STATEMENT_LIMIT).await?;
        node.seen().forget();
        node.lists.begin_epoch();
        return begin_anew(node, client).await;
    }
    if node.freshness.needs_proof() {
        node.freshness.prove(client, STATEMENT_LIMIT).await?;
    }
    let from = {
        let seen = node.seen();
        if is_wide { seen.wide_from } else { seen.from }
    };
    let Polled { now, oldest, rows } = read_rows(client, from).await?;
    let gap = now - node.seen().polled_at;
    if gap < 0 {
        // Rows that were written after the clock was set back may have positions before those that were read.
        node.seen().forget();
    }
    if !(0..=MAX_GAP).contains(&gap) || rows.len() >= MAX_ROWS {
        return begin_anew(node, client).await;
    }
    let (new, in_flight): (Vec<_>, Vec<_>) = {
        let seen = node.seen();
        let unread = rows.into_iter().filter(|(_, row, _)| !matches!(seen.rows.get(row), Some(Some(_))));
        unread.partition(|(_, row, _)| !seen.rows.contains_key(row))
    };
    let effects = effects_of(node, client, &new).await?;
    let mut seen = node.seen();
    seen.rows.extend(new.iter().map(|(position, row, _)| (*row, Some(*position))));
    // Rows of this node whose commit is not confirmed yet are read again, because their marks may be removed.
    let unknown = in_flight.iter().filter(|(_, row, _)| !matches!(seen.rows.get(row), Some(Some(_))));
    let oldest = unknown.map(|(position, ..)| *position).fold(oldest, i64::min);
    (seen.from, seen.wide_from) = (oldest.min(now - MIN_OVERLAP_MICROS) - 1, oldest.min(now - OVERLAP) - 1);
    seen.polled_at = now;
    let (mut write, mut is_in_order) = (Vec::with_capacity(effects.len()), true);
    for (position, number, revision, account, effect) in effects {
        if let Committed::Reset { account, .. } = &effect {
            is_in_order &= !seen.is_late_reset(*account, position);
        }
        if number == 0 || seen.is_newer(account, number, revision, position) {
            write.push(effect);
        }
    }
    seen.prune();
    if is_in_order {
        node.feed.append(write.into());
    } else {
        node.feed.lose();
    }
    Ok(())
}

/// Reloads the node's copies, and makes its followers reload too. The calls that nodes wanted to end are in none of the
/// data that they load: they receive these again, even those that they have received before.
async fn begin_anew(node: &Node, client: &Client) -> Done<()> {
    let from = node.seen().wide_from;
    begin(node, client).await?;
    node.known.load(client).await?;
    let hang_ups = read_hang_ups(client, from).await?;
    node.feed.lose_but(hang_ups.into_iter().map(Committed::HangUp).collect());
    Ok(())
}

/// An effect with its position and, for a record, its number, revision and account.
type Effect = (i64, i64, i64, i64, Committed);

/// The effects of the rows that other nodes wrote, with the current state of the records. The node's own copies are
/// brought up to date first.
async fn effects_of(node: &Node, client: &Client, rows: &[(i64, RowId, ChangeRow)]) -> Done<Vec<Effect>> {
    let mut accounts: HashSet<i64> = HashSet::new();
    let mut all = false;
    for (_, _, row) in rows {
        match row.what {
            what::ACCOUNT => drop(accounts.insert(row.account)),
            what::RESET if row.revision != 0 => drop(accounts.insert(row.account)),
            what::TOKEN_KEYS | what::RESET_OF_ALL => all = true,
            _ => {}
        }
    }
    if all {
        node.known.load(client).await?;
    } else if !accounts.is_empty() {
        node.known.load_accounts(client, &accounts).await?;
    }
    let follows_records = node.feed.follows_records();
    let numbers: Vec<i64> =
        rows.iter().filter(|(_, _, row)| row.what == what::RECORD).map(|(_, _, row)| row.number).collect();
    let mut stored = if follows_records && !numbers.is_empty() {
        records::stored(client, &node.symbols, &numbers).await?
    } else {
        HashMap::new()
    };
    let (mut running, mut ended) = calls_of(client, rows, follows_records).await?;
    let mut effects = Vec::with_capacity(rows.len());
    for (position, _, row) in rows {
        let plain = |effect| (*position, 0, 0, 0, effect);
        match row.what {
            what::RECORD => {
                // The record may have been deleted, which a later row reports; several changes of one record are one
                // effect.
                if let Some(stored) = stored.remove(&row.number) {
                    let (number, revision) = (stored.record.number, stored.record.revision);
                    effects.push((*position, number, revision, stored.account, Committed::Stored(stored)));
                }
            }
            what::RECORD_DELETED => {
                if let Some(kind) = node.symbols.kind_name(row.kind).filter(|_| follows_records) {
                    let effect = Committed::Deleted { account: row.account, kind, id: row.subject };
                    effects.push((*position, row.number, i64::MAX, row.account, effect));
                }
            }
            what::DOCUMENT => {
                let kind = usize::try_from(row.kind).ok().and_then(|kind| DOCUMENT_KINDS.get(kind).copied());
                if let Some(kind) = kind {
                    effects.push(plain(Committed::Document {
                        kind,
                        id: row.subject,
                        customer: row.customer,
                    }));
                }
            }
            what::ACCOUNT => effects.push(plain(Committed::Account { account: row.account })),
            what::RESET => {
                let accounts = row.revision != 0;
                effects.push(plain(Committed::Reset { account: Some(row.account), accounts }));
            }
            what::RESET_OF_ALL => {
                effects.push(plain(Committed::Reset { account: None, accounts: row.revision != 0 }));
            }
            // Only the current state of a call counts: it may have ended, and several of its rows are one effect.
            what::CALL_RUNNING => {
                effects.extend(running.remove(&row.subject).map(|call| plain(Committed::CallRunning(call))));
            }
            what::CALL_ENDED => {
                effects.extend(ended.remove(&row.subject).map(|charge| plain(Committed::CallEnded(charge))));
            }
            what::HANG_UP => effects.push(plain(Committed::HangUp(row.subject))),
            _ => {}
        }
    }
    Ok(effects)
}

/// The calls of rows that other nodes wrote, by their ids: those that run, and those that ended.
type CallsOfRows = (HashMap<Uuid, Arc<RunningCall>>, HashMap<Uuid, Arc<StoredCharge>>);

async fn calls_of(
    client: &Client,
    rows: &[(i64, RowId, ChangeRow)],
    are_followed: bool,
) -> Done<CallsOfRows> {
    let ids = |what: i16| -> Vec<Uuid> {
        let of = rows.iter().filter(|(_, _, row)| are_followed && row.what == what);
        of.map(|(_, _, row)| row.subject).collect()
    };
    let (running, ended) = (ids(what::CALL_RUNNING), ids(what::CALL_ENDED));
    // In this order: a call that ends between the two reads is found as running, and its end is among these rows or in
    // a later poll.
    let running =
        if running.is_empty() { Vec::new() } else { call_rows::running_with(client, &running).await? };
    let ended = if ended.is_empty() { Vec::new() } else { call_rows::charges_of(client, &ended).await? };
    let running = running.into_iter().map(|call| (call.id, Arc::new(call))).collect();
    Ok((running, ended.into_iter().map(|charge| (charge.id, Arc::new(charge))).collect()))
}

impl Node {
    /// Records whether the database can be reached.
    pub(super) fn report(&self, is_there: bool) {
        let health = if is_there { WriteHealth::Writable } else { WriteHealth::Away };
        self.health.send_if_modified(|known| {
            let changed = *known != health;
            if changed {
                tracing::info!(
                    node = self.number,
                    reachable = is_there,
                    "whether the database can be reached changed"
                );
                *known = health;
            }
            changed
        });
    }
}
