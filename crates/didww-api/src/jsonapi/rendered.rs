//! A cache of rendered resources: the texts of records that did not change are copied into responses.
//!
//! A text is a function of the members of [`Rendering`], and an entry is used only if all of them are equal. So no
//! write has to invalidate anything, on one node or on several: a record that was read after a write has other content.

use std::hash::BuildHasher as _;
use std::sync::{Mutex, PoisonError};

use didww_types::{ApiVersion, Features};
use foldhash::quality::RandomState;
use trunk_store::Record;

/// The number of sets. A resource belongs to one, with others.
const SETS: usize = 256;
/// The number of entries of a set, in which a new entry replaces the least recently used one. With only one place for
/// each resource, some records of a page of fifty would share a place, and be rendered again each time.
const ENTRIES: usize = 4;
/// Maximum number of bytes of a record's content and its text together, which bounds the cache to 16 MiB.
const MAX_BYTES: usize = 16 << 10;

/// The inputs of the text of a resource, if its response selects no fields and shows no linkage.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rendering<'a> {
    pub(super) record: &'a Record,
    pub(super) version: ApiVersion,
    /// The features of the account that reads it, without which some relationships are not shown.
    pub(super) features: Features,
    /// The beginning of its links, escaped.
    pub(super) base: &'a str,
}

/// The texts of the resources that were rendered last.
pub(crate) struct RenderedResources {
    sets: Box<[Mutex<Set>]>,
    /// Seeded at random, so that a client cannot choose records that share a set.
    hasher: RandomState,
}

/// The entries of a set, the most recently used one first.
type Set = [Option<Box<Entry>>; ENTRIES];

struct Entry {
    record: Record,
    version: ApiVersion,
    features: Features,
    base: String,
    text: String,
}

impl Default for RenderedResources {
    fn default() -> Self {
        Self::with_sets(SETS)
    }
}

impl RenderedResources {
    fn with_sets(number: usize) -> Self {
        Self { sets: (0..number).map(|_| Mutex::default()).collect(), hasher: RandomState::default() }
    }

    /// Appends the text of a resource if it is kept. Returns true if it is.
    pub(super) fn copy(&self, of: Rendering<'_>, to: &mut String) -> bool {
        let Some(set) = self.set(of) else { return false };
        let mut set = set.lock().unwrap_or_else(PoisonError::into_inner);
        let found = set.iter().position(|entry| entry.as_ref().is_some_and(|entry| entry.is_of(of)));
        let Some(newer) = found.and_then(|place| set.get_mut(..=place)) else { return false };
        newer.rotate_right(1);
        let Some(Some(entry)) = newer.first() else { return false };
        to.push_str(&entry.text);
        true
    }

    /// Keeps the text of a resource, in place of an older one of the same record.
    pub(super) fn keep(&self, of: Rendering<'_>, text: &str) {
        let Rendering { record, version, features, base } = of;
        let content = record.attributes.len() + record.meta.as_ref().map_or(0, String::len);
        if content + base.len() + text.len() > MAX_BYTES {
            return;
        }
        let Some(set) = self.set(of) else { return };
        let entry =
            Entry { record: record.clone(), version, features, base: base.to_owned(), text: text.to_owned() };
        let entry = Some(Box::new(entry));
        let mut set = set.lock().unwrap_or_else(PoisonError::into_inner);
        let older = set.iter().position(|entry| entry.as_ref().is_some_and(|entry| entry.is_like(of)));
        let Some(newer) = set.get_mut(..=older.unwrap_or(ENTRIES - 1)) else { return };
        newer.rotate_right(1);
        let replaced = newer.first_mut().map(|first| std::mem::replace(first, entry));
        drop(set);
        // Freed after the lock was released.
        drop(replaced);
    }

    fn set(&self, of: Rendering<'_>) -> Option<&Mutex<Set>> {
        let hash = self.hasher.hash_one((of.record.id, of.version));
        let number = usize::try_from(hash.checked_rem(self.sets.len() as u64)?).ok()?;
        self.sets.get(number)
    }
}

