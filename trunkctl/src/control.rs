//! The commands for a trunk-server's control API, which simulates staff, time and the outside world.

mod accounts;
mod audit;
mod calls;
mod clock;
mod explain;
mod inbound;
mod keys;
mod lab;
mod service;

pub(crate) use accounts::AccountsCommand;
pub(crate) use audit::Audit;
pub(crate) use calls::CallsCommand;
pub(crate) use clock::ClockCommand;
pub(crate) use explain::Explain;
pub(crate) use inbound::InboundCommand;
pub(crate) use keys::KeysCommand;
pub(crate) use lab::LabCommand;
pub(crate) use service::Service;
