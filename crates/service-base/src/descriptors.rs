//! How many files the process may have open, and which part of the server may have how many of them.
//!
//! Sockets are files. Where the system allows few, calls or half-open connections could take all of them, and then no
//! request is accepted and nothing is written. So the limit is shared out at the start: some are nobody's, for the
//! database, the log, listeners and what lasts a moment; each [`Share`] has some of its own that no other can take; what
//! is left is common, and goes to who comes first, but at most three quarters of it to one share. A part of the server that finds none says so at once, each in its
//! own way; nothing here waits.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Whose files they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// Connections to the API.
    Api,
    /// Connections to the control API.
    Control,
    /// Connections of SIP peers, over TCP and TLS.
    Signalling,
    /// Media of calls that come in.
    Calls,
    /// Media and connections of calls that go out.
    Outgoing,
}

const SHARES: usize = 5;

/// Nobody's, of 1,024 files. It is more than a server has open that does nothing (some forty), callbacks under way,
/// look-ups of names, probes of providers, and connections that are refused.
const NOBODYS: usize = 256;
/// Of 1,024 files, those that each share has of its own, in the order of [`Share`]: the rest, 304, is common.
const OWN: [usize; SHARES] = [192, 48, 64, 96, 64];
/// Most files that are shared out before the rest; beyond it all is common.
const SHARED_OUT: u64 = 2_048;
/// With fewer files than this something will be refused that should not be.
const FEW: u64 = 512;

/// The files of the process. Clones share them.
#[derive(Debug, Clone)]
pub struct Descriptors(Arc<Budget>);

#[derive(Debug)]
struct Budget {
    own: [usize; SHARES],
    /// Most of the common ones that one share may have.
    of_common: usize,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    used: [usize; SHARES],
    common: usize,
}

/// The right to have one file open; dropping it gives it back.
#[derive(Debug)]
pub struct Permit {
    budget: Arc<Budget>,
    share: Share,
}

/// How many files the process may have open now.
pub fn open_files() -> u64 {
    // A system that does not say so has no limit that is known.
    getrlimit(Resource::RLIMIT_NOFILE).map_or(u64::MAX, |(soft, _)| soft)
}

/// Lets the process have as many files open as the system allows, and says how many that are.
pub fn raise() -> u64 {
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(soft, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard).map(|()| (soft, hard)));
    match raised {
        Ok((from, to)) => tracing::info!(from, to, "files that may be open"),
        Err(error) => tracing::warn!(%error, "the limit on open files was not raised"),
    }
    let most = open_files();
    if most < FEW {
        tracing::warn!(most, "few files may be open: calls and connections will be refused early");
    }
    most
}

impl Descriptors {
    /// Shares out so many files.
    pub fn new(open_files: u64) -> Self {
        let shared_out = usize::try_from(open_files.min(SHARED_OUT)).unwrap_or(usize::MAX);
        let part = |of_1024: usize| of_1024 * shared_out / 1_024;
        let own = OWN.map(part);
        let all = usize::try_from(open_files).unwrap_or(usize::MAX);
        let common = all.saturating_sub(part(NOBODYS) + own.iter().sum::<usize>());
        let of_common = common - common / 4;
        Self(Arc::new(Budget { own, of_common, state: Mutex::new(State { used: [0; SHARES], common }) }))
    }

    /// Takes one; `None` when neither the share's own are left nor common ones.
    pub fn take(&self, share: Share) -> Option<Permit> {
        self.0.lock().take(share, &self.0).then(|| Permit { budget: Arc::clone(&self.0), share })
    }
}

impl Descriptors {
    /// Most that a share can have when nobody else takes common ones.
    pub fn most(&self, share: Share) -> usize {
        let own = self.0.own.get(share as usize).copied().unwrap_or_default();
        own.saturating_add(self.0.of_common)
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
        let (Some(used), Some(own)) = (self.used.get_mut(at), budget.own.get(at)) else { return false };
        if *used >= own.saturating_add(budget.of_common) {
            return false;
        }
        if *used >= *own {
            let Some(left) = self.common.checked_sub(1) else { return false };
            self.common = left;
        }
        *used += 1;
        true
    }

    fn give_back(&mut self, share: Share, own: &[usize; SHARES]) {
        let at = share as usize;
        let (Some(used), Some(own)) = (self.used.get_mut(at), own.get(at)) else { return };
        if *used > *own {
            self.common += 1;
        }
        *used -= 1;
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.budget.lock().give_back(self.share, &self.budget.own);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(files: &Descriptors, share: Share) -> Vec<Permit> {
        std::iter::from_fn(|| files.take(share)).collect()
    }

    #[test]
    fn what_one_share_takes_leaves_the_others_their_own() {
        let files = Descriptors::new(1_024);
        let calls = all(&files, Share::Calls);
        assert_eq!(calls.len(), 96 + 228);
        assert_eq!(calls.len(), files.most(Share::Calls));
        assert_eq!(all(&files, Share::Api).len(), 192 + 76);
        let api = all(&files, Share::Api);
        // Nothing is left but what each has of its own.
        assert_eq!(
            [Share::Control, Share::Signalling, Share::Outgoing].map(|of| all(&files, of).len()),
            [48, 64, 64]
        );
        drop((api, calls));
        assert_eq!(all(&files, Share::Api).len(), 192 + 228, "what was common is common again");
    }

    #[test]
    fn all_of_them_together_are_fewer_than_there_may_be_open() {
        for open_files in [64, 256, 1_024, 20_000, 1 << 20] {
            let files = Descriptors::new(open_files);
            let shares = [Share::Api, Share::Control, Share::Signalling, Share::Calls, Share::Outgoing];
            let taken: Vec<_> = shares.map(|share| all(&files, share)).into_iter().flatten().collect();
            let nobodys = NOBODYS as u64 * open_files.min(SHARED_OUT) / 1_024;
            assert!(taken.len() as u64 + nobodys <= open_files, "{open_files}: {}", taken.len());
            assert!(taken.len() as u64 * 2 > open_files, "{open_files}: {}", taken.len());
        }
    }

    #[test]
    fn without_a_limit_there_are_always_some() {
        assert!(Descriptors::new(u64::MAX).take(Share::Calls).is_some());
    }
}
