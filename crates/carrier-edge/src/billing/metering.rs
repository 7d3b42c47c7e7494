//! Charges active calls while they last. A tick, once a second, counts their price against thresholds. A step, every
//! `cost_step`, writes the time up to which they are known to have been active.
//!
//! One task does this for all calls, and sleeps while there are none. A tick visits every active call. A step
//! costs one small write, independent of the number of calls, and one for each trunk whose spending grew.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use didww_types::Timestamp;
use didww_types::values::Money;
use rust_decimal::Decimal;
use trunk_store::{Change, StoreError};
use uuid::Uuid;

use super::state::Billing;
use super::trunk_writes::write_trunk;
use crate::call_event::CallEvent;
use crate::inner::Inner;

/// How often active calls are charged.
const TICK_INTERVAL: Duration = Duration::from_secs(1);

/// Runs ticks and steps for as long as the edge runs.
pub(super) async fn run(inner: Arc<Inner>) {
    let (clock, billing) = (&inner.core.clock, &inner.billing);
    let mut last_step: Option<Timestamp> = None;
    loop {
        let trunks = billing.trunks_with_calls();
        billing.ticking.store(!trunks.is_empty(), Ordering::Release);
        // Read again after `ticking` is cleared: a call may have been acknowledged in between.
        if trunks.is_empty() && billing.trunks_with_calls().is_empty() {
            billing.meter_now.notified().await;
            continue;
        }
        let now = clock.now();
        let is_step = last_step.is_none_or(|at| now >= at.after(inner.config.cost_step) || now < at);
        for (trunk, limit) in thresholds(&inner, trunks) {
            if billing.meter_trunk(&inner, trunk, limit, now, is_step) {
                tokio::spawn(write_trunk(Arc::clone(&inner), trunk));
            }
        }
        if is_step {
            match step(&inner, now).await {
                Ok(()) => last_step = Some(now),
                // A full store is reported by other failed writes. The next tick tries again.
                Err(StoreError::Full) => {}
                Err(error) => billing.log_failed_write(&error, "the time up to which calls were active"),
            }
            billing.queue_missing();
        }
        tokio::select! {
            () = clock.sleep_until(now.after(TICK_INTERVAL.min(inner.config.cost_step))) => {}
            () = billing.meter_now.notified() => {}
        }
    }
}

/// Writes the time up to which all active calls are known to have been active: not beyond the end of a call
/// whose record is not written yet, because after a crash that call would be charged for longer than it
/// lasted.
async fn step(inner: &Inner, now: Timestamp) -> Result<(), StoreError> {
    let at = inner.billing.oldest_unwritten().map_or(now, |ended| ended.min(now));
    inner.core.store.commit(vec![Change::Step(at)]).await.map(|_| ())
}

/// The current thresholds of trunks.
fn thresholds(inner: &Inner, trunks: Vec<Uuid>) -> Vec<(Uuid, Option<Decimal>)> {
    let trunk_state = inner.trunks.read();
    let limit = |trunk: &Uuid| {
        let terms = trunk_state.index.get(&didww_types::Id::new(trunk.to_string()))?;
        terms.threshold.map(Money::amount)
    };
    trunks.into_iter().map(|trunk| (trunk, limit(&trunk))).collect()
}

impl Billing {
    /// The trunks that have answered calls.
    fn trunks_with_calls(&self) -> Vec<Uuid> {
        let ledgers = self.lock();
        ledgers.iter().filter(|(_, ledger)| !ledger.running.is_empty()).map(|(trunk, _)| *trunk).collect()
    }

    /// The earliest end of the calls whose records are not written yet.
    fn oldest_unwritten(&self) -> Option<Timestamp> {
        let ledgers = self.lock();
        let ends = ledgers.values().flat_map(|ledger| {
            ledger.waiting.iter().map(|waiting| waiting.call.ended_at).chain(ledger.writing)
        });
        ends.min()
    }

    /// Charges the calls of a trunk up to `now`. If its threshold is reached, each call receives the time up
    /// to which it is paid and at which it must end. Returns true if the caller must start a task that writes
    /// for the trunk.
    fn meter_trunk(
        &self,
        inner: &Inner,
        trunk: Uuid,
        limit: Option<Decimal>,
        now: Timestamp,
        is_step: bool,
    ) -> bool {
        if limit.is_none() && !is_step {
            return false;
        }
        let mut ledgers = self.lock();
        let Some(ledger) = ledgers.get_mut(&trunk) else { return false };
        for running in ledger.running.values_mut() {
            ledger.spending.grow(&mut running.meter, now.min(running.call_state.ends_by()));
        }
        ledger.grow_others(now);
        let ends = inner.config.threshold_ends_calls && ledger.spending.blocks(limit, now);
        for running in ledger.running.values_mut() {
            if running.ends == ends
                || running.call_state.is_exempt(inner.config.settings.emergency_bypass)
                || !running.meter.is_acknowledged()
            {
                continue;
            }
            // If the call's queue is full, the next tick tries again.
            let until = running.meter.paid_until().filter(|_| ends);
            if running.call_state.mailbox.put(CallEvent::PaidUntil(until)).is_ok() {
                running.ends = ends;
            }
        }
        ledger.mark_due(limit, now, inner.config.cost_step)
    }
}
