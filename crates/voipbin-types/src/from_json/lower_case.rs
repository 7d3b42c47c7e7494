//! Decoding of names in lower case.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, Visitor};
use serde::forward_to_deserialize_any;

/// A wrapper that decodes a text in lower case, in which the service has the names of all members.
pub(super) struct LowerCase<T>(pub(super) T);

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for LowerCase<S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        self.0.deserialize(LowerCase(deserializer))
    }
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for LowerCase<D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_any(LowerCase(visitor))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl<'de, V: Visitor<'de>> Visitor<'de> for LowerCase<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<V::Value, E> {
        if text.contains(|letter: char| letter.is_ascii_uppercase()) {
            self.0.visit_string(text.to_ascii_lowercase())
        } else {
            self.0.visit_str(text)
        }
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<V::Value, E> {
        if text.contains(|letter: char| letter.is_ascii_uppercase()) {
            self.visit_str(text)
        } else {
            self.0.visit_borrowed_str(text)
        }
    }
}
