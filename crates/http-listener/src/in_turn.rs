//! How many requests of a kind are worked on at once, and whose turn it is.
//!
//! A request waits for its turn before it is parsed, checked or read for, which costs its client's connection and
//! nothing more, and accounts take turns. Whoever waits too long is told so. Two kinds need that. Work that the database
//! has no room for: a write that is decided upon only to be refused costs as much as one that is stored. And lists: the
//! database reads pages faster than answers are made of them, and a page in the making is larger than its answer; what
//! is ready is bounded by the bytes that wait to be read.
//!
//! Bounds: requests under way, in all and of one account; those that wait, likewise; how long one waits.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use service_base::turns::{Bounds, Turns};
use trunk_store::Asker;

/// Twice what the database takes into one transaction: one group is written while the next is decided. An account has
/// at most half of it, so that a whole group of another's is the most that one waits for.
const WRITES: Bounds = Bounds { waiting: 16_384, waiting_of_one: 8_192, running: 512, running_of_one: 256 };
const WRITES_PATIENCE: Duration = Duration::from_secs(3);

/// Twice what the database reads at once: answers are made of some pages while it reads the next.
const LISTS: Bounds = Bounds { waiting: 1_024, waiting_of_one: 64, running: 8, running_of_one: 4 };
const LISTS_PATIENCE: Duration = Duration::from_secs(2);

/// Whose requests of a kind are under way, and whose wait.
#[derive(Debug)]
pub struct InTurn(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    turns: Mutex<Turns<Asker, oneshot::Sender<Turn>>>,
    patience: Duration,
}

/// A request's turn, until it is dropped.
#[derive(Debug)]
pub struct Turn(Option<(Arc<Inner>, Asker)>);

impl InTurn {
    /// Requests that change something.
    pub fn writes() -> Self {
        Self::new(WRITES, WRITES_PATIENCE)
    }

    /// Requests for lists.
    pub fn lists() -> Self {
        Self::new(LISTS, LISTS_PATIENCE)
    }

    fn new(bounds: Bounds, patience: Duration) -> Self {
        Self(Arc::new(Inner { turns: Mutex::new(Turns::new(bounds)), patience }))
    }

    /// Waits for a turn. None when too many wait already, or when it does not come in time.
    pub async fn turn(&self, asker: Asker) -> Option<Turn> {
        let waiting = {
            let mut turns = self.0.turns();
            if turns.begin(asker) {
                return Some(Turn(Some((Arc::clone(&self.0), asker))));
            }
            let (reply, waiting) = oneshot::channel();
            turns.push(asker, reply).ok()?;
            waiting
        };
        tokio::time::timeout(self.0.patience, waiting).await.ok()?.ok()
    }
}

impl Inner {
    fn turns(&self) -> MutexGuard<'_, Turns<Asker, oneshot::Sender<Turn>>> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets those begin whose turn it is.
    fn go_on(self: &Arc<Self>, turns: &mut Turns<Asker, oneshot::Sender<Turn>>) {
        while let Some((asker, reply)) = turns.begin_next() {
            if let Err(mut unwanted) = reply.send(Turn(Some((Arc::clone(self), asker)))) {
                // It waited too long, or its client is gone. The lock is held: the turn must not give itself back.
                unwanted.0 = None;
                turns.done(asker);
            }
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some((inner, asker)) = self.0.take() {
            let mut turns = inner.turns();
            turns.done(asker);
            inner.go_on(&mut turns);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    const HEAVY: Asker = Asker::Account(1);
    const LIGHT: Asker = Asker::Account(2);

    fn writes(patience: Duration) -> InTurn {
        InTurn::new(Bounds { waiting: 4, waiting_of_one: 3, running: 3, running_of_one: 2 }, patience)
    }

    #[tokio::test]
    async fn an_account_with_a_full_queue_keeps_nobody_else_waiting() {
        let writes = writes(Duration::from_mins(1));
        let first = [writes.turn(HEAVY).await.unwrap(), writes.turn(HEAVY).await.unwrap()];
        let mut waiting: Vec<_> = (0..3).map(|_| Box::pin(writes.turn(HEAVY))).collect();
        assert!(waiting.iter_mut().all(|turn| turn.now_or_never().is_none()), "it is at its share");
        assert!(writes.turn(HEAVY).await.is_none(), "and as many wait as may");
        let light = writes.turn(LIGHT).now_or_never().flatten().expect("another begins at once");
        let mut next = Box::pin(writes.turn(LIGHT));
        assert!((&mut next).now_or_never().is_none(), "now every place is taken");
        drop(light);
        assert!(next.await.is_some());
        drop(first);
        for turn in waiting.drain(..2) {
            assert!(turn.await.is_some());
        }
    }

    #[tokio::test]
    async fn whoever_waits_too_long_gets_none_and_takes_no_place() {
        let writes = writes(Duration::from_millis(5));
        let held = [writes.turn(HEAVY).await.unwrap(), writes.turn(HEAVY).await.unwrap()];
        assert!(writes.turn(HEAVY).await.is_none());
        let gone = Box::pin(writes.turn(HEAVY)).now_or_never();
        assert!(gone.is_none(), "its client left while it waited");
        drop(held);
        for _ in 0..10 {
            let turns = [writes.turn(HEAVY).await, writes.turn(HEAVY).await, writes.turn(LIGHT).await];
            assert!(turns.iter().all(Option::is_some), "every place is there again");
        }
    }
}
