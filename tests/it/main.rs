//! Our client, the official SDK and hostile peers against the real server.

#![expect(unreachable_pub, reason = "nothing outside this binary can reach it")]

mod callbacks;
mod sdk;
mod smoke;
mod support;
