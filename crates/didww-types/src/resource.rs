//! The traits that the derive implements for a resource, including one marker trait for each verb of the API.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use wire_core::Names;

use crate::direct::{Fields, read_texts};
use crate::{ApiVersion, DecodeError, Id, Linkage, ResourceObject, ResourceSpec};

/// A type that has a JSON:API type name.
pub trait Named {
    /// The plural type name, such as `dids`.
    const TYPE: &'static str;

    /// The type name and the id on the wire that the text of an [`Id`] stands for. Only a type that stands for several has
    /// ids that state which one it is.
    fn identify(text: &str) -> (&str, &str) {
        (Self::TYPE, text)
    }
}

/// Compares two type names when a declaration is compiled.
#[doc(hidden)]
pub const fn same_name(one: &[u8], other: &[u8]) -> bool {
    match (one.split_first(), other.split_first()) {
        (Some((first, one)), Some((second, other))) => *first == *second && same_name(one, other),
        (None, None) => true,
        _ => false,
    }
}

/// A declared resource. It is derived; `CONTRIBUTING.md` describes how a declaration is written.
///
/// There are two ways of decoding. Deserialisation reads a resource object in the canonical form, that of
/// [`ApiVersion::NEWEST`], straight from the text. It is several times as fast as [`decode`](Self::decode),
/// but its errors have no path. [`decode_at`](Self::decode_at) also reads the forms of older API versions.
pub trait Resource: Named + DeserializeOwned + Clone + Send + Sync + Sized + 'static {
    /// The declaration as data, for programs that handle every type alike.
    const SPEC: &'static ResourceSpec;
    /// The record with all attributes optional, for responses to requests that select `fields`.
    type Partial: Partial<Self>;
    /// The filters of the resource's list.
    type Filter: Filter;
    /// The attributes by which the resource's list can be sorted.
    type Sort: Copy + Into<&'static str>;
    /// The relationship paths that can be included.
    type Include: Copy + Into<&'static str>;
    /// The attributes and relationships that `fields` can select.
    type Field: Copy + Into<&'static str>;

    /// The record's id, which the service chose when it created the record.
    fn id(&self) -> &Id<Self>;

    /// Decodes a record in the canonical form.
    ///
    /// # Errors
    /// Returns an error with the path when an attribute or relationship has the wrong shape, or when an
    /// attribute without a default is missing.
    fn decode(object: ResourceObject) -> Result<Self, DecodeError>;

    /// Encodes the record in the canonical form, including the attributes that this crate does not declare.
    ///
    /// # Errors
    /// Returns an error only when a value cannot be serialised.
    fn encode(&self) -> Result<ResourceObject, DecodeError>;

    /// Decodes a stored record from the JSON texts of its attributes and of its `meta` member, in the canonical
    /// form. No relationship is loaded.
    ///
    /// # Errors
    /// Returns an error when a text is not a JSON object of the declared shape, or when an attribute without a
    /// default is missing.
    // Not a part of what the derive writes: programs that read no stored records do not compile it for every type.
    fn from_texts(id: Id<Self>, attributes: &str, meta: Option<&str>) -> Result<Self, DecodeError> {
        read_texts::<Self::Partial>(id, attributes, meta)?.complete()
    }

    /// Decodes a record in the form of an API version. Errors are those of [`decode`](Self::decode).
    fn decode_at(version: ApiVersion, mut object: ResourceObject) -> Result<Self, DecodeError> {
        Self::SPEC.record_to_canonical(version, &mut object);
        Self::decode(object)
    }
}

/// A record of which any field may be absent: one with only the fields that a request selected, or only the
/// attributes that a write changes.
pub trait Partial<R>: Fields<Record = R> + DeserializeOwned + Clone + Send + Sync + Sized + 'static {
    /// Creates a record without any field.
    fn empty() -> Self {
        Self::without_fields()
    }

    /// Decodes a record from the JSON text of its attributes in the canonical form. It has no id.
    ///
    /// # Errors
    /// Returns an error when the text is not a JSON object, or an attribute has the wrong shape.
    fn from_attributes(attributes: &str) -> Result<Self, DecodeError> {
        read_texts::<Self>(Id::new(""), attributes, None)
    }

    /// Encodes the attributes that are present, in the canonical form. Those that this crate does not declare
    /// are left out.
    ///
    /// # Errors
    /// Returns an error only when a value cannot be serialised.
    fn attributes(&self) -> Result<Map<String, Value>, DecodeError>;

    /// Decodes a record in the canonical form.
    ///
    /// # Errors
    /// Returns an error with the path when an attribute or relationship has the wrong shape.
    fn decode(object: ResourceObject) -> Result<Self, DecodeError>;

    /// Decodes a record in the form of an API version. Errors are those of [`decode`](Self::decode).
    fn decode_at(version: ApiVersion, mut object: ResourceObject) -> Result<Self, DecodeError>
    where
        R: Resource,
    {
        R::SPEC.record_to_canonical(version, &mut object);
        Self::decode(object)
    }
}

