//! Finds the slot of a trunk by a text that the trunk has, such as its id, without a second copy of the text.

use std::hash::{BuildHasher as _, RandomState};

use hashbrown::HashTable;

/// Slots by the hashes of their texts. Half of a hash is kept beside each slot, so that neither a growing table nor a
/// text that is not in it reads the texts of other slots. The hashes are keyed at random: a peer cannot choose texts
/// that collide.
#[derive(Debug, Default)]
pub(super) struct SlotTable {
    hasher: RandomState,
    slots: HashTable<Place>,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    hash: u32,
    slot: u32,
}

impl Place {
    /// The table takes its buckets from the low bits, and compares the highest ones.
    fn spread(hash: u32) -> u64 {
        u64::from(hash) << 32 | u64::from(hash)
    }

    const fn slot(self) -> usize {
        self.slot as usize
    }
}

impl SlotTable {
    fn hash(&self, text: &str) -> u32 {
        u32::try_from(self.hasher.hash_one(text) >> 32).unwrap_or_default()
    }

    /// The slot of a text. `has` states whether a slot has the text; it is only called for slots with equal hashes.
    pub(super) fn find(&self, text: &str, has: impl Fn(usize) -> bool) -> Option<usize> {
        self.find_hashed(self.hash(text), has)
    }

    /// Adds a text that the table does not have.
    pub(super) fn insert(&mut self, text: &str, slot: usize) {
        self.insert_hashed(self.hash(text), slot);
    }

    /// Removes a text of a slot.
    pub(super) fn remove(&mut self, text: &str, slot: usize) {
        self.remove_hashed(self.hash(text), slot);
    }

    fn find_hashed(&self, hash: u32, has: impl Fn(usize) -> bool) -> Option<usize> {
        let found = self.slots.find(Place::spread(hash), |place| place.hash == hash && has(place.slot()));
        found.map(|place| place.slot())
    }

    fn insert_hashed(&mut self, hash: u32, slot: usize) {
        // No memory holds as many trunks.
        let place = Place { hash, slot: u32::try_from(slot).unwrap_or(u32::MAX) };
        self.slots.insert_unique(Place::spread(hash), place, |place| Place::spread(place.hash));
    }

    fn remove_hashed(&mut self, hash: u32, slot: usize) {
        let found =
            self.slots.find_entry(Place::spread(hash), |place| place.hash == hash && place.slot() == slot);
        if let Ok(entry) = found {
            entry.remove();
        }
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::{HashMap, HashSet};

    proptest! {
        #[test]
        fn it_finds_what_a_map_finds(steps in proptest::collection::vec((0usize..40, any::<bool>()), 0..200)) {
            let texts: Vec<String> = (0..40).map(|at| format!("text {at}")).collect();
            let (mut table, mut map) = (SlotTable::default(), HashMap::new());
            for (at, inserts) in steps {
                let text = texts[at].as_str();
                if inserts && !map.contains_key(text) {
                    table.insert(text, at);
                    map.insert(text, at);
                } else if !inserts {
                    table.remove(text, at);
                    map.remove(text);
                }
                prop_assert_eq!((table.len(), table.is_empty()), (map.len(), map.is_empty()));
                for text in &texts {
                    let found = table.find(text, |slot| texts[slot] == *text);
                    prop_assert_eq!(found, map.get(text.as_str()).copied());
                }
            }
        }

        #[test]
        fn texts_with_equal_hashes_are_not_mistaken_for_each_other(
            steps in proptest::collection::vec((0usize..40, any::<bool>()), 0..200), hashes in 1usize..4
        ) {
            // The first two hashes have the same lowest bits, and the same highest bits.
            let hash = |at: usize| [0, 0x0100_0000, u32::MAX][at % hashes];
            let (mut table, mut set) = (SlotTable::default(), HashSet::new());
            for (at, inserts) in steps {
                if !inserts {
                    table.remove_hashed(hash(at), at);
                    set.remove(&at);
                } else if set.insert(at) {
                    table.insert_hashed(hash(at), at);
                }
                prop_assert_eq!(table.len(), set.len());
                for at in 0..40 {
                    let found = table.find_hashed(hash(at), |slot| slot == at);
                    prop_assert_eq!(found, set.get(&at).copied());
                }
            }
        }
    }
}
