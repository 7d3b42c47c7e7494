//! Writes the effects of calls on their trunk: records, the amount spent, and whether that blocks or re-opens
//! the trunk.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use didww_types::resources::VoiceOutTrunk;
use didww_types::{DecodeError, Resource as _, Timestamp};
use futures_util::{StreamExt as _, stream};
use rust_decimal::Decimal;
use service_core::audit::{Actor, with_actor};
use service_core::{AttemptError, Decided, Retries};
use tokio::sync::Notify;
use trunk_rules::carrier::SpendEvent;
use trunk_rules::domain::{RecordText, SpendingOutcome, decide_spending};
use trunk_store::{Change, Record, Scope, StoreError};
use uuid::Uuid;

use super::state::{Billing, MAX_UNWRITTEN_RECORDS, SPENDING_WINDOW};
use super::trunk_ledger::{TrunkState, WaitingRecord};
use crate::inner::Inner;

/// Limit of call records in one commit.
const MAX_RECORDS_PER_COMMIT: usize = 256;
/// The time after a commit in which records of the same trunk are gathered for the next one. The first is
/// written at once.
const GATHER_TIME: Duration = Duration::from_millis(20);
/// The delay before failed writes are tried again.
const RETRY_DELAY: Duration = Duration::from_secs(1);
/// The time for which a node does not re-open a trunk after it learned that the trunk is blocked. By then it has
/// received every charge that another node counted, and both compute the same price of running calls.
const REOPEN_DELAY: Duration = Duration::from_secs(15);
/// Limit of trunks that are written concurrently after a start or a failure.
const MAX_CONCURRENT_TRUNKS: usize = 32;

/// One unit of work of a trunk's task.
struct Work {
    account: i64,
    /// True if the trunk's spending may have changed. It is unchanged if only unanswered calls ended.
    decides: bool,
    waiting: Vec<WaitingRecord>,
    write_now: Arc<Notify>,
}

/// The spending of a trunk as this node knows it, and what follows from it.
#[derive(Debug, Clone, Copy, Default)]
struct KnownSpending {
    spent: Decimal,
    /// True if the trunk must be blocked.
    blocks: bool,
    /// True if this node may re-open the trunk.
    may_reopen: bool,
}

impl Billing {
    /// Takes the next work of a trunk's task. `None` ends the task.
    fn next_work(&self, trunk: Uuid) -> Option<Work> {
        let mut ledgers = self.lock();
        let ledger = ledgers.get_mut(&trunk)?;
        let (account, write_now) = (ledger.account, Arc::clone(&ledger.write_now));
        let number = ledger.waiting.len().min(MAX_RECORDS_PER_COMMIT);
        let waiting: Vec<WaitingRecord> = ledger.waiting.drain(..number).collect();
        ledger.writing = waiting.iter().map(|waiting| waiting.call.ended_at).min();
        let decides = std::mem::take(&mut ledger.due) | waiting.iter().any(|waiting| waiting.is_answered);
        if decides || !waiting.is_empty() {
            return Some(Work { account, decides, waiting, write_now });
        }
        ledger.busy = false;
        None
    }

    /// Commits records together with the change of their trunk.
    async fn write(
        &self,
        inner: &Inner,
        trunk: Uuid,
        account: i64,
        decides: bool,
        calls: Vec<Change>,
    ) -> Result<(), StoreError> {
        if !decides {
            return inner.core.store.commit(calls).await.map(|_| ());
        }
        let calls = &calls;
        let outcome = Retries::BACKGROUND
            .run(|| async move {
                let now = inner.core.clock.now();
                let (spent, mut changes) = self.trunk_changes(inner, account, trunk, now).await?;
                changes.extend(calls.iter().cloned());
                if !changes.is_empty() {
                    with_actor(Actor::Edge, inner.core.commit(changes)).await?;
                }
                self.record_shown(trunk, spent, now);
                Ok::<_, AttemptError<StoreError>>(())
            })
            .await;
        match &outcome {
            Err(StoreError::Conflict | StoreError::Overloaded | StoreError::Unavailable) => {
                self.decide_later(trunk);
            }
            Err(StoreError::Corrupt(why)) => {
                tracing::error!(%trunk, why, "a trunk cannot be read: what its calls cost is not shown in it");
            }
            _ => return outcome,
        }
        // The records charge the account, so they are written in any case. The trunk is corrected from them later, if
        // it can be read.
        match outcome {
            _ if !calls.is_empty() => inner.core.store.commit(calls.clone()).await.map(|_| ()),
            Err(StoreError::Corrupt(_)) => Ok(()),
            outcome => outcome,
        }
    }

