//! Validation of writes to DIDWW resources: forms, required members, defaults, cross-field rules and life
//! cycles.
//!
//! [`settle`] takes what a client sent and the stored record, and returns what to store, or every rule that
//! is broken. Rules common to all resources come from their declarations; a resource with rules of its own
//! has a file here.

mod blocking;
mod case;
mod did;
mod draft;
mod membership;
mod refusal;
mod regenerate_credentials;
mod settle;
mod voice_out_trunk;

pub use case::{Act, Case, Credentials, Linked, LinkedRecord};
pub use draft::Effect;
pub use membership::{Membership, initial_meta, membership};
pub use refusal::Refusal;
pub use settle::settle;
pub use voice_out_trunk::{TrunkAct, act_on_trunk};
