//! Enumerations of texts that keep a text they do not know.

/// A text that this crate knows no name for. It is written back as it was read.
///
/// Only decoding makes one, so that a value which is named later stays equal to itself: compare by `as_str`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UnknownText(pub(crate) Box<str>);

/// Declares an enumeration of wire texts with a hidden variant for texts not known yet.
macro_rules! string_enum {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$vmeta])* $variant,)+
            #[doc(hidden)]
            Unknown($crate::UnknownText),
        }

        impl $name {
            /// The texts that have a name here.
            pub const TEXTS: &'static [&'static str] = &[$($text),+];

            /// The text on the wire.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)+
                    Self::Unknown(text) => &text.0,
                }
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                match text {
                    $($text => Self::$variant,)+
                    other => Self::Unknown($crate::UnknownText(other.into())),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::text::parsed(deserializer, |text| Ok::<_, std::convert::Infallible>(Self::from(text)))
            }
        }

        impl $crate::Attribute for $name {
            const KIND: $crate::Kind = $crate::Kind::Enumeration(Self::TEXTS);

            fn admit(sent: &serde_json::Value) -> Result<serde_json::Value, Vec<$crate::Flaw>> {
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
