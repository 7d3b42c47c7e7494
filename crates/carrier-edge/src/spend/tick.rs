//! Running calls cost more as they go on: once a second that is counted against thresholds, and every step it is
//! written up to when they are known to have been up.
//!
//! One task does it for all calls, and sleeps while there are none. A tick costs a look at every call; a step costs
//! one small write, however many calls are up, and one for each trunk whose spending grew.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use didww_types::Timestamp;
use didww_types::values::Money;
use rust_decimal::Decimal;
use uuid::Uuid;

use super::settle::settle;
use super::{Inner, Spend};
use crate::event::Event;
use trunk_store::{Change, StoreError};

/// How often what running calls cost is counted.
const TICK: Duration = Duration::from_secs(1);

/// Counts and writes for as long as the edge runs.
pub(super) async fn run(inner: Arc<Inner>) {
    let (clock, spend) = (&inner.core.clock, &inner.spend);
    let mut stepped: Option<Timestamp> = None;
    loop {
        let running = spend.running();
        spend.ticking.store(!running.is_empty(), Ordering::Release);
        // Looked at once more: a call may have been acknowledged in between.
        if running.is_empty() && spend.running().is_empty() {
            spend.look.notified().await;
            continue;
        }
        let now = clock.now();
        let steps = stepped.is_none_or(|at| now >= at.after(inner.config.cost_step) || now < at);
        for (trunk, limit) in limits(&inner, running) {
            if spend.count(&inner, trunk, limit, now, steps) {
                tokio::spawn(settle(Arc::clone(&inner), trunk));
            }
        }
        if steps {
            match step(&inner, now).await {
                Ok(()) => stepped = Some(now),
                // Said by whatever else could not be written; tried again with the next tick.
                Err(StoreError::Full) => {}
                Err(error) => spend.not_written(&error, "up to when calls are up"),
            }
            spend.want_missing();
        }
        tokio::select! {
            () = clock.sleep_until(now.after(TICK.min(inner.config.cost_step))) => {}
            () = spend.look.notified() => {}
        }
    }
}

/// Writes up to when all calls are known to have been up: not beyond the end of one whose record is still to be
/// written, or it would be charged for longer than it was.
async fn step(inner: &Inner, now: Timestamp) -> Result<(), StoreError> {
    let at = inner.spend.oldest_unwritten().map_or(now, |ended| ended.min(now));
    inner.core.store.commit(vec![Change::Step(at)]).await.map(|_| ())
}

/// The thresholds of trunks as they are now.
fn limits(inner: &Inner, trunks: Vec<Uuid>) -> Vec<(Uuid, Option<Decimal>)> {
    let known = inner.trunks.read();
    let limit = |trunk: &Uuid| {
        let terms = known.index.get(&didww_types::Id::new(trunk.to_string()))?;
        terms.threshold.map(Money::amount)
    };
    trunks.into_iter().map(|trunk| (trunk, limit(&trunk))).collect()
}

impl Spend {
    /// The trunks that have calls that are up.
    fn running(&self) -> Vec<Uuid> {
        let accounts = self.lock();
        accounts.iter().filter(|(_, account)| !account.running.is_empty()).map(|(trunk, _)| *trunk).collect()
    }

    /// When the oldest call ended whose record is not written yet.
    fn oldest_unwritten(&self) -> Option<Timestamp> {
        let accounts = self.lock();
        let ends = accounts.values().flat_map(|account| {
            account.waiting.iter().map(|waiting| waiting.call.ended_at).chain(account.writing)
        });
        ends.min()
    }

    /// Counts what the calls of a trunk cost by now, and has those end that nothing pays for any more. Returns whether a
    /// task is to be started that writes what changed.
    fn count(&self, inner: &Inner, trunk: Uuid, limit: Option<Decimal>, now: Timestamp, steps: bool) -> bool {
        if limit.is_none() && !steps {
            return false;
        }
        let mut accounts = self.lock();
        let Some(account) = accounts.get_mut(&trunk) else { return false };
        for running in account.running.values_mut() {
            account.spending.grow(&mut running.meter, now);
        }
        let ends = inner.config.threshold_ends_calls && account.spending.blocks(limit, now);
        for running in account.running.values_mut() {
            if running.ends == ends || running.facts.is_exempt(inner) || !running.meter.is_acknowledged() {
                continue;
            }
            // A call that floods itself hears of it with the next tick.
            let until = running.meter.paid_until().filter(|_| ends);
            if running.facts.mailbox.put(Event::PaidUntil(until)).is_ok() {
                running.ends = ends;
            }
        }
        account.look(limit, now, inner.config.cost_step)
    }
}
