//! JSON schemas of this crate's types, and of those that its macros declare.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::{Extra, Secret};

impl JsonSchema for Secret {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }

    fn json_schema(_generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "password" })
    }
}

impl JsonSchema for Extra {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Extra".into()
    }

    fn json_schema(_generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "object" })
    }
}

/// Implements [`schemars::JsonSchema`] for types that are one text on the wire: `Timestamp: { "format": "date-time" }`
/// adds these members to the schema of the type.
#[macro_export]
macro_rules! text_schema {
    ($($name:ident: { $($member:tt)* };)+) => {
        $(impl $crate::macro_support::schemars::JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(
                _generator: &mut $crate::macro_support::schemars::SchemaGenerator,
            ) -> $crate::macro_support::schemars::Schema {
                $crate::macro_support::schemars::json_schema!({ "type": "string", $($member)* })
            }
        })+
    };
}
