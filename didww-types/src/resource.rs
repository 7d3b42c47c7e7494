//! What the derive makes of a declaration, and what a client may ask of it by the type alone.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use wire_core::Names;

use crate::{ApiVersion, DecodeError, Id, Linkage, ResourceObject, ResourceSpec};

/// A type with a name on the wire.
pub trait Named {
    /// The plural type name, such as `dids`.
    const TYPE: &'static str;
}

/// A declared resource. Derive it; see `CONTRIBUTING.md` for how a declaration is written.
///
/// Deserialising reads a resource object in its canonical form straight from the text, which is several times
/// as fast as [`decode`](Self::decode), but tells less of an error and lifts no older form.
pub trait Resource: Named + DeserializeOwned + Clone + Send + Sync + Sized + 'static {
    /// The declaration as data.
    const SPEC: &'static ResourceSpec;
    /// The record with every attribute optional, for answers to a request that named `fields`.
    type Partial: Partial<Self>;
    /// Its filters.
    type Filter: Filter;
    /// The names it can be sorted by.
    type Sort: Copy + Into<&'static str>;
    /// The paths that can be included.
    type Include: Copy + Into<&'static str>;
    /// The names that `fields` can choose.
    type Field: Copy + Into<&'static str>;

    /// The record's id.
    fn id(&self) -> &Id<Self>;

    /// Reads a record in its canonical form.
    fn decode(object: ResourceObject) -> Result<Self, DecodeError>;

    /// Writes the record in its canonical form, attributes that this crate does not know included.
    fn encode(&self) -> Result<ResourceObject, DecodeError>;

    /// Reads a record as a version of the API wrote it.
    fn decode_at(version: ApiVersion, mut object: ResourceObject) -> Result<Self, DecodeError> {
        Self::SPEC.lift(version, &mut object.attributes);
        Self::decode(object)
    }
}

/// A record of which only the chosen fields are there.
pub trait Partial<R>: DeserializeOwned + Clone + Send + Sync + Sized + 'static {
    /// Reads a record in its canonical form.
    fn decode(object: ResourceObject) -> Result<Self, DecodeError>;

    /// Reads a record as a version of the API wrote it.
    fn decode_at(version: ApiVersion, mut object: ResourceObject) -> Result<Self, DecodeError>
    where
        R: Resource,
    {
        R::SPEC.lift(version, &mut object.attributes);
        Self::decode(object)
    }
}

/// A filter with its value, ready to be sent.
pub trait Filter: Clone + Send {
    /// The text inside `filter[...]`.
    fn name(&self) -> &'static str;
    /// The value, a comma list when there are several.
    fn value(&self) -> &str;
}

/// A resource with a list.
#[diagnostic::on_unimplemented(message = "`{Self}` has no list in the API")]
pub trait Listable: Resource {}
/// A resource of which one can be read by its id.
#[diagnostic::on_unimplemented(message = "`{Self}` cannot be read by its id in the API")]
pub trait Gettable: Resource {}
/// A resource that can be created.
#[diagnostic::on_unimplemented(message = "`{Self}` cannot be created through the API")]
pub trait Creatable: Resource {
    /// The body that creates one.
    type Create: Create;
}
/// A resource that can be changed.
#[diagnostic::on_unimplemented(message = "`{Self}` cannot be changed through the API")]
pub trait Updatable: Resource {
    /// The changes.
    type Patch: Update;

    /// The attributes that differ from an earlier reading, as changes to send.
    fn changes_since(&self, before: &Self) -> Self::Patch;
}
/// A resource that can be deleted.
#[diagnostic::on_unimplemented(message = "`{Self}` cannot be deleted through the API")]
pub trait Deletable: Resource {}

/// The members of a body that creates or changes a record, in the canonical form.
///
/// `Debug` names the members without their values, for they may be credentials.
#[derive(Clone, PartialEq, Default)]
pub struct Sent {
    /// Attributes.
    pub attributes: Map<String, Value>,
    /// Relationships.
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

/// A body cannot be said in the API version that is asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{member}` of {resource} cannot be sent with API version {version}: {reason}")]
pub struct VersionError {
    /// The resource's type name.
    pub resource: &'static str,
    /// The attribute or relationship, or `data` when the version has no such resource.
    pub member: String,
    /// The version that was asked for.
    pub version: ApiVersion,
    /// Why, and what would do.
    pub reason: String,
}

impl Sent {
    /// Brings the body into the form of a version; refuses what that version has no words for.
    pub fn at(mut self, spec: &'static ResourceSpec, version: ApiVersion) -> Result<Self, VersionError> {
        let error = |member: &str, reason: String| VersionError {
            resource: spec.name,
            member: member.to_owned(),
            version,
            reason,
        };
        if version < spec.since {
            return Err(error("data", format!("the resource exists since {}", spec.since)));
        }
        if let Some(found) = spec.adapter.and_then(|a| (a.obstacle)(version, &self.attributes)) {
            return Err(error(found.attribute, found.reason.to_owned()));
        }
        spec.lower(version, &mut self.attributes);
        for name in self.attributes.keys() {
            if let Some(late) = spec.attribute(name).filter(|attribute| !attribute.exists_in(version)) {
                return Err(error(name, format!("it exists since {}", late.since)));
            }
        }
        for name in self.relationships.keys() {
            if let Some(late) = spec.relationship(name).filter(|relationship| version < relationship.since) {
                return Err(error(name, format!("it exists since {}", late.since)));
            }
        }
        Ok(self)
    }
}

/// A body that creates a record.
pub trait Create: Clone + Send + Sync {
    /// The members to send, in the canonical form.
    fn to_sent(&self) -> Result<Sent, DecodeError>;
}

/// A body that changes a record.
pub trait Update: Clone + Send + Sync + Default {
    /// The members to send, in the canonical form.
    fn to_sent(&self) -> Result<Sent, DecodeError>;
    /// Whether nothing would change.
    fn is_empty(&self) -> bool;
}

/// The few functions that the derive's output calls, so that the output itself stays small.
#[expect(unreachable_pub, reason = "re-exported under `derive_support`")]
pub mod support {
    use std::borrow::Cow;

