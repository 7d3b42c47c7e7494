//! The limits on connections and requests, and their defaults.

use std::time::Duration;

use service_base::guessing::GuessLimits;

/// The limits on the resources of the server's HTTP listeners that clients can use.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Limits {
    /// The maximum number of simultaneous connections on the public API's listener; 10,000 by default.
    pub connections: usize,
    /// The maximum number of simultaneous connections on the control API's listener; 1,000 by default.
    pub control_connections: usize,
    /// The maximum number of simultaneous connections of one address, or of one /64 of IPv6. `None`, the
    /// default, means 256, or half of those that the listener can have if that is less, and no limit for
    /// 127.0.0.1 and `::1`, which local proxies and programs use. Trusted proxies are never limited.
    pub connections_per_address: Option<usize>,
    /// The longest time from the first byte of a request to the end of its headers; 10 seconds by default. It
    /// is shorter while the listener has many connections.
    pub header_deadline: Duration,
    /// The longest time without a request on an open connection, and the longest time in which a client reads
    /// nothing of a response; a minute by default.
    pub idle_deadline: Duration,
    /// The maximum number of bytes of responses that clients have not read yet, for each listener; one client
    /// can have half. Responses below 16 KiB are never refused, and do not count on HTTP/1.1. 128 MiB by default.
    pub unread_bytes: usize,
    /// The maximum number of bytes of a request's line and headers together, at least 8,192; 16 KiB by
    /// default.
    pub header_bytes: usize,
    /// The maximum number of headers of a request; 100 by default.
    pub header_count: usize,
    /// The maximum number of bytes of a request's body; 1 MiB by default.
    pub body_bytes: usize,
    /// The longest time from the end of a request's headers to the end of its body; 30 seconds by default.
    pub body_deadline: Duration,
    /// The longest time that requests in progress may take when the server stops; 10 seconds by default.
    pub shutdown_deadline: Duration,
    /// How many failed authentications are permitted.
    pub guesses: GuessLimits,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            control_connections: 1_000,
            connections_per_address: None,
            header_deadline: Duration::from_secs(10),
            idle_deadline: Duration::from_mins(1),
            unread_bytes: 128 << 20,
            header_bytes: 16 * 1024,
            header_count: 100,
            body_bytes: 1 << 20,
            body_deadline: Duration::from_secs(30),
            shutdown_deadline: Duration::from_secs(10),
            guesses: GuessLimits::default(),
        }
    }
}
