//! Enumerations of wire texts as attribute types.

/// Declares an enumeration of wire texts that implements [`Attribute`](crate::Attribute). Decoding accepts
/// any text; validation accepts only the texts of the declared variants.
macro_rules! string_enum {
    ($(#[$meta:meta])* $name:ident { $($variants:tt)+ }) => {
        wire_core::string_enum! { $(#[$meta])* $name { $($variants)+ } }

        impl $crate::Attribute for $name {
            const KIND: $crate::Kind = $crate::Kind::Enumeration(Self::TEXTS);

            fn validate(sent: &serde_json::Value) -> Result<serde_json::Value, Vec<$crate::Flaw>> {
                match sent.as_str() {
                    Some(text) if Self::TEXTS.contains(&text) => Ok(sent.clone()),
                    None if sent.is_null() => Err($crate::Violation::Blank.into()),
                    _ => Err($crate::Violation::NotIncluded.into()),
                }
            }
        }
    };
}
pub(crate) use string_enum;
