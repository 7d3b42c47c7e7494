//! The commands of a trunk-server's control API: what staff, time and the real world do.

mod accounts;
mod calls;
mod clock;
mod explain;
mod keys;
mod service;

pub use accounts::AccountsCommand;
pub use calls::CallsCommand;
pub use clock::ClockCommand;
pub use explain::Explain;
pub use keys::KeysCommand;
pub use service::Service;
