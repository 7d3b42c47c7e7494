//! The wire types of DIDWW's API v3, declared once for clients and servers.
//!
//! Each resource is one annotated struct in [`resources`]. [`derive@Resource`] generates from it the bodies
//! of create and update requests, the typed filters, sorts, includes and fields, and a [`ResourceSpec`]: the
//! same facts as data, for programs that serve the API instead of calling it.
//!
//! Decoding is tolerant: unknown attributes, enumeration texts and nested types are preserved, and values
//! outside the documented limits are accepted. Constructors are strict: they return an error for a value
//! outside its documented limits. This crate does no I/O and depends on no HTTP client or server.
//!
//! It is compatible with DIDWW's API and not affiliated with DIDWW.

// The derive's output refers to this crate by name, also inside this crate.
extern crate self as didww_types;

mod attribute;
pub mod callback;
mod csv;
mod difference;
mod direct;
mod document;
mod enumeration;
mod error_object;
mod feature;
mod id;
mod links;
mod merged_attributes;
mod patch;
mod path;
mod polymorphic;
pub mod prices;
mod query;
mod registry;
mod relationship;
mod resource;
pub mod resources;
#[cfg(feature = "schema")]
mod schema;
mod spec;
mod text;
mod timestamp;
mod tolerant;
pub mod values;
mod version;
mod violation;

pub use attribute::{Attribute, Kind};
pub use csv::{join_values, split_values};
pub use didww_derive::Resource;
pub use difference::Difference;
pub use document::{CollectionMeta, Document, Included, Linkage, RelationshipObject, ResourceObject};
pub use error_object::{ErrorCode, ErrorDocument, ErrorObject, ErrorSource};
pub use feature::{Feature, Features, UnknownFeature};
pub use id::{Id, ResourceIdentifier};
pub use links::{Links, Page, PageLinks};
pub use patch::Patch;
pub use path::{Step, follow, plain_names, related_attribute};
pub use polymorphic::UnknownVariant;
pub use query::{OneOf, Parameters, QueryPairs, encode_component};
pub use registry::{AnyRecord, REGISTRY, canonical_name, find, find_path, is_path};
pub use relationship::{RelationshipLinks, ToMany, ToManyName, ToOne, ToOneName};
pub use resource::{
    Creatable, Create, Deletable, Filter, Gettable, Listable, Named, Partial, Resource, Sent, Singular,
    Updatable, Update, VersionError,
};
pub use spec::{
    Access, Adapter, AttributeSpec, DefaultValue, FilterSpec, FilterTest, FixedRecord, FormBatch, FormCheck,
    FormSpec, FormerName, NestedInclude, NotRepresentable, RelationshipSpec, ResourceSpec, Revision,
    SortSpec, Sum, ValueSpec, Verb, Versions,
};
pub use timestamp::{Timestamp, TimestampError};
pub use version::{ApiVersion, UnknownVersion};
pub use violation::{Flaw, Violation};
pub use wire_core::{
    DecodeError, Extra, Secret, UndeclaredText, UnknownText, hidden_in_url, hiding_secrets, names_secret,
    text_holds_secret,
};

/// Paths that the derive's output refers to; not part of the public interface.
#[doc(hidden)]
pub mod derive_support {
    pub use crate::direct::{Fields, ignore, next_value, read_partial, read_record};
    pub use crate::resource::support::*;
    pub use crate::resource::{Linkable, same_name};
    pub use serde::de::MapAccess;
    pub use serde::{Deserialize, Deserializer};
    pub use serde_json::{Map, Value};
    /// The members of a JSON object.
    pub type Members = Map<String, Value>;
}

/// The media type of every request and response body.
pub const MEDIA_TYPE: &str = "application/vnd.api+json";
/// The request header with the account's API key.
pub const API_KEY_HEADER: &str = "api-key";
/// The request header that selects an API version for one request; see [`ApiVersion::serving`].
pub const VERSION_HEADER: &str = "x-didww-api-version";
/// The header of a callback with its signature; see [`callback::verify`].
pub const SIGNATURE_HEADER: &str = "x-didww-signature";
