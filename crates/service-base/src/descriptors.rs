//! The process's limit on open file descriptors, divided between the parts of the server.
//!
//! Sockets take file descriptors. Where the system allows few, calls or half-open connections could use all
//! of them, and the server could neither accept a request nor write its database. So the limit is divided at
//! the start. Some descriptors stay unassigned, for the database, the log, listeners and short-lived uses.
//! Each [`Share`] has a reserve that no other share can use. The rest is a common pool, first come, first
//! served, of which one share can have at most three quarters. [`Descriptors::take`] never waits: a part of
//! the server that receives no permit refuses its work at once.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// A part of the server that opens descriptors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// Connections to the public HTTP API.
    Api,
    /// Connections to the control API.
    Control,
    /// Connections of SIP peers, over TCP and TLS.
    Signalling,
    /// Media sockets of inbound calls.
    Calls,
    /// Media sockets and connections of outbound calls.
    Outgoing,
}

const SHARES: usize = 5;

/// Unassigned descriptors of each 1,024. They cover an idle server (about forty), callbacks in progress, DNS
/// look-ups, probes of providers, and connections that are being refused.
const UNASSIGNED: usize = 256;
/// The reserve of each share of each 1,024 descriptors, in the order of [`Share`]. The remaining 304 are
/// common.
const RESERVED: [usize; SHARES] = [192, 48, 64, 96, 64];
/// The unassigned part and the reserves grow with the limit up to this number. Descriptors beyond it are
/// common.
const MAX_DIVIDED: u64 = 2_048;
/// With a lower limit than this a warning is logged: work will be refused under usual load.
const FEW_FILES: u64 = 512;

/// The descriptors of the process. Clones share one budget.
#[derive(Debug, Clone)]
pub struct Descriptors(Arc<Budget>);

#[derive(Debug)]
struct Budget {
    reserved: [usize; SHARES],
    /// The maximum number of descriptors of the common pool that one share can have.
    max_common: usize,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    used: [usize; SHARES],
    /// Free descriptors in the common pool.
    common: usize,
}

/// The right to have one descriptor open. Dropping it returns the descriptor to the budget.
#[derive(Debug)]
pub struct Permit {
    budget: Arc<Budget>,
    share: Share,
}

/// The process's current soft limit on open files; `u64::MAX` if the system does not report one.
pub fn open_files() -> u64 {
    getrlimit(Resource::RLIMIT_NOFILE).map_or(u64::MAX, |(soft, _)| soft)
}

/// Raises the soft limit on open files to the hard limit, and returns the limit in force. A failure is logged
/// and leaves the limit as it was.
pub fn raise() -> u64 {
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(soft, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard).map(|()| (soft, hard)));
    match raised {
        Ok((from, to)) => tracing::info!(from, to, "files that may be open"),
        Err(error) => tracing::warn!(%error, "the limit on open files was not raised"),
    }
    let limit = open_files();
    if limit < FEW_FILES {
        tracing::warn!(limit, "the limit on open files is low: calls and connections will be refused early");
    }
    limit
}

impl Descriptors {
    /// Divides a limit on open files between the shares.
    pub fn new(open_files: u64) -> Self {
        let divided = usize::try_from(open_files.min(MAX_DIVIDED)).unwrap_or(usize::MAX);
        let part = |of_1024: usize| of_1024 * divided / 1_024;
        let reserved = RESERVED.map(part);
        let all = usize::try_from(open_files).unwrap_or(usize::MAX);
        let common = all.saturating_sub(part(UNASSIGNED) + reserved.iter().sum::<usize>());
        let max_common = common - common / 4;
        Self(Arc::new(Budget {
            reserved,
            max_common,
            state: Mutex::new(State { used: [0; SHARES], common }),
        }))
    }

    /// Takes a descriptor of a share. Returns `None` if the share's reserve is used up and the common pool
    /// has none for it.
    pub fn take(&self, share: Share) -> Option<Permit> {
        self.0.lock().take(share, &self.0).then(|| Permit { budget: Arc::clone(&self.0), share })
    }

    /// The maximum number of descriptors of a share, which it reaches if the other shares leave the common
    /// pool to it.
    pub fn max_for(&self, share: Share) -> usize {
        let reserved = self.0.reserved.get(share as usize).copied().unwrap_or_default();
        reserved.saturating_add(self.0.max_common)
    }
}

impl Budget {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take(&mut self, share: Share, budget: &Budget) -> bool {
        let at = share as usize;
        let (Some(used), Some(reserved)) = (self.used.get_mut(at), budget.reserved.get(at)) else {
            return false;
        };
        if *used >= reserved.saturating_add(budget.max_common) {
            return false;
        }
        if *used >= *reserved {
            let Some(left) = self.common.checked_sub(1) else { return false };
            self.common = left;
        }
        *used += 1;
        true
    }

    fn release(&mut self, share: Share, reserved: &[usize; SHARES]) {
        let at = share as usize;
        let (Some(used), Some(reserved)) = (self.used.get_mut(at), reserved.get(at)) else { return };
        if *used > *reserved {
            self.common += 1;
        }
        *used -= 1;
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.budget.lock().release(self.share, &self.budget.reserved);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(files: &Descriptors, share: Share) -> Vec<Permit> {
        std::iter::from_fn(|| files.take(share)).collect()
    }

    #[test]
    fn one_share_cannot_use_the_reserves_of_the_others() {
        let files = Descriptors::new(1_024);
        let calls = all(&files, Share::Calls);
        assert_eq!(calls.len(), 96 + 228);
        assert_eq!(calls.len(), files.max_for(Share::Calls));
        assert_eq!(all(&files, Share::Api).len(), 192 + 76);
        let api = all(&files, Share::Api);
        // The common pool is empty: only the reserves are left.
        assert_eq!(
            [Share::Control, Share::Signalling, Share::Outgoing].map(|of| all(&files, of).len()),
            [48, 64, 64]
        );
        drop((api, calls));
        assert_eq!(all(&files, Share::Api).len(), 192 + 228, "what was common is common again");
    }

    #[test]
    fn all_shares_together_stay_below_the_limit() {
        for open_files in [64, 256, 1_024, 20_000, 1 << 20] {
            let files = Descriptors::new(open_files);
            let shares = [Share::Api, Share::Control, Share::Signalling, Share::Calls, Share::Outgoing];
            let taken: Vec<_> = shares.map(|share| all(&files, share)).into_iter().flatten().collect();
            let unassigned = UNASSIGNED as u64 * open_files.min(MAX_DIVIDED) / 1_024;
            assert!(taken.len() as u64 + unassigned <= open_files, "{open_files}: {}", taken.len());
            assert!(taken.len() as u64 * 2 > open_files, "{open_files}: {}", taken.len());
        }
    }

    #[test]
    fn without_a_limit_a_share_has_descriptors() {
        assert!(Descriptors::new(u64::MAX).take(Share::Calls).is_some());
    }
}
