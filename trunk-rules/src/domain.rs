//! What each resource permits: forms, required members, defaults, cross-field rules and life cycles.
//!
//! [`settle`] takes what a client sent and what there was before, and gives what there is to be, or every rule
//! that is broken. What is the same for all resources comes from their declaration; a resource with rules of
//! its own has a file here.

mod blocking;
mod case;
mod did;
mod membership;
mod refusal;
mod regenerate_credentials;
mod settle;
mod voice_out_trunk;

pub use case::{Act, Case, Credentials, Features, Linked, LinkedRecord};
pub use membership::{Membership, initial_meta, membership};
pub use refusal::Refusal;
pub use settle::{Effect, settle};
pub use voice_out_trunk::{TrunkAct, act_on_trunk};
