//! Charges calls that were active when an earlier server died, up to the last time at which they are known to
//! have been active, and traces their end.

use std::sync::Arc;

use didww_types::Timestamp;
use rust_decimal::Decimal;
use tokio::sync::oneshot;
use trunk_rules::carrier::{Rate, charge_of_lost};
use trunk_store::{Change, RunningCall, RunningCalls, StoreError, StoredCall};

use super::state::Billing;
use super::trunk_ledger::{TrunkLedger, Unstored, WaitingRecord};
use crate::attempt_log;
use crate::inner::Inner;
use crate::record::LostRecord;

/// Charges the calls that an earlier server left unfinished. They count against thresholds when this returns;
/// their records are written in the background. Calls of another node are settled once that node is dead.
///
/// # Errors
/// If the store cannot be read.
pub(crate) async fn charge_lost(inner: &Arc<Inner>) -> Result<(), StoreError> {
    let calls = inner.core.store.running_calls().await?;
    let (step, count) = (calls.step, calls.calls.len());
    let Charged { amount: charged, written } = charge(inner, calls);
    if count > 0 {
        let until = step.map(|step| step.to_string()).unwrap_or_default();
        tracing::warn!(calls = count, %charged, until, "calls were active when the last server ended; they are charged");
    }
    // A step that was written by a clock ahead of this server's must not count for this server's calls.
    let inner = Arc::clone(inner);
    tokio::spawn(async move {
        for outcome in written {
            // A failed record is written later, by the trunk's task.
            let _later = outcome.await;
        }
        let now = inner.core.clock.now();
        if step.is_some_and(|step| step > now) {
            let _tried_again_with_the_first_call = inner.core.store.commit(vec![Change::Step(now)]).await;
        }
    });
    Ok(())
}

/// Charges the calls of a dead node, and waits until their records are written. Calls that were charged already are
/// skipped.
///
/// # Errors
/// The first error of those records that could not be written.
pub(crate) async fn settle(inner: &Arc<Inner>, calls: RunningCalls) -> Result<(), StoreError> {
    let Charged { amount, written } = charge(inner, calls);
    if !written.is_empty() {
        tracing::warn!(calls = written.len(), charged = %amount, "calls of a dead node are charged");
    }
    for outcome in written {
        outcome.await.unwrap_or_else(|_| Err(StoreError::Failed("the server stopped".to_owned())))?;
    }
    Ok(())
}

/// The price of lost calls, and the outcomes of the first attempts to write their records.
struct Charged {
    amount: Decimal,
    written: Vec<oneshot::Receiver<Result<(), StoreError>>>,
}

/// Charges lost calls, and begins to write their records.
fn charge(inner: &Arc<Inner>, RunningCalls { calls, step }: RunningCalls) -> Charged {
    let (mut trunks, mut amount, mut written) = (Vec::new(), Decimal::ZERO, Vec::with_capacity(calls.len()));
    for call in calls {
        let id = call.id;
        if !inner.billing.lock().inherit(&call) {
            continue;
        }
        // Without a written step, the call is known to have been active only at its answer.
        let Some((stored, rate)) = record_of(inner, &call, step.unwrap_or(call.answered_at)) else {
            tracing::error!(call = %id, "the row of a call that was active cannot be read; the call is not charged");
            continue;
        };
        let (sender, outcome) = oneshot::channel();
        let (price, is_idle) = inner.billing.take_lost(&call, stored, rate, sender);
        amount += price;
        trunks.extend(is_idle.then_some(call.trunk));
        written.push(outcome);
    }
    for trunk in trunks {
        tokio::spawn(super::trunk_writes::write_trunk(Arc::clone(inner), trunk));
    }
    Charged { amount, written }
}

impl Billing {
    /// Charges a lost call and queues its record. Returns its price in US dollars, and true if the caller must start a
    /// task that writes for the trunk.
    fn take_lost(
        &self,
        call: &RunningCall,
        stored: StoredCall,
        rate: Option<Rate>,
        written: oneshot::Sender<Result<(), StoreError>>,
    ) -> (Decimal, bool) {
        let mut ledgers = self.lock();
        let is_shared = ledgers.is_shared;
        let ledger = ledgers.entry(call.trunk).or_insert_with(|| TrunkLedger::new(call.account));
        let mut meter = ledger.spending.begin(rate, call.answered_at);
        if call.acknowledged {
            ledger.spending.acknowledge(&mut meter, call.answered_at);
        }
        let charge = ledger.spending.end(meter, stored.ended_at);
        if is_shared && !charge.price.is_zero() {
            ledger.unstored.insert(call.id, Unstored::new(stored.ended_at, charge.price));
        }
        let written = Some(written);
        let call = Arc::new(stored);
        ledger.waiting.push(WaitingRecord { call, is_answered: true, is_retry: false, written });
        (charge.price, !std::mem::replace(&mut ledger.busy, true))
    }
}

/// The record of a lost call, whose end is traced here, and its rate. `None` if the stored row cannot be read.
fn record_of(inner: &Inner, call: &RunningCall, last_seen: Timestamp) -> Option<(StoredCall, Option<Rate>)> {
    let ended = last_seen.max(call.answered_at);
    let record = LostRecord::read(&call.attributes)?;
    attempt_log::lost(inner, &record);
    let rate = record.rate();
    let charge = charge_of_lost(rate, call.answered_at, call.acknowledged, ended);
    Some((record.into_stored(call, ended, charge)?, rate))
}
