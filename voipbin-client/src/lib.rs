//! A typed SDK for the outbound side of VoIPBIN's API (`/v1.0`).
//!
//! Compatible with VoIPBIN, not affiliated with it.

pub mod types;