impl Entry {
    fn is_of(&self, of: Rendering<'_>) -> bool {
        self.is_like(of) && self.record == *of.record
    }

    /// Whether this entry is for the same record, possibly with other content.
    fn is_like(&self, of: Rendering<'_>) -> bool {
        self.record.id == of.record.id
            && self.version == of.version
            && self.features == of.features
            && self.base == of.base
    }
}

/// Records can contain passwords, so none is shown.
impl std::fmt::Debug for RenderedResources {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RenderedResources").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use didww_types::Feature;
    use uuid::Uuid;

    use super::*;

    const AT: (ApiVersion, Features, &str) = (ApiVersion::V2022_05_10, Features::NONE, "http://a/v3");

    fn record() -> Record {
        let attributes = r#"{"name":"a"}"#.to_owned();
        Record { number: 1, id: Uuid::from_u128(1), kind: "dids", revision: 0, attributes, meta: None }
    }

    fn copied(
        cache: &RenderedResources,
        record: &Record,
        (version, features, base): (ApiVersion, Features, &str),
    ) -> Option<String> {
        let mut text = "before ".to_owned();
        cache.copy(Rendering { record, version, features, base }, &mut text).then_some(text)
    }

    fn keep(cache: &RenderedResources, record: &Record, text: &str) {
        let (version, features, base) = AT;
        cache.keep(Rendering { record, version, features, base }, text);
    }

    #[test]
    fn a_text_is_used_for_the_same_content_alone() {
        let (cache, record) = (RenderedResources::default(), record());
        assert_eq!(copied(&cache, &record, AT), None);
        keep(&cache, &record, "text");
        assert_eq!(copied(&cache, &record, AT).as_deref(), Some("before text"));
        let (version, features, base) = AT;
        for other in [
            (ApiVersion::V2026_04_16, features, base),
            (version, Features::of([Feature::Emergency]), base),
            (version, features, "http://b/v3"),
        ] {
            assert_eq!(copied(&cache, &record, other), None, "{other:?}");
        }
        let changed = |change: fn(&mut Record)| {
            let mut changed = record.clone();
            change(&mut changed);
            changed
        };
        for changed in [
            changed(|record| record.attributes = r#"{"name":"b"}"#.to_owned()),
            changed(|record| record.meta = Some("{}".to_owned())),
            changed(|record| record.revision = 1),
            changed(|record| record.kind = "orders"),
            changed(|record| record.id = Uuid::from_u128(2)),
        ] {
            assert_eq!(copied(&cache, &changed, AT), None, "{changed:?}");
        }
        keep(&cache, &record, "newer");
        assert_eq!(copied(&cache, &record, AT).as_deref(), Some("before newer"));
    }

    #[test]
    fn the_text_that_was_not_used_for_longest_is_replaced() {
        let cache = RenderedResources::with_sets(1);
        let numbered = |id| Record { id: Uuid::from_u128(id), ..record() };
        let is_kept = |id| copied(&cache, &numbered(id), AT).is_some();
        for id in [1, 2, 3, 4] {
            keep(&cache, &numbered(id), "text");
        }
        assert!([4, 3, 2, 1].into_iter().all(is_kept));
        let changed = Record { revision: 1, ..numbered(2) };
        keep(&cache, &changed, "changed");
        assert_eq!(copied(&cache, &changed, AT).as_deref(), Some("before changed"));
        assert!(!is_kept(2), "it replaced its older one, and no other");
        assert!([4, 3, 1].into_iter().all(is_kept));
        keep(&cache, &numbered(5), "text");
        assert!(copied(&cache, &changed, AT).is_none(), "it was not used for longest");
        assert!([5, 4, 3, 1].into_iter().all(is_kept));
    }

    #[test]
    fn a_text_that_is_too_long_is_not_kept() {
        let (cache, record) = (RenderedResources::default(), record());
        let room = MAX_BYTES - record.attributes.len() - AT.2.len();
        keep(&cache, &record, &"x".repeat(room + 1));
        assert_eq!(copied(&cache, &record, AT), None);
        keep(&cache, &record, &"x".repeat(room));
        assert!(copied(&cache, &record, AT).is_some());
    }
}
