//! Building blocks that the wire types of several services share: secrets, enumerations that preserve unknown
//! texts, instants, undeclared members, and decode errors with a path.
//!
//! This crate depends on no particular service and no HTTP library, reads no clock, and does no I/O.

mod decode_error;
mod enumeration;
mod extra;
mod hex;
pub mod rfc3339;
#[cfg(feature = "schema")]
mod schema;
mod secret;
mod secret_names;
mod text;
mod text_secrets;
mod timestamp;
mod url_secrets;

pub use decode_error::{DecodeError, parse_json};
pub use enumeration::{UndeclaredText, UnknownText};
pub use extra::{Extra, Names};
pub use hex::{from_hex, to_hex};
pub use secret::{Secret, hiding_secrets};
pub use secret_names::names_secret;
pub use text::parsed;
pub use text_secrets::text_holds_secret;
pub use timestamp::Precision;
pub use url_secrets::hidden_in_url;

/// Paths that the output of [`string_enum!`] and [`timestamp!`] refers to; not part of the public interface.
#[doc(hidden)]
pub mod macro_support {
    #[cfg(feature = "schema")]
    pub use schemars;
    pub use serde;
}
