//! Nonces as calls meet them: which are ours and good, and, where counts must grow, how far each was counted.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use didww_types::Timestamp;
use trunk_rules::carrier::{NonceState, Nonces, NoncesAt};

/// The highest count that each nonce was used with. A nonce that is too old is refused anyway, so it is forgotten.
#[derive(Debug, Default)]
pub(crate) struct Counts(Mutex<Known>);

#[derive(Debug, Default)]
pub(crate) struct Known {
    of: HashMap<Box<[u8]>, (u32, Timestamp)>,
    swept: Option<Timestamp>,
}

impl Counts {
    /// The counts, for as long as one attempt is decided: of two with the same count only one is let through.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// Notes that a nonce was used.
    pub(crate) fn note(&mut self, nonce: Box<[u8]>, count: u32, now: Timestamp, ttl: Duration) {
        if self.swept.is_none_or(|swept| now >= swept.after(ttl)) {
            self.of.retain(|_, (_, at)| at.after(ttl) > now);
            self.swept = Some(now);
        }
        self.of.insert(nonce, (count, now));
    }
}

/// The nonces at a moment, counted.
pub(crate) struct Counted<'a> {
    pub nonces: NoncesAt<'a>,
    pub known: &'a Known,
}

impl Nonces for Counted<'_> {
    fn state(&self, nonce: &[u8]) -> NonceState {
        self.nonces.state(nonce)
    }

    fn last_count(&self, nonce: &[u8]) -> Option<u32> {
        self.known.of.get(nonce).map(|(count, _)| *count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_kept_for_as_long_as_their_nonces_are_good() {
        let mut known = Known::default();
        let ttl = Duration::from_mins(5);
        let at = |seconds: i64| Timestamp::from_unix_millis(seconds * 1_000);
        known.note(Box::from(*b"a"), 1, at(0), ttl);
        known.note(Box::from(*b"b"), 1, at(200), ttl);
        known.note(Box::from(*b"a"), 7, at(299), ttl);
        assert_eq!((known.of.len(), known.of[&b"a"[..]].0), (2, 7));
        known.note(Box::from(*b"c"), 1, at(500), ttl);
        assert!(!known.of.contains_key(&b"b"[..]) && known.of.contains_key(&b"a"[..]));
    }
}