    /// Records the amount that the API shows from now on.
    fn record_shown(&self, trunk: Uuid, spent: Decimal, now: Timestamp) {
        if let Some(ledger) = self.lock().get_mut(&trunk) {
            ledger.shown = Some((spent, now));
        }
    }

    /// Schedules another decision about a trunk after the retry delay.
    fn decide_later(&self, trunk: Uuid) {
        if let Some(ledger) = self.lock().get_mut(&trunk) {
            ledger.may_be_outdated = true;
        }
        self.write_failed.notify_one();
    }

    /// The known spending of a trunk at `now`. `record` is the trunk's record, read just before.
    fn known_spending(
        &self,
        trunk: Uuid,
        record: &Record,
        limit: Option<Decimal>,
        now: Timestamp,
    ) -> KnownSpending {
        let mut ledgers = self.lock();
        // Another node may have blocked or re-opened it, which the change feed reports later.
        ledgers.compare(trunk, TrunkState::of(record));
        let is_shared = ledgers.is_shared;
        let Some(ledger) = ledgers.get_mut(&trunk) else {
            return KnownSpending { may_reopen: !is_shared, ..KnownSpending::default() };
        };
        ledger.grow_others(now);
        let is_new = is_shared && ledger.blocked.is_some_and(|since| since.elapsed() < REOPEN_DELAY);
        let (spent, blocks) = (ledger.spending.spent(now), ledger.spending.blocks(limit, now));
        KnownSpending { spent, blocks, may_reopen: !is_new }
    }

    /// The amount that a trunk spent, and the changes to commit because of it: the amount in its meta, and if
    /// the trunk is blocked or re-opened, its status and an event for callbacks.
    async fn trunk_changes(
        &self,
        inner: &Inner,
        account: i64,
        trunk: Uuid,
        now: Timestamp,
    ) -> Result<(Decimal, Vec<Change>), StoreError> {
        let scope = Scope { account, spec: VoiceOutTrunk::SPEC };
        // The trunk was deleted while a call was active.
        let Some(before) = inner.core.store.find(scope, trunk).await? else {
            return Ok((Decimal::ZERO, Vec::new()));
        };
        let corrupt = |error: DecodeError| StoreError::Corrupt(format!("trunk {trunk}: {error}"));
        let id = trunk.to_string();
        let stored = RecordText { id: &id, attributes: &before.attributes, meta: before.meta.as_deref() };
        let stored: VoiceOutTrunk = stored.decode().map_err(corrupt)?;
        let limit = stored.threshold_amount.map(|threshold| threshold.money().amount());
        let KnownSpending { spent, blocks, may_reopen } = self.known_spending(trunk, &before, limit, now);
        let waits = !blocks && !may_reopen && stored.threshold_reached;
        if waits {
            self.decide_later(trunk);
        }
        // Spending that does not block the trunk now must not keep it blocked, as after ageing.
        let event = if blocks || waits { SpendEvent::Charged } else { SpendEvent::Aged };
        let on_manual_block = inner.config.settings.callback_on_manual_block;
        let SpendingOutcome { outcome, change } =
            decide_spending(&stored, event, spent, on_manual_block, now).map_err(corrupt)?;
        if let Some(change) = change {
            let is_blocked = change.state.blocked;
            tracing::warn!(%trunk, is_blocked, %spent, "the spending of the last 24 hours changed the status of a trunk");
        }
        // The change that may conflict comes first, so that a conflict undoes nothing else.
        let changes = Decided { account, at: now, read: &[&before] }.changes(outcome, &inner.core.ids)?;
        Ok((spent, changes))
    }

