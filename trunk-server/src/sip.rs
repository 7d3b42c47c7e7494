//! What the edge and the dialler share of SIP: where to listen, connections, ports for media, bodies, session
//! descriptions and timers.
//!
//! It decides nothing about a call. What peers feed, and what bounds it:
//!
//! | loop | bound |
//! | --- | --- |
//! | `datagrams`: datagrams of everybody | one buffer; 16 in a row; what the kernel's queue cannot hold is lost |
//! | `streams`: connections of everybody | places for all and for each address; idle ones that proved nothing make room |
//! | `streams`: messages on a connection | 65,535 bytes each, 32 seconds to arrive; 16 in a row; nothing is read while 64 answers or 64 KiB wait |
//! | `stateless`: answers to strangers | twice the bytes that came, once, as rarely as the door says |
//! | `listen`: port 0 | 16 tries |

pub(crate) mod address;
mod arrival;
pub(crate) mod body;
mod datagrams;
mod framing;
mod head;
pub(crate) mod listen;
mod ports;
pub(crate) mod sdp;
pub(crate) mod session_timer;
mod shutdown;
mod stateless;
pub(crate) mod streams;
mod tag;

pub(crate) use arrival::{Arrival, Common, Door, Entry};
pub(crate) use datagrams::Datagrams;
pub(crate) use framing::body_of_datagram;
pub(crate) use head::{Head, unfolded};
pub(crate) use ports::{Books, Bound, Held, Ports};
pub(crate) use shutdown::shut_down;
pub(crate) use stateless::Reply;
pub use streams::Connections;
pub(crate) use tag::tag_of;
