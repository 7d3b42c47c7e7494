//! A bounded collection of recently used entries, for caches: the least recently used entry is evicted first.
//!
//! Each entry has an owner, and a size in the unit of its cache, such as bytes. The entries and their sizes are bounded
//! in total and of one owner, and an owner that exceeds its own bound loses its own entries. A look-up is a linear
//! search, so a bound of entries is some hundreds at most. The collection has no lock: that of its cache protects it.

/// A bound of entries: how many, and the total of their sizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Most {
    /// The most entries.
    pub entries: usize,
    /// The maximum total of their sizes, in the unit of the cache.
    pub size: usize,
}

/// The entries of a cache that were used last.
#[derive(Debug)]
pub struct RecentlyUsed<T> {
    total: Most,
    of_one_owner: Most,
    kept: Vec<Kept<T>>,
    /// Incremented with each use of an entry.
    uses: u64,
}

#[derive(Debug)]
struct Kept<T> {
    owner: i64,
    size: usize,
    /// The value of [`RecentlyUsed::uses`] at the last use.
    last_used: u64,
    entry: T,
}

impl<T> RecentlyUsed<T> {
    /// Creates a collection without entries, with a bound of all entries and one of those of an owner.
    pub const fn new(total: Most, of_one_owner: Most) -> Self {
        Self { total, of_one_owner, kept: Vec::new(), uses: 0 }
    }

    /// Returns an entry of an owner, and counts this as its use.
    pub fn get(&mut self, owner: i64, is_wanted: impl Fn(&T) -> bool) -> Option<&T> {
        self.uses += 1;
        let uses = self.uses;
        let kept = self.kept.iter_mut().find(|kept| kept.owner == owner && is_wanted(&kept.entry))?;
        kept.last_used = uses;
        Some(&kept.entry)
    }

    /// Adds an entry in place of those of its owner that it replaces, and returns the entries that were removed, which
    /// the caller drops after it released its lock. An entry that alone exceeds a bound is returned too.
    #[must_use = "removed entries are dropped after the lock is released"]
    pub fn insert(&mut self, owner: i64, size: usize, entry: T, is_replaced: impl Fn(&T) -> bool) -> Vec<T> {
        // An empty vector allocates nothing.
        let mut gone = Vec::new();
        let mut at = 0;
        while let Some(older) = self.kept.get(at) {
            if older.owner == owner && is_replaced(&older.entry) {
                gone.push(self.kept.swap_remove(at).entry);
            } else {
                at += 1;
            }
        }
        let (total, own) = (self.total, self.of_one_owner);
        if !total.can_hold(size) || !own.can_hold(size) {
            gone.push(entry);
            return gone;
        }
        self.make_room(size, own, |kept| kept.owner == owner, &mut gone);
        self.make_room(size, total, |_| true, &mut gone);
        self.uses += 1;
        self.kept.push(Kept { owner, size, last_used: self.uses, entry });
        gone
    }

    /// Removes all entries.
    pub fn clear(&mut self) {
        self.kept.clear();
    }

    /// Removes the least recently used of the entries that `is_evictable` selects, until an entry of this size fits.
    fn make_room(
        &mut self,
        size: usize,
        most: Most,
        is_evictable: impl Fn(&Kept<T>) -> bool,
        gone: &mut Vec<T>,
    ) {
        loop {
            let evictable = || self.kept.iter().enumerate().filter(|(_, kept)| is_evictable(kept));
            if evictable().count() < most.entries
                && evictable().map(|(_, kept)| kept.size).sum::<usize>() <= most.size - size
            {
                return;
            }
            let Some((oldest, _)) = evictable().min_by_key(|(_, kept)| kept.last_used) else { return };
            gone.push(self.kept.swap_remove(oldest).entry);
        }
    }
}

impl Most {
    /// Whether an entry of this size is within the bound, if there is no other.
    const fn can_hold(self, size: usize) -> bool {
        self.entries > 0 && size <= self.size
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TOTAL: Most = Most { entries: 4, size: 40 };
    const OF_ONE_OWNER: Most = Most { entries: 3, size: 20 };

    fn empty() -> RecentlyUsed<&'static str> {
        RecentlyUsed::new(TOTAL, OF_ONE_OWNER)
    }

