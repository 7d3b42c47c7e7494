//! The ledgers in memory, and the store's changes that they depend on.
//!
//! Calls of other nodes are counted too: while they run, by meters like those of this node's calls, and after they have
//! ended, by their records. Each charge is counted once, whether it is read from the store or received as a change.
//!
//! A reset forgets the spending. When the owner re-opens a trunk that its threshold blocked, the spending so far no
//! longer blocks it.

use std::collections::{HashMap, HashSet};
use std::ops::{Deref, DerefMut};

use didww_types::Resource as _;
use didww_types::resources::VoiceOutTrunk;
use rust_decimal::Decimal;
use trunk_store::{Changes, Committed, Follower, NodeCall, RunningCall, StoredCharge};
use uuid::Uuid;

use super::recent_calls::RecentCalls;
use super::trunk_ledger::{RowState, TrunkLedger, TrunkState};
use crate::record::LostRecord;

/// The ledgers by their trunks, up to a position in the store's change feed.
#[derive(Debug, Default)]
pub(super) struct Ledgers {
    by_trunk: HashMap<Uuid, TrunkLedger>,
    /// Absent until the ledgers are loaded.
    follower: Option<Follower>,
    /// True if changes were missed: every ledger must be compared with its trunk.
    pub(super) must_compare: bool,
    /// Whether other nodes may run calls of the same trunks.
    pub(super) is_shared: bool,
    /// True while all charges are read, to be counted again.
    pub(super) is_recounting: bool,
    /// The calls of other nodes whose charges are counted, while the change feed may still repeat them.
    counted: RecentCalls,
}

/// The stored charges, and the running calls of other nodes.
#[derive(Debug, Default)]
pub(super) struct Stored {
    pub(super) charges: Vec<StoredCharge>,
    pub(super) calls: Vec<NodeCall>,
}

impl Ledgers {
    /// Ledgers without trunks. `is_shared` is whether other nodes may run calls of the same trunks.
    pub(super) fn new(is_shared: bool) -> Self {
        Self { is_shared, ..Self::default() }
    }

    /// Applies changes from this position of the feed on.
    pub(super) fn follow(&mut self, follower: Follower) {
        self.follower = Some(follower);
    }

    /// Applies the changes since the ledgers were last used.
    pub(super) fn catch_up(&mut self) {
        let Some(follower) = self.follower.as_mut().filter(|follower| !follower.is_current()) else { return };
        match follower.changes() {
            Changes::Since(writes) => {
                writes.iter().flat_map(|write| write.iter()).for_each(|effect| self.apply(effect));
            }
            Changes::Reload => self.must_compare = true,
        }
    }

    fn apply(&mut self, committed: &Committed) {
        match committed {
            Committed::Stored(stored) if stored.record.kind == VoiceOutTrunk::SPEC.name => {
                self.compare(stored.record.id, TrunkState::of(&stored.record));
            }
            Committed::Reset { account: reset, .. } => self.by_trunk.retain(|_, ledger| {
                if reset.is_none_or(|reset| reset == ledger.account) {
                    ledger.spending.forget();
                    ledger.unstored.clear();
                    ledger.shown = None;
                    for running in ledger.running.values_mut() {
                        running.row = RowState::None;
                    }
                }
                !ledger.is_idle()
            }),
            Committed::CallRunning(call) => self.count_running(call),
            Committed::CallEnded(charge) => self.count_charge(charge),
            _ => {}
        }
    }

    /// Counts a running call of another node, unless it has ended.
    fn count_running(&mut self, call: &RunningCall) {
        if self.counted.contains(call.id) {
            return;
        }
        // A free call adds nothing to the spending.
        if let Some(rate) = LostRecord::rate_of(&call.attributes) {
            let ledger = self.by_trunk.entry(call.trunk).or_insert_with(|| TrunkLedger::new(call.account));
            ledger.count_running(call, rate);
        }
    }

    /// Counts the price of an ended call of another node, once.
    fn count_charge(&mut self, charge: &StoredCharge) {
        let price: Decimal = charge.price.parse().unwrap_or_default();
        // A charge that is counted while all charges are read is discarded afterwards, and the next follower repeats
        // it.
        let is_new = if self.is_recounting {
            !self.counted.contains(charge.id)
        } else {
            self.counted.insert(charge.id)
        };
        if !is_new || (price.is_zero() && !self.by_trunk.contains_key(&charge.trunk)) {
            return;
        }
        let ledger = self.by_trunk.entry(charge.trunk).or_insert_with(|| TrunkLedger::new(charge.account));
        if ledger.running.contains_key(&charge.id) || ledger.unstored.contains_key(&charge.id) {
            // A call of this node that another node settled; it is counted as a call of this node.
            return;
        }
        let meter = ledger.others.remove(&charge.id);
        ledger.spending.settle(meter, charge.ended_at, price);
    }

