//! Reads whose cost grows with what is stored: on threads of their own, fair between those who ask.
//!
//! A read by a key takes microseconds and is done where it is asked for. Everything else comes here, so that no list
//! keeps a request, a call or a write of another from being served. It refuses to run for longer than its time, and to
//! let anybody wait for more than that.
//!
//! Bounds: threads, and of them those that one asker has; reads that wait, in all and of one asker; how long a read
//! waits, and how long it runs. What is past them is answered at once.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::error::failed;
use super::memory::Memory;
use crate::{Asker, StoreError, StoreLimits};
use service_base::clock::Stopwatch;
use service_base::fair_queue::{Bounds, FairQueue};

/// Steps of the engine's machine between two looks at the time: some ten microseconds.
const STEPS: i32 = 1_000;

/// What a thread reads on.
pub(super) enum Source {
    /// A connection of its own, on a database in a file.
    Own(Connection),
    /// The only connection of a database in memory.
    Shared(Arc<Memory>),
}

/// The threads that read, and what waits for them. They are started when there is work for them.
pub(super) struct Scans {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

struct Shared {
    state: Mutex<State>,
    /// Something waits, or nothing will any more.
    changed: Condvar,
    limits: StoreLimits,
    closed: AtomicBool,
}

struct State {
    turns: FairQueue<Asker, Box<dyn Scan>>,
    /// What no thread was started for yet.
    sources: Vec<Source>,
    idle: usize,
}

/// A read that waits. It may be run again when it had to make way.
trait Scan: Send {
    fn is_awaited(&self) -> bool;
    fn waited(&self) -> Duration;
    fn run(&mut self, connection: &Connection) -> Result<(), StoreError>;
    fn answer(self: Box<Self>, outcome: Result<(), StoreError>);
}

struct Reading<T, F> {
    read: F,
    result: Option<T>,
    since: Stopwatch,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Scan for Reading<T, F>
where
    T: Send,
    F: Fn(&Connection) -> Result<T, StoreError> + Send,
{
    fn is_awaited(&self) -> bool {
        !self.reply.is_closed()
    }

    fn waited(&self) -> Duration {
        self.since.elapsed()
    }

    fn run(&mut self, connection: &Connection) -> Result<(), StoreError> {
        self.result = Some((self.read)(connection)?);
        Ok(())
    }

    fn answer(self: Box<Self>, outcome: Result<(), StoreError>) {
        let missing = || StoreError::Failed("a read gave no result".to_owned());
        let Self { result, reply, .. } = *self;
        // Whoever asked may be gone.
        let _gone = reply.send(outcome.and_then(|()| result.ok_or_else(missing)));
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn closed() -> StoreError {
    StoreError::Failed("the store is closed".to_owned())
}

impl Scans {
    pub(super) fn new(sources: Vec<Source>, limits: StoreLimits) -> Self {
        let bounds = Bounds {
            waiting: limits.waiting,
            waiting_of_one: limits.waiting_of_one,
            running: sources.len(),
            running_of_one: limits.reads_of_one,
        };
        let state = State { turns: FairQueue::new(bounds), sources, idle: 0 };
        let shared = Shared {
            state: Mutex::new(state),
            changed: Condvar::new(),
            limits,
            closed: AtomicBool::new(false),
        };
        Self { shared: Arc::new(shared), threads: Mutex::default() }
    }

    /// Reads when it is this asker's turn.
    pub(super) fn read<T: Send + 'static>(
        &self,
        asker: Asker,
        read: impl Fn(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> impl Future<Output = Result<T, StoreError>> + Send + 'static {
        let (reply, answer) = oneshot::channel();
        let refused =
            self.push(asker, Box::new(Reading { read, result: None, since: Stopwatch::start(), reply }));
        async move {
            refused?;
            answer.await.unwrap_or_else(|_| Err(closed()))
        }
    }

    fn push(&self, asker: Asker, scan: Box<dyn Scan>) -> Result<(), StoreError> {
        let mut state = held(&self.shared.state);
        if self.shared.closed.load(Ordering::Relaxed) {
            return Err(closed());
        }
        state.turns.push(asker, scan).map_err(|_| StoreError::Crowded)?;
        let source = if state.turns.waiting() > state.idle { state.sources.pop() } else { None };
        drop(state);
        self.shared.changed.notify_one();
        if let Some(source) = source {
            self.start(source);
        }
        Ok(())
    }

    /// Starts a thread. Where the system has no room for one, nothing waits any more: without threads it would wait for
    /// ever.
    fn start(&self, source: Source) {
        let shared = Arc::clone(&self.shared);
        let thread = std::thread::Builder::new().name("store-scan".to_owned());
        match thread.spawn(move || work(&shared, source)) {
            Ok(thread) => held(&self.threads).push(thread),
            Err(error) => {
                tracing::error!(%error, "a thread for reading could not be started");
                for scan in held(&self.shared.state).turns.clear() {
                    scan.answer(Err(StoreError::Crowded));
                }
            }
        }
    }

    /// Takes no more work and ends what is under way. Returns the threads, which end at once.
    pub(super) fn end(&self) -> Vec<JoinHandle<()>> {
        let mut state = held(&self.shared.state);
        self.shared.closed.store(true, Ordering::Relaxed);
        let dropped = state.turns.clear();
        state.sources.clear();
        drop(state);
        self.shared.changed.notify_all();
        for scan in dropped {
            scan.answer(Err(closed()));
        }
        std::mem::take(&mut *held(&self.threads))
    }
}

impl Drop for Scans {
    /// Waits for the threads, so that nothing reads the file any more.
    fn drop(&mut self) {
        join(self.end());
    }
}

impl std::fmt::Debug for Scans {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scans").field("limits", &self.shared.limits).finish_non_exhaustive()
    }
}

/// Waits for threads that were told to end.
pub(super) fn join(threads: Vec<JoinHandle<()>>) {
    for thread in threads {
        if thread.join().is_err() {
            tracing::error!("a thread that reads ended badly");
        }
    }
}

/// A thread's life.
fn work(shared: &Arc<Shared>, mut source: Source) {
    while let Some((asker, scan)) = next(shared) {
        one(shared, &mut source, scan);
        held(&shared.state).turns.done(asker);
    }
}

fn next(shared: &Shared) -> Option<(Asker, Box<dyn Scan>)> {
    let mut state = held(&shared.state);
    loop {
        if shared.closed.load(Ordering::Relaxed) {
            return None;
        }
        if let Some(next) = state.turns.begin_next() {
            return Some(next);
        }
        state.idle += 1;
        state = shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        state.idle -= 1;
    }
}

fn one(shared: &Arc<Shared>, source: &mut Source, mut scan: Box<dyn Scan>) {
    if !scan.is_awaited() {
        return;
    }
    if scan.waited() > shared.limits.patience {
        return scan.answer(Err(StoreError::Crowded));
    }
    let outcome = match source {
        Source::Own(connection) => {
            let since = Stopwatch::start();
            let limits = Arc::clone(shared);
            let stop = move || since.elapsed() > limits.limits.time || limits.closed.load(Ordering::Relaxed);
            bounded(connection, stop, &mut *scan)
        }
        Source::Shared(memory) => in_slices(shared, memory, &mut *scan),
    };
    scan.answer(outcome);
}

/// Runs a read that is interrupted once this says so.
fn bounded(
    connection: &mut Connection,
    stop: impl FnMut() -> bool + Send + 'static,
    scan: &mut dyn Scan,
) -> Result<(), StoreError> {
    connection.progress_handler(STEPS, Some(stop)).map_err(failed)?;
    let outcome = std::panic::catch_unwind(AssertUnwindSafe(|| scan.run(connection)))
        .unwrap_or_else(|_| Err(StoreError::Failed("a read panicked".to_owned())));
    connection.progress_handler(0, None::<fn() -> bool>).map_err(failed)?;
    outcome
}

/// Reads on the one connection of a database in memory. Where others wait for it, the read makes way after a slice of
/// its time and begins anew, with a longer slice each time: so a short one always ends, and a long one neither keeps
/// the others out for long nor goes on for ever.
fn in_slices(shared: &Arc<Shared>, memory: &Arc<Memory>, scan: &mut dyn Scan) -> Result<(), StoreError> {
    const FIRST: Duration = Duration::from_millis(10);
    const LONGEST: Duration = Duration::from_millis(200);
    let since = Stopwatch::start();
    let mut slice = FIRST;
    loop {
        let made_way = Arc::new(AtomicBool::new(false));
        let stop = {
            let (shared, memory, made_way) = (Arc::clone(shared), Arc::clone(memory), Arc::clone(&made_way));
            let begun = Stopwatch::start();
            move || {
                let makes_way = begun.elapsed() > slice && memory.is_awaited();
                made_way.store(makes_way, Ordering::Relaxed);
                makes_way || since.elapsed() > shared.limits.time || shared.closed.load(Ordering::Relaxed)
            }
        };
        let outcome = bounded(&mut memory.hold(), stop, scan);
        let again = made_way.load(Ordering::Relaxed) && since.elapsed() <= shared.limits.time;
        if !again || outcome != Err(StoreError::TooLong) {
            return outcome;
        }
        memory.make_way(slice);
        slice = LONGEST.min(slice * 2);
    }
}

#[cfg(test)]
mod tests;