/// A filter with its value.
pub trait Filter: Clone + Send + Sync {
    /// The name of the filter, as written between the brackets of `filter[...]`.
    fn name(&self) -> &'static str;
    /// The values, of which one must match. Empty for a filter that matches null and empty values.
    fn values(&self) -> &[String];
}

/// A resource whose records can be listed (GET of the collection).
#[diagnostic::on_unimplemented(message = "`{Self}` has no list in the API")]
pub trait Listable: Resource {}
/// A resource whose records can be read by id (GET).
#[diagnostic::on_unimplemented(message = "`{Self}` cannot be read by its id in the API")]
pub trait Gettable: Resource {}
/// A resource of which each account has one record, which is read without an id.
#[diagnostic::on_unimplemented(message = "an account has more than one `{Self}`: read it by its id")]
pub trait Singular: Resource {}
/// A resource whose records can be created (POST).
#[diagnostic::on_unimplemented(message = "`{Self}` cannot be created through the API")]
pub trait Creatable: Resource {
    /// The body of a create request.
    type Create: Create;
}
/// A resource whose records can be updated (PATCH).
#[diagnostic::on_unimplemented(message = "`{Self}` cannot be changed through the API")]
pub trait Updatable: Resource {
    /// The body of an update request.
    type Patch: Update;

    /// Returns a body with the attributes that differ from `before`. Relationships are not compared.
    fn changes_since(&self, before: &Self) -> Self::Patch;
}
/// A resource whose records can be deleted (DELETE).
#[diagnostic::on_unimplemented(message = "`{Self}` cannot be deleted through the API")]
pub trait Deletable: Resource {}

/// The attributes and relationships of a create or update request, in the canonical form.
///
/// `Debug` prints the names of the members without their values, which may be credentials.
#[derive(Clone, PartialEq, Default)]
pub struct Sent {
    /// The attributes that are sent, by name. A null clears an attribute; an absent one is left to the service.
    pub attributes: Map<String, Value>,
    /// The relationships by name, each an object with `data`.
    pub relationships: Map<String, Value>,
}

impl fmt::Debug for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sent")
            .field("attributes", &Names(&self.attributes))
            .field("relationships", &Names(&self.relationships))
            .finish()
    }
}

/// A request body that cannot be expressed in the client's API version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{member}` of {resource} cannot be sent with API version {version}: {reason}")]
pub struct VersionError {
    /// The plural type name of the resource, such as `dids`.
    pub resource: &'static str,
    /// The name of the attribute or relationship; `data` when the version does not have the resource at all.
    pub member: String,
    /// The API version of the request.
    pub version: ApiVersion,
    /// The reason, with the version or value that would be valid.
    pub reason: String,
}

