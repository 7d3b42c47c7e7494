//! Queries for lists of records, and their results.

use didww_types::{FilterTest, ResourceSpec};

use crate::index::IndexValue;
use crate::record::{Record, Scope};

/// A condition that every record of a list satisfies.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// The attribute, id or relationship that is compared, and how.
    pub test: FilterTest,
    /// Alternatives: a record must match at least one of them. Without any, no record matches.
    pub values: Vec<IndexValue>,
}

impl Condition {
    /// The conditions that a record is not [taken](field@ResourceSpec::taken_by) by another one, and that it has the
    /// [price](field@ResourceSpec::priced_by) that it needs.
    pub fn in_stock(spec: &'static ResourceSpec) -> impl Iterator<Item = Self> {
        let is_free =
            |path: &&'static str| Self { test: FilterTest::Linked(path), values: vec![IndexValue::Null] };
        let is_priced =
            |name| Self { test: FilterTest::MetaStated(name), values: vec![IndexValue::Integer(1)] };
        spec.taken_by.iter().map(is_free).chain(spec.priced_by.map(is_priced))
    }
}

/// A sort criterion of a list. It orders the records that are equal by the criteria before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    /// The name of the attribute, which is declared as sortable, or to-one relationships and an attribute:
    /// `country.name`.
    pub attribute: &'static str,
    /// Whether the greatest value comes first.
    pub descending: bool,
}

impl Order {
    /// Whether the attribute is that of a related record.
    pub(crate) fn is_related(&self) -> bool {
        self.attribute.contains('.')
    }
}

/// A query for one page of a list.
#[derive(Debug, Clone)]
pub struct ListQuery {
    /// The account and the type.
    pub scope: Scope,
    /// If set, only records to which this record links: its type, its number, the relationship.
    pub linked_from: Option<(&'static str, i64, &'static str)>,
    /// Conditions, all of which must hold.
    pub conditions: Vec<Condition>,
    /// Sort criteria, the most significant first. Null and empty values come last, or first if descending. Records with
    /// equal values, and all records if there is no criterion, are in the order of creation, which is reversed if the
    /// last criterion is descending.
    pub order: Vec<Order>,
    /// Number of records to skip.
    pub offset: u64,
    /// Maximum number of records to return.
    pub limit: u64,
}

/// A page of a list.
#[derive(Debug, Clone, Default)]
pub struct Listing {
    /// The records of the page.
    pub records: Vec<Record>,
    /// Number of records in the whole list.
    pub total: u64,
    /// How often records of the type had been changed in the account ([`Records::changes`](crate::Records::changes)) in
    /// the state of the database that was read, if the page depends on these records alone and the engine reports it.
    pub changes: Option<i64>,
}
