//! The commands that belong to no resource.

pub mod api;
pub mod completion;
pub mod context;
pub mod man;
pub mod provision;
pub mod resources;
