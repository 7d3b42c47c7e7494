//! Lists as they were arranged: the numbers of their records in their order, for the next page.
//!
//! A list is good as long as none of its records was changed. It says so itself: it is kept with the number of changes
//! that the state of the database had that it was read from, and is found only by who reads a state with the same.
//!
//! Bounds: the numbers that are kept in all, those of one account, and lists in all. What was not asked for longest
//! goes first, and an account that keeps too much loses its own lists, not another's.

use std::sync::{Arc, Mutex, PoisonError};

use crate::{Condition, ListQuery, Order};

/// Most numbers that are kept, of eight bytes each.
const NUMBERS: usize = 8_000_000;
/// Most of them that are one account's.
pub(super) const OF_ONE: usize = NUMBERS / 4;
/// Most lists.
const LISTS: usize = 256;
/// Lists that are shorter are made sooner than found.
const SHORT: usize = if cfg!(test) { 2 } else { 200 };

/// The lists that are kept.
#[derive(Debug, Default)]
pub(in crate::sqlite) struct Arranged(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    lists: Vec<List>,
    /// Grows each time that a list is asked for.
    now: u64,
}

#[derive(Debug)]
struct List {
    account: i64,
    kind: &'static str,
    conditions: Vec<Condition>,
    order: Vec<Order>,
    changes: i64,
    numbers: Arc<[i64]>,
    asked: u64,
}

impl List {
    fn is(&self, query: &ListQuery) -> bool {
        self.account == query.scope.account
            && self.kind == query.scope.spec.name
            && self.order == query.order
            && self.conditions == query.conditions
    }
}

impl Arranged {
    /// The whole list that a page is asked of, as it was with so many changes.
    pub(super) fn get(&self, query: &ListQuery, changes: i64) -> Option<Arc<[i64]>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.now += 1;
        let now = kept.now;
        let list = kept.lists.iter_mut().find(|list| list.changes == changes && list.is(query))?;
        list.asked = now;
        Some(Arc::clone(&list.numbers))
    }

    /// Keeps a list, in place of what it was before.
    pub(super) fn keep(&self, query: &ListQuery, changes: i64, numbers: Vec<i64>) {
        if numbers.len() > OF_ONE || (numbers.len() < SHORT && query.conditions.is_empty()) {
            return;
        }
        let list = List {
            account: query.scope.account,
            kind: query.scope.spec.name,
            conditions: query.conditions.clone(),
            order: query.order.clone(),
            changes,
            numbers: numbers.into(),
            asked: 0,
        };
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.now += 1;
        let list = List { asked: kept.now, ..list };
        // Those of an older state of the same records are found by nobody any more.
        kept.lists.retain(|old| {
            !(old.is(query) || old.account == list.account && old.kind == list.kind && old.changes < changes)
        });
        let (account, length) = (list.account, list.numbers.len());
        kept.make_room(|old| old.account == account, OF_ONE - length, LISTS / 4 - 1);
        kept.make_room(|_| true, NUMBERS - length, LISTS - 1);
        kept.lists.push(list);
    }
}

impl Kept {
    /// Forgets lists of those that this says, until they have no more than this.
    fn make_room(&mut self, of: impl Fn(&List) -> bool, numbers: usize, lists: usize) {
        loop {
            let mine = || self.lists.iter().enumerate().filter(|(_, list)| of(list));
            if mine().count() <= lists && mine().map(|(_, list)| list.numbers.len()).sum::<usize>() <= numbers
            {
                return;
            }
            let Some((oldest, _)) = mine().min_by_key(|(_, list)| list.asked) else { return };
            self.lists.swap_remove(oldest);
        }
    }
}
