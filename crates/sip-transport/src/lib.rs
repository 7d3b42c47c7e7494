//! The parts of SIP that the carrier edge and the dialler share: UDP and TCP listeners, stream connections,
//! media ports, message bodies, session descriptions (SDP), session timers, and the log of messages.
//!
//! The crate makes no decision about a call. Each loop that a peer can feed has a bound:
//!
//! | loop | bound |
//! | --- | --- |
//! | `datagrams`: datagrams of any source | one buffer; 16 in a row; the kernel drops the excess |
//! | `streams`: connections of any peer | a limit in total and for each address, with eviction |
//! | `streams`: messages of a connection | 65,535 bytes and 32 seconds each; 16 in a row |
//! | `streams`: responses to a peer | reading pauses while 64 of them or 64 KiB wait to be sent |
//! | `stateless`: responses to unknown sources | the filter's limits on size and rate; sent once |
//! | `kept_answers`: answers, for copies of their requests | 32 seconds, and 262,144 |
//! | `messages`: stored messages | bytes and number for each call, owner and address, and in all |
//! | `listen`: a free port for UDP and TCP | 16 attempts |

// A test reads a packet or two.
#![cfg_attr(test, allow(clippy::disallowed_methods))]

mod ack_routes;
pub mod address;
mod arrival;
pub mod body;
mod datagrams;
mod framing;
mod head;
mod intake;
mod kept_answers;
mod limits;
pub mod listen;
mod messages;
mod name_addr;
mod no_names;
mod plain_request;
mod ports;
mod readable;
pub mod sdp;
mod serving;
pub mod session_timer;
mod shutdown;
mod stateless;
pub mod streams;
mod unreadable;
mod verbatim;
mod via;

pub use ack_routes::{AckRoute, AckRoutes, source_of_unread_ack};
pub use arrival::Arrival;
pub use datagrams::Datagrams;
pub use framing::{Frame, FramingError, body_of_datagram, next_frame};
pub use head::{Head, unfolded};
pub use intake::{FilterAction, Intake, MessageFilter, parse_message};
pub use kept_answers::KeptAnswers;
pub use messages::{CallMessages, Direction, Message, MessageLog, MessageLogLimits, Tap, masked_line};
pub use name_addr::{is_name_addr, tag_of, uri_of};
pub use no_names::transport_layer;
pub use plain_request::PlainRequest;
pub use ports::{MediaSocket, Ports, SocketAccounting, SocketGuard};
pub use readable::{NULL_TAG, as_received};
pub use serving::serve_in_steps;
pub use shutdown::shut_down;
pub use stateless::Reply;
pub use streams::Connections;
pub use unreadable::Unreadable;
pub use verbatim::verbatim;
pub use via::{response_address, stamped};
