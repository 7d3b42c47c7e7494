//! The documents of pages that were answered last, each with the state of the records that it shows.
//!
//! A page is a function of a [`PageOf`] and of the records of some types ([`PageTypes`](super::page_types::PageTypes)).
//! The store counts the changes of each type, so a kept page is sent only after the store has reported the same numbers
//! as when the page was read: the response equals one that is read from the store at that moment, whichever node wrote
//! last.
//!
//! Bounds: the pages and their bytes, in total and of one owner. The least recently used page is evicted first, and an
//! owner with too many pages loses one of its own.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use didww_types::{ApiVersion, Features};
use http::HeaderValue;
use service_base::recently_used::{Most, RecentlyUsed};

/// The most pages.
const MAX_PAGES: usize = 64;
/// The most bytes of all pages.
const MAX_BYTES: usize = 4 << 20;
/// Maximum number of bytes of a kept page.
const MAX_PAGE_BYTES: usize = 512 << 10;
/// Minimum number of bytes of a kept page. Shorter ones are read quickly, and there can be many, such as those of a
/// filter by name, which must not displace others.
const MIN_PAGE_BYTES: usize = if cfg!(test) { 10 } else { 8 << 10 };
/// The part of the pages and of the bytes that one owner of records can have: a fourth. An account reads its own
/// records and those of none, which are half of all pages at most, and the others are left to the other accounts.
const SHARE: usize = 4;

/// The inputs of a page other than records.
#[derive(Debug, Clone, Copy)]
pub(super) struct PageOf<'a> {
    /// The number of the account that owns the records, or that of none.
    pub(super) owner: i64,
    /// The name of the records' type.
    pub(super) kind: &'static str,
    pub(super) version: ApiVersion,
    /// The features of the account that reads it, without which some relationships are not shown.
    pub(super) features: Features,
    /// The beginning of its links: scheme, host and path.
    pub(super) base: &'a str,
    /// The query of the request, as it was sent.
    pub(super) query: &'a str,
}

/// The document of a page.
#[derive(Debug, Clone)]
pub(super) struct KeptPage {
    /// How often the records of each type had been changed: [`Records::changes`](trunk_store::Records::changes).
    pub(super) changes: Vec<i64>,
    pub(super) body: Bytes,
    /// The entity tag of the body.
    pub(super) tag: HeaderValue,
}

/// The pages that were answered last.
pub(crate) struct KeptPages(Mutex<RecentlyUsed<Entry>>);

/// A page of an owner.
struct Entry {
    kind: &'static str,
    version: ApiVersion,
    features: Features,
    base: String,
    query: String,
    page: KeptPage,
}

impl Default for KeptPages {
    fn default() -> Self {
        let total = Most { entries: MAX_PAGES, size: MAX_BYTES };
        let of_one_owner = Most { entries: MAX_PAGES / SHARE, size: MAX_BYTES / SHARE };
        Self(Mutex::new(RecentlyUsed::new(total, of_one_owner)))
    }
}

impl KeptPages {
    /// Returns a page, which may be sent only if the numbers of changes are still the same.
    pub(super) fn get(&self, of: PageOf<'_>) -> Option<KeptPage> {
        let mut state = self.state();
        let entry = state.get(of.owner, |entry| entry.is_of(of))?;
        Some(entry.page.clone())
    }

    /// Keeps a page in place of its older version.
    pub(super) fn keep(&self, of: PageOf<'_>, page: KeptPage) {
        let PageOf { owner, kind, version, features, base, query } = of;
        let bytes = page.body.len() + base.len() + query.len();
        if !(MIN_PAGE_BYTES..=MAX_PAGE_BYTES).contains(&bytes) {
            return;
        }
        let (base, query) = (base.to_owned(), query.to_owned());
        let entry = Entry { kind, version, features, base, query, page };
        let gone = self.state().insert(owner, bytes, entry, |older| older.is_of(of));
        // After the lock was released.
        drop(gone);
    }

