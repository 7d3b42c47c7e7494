//! SIP peers against the real binary: sipp for what a peer does as it should, and a caller of our own for what
//! sipp cannot do: wrong digests, media, TLS, garbage.

mod authentication;
mod capacity;
pub mod certificates;
mod changes;
mod charging;
pub mod digest;
pub mod edge;
mod endings;
mod explain;
mod front;
mod hostile;
mod media;
pub mod message;
mod provisional;
mod records;
mod refusals;
mod scenario;
mod settings;
mod streams;
mod timers;
mod transports;
mod uac;
