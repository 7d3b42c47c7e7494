//! A page of a list, and the number of the page after it.

use std::fmt;

use didww_types::{ApiVersion, CollectionMeta, Included, PageLinks, QueryPairs};

use crate::EndlessReason;

/// One page of a list.
///
/// `Debug` prints the number of included records instead of the records, which may hold credentials.
#[derive(Clone)]
#[non_exhaustive]
pub struct Page<T> {
    /// The records on the page.
    pub items: Vec<T>,
    /// The number of records on all pages, if the service reports it.
    pub total: Option<u64>,
    /// The related records that the request included.
    pub included: Included,
    /// The URLs of the other pages; all absent when the service does not divide the list into pages.
    pub links: PageLinks,
    /// The document's `meta` member, with members that this crate does not know.
    pub meta: CollectionMeta,
    /// The API version that served the request.
    pub version: ApiVersion,
}

impl<T: fmt::Debug> fmt::Debug for Page<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Page")
            .field("items", &self.items)
            .field("total", &self.total)
            .field("included", &self.included.len())
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

impl<T> Page<T> {
    /// The records on the page, one after the other.
    pub fn iter(&self) -> std::slice::Iter<'_, T> {
        self.items.iter()
    }

    /// The number of records on the page; `total` is that of all pages.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether the page has no records.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }
}

impl<'a, T> IntoIterator for &'a Page<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<T> IntoIterator for Page<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.into_iter()
    }
}

/// The progress of reading the pages of a list one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Progress {
    /// The number of the page to read.
    pub(crate) number: u64,
    /// The number of records on the pages read before.
    seen: u64,
    /// The largest total reported so far. The total changes when records are created or deleted meanwhile.
    total: Option<u64>,
}

impl Progress {
    pub(crate) const fn at(number: u64) -> Self {
        Self { number, seen: 0, total: None }
    }

    /// The progress after reading a page with this number of records; `None` at the end of the list.
    ///
    /// Only the page number of a link is used, never its URL, so that the API key is only sent to the base
    /// URL.
    pub(crate) fn after(
        self,
        records: usize,
        total: Option<u64>,
        links: &PageLinks,
    ) -> Result<Option<Self>, EndlessReason> {
        let seen = self.seen.saturating_add(u64::try_from(records).unwrap_or(u64::MAX));
        let total = self.total.max(total);
        let all = total.filter(|total| seen >= *total);
        let number = match &links.next {
            Some(link) => {
                let next = number_of(link).unwrap_or(self.number.saturating_add(1));
                if next <= self.number {
                    return Err(EndlessReason::Repeated { next });
                } else if records == 0 {
                    return Err(EndlessReason::Empty);
                } else if let Some(total) = all {
                    return Err(EndlessReason::BeyondTotal { total });
                }
                next
            }
            // A list with a total and no links at all can still have further pages.
            None if !has_links(links) && total.is_some() && all.is_none() && records > 0 => {
                self.number.saturating_add(1)
            }
            None => return Ok(None),
        };
        Ok(Some(Self { number, seen, total }))
    }
}

fn has_links(links: &PageLinks) -> bool {
    [&links.first, &links.prev, &links.next, &links.last].into_iter().any(Option::is_some)
}

fn number_of(link: &str) -> Option<u64> {
    let query = link.split_once('?')?.1;
    let query = query.split('#').next()?;
    let (_, number) = QueryPairs::parse(query).0.into_iter().find(|(name, _)| name == "page[number]")?;
    number.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links(next: Option<&str>) -> PageLinks {
        PageLinks {
            first: Some("https://api.didww.com/v3/dids?page%5Bnumber%5D=1".to_owned()),
            next: next.map(|query| format!("https://elsewhere.example/v3/dids?{query}")),
            ..PageLinks::default()
        }
    }

    fn number(result: Result<Option<Progress>, EndlessReason>) -> Option<u64> {
        result.unwrap().map(|progress| progress.number)
    }

    #[test]
    fn the_page_number_is_parsed_from_links_of_any_form() {
        let after = |query| number(Progress::at(1).after(50, Some(120), &links(Some(query))));
        assert_eq!(after("page%5Bnumber%5D=2&page%5Bsize%5D=50"), Some(2));
        assert_eq!(after("page[size]=50&page[number]=3#top"), Some(3));
        assert_eq!(after("cursor=abc"), Some(2));
        assert_eq!(after("page[number]=many"), Some(2));
    }

    #[test]
    fn a_list_ends_at_a_page_without_a_next_link() {
        assert_eq!(number(Progress::at(3).after(20, Some(120), &links(None))), None);
        assert_eq!(number(Progress::at(1).after(2, Some(2), &PageLinks::default())), None);
        assert_eq!(number(Progress::at(1).after(2, None, &PageLinks::default())), None);
    }

    #[test]
    fn a_list_without_links_is_read_up_to_its_total() {
        let first = Progress::at(1).after(50, Some(60), &PageLinks::default()).unwrap().unwrap();
        assert_eq!(first.number, 2);
        assert_eq!(number(first.after(10, Some(60), &PageLinks::default())), None);
        assert_eq!(number(first.after(0, Some(60), &PageLinks::default())), None);
    }

    #[test]
    fn a_list_that_does_not_end_is_detected() {
        let after =
            |records, total, query| Progress::at(2).after(records, total, &links(Some(query))).unwrap_err();
        assert_eq!(after(5, None, "page[number]=2"), EndlessReason::Repeated { next: 2 });
        assert_eq!(after(5, None, "page[number]=1"), EndlessReason::Repeated { next: 1 });
        assert_eq!(after(0, Some(99), "page[number]=3"), EndlessReason::Empty);
        assert_eq!(after(5, Some(5), "page[number]=3"), EndlessReason::BeyondTotal { total: 5 });
    }

    #[test]
    fn records_that_are_deleted_while_the_list_is_read_are_not_an_error() {
        let first = Progress::at(1).after(50, Some(120), &links(Some("page[number]=2"))).unwrap().unwrap();
        let second = first.after(50, Some(101), &links(Some("page[number]=3"))).unwrap().unwrap();
        assert_eq!(number(second.after(1, Some(101), &links(None))), None);
        let shrunk = first.after(50, Some(90), &links(Some("page[number]=3")));
        assert_eq!(number(shrunk), Some(3), "the list had 120 records a moment ago");
    }
}
