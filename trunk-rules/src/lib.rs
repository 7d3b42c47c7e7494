//! What an outbound trunk permits, decided without I/O, clock or randomness.

pub mod carrier;
