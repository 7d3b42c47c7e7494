//! How a list is read: the decisions that both engines share.

use didww_types::{FilterTest, Kind, RelationshipSpec, ResourceSpec, Step, follow, related_attribute};

use crate::{Condition, IndexValue, ListQuery, Order};

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

/// Maximum number of records, and of members of relationships, that are read without waiting for a turn. More of them are a
/// long read.
pub(crate) const MAX_DIRECT_RECORDS: usize = 100;

/// Maximum number of values of a condition that are looked up without waiting for a turn. Each is a search in an index,
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

/// How many records a condition is expected to leave, as far as the declarations say. The first one leaves the fewest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Expected {
    /// One for each value: an id, or a unique attribute.
    One,
    /// Those that lead to a shared record which is within one that is within another, such as a city in a region.
    Narrow,
    /// Those with a value of an attribute that has any number of them.
    Value,
    /// Those that lead to a shared record which is within another, such as a region.
    Wide,
    /// Those that lead to a shared record which is within no other, such as a country.
    Widest,
    /// Those with one of the few values of an attribute.
    FewValues,
    /// Those with a text, for which all texts are searched.
    Searched,
    /// Those that lead to records with one of the few values of an attribute.
    LinkedFewValues,
}

/// Returns the position of the condition that selects the candidates, which the other conditions test: by its index or,
/// in a list of shared records, by their ids or by the links to what it names.
pub(crate) fn driving_condition(registry: &[&'static ResourceSpec], query: &ListQuery) -> Option<usize> {
    let rank = |condition| expected(registry, query.scope.spec, condition);
    let ranked = query.conditions.iter().enumerate().filter_map(|(index, c)| Some((rank(c)?, index)));
    ranked.min().map(|(_, index)| index)
}

/// Returns `None` for a condition that selects no candidates. In a list of an account's own records, a path does not
/// select them: it can lead to records of all accounts.
fn expected(
    registry: &[&'static ResourceSpec],
    spec: &ResourceSpec,
    condition: &Condition,
) -> Option<Expected> {
    match condition.test {
        FilterTest::Equals(path) if unique(spec, path) => Some(Expected::One),
        FilterTest::Equals(path) if has_few_values(spec, path) => Some(Expected::FewValues),
        FilterTest::Equals(_) => Some(Expected::Value),
        FilterTest::Contains(_) => Some(Expected::Searched),
        // A blank value also selects the records that lead to none, of which no index knows.
        _ if !spec.global || condition.values.contains(&IndexValue::Null) => None,
        FilterTest::Id => Some(Expected::One),
        FilterTest::Linked(path) => {
            let target = shared_end(&follow(registry, spec.name, path)?)?;
            let is_within = |one| within(registry, one).next().is_some();
            Some(if within(registry, target).any(is_within) {
                Expected::Narrow
            } else if is_within(target) {
                Expected::Wide
            } else {
                Expected::Widest
            })
        }
        FilterTest::Related(path) | FilterTest::RelatedEvery(path) => {
            let (steps, attribute) = related_attribute(registry, spec.name, path)?;
            let is_one_of_few = has_few_values(shared_end(&steps)?, attribute);
            Some(if is_one_of_few { Expected::LinkedFewValues } else { Expected::Value })
        }
        _ => None,
    }
}

/// The type at the end of a path, if all accounts share the records of each type on it.
fn shared_end(steps: &[Step]) -> Option<&'static ResourceSpec> {
    let is_shared = steps.iter().all(|step| step.target.global);
    steps.last().filter(|_| is_shared).map(|step| step.target)
}

/// The shared types to which to-one relationships of a type lead.
fn within<'a>(
    registry: &'a [&'static ResourceSpec],
    spec: &'static ResourceSpec,
) -> impl Iterator<Item = &'static ResourceSpec> + 'a {
    let is_stored = |one: &&RelationshipSpec| !one.many && one.inverse.is_none() && one.mirrors.is_none();
    let target = move |one: &RelationshipSpec| {
        registry.iter().copied().find(|target| target.global && target.name == one.target)
    };
    spec.relationships.iter().filter(is_stored).filter_map(target)
}

/// Whether an attribute has one of a few values, so that many records have the same one.
fn has_few_values(spec: &ResourceSpec, path: &str) -> bool {
    fn is_of_few(kind: &Kind) -> bool {
        match kind {
            Kind::Boolean | Kind::Enumeration(_) => true,
            Kind::List { of, .. } => is_of_few(of),
            _ => false,
        }
    }
    spec.attribute(path).is_some_and(|attribute| is_of_few(&attribute.kind))
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
    use didww_types::resources::Did;
    use didww_types::{REGISTRY, Resource as _};

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

    #[test]
    fn the_condition_that_is_expected_to_leave_the_fewest_records_selects_them() {
        let condition = |test| Condition { test, values: vec![IndexValue::Integer(1)] };
        let linked = |path| condition(FilterTest::Linked(path));
        let equals = |path| condition(FilterTest::Equals(path));
        let (features, area) = (|| equals("features"), || equals("area_name"));
        let of_features = || condition(FilterTest::Related("did_group.features"));
        let or_none = Condition { values: vec![IndexValue::Null], ..linked("city") };
        let is_available = condition(FilterTest::RelatedMeta("city<did_groups", "is_available"));
        let number = || condition(FilterTest::Contains("number"));
        for (kind, conditions, expected) in [
            ("did_groups", vec![linked("country"), linked("city")], Some(1)),
            ("did_groups", vec![linked("region"), linked("country")], Some(0)),
            ("did_groups", vec![features(), linked("city")], Some(1)),
            ("did_groups", vec![linked("country"), features()], Some(0)),
            ("did_groups", vec![linked("country"), area()], Some(1)),
            ("did_groups", vec![linked("region"), area()], Some(1)),
            ("did_groups", vec![linked("city"), area()], Some(0)),
            ("did_groups", vec![features(), area()], Some(1)),
            ("did_groups", vec![linked("city"), condition(FilterTest::Id)], Some(1)),
            ("did_groups", vec![or_none, features()], Some(1)),
            ("cities", vec![is_available], None),
            ("available_dids", vec![of_features(), linked("did_group")], Some(1)),
            ("available_dids", vec![number(), linked("did_group.country")], Some(1)),
            ("available_dids", vec![of_features(), number()], Some(1)),
            // Other accounts have DIDs in the same places.
            ("dids", vec![linked("did_group.city"), equals("blocked")], Some(1)),
            ("dids", vec![linked("did_group.city"), condition(FilterTest::Id)], None),
        ] {
            let scope = Scope { account: 1, spec: didww_types::find(kind).unwrap() };
            let text = format!("{kind} {conditions:?}");
            let query =
                ListQuery { scope, linked_from: None, conditions, order: Vec::new(), offset: 0, limit: 9 };
            assert_eq!(driving_condition(REGISTRY, &query), expected, "{text}");
        }
    }
}
