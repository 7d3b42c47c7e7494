//! Shared helpers: the real binary as a process, HTTP without the SDK, and records of every declared type.

pub mod api;
pub mod binary;
pub mod cluster;
pub mod disk;
pub mod dump;
pub mod engine;
pub mod fixture;
pub mod place;
pub mod postgres;
pub mod receiver;
pub mod records;
pub mod tcp_proxy;
pub mod wire;
pub mod world;
