//! Files that prove something, encrypted: `encrypted_files`.

use serde_json::{Map, Value};

use super::PublicKey;
use crate::{
    Adapter, ApiVersion, AttributeSpec, Extra, FormBatch, FormCheck, FormSpec, Id, Resource, Timestamp,
};

/// A file, which its owner encrypted with the [public keys](PublicKey) of the service. It is deleted 24 hours after it
/// was uploaded unless something refers to it.
#[derive(Debug, Clone, PartialEq, Resource)]
#[resource(
    name = "encrypted_files",
    since = "2021-04-19",
    verbs(list, get, create, delete),
    adapter = EXPIRE_AT,
    form = FORM,
    expires = "expires_at",
    sorts("expire_at"(by = "expires_at"))
)]
#[filter(name = "id", id, list, value = Id<EncryptedFile>)]
#[non_exhaustive]
pub struct EncryptedFile {
    /// The file's id, a UUID.
    pub id: Id<EncryptedFile>,
    /// The customer's note about the file.
    #[attr(create, sort)]
    pub description: Option<String>,
    /// The time at which the file is deleted unless something refers to it: 24 hours after it was uploaded.
    #[attr(since = "2026-04-16", sort)]
    pub expires_at: Timestamp,
    /// Attributes that this crate does not declare.
    #[extra]
    pub extra: Extra,
}

/// The largest file: 20 MiB. The older form is that of the pages of 2021-04-19, and was recorded then.
static FORM: FormSpec = FormSpec {
    file: "file",
    max_file_bytes: 20 << 20,
    check: FormCheck {
        name: "encryption_fingerprint",
        of: "public_keys",
        expected: |keys| {
            let texts = keys.iter().map(|key| key.get("key").and_then(Value::as_str).unwrap_or_default());
            PublicKey::fingerprint_of(texts)
        },
    },
    batch: Some(FormBatch { name: "items", most: 5, until: ApiVersion::V2022_05_10 }),
};

/// Up to 2022-05-10, `expires_at` has another name.
static EXPIRE_AT: Adapter = Adapter {
    until: ApiVersion::V2022_05_10,
    attributes: &[AttributeSpec::of::<Timestamp>(
        "expire_at",
        "The time at which the file is deleted unless something refers to it.",
    )
    .until(ApiVersion::V2022_05_10, "expires_at")],
    from_canonical: |_version, attributes| rename(attributes, "expires_at", "expire_at"),
    to_canonical: |_version, attributes| rename(attributes, "expire_at", "expires_at"),
    not_representable: |_version, _attributes| None,
};

fn rename(attributes: &mut Map<String, Value>, from: &str, to: &str) {
    if let Some(value) = attributes.remove(from) {
        attributes.insert(to.to_owned(), value);
    }
}
