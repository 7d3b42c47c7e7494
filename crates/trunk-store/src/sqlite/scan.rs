//! Long reads, whose cost grows with the stored data: they run on threads of their own, and askers take turns.
//!
//! A read by a key takes microseconds and runs on the caller's thread. All other reads run here, so that no list delays
//! a request, a call or a write of another account. A read is refused if it waits too long, and is interrupted if it
//! runs too long.
//!
//! Bounds, from [`StoreLimits`]: the threads, and how many of them one asker occupies; the reads that wait, in total
//! and of one asker; the time that a read waits, and the time that it runs. A read that exceeds a bound is refused at
//! once; if as many wait as may in total, it displaces one of an asker with more.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;
use service_base::clock::Stopwatch;
use service_base::fair_queue::{Bounds, FairQueue};
use tokio::sync::oneshot;

use super::error::failed;
use super::memory::SharedConnection;
use super::opener::{Opener, size_scan_cache};
use super::queued_write::{closed, lock};
use crate::{Asker, StoreError, StoreLimits};

/// Instructions of the engine's virtual machine between two checks of the time limit: about ten microseconds.
const CHECK_INTERVAL: i32 = 1_000;

/// The connection of a read thread.
pub(super) enum Source {
    /// A connection of the thread alone, to a database in a file.
    Own(Connection),
    /// The same, which is opened before the thread starts.
    Unopened(Arc<Opener>),
    /// The only connection of a database in memory.
    Shared(Arc<SharedConnection>),
}

/// The read threads and their queue. A thread is started when a read waits and no thread is idle.
pub(super) struct Scans {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

struct Shared {
    state: Mutex<State>,
    /// Notified when a read is queued, and when the store is closed.
    changed: Condvar,
    limits: StoreLimits,
    closed: AtomicBool,
}

struct State {
    turns: FairQueue<Asker, Box<dyn Scan>>,
    /// The connections of threads that are not started yet.
    sources: Vec<Source>,
    /// Number of threads that wait for a read.
    idle: usize,
}

/// A read in the queue. It may run several times, if it yields to other users of a shared connection.
trait Scan: Send {
    /// Whether the caller still waits for the result.
    fn is_awaited(&self) -> bool;
    /// The time since the read was queued.
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
        let missing = || StoreError::Failed("a read returned no result".to_owned());
        let Self { result, reply, .. } = *self;
        // The caller may have dropped the future.
        let _unsent = reply.send(outcome.and_then(|()| result.ok_or_else(missing)));
    }
}

impl Scans {
    pub(super) fn new(sources: Vec<Source>, limits: StoreLimits) -> Self {
        let bounds = Bounds {
            waiting: limits.waiting,
            waiting_of_one: limits.waiting_per_asker,
            running: sources.len(),
            running_of_one: limits.running_per_asker,
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

    /// The number of reads that wait, and of those that run.
    pub(super) fn counts(&self) -> (u64, u64) {
        let state = lock(&self.shared.state);
        (state.turns.waiting() as u64, state.turns.running() as u64)
    }

    /// Queues a read, which runs when it is the asker's turn.
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
        let mut state = lock(&self.shared.state);
        if self.shared.closed.load(Ordering::Relaxed) {
            return Err(closed());
        }
        let displaced = state.turns.push(asker, scan).map_err(|_| StoreError::Crowded)?;
        // An asker at its limit waits for its own reads, not for a thread.
        let needs_thread = !state.sources.is_empty() && state.turns.startable() > state.idle;
        let source = if needs_thread { state.sources.pop() } else { None };
        drop(state);
        if let Some(displaced) = displaced {
            displaced.answer(Err(StoreError::Crowded));
        }
        self.shared.changed.notify_one();
        if let Some(source) = source {
            self.start(source);
        }
        Ok(())
    }

    /// Starts a thread. If the operating system refuses one, all reads that wait are refused, because without threads
    /// they would wait forever. If its connection cannot be opened, the reads wait for the threads that run: the
    /// connection of the first one has been open since the start.
    fn start(&self, source: Source) {
        let source = match source {
            Source::Unopened(opener) => {
                let Some(connection) = opener.scan_reader() else {
                    // At the bottom of the stack: open connections are used first.
                    lock(&self.shared.state).sources.insert(0, Source::Unopened(opener));
                    return;
                };
                Source::Own(connection)
            }
            open => open,
        };
        let shared = Arc::clone(&self.shared);
        let thread = std::thread::Builder::new().name("store-scan".to_owned());
        match thread.spawn(move || run_thread(&shared, source)) {
            Ok(thread) => lock(&self.threads).push(thread),
            Err(error) => {
                tracing::error!(%error, "a read thread could not be started");
                for scan in lock(&self.shared.state).turns.clear() {
                    scan.answer(Err(StoreError::Crowded));
                }
            }
        }
    }

    /// Refuses the reads that wait and interrupts those that run. Returns the threads, which end at once.
    pub(super) fn end(&self) -> Vec<JoinHandle<()>> {
        let mut state = lock(&self.shared.state);
        self.shared.closed.store(true, Ordering::Relaxed);
        let dropped = state.turns.clear();
        state.sources.clear();
        drop(state);
        self.shared.changed.notify_all();
        for scan in dropped {
            scan.answer(Err(closed()));
        }
        std::mem::take(&mut *lock(&self.threads))
    }
}

impl Drop for Scans {
    /// Waits for the threads, so that none reads the file afterwards.
    fn drop(&mut self) {
        join(self.end());
    }
}

impl std::fmt::Debug for Scans {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scans").field("limits", &self.shared.limits).finish_non_exhaustive()
    }
}

