//! What the wire types of several services share, once: texts that must not be printed, enumerations that keep
//! a text they do not know, instants, members that are not declared, and errors that name a place.
//!
//! It knows no service, no HTTP and no clock, and does no I/O.

mod decode_error;
mod enumeration;
mod extra;
mod hex;
pub mod rfc3339;
mod secret;
mod text;
mod timestamp;

pub use decode_error::{DecodeError, parse_json};
pub use enumeration::UnknownText;
pub use extra::{Extra, Names};
pub use hex::{from_hex, to_hex};
pub use secret::Secret;
pub use text::parsed;
pub use timestamp::Precision;

/// What the output of [`string_enum!`] and [`timestamp!`] names; not part of the public interface.
#[doc(hidden)]
pub mod macro_support {
    pub use serde;
}
