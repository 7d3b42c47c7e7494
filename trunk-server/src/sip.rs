//! What the edge and the dialler share of SIP: where to listen, ports for media, session descriptions.
//!
//! It decides nothing about a call.

pub(crate) mod listen;
mod ports;
pub(crate) mod sdp;

pub(crate) use ports::Ports;
