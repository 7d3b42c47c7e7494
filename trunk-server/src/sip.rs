//! What the edge and the dialler share of SIP: where to listen, connections, ports for media, session descriptions.
//!
//! It decides nothing about a call.

mod framing;
pub(crate) mod listen;
mod ports;
pub(crate) mod sdp;
mod shutdown;
pub(crate) mod streams;

pub(crate) use ports::{Bound, Ports};
pub(crate) use shutdown::shut_down;
pub use streams::Connections;
