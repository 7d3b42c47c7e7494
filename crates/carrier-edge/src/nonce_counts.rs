//! Nonce counts: with `strict_nc`, the count of a nonce must grow with each use.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use didww_types::Timestamp;
use trunk_rules::carrier::{NonceState, Nonces, NoncesAt};

use super::node_mark::NodeMark;

/// The last count of each nonce. Entries are removed once the nonce has expired, because it is refused then
/// anyway.
#[derive(Debug, Default)]
pub(crate) struct NonceCounts(Mutex<CountTable>);

#[derive(Debug, Default)]
pub(crate) struct CountTable {
    by_nonce: HashMap<Box<[u8]>, (u32, Timestamp)>,
    swept: Option<Timestamp>,
}

impl NonceCounts {
    /// Locks the counts while one attempt is decided, so that only one of two attempts with the same count is
    /// accepted.
    pub(crate) fn lock(&self) -> MutexGuard<'_, CountTable> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CountTable {
    /// Records the count of a nonce that was used.
    pub(crate) fn record(&mut self, nonce: Box<[u8]>, count: u32, now: Timestamp, ttl: Duration) {
        if self.swept.is_none_or(|swept| now >= swept.after(ttl)) {
            self.by_nonce.retain(|_, (_, at)| at.after(ttl) > now);
            self.swept = Some(now);
        }
        self.by_nonce.insert(nonce, (count, now));
    }
}

/// The state of nonces at a time, with their counts. A nonce of another node counts as expired: its counts are unknown
/// here.
pub(crate) struct CountedNonces<'a> {
    pub nonces: NoncesAt<'a>,
    pub mark: NodeMark,
    pub counts: &'a CountTable,
}

impl Nonces for CountedNonces<'_> {
    fn state(&self, nonce: &[u8]) -> NonceState {
        match self.nonces.state(nonce) {
            NonceState::Fresh if !self.mark.made(nonce) => NonceState::Expired,
            state => state,
        }
    }

    fn last_count(&self, nonce: &[u8]) -> Option<u32> {
        self.counts.by_nonce.get(nonce).map(|(count, _)| *count)
    }
}

#[cfg(test)]
mod tests {
    use trunk_rules::carrier::NonceKey;

    use super::*;

    #[test]
    fn a_nonce_of_another_node_counts_as_expired_where_counts_are_strict() {
        let (key, now, ttl) =
            (NonceKey::new(&[7; 32]), Timestamp::from_unix_millis(0), Duration::from_mins(5));
        let counts = CountTable::default();
        let state = |made: i64, judged: i64| {
            let nonce = key.issue(now, NodeMark::of(made).mark(5));
            let nonces = NoncesAt { key: &key, now, ttl };
            CountedNonces { nonces, mark: NodeMark::of(judged), counts: &counts }.state(nonce.as_bytes())
        };
        assert_eq!((state(1, 1), state(1, 2)), (NonceState::Fresh, NonceState::Expired));
    }

    #[test]
    fn counts_are_kept_for_as_long_as_their_nonces_are_good() {
        let mut counts = CountTable::default();
        let ttl = Duration::from_mins(5);
        let at = |seconds: i64| Timestamp::from_unix_millis(seconds * 1_000);
        counts.record(Box::from(*b"a"), 1, at(0), ttl);
        counts.record(Box::from(*b"b"), 1, at(200), ttl);
        counts.record(Box::from(*b"a"), 7, at(299), ttl);
        assert_eq!((counts.by_nonce.len(), counts.by_nonce[&b"a"[..]].0), (2, 7));
        counts.record(Box::from(*b"c"), 1, at(500), ttl);
        assert!(!counts.by_nonce.contains_key(&b"b"[..]) && counts.by_nonce.contains_key(&b"a"[..]));
    }
}
