//! Enumerations of texts that preserve texts without a variant.

/// A text for which a declared enumeration has no variant. It is serialised exactly as it was read.
///
/// It has no public constructor. Compare it by [`as_str`](Self::as_str): a later release may declare a
/// variant for the text, and a match on `Unknown` would then stop matching.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UnknownText(Box<str>);

impl UnknownText {
    /// Only the output of [`string_enum!`](crate::string_enum) calls this.
    #[doc(hidden)]
    pub fn read(text: &str) -> Self {
        Self(text.into())
    }

    /// The text, exactly as it was read.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A text that is not one of an enumeration's, where no other is valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is none of {}", .valid.join(", "))]
pub struct UndeclaredText {
    /// The text that was parsed.
    pub given: String,
    /// The valid texts, in the order of their declaration.
    pub valid: &'static [&'static str],
}

/// Declares an enumeration of wire texts with a hidden variant that preserves any other text. Its functions are
/// `#[inline]`, so that a program compiles those of the enumerations that it uses.
///
/// ```
/// wire_core::string_enum! {
///     /// The state of a line.
///     LineState {
///         /// No call is up.
///         Idle = "idle",
///         /// A call is up.
///         Busy = "busy",
///     }
/// }
/// let read: Vec<LineState> = serde_json::from_str(r#"["busy","parked"]"#)?;
/// assert_eq!(read[0], LineState::Busy);
/// assert_eq!(read[1].as_str(), "parked");
/// assert_eq!(serde_json::to_string(&read)?, r#"["busy","parked"]"#);
/// // What a person writes is read strictly.
/// assert_eq!("idle".parse::<LineState>(), Ok(LineState::Idle));
/// assert_eq!("parked".parse::<LineState>().unwrap_err().to_string(), "`parked` is none of idle, busy");
/// assert_eq!(LineState::all().count(), 2);
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
            /// The wire texts of the named variants, in the order of their declaration.
            pub const TEXTS: &'static [&'static str] = &[$($text),+];

            /// The named variants, in the order of their declaration.
            #[inline]
            pub fn all() -> impl Iterator<Item = Self> {
                Self::TEXTS.iter().map(|text| Self::from(*text))
            }

            /// The wire text of this value; for an unknown value, the text as it was read.
            #[inline]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)+
                    Self::Unknown(text) => text.as_str(),
                }
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::UndeclaredText;

            /// Reads the text of a named variant. Another one is an error that lists them; `from` keeps it.
            #[inline]
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match Self::from(text) {
                    Self::Unknown(_) => {
                        Err($crate::UndeclaredText { given: text.to_owned(), valid: Self::TEXTS })
                    }
                    known => Ok(known),
                }
            }
        }

        impl From<&str> for $name {
            #[inline]
            fn from(text: &str) -> Self {
                match text {
                    $($text => Self::$variant,)+
                    other => Self::Unknown($crate::UnknownText::read(other)),
                }
            }
        }

        impl std::fmt::Display for $name {
            #[inline]
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
