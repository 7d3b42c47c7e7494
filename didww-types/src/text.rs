//! Texts that are read where they stand, without a copy.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Deserializer, de};

/// A text that is lent by the document unless it holds an escape. Serde's own `Cow` is always a copy.
pub(crate) struct Lent<'de>(pub(crate) Cow<'de, str>);

impl<'de> Deserialize<'de> for Lent<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Lent<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Lent(Cow::Borrowed(text)))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                self.visit_string(text.to_owned())
            }

            fn visit_string<E: de::Error>(self, text: String) -> Result<Self::Value, E> {
                Ok(Lent(Cow::Owned(text)))
            }
        }

        deserializer.deserialize_str(Visitor)
    }
}
