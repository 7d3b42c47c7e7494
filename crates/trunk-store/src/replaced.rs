//! The attributes of a record that a replacement changes.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::error::StoreError;
use crate::record::Record;

impl Record {
    /// Returns the attributes that `others` replaces with different values, with the record's present values; an absent
    /// one is null. Attributes that the record has come first, then those that it lacks, each in the order of their
    /// names.
    ///
    /// Only values whose texts differ are parsed: a record has two dozen, and most updates change one.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if its attributes are not a JSON object.
    pub fn replaced_by(&self, others: &Map<String, Value>) -> Result<Vec<(String, Value)>, StoreError> {
        let corrupt = |error: serde_json::Error| {
            StoreError::Corrupt(format!("attributes of {} {}: {error}", self.kind, self.id))
        };
        let own: BTreeMap<String, &RawValue> = serde_json::from_str(&self.attributes).map_err(corrupt)?;
        let mut replaced = Vec::new();
        let mut text: Vec<u8> = Vec::new();
        for (name, raw) in &own {
            let other = others.get(name).unwrap_or(&Value::Null);
            text.clear();
            serde_json::to_writer(&mut text, other).map_err(corrupt)?;
            if text == raw.get().as_bytes() {
                continue;
            }
            // Equal values can have different texts: the members of objects are stored in an order of their own.
            let value: Value = serde_json::from_str(raw.get()).map_err(corrupt)?;
            if value != *other {
                replaced.push((name.clone(), value));
            }
        }
        let added = others.iter().filter(|(name, value)| !value.is_null() && !own.contains_key(*name));
        replaced.extend(added.map(|(name, _)| (name.clone(), Value::Null)));
        Ok(replaced)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    fn record(attributes: &str) -> Record {
        let attributes = attributes.to_owned();
        Record { number: 1, id: Uuid::from_u128(1), kind: "dids", revision: 0, attributes, meta: None }
    }

    #[test]
    fn attributes_are_replaced_by_other_values_and_not_by_other_texts() {
        let record = record(
            r#"{"name":"a","same":1,"method":{"type":"x","attributes":{"b":1,"a":2}},"gone":[true],"none":null}"#,
        );
        let others = json!({
            "name": "b", "same": 1, "method": { "type": "x", "attributes": { "a": 2, "b": 1 } }, "new": 2, "null": null,
        });
        let replaced = record.replaced_by(others.as_object().unwrap()).unwrap();
        let expected = [("gone", json!([true])), ("name", json!("a")), ("new", Value::Null)];
        assert_eq!(replaced, expected.map(|(name, value)| (name.to_owned(), value)));
        let none = record.replaced_by(&record.attributes().unwrap()).unwrap();
        assert!(none.is_empty(), "{none:?}");
    }

    #[test]
    fn attributes_that_are_no_object_are_corrupt() {
        for text in ["[]", "{", ""] {
            assert!(matches!(record(text).replaced_by(&Map::new()), Err(StoreError::Corrupt(_))), "{text}");
        }
    }
}
