//! A cache of rendered resources: the texts of records that did not change are copied into responses.
//!
//! A text is a function of the members of [`Rendering`], and an entry is used only if all of them are equal. So no
//! write has to invalidate anything, on one node or on several: a record that was read after a write has other content.
//!
//! Once a record was read alone, its text is kept inside the document of that response, with the entity tag. So the
//! next GET of the record is answered with the memory of the entry.

use std::hash::BuildHasher as _;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use didww_types::{ApiVersion, Features};
use foldhash::quality::RandomState;
use http::HeaderValue;
use trunk_store::Record;

use crate::headers::entity_tag;

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
    text: Text,
    /// Whether a GET of the record is answered with nothing but the resource and the version.
    is_whole: bool,
}

/// The text of a resource.
enum Text {
    Alone(String),
    /// Inside the document that has the resource alone.
    Inside {
        document: Bytes,
        /// The number of bytes of the document behind the text.
        behind: usize,
        /// The entity tag of the document.
        tag: HeaderValue,
    },
}

/// The beginning of a document that has one resource.
const BEFORE: &str = "{\"data\":";

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
        self.with(of, |entry| to.push_str(entry.text.as_str())).is_some()
    }

    /// The document with which a GET of the record is answered, and its entity tag, if its text is kept and the
    /// document has nothing else but the version.
    pub(super) fn document(&self, of: Rendering<'_>) -> Option<(Bytes, HeaderValue)> {
        self.with(of, |entry| entry.is_whole.then(|| entry.text.document(of.version))).flatten()
    }

    /// Uses an entry, which is then the most recently used one of its set. `None` if there is none.
    fn with<T>(&self, of: Rendering<'_>, use_it: impl FnOnce(&mut Entry) -> T) -> Option<T> {
        let mut set = self.set(of)?.lock().unwrap_or_else(PoisonError::into_inner);
        let place = set.iter().position(|entry| entry.as_ref().is_some_and(|entry| entry.is_of(of)))?;
        let newer = set.get_mut(..=place)?;
        newer.rotate_right(1);
        Some(use_it(newer.first_mut()?.as_deref_mut()?))
    }

    /// Keeps the text of a resource, in place of an older one of the same record. `is_whole` is whether a GET of the
    /// record is answered with nothing but the resource and the version.
    pub(super) fn keep(&self, of: Rendering<'_>, text: &str, is_whole: bool) {
        let Rendering { record, version, features, base } = of;
        let content = record.attributes.len() + record.meta.as_ref().map_or(0, String::len);
        if content + base.len() + text.len() > MAX_BYTES {
            return;
        }
        let Some(set) = self.set(of) else { return };
        let (record, base, text) = (record.clone(), base.to_owned(), Text::Alone(text.to_owned()));
        let entry = Some(Box::new(Entry { record, version, features, base, text, is_whole }));
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

impl Text {
    fn as_str(&self) -> &str {
        match self {
            Self::Alone(text) => text,
            Self::Inside { document, behind, .. } => {
                let end = document.len().saturating_sub(*behind);
                let text = document.get(BEFORE.len()..end).unwrap_or_default();
                std::str::from_utf8(text).unwrap_or_default()
            }
        }
    }

    /// The document that has the resource alone, and its entity tag.
    fn document(&mut self, version: ApiVersion) -> (Bytes, HeaderValue) {
        if let Self::Inside { document, tag, .. } = self {
            return (document.clone(), tag.clone());
        }
        let behind = [",\"meta\":{\"api_version\":\"", version.as_str(), "\"}}"].concat();
        let document = Bytes::from([BEFORE, self.as_str(), behind.as_str()].concat());
        let tag = entity_tag(&document);
        *self = Self::Inside { document: document.clone(), behind: behind.len(), tag: tag.clone() };
        (document, tag)
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
        cache.keep(Rendering { record, version, features, base }, text, true);
    }

    fn document(cache: &RenderedResources, record: &Record) -> Option<(Bytes, HeaderValue)> {
        let (version, features, base) = AT;
        cache.document(Rendering { record, version, features, base })
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
    fn the_document_of_a_record_is_the_same_memory_for_all_and_its_text_can_still_be_copied() {
        let (cache, record) = (RenderedResources::default(), record());
        assert_eq!(document(&cache, &record), None);
        keep(&cache, &record, r#"{"id":"\u00e4\u00df"}"#);
        let (first, tag) = document(&cache, &record).unwrap();
        assert_eq!(first, r#"{"data":{"id":"\u00e4\u00df"},"meta":{"api_version":"2022-05-10"}}"#);
        assert_eq!(tag, entity_tag(&first));
        let (again, tag_again) = document(&cache, &record).unwrap();
        assert_eq!((again.as_ptr(), tag_again), (first.as_ptr(), tag));
        assert_eq!(copied(&cache, &record, AT).as_deref(), Some(r#"before {"id":"\u00e4\u00df"}"#));
        let changed = Record { revision: 1, ..record.clone() };
        assert_eq!(document(&cache, &changed), None, "it has other content");
        keep(&cache, &record, "newer");
        assert!(document(&cache, &record).unwrap().0.starts_with(b"{\"data\":newer,"));
    }

    #[test]
    fn a_record_whose_document_has_more_than_its_text_has_none_here() {
        let (cache, record) = (RenderedResources::default(), record());
        let (version, features, base) = AT;
        cache.keep(Rendering { record: &record, version, features, base }, "text", false);
        assert_eq!(document(&cache, &record), None);
        assert!(copied(&cache, &record, AT).is_some());
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
