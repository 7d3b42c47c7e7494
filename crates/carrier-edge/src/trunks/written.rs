//! Recognises a write of a trunk that changes only the trunk's spending: the end of its calls causes one.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};

use trunk_store::StoredRecord;
use uuid::Uuid;

/// Limit of trunks of which the last write is known. All are forgotten when there are more, and known again by their
/// next writes.
const MAX_TRUNKS: usize = 65_536;

/// The data from which the terms of recently written trunks were computed, as keyed hashes.
#[derive(Debug, Default)]
pub(super) struct Written {
    hasher: RandomState,
    sources: HashMap<Uuid, u64>,
}

impl Written {
    /// The hash of the data from which the terms of a trunk are computed, without its meta. `removed_dids` is the
    /// number of DIDs that were ever removed from its account: a link to one that was added again leads to another DID.
    pub(super) fn source(&self, stored: &StoredRecord, removed_dids: u64) -> u64 {
        let StoredRecord { record, links, .. } = stored;
        self.hasher.hash_one((&record.attributes, links, removed_dids))
    }

    /// Whether the terms of a trunk were computed from this source.
    pub(super) fn is(&self, trunk: Uuid, source: u64) -> bool {
        self.sources.get(&trunk) == Some(&source)
    }

    /// Records the source from which the terms of a trunk were computed.
    pub(super) fn note(&mut self, trunk: Uuid, source: u64) {
        if self.sources.len() >= MAX_TRUNKS && !self.sources.contains_key(&trunk) {
            self.sources.clear();
        }
        self.sources.insert(trunk, source);
    }

    /// Forgets a trunk.
    pub(super) fn forget(&mut self, trunk: Uuid) {
        self.sources.remove(&trunk);
    }

    /// Forgets all trunks.
    pub(super) fn clear(&mut self) {
        self.sources.clear();
    }
}
