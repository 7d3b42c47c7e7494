//! Whose turn it is: the work of many askers, one piece of each after the other.
//!
//! An asker with a thousand pieces waits for itself; the others wait for at most one piece of it. It decides and
//! counts, and neither waits nor works: threads and tasks do that with it in a lock of their own.
//!
//! Bounded are the pieces that wait, in all and of one asker, and those under way, in all and of one asker. An asker
//! takes room only while something of it waits or is under way.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// How much work there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Most pieces that wait.
    pub waiting: usize,
    /// Most of them that are one asker's.
    pub waiting_of_one: usize,
    /// Most pieces under way.
    pub running: usize,
    /// Most of them that are one asker's.
    pub running_of_one: usize,
}

/// Work that waits, and how much of it is under way.
#[derive(Debug)]
pub struct Turns<K, T> {
    bounds: Bounds,
    askers: HashMap<K, Asker<T>>,
    /// Askers of whom something waits, the next one first.
    order: VecDeque<K>,
    waiting: usize,
    running: usize,
}

#[derive(Debug)]
struct Asker<T> {
    waiting: VecDeque<T>,
    running: usize,
}

impl<K: Copy + Eq + Hash, T> Turns<K, T> {
    /// Without any work.
    pub fn new(bounds: Bounds) -> Self {
        Self { bounds, askers: HashMap::new(), order: VecDeque::new(), waiting: 0, running: 0 }
    }

    /// Begins a piece of work that has nothing to wait for, which then counts as under way; returns whether it did.
    pub fn begin(&mut self, asker: K) -> bool {
        let most = self.bounds.running_of_one;
        // Whoever waits while there is room is at the share of its asker: this overtakes nobody else.
        let own = self.askers.get(&asker).is_none_or(|own| own.running < most && own.waiting.is_empty());
        let begins = own && most > 0 && self.running < self.bounds.running;
        if begins {
            let entry =
                self.askers.entry(asker).or_insert_with(|| Asker { waiting: VecDeque::new(), running: 0 });
            entry.running += 1;
            self.running += 1;
        }
        begins
    }

    /// Lets a piece of work wait for its turn.
    ///
    /// # Errors
    /// The work itself, when too much of it waits already, of this asker or in all.
    pub fn push(&mut self, asker: K, work: T) -> Result<(), T> {
        let own = self.askers.get(&asker).map_or(0, |asker| asker.waiting.len());
        if self.waiting >= self.bounds.waiting || own >= self.bounds.waiting_of_one {
            return Err(work);
        }
        let entry =
            self.askers.entry(asker).or_insert_with(|| Asker { waiting: VecDeque::new(), running: 0 });
        if entry.waiting.is_empty() {
            self.order.push_back(asker);
        }
        entry.waiting.push_back(work);
        self.waiting += 1;
        Ok(())
    }

    /// The next piece, which counts as under way until it is [`done`](Self::done). None when nothing waits that may
    /// begin now.
    pub fn begin_next(&mut self) -> Option<(K, T)> {
        if self.running >= self.bounds.running {
            return None;
        }
        let most = self.bounds.running_of_one;
        let may = |asker: &K| self.askers.get(asker).is_some_and(|asker| asker.running < most);
        let place = self.order.iter().position(may)?;
        let asker = self.order.remove(place)?;
        let entry = self.askers.get_mut(&asker)?;
        let work = entry.waiting.pop_front()?;
        entry.running += 1;
        if !entry.waiting.is_empty() {
            self.order.push_back(asker);
        }
        self.waiting -= 1;
        self.running += 1;
        Some((asker, work))
    }

    /// How many pieces wait.
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// A piece is over.
    pub fn done(&mut self, asker: K) {
        self.running = self.running.saturating_sub(1);
        if let Some(entry) = self.askers.get_mut(&asker) {
            entry.running = entry.running.saturating_sub(1);
            if entry.running == 0 && entry.waiting.is_empty() {
                self.askers.remove(&asker);
            }
        }
    }

