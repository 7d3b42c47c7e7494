//! A member of a body that distinguishes absent, null and a value.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer};

/// A member of a body that distinguishes absent, null and a value.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) enum Member<T> {
    #[default]
    Absent,
    Present(Option<T>),
}

impl<T> Member<T> {
    /// The value; `None` if the member is null or absent.
    pub(super) fn value(self) -> Option<T> {
        if let Self::Present(value) = self { value } else { None }
    }
}

impl<T: JsonSchema> JsonSchema for Member<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        Option::<T>::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Option::<T>::json_schema(generator)
    }
}

impl<T> From<Member<T>> for didww_types::Patch<T> {
    fn from(member: Member<T>) -> Self {
        match member {
            Member::Absent => Self::Keep,
            Member::Present(value) => value.into(),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Member<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::deserialize(deserializer).map(Self::Present)
    }
}
