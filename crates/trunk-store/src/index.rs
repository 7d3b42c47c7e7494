//! The index entries of a record: one for every attribute that a list can be filtered or sorted by, or that is unique.

use std::borrow::Cow;

use didww_types::{FilterTest, ResourceSpec};
use serde_json::{Map, Value};

/// A value in an index. Null sorts after every other value, as in the database of the original service.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum IndexValue {
    /// A number, or a boolean as 0 or 1.
    Integer(i64),
    /// Text, compared byte by byte.
    Text(String),
    /// Null or empty text.
    Null,
}

impl IndexValue {
    /// Converts an attribute's value. Arrays and objects have no index value and become [`Null`](Self::Null).
    pub fn of(value: &Value) -> Self {
        match value {
            Value::Bool(flag) => Self::Integer(i64::from(*flag)),
            Value::Number(number) => {
                number.as_i64().map_or_else(|| Self::Text(number.to_string()), Self::Integer)
            }
            Value::String(text) if text.is_empty() => Self::Null,
            Value::String(text) => Self::Text(text.clone()),
            Value::Null | Value::Array(_) | Value::Object(_) => Self::Null,
        }
    }
}

/// An entry of a record in an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IndexEntry {
    /// The attribute's name, or a dotted path into the attribute.
    pub(crate) path: &'static str,
    pub(crate) value: IndexValue,
    /// Whether no other record of the account may have the value.
    pub(crate) unique: bool,
}

/// Returns the index entries of a record with these attributes.
pub(crate) fn index_of(spec: &'static ResourceSpec, attributes: &Map<String, Value>) -> Vec<IndexEntry> {
    let mut paths: Vec<(&'static str, bool)> = spec
        .attributes
        .iter()
        // Lists are ordered by `created_at` through the record numbers, which ascend in the order of creation.
        .filter(|attribute| {
            (attribute.sort || attribute.unique || attribute.unique_everywhere)
                && attribute.name != "created_at"
        })
        .map(|attribute| (attribute.name, attribute.unique))
        .collect();
    for filter in spec.filters {
        if let FilterTest::Equals(path) = filter.test
            && !paths.iter().any(|(known, _)| *known == path)
        {
            paths.push((path, false));
        }
    }
    paths
        .into_iter()
        .map(|(path, unique)| IndexEntry { path, value: IndexValue::of(&at(attributes, path)), unique })
        .collect()
}

/// Selects the entries whose values must be unique among the records of all accounts.
pub(crate) fn claims_of<'a>(
    spec: &'static ResourceSpec,
    entries: &'a [IndexEntry],
) -> impl Iterator<Item = &'a IndexEntry> {
    let claims = |path: &str| spec.attribute(path).is_some_and(|attribute| attribute.unique_everywhere);
    entries.iter().filter(move |entry| entry.value != IndexValue::Null && claims(entry.path))
}

fn at<'a>(attributes: &'a Map<String, Value>, path: &str) -> Cow<'a, Value> {
    let mut steps = path.split('.');
    let first = steps.next().and_then(|name| attributes.get(name));
    steps
        .try_fold(first, |value, name| value.map(|value| value.get(name)))
        .flatten()
        .map_or(Cow::Owned(Value::Null), Cow::Borrowed)
}
