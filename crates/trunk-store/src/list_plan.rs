//! How a list is read: the decisions that both engines share.

use didww_types::{FilterTest, ResourceSpec};

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
pub(crate) fn have_index(query: &ListQuery) -> bool {
    query.linked_from.is_none()
        && query.conditions.is_empty()
        && query.order.len() <= 1
        && !query.order.iter().any(Order::is_related)
}

/// Maximum number of values of a condition that are looked up on the caller's thread. Each is a search in an index, even if no
/// record has the value.
const MAX_LOOKED_UP_VALUES: usize = 16;

/// Whether one equality of an attribute with few values selects a list in the order of creation. The cost of reading it is
/// proportional to the records that match, of which there can be any number.
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

/// Whether a list depends only on the records of its type in its account, so that it is valid until one of them changes.
pub(crate) fn is_cacheable(query: &ListQuery) -> bool {
    let linked = |condition: &Condition| {
        matches!(condition.test, FilterTest::Linked(_) | FilterTest::Related(_) | FilterTest::RelatedMeta(..))
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

/// Returns the table with the index of an attribute or path.
pub(crate) fn table(spec: &ResourceSpec, path: &str) -> &'static str {
    if unique(spec, path) { "unique_facet" } else { "facet" }
}

fn unique(spec: &ResourceSpec, path: &str) -> bool {
    spec.attribute(path).is_some_and(|attribute| attribute.unique)
}
