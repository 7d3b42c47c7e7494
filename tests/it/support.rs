//! Shared helpers: the real binary as a process, HTTP without the SDK, and records of every declared type.

pub mod api;
pub mod binary;
pub mod disk;
pub mod dump;
pub mod engine;
pub mod fixture;
pub mod postgres;
pub mod receiver;
pub mod records;
pub mod wire;
pub mod world;
