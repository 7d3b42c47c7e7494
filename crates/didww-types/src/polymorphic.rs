//! Attributes whose value is a `{"type", "attributes"}` object: an enumeration with a variant for each declared type,
//! and one that preserves members which this crate does not declare.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Error as _, IgnoredAny, MapAccess};
use serde::{Deserializer, de};
use serde_json::{Map, Value};

use crate::text::CowStr;
use crate::{DecodeError, Extra, Flaw, Violation};

/// A value of a type that this crate does not declare.
///
/// `Debug` omits the values of the attributes, which may be credentials.
#[derive(Debug, Clone, PartialEq)]
pub struct UnknownVariant {
    kind: String,
    attributes: Extra,
}

impl UnknownVariant {
    /// The `type` member of the value.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The attributes, exactly as they were read.
    pub fn attributes(&self) -> &Map<String, Value> {
        &self.attributes
    }

    pub(crate) fn new(kind: &str, attributes: Extra) -> Self {
        Self { kind: kind.to_owned(), attributes }
    }
}

/// A value that is decoded by its `type`.
pub(crate) trait Polymorphic: Sized {
    /// Decodes the attributes of a value whose type has already been read; `None` when they are null.
    fn read<'de, A: MapAccess<'de>>(kind: &str, members: &mut A) -> Result<Option<Self>, A::Error>;
    /// Decodes a value whose attributes were read before its type, as in every object with sorted members.
    fn from_parts<E: de::Error>(kind: &str, attributes: Map<String, Value>) -> Result<Self, E>;
}

/// Decodes the attributes of a variant that were read already.
pub(crate) fn read_attributes<T: de::DeserializeOwned, E: de::Error>(
    attributes: Map<String, Value>,
) -> Result<T, E> {
    let attributes = Value::Object(attributes);
    // Tracking the path costs more than decoding, and only an error needs it.
    if let Ok(read) = <T as de::Deserialize<'_>>::deserialize(&attributes) {
        return Ok(read);
    }
    serde_path_to_error::deserialize(attributes).map_err(|error| {
        let error = DecodeError::below("attributes", &error);
        E::custom(format_args!("{}: {}", error.path(), error.message()))
    })
}

/// Decodes an object with `type` and `attributes`, in either order.
pub(crate) fn deserialize<'de, T: Polymorphic, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    struct Visitor<T>(PhantomData<T>);

    impl<'de, T: Polymorphic> de::Visitor<'de> for Visitor<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object with type and attributes")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<T, A::Error> {
            let (mut kind, mut value, mut attributes) = (None::<Cow<'de, str>>, None, None);
            while let Some(CowStr(name)) = members.next_key()? {
                match (&*name, &kind) {
                    ("type", None) => kind = Some(members.next_value::<CowStr<'de>>()?.0),
                    // The attributes could have been decoded as those of the first type.
                    ("type", Some(_)) => return Err(A::Error::duplicate_field("type")),
                    ("attributes", Some(kind)) => value = T::read(kind, &mut members)?,
                    ("attributes", None) => attributes = members.next_value::<Option<_>>()?,
                    _ => drop(members.next_value::<IgnoredAny>()?),
                }
            }
            let kind = kind.ok_or_else(|| A::Error::missing_field("type"))?;
            value.map_or_else(|| T::from_parts(&kind, attributes.unwrap_or_default()), Ok)
        }
    }

    deserializer.deserialize_map(Visitor(PhantomData))
}

/// A type and its attributes.
type Parts<'v> = (&'v str, Cow<'v, Map<String, Value>>);

/// Takes a value that a client sent apart.
pub(crate) fn parts(sent: &Value) -> Result<Parts<'_>, Vec<Flaw>> {
    let Some(object) = sent.as_object() else {
        return Err(if sent.is_null() { Violation::Blank } else { Violation::Invalid }.into());
    };
    let attributes = match object.get("attributes") {
        Some(Value::Object(attributes)) => Cow::Borrowed(attributes),
        // PHP writes an empty object as an empty array.
        Some(Value::Array(items)) if items.is_empty() => Cow::Owned(Map::new()),
        _ => return Err(Violation::Invalid.into()),
    };
    let kind = object.get("type").and_then(Value::as_str).ok_or(Violation::Invalid)?;
    Ok((kind, attributes))
}

/// Makes a value of its type and its attributes. `json!` would copy the attributes.
pub(crate) fn whole(kind: &str, attributes: Map<String, Value>) -> Value {
    Value::Object(Map::from_iter([
        ("attributes".to_owned(), Value::Object(attributes)),
        ("type".to_owned(), Value::from(kind)),
    ]))
}

/// A flaw of an attribute of a variant, at its place in the whole value.
pub(crate) fn nested(name: &str, flaw: Flaw) -> Flaw {
    Flaw { pointer: format!("/attributes/{name}{}", flaw.pointer), ..flaw }
}

/// Implements reading and writing for an enumeration with one variant for each declared type and an `Unknown` one.
macro_rules! polymorphic {
    ($name:ident { $($variant:ident($attributes:ty) = $text:literal,)+ }) => {
        impl $name {
            /// The `type` member.
            pub fn kind(&self) -> &str {
                match self {
                    $(Self::$variant(_) => $text,)+
                    Self::Unknown(unknown) => unknown.kind(),
                }
            }
        }

        impl $crate::polymorphic::Polymorphic for $name {
            fn read<'de, A: serde::de::MapAccess<'de>>(
                kind: &str,
                members: &mut A,
            ) -> Result<Option<Self>, A::Error> {
                Ok(match kind {
                    $($text => members.next_value::<Option<$attributes>>()?.map(Self::$variant),)+
                    _ => members
                        .next_value::<Option<$crate::Extra>>()?
                        .map(|attributes| Self::Unknown($crate::UnknownVariant::new(kind, attributes))),
                })
            }

            fn from_parts<E: serde::de::Error>(
                kind: &str,
                attributes: serde_json::Map<String, serde_json::Value>,
            ) -> Result<Self, E> {
                match kind {
                    $($text => $crate::polymorphic::read_attributes(attributes).map(Self::$variant),)+
                    _ => Ok(Self::Unknown($crate::UnknownVariant::new(kind, attributes.into()))),
                }
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use serde::ser::SerializeStruct as _;
                let mut object = serializer.serialize_struct(stringify!($name), 2)?;
                object.serialize_field("type", self.kind())?;
                match self {
                    $(Self::$variant(attributes) => object.serialize_field("attributes", attributes)?,)+
                    Self::Unknown(unknown) => object.serialize_field("attributes", unknown.attributes())?,
                }
                object.end()
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::polymorphic::deserialize(deserializer)
            }
        }
    };
}
pub(crate) use polymorphic;
