//! The certificates of TLS listeners, read again when their files change.
//!
//! A listener uses the current configuration for each new connection, so that a renewed certificate needs no restart
//! and closes no connection. Files that cannot be used, such as a certificate whose key is not written yet, are an
//! error at the start only; later the current certificate remains in use. Errors contain no key, and no text of a file
//! that cannot be read.
//!
//! Bounds: a file has at most [`MAX_FILE_BYTES`].

mod identity;
mod pem;
mod watching;

pub use identity::{Identity, IdentityError, IdentityFiles, MAX_FILE_BYTES};
pub use pem::why_no_pem;
pub use watching::{CHECK_INTERVAL, reload_all, watch};