    fn state(&self) -> MutexGuard<'_, RecentlyUsed<Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    /// Whether it is this page of its owner.
    fn is_of(&self, of: PageOf<'_>) -> bool {
        self.kind == of.kind
            && self.version == of.version
            && self.features == of.features
            && self.query == of.query
            && self.base == of.base
    }
}

/// Records can hold passwords, so nothing of them is shown.
impl std::fmt::Debug for KeptPages {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeptPages").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use didww_types::Feature;

    use super::*;

    const AT: PageOf<'static> = PageOf {
        owner: 1,
        kind: "dids",
        version: ApiVersion::V2022_05_10,
        features: Features::NONE,
        base: "http://a/v3",
        query: "sort=number",
    };

    fn page(changes: i64, bytes: usize) -> KeptPage {
        let tag = HeaderValue::from_static("W/\"1\"");
        KeptPage { changes: vec![changes], body: Bytes::from(vec![b'x'; bytes]), tag }
    }

    #[test]
    fn a_page_is_that_of_the_same_request_alone_and_the_newest() {
        let pages = KeptPages::default();
        assert!(pages.get(AT).is_none());
        pages.keep(AT, page(1, 10));
        pages.keep(AT, page(2, 20));
        let kept = pages.get(AT).unwrap();
        assert_eq!((kept.changes, kept.body.len()), (vec![2], 20));
        for other in [
            PageOf { owner: 2, ..AT },
            PageOf { kind: "orders", ..AT },
            PageOf { version: ApiVersion::V2026_04_16, ..AT },
            PageOf { features: Features::of([Feature::Emergency]), ..AT },
            PageOf { base: "http://b/v3", ..AT },
            PageOf { query: "", ..AT },
        ] {
            assert!(pages.get(other).is_none(), "{other:?}");
        }
    }

    #[test]
    fn an_owner_with_too_many_pages_loses_its_own_and_the_oldest() {
        let pages = KeptPages::default();
        let names: Vec<String> = (0..MAX_PAGES).map(|n| format!("page={n}")).collect();
        let is_kept = |owner, n: usize| pages.get(PageOf { owner, query: &names[n], ..AT }).is_some();
        pages.keep(PageOf { owner: 2, query: &names[0], ..AT }, page(1, 10));
        for name in &names {
            pages.keep(PageOf { query: name, ..AT }, page(1, 10));
        }
        assert!(is_kept(2, 0));
        let first = MAX_PAGES - MAX_PAGES / SHARE;
        assert!(is_kept(1, first) && !is_kept(1, first - 1));
        pages.keep(PageOf { owner: 3, ..AT }, page(1, MAX_PAGE_BYTES - 100));
        for name in names.iter().take(MAX_BYTES / SHARE / MAX_PAGE_BYTES + 1) {
            pages.keep(PageOf { query: name, ..AT }, page(1, MAX_PAGE_BYTES - 100));
        }
        assert!(!is_kept(1, 0) && is_kept(1, 1) && is_kept(2, 0), "its bytes are limited too");
        assert!(pages.get(PageOf { owner: 3, ..AT }).is_some());
    }

    #[test]
    fn all_pages_together_are_bounded_and_one_that_is_too_long_or_too_short_is_not_kept() {
        let pages = KeptPages::default();
        let room = MAX_PAGE_BYTES - AT.base.len() - AT.query.len();
        let least = PageOf { base: "", query: "", ..AT };
        pages.keep(AT, page(1, room + 1));
        pages.keep(least, page(1, MIN_PAGE_BYTES - 1));
        assert!(pages.get(AT).is_none() && pages.get(least).is_none());
        let most = i64::try_from(MAX_BYTES / MAX_PAGE_BYTES).unwrap();
        for owner in 0..=most {
            pages.keep(PageOf { owner, ..AT }, page(1, room));
        }
        let kept = |owner| pages.get(PageOf { owner, ..AT }).is_some();
        assert!(!kept(0) && (1..=most).all(kept));
    }
}
