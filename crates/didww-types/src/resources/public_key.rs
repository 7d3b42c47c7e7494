//! The keys that files are encrypted with: `public_keys`.

use std::fmt::Write as _;

use sha1::{Digest as _, Sha1};

use crate::values::PublicKeyText;
use crate::{Extra, Id, Resource};

/// An RSA key of the service. Files are encrypted with the first two keys of the list, so that either decrypts them.
#[derive(Debug, Clone, PartialEq, Resource)]
#[resource(name = "public_keys", since = "2021-04-19", verbs(list), global, unpaged, open)]
#[filter(name = "id", id, unapplied, list, value = Id<PublicKey>)]
#[non_exhaustive]
pub struct PublicKey {
    /// The key's id, a UUID that the service chose.
    pub id: Id<PublicKey>,
    /// The key in PEM, a `SubjectPublicKeyInfo`.
    #[attr(value = PublicKeyText)]
    pub key: String,
    /// Attributes that this crate does not declare.
    #[extra]
    pub extra: Extra,
}

impl PublicKey {
    /// The DER form of the key, a `SubjectPublicKeyInfo`: the decoded base64, with or without the lines of PEM around
    /// it. `None` if it is not base64.
    pub fn der(&self) -> Option<Vec<u8>> {
        PublicKeyText::der(&self.key)
    }

    /// The fingerprint of the key: the SHA-1 of its DER form in 40 hexadecimal digits. `None` if the key is not base64,
    /// with or without the lines of PEM around it.
    pub fn fingerprint(&self) -> Option<String> {
        fingerprint(&self.key)
    }

    /// The fingerprint that an upload states: those of the first and the second key of the list, with `:::` between
    /// them. `None` if there are fewer than two keys, or if one has no [fingerprint](Self::fingerprint).
    ///
    /// ```
    /// # use didww_types as didww_client;
    /// use didww_client::resources::PublicKey;
    ///
    /// assert_eq!(PublicKey::encryption_fingerprint(&[]), None);
    /// ```
    pub fn encryption_fingerprint(keys: &[Self]) -> Option<String> {
        Self::fingerprint_of(keys.iter().map(|key| key.key.as_str()))
    }

    pub(crate) fn fingerprint_of<'a>(keys: impl IntoIterator<Item = &'a str>) -> Option<String> {
        let mut keys = keys.into_iter();
        let (first, second) = (keys.next()?, keys.next()?);
        Some(format!("{}:::{}", fingerprint(first)?, fingerprint(second)?))
    }
}

fn fingerprint(key: &str) -> Option<String> {
    let der = PublicKeyText::der(key)?;
    let mut digits = String::with_capacity(40);
    for byte in Sha1::digest(der) {
        // Writing to a text cannot fail.
        let _written = write!(digits, "{byte:02x}");
    }
    Some(digits)
}
