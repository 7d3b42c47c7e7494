//! Enumerations of texts that keep a text they do not know.

/// A text that a declaration has no name for. It is written back as it was read.
///
/// Only decoding makes one, so that a value which is named later stays equal to itself: compare by `as_str`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UnknownText(Box<str>);

impl UnknownText {
    /// For the output of [`string_enum!`](crate::string_enum) alone.
    #[doc(hidden)]
    pub fn read(text: &str) -> Self {
        Self(text.into())
    }

    /// The text as it was read.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Declares an enumeration of wire texts with a hidden variant for texts not known yet.
///
/// ```
/// wire_core::string_enum! {
///     /// How it is.
///     Mood {
///         /// Well.
///         Glad = "glad",
///         /// Not well.
///         Sad = "sad",
///     }
/// }
/// let read: Vec<Mood> = serde_json::from_str(r#"["sad","puzzled"]"#)?;
/// assert_eq!(read[0], Mood::Sad);
/// assert_eq!(read[1].as_str(), "puzzled");
/// assert_eq!(serde_json::to_string(&read)?, r#"["sad","puzzled"]"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[macro_export]
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
                    Self::Unknown(text) => text.as_str(),
                }
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                match text {
                    $($text => Self::$variant,)+
                    other => Self::Unknown($crate::UnknownText::read(other)),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl $crate::macro_support::serde::Serialize for $name {
            fn serialize<S: $crate::macro_support::serde::Serializer>(
                &self,
                serializer: S,
            ) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> $crate::macro_support::serde::Deserialize<'de> for $name {
            fn deserialize<D: $crate::macro_support::serde::Deserializer<'de>>(
                deserializer: D,
            ) -> Result<Self, D::Error> {
                $crate::parsed(deserializer, |text| Ok::<_, std::convert::Infallible>(Self::from(text)))
            }
        }
    };
}
