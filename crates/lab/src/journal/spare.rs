//! The entry that a thread overwrites next.
//!
//! An entry that is removed to make room is not freed: the next request of the same thread overwrites it. So a full
//! journal neither allocates memory nor frees any. The entries that it would free were written long ago, in the order
//! of time, and fill whole pages, which an allocator returns to the system and has to request again at once.

use std::cell::Cell;
use std::sync::Arc;

use super::entry::Stored;

thread_local! {
    /// The entry that was removed to make room when this thread last added one.
    static SPARE: Cell<Option<Arc<Stored>>> = const { Cell::new(None) };
}

/// An entry to overwrite: the kept one if no reader holds it, else a new one.
pub(super) fn take() -> Arc<Stored> {
    let spare = SPARE.try_with(Cell::take).ok().flatten();
    spare.filter(|stored| Arc::strong_count(stored) == 1).unwrap_or_default()
}

/// Keeps an entry, which replaces the one of this thread. It counts among the bytes of no journal.
pub(super) fn keep(stored: Arc<Stored>) {
    // A thread that ends keeps nothing.
    let _replaced = SPARE.try_with(|spare| spare.replace(Some(stored)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_overwritten_unless_a_reader_has_it() {
        let free = Arc::<Stored>::default();
        let place = Arc::as_ptr(&free);
        keep(free);
        let taken = take();
        assert_eq!(Arc::as_ptr(&taken), place);
        assert_ne!(Arc::as_ptr(&take()), place, "it is taken once");

        let reader = Arc::clone(&taken);
        keep(taken);
        assert!(!Arc::ptr_eq(&take(), &reader));
    }
}
