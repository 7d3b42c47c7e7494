//! Shared helpers: the real binary as a process, and HTTP without the SDK.

pub mod api;
pub mod binary;
pub mod disk;
pub mod dump;
pub mod receiver;
pub mod world;
