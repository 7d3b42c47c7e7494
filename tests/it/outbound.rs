//! Calls of the platform, from an API to SIP and back: through both SDKs, to this server's own edge, to sipp and to
//! peers that misbehave.

mod carrier;
mod crash;
mod dropped;
mod durable;
mod far_ends;
mod refusals;
mod responses;
mod stage;
mod stop;
mod unanswered;
mod ways;
mod whole_path;
