//! How a list is read: the decisions that both engines share.

use didww_types::{FilterTest, ResourceSpec, Step};

use crate::{Condition, ListQuery, Order};

/// The numbers of a page's records, and the length of the whole list.
pub(crate) struct Page {
    pub(crate) numbers: Vec<i64>,
    pub(crate) total: u64,
}

impl Page {
    /// The requested page of a whole list.
    pub(crate) fn of(numbers: &[i64], query: &ListQuery) -> Self {
        let index = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        let page = numbers.iter().skip(index(query.offset)).take(index(query.limit));
        Self { numbers: page.copied().collect(), total: numbers.len() as u64 }
    }
}

/// The number of records of a type in an account, and the number of changes of them since the account was created.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct RecordCount {
    pub(crate) records: u64,
    pub(crate) changes: i64,
}

/// Whether an index has the order of a list, so that the cost of its first page is independent of the list's length.
pub(crate) fn has_index_order(query: &ListQuery) -> bool {
    query.linked_from.is_none()
        && query.conditions.is_empty()
        && query.order.len() <= 1
        && !query.order.iter().any(Order::is_related)
}

/// Maximum number of index entries that are skipped to reach a page. Beyond it, the whole list is read instead.
const MAX_SKIPPED_ENTRIES: u64 = if cfg!(test) { 3 } else { 2_000 };

/// A part of the index that has the order of a list ([`has_index_order`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct IndexPart {
    /// Number of entries to skip.
    pub(crate) offset: u64,
    /// Number of entries.
    pub(crate) limit: u64,
    /// Whether it is counted from the end of the index.
    pub(crate) backwards: bool,
}

impl IndexPart {
    /// The part that has the page of a query, from the nearer end of a list of this length. Returns `None` if the page
    /// is far from both.
    pub(crate) fn of(query: &ListQuery, total: u64) -> Option<Self> {
        let rest = total.saturating_sub(query.offset);
        let limit = query.limit.min(rest);
        if limit == 0 {
            return Some(Self { offset: 0, limit, backwards: false });
        }
        let (offset, backwards) =
            if query.offset <= rest - limit { (query.offset, false) } else { (rest - limit, true) };
        (offset <= MAX_SKIPPED_ENTRIES).then_some(Self { offset, limit, backwards })
    }
}

/// Maximum number of values of a condition that are looked up on the caller's thread. Each is a search in an index,
/// even if no record has the value.
const MAX_LOOKED_UP_VALUES: usize = 16;

/// Whether one equality of an attribute with few values selects a list in the order of creation. The cost of reading it
/// is proportional to the records that match, of which there can be any number.
pub(crate) fn is_looked_up(query: &ListQuery) -> bool {
    let [condition] = query.conditions.as_slice() else { return false };
    let is_in_order = match query.order.as_slice() {
        [] => true,
        [one] => one.attribute == "created_at",
        _ => false,
    };
    let is_equality = matches!(condition.test, FilterTest::Equals(_));
    query.linked_from.is_none()
        && is_in_order
        && is_equality
        && condition.values.len() <= MAX_LOOKED_UP_VALUES
}

/// Whether a list depends only on the records of its type in its account, so that it is valid until one of them
/// changes.
pub(crate) fn is_cacheable(query: &ListQuery) -> bool {
    let linked = |condition: &Condition| {
        matches!(
            condition.test,
            FilterTest::Linked(_)
                | FilterTest::Related(_)
                | FilterTest::RelatedEvery(_)
                | FilterTest::RelatedMeta(..)
        )
    };
    query.linked_from.is_none()
        && !query.conditions.iter().any(linked)
        && !query.order.iter().any(Order::is_related)
}

/// Returns the position of the condition whose index selects the candidates: preferably equality of a unique attribute,
/// then any equality, then a search in a text.
pub(crate) fn driving_condition(query: &ListQuery) -> Option<usize> {
    let rank = |condition: &Condition| match condition.test {
        FilterTest::Equals(path) if unique(query.scope.spec, path) => Some(0),
        FilterTest::Equals(_) => Some(1),
        FilterTest::Contains(_) => Some(2),
        _ => None,
    };
    let ranked = query.conditions.iter().enumerate().filter_map(|(index, c)| Some((rank(c)?, index)));
    ranked.min().map(|(_, index)| index)
}

/// The attribute or path whose index can select the candidates of a condition.
pub(crate) fn path(condition: &Condition) -> Option<&'static str> {
    match condition.test {
        FilterTest::Equals(path) | FilterTest::Contains(path) => Some(path),
        _ => None,
    }
}

/// The condition that the link `k` at this place of a path leads to the newest of the records that have the member,
/// which has the greatest number. `None` for a step to each of them.
pub(crate) fn to_newest(step: &Step, place: usize) -> Option<String> {
    step.newest.then(|| {
        format!(
            "NOT EXISTS (SELECT 1 FROM link n WHERE n.target = k{place}.target \
             AND n.relationship = k{place}.relationship AND n.owner > k{place}.owner)"
        )
    })
}

/// The columns of a link with the record that a step leaves, and with the one that it reaches.
pub(crate) fn sides(step: &Step) -> (&'static str, &'static str) {
    if step.inverse { ("target", "owner") } else { ("owner", "target") }
}

/// Returns the table with the index of an attribute or path.
pub(crate) fn table(spec: &ResourceSpec, path: &str) -> &'static str {
    if unique(spec, path) { "unique_facet" } else { "facet" }
}

fn unique(spec: &ResourceSpec, path: &str) -> bool {
    spec.attribute(path).is_some_and(|attribute| attribute.unique)
}

#[cfg(test)]
mod tests {
    use didww_types::Resource as _;
    use didww_types::resources::Did;

    use super::*;
    use crate::Scope;

    #[test]
    fn a_page_is_read_from_the_nearer_end_of_the_index_unless_it_is_far_from_both() {
        let scope = Scope { account: 1, spec: Did::SPEC };
        let part = |(offset, limit), total| {
            let (conditions, order) = (Vec::new(), Vec::new());
            let query = ListQuery { scope, linked_from: None, conditions, order, offset, limit };
            IndexPart::of(&query, total)
                .map(|IndexPart { offset, limit, backwards }| (offset, limit, backwards))
        };
        for (page, total, expected) in [
            ((0, 2), 10, Some((0, 2, false))),
            ((0, 50), 10, Some((0, 10, false))),
            ((3, 2), 10, Some((3, 2, false))),
            ((4, 2), 10, None),
            ((5, 2), 10, Some((3, 2, true))),
            ((6, 2), 10, Some((2, 2, true))),
            ((8, 5), 10, Some((0, 2, true))),
            ((10, 5), 10, Some((0, 0, false))),
            ((12, 5), 10, Some((0, 0, false))),
            ((5, 0), 10, Some((0, 0, false))),
            ((0, 5), 0, Some((0, 0, false))),
        ] {
            assert_eq!(part(page, total), expected, "{page:?} of {total}");
        }
    }
}
