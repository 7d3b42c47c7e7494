//! A text that is sent on the wire and printed nowhere.

use std::fmt;

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use subtle::ConstantTimeEq as _;

/// A password, key or other text that must not be printed.
///
/// `Debug` hides the text and there is no `Display`. Comparison takes the same time wherever two texts of
/// equal length differ. The memory is overwritten with zeros on drop. Serialisation writes the text in clear,
/// because the API needs it.
///
/// ```
/// let password = wire_core::Secret::new("s3cret");
/// assert_eq!(format!("{password:?}"), "Secret(hidden)");
/// assert_eq!(password.expose(), "s3cret");
/// ```
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Wraps a text. Other copies of it that the caller holds are not wiped.
    pub fn new(text: impl Into<String>) -> Self {
        Self(SecretString::from(text.into()))
    }

    /// The text in clear. Do not log it.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.expose().as_bytes().ct_eq(other.expose().as_bytes()).into()
    }
}
impl Eq for Secret {}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}
impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.expose())
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // serde's own message would quote a number or list that was sent instead of a text.
        String::deserialize(deserializer)
            .map(Self::new)
            .map_err(|_| de::Error::custom("expected a secret text"))
    }
}