    /// Marks a call that this node settles for a dead one as counted. Returns false if it is settled already.
    pub(super) fn inherit(&mut self, call: &RunningCall) -> bool {
        let is_new = !self.is_shared || self.counted.insert(call.id);
        if let Some(ledger) = self.by_trunk.get_mut(&call.trunk).filter(|_| is_new)
            && let Some(meter) = ledger.others.remove(&call.id)
        {
            ledger.spending.settle(Some(meter), call.answered_at, Decimal::ZERO);
        }
        is_new
    }

    /// Counts all stored charges again, and those that this node has not stored yet.
    pub(super) fn recount(&mut self, stored: Stored) {
        let Stored { charges, calls } = stored;
        let ids: HashSet<Uuid> = charges.iter().map(|charge| charge.id).collect();
        let mut charges_of: HashMap<Uuid, Vec<StoredCharge>> = HashMap::new();
        for charge in charges {
            self.counted.insert(charge.id);
            self.by_trunk.entry(charge.trunk).or_insert_with(|| TrunkLedger::new(charge.account));
            charges_of.entry(charge.trunk).or_default().push(charge);
        }
        let mut calls_of: HashMap<Uuid, Vec<RunningCall>> = HashMap::new();
        for NodeCall { call, .. } in calls {
            self.by_trunk.entry(call.trunk).or_insert_with(|| TrunkLedger::new(call.account));
            calls_of.entry(call.trunk).or_default().push(call);
        }
        for (trunk, ledger) in &mut self.by_trunk {
            let meters: Vec<_> = std::mem::take(&mut ledger.others).into_values().collect();
            let (charges, calls) = (charges_of.remove(trunk), calls_of.remove(trunk));
            let is_pardoned = ledger.spending.forget_others(meters);
            for StoredCharge { ended_at, price, .. } in charges.into_iter().flatten() {
                ledger.spending.add(ended_at, price.parse().unwrap_or_default());
            }
            for (_, unstored) in ledger.unstored.iter().filter(|(id, _)| !ids.contains(*id)) {
                ledger.spending.add(unstored.ended, unstored.price);
            }
            for call in calls.into_iter().flatten() {
                if let Some(rate) = LostRecord::rate_of(&call.attributes) {
                    ledger.count_running(&call, rate);
                }
            }
            if is_pardoned {
                ledger.spending.pardon();
            }
            ledger.unstored.retain(|_, unstored| !unstored.is_stored);
        }
        self.is_recounting = false;
    }

    /// Takes over the state of a trunk, unless a later one is known.
    pub(super) fn compare(&mut self, trunk: Uuid, state: TrunkState) {
        let Some(ledger) = self.by_trunk.get_mut(&trunk) else { return };
        if state.revision < ledger.state.revision {
            return;
        }
        let before = ledger.state;
        ledger.set_state(state);
        if before.threshold_reached && !state.threshold_reached {
            ledger.spending.pardon();
        }
    }

    /// Takes over the states of all trunks, which were read after `follower` began to follow. A trunk that is absent
    /// was deleted, perhaps by a reset, which deleted the rows of its calls too: they are written again.
    pub(super) fn compare_all(
        &mut self,
        follower: Follower,
        states: &HashMap<Uuid, TrunkState>,
        stored: Option<Stored>,
    ) {
        self.follower = Some(follower);
        self.must_compare = false;
        if let Some(stored) = stored {
            self.recount(stored);
        }
        for (trunk, state) in states {
            self.compare(*trunk, *state);
        }
        for ledger in
            self.by_trunk.iter_mut().filter(|(trunk, _)| !states.contains_key(*trunk)).map(|(_, it)| it)
        {
            for running in ledger.running.values_mut() {
                running.row = RowState::None;
            }
        }
        self.catch_up();
    }
}

impl Deref for Ledgers {
    type Target = HashMap<Uuid, TrunkLedger>;

    fn deref(&self) -> &Self::Target {
        &self.by_trunk
    }
}

impl DerefMut for Ledgers {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.by_trunk
    }
}

#[cfg(test)]
mod tests;
