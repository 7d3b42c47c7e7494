//! The ledgers in memory, and the store's changes that they depend on.
//!
//! A reset forgets the spending. When the owner re-opens a trunk that its threshold blocked, the spending so far no longer
//! blocks it.

use std::collections::HashMap;
use std::ops::{Deref, DerefMut};

use didww_types::Resource as _;
use didww_types::resources::VoiceOutTrunk;
use trunk_store::{Changes, Committed, Follower};
use uuid::Uuid;

use super::trunk_ledger::{RowState, TrunkLedger, TrunkState};

/// The ledgers by their trunks, up to a position in the store's change feed.
#[derive(Debug, Default)]
pub(super) struct Ledgers {
    by_trunk: HashMap<Uuid, TrunkLedger>,
    /// Absent until the ledgers are loaded.
    follower: Option<Follower>,
    /// True if changes were missed: every ledger must be compared with its trunk.
    pub(super) must_compare: bool,
}

impl Ledgers {
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
            Changes::LoadAnew => self.must_compare = true,
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
                    ledger.shown = None;
                    for running in ledger.running.values_mut() {
                        running.row = RowState::None;
                    }
                }
                !ledger.is_idle()
            }),
            _ => {}
        }
    }

    /// Takes over the state of a trunk, unless a later one is known.
    fn compare(&mut self, trunk: Uuid, state: TrunkState) {
        let Some(ledger) = self.by_trunk.get_mut(&trunk) else { return };
        if state.revision < ledger.state.revision {
            return;
        }
        let before = std::mem::replace(&mut ledger.state, state);
        if before.threshold_reached && !state.threshold_reached {
            ledger.spending.pardon();
        }
    }

    /// Takes over the states of all trunks, which were read after `follower` began to follow. A trunk that is absent was
    /// deleted, perhaps by a reset, which deleted the rows of its calls too: they are written again.
    pub(super) fn compare_all(&mut self, follower: Follower, states: &HashMap<Uuid, TrunkState>) {
        self.follower = Some(follower);
        self.must_compare = false;
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
