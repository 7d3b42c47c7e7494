//! A record with its members in the order of the declaration.

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};
use serde_json::Value;

/// A record: its id, its type, its attributes in the order of their declaration, then its relationships.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Row(Vec<(String, Value)>);

impl Row {
    /// Adds a member at the end.
    pub(crate) fn push(&mut self, name: impl Into<String>, value: impl Into<Value>) {
        self.0.push((name.into(), value.into()));
    }

    /// A record with the members of an object, those named first in this order, then the others.
    pub(crate) fn of(object: &Value, first: &[&str]) -> Self {
        let mut row = Self::default();
        let Some(members) = object.as_object() else { return row };
        let named = first.iter().filter_map(|name| members.get_key_value(*name));
        let others = members.iter().filter(|(name, _)| !first.contains(&name.as_str()));
        for (name, value) in named.chain(others) {
            row.push(name.as_str(), value.clone());
        }
        row
    }

    /// The value of a member; null if it has none.
    pub(crate) fn get(&self, name: &str) -> &Value {
        const NULL: &Value = &Value::Null;
        self.0.iter().find(|(known, _)| known == name).map_or(NULL, |(_, value)| value)
    }

    /// The members in order.
    pub(crate) fn members(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// The members in order, to change them.
    pub(crate) fn members_mut(&mut self) -> impl Iterator<Item = (&str, &mut Value)> {
        self.0.iter_mut().map(|(name, value)| (name.as_str(), value))
    }

    /// The record's id; empty if it has none.
    pub(crate) fn id(&self) -> &str {
        self.get("id").as_str().unwrap_or_default()
    }
}

impl Serialize for Row {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}
