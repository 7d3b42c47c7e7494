//! What the edge and the dialler share of SIP: where to listen, connections, ports for media, bodies, session
//! descriptions and timers.
//!
//! It decides nothing about a call.

pub(crate) mod address;
pub(crate) mod body;
mod framing;
pub(crate) mod listen;
mod ports;
pub(crate) mod sdp;
pub(crate) mod session_timer;
mod shutdown;
pub(crate) mod streams;

pub(crate) use ports::Ports;
pub(crate) use shutdown::shut_down;
pub use streams::Connections;
