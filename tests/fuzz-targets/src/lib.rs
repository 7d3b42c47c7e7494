//! What is fuzzed: a function for each parser of what peers, clients and operators write.
//!
//! Each function takes any bytes. It fails where the parser panics or breaks what its documentation states: that what
//! is written can be read again, that a bound holds, that a signature of ours verifies. `fuzz/` calls the functions
//! from libFuzzer, and `tests/it/fuzzed.rs` with the seeds and a bounded number of their mutations.
//!
//! Seeds are the recordings in `fixtures/` and what is made of them here; no corpus is stored.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a panic is how a target reports what it found"
)]

mod api_request;
mod callback_signature;
mod capture;
mod configuration;
mod digest;
mod document;
mod dtmf_info;
mod export_rows;
mod filter_values;
mod fixtures;
mod forwarded;
mod idempotency_key;
mod journal_mask;
mod mutations;
mod phone_number;
mod provider_address;
mod query;
mod rtp;
mod sdp;
mod server;
mod sip_body;
mod sip_message;
mod sip_stream;
mod token;
mod values;
mod voipbin_json;
mod world;

use std::path::Path;

pub use api_request::api_request;
pub use callback_signature::callback_signature;
pub use capture::capture;
pub use configuration::configuration;
pub use digest::digest;
pub use document::document;
pub use dtmf_info::dtmf_info;
pub use export_rows::export_rows;
pub use filter_values::filter_values;
pub use forwarded::forwarded;
pub use idempotency_key::idempotency_key;
pub use journal_mask::journal_mask;
pub use mutations::mutations;
pub use phone_number::phone_number;
pub use provider_address::provider_address;
pub use query::query;
pub use rtp::rtp;
pub use sdp::sdp;
pub use sip_body::sip_body;
pub use sip_message::sip_message;
pub use sip_stream::sip_stream;
pub use token::token;
pub use values::values;
pub use voipbin_json::voipbin_json;
pub use world::world;

/// A parser that is fuzzed.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// The name of the function, and of the target in `fuzz/`.
    pub name: &'static str,
    /// Parses the bytes; panics where a property does not hold.
    pub run: fn(&[u8]),
    /// Inputs to begin with.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// Every target.
pub const TARGETS: [Target; 24] = [
    Target { name: "api_request", run: api_request, seeds: api_request::seeds },
    Target { name: "callback_signature", run: callback_signature, seeds: callback_signature::seeds },
    Target { name: "capture", run: capture, seeds: sip_message::seeds },
    Target { name: "configuration", run: configuration, seeds: configuration::seeds },
    Target { name: "digest", run: digest, seeds: digest::seeds },
    Target { name: "document", run: document, seeds: document::seeds },
    Target { name: "dtmf_info", run: dtmf_info, seeds: dtmf_info::seeds },
    Target { name: "export_rows", run: export_rows, seeds: export_rows::seeds },
    Target { name: "filter_values", run: filter_values, seeds: filter_values::seeds },
    Target { name: "forwarded", run: forwarded, seeds: forwarded::seeds },
    Target { name: "idempotency_key", run: idempotency_key, seeds: idempotency_key::seeds },
    Target { name: "journal_mask", run: journal_mask, seeds: journal_mask::seeds },
    Target { name: "phone_number", run: phone_number, seeds: phone_number::seeds },
    Target { name: "provider_address", run: provider_address, seeds: provider_address::seeds },
    Target { name: "query", run: query, seeds: query::seeds },
    Target { name: "rtp", run: rtp, seeds: rtp::seeds },
    Target { name: "sdp", run: sdp, seeds: sdp::seeds },
    Target { name: "sip_body", run: sip_body, seeds: sip_body::seeds },
    Target { name: "sip_message", run: sip_message, seeds: sip_message::seeds },
    Target { name: "sip_stream", run: sip_stream, seeds: sip_stream::seeds },
    Target { name: "token", run: token, seeds: token::seeds },
    Target { name: "values", run: values, seeds: values::seeds },
    Target { name: "voipbin_json", run: voipbin_json, seeds: voipbin_json::seeds },
    Target { name: "world", run: world, seeds: world::seeds },
];

/// Writes the seeds of a target into the folder that `FUZZ_SEEDS` names, if it is set. `scripts/fuzz` sets it, so that
/// libFuzzer finds them before it begins.
///
/// # Errors
/// Those of the file system.
pub fn write_seeds(name: &str) -> std::io::Result<()> {
    let Some(folder) = std::env::var_os("FUZZ_SEEDS") else { return Ok(()) };
    std::fs::create_dir_all(&folder)?;
    let target = TARGETS.iter().find(|target| target.name == name);
    for (number, seed) in target.into_iter().flat_map(|target| (target.seeds)()).enumerate() {
        std::fs::write(Path::new(&folder).join(format!("seed-{number}")), seed)?;
    }
    Ok(())
}
