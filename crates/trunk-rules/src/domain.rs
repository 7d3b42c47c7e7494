//! Validation of writes to DIDWW resources: forms, required members, defaults, cross-field rules and life
//! cycles.
//!
//! [`decide_write`] takes what a client sent and the stored record, and returns what to store, or every rule that
//! is broken. Rules common to all resources come from their declarations; a resource with rules of its own
//! has a file here.

mod blocking;
mod capacity_pool;
mod decide_write;
mod did;
mod draft;
mod membership;
mod refusal;
mod regenerate_credentials;
mod voice_out_trunk;
mod write_context;

pub use decide_write::decide_write;
pub use draft::WriteOutcome;
pub use membership::{Membership, initial_meta, membership};
pub use refusal::Refusal;
pub use voice_out_trunk::{TrunkOperation, apply_to_trunk};
pub use write_context::{Credentials, Linked, LinkedRecord, WriteContext, WriteKind};
