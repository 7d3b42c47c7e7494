//! Decoding of records straight from the text of a document.
//!
//! A [`ResourceObject`](crate::ResourceObject) holds a record as a tree. A tree can be converted from the
//! form of an older API version, and its decode errors have a path. A record in the canonical form needs no
//! conversion, so this module decodes each member from the text into its field, which is faster. Its errors
//! have a message and no path.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserializer;
use serde::de::value::MapDeserializer;
use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, Visitor};

use crate::text::CowStr;
use crate::tolerant::Tolerant;
use crate::{Attribute, DecodeError, Id, Named};

/// A value that is filled from the members of a JSON object, one at a time.
pub(crate) trait MemberSink {
    /// Reads the value of the member `name`, which is the next thing in `members`.
    fn take<'de, A: MapAccess<'de>>(&mut self, name: Cow<'de, str>, members: &mut A) -> Result<(), A::Error>;
}

/// Deserialises a JSON object into a [`MemberSink`].
pub(crate) struct ReadInto<'a, M>(pub(crate) &'a mut M);

impl<'de, M: MemberSink> DeserializeSeed<'de> for ReadInto<'_, M> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, M: MemberSink> Visitor<'de> for ReadInto<'_, M> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(CowStr(name)) = members.next_key()? {
            self.0.take(name, &mut members)?;
        }
        Ok(())
    }
}

/// A partial record that is filled field by field. The derive implements it.
pub trait Fields: Sized {
    /// The record type whose fields these are, and whose type name the object must have.
    type Record: Named;

    /// Creates a partial record without any field.
    fn without_fields() -> Self;
    /// Sets the id, which the object has beside its attributes.
    fn identify(&mut self, id: Id<Self::Record>);
    /// Reads the value of the attribute `name`; an undeclared one is kept or ignored.
    fn attribute<'de, A: MapAccess<'de>>(
        &mut self,
        name: Cow<'de, str>,
        members: &mut A,
    ) -> Result<(), A::Error>;
    /// Reads the value of the relationship `name`; an undeclared one is ignored.
    fn relationship<'de, A: MapAccess<'de>>(&mut self, name: &str, members: &mut A) -> Result<(), A::Error>;
    /// Reads the record's `meta` member.
    fn meta<'de, A: MapAccess<'de>>(&mut self, members: &mut A) -> Result<(), A::Error>;
    /// Fills missing attributes with their declared defaults and returns the complete record.
    ///
    /// # Errors
    /// Returns an error for a missing attribute without a default.
    fn complete(self) -> Result<Self::Record, DecodeError>;
}

struct Attributes<'a, F>(&'a mut F);

impl<F: Fields> MemberSink for Attributes<'_, F> {
    fn take<'de, A: MapAccess<'de>>(&mut self, name: Cow<'de, str>, members: &mut A) -> Result<(), A::Error> {
        self.0.attribute(name, members)
    }
}

struct Relationships<'a, F>(&'a mut F);

impl<F: Fields> MemberSink for Relationships<'_, F> {
    fn take<'de, A: MapAccess<'de>>(&mut self, name: Cow<'de, str>, members: &mut A) -> Result<(), A::Error> {
        self.0.relationship(&name, members)
    }
}

/// Decodes a resource object that may lack attributes.
pub fn read_partial<'de, F: Fields, D: Deserializer<'de>>(deserializer: D) -> Result<F, D::Error> {
    deserializer.deserialize_map(ResourceVisitor(PhantomData))
}

/// Decodes a complete resource object.
pub fn read_record<'de, F: Fields, D: Deserializer<'de>>(deserializer: D) -> Result<F::Record, D::Error> {
    read_partial::<F, D>(deserializer)?.complete().map_err(D::Error::custom)
}

/// Decodes a record that may lack attributes from the JSON texts of its attributes and of its `meta` member.
pub(crate) fn read_texts<F: Fields>(
    id: Id<F::Record>,
    attributes: &str,
    meta: Option<&str>,
) -> Result<F, DecodeError> {
    let mut fields = F::without_fields();
    fields.identify(id);
    let mut text = serde_json::Deserializer::from_str(attributes);
    ReadInto(&mut Attributes(&mut fields))
        .deserialize(&mut text)
        .and_then(|()| text.end())
        .map_err(|error| DecodeError::new("attributes", error))?;
    if let Some(meta) = meta {
        read_meta(&mut fields, meta).map_err(|error| DecodeError::new("meta", error))?;
    }
    Ok(fields)
}

/// Reads the `meta` member from its text, as the value of the only member of an object.
fn read_meta<F: Fields>(fields: &mut F, text: &str) -> serde_json::Result<()> {
    let meta: serde_json::Value = serde_json::from_str(text)?;
    let mut members = MapDeserializer::new(std::iter::once(("meta", meta)));
    let _name: Option<IgnoredAny> = members.next_key()?;
    fields.meta(&mut members)
}

/// Reads the value of an attribute.
pub fn next_value<'de, T: Attribute, A: MapAccess<'de>>(members: &mut A) -> Result<T, A::Error> {
    members.next_value().map(|Tolerant(value)| value)
}

/// Skips the value of a member.
pub fn ignore<'de, A: MapAccess<'de>>(members: &mut A) -> Result<(), A::Error> {
    members.next_value::<IgnoredAny>().map(drop)
}

struct ResourceVisitor<F>(PhantomData<fn() -> F>);

impl<'de, F: Fields> Visitor<'de> for ResourceVisitor<F> {
    type Value = F;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a resource object of type `{}`", F::Record::TYPE)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<F, A::Error> {
        let mut fields = F::without_fields();
        let mut kind = Cow::Borrowed("");
        while let Some(CowStr(name)) = members.next_key()? {
            match &*name {
                "id" => fields.identify(members.next_value()?),
                "type" => kind = members.next_value::<CowStr<'de>>()?.0,
                "attributes" => members.next_value_seed(ReadInto(&mut Attributes(&mut fields)))?,
                "relationships" => members.next_value_seed(ReadInto(&mut Relationships(&mut fields)))?,
                "meta" => fields.meta(&mut members)?,
                _ => ignore(&mut members)?,
            }
        }
        if kind != F::Record::TYPE {
            return Err(A::Error::custom(DecodeError::wrong_type(F::Record::TYPE, &kind)));
        }
        Ok(fields)
    }
}
