//! Recent proofs of sources: a valid digest, a call, or an acknowledged answer.
//!
//! A proof is kept as a keyed hash of 8 bytes, in two generations of at most 32,768: half a megabyte. It
//! expires half an hour to an hour after its last renewal, or earlier if very many sources prove themselves.
//! A source without a proof is challenged statelessly, which costs it one exchange of messages.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, Hash, RandomState};
use std::sync::{PoisonError, RwLock};

use didww_types::Timestamp;

/// How long a generation takes new proofs, in milliseconds.
const GENERATION_MILLIS: i64 = 30 * 60_000;
/// Limit of proofs in a generation.
const MAX_PROOFS_PER_GENERATION: usize = 32_768;

/// A set of proofs that expire.
#[derive(Debug, Default)]
pub(crate) struct Proofs {
    key: RandomState,
    generations: RwLock<Generations>,
}

#[derive(Debug, Default)]
struct Generations {
    /// When the current generation began, in Unix milliseconds.
    began: i64,
    current: HashSet<u64>,
    previous: HashSet<u64>,
}

impl Proofs {
    /// Adds or renews a proof.
    pub(crate) fn insert(&self, proof: impl Hash, now: Timestamp) {
        let (proof, now) = (self.key.hash_one(proof), now.as_unix_millis());
        let is_fresh = |generations: &Generations| {
            generations.takes_proofs_at(now)
                && generations.current.len() < MAX_PROOFS_PER_GENERATION
                && generations.current.contains(&proof)
        };
        if is_fresh(&self.generations.read().unwrap_or_else(PoisonError::into_inner)) {
            return;
        }
        let mut generations = self.generations.write().unwrap_or_else(PoisonError::into_inner);
        if !generations.takes_proofs_at(now) || generations.current.len() >= MAX_PROOFS_PER_GENERATION {
            generations.start_generation(now);
        }
        generations.current.insert(proof);
    }

    /// Returns true if there is a proof that has not expired.
    pub(crate) fn contains(&self, proof: impl Hash, now: Timestamp) -> bool {
        let (proof, now) = (self.key.hash_one(proof), now.as_unix_millis());
        let generations = self.generations.read().unwrap_or_else(PoisonError::into_inner);
        // Generations are replaced only when a proof is added, so their age is checked here too.
        match now.saturating_sub(generations.began) / GENERATION_MILLIS {
            ..=0 => generations.current.contains(&proof) || generations.previous.contains(&proof),
            1 => generations.current.contains(&proof),
            _ => false,
        }
    }
}

impl Generations {
    /// Returns true if the current generation still takes proofs at `now`. A clock that went back extends it
    /// by as much.
    fn takes_proofs_at(&self, now: i64) -> bool {
        now.saturating_sub(self.began) < GENERATION_MILLIS
    }

    fn start_generation(&mut self, now: i64) {
        self.previous = std::mem::take(&mut self.current);
        if now.saturating_sub(self.began) >= 2 * GENERATION_MILLIS {
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
        let proofs = Proofs::default();
        assert!(!proofs.contains("a", at(0)));
        proofs.insert("a", at(0));
        proofs.insert("b", at(29));
        assert!(proofs.contains("a", at(59)) && !proofs.contains("a", at(60)));
        proofs.insert("c", at(31));
        assert!(proofs.contains("b", at(59)) && proofs.contains("a", at(59)));
        assert!(!proofs.contains("a", at(61)) && proofs.contains("c", at(61)));
        proofs.insert("c", at(200));
        assert!(!proofs.contains("b", at(200)) && proofs.contains("c", at(200)));
    }

    #[test]
    fn a_million_proofs_take_no_more_room_than_two_generations() {
        let proofs = Proofs::default();
        for proof in 0..200_000 {
            proofs.insert(proof, at(0));
        }
        let generations = proofs.generations.read().unwrap();
        assert!(generations.current.len() + generations.previous.len() <= 2 * MAX_PROOFS_PER_GENERATION);
        drop(generations);
        assert!(proofs.contains(199_999, at(0)));
    }
}
