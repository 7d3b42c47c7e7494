//! The trait of attribute types, and its implementations for types of the standard library.

use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::tolerant::{self, Tolerant};
use crate::{Flaw, Id, Timestamp, Violation};

/// The kind of an attribute's value, with its limits. Descriptions of the API are generated from it.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Kind {
    /// A text, such as a name or a number.
    Text {
        /// The maximum number of characters; `None` is no limit.
        max: Option<usize>,
        /// A regular expression that the text must match.
        pattern: Option<&'static str>,
    },
    /// A whole number within bounds.
    Integer {
        /// The smallest valid value; a smaller one is refused.
        min: i64,
        /// The largest valid value; a greater one is refused.
        max: i64,
    },
    /// An exact decimal, written as text.
    Decimal {
        /// The smallest valid value, in whole units.
        min: i64,
        /// The largest valid value, in whole units.
        max: i64,
    },
    /// A JSON boolean: `true` or `false`.
    Boolean,
    /// One of these texts, case-sensitive. The list is in the order of the declaration.
    Enumeration(&'static [&'static str]),
    /// An instant in UTC, written `YYYY-MM-DDTHH:MM:SS.mmmZ`.
    Timestamp,
    /// A day without a time, written `YYYY-MM-DD`.
    Date,
    /// An http or https URL.
    Url {
        /// Whether its scheme must be there. Without one it is http.
        absolute: bool,
    },
    /// A UUID in lower case.
    Uuid,
    /// A list of values of one kind.
    List {
        /// The kind of the items.
        of: &'static Kind,
        /// The maximum number of items; `None` is no limit.
        max: Option<usize>,
    },
    /// A `{"type", "attributes"}` object whose `type` is one of these texts.
    Variant(&'static [&'static str]),
    /// A JSON object whose members depend on other attributes.
    Object,
}

impl Kind {
    /// Whether a text is cast to a value that is no text.
    const fn is_cast(self) -> bool {
        matches!(
            self,
            Self::Integer { .. } | Self::Decimal { .. } | Self::Boolean | Self::Timestamp | Self::Date
        )
    }
}

/// A type that an attribute of a resource can have.
///
/// Deserialisation is tolerant and is meant for values that a service returns. [`validate`](Self::validate) is
/// strict and is meant for values that a client sends to a server.
pub trait Attribute: Serialize + DeserializeOwned + Clone + PartialEq {
    /// The kind and limits of the value, for documentation.
    const KIND: Kind;
    /// Whether `null` is a valid value.
    const NULLABLE: bool = false;

    /// Validates a value that a client sent, and returns it in normal form.
    ///
    /// # Errors
    /// Returns every violation, each with its position inside the value.
    fn validate(sent: &Value) -> Result<Value, Vec<Flaw>>;

    /// The value when a response leaves the attribute out and no default is declared. `None` makes that an
    /// error.
    fn when_missing() -> Option<Self> {
        None
    }

    /// Deserialises a value of a record that a service returned. Plain values are also accepted in another JSON type
    /// that means the same, such as `"100"` for a number.
    ///
    /// # Errors
    /// Returns an error for a value of another shape.
    fn deserialize_tolerant<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::deserialize(deserializer)
    }

    /// The JSON to send in a request. Types with parts that only the service sets leave those parts out.
    ///
    /// # Errors
    /// Returns an error only when the value cannot be serialised.
    fn to_sent(&self) -> Result<Value, serde_json::Error> {
        serde_json::to_value(self)
    }
}

impl<T: Attribute> Attribute for Option<T> {
    const KIND: Kind = T::KIND;
    const NULLABLE: bool = true;

    // The framework behind the API casts a blank text to null where it casts texts, and the official Go SDK sends
    // one for a day that is not set.
    fn validate(sent: &Value) -> Result<Value, Vec<Flaw>> {
        let is_blank = || sent.as_str().is_some_and(|text| text.trim().is_empty());
        if sent.is_null() || (T::KIND.is_cast() && is_blank()) { Ok(Value::Null) } else { T::validate(sent) }
    }

    fn when_missing() -> Option<Self> {
        Some(None)
    }

    fn deserialize_tolerant<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::<Tolerant<T>>::deserialize(deserializer).map(|value| value.map(|Tolerant(value)| value))
    }

    fn to_sent(&self) -> Result<Value, serde_json::Error> {
        self.as_ref().map_or(Ok(Value::Null), T::to_sent)
    }
}

impl Attribute for bool {
    const KIND: Kind = Kind::Boolean;

    // The framework behind the API casts these texts to booleans, and the official Postman collections send
    // them.
    fn validate(sent: &Value) -> Result<Value, Vec<Flaw>> {
        match sent {
            Value::Bool(_) => Ok(sent.clone()),
            Value::String(text) if text == "true" || text == "1" => Ok(Value::Bool(true)),
            Value::String(text) if text == "false" || text == "0" => Ok(Value::Bool(false)),
            Value::Number(number) if number.as_u64() == Some(1) => Ok(Value::Bool(true)),
            Value::Number(number) if number.as_u64() == Some(0) => Ok(Value::Bool(false)),
            _ => Err(Violation::NotIncluded.into()),
        }
    }

    fn deserialize_tolerant<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        tolerant::boolean(deserializer)
    }
}

impl Attribute for String {
    const KIND: Kind = Kind::Text { max: Some(MAX_TEXT_CHARACTERS), pattern: None };

    fn validate(sent: &Value) -> Result<Value, Vec<Flaw>> {
        match sent {
            Value::String(text) if text.chars().count() > MAX_TEXT_CHARACTERS => {
                Err(Violation::TooLong(MAX_TEXT_CHARACTERS).into())
            }
            Value::String(text) if text.chars().any(is_unprintable) => Err(Violation::Invalid.into()),
            Value::String(_) => Ok(sent.clone()),
            Value::Number(number) => Ok(Value::String(number.to_string())),
            Value::Null => Err(Violation::Blank.into()),
            _ => Err(Violation::Invalid.into()),
        }
    }

    fn deserialize_tolerant<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        tolerant::text(deserializer)
    }
}

/// Returns true for the control characters other than those of lines and tabs. PostgreSQL cannot store all of them.
fn is_unprintable(letter: char) -> bool {
    letter.is_control() && !matches!(letter, '\t' | '\n' | '\r')
}

/// The maximum number of characters of a text for which no source states a limit. 255 is the default width of
/// a string column in the framework behind the API; it is inferred, not documented.
pub(crate) const MAX_TEXT_CHARACTERS: usize = 255;

impl Attribute for i64 {
    const KIND: Kind = Kind::Integer { min: i32::MIN as i64, max: i32::MAX as i64 };

    fn validate(sent: &Value) -> Result<Value, Vec<Flaw>> {
        crate::values::validate_integer(sent, i32::MIN.into(), i32::MAX.into())
    }

    fn deserialize_tolerant<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        tolerant::integer(deserializer)
    }
}

impl Attribute for Timestamp {
    const KIND: Kind = Kind::Timestamp;

    fn validate(sent: &Value) -> Result<Value, Vec<Flaw>> {
        let parsed = sent.as_str().and_then(|text| text.parse::<Self>().ok());
        parsed.map_or_else(|| Err(Violation::Invalid.into()), |at| Ok(Value::String(at.to_string())))
    }
}

impl<R: 'static> Attribute for Id<R> {
    const KIND: Kind = Kind::Uuid;

    fn validate(sent: &Value) -> Result<Value, Vec<Flaw>> {
        if sent.is_string() { Ok(sent.clone()) } else { Err(Violation::Invalid.into()) }
    }
}
