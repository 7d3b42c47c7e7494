//! Records read straight from the text of a document.
//!
//! A [`ResourceObject`](crate::ResourceObject) holds a record as a tree, in which an older form can be lifted
//! and the place of an error found. The newest form needs no lifting, so here each member goes from the text
//! into its field. An error says what is wrong; who wants to know where reads the tree.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, Visitor};

use crate::resource::Named;
use crate::text::Lent;
use crate::{DecodeError, Id};

/// What takes the members of an object one by one.
pub(crate) trait Members {
    /// Takes the value of the member whose name was just read.
    fn take<'de, A: MapAccess<'de>>(&mut self, name: Cow<'de, str>, members: &mut A) -> Result<(), A::Error>;
}

/// Reads an object into what takes its members.
pub(crate) struct ReadInto<'a, M>(pub(crate) &'a mut M);

impl<'de, M: Members> DeserializeSeed<'de> for ReadInto<'_, M> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, M: Members> Visitor<'de> for ReadInto<'_, M> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(Lent(name)) = members.next_key()? {
            self.0.take(name, &mut members)?;
        }
        Ok(())
    }
}

/// A record whose fields are filled one by one: what the derive writes of it.
pub trait Fields: Sized {
    /// The whole record.
    type Record: Named;

    /// One without any field.
    fn empty() -> Self;
    /// Gives it its id.
    fn identify(&mut self, id: Id<Self::Record>);
    /// Takes an attribute.
    fn attribute<'de, A: MapAccess<'de>>(
        &mut self,
        name: Cow<'de, str>,
        members: &mut A,
    ) -> Result<(), A::Error>;
    /// Takes a relationship.
    fn relationship<'de, A: MapAccess<'de>>(&mut self, name: &str, members: &mut A) -> Result<(), A::Error>;
    /// Takes the record's own meta.
    fn meta<'de, A: MapAccess<'de>>(&mut self, members: &mut A) -> Result<(), A::Error>;
    /// Makes it whole with the service's defaults, or misses an attribute that has none.
    fn complete(self) -> Result<Self::Record, DecodeError>;
}

struct Attributes<'a, F>(&'a mut F);

impl<F: Fields> Members for Attributes<'_, F> {
    fn take<'de, A: MapAccess<'de>>(&mut self, name: Cow<'de, str>, members: &mut A) -> Result<(), A::Error> {
        self.0.attribute(name, members)
    }
}

struct Relationships<'a, F>(&'a mut F);

impl<F: Fields> Members for Relationships<'_, F> {
    fn take<'de, A: MapAccess<'de>>(&mut self, name: Cow<'de, str>, members: &mut A) -> Result<(), A::Error> {
        self.0.relationship(&name, members)
    }
}

/// Reads a resource object of which fields may be missing.
pub fn read_partial<'de, F: Fields, D: Deserializer<'de>>(deserializer: D) -> Result<F, D::Error> {
    deserializer.deserialize_map(ResourceVisitor(PhantomData))
}

/// Reads a resource object.
pub fn read_record<'de, F: Fields, D: Deserializer<'de>>(deserializer: D) -> Result<F::Record, D::Error> {
    read_partial::<F, D>(deserializer)?.complete().map_err(D::Error::custom)
}

/// Passes over a member that is of no use.
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
        let mut fields = F::empty();
        let mut kind = Cow::Borrowed("");
        while let Some(Lent(name)) = members.next_key()? {
            match &*name {
                "id" => fields.identify(members.next_value()?),
                "type" => kind = members.next_value::<Lent<'de>>()?.0,
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
