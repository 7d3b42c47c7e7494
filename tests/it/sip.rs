//! SIP peers against the real binary: sipp for correct peers, and a caller in this crate for wrong digests,
//! media, TLS and garbage.

mod authentication;
mod bodies;
mod capacity;
pub mod certificates;
mod changes;
mod charging;
mod conformance;
mod dialogs;
pub mod digest;
mod dtmf;
pub mod edge;
mod endings;
mod explain;
mod front;
mod hostile;
mod inspection;
mod late_offers;
pub mod media;
mod media_formats;
mod merged;
pub mod message;
pub mod messages;
mod no_audio;
mod provisional;
mod records;
mod refusals;
mod scenario;
mod sentences;
mod session_timers;
mod settings;
mod streams;
mod timers;
mod torture;
mod trace;
mod transports;
pub mod uac;
