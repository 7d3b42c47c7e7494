//! The fixed commands, which belong to no resource.

pub(crate) mod api;
pub(crate) mod completion;
pub(crate) mod context;
pub(crate) mod man;
pub(crate) mod prices;
pub(crate) mod provision;
pub(crate) mod resources;
