//! Attributes of a `{"type", "attributes"}` object of which a request may send some: those that it leaves out keep
//! their values.

use serde::de::MapAccess;
use serde_json::Value;

use crate::tolerant::Tolerant;
use crate::{Attribute, Extra, Flaw, Patch};

/// An attribute that may be absent: an `Option` of a value that is never null, or a [`Patch`] of one that can be.
pub(crate) trait Member: Sized {
    /// Reads the value.
    fn read<'de, A: MapAccess<'de>>(members: &mut A) -> Result<Self, A::Error>;
    /// The value, which may be null; `None` for an absent one.
    fn to_value(&self) -> Option<Result<Value, serde_json::Error>>;
    /// Validates a value that a client sent.
    fn validate(sent: &Value) -> Result<Value, Vec<Flaw>>;
    /// Whether the attribute is present.
    fn is_sent(&self) -> bool;
}

impl<T: Attribute> Member for Option<T> {
    fn read<'de, A: MapAccess<'de>>(members: &mut A) -> Result<Self, A::Error> {
        Ok(members.next_value::<Option<Tolerant<T>>>()?.map(|Tolerant(value)| value))
    }

    fn to_value(&self) -> Option<Result<Value, serde_json::Error>> {
        self.as_ref().map(serde_json::to_value)
    }

    fn validate(sent: &Value) -> Result<Value, Vec<Flaw>> {
        T::validate(sent)
    }

    fn is_sent(&self) -> bool {
        self.is_some()
    }
}

impl<T: Attribute> Member for Patch<T> {
    fn read<'de, A: MapAccess<'de>>(members: &mut A) -> Result<Self, A::Error> {
        Ok(members.next_value::<Option<Tolerant<T>>>()?.map(|Tolerant(value)| value).into())
    }

    fn to_value(&self) -> Option<Result<Value, serde_json::Error>> {
        self.as_sent().map(|value| value.map_or(Ok(Value::Null), serde_json::to_value))
    }

    fn validate(sent: &Value) -> Result<Value, Vec<Flaw>> {
        <Option<T> as Attribute>::validate(sent)
    }

    fn is_sent(&self) -> bool {
        !self.is_keep()
    }
}

/// Serialises the present attributes, and then those that this crate does not declare.
pub(crate) fn serialize<S: serde::Serializer>(
    serializer: S,
    members: &[(&'static str, Option<Result<Value, serde_json::Error>>)],
    extra: &Extra,
) -> Result<S::Ok, S::Error> {
    use serde::ser::{Error as _, SerializeMap as _};
    let mut map = serializer.serialize_map(None)?;
    for (name, value) in members {
        match value {
            Some(Ok(value)) => map.serialize_entry(name, value)?,
            Some(Err(error)) => return Err(S::Error::custom(error)),
            None => {}
        }
    }
    for (name, value) in extra {
        map.serialize_entry(name, value)?;
    }
    map.end()
}

/// An object that is filled from the members of a JSON object.
pub(crate) fn read<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + crate::direct::MemberSink,
{
    use serde::de::DeserializeSeed as _;
    let mut attributes = T::default();
    crate::direct::ReadInto(&mut attributes).deserialize(deserializer)?;
    Ok(attributes)
}

/// Declares such attributes. Each is an `Option` or a [`Patch`].
macro_rules! merged_attributes {
    ($(#[$meta:meta])* $name:ident { $($(#[$about:meta])* $field:ident: $ty:ty,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Default)]
        #[non_exhaustive]
        pub struct $name {
            $($(#[$about])* pub $field: $ty,)+
            /// Attributes that this crate does not declare.
            pub extra: $crate::Extra,
        }

        impl $name {
            /// The names of the attributes, in the order of answers.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($field)),+];

            /// Takes over the attributes that `newer` has; the others keep their values.
            #[inline]
            pub fn merge(&mut self, newer: Self) {
                $(if $crate::merged_attributes::Member::is_sent(&newer.$field) {
                    self.$field = newer.$field;
                })+
            }

            /// Validates attributes that a client sent. The error has every flaw.
            fn validate(
                sent: &serde_json::Map<String, serde_json::Value>,
            ) -> Result<serde_json::Map<String, serde_json::Value>, Vec<$crate::Flaw>> {
                let (mut valid, mut flaws) = (serde_json::Map::new(), Vec::new());
                for (name, value) in sent {
                    let checked = match name.as_str() {
                        $(stringify!($field) => <$ty as $crate::merged_attributes::Member>::validate(value),)+
                        _ => Err($crate::Violation::ParamNotAllowed.into()),
                    };
                    match checked {
                        Ok(value) => drop(valid.insert(name.clone(), value)),
                        Err(found) => flaws
                            .extend(found.into_iter().map(|flaw| $crate::polymorphic::nested(name, flaw))),
                    }
                }
                if flaws.is_empty() { Ok(valid) } else { Err(flaws) }
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let members =
                    [$((stringify!($field), $crate::merged_attributes::Member::to_value(&self.$field)),)+];
                $crate::merged_attributes::serialize(serializer, &members, &self.extra)
            }
        }

        impl $crate::direct::MemberSink for $name {
            fn take<'de, A: serde::de::MapAccess<'de>>(
                &mut self,
                name: std::borrow::Cow<'de, str>,
                members: &mut A,
            ) -> Result<(), A::Error> {
                match &*name {
                    $(stringify!($field) => self.$field = $crate::merged_attributes::Member::read(members)?,)+
                    _ => self.extra.keep(name, members)?,
                }
                Ok(())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::merged_attributes::read(deserializer)
            }
        }
    };
}
pub(crate) use merged_attributes;
