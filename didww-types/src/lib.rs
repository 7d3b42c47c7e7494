//! What DIDWW's API v3 says on the wire, declared once.
//!
//! A resource is one annotated struct in [`resources`]. From it come the typed struct itself, the bodies
//! that create and patch it, its typed filters, sorts, includes and fields, and a [`ResourceSpec`]: the
//! same facts as data, for programs that serve the API instead of calling it.
//!
//! This crate does no I/O and knows no HTTP client or server. It is tolerant when it reads (unknown
//! attributes, enum values and nested kinds survive) and strict when a value is built by hand.
//!
//! Compatible with DIDWW, not affiliated with it.

// The derive's output names this crate from outside and from inside.
extern crate self as didww_types;

mod attribute;
pub mod callback;
mod csv;
mod direct;
mod document;
mod enumeration;
mod error_object;
mod id;
mod links;
mod patch;
mod query;
mod registry;
mod relationship;
mod resource;
pub mod resources;
mod spec;
mod text;
mod timestamp;
pub mod values;
mod version;
mod violation;

pub use attribute::{Attribute, Kind};
pub use csv::split_values;
pub use didww_derive::Resource;
pub use document::{CollectionMeta, Document, Included, Linkage, RelationshipObject, ResourceObject};
pub use error_object::{ErrorCode, ErrorDocument, ErrorObject, ErrorSource};
pub use id::{Id, ResourceIdentifier};
pub use links::{Links, Page, PageLinks};
pub use patch::Patch;
pub use query::{OneOf, Parameters, QueryPairs, encode_component};
pub use registry::{REGISTRY, find};
pub use relationship::{AnyResource, RelationshipLinks, ToMany, ToManyName, ToOne, ToOneName};
pub use resource::{
    Creatable, Create, Deletable, Filter, Gettable, Listable, Named, Partial, Resource, Sent, Updatable,
    Update, VersionError,
};
pub use spec::{
    Access, Adapter, AttributeSpec, DefaultValue, Feature, FilterSpec, FilterTest, Obstacle,
    RelationshipSpec, ResourceSpec, Verb,
};
pub use timestamp::{Timestamp, TimestampError};
pub use version::{ApiVersion, UnknownVersion};
pub use violation::{Flaw, Violation};
pub use wire_core::{DecodeError, Extra, Secret, UnknownText};

/// What the derive's output names; not part of the public interface.
#[doc(hidden)]
pub mod derive_support {
    pub use crate::direct::{Fields, ignore, read_partial, read_record};
    pub use crate::resource::support::*;
    pub use serde::de::MapAccess;
    pub use serde::{Deserialize, Deserializer};
    pub use serde_json::{Map, Value};
    /// The members of an object.
    pub type Members = Map<String, Value>;
}

/// The media type of every request and response body.
pub const MEDIA_TYPE: &str = "application/vnd.api+json";
/// The header that carries an account's API key.
pub const API_KEY_HEADER: &str = "api-key";
/// The header that asks for a newer API version for one request.
pub const VERSION_HEADER: &str = "x-didww-api-version";
/// The header that carries a callback's signature.
pub const SIGNATURE_HEADER: &str = "x-didww-signature";
