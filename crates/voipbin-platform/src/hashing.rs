//! The lane in which passwords are hashed: slow on purpose, and therefore apart.
//!
//! Two threads of its own hash, so that neither requests nor the blocking pool wait for it, and its memory is bounded.
//! What waits is bounded in all and for each who asks, and is taken in turns among those who ask: a source that sends
//! hundreds of logins waits for its own, and nobody else does, and nobody for longer than a client does. A login whose source was right with that name before
//! stands in a line of its own, and makes room for itself when all places are taken.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use service_base::guessing::{Mark, Source};

/// Threads that hash: each takes a processor, and 19 MiB, for some 20 ms.
const THREADS: usize = 2;
/// Most that wait in all.
const MOST: usize = 512;
/// Most of one line that wait.
const OF_ONE: usize = 8;
/// Longest that one waits. The last of a full line waits for eight rounds of all lines, which others keep filling; most
/// clients give up after 30 seconds, and learn more from an answer.
const LONGEST: Duration = Duration::from_secs(20);

/// Whose turn it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Line {
    /// Who runs the server, and makes somebody's password.
    Operator,
    /// Who was right from there with this name before.
    Proven(Source, Mark),
    /// Everybody else.
    Unknown(Source),
}

type Work = Box<dyn FnOnce() + Send>;

/// Too many wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Busy;

/// The lane. Dropping it lets its threads end.
pub struct HashingLane {
    shared: Arc<Shared>,
    /// Longest that one waits.
    longest: Duration,
}

#[derive(Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    lines: HashMap<Line, VecDeque<Work>>,
    /// Those who have something waiting, the next one first.
    turns: VecDeque<Line>,
    count: usize,
    over: bool,
}

impl std::fmt::Debug for HashingLane {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HashingLane")
    }
}

impl HashingLane {
    /// Starts its threads.
    ///
    /// # Errors
    /// When the system has none.
    pub fn start() -> std::io::Result<Self> {
        let shared = Arc::<Shared>::default();
        let lane = Self { shared: Arc::clone(&shared), longest: LONGEST };
        for number in 0..THREADS {
            let shared = Arc::clone(&shared);
            std::thread::Builder::new().name(format!("hashing-{number}")).spawn(move || shared.work())?;
        }
        Ok(lane)
    }

    /// Does some hashing when its turn comes.
    ///
    /// # Errors
    /// When too many wait, before it or, for one that makes room for another, after it; and when its turn has not come
    /// after 20 seconds.
    pub async fn run<T: Send + 'static>(
        &self,
        line: Line,
        hash: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Busy> {
        let (reply, answer) = oneshot::channel();
        let work = Box::new(move || {
            // Who is gone needs no answer, and costs nothing.
            if !reply.is_closed() {
                let _gone = reply.send(hash());
            }
        });
        self.shared.lock().put(line, work)?;
        self.shared.changed.notify_one();
        match tokio::time::timeout(self.longest, answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) | Err(_) => Err(Busy),
        }
    }
}

impl Drop for HashingLane {
    fn drop(&mut self) {
        let mut waiting = self.shared.lock();
        *waiting = Waiting { over: true, ..Waiting::default() };
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
                if waiting.over {
                    return;
                }
                if let Some(work) = waiting.next() {
                    break work;
                }
                waiting = self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
            };
            drop(waiting);
            // A panic ends one login, not the lane.
            let _panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        }
    }
}

impl Waiting {
    fn put(&mut self, line: Line, work: Work) -> Result<(), Busy> {
        if self.lines.get(&line).is_some_and(|of_one| of_one.len() >= OF_ONE) {
            return Err(Busy);
        }
        if self.count >= MOST {
            self.make_room(line)?;
        }
        let of_one = self.lines.entry(line).or_default();
        if of_one.is_empty() {
            self.turns.push_back(line);
        }
        of_one.push_back(work);
        self.count += 1;
        Ok(())
    }

    /// Takes away what came last of the longest line, for one that is shorter, or is proven.
    fn make_room(&mut self, line: Line) -> Result<(), Busy> {
        let unknown = self.lines.iter().filter(|(line, _)| matches!(line, Line::Unknown(_)));
        let (longest, length) = unknown
            .map(|(line, works)| (*line, works.len()))
            .max_by_key(|(_, length)| *length)
            .ok_or(Busy)?;
        let own = self.lines.get(&line).map_or(0, VecDeque::len);
        if matches!(line, Line::Unknown(_)) && length <= own + 1 {
            return Err(Busy);
        }
        let of_one = self.lines.get_mut(&longest).ok_or(Busy)?;
        drop(of_one.pop_back());
        self.count -= 1;
        if of_one.is_empty() {
            self.lines.remove(&longest);
            self.turns.retain(|turn| *turn != longest);
        }
        Ok(())
    }

