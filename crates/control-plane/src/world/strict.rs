//! Values in the file of a world in which no object has a member twice.

use std::collections::BTreeMap;
use std::fmt;

use didww_types::Secret;
use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

/// The member as which the parser of TOML presents a date without quotes. It is a text, as in JSON.
const TOML_DATE: &str = "$__toml_private_datetime";

/// A value in which no object has a member twice.
pub(super) struct Strict(pub(super) Value);

/// An object in which none has a member twice.
pub(super) struct Members(pub(super) Map<String, Value>);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Self)
    }
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor).map(Self)
    }
}

/// Reads the members of an object.
pub(super) fn members<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Map<String, Value>, D::Error> {
    Members::deserialize(deserializer).map(|Members(members)| members)
}

/// Reads secrets by their names.
pub(super) fn secrets<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, Secret>, D::Error> {
    let members = members(deserializer)?;
    let secrets = members.into_iter().map(|(name, value)| match value {
        Value::String(text) => Ok((name, Secret::new(text))),
        _ => Err(D::Error::custom(format!("`{name}` is not a text"))),
    });
    secrets.collect()
}

fn object<'de, A: MapAccess<'de>>(mut members: A) -> Result<Map<String, Value>, A::Error> {
    let mut all = Map::new();
    while let Some(name) = members.next_key::<String>()? {
        if all.contains_key(&name) {
            return Err(A::Error::custom(format!("`{name}` occurs twice in one object")));
        }
        let Strict(value) = members.next_value()?;
        all.insert(name, value);
    }
    Ok(all)
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Map<String, Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Self::Value, A::Error> {
        object(members)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut all = Vec::new();
        while let Some(Strict(item)) = items.next_element()? {
            all.push(item);
        }
        Ok(Value::Array(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Value, A::Error> {
        let mut all = object(members)?;
        Ok(all.remove(TOML_DATE).unwrap_or(Value::Object(all)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::world::World;

    #[test]
    fn a_date_of_toml_is_a_text_with_and_without_quotes() {
        let text = "a = 1970-01-31\nb = \"1970-01-31\"\n[c]\nd = [2026-04-08T06:57:33.304Z]\n";
        let Members(read) = toml::from_str(text).unwrap();
        let (day, time) = ("1970-01-31", "2026-04-08T06:57:33.304Z");
        assert_eq!(Value::Object(read), json!({ "a": day, "b": day, "c": { "d": [time] } }));
    }

    #[test]
    fn a_value_is_read_as_it_is_and_a_member_that_occurs_twice_is_refused_at_any_depth() {
        let text = r#"{"a":[null,true,-1,2,0.5,"b",{"c":{}}],"d":"e"}"#;
        let Strict(value) = serde_json::from_str(text).unwrap();
        assert_eq!(value, serde_json::from_str::<Value>(text).unwrap());
        for twice in [r#"{"a":1,"a":1}"#, r#"[{"b":{"a":1,"c":[],"a":2}}]"#] {
            let refused = serde_json::from_str::<Strict>(twice).err().map(|error| error.to_string());
            assert!(refused.is_some_and(|why| why.contains("`a` occurs twice in one object")), "{twice}");
        }
        let Members(members) = serde_json::from_str(r#"{"a":1}"#).unwrap();
        assert_eq!(Value::Object(members), json!({ "a": 1 }));
    }

    #[test]
    fn a_mark_of_the_encoding_is_no_part_of_a_file() {
        assert!(World::from_json("\u{feff}{}").is_ok() && World::from_toml("\u{feff}").is_ok());
    }

    #[test]
    fn a_world_names_the_line_of_a_member_that_occurs_twice_within_a_value() {
        for (what, line) in [
            (
                r#""accounts":[{"name":"A","records":{"voice_out_trunks":[{"attributes":{
                "authentication_method":{"type":"ip_only","type":"twilio"}}}]}}]"#,
                2,
            ),
            (r#""platform":{"providers":[{"tech_headers":{"X":"a","X":"b"}}]}"#, 1),
            (
                r#""platform":{"providers":[{"metadata":{
                "a":{"b":1,
                "b":2}}}]}"#,
                3,
            ),
        ] {
            let refused = World::from_json(&format!("{{{what}}}")).unwrap_err();
            assert_eq!(refused.line, Some(line), "{what}");
            assert!(refused.message.contains("occurs twice in one object"), "{refused}");
        }
        let wrong = World::from_json(r#"{"platform":{"providers":[{"tech_headers":{"X":1}}]}}"#).unwrap_err();
        assert!(wrong.to_string().contains("`X` is not a text"), "{wrong}");
    }
}