/// Waits for threads that are ending.
pub(super) fn join(threads: Vec<JoinHandle<()>>) {
    for thread in threads {
        if thread.join().is_err() {
            tracing::error!("a read thread panicked");
        }
    }
}

/// Runs reads on a thread until the store is closed.
fn run_thread(shared: &Arc<Shared>, mut source: Source) {
    if let Source::Own(connection) = &source {
        size_scan_cache(connection);
    }
    while let Some((asker, scan)) = next_scan(shared) {
        run_scan(shared, &mut source, scan);
        lock(&shared.state).turns.done(asker);
    }
}

/// Waits for the next read. Returns `None` once the store is closed.
fn next_scan(shared: &Shared) -> Option<(Asker, Box<dyn Scan>)> {
    let mut state = lock(&shared.state);
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

fn run_scan(shared: &Arc<Shared>, source: &mut Source, mut scan: Box<dyn Scan>) {
    if !scan.is_awaited() {
        return;
    }
    if scan.waited() > shared.limits.max_wait {
        return scan.answer(Err(StoreError::Crowded));
    }
    let outcome = match source {
        Source::Own(connection) => {
            let since = Stopwatch::start();
            let shared = Arc::clone(shared);
            let stop = move || since.elapsed() > shared.limits.time || shared.closed.load(Ordering::Relaxed);
            run_interruptible(connection, stop, &mut *scan)
        }
        Source::Shared(memory) => run_in_slices(shared, memory, &mut *scan),
        // A connection is opened before its thread starts.
        Source::Unopened(_) => Err(closed()),
    };
    scan.answer(outcome);
}

/// Runs a read, and interrupts it as soon as `stop` returns true.
fn run_interruptible(
    connection: &mut Connection,
    stop: impl FnMut() -> bool + Send + 'static,
    scan: &mut dyn Scan,
) -> Result<(), StoreError> {
    connection.progress_handler(CHECK_INTERVAL, Some(stop)).map_err(failed)?;
    let outcome = std::panic::catch_unwind(AssertUnwindSafe(|| scan.run(connection)))
        .unwrap_or_else(|_| Err(StoreError::Failed("a read panicked".to_owned())));
    connection.progress_handler(0, None::<fn() -> bool>).map_err(failed)?;
    outcome
}

/// Runs a read on the shared connection of a database in memory. If other threads wait for the connection, the read
/// yields after a time slice and starts again, with a longer slice each time: so a short read always completes, and a
/// long one neither blocks the other threads for long nor runs forever.
fn run_in_slices(
    shared: &Arc<Shared>,
    memory: &Arc<SharedConnection>,
    scan: &mut dyn Scan,
) -> Result<(), StoreError> {
    const FIRST_SLICE: Duration = Duration::from_millis(10);
    const MAX_SLICE: Duration = Duration::from_millis(200);
    let since = Stopwatch::start();
    let mut slice = FIRST_SLICE;
    loop {
        let yielded = Arc::new(AtomicBool::new(false));
        let stop = {
            let (shared, memory, yielded) = (Arc::clone(shared), Arc::clone(memory), Arc::clone(&yielded));
            let slice_start = Stopwatch::start();
            move || {
                let yields = slice_start.elapsed() > slice && memory.is_awaited();
                yielded.store(yields, Ordering::Relaxed);
                yields || since.elapsed() > shared.limits.time || shared.closed.load(Ordering::Relaxed)
            }
        };
        let outcome = run_interruptible(&mut memory.lock_for_long(), stop, scan);
        let again = yielded.load(Ordering::Relaxed) && since.elapsed() <= shared.limits.time;
        if !again || outcome != Err(StoreError::TooLong) {
            return outcome;
        }
        memory.yield_to_waiting(slice);
        slice = MAX_SLICE.min(slice * 2);
    }
}

#[cfg(test)]
mod tests;
