//! What the edge and the dialler share of SIP: where to listen, connections, ports for media, session descriptions.
//!
//! It decides nothing about a call.

mod arrival;
mod datagrams;
mod framing;
mod head;
pub(crate) mod listen;
mod ports;
pub(crate) mod sdp;
mod shutdown;
mod stateless;
pub(crate) mod streams;
mod tag;

pub(crate) use arrival::{Arrival, Common, Door, Entry};
pub(crate) use datagrams::Datagrams;
pub(crate) use framing::body_of_datagram;
pub(crate) use head::{Head, unfolded};
pub(crate) use ports::Ports;
pub(crate) use shutdown::shut_down;
pub(crate) use stateless::Reply;
pub use streams::Connections;
pub(crate) use tag::tag_of;
