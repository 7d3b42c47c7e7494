//! Declared operations of an HTTP API, and the `OpenAPI` document that describes them.
//!
//! An API declares each of its operations once, as an [`Operation`]: method, path, what it accepts, what it answers, and
//! with which statuses it refuses. The same list makes the API's router, so that no handler is without a declaration.
//! The schemas of bodies and answers are derived from the Rust types that the handlers decode and encode
//! ([`schemars`]), so that a new member of a type appears in the document by itself.
//!
//! It serves nothing and knows no API.

mod document;
mod operation;
mod prose;

pub use document::{Contract, Header, Security};
pub use operation::Operation;
