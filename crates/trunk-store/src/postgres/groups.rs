//! Records of an account that wait to be inserted together.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

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
    /// How many of them are for transactions that have begun.
    promised: usize,
    /// Number of transactions.
    running: usize,
    /// Number of records that they insert.
    inserting: usize,
    /// About how many records clients create at the same time: the most that waited and were inserted at once. It falls
    /// by a tenth with each transaction.
    at_once: usize,
}

impl Waiting {
    fn present(&self) -> usize {
        self.members.len() + self.inserting
    }

    /// Whether a transaction begins while others run. The first one always does: a lone record waits for nothing. Another
    /// one begins once half of the records wait for it that clients create at the same time. It would otherwise insert
    /// the first record that arrives after a commit alone, although most of its cost is the same for many. If the first
    /// one waits for a lock, the next record that arrives after [`Limits::patience`] begins another one.
    fn may_begin(&self, limits: Limits, running: usize) -> bool {
        let unpromised = self.members.len().saturating_sub(self.promised);
        let half = limits.together.min(self.at_once.div_ceil(2));
        let oldest = self.members.get(self.promised);
        let is_late = || oldest.is_some_and(|member| member.since.elapsed() >= limits.patience);
        running == 0 || (running < limits.running && (unpromised >= half || is_late()))
    }
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
    /// How long a record waits for others to share a transaction with while another one runs.
    pub(super) patience: Duration,
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
        of.at_once = of.at_once.max(of.present());
        let begins = of.may_begin(limits, of.running);
        if begins {
            of.running += 1;
            of.promised = of.members.len();
        }
        Ok(begins)
    }

    /// Takes the records to insert next. `inserted` is the number of records of the caller's last transaction, or zero
    /// before its first one. `None` if no records are left, or too few while another transaction runs, so that the
    /// caller ends: the last transaction leaves none.
    pub(super) fn next(&self, limits: Limits, account: i64, inserted: usize) -> Option<Vec<Member>> {
        let mut state = self.state();
        let of = state.accounts.get_mut(&account)?;
        of.inserting = of.inserting.saturating_sub(inserted);
        let goes_on = inserted == 0 || of.may_begin(limits, of.running.saturating_sub(1));
        let count = if goes_on { of.members.len().min(limits.together) } else { 0 };
        if count == 0 {
            of.running -= 1;
            if of.running == 0 {
                state.accounts.remove(&account);
            }
            return None;
        }
        of.at_once = of.present().max(of.at_once.saturating_sub(of.at_once.div_ceil(10)));
        let members = of.members.drain(..count).collect();
        of.promised = of.promised.saturating_sub(count);
        of.inserting += count;
        state.waiting -= count;
        Some(members)
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::RwLock;
    use uuid::Uuid;

    use super::*;

    const LIMITS: Limits =
        Limits { running: 2, together: 2, patience: Duration::MAX, waiting: 4, waiting_of_one: 3 };

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
        let next = |account| groups.next(LIMITS, account, 0).map(|members| members.len());
        assert_eq!([next(1), next(1), next(1), next(1)], [Some(2), Some(1), None, None]);
        assert_eq!([next(2), next(2)], [Some(1), None]);
        assert!(groups.state().accounts.is_empty(), "nothing is kept of those whose records do not wait");
        assert_eq!(add(1), Ok(true));
    }

    #[test]
    fn another_transaction_begins_for_half_of_the_records_that_are_created_at_the_same_time() {
        let limits = Limits { together: 32, waiting: 64, waiting_of_one: 64, ..LIMITS };
        let (groups, gate) = (Groups::default(), Arc::default());
        // The number of transactions that begin while so many records arrive.
        let add = |count: usize| (0..count).filter(|_| groups.add(limits, 1, member(&gate)).unwrap()).count();
        let next = |inserted| groups.next(limits, 1, inserted).map(|members| members.len());
        assert_eq!((add(1), next(0)), (1, Some(1)), "a lone record waits for nothing");
        assert_eq!((add(15), next(0)), (1, Some(15)), "nor does the second one, and the others join it");
        assert_eq!(next(1), None, "none waits");
        assert_eq!(add(1), 0, "one of sixteen waits while fifteen are inserted");
        assert_eq!(next(15), Some(1), "it does not wait for records that may never arrive");
        assert_eq!((add(6), add(1), next(0)), (0, 1, Some(7)), "half of them begin another one");
        assert_eq!((next(1), next(7)), (None, None));
        assert!(groups.state().accounts.is_empty());
    }

    #[test]
    fn a_transaction_that_lasts_does_not_hold_up_records_that_are_fewer_than_half() {
        let patient = Limits { together: 32, waiting: 64, waiting_of_one: 64, ..LIMITS };
        let (groups, gate) = (Groups::default(), Arc::default());
        let add = |limits| groups.add(limits, 1, member(&gate)).unwrap();
        assert!(add(patient));
        assert!((0..8).all(|_| !add(Limits { running: 1, ..patient })));
        assert_eq!(groups.next(patient, 1, 0).map(|members| members.len()), Some(9));
        assert!(!add(patient));
        assert!(add(Limits { patience: Duration::ZERO, ..patient }), "the one before has waited long enough");
    }
}
