//! The price of calls, and what each trunk spent in the last 24 hours.
//!
//! A call is charged when it is answered ([`Billing::answered`]), once a second while it is active
//! (`metering`), and when it ends ([`Billing::ended`], [`Billing::record`]). From its answer to its record an
//! answered call has a row in the store (`rows`): if the server dies, the next one charges the calls whose
//! rows it finds (`lost_calls`). On a trunk with a threshold the row is written before the answer is sent; if
//! it cannot be written, the call is refused.
//!
//! Memory (`state`) is bounded by the active calls, and by `MAX_UNWRITTEN_RECORDS` that wait for a store that takes
//! no writes (`store_health`).

mod failing_since;
mod ledgers;
mod lost_calls;
mod metering;
mod recent_calls;
mod row_queue;
mod rows;
pub(crate) mod state;
mod store_health;
mod trunk_ledger;
mod trunk_writes;

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use didww_types::resources::VoiceOutTrunk;
use didww_types::values::Money;
use didww_types::{Resource as _, Timestamp};
use rust_decimal::Decimal;
use tokio::sync::oneshot;
use trunk_rules::carrier::{Cause, Funds, Recording, TrunkTerms};
use trunk_store::{
    Calls, ChangeFeed, Interest, Nodes, Records, StoreError, StoredCall, StoredRecord, for_each_record,
};
use uuid::Uuid;

use super::call_state::CallState;
use super::inner::{Counters, Inner};
use super::record::{CallRecord, FinalCharge};
use super::trunks::Trunks;
use ledgers::{Ledgers, Stored};
use state::{Billing, spending_from};
use trunk_ledger::{RowState, Running, TrunkLedger, TrunkState, Unstored, WaitingRecord};

pub(crate) use lost_calls::{charge_lost, settle};

/// Starts the background tasks of billing: call rows, metering, ageing of spending, and the store's health.
pub(crate) fn tasks(inner: &Arc<Inner>) -> [tokio::task::JoinHandle<()>; 4] {
    [
        tokio::spawn(rows::run(Arc::clone(inner))),
        tokio::spawn(metering::run(Arc::clone(inner))),
        tokio::spawn(trunk_writes::run_ageing(Arc::clone(inner))),
        tokio::spawn(store_health::watch_store(Arc::clone(inner))),
    ]
}

/// The kind of call that a record describes, which decides how it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RecordOf {
    /// A refused or unanswered call. Its record costs nothing.
    Unanswered,
    /// An answered call, whose record carries its price.
    Answered,
    /// An answered call whose caller waits until the record is written.
    Awaited,
}

/// The funds of trunks at a given time.
pub(crate) struct FundsAt<'a> {
    pub inner: &'a Inner,
    pub now: Timestamp,
}

impl Funds for FundsAt<'_> {
    fn exhausted(&self, trunk: &TrunkTerms) -> Option<Money> {
        let id = trunk.id.as_str().parse().ok()?;
        let billing = &self.inner.billing;
        let mut ledgers = billing.lock();
        let is_shared = ledgers.is_shared;
        let ledger = ledgers.get_mut(&id)?;
        let limit = trunk.threshold.map(Money::amount);
        let exhausted = ledger.is_exhausted(limit, self.now);
        if is_shared && exhausted && ledger.must_block(limit, self.now) {
            // Nodes whose calls ended at the same time may each have decided without the charge of the other.
            ledger.may_be_outdated = true;
            billing.write_failed.notify_one();
        }
        exhausted.then(|| Money::new(ledger.spending.held(self.now)))
    }

    fn are_recorded(&self, trunk: &TrunkTerms) -> bool {
        let Inner { billing, config, core, .. } = self.inner;
        !core.is_retired()
            && billing.recording(self.now).admits(trunk.threshold.is_some(), config.unrecorded_grace)
    }
}

