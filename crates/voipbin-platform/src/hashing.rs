//! The pool that hashes passwords.
//!
//! Hashing is slow on purpose. The pool has two threads of its own, which start with the first work, so that
//! neither requests nor the runtime's blocking pool wait for it, and its memory is bounded. Work waits in
//! queues, one for each source of logins, and the queues take turns: a source that sends hundreds of logins
//! delays only its own. A username that logged in from the same source before has a queue of its own, and
//! displaces other work when all slots are taken.
//!
//! Bounds: 512 waiting entries in all, 8 in one queue, and 20 seconds of waiting, which is less than clients
//! wait.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use service_base::guessing::{CredentialHash, Source};
use tokio::sync::oneshot;

/// Hashing threads. One hash takes about 20 ms of a processor, and 19 MiB.
const THREADS: usize = 2;
/// Maximum number of entries in all queues together.
const MAX_WAITING: usize = 512;
/// Maximum number of entries in one queue.
const MAX_WAITING_PER_QUEUE: usize = 8;
/// How long an entry may wait. The last entry of a full queue waits for eight rounds of all queues. Most
/// clients give up after 30 seconds, and an error response before that is more useful to them.
const MAX_WAIT: Duration = Duration::from_secs(20);

/// The queue of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Queue {
    /// For operators, who set passwords over the control API.
    Operator,
    /// For a username that logged in from this source before.
    Proven(Source, CredentialHash),
    /// For all other logins of a source.
    Unknown(Source),
}

type Work = Box<dyn FnOnce() + Send>;

/// The pool is too busy for the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Busy;

/// The pool. Dropping it ends its threads.
pub(crate) struct HashingPool {
    shared: Arc<Shared>,
    /// How long an entry may wait.
    max_wait: Duration,
}

#[derive(Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    queues: HashMap<Queue, VecDeque<Work>>,
    /// The queues that have entries, the next one first.
    turns: VecDeque<Queue>,
    count: usize,
    /// The threads that were started.
    threads: usize,
    closed: bool,
}

impl std::fmt::Debug for HashingPool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HashingPool")
    }
}

impl HashingPool {
    /// A pool without work, and therefore without threads.
    pub(crate) fn new() -> Self {
        Self { shared: Arc::default(), max_wait: MAX_WAIT }
    }

    /// Adds work to its queue, and starts a further thread for it while there may be more.
    fn put(&self, queue: Queue, work: Work) -> Result<(), Busy> {
        let mut waiting = self.shared.lock();
        if waiting.threads < THREADS {
            let shared = Arc::clone(&self.shared);
            let thread = std::thread::Builder::new().name(format!("hashing-{}", waiting.threads));
            match thread.spawn(move || shared.work()) {
                Ok(_) => waiting.threads += 1,
                Err(error) => {
                    tracing::error!(%error, "no thread to hash passwords can be started");
                    if waiting.threads == 0 {
                        return Err(Busy);
                    }
                }
            }
        }
        waiting.put(queue, work)
    }

    /// Runs `hash` on one of the threads when the turn of its queue comes, and returns its result.
    ///
    /// # Errors
    /// When the queue or the pool is full, when the entry is displaced by one of a shorter or proven queue,
    /// when it is not done after 20 seconds, when `hash` panics, and when the system cannot start a thread.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        queue: Queue,
        hash: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Busy> {
        let (reply, answer) = oneshot::channel();
        let work = Box::new(move || {
            // No work for a client that has disconnected.
            if !reply.is_closed() {
                let _disconnected = reply.send(hash());
            }
        });
        self.put(queue, work)?;
        self.shared.changed.notify_one();
        match tokio::time::timeout(self.max_wait, answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) | Err(_) => Err(Busy),
        }
    }
}

impl Drop for HashingPool {
    fn drop(&mut self) {
        let mut waiting = self.shared.lock();
        *waiting = Waiting { closed: true, ..Waiting::default() };
        drop(waiting);
        self.shared.changed.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        loop {
            let mut waiting = self.lock();
            let work = loop {
                if waiting.closed {
                    return;
                }
                if let Some(work) = waiting.next() {
                    break work;
                }
                waiting = self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
            };
            drop(waiting);
            // A panic fails one login and leaves the thread running.
            let _panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        }
    }
}

impl Waiting {
    /// Adds an entry to a queue.
    fn put(&mut self, queue: Queue, work: Work) -> Result<(), Busy> {
        if self.queues.get(&queue).is_some_and(|queued| queued.len() >= MAX_WAITING_PER_QUEUE) {
            return Err(Busy);
        }
        if self.count >= MAX_WAITING {
            self.make_room(queue)?;
        }
        let queued = self.queues.entry(queue).or_default();
        if queued.is_empty() {
            self.turns.push_back(queue);
        }
        queued.push_back(work);
        self.count += 1;
        Ok(())
    }

    /// Removes the newest entry of the longest queue of an unknown login, for an entry of a proven or an
    /// operator's queue, or of one that is shorter by two entries or more.
    fn make_room(&mut self, queue: Queue) -> Result<(), Busy> {
        let unknown = self.queues.iter().filter(|(queue, _)| matches!(queue, Queue::Unknown(_)));
        let (longest, length) = unknown
            .map(|(queue, works)| (*queue, works.len()))
            .max_by_key(|(_, length)| *length)
            .ok_or(Busy)?;
        let own = self.queues.get(&queue).map_or(0, VecDeque::len);
        if matches!(queue, Queue::Unknown(_)) && length <= own + 1 {
            return Err(Busy);
        }
        let queued = self.queues.get_mut(&longest).ok_or(Busy)?;
        drop(queued.pop_back());
        self.count -= 1;
        if queued.is_empty() {
            self.queues.remove(&longest);
            self.turns.retain(|turn| *turn != longest);
        }
        Ok(())
    }

