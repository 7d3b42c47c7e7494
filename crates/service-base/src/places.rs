//! Places that are counted by who takes them, so that nobody takes those of all others.
//!
//! It knows only those who have a place, so it is as large as what it counts is bounded elsewhere.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// So many places for each key.
#[derive(Debug)]
pub struct Places<K> {
    of_one: usize,
    taken: Mutex<HashMap<K, usize>>,
}

/// A place; dropping it frees it.
#[derive(Debug)]
pub struct Place<K: Eq + Hash> {
    places: Arc<Places<K>>,
    key: K,
}

impl<K: Eq + Hash + Clone> Places<K> {
    /// With so many for one key.
    pub fn new(of_one: usize) -> Arc<Self> {
        Arc::new(Self { of_one, taken: Mutex::default() })
    }

    /// Takes a place; `None` when the key has all that it may have.
    pub fn take(self: &Arc<Self>, key: K) -> Option<Place<K>> {
        self.take_within(key, self.of_one)
    }

    /// Takes a place whatever the key has already. It counts all the same.
    pub fn take_anyway(self: &Arc<Self>, key: K) -> Option<Place<K>> {
        self.take_within(key, usize::MAX)
    }

    fn take_within(self: &Arc<Self>, key: K, most: usize) -> Option<Place<K>> {
        let mut taken = self.lock();
        let count = taken.entry(key.clone()).or_default();
        if *count >= most {
            // One that may have none leaves nothing behind.
            if *count == 0 {
                taken.remove(&key);
            }
            return None;
        }
        *count += 1;
        Some(Place { places: Arc::clone(self), key })
    }
}

impl<K> Places<K> {
    fn lock(&self) -> MutexGuard<'_, HashMap<K, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Eq + Hash> Drop for Place<K> {
    fn drop(&mut self) {
        let mut taken = self.places.lock();
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
    fn one_key_has_its_places_and_no_more_and_they_come_back() {
        let places = Places::new(2);
        let first = places.take("a").unwrap();
        let _second = places.take("a").unwrap();
        assert!(places.take("a").is_none());
        let other = places.take("b").unwrap();
        let urgent = places.take_anyway("a").unwrap();
        drop((first, urgent));
        let _third = places.take("a").unwrap();
        assert!(places.take("a").is_none());
        drop(other);
        assert_eq!(places.lock().len(), 1, "a key without places is forgotten");
        assert!(Places::new(0).take("a").is_none());
    }
}