impl Billing {
    /// Loads the trunks, and sums the stored charges of the last 24 hours. Every trunk that ever spent is decided once,
    /// because its spending may have aged while no server was running. Each trunk is also passed to `visit`.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub(crate) async fn load(
        &self,
        store: &(impl Calls + Nodes + Records + ChangeFeed + ?Sized),
        now: Timestamp,
        trunks: &Trunks,
        mut visit: impl FnMut(&StoredRecord) + Send,
    ) -> Result<(), StoreError> {
        let mut ledgers = Ledgers::new(store.is_shared());
        ledgers.follow(store.follow(Interest::Everything));
        let Stored { charges, calls } = stored(store, now).await?;
        if ledgers.is_shared {
            ledgers.recount(Stored { charges, calls });
        } else {
            for charge in charges {
                let ledger = ledgers.entry(charge.trunk).or_insert_with(|| TrunkLedger::new(charge.account));
                ledger.spending.add(charge.ended_at, charge.price.parse().unwrap_or_default());
            }
        }
        let note = |stored: &StoredRecord| {
            visit(stored);
            let StoredRecord { account, record, .. } = stored;
            if record.meta.is_some() {
                let ledger = ledgers.entry(record.id).or_insert_with(|| TrunkLedger::new(*account));
                ledger.may_be_outdated = true;
                ledger.set_state(TrunkState::of(record));
                if !ledger.state.threshold_reached {
                    // The trunk is open despite its spending, so its owner has re-opened it.
                    ledger.spending.pardon();
                }
            }
        };
        trunks.load(store, note).await?;
        *self.ledgers.lock().unwrap_or_else(PoisonError::into_inner) = ledgers;
        Ok(())
    }

    /// Returns whether changes of the store were missed, so that the trunks must be [compared](Self::compare).
    pub(crate) fn must_compare(&self) -> bool {
        self.lock().must_compare
    }

    /// Compares every ledger with the record of its trunk, after changes were missed. If other nodes may have charged
    /// calls meanwhile, all charges are counted again.
    ///
    /// # Errors
    /// If the store cannot be read. The ledgers are unchanged then, and must still be compared.
    pub(crate) async fn compare(
        &self,
        store: &(impl Calls + Nodes + Records + ChangeFeed + ?Sized),
        now: Timestamp,
    ) -> Result<(), StoreError> {
        // Set before the first read: charges written meanwhile are among the follower's changes, or kept until they are
        // counted.
        self.lock().is_recounting = store.is_shared();
        let follower = store.follow(Interest::Everything);
        let counted = if store.is_shared() { Some(stored(store, now).await?) } else { None };
        let mut states = HashMap::new();
        for_each_record(store, VoiceOutTrunk::SPEC, |StoredRecord { record, .. }| {
            states.insert(record.id, TrunkState::of(&record));
        })
        .await?;
        self.lock().compare_all(follower, &states, counted);
        Ok(())
    }

    /// Charges a call that is about to be answered, and writes its row. On a trunk with a threshold the row
    /// is durable when this returns; otherwise it is written in the background.
    ///
    /// # Errors
    /// Why the call must not be answered. The caller must call [`Self::ended`] in this case too.
    pub(crate) async fn answered(
        &self,
        inner: &Inner,
        call_state: &Arc<CallState>,
        at: Timestamp,
    ) -> Result<(), Cause> {
        let Some(trunk) = call_state.trunk_uuid() else { return Ok(()) };
        let limit = limit_of(inner, call_state);
        {
            let mut ledgers = self.lock();
            let ledger = ledgers.entry(trunk).or_insert_with(|| TrunkLedger::new(call_state.account()));
            if !call_state.is_exempt(inner.config.settings.emergency_bypass) && ledger.is_exhausted(limit, at)
            {
                return Err(Cause::RejectedByAuthRecord);
            }
            let meter = ledger.spending.begin(call_state.rate, at);
            let running =
                Running { call_state: Arc::clone(call_state), meter, row: RowState::None, ends: false };
            ledger.running.insert(call_state.origin.id, running);
        }
        if limit.is_none() || call_state.is_emergency {
            self.rows.queue_update(trunk, call_state.origin.id);
            return Ok(());
        }
        self.rows.write(trunk, call_state.origin.id).await.map_err(|error| {
            self.log_failed_write(&error, "the row of a call before its answer");
            Cause::NotRecorded
        })
    }

    /// Records that the caller acknowledged the answer, which was sent at `answered`: the call is charged
    /// from then on.
    pub(crate) fn acknowledged(&self, inner: &Arc<Inner>, call_state: &CallState, answered: Timestamp) {
        let Some(trunk) = call_state.trunk_uuid() else { return };
        let limit = limit_of(inner, call_state);
        let (blocks, must_write) = {
            let mut ledgers = self.lock();
            let Some(ledger) = ledgers.get_mut(&trunk) else { return };
            let Some(running) = ledger.running.get_mut(&call_state.origin.id) else { return };
            ledger.spending.acknowledge(&mut running.meter, answered);
            let must_write = ledger.mark_due(limit, answered, inner.config.cost_step);
            (ledger.spending.blocks(limit, answered), must_write)
        };
        self.rows.queue_update(trunk, call_state.origin.id);
        if must_write {
            tokio::spawn(trunk_writes::write_trunk(Arc::clone(inner), trunk));
        }
        if blocks || !self.ticking.load(Ordering::Acquire) {
            self.meter_now.notify_one();
        }
    }

    /// Returns, for each trunk, the price so far of its active calls on this node, and the price of its calls on all
    /// nodes in the last 24 hours, active ones included; both in US dollars. Trunks for which both are zero are left
    /// out.
    pub(crate) fn prices(&self, now: Timestamp) -> Vec<(Uuid, Decimal, Decimal)> {
        let mut ledgers = self.lock();
        let prices = ledgers.iter_mut().map(|(trunk, ledger)| {
            ledger.grow_others(now);
            let active = ledger.running.values().map(|running| running.meter.price());
            (*trunk, active.fold(Decimal::ZERO, Decimal::saturating_add), ledger.spending.spent(now))
        });
        prices.filter(|(_, active, spent)| !active.is_zero() || !spent.is_zero()).collect()
    }

    /// Ends the charging of a call at `ended`. Returns its final charge; `None` if it was not answered.
    pub(crate) fn ended(&self, call_state: &CallState, ended: Timestamp) -> Option<FinalCharge> {
        let mut ledgers = self.lock();
        let is_shared = ledgers.is_shared;
        let ledger = ledgers.get_mut(&call_state.trunk_uuid()?)?;
        let Running { meter, row, .. } = ledger.running.remove(&call_state.origin.id)?;
        let is_acknowledged = meter.is_acknowledged();
        let survives = row == RowState::Acknowledged;
        let charge = ledger.spending.end(meter, ended);
        if is_shared && !charge.price.is_zero() {
            ledger.unstored.insert(call_state.origin.id, Unstored::new(ended, charge.price));
        }
        Some(FinalCharge { charge, is_acknowledged, survives })
    }

    /// Writes the record of an ended call and, if its threshold is reached, the block of the trunk, in one
    /// commit. Then publishes the record to subscribers. If the write fails, the record of an answered call
    /// is kept and written later; that of a refused or unanswered call, which costs nothing, is dropped. Records of
    /// a trunk are gathered for some milliseconds, unless the caller waits for this one.
    pub(crate) async fn record(
        &self,
        inner: &Arc<Inner>,
        trunk: &TrunkTerms,
        record: Box<CallRecord>,
        kind: RecordOf,
    ) {
        if kind == RecordOf::Unanswered && self.recording(inner.core.clock.now()) != Recording::Works {
            Counters::count(&inner.counters.unrecorded);
            return record.publish(&inner.records);
        }
        let account: i64 = trunk.account.parse().unwrap_or_default();
        let Some(stored) = record.to_stored(account) else { return };
        let limit = trunk.threshold.map(Money::amount);
        if let Err(error) = self.queue_record(inner, stored, kind, limit).await {
            self.log_failed_write(&error, "the record of a call");
        }
        record.publish(&inner.records);
    }

    /// Queues a record, and waits until it is written or the first attempt has failed.
    async fn queue_record(
        &self,
        inner: &Arc<Inner>,
        call: StoredCall,
        kind: RecordOf,
        limit: Option<Decimal>,
    ) -> Result<(), StoreError> {
        let (trunk, ended) = (call.trunk, call.ended_at);
        let (written, outcome) = oneshot::channel();
        let idle = {
            let mut ledgers = self.lock();
            let ledger = ledgers.entry(trunk).or_insert_with(|| TrunkLedger::new(call.account));
            if kind == RecordOf::Awaited || ledger.must_block(limit, ended) {
                ledger.write_now.notify_one();
            }
            let written = Some(written);
            ledger.waiting.push(WaitingRecord {
                call: Arc::new(call),
                is_answered: kind != RecordOf::Unanswered,
                is_retry: false,
                written,
            });
            !std::mem::replace(&mut ledger.busy, true)
        };
        if idle {
            // A separate task: records of other calls must be written even if this call's future is dropped.
            tokio::spawn(trunk_writes::write_trunk(Arc::clone(inner), trunk));
        }
        outcome.await.unwrap_or_else(|_| Err(StoreError::Failed("the server stopped".to_owned())))
    }
}

impl Billing {
    /// Logs a failed write. While the store takes no writes at all, which is logged once, single failures are
    /// logged at debug level only, so that callers cannot fill the log.
    fn log_failed_write(&self, error: &StoreError, what: &str) {
        if self.is_failing() {
            tracing::debug!(%error, what, "the edge could not write");
        } else {
            tracing::error!(%error, what, "the edge could not write");
        }
    }
}

/// Reads the charges of the last 24 hours, and the running calls of other nodes. The charge of a call that ends between
/// the two reads is among the follower's changes.
async fn stored(store: &(impl Calls + ?Sized), now: Timestamp) -> Result<Stored, StoreError> {
    let charges = store.charges_since(spending_from(now)).await?;
    Ok(Stored { charges, calls: store.calls_of_others(None).await? })
}

/// The current threshold of a call's trunk; if the trunk was deleted, the threshold that it had when the call
/// was admitted.
fn limit_of(inner: &Inner, call_state: &CallState) -> Option<Decimal> {
    let trunks = inner.trunks.read();
    trunks.index.get(&call_state.trunk.id).unwrap_or(&call_state.trunk).threshold.map(Money::amount)
}