    /// Takes the oldest entry of the next queue.
    fn next(&mut self) -> Option<Work> {
        let queue = self.turns.pop_front()?;
        let queued = self.queues.get_mut(&queue)?;
        let work = queued.pop_front()?;
        self.count -= 1;
        if queued.is_empty() {
            self.queues.remove(&queue);
        } else {
            self.turns.push_back(queue);
        }
        Some(work)
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use service_base::guessing::{GuessLimiter, GuessLimits};

    fn of(last: u16) -> Queue {
        let [high, low] = last.to_be_bytes();
        Queue::Unknown(Source::of(IpAddr::from([198, 51, high, low])))
    }

    /// Queues whose entries report their numbers, and the numbers of those that ran.
    #[derive(Default)]
    struct TestQueues {
        waiting: Waiting,
        done: Arc<Mutex<Vec<u32>>>,
    }

    impl TestQueues {
        fn put(&mut self, queue: Queue, number: u32) -> Result<(), Busy> {
            let done = Arc::clone(&self.done);
            self.waiting.put(queue, Box::new(move || done.lock().unwrap().push(number)))
        }

        fn finish(&mut self) -> Vec<u32> {
            while let Some(work) = self.waiting.next() {
                work();
            }
            assert!(
                self.waiting.queues.is_empty() && self.waiting.turns.is_empty() && self.waiting.count == 0
            );
            std::mem::take(&mut self.done.lock().unwrap())
        }
    }

    #[test]
    fn queues_take_turns() {
        let mut queues = TestQueues::default();
        for number in 0..4 {
            queues.put(of(1), number).unwrap();
        }
        queues.put(of(2), 10).unwrap();
        queues.put(Queue::Operator, 20).unwrap();
        assert_eq!(queues.finish(), [0, 10, 20, 1, 2, 3]);
    }

    #[test]
    fn one_queue_is_short_and_all_of_them_together_are_bounded() {
        let mut queues = TestQueues::default();
        assert!((0..8).all(|number| queues.put(of(1), number).is_ok()));
        assert_eq!(queues.put(of(1), 8), Err(Busy));
        for other in 2..=64 {
            assert!((0..8).all(|number| queues.put(of(other), number).is_ok()), "{other}");
        }
        assert_eq!(queues.waiting.count, MAX_WAITING);
        assert_eq!(queues.put(of(65), 100), Ok(()), "a new queue displaces the newest entry of a long one");
        assert_eq!(queues.waiting.count, MAX_WAITING);
        assert_eq!(queues.finish().len(), MAX_WAITING);
    }

    #[test]
    fn where_every_queue_has_one_entry_a_new_queue_has_none_unless_it_is_proven() {
        let mut queues = TestQueues::default();
        for other in 0..512 {
            queues.put(of(other), other.into()).unwrap();
        }
        assert_eq!(queues.put(of(600), 600), Err(Busy));
        let guesses = GuessLimiter::new("logins", GuessLimits::default());
        let proven = Queue::Proven(Source::of(IpAddr::from([192, 0, 2, 1])), guesses.hash("boss"));
        assert_eq!(queues.put(proven, 1_000), Ok(()));
        assert_eq!(queues.put(Queue::Operator, 1_001), Ok(()));
        let done = queues.finish();
        assert_eq!(done.len(), MAX_WAITING);
        assert!(done.contains(&1_000) && done.contains(&1_001));
    }

    #[tokio::test]
    async fn an_entry_waits_no_longer_than_a_client_does() {
        let mut pool = HashingPool::new();
        pool.max_wait = Duration::from_millis(20);
        let (go, gate) = std::sync::mpsc::channel::<()>();
        let gate = Arc::new(Mutex::new(gate));
        let hashing = |number| {
            let gate = Arc::clone(&gate);
            pool.run(of(number), move || gate.lock().unwrap().recv().is_err())
        };
        let (first, second, third) = tokio::join!(hashing(1), hashing(2), hashing(3));
        assert_eq!([first, second, third], [Err(Busy); 3]);
        drop(go);
        assert_eq!(pool.run(of(3), || 7).await, Ok(7), "the pool continues");
    }

    #[tokio::test]
    async fn the_pool_hashes_survives_a_panic_and_ends_when_it_is_dropped() {
        let pool = HashingPool::new();
        let threads = || pool.shared.lock().threads;
        assert_eq!(threads(), 0, "no thread waits for work that never comes");
        assert_eq!(pool.run(Queue::Operator, || 7).await, Ok(7));
        assert_eq!(threads(), 1);
        for _ in 0..4 {
            assert_eq!(pool.run(of(1), || -> u8 { panic!("on purpose") }).await, Err(Busy));
        }
        assert_eq!(pool.run(of(1), || 8).await, Ok(8));
        assert_eq!(threads(), THREADS);
        let shared = Arc::downgrade(&pool.shared);
        drop(pool);
        while shared.strong_count() > 0 {
            tokio::task::yield_now().await;
        }
    }
}
