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

/// Declares an enumeration of whole numbers with a hidden variant that keeps any other number.
macro_rules! integer_enum {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $number:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$vmeta])* $variant,)+
            #[doc(hidden)]
            Unknown(i64),
        }

        impl $name {
            /// The numbers of the named variants, in the order of their declaration.
            pub const NUMBERS: &'static [i64] = &[$($number),+];

            /// The number on the wire; for an unknown value, the number as it was read.
            pub const fn get(self) -> i64 {
                match self {
                    $(Self::$variant => $number,)+
                    Self::Unknown(number) => number,
                }
            }
        }

        impl From<i64> for $name {
            fn from(number: i64) -> Self {
                match number {
                    $($number => Self::$variant,)+
                    other => Self::Unknown(other),
                }
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_i64(self.get())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::tolerant::integer(deserializer).map(Self::from)
            }
        }

        impl $crate::Attribute for $name {
            const KIND: $crate::Kind = $crate::enumeration::bounds(Self::NUMBERS);

            fn validate(sent: &serde_json::Value) -> Result<serde_json::Value, Vec<$crate::Flaw>> {
                let sent = $crate::values::validate_integer(sent, i64::MIN, i64::MAX)?;
                let is_known = sent.as_i64().is_some_and(|number| Self::NUMBERS.contains(&number));
                if is_known { Ok(sent) } else { Err($crate::Violation::NotIncluded.into()) }
            }
        }
    };
}
pub(crate) use integer_enum;

/// The kind of a number between the smallest and the greatest of these.
pub(crate) const fn bounds(numbers: &'static [i64]) -> crate::Kind {
    let (mut min, mut max, mut left) = (i64::MAX, i64::MIN, numbers);
    while let Some((number, rest)) = left.split_first() {
        if *number < min {
            min = *number;
        }
        if *number > max {
            max = *number;
        }
        left = rest;
    }
    crate::Kind::Integer { min, max }
}