    use serde::de::MapAccess;

    use super::{Id, Linkage, Map, Named, Sent, Serialize, Value};
    use crate::relationship::{ToMany, ToOne};
    use crate::{Attribute, DefaultValue, Extra, Patch, RelationshipObject, ResourceObject};
    use wire_core::DecodeError;

    /// The attribute, or its default when the answer left it out.
    pub fn complete<T: Attribute>(
        value: Option<T>,
        name: &'static str,
        default: Option<DefaultValue>,
    ) -> Result<T, DecodeError> {
        value.map_or_else(|| missing(name, default), Ok)
    }

    #[cold]
    fn missing<T: Attribute>(name: &'static str, default: Option<DefaultValue>) -> Result<T, DecodeError> {
        match (default, T::when_missing()) {
            (Some(default), _) => read(default.to_json(), name),
            (None, Some(value)) => Ok(value),
            (None, None) => Err(DecodeError::new(format!("attributes.{name}"), "the attribute is missing")),
        }
    }

    /// Takes an attribute out of the members if it is there.
    pub fn take_partial<T: Attribute>(
        members: &mut Map<String, Value>,
        name: &'static str,
    ) -> Result<Option<T>, DecodeError> {
        members.remove(name).map(|value| read(value, name)).transpose()
    }

    fn read<T: Attribute>(value: Value, name: &'static str) -> Result<T, DecodeError> {
        // Following the path costs more than reading, and only an error has a use for it.
        if let Ok(read) = T::deserialize(&value) {
            return Ok(read);
        }
        serde_path_to_error::deserialize(value)
            .map_err(|error| DecodeError::below(format_args!("attributes.{name}"), &error))
    }

    /// Keeps an attribute that is not declared.
    pub fn keep<'de, A: MapAccess<'de>>(
        extra: &mut Extra,
        name: Cow<'de, str>,
        members: &mut A,
    ) -> Result<(), A::Error> {
        extra.keep(name, members)
    }

    /// Takes the resource's own `meta`.
    pub fn take_meta<M: serde::de::DeserializeOwned + Default>(
        object: &mut ResourceObject,
    ) -> Result<M, DecodeError> {
        match object.meta.take() {
            None => Ok(M::default()),
            Some(meta) => serde_path_to_error::deserialize(Value::Object(meta))
                .map_err(|error| DecodeError::below("meta", &error)),
        }
    }

    /// Takes a to-many relationship; one that is missing has neither data nor links.
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

    /// Takes a to-one relationship; one that is missing has neither data nor links.
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

    /// Puts an attribute among the members as an answer shows it.
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

    /// Puts an attribute among the members as a body sends it.
    pub fn send<T: Attribute>(sent: &mut Sent, name: &str, value: &T) -> Result<(), DecodeError> {
        let value = value.to_sent().map_err(|e| DecodeError::new(format!("attributes.{name}"), e))?;
        sent.attributes.insert(name.to_owned(), value);
        Ok(())
    }

    /// Puts a nullable attribute among the members unless it is kept.
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

    /// Puts a to-many linkage among the members.
    pub fn link_many<R: Named>(sent: &mut Sent, name: &str, ids: &[Id<R>]) {
        let members: Vec<Value> = ids.iter().map(identifier).collect();
        sent.relationships.insert(name.to_owned(), serde_json::json!({ "data": members }));
    }

    /// Puts a to-one linkage among the members unless it is kept.
    pub fn link_one<R: Named>(sent: &mut Sent, name: &str, id: &Patch<Id<R>>) {
        let Some(id) = id.as_sent() else { return };
        let data = id.map_or(Value::Null, identifier);
        sent.relationships.insert(name.to_owned(), serde_json::json!({ "data": data }));
    }

    fn identifier<R: Named>(id: &Id<R>) -> Value {
        serde_json::json!({ "type": R::TYPE, "id": id.as_str() })
    }

    /// Writes a relationship as an answer shows it.
    pub fn relationship(object: &mut ResourceObject, name: &str, relationship: RelationshipObject) {
        if relationship != RelationshipObject::default() {
            object.relationships.insert(name.to_owned(), relationship);
        }
    }
}
