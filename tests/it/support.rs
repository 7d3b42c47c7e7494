//! What the tests share: the real binary as a process, and HTTP without our own client.

pub mod api;
pub mod binary;
pub mod disk;
pub mod receiver;
pub mod world;
