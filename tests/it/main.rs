//! The client, the official SDK and hostile peers against the real server.

#![expect(unreachable_pub, reason = "nothing outside this binary can reach it")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]
#![allow(clippy::disallowed_methods, reason = "peers of tests take a packet or a connection or two")]
#![allow(clippy::needless_pass_by_value, reason = "a `json!` literal is handed over where it is written")]

mod architecture;
mod audit;
mod callbacks;
mod conformance;
mod console;
mod coverage;
mod crash;
mod descriptors;
mod dialler;
mod docs;
mod faults;
mod founding;
mod fuzzed;
mod idempotency;
mod inbound;
mod isolation;
mod lab;
mod lints;
mod load;
mod metrics;
mod operations;
mod outbound;
mod peers;
mod programs;
mod promises;
mod properties;
mod recording;
mod reference_data;
mod refused;
mod release;
mod sdk;
mod sdk_reach;
#[cfg_attr(not(feature = "nodes-full"), allow(dead_code, reason = "the long form uses it"))]
mod several_nodes;
mod sip;
mod smoke;
mod startup;
mod support;
mod tls;
mod tokens;
mod transfers;
mod unread_bodies;
mod upgrade;
mod voipbin;
mod worlds;
