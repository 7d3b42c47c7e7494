//! The faults of a process, and the selection of the fault that applies to a request.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use crate::dice;
use crate::fault::{Fault, FaultError, Target};
use crate::pattern;

/// Maximum number of faults in a process.
pub const MAX_FAULTS: usize = 100;

/// The faults of this process. They are in memory: they are lost at a restart, and other nodes do not have them.
#[derive(Debug, Default)]
pub struct Faults {
    /// Whether there is a fault for requests, one for calls, and one that names an account. Read without the lock.
    takes_requests: AtomicBool,
    takes_calls: AtomicBool,
    names_accounts: AtomicBool,
    /// Grows with each change, and with each request that was compared with the faults.
    revision: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    last: u64,
    faults: Vec<Set>,
}

#[derive(Debug)]
struct Set {
    id: u64,
    fault: Arc<Fault>,
    matched: u64,
    hits: u64,
}

/// A fault, with its id and its counters.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct FaultState {
    /// The id, unique in this process.
    pub id: u64,
    /// The fault as it was set.
    pub fault: Fault,
    /// Number of requests that the filters matched.
    pub matched: u64,
    /// Number of requests that the fault was applied to.
    pub hits: u64,
}

/// The properties of a request, a callback or a call that filters compare.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen<'a> {
    pub(crate) target: Target,
    pub(crate) account: Option<Uuid>,
    pub(crate) trunk: Option<Uuid>,
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
}

/// A fault that applies to a request.
#[derive(Debug, Clone)]
pub(crate) struct Strike {
    pub(crate) id: u64,
    pub(crate) fault: Arc<Fault>,
    pub(crate) delay: Duration,
    /// Number of requests that the filters matched before this one.
    pub(crate) position: u64,
}

impl Faults {
    /// Adds a fault after the existing ones. Returns its id.
    ///
    /// # Errors
    /// If it is not valid, or [`MAX_FAULTS`] are set.
    pub fn add(&self, fault: Fault) -> Result<u64, FaultError> {
        fault.check()?;
        let mut state = self.lock();
        if state.faults.len() >= MAX_FAULTS {
            let message = format!("cannot be set beside {MAX_FAULTS} others: remove some");
            return Err(FaultError { field: "fault", message });
        }
        state.last += 1;
        let id = state.last;
        state.faults.push(Set { id, fault: Arc::new(fault), matched: 0, hits: 0 });
        self.note(&state);
        Ok(id)
    }

    /// Returns all faults, the oldest first.
    pub fn list(&self) -> Vec<FaultState> {
        self.lock().faults.iter().map(Set::state).collect()
    }

    /// Returns the fault with this id.
    pub fn get(&self, id: u64) -> Option<FaultState> {
        self.lock().faults.iter().find(|set| set.id == id).map(Set::state)
    }

    /// Removes a fault. Its effect on earlier requests remains. Returns its last state; `None` if there is no such
    /// fault.
    pub fn remove(&self, id: u64) -> Option<FaultState> {
        let mut state = self.lock();
        let index = state.faults.iter().position(|set| set.id == id)?;
        let removed = state.faults.remove(index).state();
        self.note(&state);
        Some(removed)
    }

    /// Removes all faults. Returns their number.
    pub fn clear(&self) -> usize {
        let mut state = self.lock();
        let removed = state.faults.len();
        state.faults.clear();
        self.note(&state);
        removed
    }

    /// Returns a number that changes whenever the result of [`list`](Self::list) may change. It takes no lock.
    pub fn revision(&self) -> u64 {
        self.revision.load(Ordering::Relaxed)
    }

    /// Whether there is a fault for requests.
    pub(crate) fn takes_requests(&self) -> bool {
        self.takes_requests.load(Ordering::Relaxed)
    }

    /// Whether there is a fault for calls.
    pub(crate) fn takes_calls(&self) -> bool {
        self.takes_calls.load(Ordering::Relaxed)
    }

