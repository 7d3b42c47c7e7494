//! Reports the first time that something happens for a key, for log lines that would repeat with every request.
//!
//! Bounds: 1,024 keys, as hashes. When they are used up, all are forgotten, so that a key can be reported once more.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, Hash, RandomState};
use std::sync::{Mutex, PoisonError};

const MAX_KEYS: usize = 1_024;

/// The keys that were reported.
#[derive(Debug, Default)]
pub struct FirstTime {
    hashes: RandomState,
    seen: Mutex<HashSet<u64>>,
}

impl FirstTime {
    /// Returns true if the key was not reported before.
    pub fn is(&self, key: impl Hash) -> bool {
        let hash = self.hashes.hash_one(key);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.contains(&hash) {
            return false;
        }
        if seen.len() >= MAX_KEYS {
            seen.clear();
        }
        seen.insert(hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_reported_once_and_the_memory_is_bounded() {
        let first = FirstTime::default();
        assert!(first.is("a") && !first.is("a") && first.is("b") && !first.is("b"));
        for number in 0..10 * MAX_KEYS {
            first.is(number);
        }
        assert!(first.seen.lock().unwrap().len() <= MAX_KEYS);
    }
}
