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

// A test reads a packet or two.
#![cfg_attr(test, allow(clippy::disallowed_methods))]

pub mod address;
mod arrival;
pub mod body;
mod datagrams;
mod framing;
mod head;
pub mod listen;
mod ports;
pub mod sdp;
pub mod session_timer;
mod shutdown;
mod stateless;
pub mod streams;
mod tag;

pub use arrival::{Arrival, Common, Door, Entry};
pub use datagrams::Datagrams;
pub use framing::body_of_datagram;
pub use head::{Head, unfolded};
pub use ports::{Books, Bound, Held, Ports};
pub use shutdown::shut_down;
pub use stateless::Reply;
pub use streams::Connections;
pub use tag::tag_of;
