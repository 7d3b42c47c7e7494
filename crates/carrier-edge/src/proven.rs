//! Sources that proved themselves a while ago: a digest of theirs was right, or they had a call.
//!
//! What is kept is a keyed hash of 8 bytes, in two generations of 32,768 at most: half a megabyte. One is forgotten after
//! half an hour to an hour without another proof, or earlier when very many prove themselves; it is then a stranger
//! again and is challenged without being remembered, which costs it one exchange.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, Hash, RandomState};
use std::sync::{PoisonError, RwLock};

use didww_types::Timestamp;

/// How long a generation grows, in milliseconds.
const GENERATION: i64 = 30 * 60_000;
/// Most proofs of a generation.
const MOST: usize = 32_768;

#[derive(Debug, Default)]
pub(crate) struct Proven {
    key: RandomState,
    generations: RwLock<Generations>,
}

#[derive(Debug, Default)]
struct Generations {
    began: i64,
    current: HashSet<u64>,
    previous: HashSet<u64>,
}

impl Proven {
    /// Notes a proof.
    pub(crate) fn note(&self, who: impl Hash, now: Timestamp) {
        let (who, now) = (self.key.hash_one(who), now.as_unix_millis());
        let is_fresh = |generations: &Generations| {
            generations.is_of(now) && generations.current.len() < MOST && generations.current.contains(&who)
        };
        if is_fresh(&self.generations.read().unwrap_or_else(PoisonError::into_inner)) {
            return;
        }
        let mut generations = self.generations.write().unwrap_or_else(PoisonError::into_inner);
        if !generations.is_of(now) || generations.current.len() >= MOST {
            generations.turn(now);
        }
        generations.current.insert(who);
    }

    /// Whether there was a proof.
    pub(crate) fn knows(&self, who: impl Hash, now: Timestamp) -> bool {
        let (who, now) = (self.key.hash_one(who), now.as_unix_millis());
        let generations = self.generations.read().unwrap_or_else(PoisonError::into_inner);
        // A generation that no proof ended yet is as old as if one had.
        match now.saturating_sub(generations.began) / GENERATION {
            ..=0 => generations.current.contains(&who) || generations.previous.contains(&who),
            1 => generations.current.contains(&who),
            _ => false,
        }
    }
}

impl Generations {
    /// Whether a moment belongs to the current generation. A clock that went back makes it last no longer than that.
    fn is_of(&self, now: i64) -> bool {
        now.saturating_sub(self.began) < GENERATION
    }

    fn turn(&mut self, now: i64) {
        self.previous = std::mem::take(&mut self.current);
        if now.saturating_sub(self.began) >= 2 * GENERATION {
            self.previous.clear();
        }
        self.began = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_unix_millis(1_000_000_000_000 + minutes * 60_000)
    }

    #[test]
    fn a_proof_is_good_for_half_an_hour_at_least_and_an_hour_at_most() {
        let proven = Proven::default();
        assert!(!proven.knows("a", at(0)));
        proven.note("a", at(0));
        proven.note("b", at(29));
        assert!(proven.knows("a", at(59)) && !proven.knows("a", at(60)));
        proven.note("c", at(31));
        assert!(proven.knows("b", at(59)) && proven.knows("a", at(59)));
        assert!(!proven.knows("a", at(61)) && proven.knows("c", at(61)));
        proven.note("c", at(200));
        assert!(!proven.knows("b", at(200)) && proven.knows("c", at(200)));
    }

    #[test]
    fn a_million_proofs_take_no_more_room_than_two_generations() {
        let proven = Proven::default();
        for who in 0..200_000 {
            proven.note(who, at(0));
        }
        let generations = proven.generations.read().unwrap();
        assert!(generations.current.len() + generations.previous.len() <= 2 * MOST);
        drop(generations);
        assert!(proven.knows(199_999, at(0)));
    }
}
