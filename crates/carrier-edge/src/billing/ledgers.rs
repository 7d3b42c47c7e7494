//! The ledgers in memory, and the store's changes that they depend on.
//!
//! A reset forgets the spending. When the owner re-opens a trunk that its threshold blocked, the spending so far no longer
//! blocks it.

use std::collections::HashMap;
use std::ops::{Deref, DerefMut};

use didww_types::Resource as _;
use didww_types::resources::VoiceOutTrunk;
use trunk_store::{Changes, Committed, Follower, Record};
use uuid::Uuid;

use super::TrunkLedger;
use super::rows::RowState;

/// The ledgers by their trunks, up to a position in the store's change feed.
#[derive(Debug, Default)]
pub(super) struct Ledgers {
    by_trunk: HashMap<Uuid, TrunkLedger>,
    /// Absent until the ledgers are loaded.
    follower: Option<Follower>,
    /// True if changes were missed: every trunk must be compared with its record.
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
                self.compare(&stored.record);
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

    /// Takes over whether the threshold of a trunk is reached, from its record.
    pub(super) fn compare(&mut self, record: &Record) {
        let Some(ledger) = self.by_trunk.get_mut(&record.id) else { return };
        let reached = is_threshold_reached(&record.attributes);
        if std::mem::replace(&mut ledger.threshold_reached, reached) && !reached {
            ledger.spending.pardon();
        }
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

/// Searches the canonical JSON text instead of parsing it, because it runs for every write of a trunk.
pub(super) fn is_threshold_reached(attributes: &str) -> bool {
    attributes.contains("\"threshold_reached\":true")
}
