//! How many answers a source of datagrams may leave unacknowledged.
//!
//! The source of a datagram can be forged, and where a trunk knows its callers by their address alone, whoever forges
//! one gets calls answered that nobody hears. Until a source acknowledged an answer it has a few at a time; one that did
//! has shown that it hears, and has as many as it likes. Digests and streams show that before the call.
//!
//! What is kept: a count for each source that an answer waits for, which calls bound, and at most twice [`REMEMBERED`]
//! sources that acknowledged one, the latest.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Sources of a generation that are remembered because they acknowledged an answer.
const REMEMBERED: usize = 4_096;

/// Answers that wait for their acknowledgement.
#[derive(Debug, Default)]
pub(super) struct Unacknowledged(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    waiting: HashMap<IpAddr, u32>,
    heard: HashSet<IpAddr>,
    /// The generation before, which is forgotten when this one is full.
    heard_before: HashSet<IpAddr>,
}

/// An answer that waits; dropped, it waits no more.
#[derive(Debug)]
pub(super) struct Place<'a> {
    all: &'a Unacknowledged,
    source: IpAddr,
}

impl Unacknowledged {
    /// A place for an answer to this source; none when as many wait already, and it never acknowledged one.
    pub(super) fn take(&self, source: IpAddr, most: u32) -> Option<Place<'_>> {
        let source = network(source);
        let mut state = self.lock();
        let is_known = state.heard.contains(&source) || state.heard_before.contains(&source);
        let waiting = state.waiting.entry(source).or_default();
        if *waiting >= most && !is_known {
            if *waiting == 0 {
                state.waiting.remove(&source);
            }
            return None;
        }
        *waiting = waiting.saturating_add(1);
        Some(Place { all: self, source })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place<'_> {
    /// The source acknowledged the answer.
    pub(super) fn acknowledged(self) {
        let mut state = self.all.lock();
        if state.heard.len() >= REMEMBERED {
            state.heard_before = std::mem::take(&mut state.heard);
        }
        state.heard.insert(self.source);
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut state = self.all.lock();
        if let Some(waiting) = state.waiting.get_mut(&self.source) {
            *waiting = waiting.saturating_sub(1);
            if *waiting == 0 {
                state.waiting.remove(&self.source);
            }
        }
    }
}

/// Whoever has one address of IPv6 has its /64.
fn network(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_has_a_few_answers_until_it_acknowledges_one() {
        let (all, source, other) =
            (Unacknowledged::default(), "192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        let first = all.take(source, 2).unwrap();
        let _second = all.take(source, 2).unwrap();
        assert!(all.take(source, 2).is_none());
        assert!(all.take(other, 2).is_some());
        drop(first);
        let third = all.take(source, 2).unwrap();
        third.acknowledged();
        let many: Vec<_> = (0..10).map(|_| all.take(source, 2).unwrap()).collect();
        drop(many);
        assert!(all.take(other, 0).is_none());
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let all = Unacknowledged::default();
        for number in 0..20_000_u32 {
            all.take(IpAddr::V4(number.into()), 1).unwrap().acknowledged();
        }
        let state = all.lock();
        assert!(state.waiting.is_empty());
        assert!(state.heard.len() + state.heard_before.len() <= 2 * REMEMBERED);
    }

    #[test]
    fn the_addresses_of_a_network_of_ipv6_count_together() {
        let all = Unacknowledged::default();
        let _place = all.take("2001:db8::1".parse().unwrap(), 1).unwrap();
        assert!(all.take("2001:db8::2".parse().unwrap(), 1).is_none());
        assert!(all.take("2001:db8:0:1::2".parse().unwrap(), 1).is_some());
    }
}
