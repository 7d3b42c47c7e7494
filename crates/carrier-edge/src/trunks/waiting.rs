//! Trunks that are linked to DIDs which are not known yet: the trunk was read before the DID, or the DID cannot be
//! read.

use std::collections::{HashMap, HashSet};

use didww_types::Id;
use didww_types::resources::Did;
use trunk_store::StoredRecord;
use uuid::Uuid;

/// The trunks that wait for DIDs. Nearly always there are none.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    trunks: HashMap<Uuid, WaitingTrunk>,
    by_did: HashMap<Id<Did>, HashSet<Uuid>>,
}

#[derive(Debug)]
struct WaitingTrunk {
    stored: StoredRecord,
    unknown: Vec<Id<Did>>,
}

impl Waiting {
    /// Lets a trunk wait for these DIDs, and for no others. Without any it does not wait.
    pub(super) fn set(&mut self, stored: &StoredRecord, unknown: Vec<Id<Did>>) {
        let trunk = stored.record.id;
        self.remove(trunk);
        if unknown.is_empty() {
            return;
        }
        for did in &unknown {
            self.by_did.entry(did.clone()).or_default().insert(trunk);
        }
        self.trunks.insert(trunk, WaitingTrunk { stored: stored.clone(), unknown });
    }

    /// Whether a trunk waits.
    pub(super) fn has(&self, trunk: Uuid) -> bool {
        self.trunks.contains_key(&trunk)
    }

    /// Removes a trunk, if it waits.
    pub(super) fn remove(&mut self, trunk: Uuid) -> Option<StoredRecord> {
        // Nearly always. The map would hash the id all the same.
        if self.trunks.is_empty() {
            return None;
        }
        let WaitingTrunk { stored, unknown } = self.trunks.remove(&trunk)?;
        for did in &unknown {
            if let Some(trunks) = self.by_did.get_mut(did) {
                trunks.remove(&trunk);
                if trunks.is_empty() {
                    self.by_did.remove(did);
                }
            }
        }
        Some(stored)
    }

    /// Removes and returns the trunks that wait for a DID, among others.
    pub(super) fn take(&mut self, did: &Id<Did>) -> Vec<StoredRecord> {
        let trunks = self.by_did.remove(did).unwrap_or_default();
        trunks.into_iter().filter_map(|trunk| self.remove(trunk)).collect()
    }

    /// Removes the trunks of an account.
    pub(super) fn remove_account(&mut self, account: i64) {
        let trunks = self.trunks.iter().filter(|(_, trunk)| trunk.stored.account == account);
        let trunks: Vec<Uuid> = trunks.map(|(id, _)| *id).collect();
        for trunk in trunks {
            self.remove(trunk);
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.trunks.len()
    }
}
