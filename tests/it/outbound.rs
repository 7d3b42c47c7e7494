//! Outbound calls of the platform, from its API to SIP: through both SDKs, to this server's own edge, to sipp
//! and to misbehaving peers.

mod call_variants;
mod crash;
mod dropped;
pub mod durable;
mod far_ends;
mod mixed_load;
mod refusals;
mod responses;
#[path = "../support/sipp_carrier.rs"]
pub mod sipp_carrier;
pub mod stage;
mod stop;
mod unanswered;
mod whole_path;
