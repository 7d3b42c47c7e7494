//! Calls that were up when their server died are charged by the next one, up to the last step that is written.

use std::sync::Arc;

use didww_types::Timestamp;
use rust_decimal::Decimal;
use tokio::sync::oneshot;
use trunk_rules::carrier::{Rate, charge_of_lost};

use super::{Account, Inner, Spend, Waiting};
use crate::record::LostRecord;
use trunk_store::{Change, RunningCall, RunningCalls, StoreError, StoredCall};

/// Charges what an earlier server left: it counts at once, and is written soon.
///
/// # Errors
/// When the store cannot be read.
pub(crate) async fn charge_lost(inner: &Arc<Inner>) -> Result<(), StoreError> {
    let RunningCalls { calls, step } = inner.core.store.running_calls().await?;
    let count = calls.len();
    let mut written = Vec::with_capacity(count);
    let (mut trunks, mut charged) = (Vec::new(), Decimal::ZERO);
    for call in calls {
        let id = call.id;
        // Nothing is known of a server that wrote no step but that it answered.
        let Some((stored, rate)) = record_of(&call, step.unwrap_or(call.answered_at)) else {
            tracing::error!(call = %id, "a call that was up cannot be read; it is not charged");
            continue;
        };
        trunks.push(call.trunk);
        let (sender, outcome) = oneshot::channel();
        charged += inner.spend.take_lost(&call, stored, rate, sender);
        written.push(outcome);
    }
    trunks.sort_unstable();
    trunks.dedup();
    for trunk in trunks {
        tokio::spawn(super::settle::settle(Arc::clone(inner), trunk));
    }
    if count > 0 {
        let until = step.map(|step| step.to_string()).unwrap_or_default();
        tracing::warn!(calls = count, %charged, until, "calls were up when the last server ended; they are charged");
    }
    // A step of another clock must not stand for the calls of this server.
    let inner = Arc::clone(inner);
    tokio::spawn(async move {
        for outcome in written {
            // One that could not be written is tried again; until then the step stays where it is.
            let _later = outcome.await;
        }
        let now = inner.core.clock.now();
        if step.is_some_and(|step| step > now) {
            let _tried_again_with_the_first_call = inner.core.store.commit(vec![Change::Step(now)]).await;
        }
    });
    Ok(())
}

impl Spend {
    /// Counts a lost call, and has its record written. Returns what it cost.
    fn take_lost(
        &self,
        call: &RunningCall,
        stored: StoredCall,
        rate: Option<Rate>,
        written: oneshot::Sender<Result<(), StoreError>>,
    ) -> Decimal {
        let mut accounts = self.lock();
        let account = accounts.entry(call.trunk).or_insert_with(|| Account::new(call.account));
        let mut meter = account.spending.begin(rate, call.answered_at);
        if call.acknowledged {
            account.spending.acknowledge(&mut meter, call.answered_at);
        }
        let charge = account.spending.end(meter, stored.ended_at);
        let written = Some(written);
        let call = Arc::new(stored);
        account.waiting.push(Waiting { call, is_answered: true, is_late: false, written });
        account.busy = true;
        charge.price
    }
}

/// The record of a lost call, and its rate.
fn record_of(call: &RunningCall, last_seen: Timestamp) -> Option<(StoredCall, Option<Rate>)> {
    let ended = last_seen.max(call.answered_at);
    let record = LostRecord::read(&call.attributes)?;
    let rate = record.rate();
    let charge = charge_of_lost(rate, call.answered_at, call.acknowledged, ended);
    Some((record.into_stored(call, ended, charge)?, rate))
}
