//! Declared operations of an HTTP API, and the `OpenAPI` document that describes them.
//!
//! An API declares each of its operations once, as an [`Operation`]: method, path, query and body, responses, and the
//! statuses of its errors. The router is built from the same list, so that no handler is without a declaration.
//! The schemas of bodies and answers are derived from the Rust types that the handlers decode and encode
//! ([`schemars`]), so that a new member of a type appears in the document by itself.
//!
//! The crate serves no requests, and depends on no particular API.

mod document;
mod operation;
mod prose;

pub use document::{Contract, Header, Security};
pub use operation::Operation;
