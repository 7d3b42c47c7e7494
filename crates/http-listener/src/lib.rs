//! Serves HTTP on a listener, with deadlines and limits that apply before any handler runs.
//!
//! It also has the parts that every HTTP API of the server needs: health endpoints, request ids, rate limits,
//! and turns for requests. It knows no API; each supplies a router.
//!
//! What a peer can cause is bounded:
//!
//! - connections, in total and of one address (`connection_table`): half-open ones are closed to make room
//!   for others;
//! - the time for the headers of a request and for writing its response (`connection`);
//! - the bytes of responses that clients do not read (`unread_responses`);
//! - refused connections whose request is awaited (`refuse`): further ones are refused without waiting;
//! - failed accepts: each is followed by a delay of up to 200 ms.

// Tests read single packets directly.
#![cfg_attr(test, allow(clippy::disallowed_methods))]

mod connection;
mod connection_table;
mod drain;
mod health;
mod in_turn;
mod json;
mod rate_limit;
mod refuse;
mod request_id;
mod unread_responses;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use service_base::clock::Clock;
use service_base::descriptors::{Descriptors, Share};
use service_base::forwarded::{Proxies, origin};
use service_base::guessing::GuessLimits;
use service_base::net;
use service_base::summed::Summed;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};

use crate::connection::{ConnectionContext, serve_connection};
use crate::connection_table::{ConnectionLimits, ConnectionState, ConnectionTable, Full};
use crate::refuse::Refusals;
use crate::unread_responses::UnreadResponses;

pub use drain::drain_body;
pub use health::health_router;
pub use in_turn::{InTurn, Turn};
pub use json::plain_json;
pub use rate_limit::RateLimits;
pub use request_id::request_id;

/// The limits on what clients can use of the server's HTTP listeners.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Limits {
    /// The maximum number of simultaneous connections on the public API's listener; 10,000 by default.
    pub connections: usize,
    /// The maximum number of simultaneous connections on the control API's listener; 1,000 by default.
    pub control_connections: usize,
    /// The maximum number of simultaneous connections of one address, or of one /64 of IPv6. `None`, the
    /// default, means 256, and no limit for 127.0.0.1 and `::1`, which local proxies and programs use.
    /// Trusted proxies are never limited.
    pub connections_per_address: Option<usize>,
    /// The longest time from the first byte of a request to the end of its headers; 10 seconds by default. It
    /// is shorter while the listener has many connections.
    pub header_deadline: Duration,
    /// The longest time without a request on an open connection, and the longest time in which a client reads
    /// nothing of a response; a minute by default.
    pub idle_deadline: Duration,
    /// The maximum number of bytes of responses that clients have not read yet, for each listener; one client
    /// can have half. Responses below 16 KiB do not count. 128 MiB by default.
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

/// The maximum number of connections of one address without a configured limit.
const DEFAULT_MAX_PER_ADDRESS: usize = 256;
static REFUSED: Summed = Summed::new("connections were refused: no room");
static ACCEPT_FAILED: Summed = Summed::new("connections could not be accepted");

/// The delay after a failed accept. It doubles with each further failure, up to [`MAX_ACCEPT_RETRY_DELAY`].
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(5);
const MAX_ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(200);

/// The settings of a listener, and the parts of the server that it uses.
#[derive(Debug, Clone)]
pub struct ListenerContext {
    /// The limits on connections and requests.
    pub limits: Limits,
    /// The trusted proxies, which report the addresses of their clients.
    pub proxies: Proxies,
    /// The budget that each connection takes a file descriptor from.
    pub descriptors: Descriptors,
    /// The listener's share of the descriptors.
    pub share: Share,
    /// The clock, whose stopwatch measures how long connections are half open or idle.
    pub clock: Clock,
}

impl ListenerContext {
    /// The network whose connections a peer's connection counts among. `None` for a peer without a limit.
    fn origin(&self, peer: IpAddr) -> Option<IpAddr> {
        let local = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        let is_exempt = self.limits.connections_per_address.is_none() && local.contains(&peer.to_canonical());
        (!is_exempt && !self.proxies.trusts(peer)).then(|| origin(peer))
    }
}

