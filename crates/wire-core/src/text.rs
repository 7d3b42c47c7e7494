//! Deserialisation of types that are parsed from a text.

use std::fmt;
use std::marker::PhantomData;

use serde::{Deserializer, de};

/// Deserialises a text and parses it, without copying the text first. The error of `parse` becomes the error
/// of the deserialiser.
pub fn parsed<'de, D, T, E>(deserializer: D, parse: impl FnOnce(&str) -> Result<T, E>) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    E: fmt::Display,
{
    struct Visitor<F, T>(F, PhantomData<fn() -> T>);

    impl<T, E: fmt::Display, F: FnOnce(&str) -> Result<T, E>> de::Visitor<'_> for Visitor<F, T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a string")
        }

        fn visit_str<D: de::Error>(self, text: &str) -> Result<T, D> {
            (self.0)(text).map_err(D::custom)
        }
    }

    deserializer.deserialize_str(Visitor(parse, PhantomData))
}
