//! Tests of the server's parts through their own interfaces: the store, the listener's limits, control, the
//! test server.

#![expect(unreachable_pub, reason = "nothing outside this binary can reach it")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

mod control_api;
mod limits;
mod shutdown;
mod support;
mod tenants;
mod test_server;
