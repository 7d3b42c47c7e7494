//! What of a record is indexed: every attribute that a list can be filtered or sorted by, or that is unique.

use std::borrow::Cow;

use didww_types::{FilterTest, ResourceSpec};
use serde_json::{Map, Value};

/// A value in an index. Null sorts after everything else, as the service's own database has it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum IndexValue {
    /// A boolean is 0 or 1.
    Integer(i64),
    /// Text; compared byte by byte.
    Text(String),
    /// Null or empty.
    Null,
}

impl IndexValue {
    /// The index value of an attribute's value.
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

/// One entry of a record in an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexEntry {
    /// The attribute's name, or a dotted path into it.
    pub path: &'static str,
    /// Its value.
    pub value: IndexValue,
    /// Whether no other record of the account may have the value.
    pub unique: bool,
}

/// The entries of a record with these attributes.
pub fn index_of(spec: &'static ResourceSpec, attributes: &Map<String, Value>) -> Vec<IndexEntry> {
    let mut paths: Vec<(&'static str, bool)> = spec
        .attributes
        .iter()
        // The order of creation is the order of `created_at`, and every record has it anyway.
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

/// The entries whose values only one record of all accounts may have.
pub fn claims_of<'a>(
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
