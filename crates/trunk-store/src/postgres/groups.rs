//! Records of an account that wait to be inserted together.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use service_base::clock::Stopwatch;
use tokio::sync::{OwnedRwLockReadGuard, oneshot};

use crate::content::Content;
use crate::{Change, Record, StoreError};

/// The waiting records of all accounts.
#[derive(Default)]
pub(super) struct Groups(Mutex<State>);

#[derive(Default)]
struct State {
    accounts: HashMap<i64, Waiting>,
    /// Number of records that wait.
    waiting: usize,
}

/// The waiting records of an account.
#[derive(Default)]
struct Waiting {
    members: VecDeque<Member>,
    running: usize,
}

/// A waiting record, and the caller that waits for it.
pub(super) struct Member {
    pub(super) insert: Arc<(Change, Content)>,
    pub(super) made: oneshot::Sender<Result<Vec<Record>, StoreError>>,
    pub(super) since: Stopwatch,
    /// Held so that closing the store waits for the record.
    pub(super) open: OwnedRwLockReadGuard<()>,
}

impl Member {
    /// Answers the request, which may have ended.
    pub(super) fn answer(self, outcome: Result<Vec<Record>, StoreError>) {
        let _unheard = self.made.send(outcome);
        drop(self.open);
    }
}

/// The maximum numbers of transactions and of records.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Transactions that insert records of an account at the same time.
    pub(super) running: usize,
    /// Records in one of them.
    pub(super) together: usize,
    /// Records of all accounts that wait.
    pub(super) waiting: usize,
    /// Records of one of them that wait.
    pub(super) waiting_of_one: usize,
}

impl Groups {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a record. Returns true if the caller must insert the waiting records of its account.
    ///
    /// # Errors
    /// [`StoreError::Overloaded`] if too many wait.
    pub(super) fn add(&self, limits: Limits, account: i64, member: Member) -> Result<bool, StoreError> {
        let mut state = self.state();
        let of_one = state.accounts.get(&account).map_or(0, |of| of.members.len());
        if state.waiting >= limits.waiting || of_one >= limits.waiting_of_one {
            return Err(StoreError::Overloaded);
        }
        state.waiting += 1;
        let of = state.accounts.entry(account).or_default();
        of.members.push_back(member);
        let is_free = of.running < limits.running;
        of.running += usize::from(is_free);
        Ok(is_free)
    }

    /// Takes the records to insert next. `None` if no records are left, so that the caller ends.
    pub(super) fn next(&self, limits: Limits, account: i64) -> Option<Vec<Member>> {
        let mut state = self.state();
        let of = state.accounts.get_mut(&account)?;
        let count = of.members.len().min(limits.together);
        if count == 0 {
            of.running -= 1;
            if of.running == 0 {
                state.accounts.remove(&account);
            }
            return None;
        }
        let members = of.members.drain(..count).collect();
        state.waiting -= count;
        Some(members)
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::RwLock;
    use uuid::Uuid;

    use super::*;

    const LIMITS: Limits = Limits { running: 2, together: 2, waiting: 4, waiting_of_one: 3 };

    fn member(gate: &Arc<RwLock<()>>) -> Member {
        Member {
            insert: Arc::new((Change::HangUp(Uuid::nil()), Content::default())),
            made: oneshot::channel().0,
            since: Stopwatch::start(),
            open: Arc::clone(gate).try_read_owned().unwrap(),
        }
    }

    #[test]
    fn an_account_whose_records_wait_leaves_places_to_the_others() {
        let (groups, gate) = (Groups::default(), Arc::default());
        let add = |account| groups.add(LIMITS, account, member(&gate));
        assert_eq!([add(1), add(1), add(1)], [Ok(true), Ok(true), Ok(false)]);
        assert_eq!(add(1), Err(StoreError::Overloaded), "one has no more places");
        assert_eq!(add(2), Ok(true));
        assert_eq!(add(3), Err(StoreError::Overloaded), "no place is left");
        let next = |account| groups.next(LIMITS, account).map(|members| members.len());
        assert_eq!([next(1), next(1), next(1), next(1)], [Some(2), Some(1), None, None]);
        assert_eq!([next(2), next(2)], [Some(1), None]);
        assert!(groups.state().accounts.is_empty(), "nothing is kept of those whose records do not wait");
        assert_eq!(add(1), Ok(true));
    }
}