    /// What is done next: the next one's oldest.
    fn next(&mut self) -> Option<Work> {
        let line = self.turns.pop_front()?;
        let of_one = self.lines.get_mut(&line)?;
        let work = of_one.pop_front()?;
        self.count -= 1;
        if of_one.is_empty() {
            self.lines.remove(&line);
        } else {
            self.turns.push_back(line);
        }
        Some(work)
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use service_base::guessing::{GuessLimits, Guesses};

    fn of(last: u16) -> Line {
        let [high, low] = last.to_be_bytes();
        Line::Unknown(Source::of(IpAddr::from([198, 51, high, low])))
    }

    /// Waiting work that says its number, and what was done of it.
    #[derive(Default)]
    struct Lane {
        waiting: Waiting,
        done: Arc<Mutex<Vec<u32>>>,
    }

    impl Lane {
        fn put(&mut self, line: Line, number: u32) -> Result<(), Busy> {
            let done = Arc::clone(&self.done);
            self.waiting.put(line, Box::new(move || done.lock().unwrap().push(number)))
        }

        fn finish(&mut self) -> Vec<u32> {
            while let Some(work) = self.waiting.next() {
                work();
            }
            assert!(
                self.waiting.lines.is_empty() && self.waiting.turns.is_empty() && self.waiting.count == 0
            );
            std::mem::take(&mut self.done.lock().unwrap())
        }
    }

    #[test]
    fn those_who_wait_take_turns() {
        let mut lane = Lane::default();
        for number in 0..4 {
            lane.put(of(1), number).unwrap();
        }
        lane.put(of(2), 10).unwrap();
        lane.put(Line::Operator, 20).unwrap();
        assert_eq!(lane.finish(), [0, 10, 20, 1, 2, 3]);
    }

    #[test]
    fn one_line_is_short_and_all_of_them_together_are_bounded() {
        let mut lane = Lane::default();
        assert!((0..8).all(|number| lane.put(of(1), number).is_ok()));
        assert_eq!(lane.put(of(1), 8), Err(Busy));
        for other in 2..=64 {
            assert!((0..8).all(|number| lane.put(of(other), number).is_ok()), "{other}");
        }
        assert_eq!(lane.waiting.count, MOST);
        assert_eq!(lane.put(of(65), 100), Ok(()), "a newcomer takes the place of the last of a long line");
        assert_eq!(lane.waiting.count, MOST);
        assert_eq!(lane.finish().len(), MOST);
    }

    #[test]
    fn where_everybody_has_one_place_a_newcomer_has_none_unless_it_was_right_before() {
        let mut lane = Lane::default();
        for other in 0..512 {
            lane.put(of(other), other.into()).unwrap();
        }
        assert_eq!(lane.put(of(600), 600), Err(Busy));
        let guesses = Guesses::new("logins", GuessLimits::default());
        let proven = Line::Proven(Source::of(IpAddr::from([192, 0, 2, 1])), guesses.mark("boss"));
        assert_eq!(lane.put(proven, 1_000), Ok(()));
        assert_eq!(lane.put(Line::Operator, 1_001), Ok(()));
        let done = lane.finish();
        assert_eq!(done.len(), MOST);
        assert!(done.contains(&1_000) && done.contains(&1_001));
    }

    #[tokio::test]
    async fn nobody_waits_for_longer_than_a_client_does() {
        let mut lane = HashingLane::start().unwrap();
        lane.longest = Duration::from_millis(20);
        let (go, gate) = std::sync::mpsc::channel::<()>();
        let gate = Arc::new(Mutex::new(gate));
        let hashing = |number| {
            let gate = Arc::clone(&gate);
            lane.run(of(number), move || gate.lock().unwrap().recv().is_err())
        };
        let (first, second, third) = tokio::join!(hashing(1), hashing(2), hashing(3));
        assert_eq!([first, second, third], [Err(Busy); 3]);
        drop(go);
        assert_eq!(lane.run(of(3), || 7).await, Ok(7), "the lane goes on");
    }

    #[tokio::test]
    async fn the_lane_hashes_survives_a_panic_and_ends_when_it_is_dropped() {
        let lane = HashingLane::start().unwrap();
        assert_eq!(lane.run(Line::Operator, || 7).await, Ok(7));
        for _ in 0..4 {
            assert_eq!(lane.run(of(1), || -> u8 { panic!("on purpose") }).await, Err(Busy));
        }
        assert_eq!(lane.run(of(1), || 8).await, Ok(8));
        let shared = Arc::downgrade(&lane.shared);
        drop(lane);
        while shared.strong_count() > 0 {
            tokio::task::yield_now().await;
        }
    }
}
