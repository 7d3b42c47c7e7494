//! Shared helpers: the real binary as a process, HTTP without the SDK, and records of every declared type.

pub mod api;
pub mod binary;
#[cfg(feature = "nodes-full")]
pub mod cluster;
pub mod disk;
pub mod dump;
pub mod engine;
pub mod fixture;
pub mod months;
pub mod place;
#[cfg_attr(not(feature = "nodes-full"), allow(dead_code, reason = "the long form uses it"))]
pub mod postgres;
pub mod receiver;
pub mod records;
#[cfg_attr(not(feature = "nodes-full"), allow(dead_code, reason = "the long form uses it"))]
pub mod tcp_proxy;
pub mod wire;
pub mod world;
