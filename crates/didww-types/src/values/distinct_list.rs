//! Lists in which no value is twice.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::tolerant::Tolerant;
use crate::{Attribute, Flaw, Kind, Violation};

/// `MIN_ITEMS` to `MAX_ITEMS` values, in the order given. A list that repeats a value is refused.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(transparent)]
pub struct DistinctList<T, const MIN_ITEMS: usize, const MAX_ITEMS: usize>(Vec<T>);

impl<T, const MIN_ITEMS: usize, const MAX_ITEMS: usize> DistinctList<T, MIN_ITEMS, MAX_ITEMS> {
    /// The items, in order. A list that a service returned may break the limits.
    pub fn as_slice(&self) -> &[T] {
        &self.0
    }
}

impl<T, const MIN_ITEMS: usize, const MAX_ITEMS: usize> FromIterator<T>
    for DistinctList<T, MIN_ITEMS, MAX_ITEMS>
{
    /// Nothing is checked: the service refuses a list that exceeds the limits.
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Self(items.into_iter().collect())
    }
}

impl<'de, T: Attribute, const MIN_ITEMS: usize, const MAX_ITEMS: usize> Deserialize<'de>
    for DistinctList<T, MIN_ITEMS, MAX_ITEMS>
{
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let items = Vec::<Tolerant<T>>::deserialize(deserializer)?;
        Ok(items.into_iter().map(|Tolerant(item)| item).collect())
    }
}

impl<T: Attribute, const MIN_ITEMS: usize, const MAX_ITEMS: usize> Attribute
    for DistinctList<T, MIN_ITEMS, MAX_ITEMS>
{
    const KIND: Kind = Kind::List { of: &T::KIND, max: Some(MAX_ITEMS) };

    fn validate(sent: &Value) -> Result<Value, Vec<Flaw>> {
        let items = match sent {
            Value::Array(items) => items.as_slice(),
            Value::Null => &[],
            _ => return Err(Violation::Invalid.into()),
        };
        if items.len() < MIN_ITEMS || sent.is_null() {
            return Err(Violation::Blank.into());
        }
        if items.len() > MAX_ITEMS {
            return Err(Violation::TooMany(MAX_ITEMS).into());
        }
        let validated: Result<Vec<Value>, _> = items.iter().map(T::validate).collect();
        // The API's error names the list, not the item.
        let validated = validated.map_err(|_| Vec::from(Violation::Invalid))?;
        let is_repeated = validated
            .iter()
            .enumerate()
            .any(|(place, item)| validated.iter().take(place).any(|other| other == item));
        if is_repeated { Err(Violation::Repeated.into()) } else { Ok(Value::Array(validated)) }
    }
}
