//! A cache of sorted lists: the record numbers of each list in their order, for the next page.
//!
//! A list is valid until a record of its type and account changes. It is stored with the number of changes of the
//! database state from which it was read, and is returned only to a read of a state with the same number.
//!
//! After a failover the database may have the same numbers of changes for other lists. So the cache is cleared then,
//! and begins an epoch: a read that began before finds nothing in it, and leaves nothing there.
//!
//! Bounds: the record numbers in total and of one account, and the lists in total and of one account. The least
//! recently used list is evicted first. An account that exceeds its share loses its own lists, not those of another
//! account.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use service_base::recently_used::{Most, RecentlyUsed};

use crate::{Condition, ListQuery, Order};

/// Maximum number of record numbers in the cache, of eight bytes each.
const MAX_NUMBERS: usize = 8_000_000;
/// Maximum number of record numbers of one account.
pub(crate) const MAX_NUMBERS_PER_ACCOUNT: usize = MAX_NUMBERS / 4;
/// Maximum number of lists in the cache, of all accounts together.
const MAX_LISTS: usize = 256;
/// Maximum number of lists of one account.
const MAX_LISTS_PER_ACCOUNT: usize = MAX_LISTS / 4;
/// Minimum length of a cached list without conditions. A shorter one is sorted faster than it is found.
const MIN_LENGTH: usize = if cfg!(test) { 2 } else { 200 };

/// The cache, shared by all threads that read lists.
#[derive(Debug)]
pub(crate) struct ListCache(Mutex<State>);

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) lists: RecentlyUsed<CachedList>,
    /// Number of times that the cache was cleared.
    pub(crate) epoch: u64,
}

#[derive(Debug)]
pub(crate) struct CachedList {
    kind: &'static str,
    conditions: Vec<Condition>,
    order: Vec<Order>,
    changes: i64,
    numbers: Arc<[i64]>,
}

impl CachedList {
    /// Whether it is the list of a query, from the records of the same account.
    fn matches(&self, query: &ListQuery) -> bool {
        self.kind == query.scope.spec.name && self.order == query.order && self.conditions == query.conditions
    }
}

impl Default for ListCache {
    fn default() -> Self {
        let total = Most { entries: MAX_LISTS, size: MAX_NUMBERS };
        let of_one_account = Most { entries: MAX_LISTS_PER_ACCOUNT, size: MAX_NUMBERS_PER_ACCOUNT };
        let lists = RecentlyUsed::new(total, of_one_account);
        Self(Mutex::new(State { lists, epoch: 0 }))
    }
}

impl ListCache {
    /// Locks the cached lists.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The epoch of a read that begins now, before it takes a connection.
    pub(crate) fn epoch(&self) -> u64 {
        self.state().epoch
    }

    /// Returns the whole list of a query, if it is cached for this number of changes. `epoch` is that of the read.
    pub(crate) fn get(&self, query: &ListQuery, changes: i64, epoch: u64) -> Option<Arc<[i64]>> {
        let mut state = self.state();
        if state.epoch != epoch {
            return None;
        }
        let is_wanted = |list: &CachedList| list.changes == changes && list.matches(query);
        let list = state.lists.get(query.scope.owner(), is_wanted)?;
        Some(Arc::clone(&list.numbers))
    }

    /// Inserts the list of a query, and removes its older versions. `epoch` is that of the read.
    pub(crate) fn insert(&self, query: &ListQuery, changes: i64, epoch: u64, numbers: Vec<i64>) {
        if numbers.len() > MAX_NUMBERS_PER_ACCOUNT
            || (numbers.len() < MIN_LENGTH && query.conditions.is_empty())
        {
            return;
        }
        let (account, kind, length) = (query.scope.owner(), query.scope.spec.name, numbers.len());
        let (conditions, order) = (query.conditions.clone(), query.order.clone());
        let list = CachedList { kind, conditions, order, changes, numbers: numbers.into() };
        // No later read of the epoch has an older state of the same records.
        let is_older = |old: &CachedList| old.matches(query) || (old.kind == kind && old.changes < changes);
        let mut state = self.state();
        if state.epoch != epoch {
            return;
        }
        let gone = state.lists.insert(account, length, list, is_older);
        // Freed after the lock was released.
        drop(state);
        drop(gone);
    }
}
