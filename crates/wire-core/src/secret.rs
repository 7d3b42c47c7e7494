//! A text that is sent on the wire and printed nowhere.

use std::cell::Cell;
use std::fmt;

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use subtle::ConstantTimeEq as _;

/// The replacement of a secret.
pub(crate) const HIDDEN: &str = "(hidden)";

thread_local! {
    /// Whether secrets that this thread serialises are hidden.
    static HIDES: Cell<bool> = const { Cell::new(false) };
}

/// Runs a serialisation whose result goes to a log: every [`Secret`] in it is written as `(hidden)`.
///
/// ```
/// # use wire_core::{Secret, hiding_secrets};
/// let password = Secret::new("s3cret");
/// assert_eq!(hiding_secrets(|| serde_json::to_string(&password))?, r#""(hidden)""#);
/// assert_eq!(serde_json::to_string(&password)?, r#""s3cret""#);
/// # Ok::<(), serde_json::Error>(())
/// ```
pub fn hiding_secrets<T>(serialise: impl FnOnce() -> T) -> T {
    /// Restores the previous value on drop, also if the serialisation panics.
    struct Before(bool);
    impl Drop for Before {
        fn drop(&mut self) {
            HIDES.set(self.0);
        }
    }
    let _before = Before(HIDES.replace(true));
    serialise()
}

/// A password, key or other text that must not be printed.
///
/// `Debug` hides the text and there is no `Display`. Comparison takes the same time wherever two texts of
/// equal length differ. The memory is overwritten with zeros on drop. Serialisation writes the text in clear,
/// because the API needs it, unless it is for a log: see [`hiding_secrets`].
///
/// ```
/// # use wire_core::Secret;
/// let password = Secret::new("s3cret");
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
        serializer.serialize_str(if HIDES.get() { HIDDEN } else { self.expose() })
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
