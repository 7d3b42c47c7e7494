//! The journal: the last requests to the public listeners, with their responses.
//!
//! Bounds: the number of entries, which the configuration names; [`MAX_BYTES`] of all together, beyond which the oldest
//! are dropped first; and [`MAX_BODY_BYTES`] of each body. Beside them each thread has one entry that it overwrites
//! next (`spare`). Nothing is shown before its secrets are hidden (`mask`). It is in the memory of this process: it is
//! lost at a restart, and another node has its own.

mod entry;
mod recording;
mod spare;
mod texts;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::mask;

pub use entry::{JournalBody, JournalEntry, MAX_BODY_BYTES};

pub(crate) use entry::Stored;
pub(crate) use recording::Recording;

/// Maximum number of bytes of all entries.
pub const MAX_BYTES: usize = 64 << 20;
/// Maximum number of entries that a journal can be configured to keep.
pub const MAX_ENTRIES: usize = 100_000;

/// Returns a JSON text, complete or truncated, with its secrets replaced by `(hidden)`, as the journal shows it.
pub fn hidden_json(text: &[u8]) -> String {
    mask::json(text)
}

/// The last requests and their answers.
#[derive(Debug)]
pub struct Journal {
    max_entries: usize,
    max_bytes: usize,
    ring: Mutex<Ring>,
    /// The number of the last entry, read without the lock.
    last: AtomicU64,
    /// How often the journal was cleared.
    clears: AtomicU64,
    /// Number of those that wait for an entry. Without one, none is notified, which would take a lock.
    waiting: AtomicUsize,
    added: Notify,
}

