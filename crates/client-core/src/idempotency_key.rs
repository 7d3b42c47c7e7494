//! Idempotency keys: a service that knows them carries out a request once, however often it is sent.

use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use reqwest::header::{HeaderName, HeaderValue};

pub(crate) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

const MAX_CHARACTERS: usize = 255;

/// The key of one logical request, in the header `Idempotency-Key`.
///
/// A service that knows the header carries out the first request with a key, and returns its response to each
/// repetition. `Debug` does not print the key: a request with it receives that response.
#[derive(Clone)]
pub struct IdempotencyKey(HeaderValue);

/// The text cannot be an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an idempotency key has 1 to 255 printable ASCII characters")]
#[non_exhaustive]
pub struct InvalidKey;

impl IdempotencyKey {
    /// A key of the program's own, such as one that it has stored with an order, so that the request can be repeated
    /// after a restart of the program. It must be used for one logical request only.
    ///
    /// # Errors
    /// [`InvalidKey`] unless the text has 1 to 255 printable ASCII characters.
    pub fn new(text: &str) -> Result<Self, InvalidKey> {
        let is_printable = text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        if !is_printable || !(1..=MAX_CHARACTERS).contains(&text.len()) {
            return Err(InvalidKey);
        }
        let mut quoted = String::with_capacity(text.len() + 2);
        quoted.push('"');
        for character in text.chars() {
            if matches!(character, '"' | '\\') {
                quoted.push('\\');
            }
            quoted.push(character);
        }
        quoted.push('"');
        let mut value = HeaderValue::from_str(&quoted).map_err(|_| InvalidKey)?;
        value.set_sensitive(true);
        Ok(Self(value))
    }

    pub(crate) fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}

impl fmt::Debug for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdempotencyKey(hidden)")
    }
}

/// Generates a key for each logical request: 128 bits of two keyed hashes of a counter. The keys of the hashes are the
/// system's randomness, so no two processes generate the same ones.
#[derive(Debug, Default)]
pub(crate) struct KeyGenerator {
    hashes: [RandomState; 2],
    count: AtomicU64,
}

impl KeyGenerator {
    pub(crate) fn next(&self) -> Option<IdempotencyKey> {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        let [high, low] = &self.hashes;
        let (high, low) = (high.hash_one((count, 0)), low.hash_one((count, 1)));
        IdempotencyKey::new(&format!("{high:016x}{low:016x}")).ok()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_key_is_written_as_a_structured_string() {
        let header = |text| IdempotencyKey::new(text).map(|key| key.header().to_str().unwrap().to_owned());
        assert_eq!(header("order-7").as_deref(), Ok("\"order-7\""));
        assert_eq!(header(r#"a"b\c"#).as_deref(), Ok(r#""a\"b\\c""#));
        for text in ["", "\n", "\u{e4}", &"k".repeat(256)] {
            assert_eq!(header(text), Err(InvalidKey), "{text:?}");
        }
        assert!(!format!("{:?}", IdempotencyKey::new("order-7")).contains("order"));
    }

    #[test]
    fn generated_keys_differ_within_a_client_and_between_clients() {
        let (one, other) = (KeyGenerator::default(), KeyGenerator::default());
        let keys = (0..1_000).flat_map(|_| [one.next(), other.next()]);
        let texts: HashSet<HeaderValue> = keys.map(|key| key.unwrap().header()).collect();
        assert_eq!(texts.len(), 2_000);
    }
}