impl Sent {
    /// Converts the body from the canonical form into the form of an API version.
    ///
    /// # Errors
    /// Returns an error for a resource, attribute, relationship or value that the version does not have.
    pub fn at(mut self, spec: &'static ResourceSpec, version: ApiVersion) -> Result<Self, VersionError> {
        let error = |member: &str, reason: String| VersionError {
            resource: spec.name,
            member: member.to_owned(),
            version,
            reason,
        };
        if !spec.exists_in(version) {
            let until = spec.until.map(|last| format!(" until {last}")).unwrap_or_default();
            return Err(error("data", format!("the resource exists since {}{until}", spec.since)));
        }
        if let Some(found) = spec.not_representable(version, &self.attributes) {
            return Err(error(found.attribute, found.reason.to_owned()));
        }
        spec.from_canonical(version, &mut self.attributes);
        for (name, value) in &self.attributes {
            let Some(attribute) = spec.attribute(name) else { continue };
            if !attribute.exists_in(version) {
                return Err(error(name, format!("it exists since {}", attribute.since)));
            }
            // A constructor cannot know the version, so it accepts what any version does.
            if let (true, Err(flaws)) =
                (attribute.revision.is_some(), attribute.value_at(version).check(value))
            {
                let broken: Vec<String> = flaws.iter().map(|flaw| flaw.violation.to_string()).collect();
                return Err(error(name, format!("it {}", broken.join(", and "))));
            }
        }
        for name in self.relationships.keys() {
            let late = spec.relationship(name).filter(|relationship| !relationship.is_sent_in(version));
            if let Some(late) = late {
                let ended = late.until.filter(|last| version > *last);
                let since = || format!("it exists since {}", late.since);
                return Err(error(name, ended.map_or_else(since, |last| format!("it ended with {last}"))));
            }
        }
        spec.rename_relationships(version, &mut self.relationships);
        Ok(self)
    }
}

/// The body of a create request.
pub trait Create: Clone + Send + Sync {
    /// The attributes and relationships to send, in the canonical form.
    ///
    /// # Errors
    /// Returns an error only when a value cannot be serialised.
    fn to_sent(&self) -> Result<Sent, DecodeError>;
}

/// The body of an update request.
pub trait Update: Clone + Send + Sync + Default {
    /// The attributes and relationships to send, in the canonical form.
    ///
    /// # Errors
    /// Returns an error only when a value cannot be serialised.
    fn to_sent(&self) -> Result<Sent, DecodeError>;
    /// Whether no member is set, so that the request would change nothing.
    fn is_empty(&self) -> bool;
}

/// A request body whose relationships can be set by their names, through the typed setters. The derive implements it, so
/// that a test can prove every setter of every declared type.
pub trait Linkable: Sized {
    /// Calls the setter of a relationship. Returns `None` if the body has no such setter, or if a to-one relationship
    /// has no id.
    fn link(self, name: &str, ids: &[&str]) -> Option<Self>;
}

/// Functions that the derive's output calls, which keep that output small.
#[expect(unreachable_pub, reason = "re-exported under `derive_support`")]
pub mod support {
    use std::borrow::Cow;

    use serde::de::MapAccess;

    use super::{Id, Linkage, Map, Named, Sent, Serialize, Value};
    use crate::relationship::{ToMany, ToOne};
    use crate::tolerant::Tolerant;
    use crate::{Attribute, DefaultValue, Extra, Patch, RelationshipObject, ResourceObject};
    use wire_core::DecodeError;

    /// Returns the attribute. When the response left it out: `None` for an optional one, else its default.
    pub fn complete<T: Attribute>(
        value: Option<T>,
        name: &'static str,
        default: Option<DefaultValue>,
    ) -> Result<T, DecodeError> {
        value.map_or_else(|| missing(name, default), Ok)
    }

    #[cold]
    fn missing<T: Attribute>(name: &'static str, default: Option<DefaultValue>) -> Result<T, DecodeError> {
        match (T::when_missing(), default) {
            // The default is that of a create request. The response did not state the value.
            (Some(unknown), _) => Ok(unknown),
            (None, Some(default)) => read(default.to_json(), name),
            (None, None) => Err(DecodeError::new(format!("attributes.{name}"), "the attribute is missing")),
        }
    }

    /// Removes an attribute from the members and decodes it; `None` if it is absent.
    pub fn take_partial<T: Attribute>(
        members: &mut Map<String, Value>,
        name: &'static str,
    ) -> Result<Option<T>, DecodeError> {
        members.remove(name).map(|value| read(value, name)).transpose()
    }

    fn read<T: Attribute>(value: Value, name: &'static str) -> Result<T, DecodeError> {
        // Tracking the path costs more than decoding, and only an error needs it.
        if let Ok(read) = T::deserialize_tolerant(&value) {
            return Ok(read);
        }
        serde_path_to_error::deserialize(value)
            .map(|Tolerant(value)| value)
            .map_err(|error| DecodeError::below(format_args!("attributes.{name}"), &error))
    }