/// One that waits for an entry.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn counted(waiting: &'a AtomicUsize) -> Self {
        waiting.fetch_add(1, Ordering::SeqCst);
        Self(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[derive(Debug, Default)]
struct Ring {
    /// Each with its size: reading an old entry, which is in no cache of the processor, would prolong the lock.
    entries: VecDeque<(Arc<Stored>, usize)>,
    bytes: usize,
    last: u64,
    /// Number of entries that were dropped to make room since the journal was last cleared.
    dropped: u64,
}

/// The entries of a journal at one moment.
#[derive(Debug, Clone)]
pub(crate) struct Snapshot {
    /// The entries, the oldest first.
    pub(crate) entries: Vec<Arc<Stored>>,
    /// Number of entries that were dropped to make room since the journal was last cleared.
    pub(crate) dropped: u64,
    /// The number of the last entry, which may have been dropped.
    pub(crate) last: u64,
}

impl Snapshot {
    /// Number of dropped entries between the one with this number, after which the snapshot was taken, and the first of
    /// these.
    pub(crate) fn gone_after(&self, number: u64) -> u64 {
        self.entries.first().map_or(0, |first| first.number.saturating_sub(number + 1))
    }
}

impl Journal {
    /// A journal of at most this many entries, and at most [`MAX_ENTRIES`].
    pub(crate) fn new(max_entries: usize) -> Self {
        Self::bounded(max_entries.min(MAX_ENTRIES), MAX_BYTES)
    }

    fn bounded(max_entries: usize, max_bytes: usize) -> Self {
        Self {
            max_entries,
            max_bytes,
            ring: Mutex::default(),
            last: AtomicU64::new(0),
            clears: AtomicU64::new(0),
            waiting: AtomicUsize::new(0),
            added: Notify::new(),
        }
    }

    /// Adds an entry that is not shared, and drops the oldest ones beyond the bounds.
    pub(crate) fn add(&self, stored: impl Into<Arc<Stored>>) {
        let mut stored: Arc<Stored> = stored.into();
        let size = stored.size();
        // The removed entries are freed after the lock is released.
        let (mut gone, mut others): (Option<Arc<Stored>>, Vec<Arc<Stored>>) = (None, Vec::new());
        {
            let mut ring = self.lock();
            ring.last += 1;
            if let Some(stored) = Arc::get_mut(&mut stored) {
                stored.number = ring.last;
            }
            ring.bytes += size;
            ring.entries.push_back((stored, size));
            while ring.entries.len() > self.max_entries || ring.bytes > self.max_bytes {
                let Some((oldest, size)) = ring.entries.pop_front() else { break };
                ring.bytes -= size;
                ring.dropped += 1;
                others.extend(gone.replace(oldest));
            }
            // Before the number of waiting callers is read: each of them counts itself before it reads this number.
            self.last.store(ring.last, Ordering::SeqCst);
        }
        if let Some(gone) = gone {
            spare::keep(gone);
        }
        if self.waiting.load(Ordering::SeqCst) > 0 {
            self.added.notify_waiters();
        }
    }

    /// Removes all entries. Returns their number. The next entry has the number after that of the last one.
    pub fn clear(&self) -> usize {
        let entries = {
            let mut ring = self.lock();
            (ring.bytes, ring.dropped) = (0, 0);
            self.clears.fetch_add(1, Ordering::Release);
            std::mem::take(&mut ring.entries)
        };
        entries.len()
    }

    /// Returns a number that changes whenever the entries may change. It takes no lock.
    pub fn revision(&self) -> u64 {
        // Neither of the two ever decreases.
        self.last().wrapping_add(self.clears.load(Ordering::Acquire))
    }

    /// Returns the number of the oldest entry; without entries, the one that the next entry will have.
    pub fn first(&self) -> u64 {
        let ring = self.lock();
        ring.entries.front().map_or(ring.last + 1, |(oldest, _)| oldest.number)
    }

    /// Returns the number of the last entry; 0 before the first one.
    pub fn last(&self) -> u64 {
        self.last.load(Ordering::SeqCst)
    }

    /// Returns the entries after the one with this number, the oldest first.
    pub(crate) fn after(&self, number: u64) -> Snapshot {
        self.some_after(number, usize::MAX)
    }

    /// Returns the first entries after the one with this number, at most `most`, the oldest first. Requests that end
    /// wait for the lock meanwhile, so a caller that needs a few entries must not copy all.
    pub(crate) fn some_after(&self, number: u64, most: usize) -> Snapshot {
        let ring = self.lock();
        let from = ring.entries.partition_point(|(entry, _)| entry.number <= number);
        let entries = ring.entries.iter().skip(from).take(most).map(|(entry, _)| Arc::clone(entry)).collect();
        Snapshot { entries, dropped: ring.dropped, last: ring.last }
    }

    /// Returns the entries after the one with this number, the oldest first, at most `most`, and the number of dropped
    /// entries between that number and the first of them.
    pub fn entries_after(&self, number: u64, most: usize) -> (Vec<JournalEntry>, u64) {
        let snapshot = self.some_after(number, most);
        (snapshot.entries.iter().map(|entry| entry.shown()).collect(), snapshot.gone_after(number))
    }

    /// Returns the entry with this number; `None` if there is none yet, or if it was dropped.
    pub fn entry(&self, number: u64) -> Option<JournalEntry> {
        let snapshot = self.some_after(number.saturating_sub(1), 1);
        snapshot.entries.iter().find(|entry| entry.number == number).map(|entry| entry.shown())
    }

    /// Waits until there is an entry after the one with this number.
    pub async fn added_after(&self, number: u64) {
        let _counted = Waiting::counted(&self.waiting);
        loop {
            let added = self.added.notified();
            tokio::pin!(added);
            // Registered before the number is read, so that no notification is missed.
            added.as_mut().enable();
            if self.last() > number {
                return;
            }
            added.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(journal: &Journal, after: u64) -> Vec<u64> {
        journal.after(after).entries.iter().map(|entry| entry.number).collect()
    }

    #[test]
    fn one_entry_more_than_the_number_drops_the_oldest() {
        let journal = Journal::bounded(3, MAX_BYTES);
        for _ in 0..3 {
            journal.add(Stored::of("GET", "/v3/dids"));
        }
        assert_eq!((numbers(&journal, 0), journal.after(0).dropped), (vec![1, 2, 3], 0));
        journal.add(Stored::of("GET", "/v3/dids"));
        assert_eq!((numbers(&journal, 0), journal.after(0).dropped), (vec![2, 3, 4], 1));
        assert_eq!(numbers(&journal, 3), [4]);
        let (entries, gone) = journal.entries_after(0, 2);
        assert_eq!((entries.len(), gone), (2, 1));
        let some = journal.some_after(0, 2);
        assert_eq!(some.entries.iter().map(|entry| entry.number).collect::<Vec<_>>(), [2, 3]);
        assert_eq!((some.gone_after(0), some.last), (1, 4));
        let found = |number| journal.entry(number).map(|entry| entry.number);
        assert_eq!([0, 1, 2, 4, 5].map(found), [None, None, Some(2), Some(4), None]);
        let before = (journal.first(), journal.revision());
        journal.clear();
        assert_eq!((before, journal.first(), journal.last()), ((2, 4), 5, 4));
        assert!(journal.revision() > before.1, "who shows the entries has to know of it");
    }

    #[test]
    fn one_byte_more_than_the_bytes_drops_the_oldest() {
        let size = Stored::of("GET", "/v3/dids").size();
        let journal = Journal::bounded(100, 2 * size);
        journal.add(Stored::of("GET", "/v3/dids"));
        journal.add(Stored::of("GET", "/v3/dids"));
        assert_eq!(numbers(&journal, 0), [1, 2]);
        journal.add(Stored::of("GET", "/v3/didss"));
        assert_eq!(numbers(&journal, 0), [3], "two of which one is longer have no room together");
        assert_eq!(journal.lock().bytes, size + 1);
        assert_eq!((journal.clear(), journal.lock().bytes), (1, 0));
    }

    #[test]
    fn a_cleared_journal_goes_on_with_its_numbers() {
        let journal = Journal::new(10);
        journal.add(Stored::of("GET", "/a"));
        assert_eq!(journal.clear(), 1);
        journal.add(Stored::of("GET", "/b"));
        assert_eq!((numbers(&journal, 0), journal.last()), (vec![2], 2));
        assert_eq!(Journal::new(usize::MAX).max_entries, MAX_ENTRIES);
    }

    #[tokio::test]
    async fn a_waiter_is_notified_of_an_entry_that_came_before_it_waited() {
        let journal = Arc::new(Journal::new(10));
        journal.add(Stored::of("GET", "/a"));
        journal.added_after(0).await;
        let waiting = tokio::spawn({
            let journal = Arc::clone(&journal);
            async move { journal.added_after(1).await }
        });
        journal.add(Stored::of("GET", "/b"));
        waiting.await.unwrap();
        assert_eq!(journal.waiting.load(Ordering::SeqCst), 0);
    }

    #[tokio::test]
    async fn one_that_waits_already_is_notified_of_an_entry() {
        let journal = Journal::new(10);
        let mut waiting = Box::pin(journal.added_after(0));
        let context = &mut std::task::Context::from_waker(std::task::Waker::noop());
        assert!(waiting.as_mut().poll(context).is_pending());
        assert_eq!(journal.waiting.load(Ordering::SeqCst), 1);
        journal.add(Stored::of("GET", "/a"));
        waiting.await;
        let mut given_up = Box::pin(journal.added_after(1));
        assert!(given_up.as_mut().poll(context).is_pending());
        drop(given_up);
        assert_eq!(journal.waiting.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn an_entry_that_went_to_make_room_is_overwritten_by_the_next_of_its_thread() {
        let journal = Journal::bounded(1, MAX_BYTES);
        journal.add(Stored::of("GET", "/a"));
        let place = Arc::as_ptr(&journal.after(0).entries[0]);
        journal.add(Stored::of("GET", "/b"));
        let spare = spare::take();
        assert_eq!((Arc::as_ptr(&spare), spare.path()), (place, "/a"));
        journal.add(Stored::of("GET", "/c"));
        let read = journal.after(0);
        journal.add(Stored::of("GET", "/d"));
        assert_eq!(spare::take().path(), "", "a reader has what went");
        assert_eq!(read.entries[0].path(), "/c");
    }

    #[test]
    fn of_many_entries_that_go_to_make_room_for_a_long_one_none_is_left() {
        let size = Stored::of("GET", "/v3/dids").size();
        let journal = Journal::bounded(100, 4 * size);
        for _ in 0..4 {
            journal.add(Stored::of("GET", "/v3/dids"));
        }
        let long = "/".repeat(3 * size);
        journal.add(Stored::of("GET", &long));
        assert_eq!((numbers(&journal, 0), journal.after(0).dropped), (vec![5], 4));
    }
}
