//! Lists with a documented or chosen bound.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::values::ValueError;
use crate::{Attribute, Flaw, Kind, Violation};

/// At most `MOST` values, in the order given. `null` reads as the empty list.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct BoundedList<T, const MOST: usize>(Vec<T>);

impl<T, const MOST: usize> BoundedList<T, MOST> {
    /// Checks the length.
    pub fn new(items: impl IntoIterator<Item = T>) -> Result<Self, ValueError> {
        let items: Vec<T> = items.into_iter().collect();
        if items.len() > MOST {
            return Err(ValueError {
                what: "list",
                given: format!("{} items", items.len()),
                violation: Violation::TooMany(MOST),
                right: "give fewer items",
            });
        }
        Ok(Self(items))
    }

    /// The items.
    pub fn as_slice(&self) -> &[T] {
        &self.0
    }
}

impl<T, const MOST: usize> Default for BoundedList<T, MOST> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>, const MOST: usize> Deserialize<'de> for BoundedList<T, MOST> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::<Vec<T>>::deserialize(deserializer).map(|items| Self(items.unwrap_or_default()))
    }
}

impl<T: Attribute, const MOST: usize> Attribute for BoundedList<T, MOST> {
    const KIND: Kind = Kind::List { of: &T::KIND, max: Some(MOST) };

    fn admit(sent: &Value) -> Result<Value, Vec<Flaw>> {
        match sent {
            Value::Null => Ok(Value::Array(Vec::new())),
            Value::Array(items) if items.len() > MOST => Err(Violation::TooMany(MOST).into()),
            Value::Array(items) => {
                let admitted: Result<Vec<Value>, _> = items.iter().map(T::admit).collect();
                // The API names the list, not the item, in what it says.
                admitted.map(Value::Array).map_err(|_| Violation::Invalid.into())
            }
            _ => Err(Violation::Invalid.into()),
        }
    }
}