    /// Stores an undeclared attribute in `extra`.
    pub fn keep<'de, A: MapAccess<'de>>(
        extra: &mut Extra,
        name: Cow<'de, str>,
        members: &mut A,
    ) -> Result<(), A::Error> {
        extra.keep(name, members)
    }

    /// Removes and decodes the `meta` member of the record.
    pub fn take_meta<M: serde::de::DeserializeOwned + Default>(
        object: &mut ResourceObject,
    ) -> Result<M, DecodeError> {
        match object.meta.take() {
            None => Ok(M::default()),
            Some(meta) => serde_path_to_error::deserialize(Value::Object(meta))
                .map_err(|error| DecodeError::below("meta", &error)),
        }
    }

    /// Removes and decodes a to-many relationship; an absent one has neither data nor links.
    pub fn take_many<R>(object: &mut ResourceObject, name: &'static str) -> Result<ToMany<R>, DecodeError> {
        let relationship = object.relationships.remove(name).unwrap_or_default();
        match relationship.data {
            None => Ok(ToMany::unloaded(relationship.links)),
            Some(Linkage::Many(members)) => Ok(ToMany::loaded(members, relationship.links)),
            Some(Linkage::One(_)) => Err(DecodeError::new(
                format!("relationships.{name}.data"),
                "expected an array of identifiers",
            )),
        }
    }

    /// Removes and decodes a to-one relationship; an absent one has neither data nor links.
    pub fn take_one<R>(object: &mut ResourceObject, name: &'static str) -> Result<ToOne<R>, DecodeError> {
        let relationship = object.relationships.remove(name).unwrap_or_default();
        match relationship.data {
            None => Ok(ToOne::unloaded(relationship.links)),
            Some(Linkage::One(member)) => Ok(ToOne::loaded(member, relationship.links)),
            Some(Linkage::Many(_)) => {
                Err(DecodeError::new(format!("relationships.{name}.data"), "expected one identifier or null"))
            }
        }
    }

    /// Inserts an attribute as a response shows it.
    pub fn put<T: Serialize>(
        members: &mut Map<String, Value>,
        name: &str,
        value: &T,
    ) -> Result<(), DecodeError> {
        let value =
            serde_json::to_value(value).map_err(|e| DecodeError::new(format!("attributes.{name}"), e))?;
        members.insert(name.to_owned(), value);
        Ok(())
    }

    /// Inserts an attribute as a request sends it.
    pub fn send<T: Attribute>(sent: &mut Sent, name: &str, value: &T) -> Result<(), DecodeError> {
        let value = value.to_sent().map_err(|e| DecodeError::new(format!("attributes.{name}"), e))?;
        sent.attributes.insert(name.to_owned(), value);
        Ok(())
    }

    /// Inserts a nullable attribute, unless it is left unchanged.
    pub fn send_patch<T: Attribute>(
        sent: &mut Sent,
        name: &str,
        value: &Patch<T>,
    ) -> Result<(), DecodeError> {
        match value.as_sent() {
            None => Ok(()),
            Some(None) => {
                sent.attributes.insert(name.to_owned(), Value::Null);
                Ok(())
            }
            Some(Some(value)) => send(sent, name, value),
        }
    }

    /// Inserts the linkage of a to-many relationship.
    pub fn link_many<R: Named>(sent: &mut Sent, name: &str, ids: &[Id<R>]) {
        let members: Vec<Value> = ids.iter().map(identifier).collect();
        sent.relationships.insert(name.to_owned(), serde_json::json!({ "data": members }));
    }

    /// Inserts the linkage of a to-one relationship, unless it is left unchanged.
    pub fn link_one<R: Named>(sent: &mut Sent, name: &str, id: &Patch<Id<R>>) {
        let Some(id) = id.as_sent() else { return };
        let data = id.map_or(Value::Null, identifier);
        sent.relationships.insert(name.to_owned(), serde_json::json!({ "data": data }));
    }

    fn identifier<R: Named>(id: &Id<R>) -> Value {
        let (kind, id) = R::identify(id.as_str());
        serde_json::json!({ "type": kind, "id": id })
    }

    /// Inserts a relationship as a response shows it, unless it has neither data nor links.
    pub fn relationship(object: &mut ResourceObject, name: &str, relationship: RelationshipObject) {
        if relationship != RelationshipObject::default() {
            object.relationships.insert(name.to_owned(), relationship);
        }
    }
}
