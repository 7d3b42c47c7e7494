//! A cache of sorted lists: the record numbers of each list in their order, for the next page.
//!
//! A list is valid until a record of its type and account changes. It is stored with the number of changes of the database
//! state from which it was read, and is returned only to a read of a state with the same number.
//!
//! Bounds: the record numbers in total and of one account, and the lists in total and of one account. The least recently
//! used list is evicted first. An account that exceeds its share loses its own lists, not those of another account.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
#[derive(Debug, Default)]
pub(crate) struct ListCache(Mutex<State>);

/// The lists, and how often they were used.
#[derive(Debug, Default)]
pub(crate) struct State {
    lists: Vec<CachedList>,
    /// Incremented with each use of a list.
    uses: u64,
}

#[derive(Debug)]
struct CachedList {
    account: i64,
    kind: &'static str,
    conditions: Vec<Condition>,
    order: Vec<Order>,
    changes: i64,
    numbers: Arc<[i64]>,
    /// The value of [`State::uses`] at the last use.
    last_used: u64,
}

impl CachedList {
    fn matches(&self, query: &ListQuery) -> bool {
        self.account == query.scope.owner()
            && self.kind == query.scope.spec.name
            && self.order == query.order
            && self.conditions == query.conditions
    }
}

impl ListCache {
    /// Returns what is cached. The default value is an empty cache.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the whole list of a query, if it is cached for this number of changes.
    pub(crate) fn get(&self, query: &ListQuery, changes: i64) -> Option<Arc<[i64]>> {
        let mut state = self.state();
        state.uses += 1;
        let uses = state.uses;
        let list = state.lists.iter_mut().find(|list| list.changes == changes && list.matches(query))?;
        list.last_used = uses;
        Some(Arc::clone(&list.numbers))
    }

    /// Inserts the list of a query, and removes its older versions.
    pub(crate) fn insert(&self, query: &ListQuery, changes: i64, numbers: Vec<i64>) {
        if numbers.len() > MAX_NUMBERS_PER_ACCOUNT
            || (numbers.len() < MIN_LENGTH && query.conditions.is_empty())
        {
            return;
        }
        let list = CachedList {
            account: query.scope.owner(),
            kind: query.scope.spec.name,
            conditions: query.conditions.clone(),
            order: query.order.clone(),
            changes,
            numbers: numbers.into(),
            last_used: 0,
        };
        let mut state = self.state();
        state.uses += 1;
        let list = CachedList { last_used: state.uses, ..list };
        // No later read has an older state of the same records.
        state.lists.retain(|old| {
            !(old.matches(query)
                || old.account == list.account && old.kind == list.kind && old.changes < changes)
        });
        let (account, length) = (list.account, list.numbers.len());
        let is_own = |old: &CachedList| old.account == account;
        state.evict(is_own, MAX_NUMBERS_PER_ACCOUNT - length, MAX_LISTS_PER_ACCOUNT - 1);
        state.evict(|_| true, MAX_NUMBERS - length, MAX_LISTS - 1);
        state.lists.push(list);
    }
}

impl State {
    /// Removes the least recently used of the lists that `is_evictable` selects, until these have at most this many
    /// record numbers and lists.
    fn evict(&mut self, is_evictable: impl Fn(&CachedList) -> bool, numbers: usize, lists: usize) {
        loop {
            let evictable = || self.lists.iter().enumerate().filter(|(_, list)| is_evictable(list));
            if evictable().count() <= lists
                && evictable().map(|(_, list)| list.numbers.len()).sum::<usize>() <= numbers
            {
                return;
            }
            let Some((oldest, _)) = evictable().min_by_key(|(_, list)| list.last_used) else { return };
            self.lists.swap_remove(oldest);
        }
    }
}
