//! Selects the entries of the journal for a list or a follower. Entries are selected in their stored form; only the
//! selected ones are converted for readers, which costs more.

use didww_types::Timestamp;

use crate::expected::Expected;
use crate::journal::{Journal, JournalEntry, Snapshot, Stored};

/// Selects entries of the journal.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Selection {
    /// The method, path, type of records, account and status that an entry must have. Other members are ignored.
    pub expected: Expected,
    /// The earliest time of an entry, inclusive.
    pub since: Option<Timestamp>,
    /// Whether the entries are shown without their headers and the texts of their bodies.
    pub brief: bool,
}

/// The next entries of the journal for a follower.
#[derive(Debug)]
#[non_exhaustive]
pub struct Followed {
    /// The selected entries, the oldest first.
    pub entries: Vec<JournalEntry>,
    /// The number of the entry after which the follower continues.
    pub last: u64,
    /// Number of entries that the journal dropped before the follower read them.
    pub missed: u64,
}

impl Selection {
    fn has(&self, entry: &Stored) -> bool {
        self.since.is_none_or(|since| entry.time >= since) && self.expected.matches(entry)
    }

    fn shown(&self, entry: &Stored) -> JournalEntry {
        if self.brief { entry.brief() } else { entry.shown() }
    }
}

impl Journal {
    /// Returns the newest selected entries after the one with this number, the newest first, at most `most`.
    pub fn newest(&self, selection: &Selection, after: u64, most: usize) -> Vec<JournalEntry> {
        let Snapshot { entries, .. } = self.after(after);
        let selected = entries.iter().rev().filter(|entry| selection.has(entry));
        selected.take(most).map(|entry| selection.shown(entry)).collect()
    }

    /// Returns the selected ones among the next `most` entries after the one with this number.
    pub fn follow(&self, selection: &Selection, after: u64, most: usize) -> Followed {
        let snapshot = self.some_after(after, most);
        // A journal that was cleared meanwhile has no entry after the number, but the follower has still reached it.
        let last = snapshot.entries.last().map_or(snapshot.last, |entry| entry.number);
        let selected = snapshot.entries.iter().filter(|entry| selection.has(entry));
        let entries = selected.map(|entry| selection.shown(entry)).collect();
        Followed { entries, last, missed: snapshot.gone_after(after) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_follower_goes_on_where_it_was_and_learns_what_it_missed() {
        let journal = Journal::new(3);
        for path in ["/a", "/b", "/c", "/b"] {
            journal.add(Stored::of("GET", path));
        }
        let selection = Selection { expected: Expected::new("GET", "/b"), ..Selection::default() };
        let first = journal.follow(&selection, 0, 2);
        assert_eq!((first.entries.len(), first.last, first.missed), (1, 3, 1));
        let second = journal.follow(&selection, first.last, 2);
        assert_eq!((second.entries.len(), second.last, second.missed), (1, 4, 0));
        journal.add(Stored::of("GET", "/b"));
        journal.clear();
        assert_eq!(journal.follow(&selection, second.last, 2).last, 5);
    }

    #[test]
    fn a_list_has_the_newest_first() {
        let journal = Journal::new(10);
        for path in ["/b", "/a", "/b", "/b"] {
            journal.add(Stored::of("GET", path));
        }
        let selection = Selection { expected: Expected::new("GET", "/b"), ..Selection::default() };
        let numbers = |after, most| {
            let listed = journal.newest(&selection, after, most);
            listed.iter().map(|entry| entry.number).collect::<Vec<_>>()
        };
        assert_eq!(numbers(0, 10), [4, 3, 1]);
        assert_eq!(numbers(0, 2), [4, 3]);
        assert_eq!(numbers(3, 10), [4]);
        let later = Selection { since: Some(Timestamp::from_unix_millis(1)), ..selection };
        assert!(journal.newest(&later, 0, 10).is_empty());
    }
}
