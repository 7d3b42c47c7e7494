//! A cache of recent reads from the current state of the database: records by their ids, and the numbers of changes of
//! lists.
//!
//! An entry has the number of the state that it was read from ([`States`](super::states::States)), which the reader
//! requested before it read, and is returned only to readers of that state. So a commit of any account invalidates all
//! entries.
//!
//! Bounds: [`PLACES`] records of [`MAX_BYTES`], and [`MAX_LISTS`] numbers of changes.

use std::collections::HashMap;
use std::hash::BuildHasher as _;
use std::sync::Mutex;

use foldhash::fast::RandomState;
use uuid::Uuid;

use super::queued_write::lock;
use crate::{Record, Scope};

/// The number of places for records. Each record has one place, from which another record with the same place evicts
/// it.
const PLACES: usize = 512;
/// Maximum size of a cached record's attributes and `meta` in bytes. Larger records are read each time.
const MAX_BYTES: usize = 8 << 10;
/// Maximum number of cached numbers of changes.
const MAX_LISTS: usize = 1024;

/// The cached reads of the current state.
pub(super) struct FoundRecords {
    places: Box<[Mutex<Place>]>,
    /// The numbers of changes, by the owner of the records and the name of their type.
    changes: Mutex<HashMap<(i64, &'static str), KnownChanges, RandomState>>,
    hasher: RandomState,
}

/// A place for a record. Most places of most servers stay empty, so an empty one takes only a pointer.
type Place = Option<Box<Found>>;

struct Found {
    /// The number of the state.
    state: u64,
    owner: i64,
    record: Record,
}

#[derive(Clone, Copy)]
struct KnownChanges {
    /// The number of the state.
    state: u64,
    changes: i64,
}

impl Default for FoundRecords {
    fn default() -> Self {
        let places = (0..PLACES).map(|_| Mutex::default()).collect();
        Self { places, changes: Mutex::default(), hasher: RandomState::default() }
    }
}

impl FoundRecords {
    /// Returns a record that was read from this state.
    pub(super) fn get(&self, state: u64, scope: Scope, id: Uuid) -> Option<Record> {
        let place = lock(self.place(id)?);
        let found = place.as_ref().filter(|found| {
            found.state == state
                && found.record.id == id
                && found.owner == scope.owner()
                && found.record.kind == scope.spec.name
        })?;
        Some(found.record.clone())
    }

    /// Keeps a record that was read after the state had this number.
    pub(super) fn keep(&self, state: u64, scope: Scope, record: &Record) {
        if record.attributes.len() + record.meta.as_ref().map_or(0, String::len) > MAX_BYTES {
            return;
        }
        let Some(place) = self.place(record.id) else { return };
        let found = Found { state, owner: scope.owner(), record: record.clone() };
        let replaced = lock(place).replace(Box::new(found));
        // Freed after the lock was released.
        drop(replaced);
    }

    /// Returns the number of changes of a type in an account, if it was read from this state.
    pub(super) fn changes(&self, state: u64, scope: Scope) -> Option<i64> {
        let known = lock(&self.changes).get(&(scope.owner(), scope.spec.name)).copied()?;
        (known.state == state).then_some(known.changes)
    }

    /// Keeps a number of changes that was read after the state had this number.
    pub(super) fn keep_changes(&self, state: u64, scope: Scope, changes: i64) {
        let mut all = lock(&self.changes);
        if all.len() >= MAX_LISTS {
            all.retain(|_, known| known.state == state);
        }
        if all.len() < MAX_LISTS {
            all.insert((scope.owner(), scope.spec.name), KnownChanges { state, changes });
        }
    }

    fn place(&self, id: Uuid) -> Option<&Mutex<Place>> {
        let hash = self.hasher.hash_one(id);
        self.places.get(usize::try_from(hash % PLACES as u64).ok()?)
    }
}

/// Records can contain passwords, so none is shown.
impl std::fmt::Debug for FoundRecords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FoundRecords").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use didww_types::Resource as _;
    use didww_types::resources::{Did, VoiceOutTrunk};

    use super::*;

    const DIDS: Scope = Scope { account: 1, spec: Did::SPEC };

    fn record(attributes: String) -> Record {
        Record {
            number: 1,
            id: Uuid::from_u128(1),
            kind: Did::SPEC.name,
            revision: 0,
            attributes,
            meta: None,
        }
    }

    #[test]
    fn a_record_is_found_again_in_the_same_state_and_scope() {
        let (found, record) = (FoundRecords::default(), record("{}".to_owned()));
        let get = |state, scope| found.get(state, scope, record.id).is_some();
        assert!(!get(2, DIDS));
        found.keep(2, DIDS, &record);
        assert_eq!(found.get(2, DIDS, record.id), Some(record.clone()));
        assert!(!get(4, DIDS) && !get(0, DIDS), "another state");
        assert!(!get(2, Scope { account: 2, ..DIDS }), "another account");
        assert!(!get(2, Scope { spec: VoiceOutTrunk::SPEC, ..DIDS }), "another type");
        assert!(found.get(2, DIDS, Uuid::from_u128(2)).is_none());
    }

    #[test]
    fn a_large_record_is_not_kept() {
        let found = FoundRecords::default();
        for (bytes, is_kept) in [(MAX_BYTES + 1, false), (MAX_BYTES, true)] {
            found.keep(2, DIDS, &record("x".repeat(bytes)));
            assert_eq!(found.get(2, DIDS, Uuid::from_u128(1)).is_some(), is_kept);
        }
    }

    #[test]
    fn numbers_of_changes_are_those_of_one_state_and_bounded() {
        let found = FoundRecords::default();
        let of = |account| Scope { account, ..DIDS };
        found.keep_changes(2, of(0), 7);
        assert_eq!(
            (found.changes(2, of(0)), found.changes(4, of(0)), found.changes(2, of(1))),
            (Some(7), None, None)
        );
        let most = i64::try_from(MAX_LISTS).unwrap();
        (0..=most).for_each(|account| found.keep_changes(4, of(account), account));
        assert_eq!((found.changes(4, of(most - 1)), found.changes(4, of(most))), (Some(most - 1), None));
        found.keep_changes(6, of(most), 1);
        assert_eq!(found.changes(6, of(most)), Some(1), "those of another state make room");
    }
}
