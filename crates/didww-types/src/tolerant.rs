//! Decoding of plain values that a service wrote in another JSON type than its documents state.
//!
//! A limit that arrives as `"100"` is still a limit. Refused with it, a whole record, or a page of a thousand, could
//! not be read. Only values that mean the same are accepted: a text of digits for a number, `"true"` for a boolean, a
//! number for a text. A request is validated strictly and does not pass through here.

use std::fmt;
use std::marker::PhantomData;

use serde::{Deserialize, Deserializer, de};

use crate::Attribute;

/// A value that is deserialised by [`Attribute::deserialize_tolerant`].
pub(crate) struct Tolerant<T>(pub(crate) T);

impl<'de, T: Attribute> Deserialize<'de> for Tolerant<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize_tolerant(deserializer).map(Self)
    }
}

/// A type that can be parsed from a number, a boolean or a text.
trait Scalar: Sized {
    const EXPECTED: &'static str;

    fn of_integer(number: i64) -> Option<Self>;
    fn of_boolean(flag: bool) -> Option<Self>;
    fn of_float(number: f64) -> Option<Self>;
    fn of_text(text: &str) -> Option<Self>;
    fn of_owned(text: String) -> Result<Self, String> {
        Self::of_text(&text).ok_or(text)
    }
}

impl Scalar for i64 {
    const EXPECTED: &'static str = "a whole number";

    fn of_integer(number: i64) -> Option<Self> {
        Some(number)
    }
    fn of_boolean(_: bool) -> Option<Self> {
        None
    }
    fn of_float(number: f64) -> Option<Self> {
        #[expect(clippy::cast_possible_truncation, reason = "the fraction is zero and the range small")]
        (number.fract() == 0.0 && number.abs() < 9e15).then_some(number as Self)
    }
    fn of_text(text: &str) -> Option<Self> {
        let text = text.trim();
        text.parse().ok().or_else(|| Self::of_float(text.parse().ok()?))
    }
}

impl Scalar for bool {
    const EXPECTED: &'static str = "true or false";

    fn of_integer(number: i64) -> Option<Self> {
        match number {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
    fn of_boolean(flag: bool) -> Option<Self> {
        Some(flag)
    }
    fn of_float(_: f64) -> Option<Self> {
        None
    }
    fn of_text(text: &str) -> Option<Self> {
        match text.trim() {
            "false" | "0" => Some(false),
            "true" | "1" => Some(true),
            _ => None,
        }
    }
}

impl Scalar for String {
    const EXPECTED: &'static str = "a text";

    fn of_integer(number: i64) -> Option<Self> {
        Some(number.to_string())
    }
    fn of_boolean(_: bool) -> Option<Self> {
        None
    }
    fn of_float(number: f64) -> Option<Self> {
        Some(number.to_string())
    }
    fn of_text(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }
    fn of_owned(text: String) -> Result<Self, String> {
        Ok(text)
    }
}

/// Deserialises a whole number, also one that is written as text or with a fraction of zero.
pub(crate) fn integer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    deserializer.deserialize_any(ScalarVisitor(PhantomData))
}

/// Deserialises a boolean, also one that is written as text, `0` or `1`.
pub(crate) fn boolean<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    deserializer.deserialize_any(ScalarVisitor(PhantomData))
}

/// Deserialises a text, also one that is written as a number.
pub(crate) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    deserializer.deserialize_any(ScalarVisitor(PhantomData))
}

/// Deserialises a text, a number or null.
pub(crate) fn optional_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Option::<Tolerant<String>>::deserialize(deserializer).map(|text| text.map(|Tolerant(text)| text))
}

struct ScalarVisitor<T>(PhantomData<fn() -> T>);

impl<T: Scalar> de::Visitor<'_> for ScalarVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }
    fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
        T::of_integer(number).ok_or_else(|| E::invalid_type(de::Unexpected::Signed(number), &self))
    }
    fn visit_u64<E: de::Error>(self, number: u64) -> Result<T, E> {
        let value = i64::try_from(number).ok().and_then(T::of_integer);
        value
            .or_else(|| T::of_text(&number.to_string()))
            .ok_or_else(|| E::invalid_value(de::Unexpected::Unsigned(number), &self))
    }
    fn visit_f64<E: de::Error>(self, number: f64) -> Result<T, E> {
        T::of_float(number).ok_or_else(|| E::invalid_type(de::Unexpected::Float(number), &self))
    }
    fn visit_bool<E: de::Error>(self, flag: bool) -> Result<T, E> {
        T::of_boolean(flag).ok_or_else(|| E::invalid_type(de::Unexpected::Bool(flag), &self))
    }
    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        T::of_text(text).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
    }
    fn visit_string<E: de::Error>(self, text: String) -> Result<T, E> {
        T::of_owned(text).map_err(|text| E::invalid_value(de::Unexpected::Str(&text), &self))
    }
}