    /// Keeps an entry that replaces no other.
    fn add(
        entries: &mut RecentlyUsed<&'static str>,
        owner: i64,
        size: usize,
        name: &'static str,
    ) -> Vec<&'static str> {
        entries.insert(owner, size, name, |_| false)
    }

    fn has(entries: &mut RecentlyUsed<&'static str>, owner: i64, name: &str) -> bool {
        entries.get(owner, |entry| *entry == name).is_some()
    }

    #[test]
    fn an_entry_is_found_by_its_owner_alone() {
        let mut entries = empty();
        assert!(!has(&mut entries, 1, "a"));
        assert!(add(&mut entries, 1, 1, "a").is_empty());
        assert!(has(&mut entries, 1, "a") && !has(&mut entries, 2, "a") && !has(&mut entries, 1, "b"));
        entries.clear();
        assert!(!has(&mut entries, 1, "a"));
    }

    #[test]
    fn of_all_entries_the_one_that_was_not_used_for_longest_goes_first() {
        let mut entries = empty();
        for (owner, name) in [(1, "a"), (2, "b"), (3, "c"), (4, "d")] {
            assert!(add(&mut entries, owner, 1, name).is_empty());
        }
        assert!(has(&mut entries, 1, "a"));
        assert_eq!(add(&mut entries, 5, 1, "e"), ["b"], "their number is limited");
        assert_eq!(add(&mut entries, 6, 20, "f"), ["c"]);
        assert_eq!(add(&mut entries, 7, 20, "g"), ["d", "a", "e"], "their size is limited");
        assert!(has(&mut entries, 6, "f") && has(&mut entries, 7, "g"));
    }

    #[test]
    fn an_owner_with_too_many_loses_its_own() {
        let mut entries = empty();
        assert!(add(&mut entries, 2, 1, "other").is_empty());
        for name in ["a", "b", "c"] {
            assert!(add(&mut entries, 1, 1, name).is_empty());
        }
        assert_eq!(add(&mut entries, 1, 1, "d"), ["a"], "their number is limited");
        assert_eq!(add(&mut entries, 1, 19, "e"), ["b", "c"], "their size is limited");
        assert!(has(&mut entries, 2, "other") && has(&mut entries, 1, "d") && has(&mut entries, 1, "e"));
    }

    #[test]
    fn an_entry_replaces_what_it_selects_of_its_owner() {
        let mut entries = empty();
        for (owner, name) in [(1, "a"), (1, "b"), (2, "a")] {
            assert!(add(&mut entries, owner, 1, name).is_empty());
        }
        assert_eq!(entries.insert(1, 1, "c", |older| *older == "a"), ["a"]);
        assert!(has(&mut entries, 2, "a") && has(&mut entries, 1, "b") && has(&mut entries, 1, "c"));
        let mut replaced = entries.insert(1, 1, "d", |_| true);
        replaced.sort_unstable();
        assert_eq!(replaced, ["b", "c"]);
        assert!(has(&mut entries, 2, "a") && has(&mut entries, 1, "d"));
    }

    #[test]
    fn an_entry_that_exceeds_a_bound_alone_is_not_kept_but_ends_what_it_replaces() {
        let mut entries = empty();
        for name in ["a", "b"] {
            assert!(add(&mut entries, 1, 1, name).is_empty());
        }
        assert_eq!(entries.insert(1, 21, "long", |older| *older == "a"), ["a", "long"]);
        assert!(has(&mut entries, 1, "b") && !has(&mut entries, 1, "long"));
        let mut none = RecentlyUsed::new(Most { entries: 0, ..TOTAL }, OF_ONE_OWNER);
        assert_eq!(add(&mut none, 1, 1, "a"), ["a"]);
    }

    proptest! {
        #[test]
        fn no_bound_is_ever_exceeded_and_the_newest_entry_is_kept(
            steps in proptest::collection::vec((0i64..4, 0usize..=20, any::<bool>()), 1..100),
        ) {
            let mut entries = RecentlyUsed::new(TOTAL, OF_ONE_OWNER);
            let mut count = 0;
            for (number, (owner, size, is_read)) in steps.into_iter().enumerate() {
                if is_read {
                    let _ = entries.get(owner, |_| true);
                    continue;
                }
                count += 1;
                count -= entries.insert(owner, size, number, |older| older % 7 == number % 7).len();
                prop_assert_eq!(entries.kept.len(), count);
                let within = |most: Most, kept: Vec<&Kept<usize>>| {
                    kept.len() <= most.entries && kept.iter().map(|kept| kept.size).sum::<usize>() <= most.size
                };
                prop_assert!(within(TOTAL, entries.kept.iter().collect()));
                let own = entries.kept.iter().filter(|kept| kept.owner == owner).collect();
                prop_assert!(within(OF_ONE_OWNER, own));
                prop_assert!(entries.get(owner, |entry| *entry == number).is_some());
            }
        }
    }
}
