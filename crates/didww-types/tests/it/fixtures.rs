//! Reads the documents in `fixtures/`, and encodes records in the form of an API version.

use std::path::PathBuf;

use didww_types::resources::VoiceOutTrunk;
use didww_types::{ApiVersion, Document, Resource, ResourceObject};
use serde_json::Value;

pub(crate) const CREDENTIALS: &str = "2026-04-16/voice_out_trunks.create_credentials.response.json";
pub(crate) const TWILIO: &str = "2026-04-16/voice_out_trunks.create_twilio.response.json";
pub(crate) const IP_ONLY: &str = "2026-04-16/voice_out_trunks.get_ip_only.response.json";
pub(crate) const FOUNDING: [&str; 3] = ["create_active", "create_blocked_with_callback", "create_with_dids"];

pub(crate) fn directory() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures"))
}

pub(crate) fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(directory().join(name)).unwrap_or_else(|error| panic!("fixtures/{name}: {error}"))
}

pub(crate) fn json(name: &str) -> Value {
    serde_json::from_slice(&bytes(name)).unwrap()
}

/// The primary data of a document with one record.
pub(crate) fn object(name: &str) -> ResourceObject {
    Document::parse(&bytes(name)).unwrap().data
}

/// A trunk in the form of the newest version.
pub(crate) fn trunk(name: &str) -> VoiceOutTrunk {
    VoiceOutTrunk::decode(object(name)).unwrap()
}

/// The trunk with credentials in the form of the newest version, with one attribute replaced.
pub(crate) fn object_with(attribute: &str, value: Value) -> ResourceObject {
    let mut object = object(CREDENTIALS);
    object.attributes.insert(attribute.to_owned(), value);
    object
}

/// The record as the service returns it at a version: in that version's form, without attributes that it
/// lacks.
pub(crate) fn encoded_at<R: Resource>(record: &R, version: ApiVersion) -> Value {
    let mut object = record.encode().unwrap();
    R::SPEC.from_canonical(version, &mut object.attributes);
    R::SPEC.name_at(version).clone_into(&mut object.kind);
    object
        .attributes
        .retain(|name, _| R::SPEC.attribute(name).is_none_or(|attribute| attribute.exists_in(version)));
    serde_json::to_value(object).unwrap()
}
