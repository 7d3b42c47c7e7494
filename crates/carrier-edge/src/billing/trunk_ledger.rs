//! The spending of one trunk, its answered calls, and the records that are to be written for it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use didww_types::Timestamp;
use rust_decimal::Decimal;
use service_base::clock::Stopwatch;
use tokio::sync::{Notify, oneshot};
use trunk_rules::carrier::{Meter, Rate, Spending};
use trunk_store::{Record, RunningCall, StoreError, StoredCall};
use uuid::Uuid;

use crate::call_state::CallState;

/// The spending of one trunk, and the records that are to be written for it.
#[derive(Debug)]
pub(super) struct TrunkLedger {
    /// The number of the trunk's account in the store.
    pub(super) account: i64,
    pub(super) spending: Spending,
    /// The answered calls by their ids.
    pub(super) running: HashMap<Uuid, Running>,
    /// The answered calls of other nodes by their ids, unless they are free.
    pub(super) others: HashMap<Uuid, Meter>,
    /// The prices of ended calls of this node whose records are not known to be stored. Without other nodes it is
    /// empty.
    pub(super) unstored: HashMap<Uuid, Unstored>,
    /// Since when this node knows that the trunk is blocked by its spending.
    pub(super) blocked: Option<Stopwatch>,
    /// The trunk's state as last committed.
    pub(super) state: TrunkState,
    /// The amount that the API shows as spent, and when it was written.
    pub(super) shown: Option<(Decimal, Timestamp)>,
    /// The records of ended calls that are not written yet.
    pub(super) waiting: Vec<WaitingRecord>,
    /// The earliest end of the calls whose records are being written.
    pub(super) writing: Option<Timestamp>,
    /// True if the trunk's block must be decided again although no call has ended.
    pub(super) due: bool,
    /// True if the stored state of the trunk may be out of date, after a failed write, a restart of the server, or a
    /// charge of another node.
    pub(super) may_be_outdated: bool,
    /// True while a task writes for the trunk.
    pub(super) busy: bool,
    /// Notified when waiting records must be written without gathering more.
    pub(super) write_now: Arc<Notify>,
}

impl TrunkLedger {
    pub(super) fn new(account: i64) -> Self {
        Self {
            account,
            spending: Spending::default(),
            running: HashMap::new(),
            others: HashMap::new(),
            unstored: HashMap::new(),
            blocked: None,
            state: TrunkState::default(),
            shown: None,
            waiting: Vec::new(),
            writing: None,
            due: false,
            may_be_outdated: false,
            busy: false,
            write_now: Arc::default(),
        }
    }

    /// Returns true if the ledger has no state that must be kept.
    pub(super) fn is_idle(&self) -> bool {
        !(self.busy || self.due || self.may_be_outdated)
            && self.waiting.is_empty()
            && self.running.is_empty()
            && self.others.is_empty()
            && self.unstored.is_empty()
            && self.spending.oldest().is_none()
    }

    /// Takes over the state of the trunk's record.
    pub(super) fn set_state(&mut self, state: TrunkState) {
        self.state = state;
        if !state.threshold_reached {
            self.blocked = None;
        } else if self.blocked.is_none() {
            self.blocked = Some(Stopwatch::start());
        }
    }

    /// Counts a running call of another node, or records that its answer was acknowledged.
    pub(super) fn count_running(&mut self, call: &RunningCall, rate: Rate) {
        let Self { spending, others, running, unstored, .. } = self;
        if running.contains_key(&call.id) || unstored.contains_key(&call.id) {
            return;
        }
        let meter = others.entry(call.id).or_insert_with(|| spending.begin(Some(rate), call.answered_at));
        if call.acknowledged {
            spending.acknowledge(meter, call.answered_at);
        }
    }

    /// Charges the calls of other nodes up to `now`.
    pub(super) fn grow_others(&mut self, now: Timestamp) {
        for meter in self.others.values_mut() {
            self.spending.grow(meter, now);
        }
    }

    /// Records that the record of a call is stored. While all charges are read, the price of the call is kept
    /// nevertheless.
    pub(super) fn mark_stored(&mut self, call: Uuid, is_recounting: bool) {
        match self.unstored.get_mut(&call) {
            Some(unstored) if is_recounting => unstored.is_stored = true,
            _ => drop(self.unstored.remove(&call)),
        }
    }

    /// Whether another call must be refused.
    pub(super) fn is_exhausted(&mut self, limit: Option<Decimal>, now: Timestamp) -> bool {
        self.grow_others(now);
        self.spending.is_exhausted(limit, now)
    }

    /// Whether the trunk must be blocked, and is not yet.
    pub(super) fn must_block(&mut self, limit: Option<Decimal>, now: Timestamp) -> bool {
        self.spending.blocks(limit, now) && !self.state.threshold_reached
    }

    /// Marks the trunk as due if it must be blocked, or if the amount that the API shows is wrong and older
    /// than `step`. Returns true if the caller must start a task that writes for the trunk.
    pub(super) fn mark_due(&mut self, limit: Option<Decimal>, now: Timestamp, step: Duration) -> bool {
        let blocks = self.must_block(limit, now);
        let spent = self.spending.spent(now);
        let is_stale = match self.shown {
            Some((shown, at)) => shown != spent && (now >= at.after(step) || now < at),
            None => !spent.is_zero(),
        };
        if blocks {
            // Until the block is written, the trunk admits calls that it must refuse.
            self.write_now.notify_one();
        }
        self.due |= blocks || is_stale;
        self.due && !std::mem::replace(&mut self.busy, true)
    }
}

/// The state of a trunk's record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct TrunkState {
    /// The record's revision, which ascends with each write.
    pub(super) revision: i64,
    /// The value of the trunk's attribute `threshold_reached`.
    pub(super) threshold_reached: bool,
}

impl TrunkState {
    pub(super) fn of(record: &Record) -> Self {
        // The canonical JSON text is searched instead of parsed, because this runs for every write of a trunk.
        let threshold_reached = record.attributes.contains("\"threshold_reached\":true");
        Self { revision: record.revision, threshold_reached }
    }
}

/// An answered call that has not ended.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) call_state: Arc<CallState>,
    pub(super) meter: Meter,
    /// The state of its row in the store.
    pub(super) row: RowState,
    /// True if the call has received a time at which it must end.
    pub(super) ends: bool,
}

/// The state of a call's row in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum RowState {
    /// There is no row: after a restart, the call would not be charged.
    None,
    /// The row states that the call was answered.
    Answered,
    /// The row states that the answer was acknowledged.
    Acknowledged,
}

/// The price of an ended call of this node, until its record is stored.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unstored {
    pub(super) ended: Timestamp,
    pub(super) price: Decimal,
    /// True if the record was stored while all charges were read to be counted again, so that the read may have missed
    /// it.
    pub(super) is_stored: bool,
}

impl Unstored {
    pub(super) const fn new(ended: Timestamp, price: Decimal) -> Self {
        Self { ended, price, is_stored: false }
    }
}

/// The record of an ended call that waits to be written.
#[derive(Debug)]
pub(super) struct WaitingRecord {
    pub(super) call: Arc<StoredCall>,
    /// True for an answered call, whose record is kept until it can be written.
    pub(super) is_answered: bool,
    /// True if the record counts in `Billing::unwritten`.
    pub(super) is_retry: bool,
    /// Receives the outcome of the first attempt to write the record.
    pub(super) written: Option<oneshot::Sender<Result<(), StoreError>>>,
}
