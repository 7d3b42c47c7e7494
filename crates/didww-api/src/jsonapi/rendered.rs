//! The texts of resources that were rendered before, so that a response with records that did not change is copied.
//!
//! A text is a function of what [`Rendering`] has, and an entry is used only if all of that is equal. So no write has to
//! invalidate anything, on one node or on several: a record that was read after a write has other content.

use std::hash::BuildHasher as _;
use std::sync::{Mutex, PoisonError};

use didww_types::{ApiVersion, Features};
use foldhash::quality::RandomState;
use trunk_store::Record;

/// The number of entries. A resource has one place, and another one with the same place takes it.
const ENTRIES: usize = 1024;
/// The most bytes of a record's content and its text together, which bounds the cache to 16 MiB.
const MAX_BYTES: usize = 16 << 10;

/// What the text of a resource depends on, if its response selects no fields and shows no linkage.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rendering<'a> {
    pub(super) record: &'a Record,
    pub(super) version: ApiVersion,
    /// The features of the account that reads it, without which some relationships are not shown.
    pub(super) features: Features,
    /// What its links begin with, escaped.
    pub(super) base: &'a str,
}

/// The texts of the resources that were rendered last.
pub(crate) struct RenderedResources {
    entries: Box<[Mutex<Option<Entry>>]>,
    /// Seeded at random, so that a client cannot choose records that share a place.
    hasher: RandomState,
}

struct Entry {
    record: Record,
    version: ApiVersion,
    features: Features,
    base: String,
    text: String,
}

impl Default for RenderedResources {
    fn default() -> Self {
        let entries = (0..ENTRIES).map(|_| Mutex::default()).collect();
        Self { entries, hasher: RandomState::default() }
    }
}

impl RenderedResources {
    /// Appends the text of a resource, if it was rendered before, and returns whether it was.
    pub(super) fn copy(&self, of: Rendering<'_>, to: &mut String) -> bool {
        let Some(place) = self.place(of) else { return false };
        let entry = place.lock().unwrap_or_else(PoisonError::into_inner);
        let found = entry.as_ref().filter(|entry| entry.is_of(of));
        if let Some(entry) = found {
            to.push_str(&entry.text);
        }
        found.is_some()
    }

    /// Keeps the text of a resource.
    pub(super) fn keep(&self, of: Rendering<'_>, text: &str) {
        let Rendering { record, version, features, base } = of;
        let content = record.attributes.len() + record.meta.as_ref().map_or(0, String::len);
        if content + base.len() + text.len() > MAX_BYTES {
            return;
        }
        let Some(place) = self.place(of) else { return };
        let entry =
            Entry { record: record.clone(), version, features, base: base.to_owned(), text: text.to_owned() };
        let replaced = place.lock().unwrap_or_else(PoisonError::into_inner).replace(entry);
        // After the lock was released.
        drop(replaced);
    }

    fn place(&self, of: Rendering<'_>) -> Option<&Mutex<Option<Entry>>> {
        let hash = self.hasher.hash_one((of.record.id, of.version));
        let number = usize::try_from(hash % ENTRIES as u64).ok()?;
        self.entries.get(number)
    }
}

impl Entry {
    fn is_of(&self, of: Rendering<'_>) -> bool {
        self.version == of.version
            && self.features == of.features
            && self.base == of.base
            && self.record == *of.record
    }
}

/// Records can hold passwords, so nothing of them is shown.
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
    fn a_text_that_is_too_long_is_not_kept() {
        let (cache, record) = (RenderedResources::default(), record());
        let room = MAX_BYTES - record.attributes.len() - AT.2.len();
        keep(&cache, &record, &"x".repeat(room + 1));
        assert_eq!(copied(&cache, &record, AT), None);
        keep(&cache, &record, &"x".repeat(room));
        assert!(copied(&cache, &record, AT).is_some());
    }
}
