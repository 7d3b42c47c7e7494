//! Lists with a maximum length.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::values::ValueError;
use crate::{Attribute, Flaw, Kind, Violation};

/// At most `MAX_ITEMS` values, in the order given. A repeated value is stored once. `null` is decoded as the empty
/// list.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct BoundedList<T, const MAX_ITEMS: usize>(Vec<T>);

impl<T, const MAX_ITEMS: usize> BoundedList<T, MAX_ITEMS> {
    /// Creates a list.
    ///
    /// # Errors
    /// Returns an error for more than `MAX_ITEMS` items.
    pub fn new(items: impl IntoIterator<Item = T>) -> Result<Self, ValueError> {
        let items: Vec<T> = items.into_iter().collect();
        if items.len() > MAX_ITEMS {
            return Err(ValueError {
                what: "list",
                given: format!("{} items", items.len()),
                violation: Violation::TooMany(MAX_ITEMS),
                right: "use fewer items",
            });
        }
        Ok(Self(items))
    }

    /// The items, in order. A list that a service returned may be longer than `MAX_ITEMS`.
    pub fn as_slice(&self) -> &[T] {
        &self.0
    }

    /// The items, one after the other.
    pub fn iter(&self) -> std::slice::Iter<'_, T> {
        self.0.iter()
    }

    /// The number of items.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no items.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a, T, const MAX_ITEMS: usize> IntoIterator for &'a BoundedList<T, MAX_ITEMS> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<T, const MAX_ITEMS: usize> IntoIterator for BoundedList<T, MAX_ITEMS> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<T, const MAX_ITEMS: usize> Default for BoundedList<T, MAX_ITEMS> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>, const MAX_ITEMS: usize> Deserialize<'de> for BoundedList<T, MAX_ITEMS> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::<Vec<T>>::deserialize(deserializer).map(|items| Self(items.unwrap_or_default()))
    }
}

/// Removes the items that are equal to an earlier one.
fn keep_first(items: &mut Vec<Value>) {
    let mut seen = HashSet::with_capacity(items.len());
    let is_first: Vec<bool> = items.iter().map(|item| seen.insert(item.to_string())).collect();
    let mut is_first = is_first.into_iter();
    items.retain(|_| is_first.next().unwrap_or(true));
}

impl<T: Attribute, const MAX_ITEMS: usize> Attribute for BoundedList<T, MAX_ITEMS> {
    const KIND: Kind = Kind::List { of: &T::KIND, max: Some(MAX_ITEMS) };

    fn validate(sent: &Value) -> Result<Value, Vec<Flaw>> {
        match sent {
            Value::Null => Ok(Value::Array(Vec::new())),
            Value::Array(items) if items.len() > MAX_ITEMS => Err(Violation::TooMany(MAX_ITEMS).into()),
            Value::Array(items) => {
                let validated: Result<Vec<Value>, _> = items.iter().map(T::validate).collect();
                // The API's error names the list, not the item.
                let mut validated = validated.map_err(|_| Vec::from(Violation::Invalid))?;
                keep_first(&mut validated);
                Ok(Value::Array(validated))
            }
            _ => Err(Violation::Invalid.into()),
        }
    }
}