    /// Takes away everything that waits.
    pub fn clear(&mut self) -> Vec<T> {
        self.order.clear();
        self.waiting = 0;
        let all = self.askers.values_mut().flat_map(|asker| asker.waiting.drain(..)).collect();
        self.askers.retain(|_, asker| asker.running > 0);
        all
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BOUNDS: Bounds = Bounds { waiting: 8, waiting_of_one: 4, running: 3, running_of_one: 2 };

    #[test]
    fn one_piece_of_each_asker_is_taken_before_the_second_of_any() {
        let mut turns = Turns::new(Bounds { running: 99, running_of_one: 99, ..BOUNDS });
        for work in 0..4 {
            turns.push('a', work).unwrap();
        }
        turns.push('b', 10).unwrap();
        turns.push('c', 20).unwrap();
        let order: Vec<_> = std::iter::from_fn(|| turns.begin_next()).collect();
        assert_eq!(order, [('a', 0), ('b', 10), ('c', 20), ('a', 1), ('a', 2), ('a', 3)]);
    }

    #[test]
    fn an_asker_at_its_share_is_passed_over_and_not_forgotten() {
        let mut turns = Turns::new(BOUNDS);
        for work in 0..3 {
            turns.push('a', work).unwrap();
        }
        assert_eq!(
            (turns.begin_next(), turns.begin_next(), turns.begin_next()),
            (Some(('a', 0)), Some(('a', 1)), None)
        );
        turns.push('b', 9).unwrap();
        assert_eq!(turns.begin_next(), Some(('b', 9)));
        turns.done('a');
        assert_eq!(turns.begin_next(), Some(('a', 2)));
        assert_eq!(turns.begin_next(), None);
    }

    #[test]
    fn what_is_too_much_comes_back() {
        let mut turns = Turns::new(BOUNDS);
        for work in 0..4 {
            turns.push('a', work).unwrap();
        }
        assert_eq!(turns.push('a', 4), Err(4), "too much of one");
        for work in 0..4 {
            turns.push('b', work).unwrap();
        }
        assert_eq!(turns.push('c', 0), Err(0), "too much in all");
        assert_eq!(turns.clear().len(), 8);
        assert_eq!((turns.begin_next(), turns.askers.len()), (None, 0));
    }

    proptest! {
        #[test]
        fn nobody_waits_behind_a_second_piece_of_another_and_the_bounds_hold(
            acts in proptest::collection::vec((0_u8..3, 0_u32..4), 0..200)
        ) {
            let mut turns = Turns::new(BOUNDS);
            let mut under_way: Vec<u32> = Vec::new();
            // How often others began since an asker began to wait for its next piece.
            let mut passed: HashMap<u32, Vec<u32>> = HashMap::new();
            for (act, asker) in acts {
                match act {
                    0 => {
                        if turns.push(asker, ()).is_ok() {
                            passed.entry(asker).or_default();
                        }
                    }
                    1 => {
                        let at_share = |asker: &u32| under_way.iter().filter(|one| *one == asker).count() >= 2;
                        if let Some((began, ())) = turns.begin_next() {
                            prop_assert!(!at_share(&began));
                            passed.remove(&began);
                            for (other, seen) in &mut passed {
                                // While it is at its own share, an asker waits for itself.
                                if at_share(other) { seen.clear() } else { seen.push(began) }
                                prop_assert!(seen.iter().filter(|one| **one == began).count() <= 2, "{other}");
                            }
                            under_way.push(began);
                            if !turns.askers[&began].waiting.is_empty() {
                                passed.insert(began, Vec::new());
                            }
                        }
                    }
                    _ => {
                        if let Some(place) = under_way.iter().position(|one| *one == asker) {
                            under_way.remove(place);
                            turns.done(asker);
                        }
                    }
                }
                prop_assert!(under_way.len() <= 3 && turns.waiting <= 8);
                prop_assert_eq!(under_way.len(), turns.running);
                prop_assert_eq!(turns.askers.values().map(|asker| asker.waiting.len()).sum::<usize>(), turns.waiting);
            }
        }
    }
}
