//! A limit on the number of slots that each key holds at a time, so that one client cannot use up a shared resource.
//!
//! The table has an entry only for keys that hold something, so its size is bounded by the total that the
//! caller admits.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Counts the slots that each key holds, such as an account's active calls, and limits them.
#[derive(Debug)]
pub struct Slots<K> {
    max_per_key: usize,
    taken: Mutex<HashMap<K, usize>>,
}

/// A slot that a key holds. Dropping it frees the slot.
#[derive(Debug)]
pub struct Slot<K: Eq + Hash> {
    slots: Arc<Slots<K>>,
    key: K,
}

impl<K: Eq + Hash + Clone> Slots<K> {
    /// Creates a table in which each key can hold up to `max_per_key` slots.
    pub fn new(max_per_key: usize) -> Arc<Self> {
        Arc::new(Self { max_per_key, taken: Mutex::default() })
    }

    /// Takes a slot. Returns `None` if the key holds its maximum already.
    pub fn take(self: &Arc<Self>, key: K) -> Option<Slot<K>> {
        self.take_up_to(key, self.max_per_key)
    }

    /// Takes a slot even if the key holds its maximum already, such as for an emergency call. The slot counts
    /// as any other. Always returns `Some`.
    pub fn take_anyway(self: &Arc<Self>, key: K) -> Option<Slot<K>> {
        self.take_up_to(key, usize::MAX)
    }

    fn take_up_to(self: &Arc<Self>, key: K, max: usize) -> Option<Slot<K>> {
        let mut taken = self.lock();
        let count = taken.entry(key.clone()).or_default();
        if *count >= max {
            // With a maximum of 0 the entry was created just now.
            if *count == 0 {
                taken.remove(&key);
            }
            return None;
        }
        *count += 1;
        Some(Slot { slots: Arc::clone(self), key })
    }
}

impl<K> Slots<K> {
    fn lock(&self) -> MutexGuard<'_, HashMap<K, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Eq + Hash> Drop for Slot<K> {
    fn drop(&mut self) {
        let mut taken = self.slots.lock();
        if let Some(count) = taken.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_holds_up_to_its_maximum_and_freed_slots_are_available_again() {
        let slots = Slots::new(2);
        let first = slots.take("a").unwrap();
        let _second = slots.take("a").unwrap();
        assert!(slots.take("a").is_none());
        let other = slots.take("b").unwrap();
        let urgent = slots.take_anyway("a").unwrap();
        drop((first, urgent));
        let _third = slots.take("a").unwrap();
        assert!(slots.take("a").is_none());
        drop(other);
        assert_eq!(slots.lock().len(), 1, "a key without slots has no entry");
        assert!(Slots::new(0).take("a").is_none());
    }
}
