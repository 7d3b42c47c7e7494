//! The time limits of a stream connection.

use std::time::Duration;

/// The time limits of a stream connection. They run on the real clock.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Maximum time in which the peer accepts none of the bytes that wait to be sent. Default: 10 seconds.
    pub write_timeout: Duration,
    /// Maximum time from the first to the last byte of a message. Default: 32 seconds.
    pub message_timeout: Duration,
    /// A connection without traffic in either direction for this time is closed, unless a user of it or the filter
    /// needs it: then a ping keeps it alive, if this side opened it. Default: 5 minutes.
    pub idle_timeout: Duration,
    /// Maximum time until the filter passes the first message of an accepted connection. Default: 10 seconds.
    pub unproven_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            write_timeout: Duration::from_secs(10),
            message_timeout: Duration::from_secs(32),
            idle_timeout: Duration::from_mins(5),
            unproven_timeout: Duration::from_secs(10),
        }
    }
}