    /// Whether a fault names an account, so that the account of a request has to be found.
    pub(crate) fn names_accounts(&self) -> bool {
        self.names_accounts.load(Ordering::Relaxed)
    }

    /// Finds the fault that applies to a request: the first one, in the order in which they were added, whose filters
    /// match and whose `first`, `times` and `probability` select the request. The later ones do not count that request.
    pub(crate) fn strike(&self, seen: Seen<'_>) -> Option<Strike> {
        let mut state = self.lock();
        if state.faults.is_empty() {
            return None;
        }
        self.revision.fetch_add(1, Ordering::Relaxed);
        state.faults.iter_mut().find_map(|set| set.strike(seen))
    }

    fn note(&self, state: &State) {
        let takes = |target: Target| state.faults.iter().any(|set| set.fault.target == target);
        let names = state.faults.iter().any(|set| set.fault.account.is_some());
        self.takes_requests.store(takes(Target::Requests), Ordering::Relaxed);
        self.takes_calls.store(takes(Target::Calls), Ordering::Relaxed);
        self.names_accounts.store(names, Ordering::Relaxed);
        self.revision.fetch_add(1, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Set {
    fn state(&self) -> FaultState {
        let Self { id, fault, matched, hits } = self;
        FaultState { id: *id, fault: Fault::clone(fault), matched: *matched, hits: *hits }
    }

    fn strike(&mut self, seen: Seen<'_>) -> Option<Strike> {
        let fault = &self.fault;
        let matches = fault.target == seen.target
            && fault.account.is_none_or(|account| seen.account == Some(account))
            && fault.trunk.is_none_or(|trunk| seen.trunk == Some(trunk))
            && fault.method.as_ref().is_none_or(|method| method.eq_ignore_ascii_case(seen.method))
            && fault.path.as_ref().is_none_or(|path| pattern::matches(path, seen.path))
            && fault.resource.as_ref().is_none_or(|resource| is_for(seen.path, resource));
        if !matches {
            return None;
        }
        let position = self.matched;
        self.matched += 1;
        let is_its_turn = self.matched >= fault.first
            && fault.times.is_none_or(|times| self.hits < times)
            && fault.probability.is_none_or(|probability| dice::happens(probability, fault.seed, position));
        if !is_its_turn {
            return None;
        }
        self.hits += 1;
        let (from, to) = fault.delays();
        let delay = dice::between(from, to, fault.seed, position);
        Some(Strike { id: self.id, fault: Arc::clone(fault), delay, position })
    }
}

/// Whether a path is one of a type of records: of DIDWW's API by the name of the type or by its path in some version,
/// of the platform's by its path.
pub(crate) fn is_for(path: &str, resource: &str) -> bool {
    let below = ["/v3/", "/v1.0/", "/v1/"].into_iter().find_map(|base| path.strip_prefix(base));
    let Some(segment) = below.map(|below| below.split('/').next().unwrap_or_default()) else { return false };
    let is_its_path =
        || didww_types::find(resource).is_some_and(|spec| spec.paths().any(|path| path == segment));
    segment == resource || (path.starts_with("/v3/") && is_its_path())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen<'a>(method: &'a str, path: &'a str) -> Seen<'a> {
        Seen { target: Target::Requests, account: None, trunk: None, method, path }
    }

    fn hits(faults: &Faults, request: Seen<'_>, times: usize) -> Vec<bool> {
        (0..times).map(|_| faults.strike(request).is_some()).collect()
    }

    #[test]
    fn a_fault_takes_what_all_of_its_filters_match() {
        let account = Uuid::from_u128(1);
        let faults = Faults::default();
        faults
            .add(Fault::close().method("post").path("/v3/dids*").resource("dids").account(account))
            .unwrap();
        let of_account = Seen { account: Some(account), ..seen("POST", "/v3/dids") };
        assert!(faults.strike(of_account).is_some());
        for other in [
            Seen { account: None, ..of_account },
            Seen { account: Some(Uuid::nil()), ..of_account },
            Seen { method: "GET", ..of_account },
            Seen { path: "/v3/regions", ..of_account },
            Seen { target: Target::Callbacks, ..of_account },
        ] {
            assert!(faults.strike(other).is_none(), "{other:?}");
        }
        let state = faults.list().remove(0);
        assert_eq!((state.matched, state.hits), (1, 1));
    }

    #[test]
    fn a_type_is_known_by_its_name_and_by_the_path_of_each_version() {
        assert!(is_for("/v3/voice_out_trunks/1", "voice_out_trunks"));
        assert!(is_for("/v3/balance", "balances"), "a singleton has a path of its own");
        assert!(is_for("/v1.0/calls", "calls"));
        assert!(!is_for("/v3/dids", "did"));
        assert!(!is_for("/token", "token"));
    }

    #[test]
    fn the_nth_request_is_taken_and_those_before_and_after_are_not() {
        let faults = Faults::default();
        faults.add(Fault::close().nth(3)).unwrap();
        assert_eq!(hits(&faults, seen("GET", "/"), 5), [false, false, true, false, false]);
        faults.clear();
        faults.add(Fault::close().times(2)).unwrap();
        assert_eq!(hits(&faults, seen("GET", "/"), 4), [true, true, false, false]);
    }

    #[test]
    fn the_revision_is_another_one_after_each_change_and_each_request_that_is_looked_at() {
        let faults = Faults::default();
        assert!(faults.strike(seen("GET", "/")).is_none());
        assert_eq!(faults.revision(), 0, "nothing changed");
        let mut before = 0;
        let mut changed = |what: &str| {
            assert!(faults.revision() > before, "{what}");
            before = faults.revision();
        };
        let id = faults.add(Fault::close().path("/a")).unwrap();
        changed("it was set");
        assert!(faults.strike(seen("GET", "/a")).is_some());
        changed("it took a request");
        faults.remove(id);
        changed("it was removed");
    }

    #[test]
    fn a_seed_takes_the_same_requests_again() {
        let taken = |seed| {
            let faults = Faults::default();
            faults.add(Fault::close().probability(0.5, seed)).unwrap();
            hits(&faults, seen("GET", "/"), 64)
        };
        assert_eq!(taken(1), taken(1));
        assert_ne!(taken(1), taken(2));
    }

    #[test]
    fn the_first_fault_takes_a_request_and_the_next_one_does_not_see_it() {
        let faults = Faults::default();
        let first = faults.add(Fault::status(503).times(1)).unwrap();
        let second = faults.add(Fault::status(500)).unwrap();
        let ids: Vec<u64> =
            (0..2).map(|_| faults.strike(seen("GET", "/")).map_or(0, |strike| strike.id)).collect();
        assert_eq!(ids, [first, second]);
        assert_eq!(faults.get(second).unwrap().matched, 1);
    }

    #[test]
    fn there_are_at_most_a_hundred_and_one_more_is_refused() {
        let faults = Faults::default();
        for _ in 0..MAX_FAULTS {
            faults.add(Fault::close()).unwrap();
        }
        assert!(faults.add(Fault::close()).unwrap_err().to_string().contains("100"));
        assert!(faults.remove(1).is_some() && faults.remove(1).is_none());
        assert_eq!(faults.add(Fault::close()).unwrap(), 101, "a number is not used again");
        assert_eq!(faults.clear(), 100);
        assert!(!faults.takes_requests());
    }

    #[test]
    fn requests_are_looked_at_only_while_a_fault_is_for_them() {
        let faults = Faults::default();
        assert!(!faults.takes_requests());
        faults.add(Fault::lost_callback()).unwrap();
        assert!(!faults.takes_requests());
        let id = faults.add(Fault::close().account(Uuid::nil())).unwrap();
        assert!(faults.takes_requests() && faults.names_accounts());
        faults.remove(id);
        assert!(!faults.takes_requests() && !faults.names_accounts());
    }
}
