//! The requests with a key that are in progress in this process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use trunk_store::{IdempotencyKey, IdempotencyScope};

use super::{KeyRefusal, LEFT_PER_RUNNING, MAX_RUNNING};

/// The keys in use, each with the fingerprint of its request, and their number in each scope.
#[derive(Debug, Default)]
pub(super) struct Running(Mutex<Keys>);

#[derive(Debug, Default)]
struct Keys {
    fingerprints: HashMap<IdempotencyKey, [u8; 32]>,
    scopes: HashMap<IdempotencyScope, usize>,
}

/// A request in progress. Dropping it ends it.
#[derive(Debug)]
pub(super) struct RunningRequest {
    running: Arc<Running>,
    key: IdempotencyKey,
}

impl Running {
    /// Registers a request as in progress, unless its key is in use or there are too many.
    pub(super) fn begin(
        running: &Arc<Self>,
        key: IdempotencyKey,
        fingerprint: [u8; 32],
    ) -> Result<RunningRequest, KeyRefusal> {
        let mut keys = running.lock();
        match keys.fingerprints.get(&key) {
            Some(earlier) if *earlier == fingerprint => return Err(KeyRefusal::InProgress),
            Some(_) => return Err(KeyRefusal::Reused),
            None => {}
        }
        let of_scope = keys.scopes.get(&key.scope).copied().unwrap_or_default();
        let left = MAX_RUNNING.saturating_sub(keys.fingerprints.len());
        if left <= of_scope * LEFT_PER_RUNNING {
            return Err(KeyRefusal::Busy);
        }
        keys.fingerprints.insert(key, fingerprint);
        keys.scopes.insert(key.scope, of_scope + 1);
        Ok(RunningRequest { running: Arc::clone(running), key })
    }

    fn lock(&self) -> MutexGuard<'_, Keys> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for RunningRequest {
    fn drop(&mut self) {
        let mut keys = self.running.lock();
        keys.fingerprints.remove(&self.key);
        let of_scope = keys.scopes.remove(&self.key.scope).unwrap_or_default();
        if of_scope > 1 {
            keys.scopes.insert(self.key.scope, of_scope - 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(scope: i64, number: usize) -> IdempotencyKey {
        let mut digest = [0; 32];
        digest[..8].copy_from_slice(&number.to_be_bytes());
        IdempotencyKey { scope: IdempotencyScope::Account(scope), digest }
    }

    #[test]
    fn a_key_is_in_use_until_its_request_ends() {
        let running = Arc::new(Running::default());
        let first = Running::begin(&running, key(1, 1), [1; 32]).unwrap();
        assert_eq!(Running::begin(&running, key(1, 1), [1; 32]).unwrap_err(), KeyRefusal::InProgress);
        assert_eq!(Running::begin(&running, key(1, 1), [2; 32]).unwrap_err(), KeyRefusal::Reused);
        let other = Running::begin(&running, key(2, 1), [2; 32]).unwrap();
        drop(first);
        drop(Running::begin(&running, key(1, 1), [2; 32]).unwrap());
        drop(other);
        let keys = running.lock();
        assert!(keys.fingerprints.is_empty() && keys.scopes.is_empty());
    }

    #[test]
    fn a_few_scopes_leave_room_for_others_and_all_have_a_bound() {
        let running = Arc::new(Running::default());
        let mut held = Vec::new();
        let mut fill = |scope| {
            let before = held.len();
            held.extend((0..).map_while(|number| Running::begin(&running, key(scope, number), [0; 32]).ok()));
            held.len() - before
        };
        assert_eq!(fill(1), MAX_RUNNING / (LEFT_PER_RUNNING + 1));
        assert_eq!((2..=4).map(&mut fill).collect::<Vec<_>>(), [768, 576, 432]);
        assert_eq!(fill(1), 0);
        assert!((5..=16).all(|scope| fill(scope) > 0));
        let of_all: usize = (17..200).map(&mut fill).sum();
        assert!(of_all > 0);
        assert_eq!(fill(200), 0);
        assert_eq!(held.len(), MAX_RUNNING);
        drop(held);
        assert_eq!(Running::begin(&running, key(200, 0), [0; 32]).map(drop), Ok(()));
    }
}
