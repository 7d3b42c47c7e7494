//! What a type must tell to serve as an attribute.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{Flaw, Id, Timestamp, Violation};

/// The kind of an attribute's value, as documents about the API describe it.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Kind {
    /// Text, of at most so many characters.
    Text {
        /// Most characters.
        max: Option<usize>,
        /// A regular expression that the text fulfils.
        pattern: Option<&'static str>,
    },
    /// A whole number within bounds.
    Integer {
        /// Smallest.
        min: i64,
        /// Largest.
        max: i64,
    },
    /// An exact decimal, written as text.
    Decimal {
        /// Smallest, in whole units.
        min: i64,
        /// Largest, in whole units.
        max: i64,
    },
    /// `true` or `false`.
    Boolean,
    /// One of these texts.
    Enumeration(&'static [&'static str]),
    /// An instant, `YYYY-MM-DDTHH:MM:SS.mmmZ`.
    Timestamp,
    /// An http or https URL.
    Url,
    /// A UUID.
    Uuid,
    /// A list of at most so many values of one kind.
    List {
        /// Kind of the items.
        of: &'static Kind,
        /// Most items.
        max: Option<usize>,
    },
    /// One of several `{"type", "attributes"}` objects: their type names.
    Variant(&'static [&'static str]),
}

/// A type that an attribute of a resource can have.
///
/// Deserialising is the tolerant road, for what a service answers. [`admit`](Self::admit) is the strict one,
/// for what a client sends.
pub trait Attribute: Serialize + DeserializeOwned + Clone + PartialEq {
    /// What documents say of it.
    const KIND: Kind;
    /// Whether `null` is a value of it.
    const NULLABLE: bool = false;

    /// Checks a value that a client sent and returns its normal form, or all that is wrong with it.
    fn admit(sent: &Value) -> Result<Value, Vec<Flaw>>;

    /// The value when an answer leaves the attribute out and no default is declared.
    fn when_missing() -> Option<Self> {
        None
    }

    /// What is sent when the value is written: all of it, unless a part of it is the service's own.
    fn to_sent(&self) -> Result<Value, serde_json::Error> {
        serde_json::to_value(self)
    }
}

impl<T: Attribute> Attribute for Option<T> {
    const KIND: Kind = T::KIND;
    const NULLABLE: bool = true;

    fn admit(sent: &Value) -> Result<Value, Vec<Flaw>> {
        if sent.is_null() { Ok(Value::Null) } else { T::admit(sent) }
    }

    fn when_missing() -> Option<Self> {
        Some(None)
    }

    fn to_sent(&self) -> Result<Value, serde_json::Error> {
        self.as_ref().map_or(Ok(Value::Null), T::to_sent)
    }
}

impl Attribute for bool {
    const KIND: Kind = Kind::Boolean;

    // The framework behind the API casts these texts, and official collections send them.
    fn admit(sent: &Value) -> Result<Value, Vec<Flaw>> {
        match sent {
            Value::Bool(_) => Ok(sent.clone()),
            Value::String(text) if text == "true" || text == "1" => Ok(Value::Bool(true)),
            Value::String(text) if text == "false" || text == "0" => Ok(Value::Bool(false)),
            Value::Number(number) if number.as_u64() == Some(1) => Ok(Value::Bool(true)),
            Value::Number(number) if number.as_u64() == Some(0) => Ok(Value::Bool(false)),
            _ => Err(Violation::NotIncluded.into()),
        }
    }
}

impl Attribute for String {
    const KIND: Kind = Kind::Text { max: Some(TEXT_LIMIT), pattern: None };

    fn admit(sent: &Value) -> Result<Value, Vec<Flaw>> {
        match sent {
            Value::String(text) if text.chars().count() > TEXT_LIMIT => {
                Err(Violation::TooLong(TEXT_LIMIT).into())
            }
            Value::String(_) => Ok(sent.clone()),
            Value::Number(number) => Ok(Value::String(number.to_string())),
            Value::Null => Err(Violation::Blank.into()),
            _ => Err(Violation::Invalid.into()),
        }
    }
}

/// Most characters of a text that no source limits: the width of the column type such services use.
const TEXT_LIMIT: usize = 255;

impl Attribute for i64 {
    const KIND: Kind = Kind::Integer { min: i32::MIN as i64, max: i32::MAX as i64 };

    fn admit(sent: &Value) -> Result<Value, Vec<Flaw>> {
        crate::values::admit_integer(sent, i32::MIN.into(), i32::MAX.into())
    }
}

impl Attribute for Timestamp {
    const KIND: Kind = Kind::Timestamp;

    fn admit(sent: &Value) -> Result<Value, Vec<Flaw>> {
        let parsed = sent.as_str().and_then(|text| text.parse::<Self>().ok());
        parsed.map_or_else(|| Err(Violation::Invalid.into()), |at| Ok(Value::String(at.to_string())))
    }
}

impl<R: 'static> Attribute for Id<R> {
    const KIND: Kind = Kind::Uuid;

    fn admit(sent: &Value) -> Result<Value, Vec<Flaw>> {
        if sent.is_string() { Ok(sent.clone()) } else { Err(Violation::Invalid.into()) }
    }
}