    /// Reports the outcome of a commit to the waiting calls. After a failure, records of answered calls are
    /// queued again.
    fn report_outcome(&self, trunk: Uuid, waiting: Vec<WaitingRecord>, outcome: &Result<(), StoreError>) {
        let mut ledgers = self.lock();
        let is_recounting = ledgers.is_recounting;
        let Some(ledger) = ledgers.get_mut(&trunk) else { return };
        ledger.writing = None;
        if outcome.is_ok() && !ledger.unstored.is_empty() {
            for waiting in &waiting {
                ledger.mark_stored(waiting.call.id, is_recounting);
            }
        }
        let mut again = Vec::new();
        for mut waiting in waiting {
            if let Some(written) = waiting.written.take() {
                // The receiver is gone if the call's future was dropped.
                let _gone = written.send(outcome.clone());
            }
            match outcome {
                Ok(()) if waiting.is_retry => {
                    self.unwritten.fetch_sub(1, Ordering::Relaxed);
                }
                Err(_) if waiting.is_retry => again.push(waiting),
                Err(_)
                    if waiting.is_answered
                        && self.unwritten.load(Ordering::Relaxed) < MAX_UNWRITTEN_RECORDS =>
                {
                    self.unwritten.fetch_add(1, Ordering::Relaxed);
                    again.push(WaitingRecord { is_retry: true, ..waiting });
                }
                _ => {}
            }
        }
        if !again.is_empty() {
            // The oldest records stay first.
            again.append(&mut ledger.waiting);
            ledger.waiting = again;
        }
    }

    /// Ends a trunk's task after a failed write. A later task writes the waiting records.
    fn stop_task(&self, trunk: Uuid) {
        if let Some(ledger) = self.lock().get_mut(&trunk) {
            ledger.busy = false;
            ledger.may_be_outdated = true;
        }
        self.write_failed.notify_one();
    }

    /// The trunks that must be written at `now`, and when the spending of the next one ages. The trunks count
    /// as busy: the caller must write them.
    fn take_due(&self, now: Timestamp) -> (Vec<Uuid>, Option<Timestamp>) {
        let mut ledgers = self.lock();
        let mut due = Vec::new();
        ledgers.retain(|trunk, ledger| {
            let aged = ledger.spending.oldest().is_some_and(|oldest| oldest.after(SPENDING_WINDOW) <= now);
            if aged {
                // Removes the aged charges from the window.
                let _spent = ledger.spending.spent(now);
            }
            ledger.due |= aged | std::mem::take(&mut ledger.may_be_outdated);
            if ledger.due && !std::mem::replace(&mut ledger.busy, true) {
                due.push(*trunk);
            }
            !ledger.is_idle()
        });
        let next = ledgers.values().filter_map(|ledger| ledger.spending.oldest()).min();
        (due, next.map(|oldest| oldest.after(SPENDING_WINDOW)))
    }
}

/// The task of one trunk: writes until there is nothing left to write, or a write fails.
pub(super) async fn write_trunk(inner: Arc<Inner>, trunk: Uuid) {
    while let Some(Work { account, decides, waiting, write_now }) = inner.billing.next_work(trunk) {
        let calls: Vec<Change> =
            waiting.iter().map(|waiting| Change::Call(Arc::clone(&waiting.call))).collect();
        let is_call = !calls.is_empty();
        let outcome = inner.billing.write(&inner, trunk, account, decides, calls).await;
        inner.billing.report_outcome(trunk, waiting, &outcome);
        if let Err(error) = outcome {
            inner.billing.log_failed_write(&error, "the spending of a trunk");
            return inner.billing.stop_task(trunk);
        }
        if is_call {
            let _woken = tokio::time::timeout(GATHER_TIME, write_now.notified()).await;
        }
    }
}

/// Removes spending that is older than 24 hours, which re-opens trunks that it blocked, and repeats failed
/// writes.
pub(super) async fn run_ageing(inner: Arc<Inner>) {
    let clock = &inner.core.clock;
    loop {
        let now = clock.now();
        let (due, next) = inner.billing.take_due(now);
        stream::iter(due)
            .for_each_concurrent(MAX_CONCURRENT_TRUNKS, |trunk| write_trunk(Arc::clone(&inner), trunk))
            .await;
        let failed = async {
            inner.billing.write_failed.notified().await;
            tokio::time::sleep(RETRY_DELAY).await;
        };
        tokio::select! {
            () = clock.sleep_until(next.unwrap_or_else(|| now.after(Duration::from_mins(1)))) => {}
            () = failed => {}
        }
    }
}
