//! Writes the lines of the log on a thread of their own, so that only this thread waits for a reader that stops reading.
//!
//! Standard error is often a pipe: to a container engine, to a supervisor, to a program that collects logs. While nothing
//! is read from a full pipe, or a terminal is stopped, a write waits, and with it would each task that logs.
//!
//! A line is written when its caller continues, unless that takes longer than [`PATIENCE`]. From then on no caller waits,
//! until all lines are written.
//!
//! Bounds: twice [`MAX_BYTES`] wait at most; lines beyond that are dropped, and their number is logged afterwards.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// Maximum number of bytes that wait behind those that are being written.
const MAX_BYTES: usize = 1 << 20;
/// The capacity that is kept for further lines.
const KEPT_BYTES: usize = 1 << 16;
/// The longest time that a caller waits until its line is written.
const PATIENCE: Duration = Duration::from_millis(250);

/// A writer of complete lines. Clones write to the same place.
#[derive(Debug, Clone)]
pub(super) struct Lines(
    /// `None` if the thread could not be started: callers write to standard error themselves then.
    Option<Arc<Shared>>,
);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// Notified when a line waits.
    added: Condvar,
    /// Notified when lines were written, and when callers no longer wait for that.
    done: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: Vec<u8>,
    /// Number of lines that were added so far.
    added: u64,
    /// Number of them that were written, or could not be written.
    done: u64,
    /// Number of lines that were dropped and not reported yet.
    dropped: u64,
    /// Whether a caller has waited in vain, so that others do not wait.
    is_stuck: bool,
}

impl Lines {
    /// Starts the thread, which writes to `out`.
    pub(super) fn to(out: impl Write + Send + 'static) -> Self {
        let shared = Arc::<Shared>::default();
        let of_thread = Arc::clone(&shared);
        let thread = thread::Builder::new().name("log".to_owned()).spawn(move || of_thread.run(out));
        Self(thread.is_ok().then_some(shared))
    }

    /// Waits until all lines are written, but no longer than this.
    pub(super) fn finish(&self, within: Duration) {
        if let Some(shared) = &self.0 {
            let is_unfinished = |state: &mut State| state.done < state.added;
            drop(shared.done.wait_timeout_while(shared.lock(), within, is_unfinished));
        }
    }
}

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match &self.0 {
            Some(shared) => shared.add(line),
            None => io::stderr().write_all(line)?,
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, line: &[u8]) {
        let mut state = self.lock();
        if state.waiting.len().saturating_add(line.len()) > MAX_BYTES {
            state.dropped = state.dropped.saturating_add(1);
            return;
        }
        state.waiting.extend_from_slice(line);
        state.added += 1;
        self.added.notify_one();
        if state.is_stuck {
            return;
        }
        let own = state.added;
        let is_awaited = |state: &mut State| state.done < own && !state.is_stuck;
        let waited = self.done.wait_timeout_while(state, PATIENCE, is_awaited);
        let (mut state, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        if waited.timed_out() {
            state.is_stuck = true;
            self.done.notify_all();
        }
    }

    /// Writes all lines, for ever.
    fn run(&self, mut out: impl Write) {
        let mut batch = Vec::new();
        loop {
            let is_idle = |state: &mut State| state.waiting.is_empty();
            let state = self.added.wait_while(self.lock(), is_idle);
            let mut state = state.unwrap_or_else(PoisonError::into_inner);
            std::mem::swap(&mut batch, &mut state.waiting);
            let added = state.added;
            drop(state);
            // Nothing is left to report it to, for example if the disk of the log is full.
            let _lost = out.write_all(&batch).and_then(|()| out.flush());
            batch.clear();
            batch.shrink_to(KEPT_BYTES);
            let dropped = self.note_done(added);
            if dropped > 0 {
                tracing::warn!(
                    dropped,
                    "lines of the log were dropped, because nothing had read the earlier ones"
                );
            }
        }
    }

    /// Notes that the lines up to this number were written. Returns the number of dropped ones that is to be reported.
    fn note_done(&self, added: u64) -> u64 {
        let mut state = self.lock();
        state.done = added;
        state.is_stuck &= !state.waiting.is_empty();
        let dropped = if state.is_stuck { 0 } else { std::mem::take(&mut state.dropped) };
        // The report is a line of this thread, which must not wait for itself.
        state.is_stuck |= dropped > 0;
        self.done.notify_all();
        dropped
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Waits for a message, or the end of its sender, before each write.
    struct Halted {
        go: mpsc::Receiver<()>,
        written: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Halted {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ended = self.go.recv();
            self.written.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn halted() -> (Lines, mpsc::Sender<()>, Arc<Mutex<Vec<u8>>>) {
        let ((open, go), written) = (mpsc::channel(), Arc::<Mutex<Vec<u8>>>::default());
        (Lines::to(Halted { go, written: Arc::clone(&written) }), open, written)
    }

    const DEADLINE: Duration = Duration::from_secs(20);

    #[test]
    fn lines_are_written_whole_and_in_the_order_of_a_caller() {
        let (lines, open, written) = halted();
        drop(open);
        thread::scope(|scope| {
            for caller in 0..4 {
                let mut lines = lines.clone();
                scope.spawn(move || {
                    for number in 0..100 {
                        lines.write_all(format!("{caller} {number}\n").as_bytes()).unwrap();
                    }
                });
            }
        });
        lines.finish(DEADLINE);
        let text = String::from_utf8(written.lock().unwrap().clone()).unwrap();
        for caller in 0..4 {
            let of_caller = text.lines().filter_map(|line| line.strip_prefix(&format!("{caller} ")));
            assert!(of_caller.eq((0..100).map(|number| number.to_string())), "{text}");
        }
    }

    #[test]
    fn a_reader_that_stops_reading_halts_no_caller_and_what_has_no_room_is_dropped() {
        let (mut lines, open, written) = halted();
        let (line, shared) = (vec![b'x'; MAX_BYTES / 4], lines.0.clone().unwrap());
        lines.write_all(&line).unwrap();
        while !shared.lock().waiting.is_empty() {
            thread::yield_now();
        }
        for _ in 1..20 {
            lines.write_all(&line).unwrap();
        }
        {
            let state = shared.lock();
            assert!(state.is_stuck && state.done == 0 && state.waiting.len() <= MAX_BYTES);
            assert_eq!((state.added, state.dropped), (5, 15), "one is being written, and four wait");
        }
        lines.finish(Duration::from_millis(1));
        drop(open);
        lines.finish(DEADLINE);
        assert_eq!(written.lock().unwrap().len(), 5 * line.len());
        lines.write_all(b"after\n").unwrap();
        lines.finish(DEADLINE);
        assert!(written.lock().unwrap().ends_with(b"after\n"));
        let state = shared.lock();
        assert_eq!((state.added, state.dropped, state.is_stuck), (6, 0, false));
    }
}
