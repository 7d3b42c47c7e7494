//! Texts, numbers and objects of text message trunks.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{ValueError, bounded_integer::bounded_integer, checked_text};
use crate::{Attribute, Flaw, Kind, Violation};

/// The longest template of a message, in characters. No source states a limit; this one is chosen here.
const MAX_TEMPLATE: usize = 8192;
/// Maximum number of members of an object of texts. No source states a limit; this one is chosen here.
const MAX_MEMBERS: usize = 100;

checked_text! {
    /// A text with placeholders such as `{SMS_TEXT}`: at most 8,192 characters, on any number of lines.
    MessageTemplate, "template", "at most 8192 characters, none of them a control character other than tabs and line ends",
    Kind::Text { max: Some(MAX_TEMPLATE), pattern: None },
    |text| {
        if text.chars().any(|c| c.is_control() && !matches!(c, '\t' | '\n' | '\r')) {
            Some(Violation::Invalid)
        } else {
            (text.chars().count() > MAX_TEMPLATE).then_some(Violation::TooLong(MAX_TEMPLATE))
        }
    }
}

checked_text! {
    /// The `system_id` of an SMPP session: at most 15 characters of ASCII.
    SmppSystemId, "system id", "at most 15 printable ASCII characters",
    Kind::Text { max: Some(SmppSystemId::MAX_CHARACTERS), pattern: Some("^[ -~]*$") },
    |text| of_ascii(text, SmppSystemId::MAX_CHARACTERS)
}

impl SmppSystemId {
    /// Maximum number of characters, of the field of that name in SMPP 3.4.
    pub const MAX_CHARACTERS: usize = 15;
}

checked_text! {
    /// The `system_type` of an SMPP session: at most 12 characters of ASCII.
    SmppSystemType, "system type", "at most 12 printable ASCII characters",
    Kind::Text { max: Some(12), pattern: Some("^[ -~]*$") },
    |text| of_ascii(text, 12)
}

/// SMPP writes its texts in ASCII.
fn of_ascii(text: &str, max: usize) -> Option<Violation> {
    if text.bytes().any(|byte| !(b' '..=b'~').contains(&byte)) {
        Some(Violation::Invalid)
    } else {
        (text.len() > max).then_some(Violation::TooLong(max))
    }
}

bounded_integer! {
    /// The priority of a text message trunk, 0 to 32767. Of the trunks of a group, the one with the higher value is
    /// offered a message first.
    SmsPriority(u32), 0..=32_767, "priority", "0 to 32767"
}

bounded_integer! {
    /// The time for which an SMPP connection is tried, from 1 second.
    ConnectionTimeout(u32), 1..=2_147_483_647, "connection timeout", "1 to 2147483647 seconds"
}

/// An object of at most 100 members, each a text: query parameters, or headers. `Debug` prints their names alone,
/// because the texts may be credentials.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TextMembers(Map<String, Value>);

impl fmt::Debug for TextMembers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl TextMembers {
    /// The members in the order of their names.
    pub fn members(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)))
    }
}

impl<N: Into<String>, T: Into<String>> FromIterator<(N, T)> for TextMembers {
    fn from_iter<I: IntoIterator<Item = (N, T)>>(members: I) -> Self {
        Self(members.into_iter().map(|(name, text)| (name.into(), Value::String(text.into()))).collect())
    }
}

impl Attribute for TextMembers {
    const KIND: Kind = Kind::Object;

    fn validate(sent: &Value) -> Result<Value, Vec<Flaw>> {
        match sent {
            Value::Object(members) if members.len() > MAX_MEMBERS => {
                Err(Violation::TooMany(MAX_MEMBERS).into())
            }
            Value::Object(members) => {
                let mut valid = Map::new();
                for (name, value) in members {
                    let value =
                        MessageTemplate::validate(value).map_err(|_| Vec::from(Violation::Invalid))?;
                    valid.insert(name.clone(), value);
                }
                Ok(Value::Object(valid))
            }
            // PHP writes an empty object so.
            Value::Array(items) if items.is_empty() => Ok(Value::Object(Map::new())),
            Value::Null => Err(Violation::Blank.into()),
            _ => Err(Violation::Invalid.into()),
        }
    }
}

/// The body of the requests of an `http_in` trunk: a text, or an object of texts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum MessageBody {
    /// A text: the whole body.
    Text(String),
    /// The fields of a form.
    Fields(TextMembers),
}

impl Attribute for MessageBody {
    const KIND: Kind = Kind::Object;

    fn validate(sent: &Value) -> Result<Value, Vec<Flaw>> {
        match sent {
            Value::Object(_) => TextMembers::validate(sent),
            _ => MessageTemplate::validate(sent),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn texts_of_smpp_are_ascii_and_short() {
        assert!(SmppSystemId::new("a".repeat(15)).is_ok() && SmppSystemType::new("a".repeat(12)).is_ok());
        assert!(SmppSystemId::new("a".repeat(16)).is_err() && SmppSystemType::new("a".repeat(13)).is_err());
        assert!(SmppSystemId::new("é").is_err() && SmppSystemId::new("a\u{0}").is_err());
    }

    #[test]
    fn a_template_has_at_most_8192_characters() {
        assert!(MessageTemplate::new("é".repeat(MAX_TEMPLATE)).is_ok());
        let long = Value::from("é".repeat(MAX_TEMPLATE + 1));
        assert_eq!(MessageTemplate::validate(&long), Err(Vec::from(Violation::TooLong(8192))));
    }

    #[test]
    fn an_object_has_texts_and_a_body_is_a_text_or_an_object() {
        assert_eq!(TextMembers::validate(&json!({ "a": "{SMS_TEXT}", "b": 1 })).unwrap()["b"], "1");
        for refused in [json!({ "a": [] }), json!({ "a": null }), json!("a"), json!([1]), Value::Null] {
            assert!(TextMembers::validate(&refused).is_err(), "{refused}");
        }
        let members = |count: usize| -> Value {
            Value::Object((0..count).map(|n| (n.to_string(), json!("x"))).collect::<Map<String, Value>>())
        };
        assert!(TextMembers::validate(&members(MAX_MEMBERS)).is_ok());
        assert!(TextMembers::validate(&members(MAX_MEMBERS + 1)).is_err());
        // Characters count, not bytes.
        assert!(MessageTemplate::new("é".repeat(MAX_TEMPLATE)).is_ok());
        assert!(MessageTemplate::new("a".repeat(MAX_TEMPLATE + 1)).is_err());
        assert!(MessageBody::validate(&json!("{\"a\":\n1}")).is_ok());
        assert!(
            MessageBody::validate(&json!("a\u{0}")).is_err() && MessageBody::validate(&json!([1])).is_err()
        );
        let fields: MessageBody = serde_json::from_value(json!({ "a": "b" })).unwrap();
        assert_eq!(fields, MessageBody::Fields([("a", "b")].into_iter().collect()));
        let headers: TextMembers = [("Authorization", "c4n4ry")].into_iter().collect();
        assert_eq!(format!("{headers:?}"), "{\"Authorization\"}");
    }
}