/// Serves a listener until `stop` is true. Then it closes the listener and waits for the requests in
/// progress, up to [`Limits::shutdown_deadline`].
pub async fn serve(
    listener: TcpListener,
    router: Router,
    context: ListenerContext,
    mut stop: watch::Receiver<bool>,
) {
    let limits = context.limits;
    let per_origin = limits.connections_per_address.unwrap_or(DEFAULT_MAX_PER_ADDRESS);
    let mut table = ConnectionTable::new(
        ConnectionLimits { total: limits.connections, per_origin },
        limits.header_deadline,
    );
    let mut connections = JoinSet::new();
    let (refusals, unread) = (Refusals::default(), UnreadResponses::new(limits.unread_bytes));
    let (mut turns, mut retry_delay) = (net::Turns::default(), ACCEPT_RETRY_DELAY);
    loop {
        let accepted = tokio::select! {
            accepted = net::accept(&listener, &mut turns) => accepted,
            _ = stop.wait_for(|stop| *stop) => break,
            Some(ended) = connections.join_next_with_id() => {
                drop(table.remove(id_of(&ended)));
                continue;
            }
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                delay_after(&error, &mut retry_delay, &context.clock).await;
                continue;
            }
        };
        retry_delay = ACCEPT_RETRY_DELAY;
        // Connections that ended meanwhile must not count against this one.
        while let Some(ended) = connections.try_join_next_with_id() {
            drop(table.remove(id_of(&ended)));
        }
        let now = context.clock.stopwatch();
        let room = table.make_room(context.origin(peer.ip()), now);
        let admitted = room.and_then(|mut room| {
            let permit = room.permit.take().or_else(|| context.descriptors.take(context.share));
            let permit = permit.or_else(|| table.evict_for_descriptor(now)).ok_or(Full::Total)?;
            Ok((room, permit))
        });
        match admitted {
            Ok((room, permit)) => {
                let state = Arc::new(ConnectionState::default());
                let connection = ConnectionContext {
                    router: router.clone(),
                    state: Arc::clone(&state),
                    unread: Arc::clone(&unread),
                    peer,
                    listener: context.clone(),
                };
                let task = connections.spawn(serve_connection(stream, connection, stop.clone()));
                table.insert(&room, permit, state, task, now);
            }
            Err(full) => refuse(&refusals, stream, peer.ip(), full, &context),
        }
    }
    drop(listener);
    let finish = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(limits.shutdown_deadline, finish).await.is_err() {
        tracing::warn!(
            connections = connections.len(),
            "requests were still in flight at the shutdown deadline"
        );
    }
}

fn id_of(ended: &Result<(tokio::task::Id, ()), JoinError>) -> tokio::task::Id {
    match ended {
        Ok((id, ())) => *id,
        Err(error) => error.id(),
    }
}

fn refuse(refusals: &Refusals, stream: TcpStream, peer: IpAddr, full: Full, context: &ListenerContext) {
    if REFUSED.admits(origin(peer), context.clock.now()) {
        let why = match full {
            Full::Total => "the listener has its maximum of connections",
            Full::PerOrigin => "the address has its maximum of connections",
        };
        tracing::warn!(%peer, listener = ?context.share, why, "a connection was refused");
    }
    refusals.refuse(stream);
}

/// Logs a failed accept and waits. A connection that its peer closed before it was accepted needs neither;
/// other errors, such as a lack of file descriptors, last for a while.
async fn delay_after(error: &io::Error, delay: &mut Duration, clock: &Clock) {
    let is_peers_doing = matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    );
    if !is_peers_doing {
        if ACCEPT_FAILED.admits(error.kind(), clock.now()) {
            tracing::error!(%error, "a connection could not be accepted");
        }
        tokio::time::sleep(*delay).await;
        *delay = (*delay * 2).min(MAX_ACCEPT_RETRY_DELAY);
    }
}
