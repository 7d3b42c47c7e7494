//! Declarative provisioning: a file declares records, a plan lists the differences, and `apply` removes them.
//!
//! There is no state file. A record is identified by the owner's mark in its `external_reference_id`, else by its
//! name or number. Values are compared in the form in which the service stores them, so that a plan right after
//! `apply` is empty. Only records with the owner's mark are ever deleted.

mod action;
mod apply;
mod begun;
mod clients;
mod declaration;
mod dump;
mod existing;
mod links;
mod mark;
mod mirror;
mod part;
mod plan;
mod platform;
mod projection;
mod prune;
mod report;
mod safety;
mod unchanged;

pub use action::{Action, Change, Operation, Request};
pub use apply::{Applied, Outcome, Pace, apply};
pub(crate) use begun::Begun;
pub use clients::Clients;
pub use declaration::{Declaration, Entry};
pub use dump::{Dump, dump};
pub use mark::{Mark, Owner};
pub use part::{Part, PartEntry};
pub(crate) use plan::plan_with;
pub use plan::{Plan, plan};
pub use report::{json, markdown, summary, text};
pub use safety::{Limits, check};
