//! The accept loop, with deadlines and limits that hold before any handler is asked.
//!
//! What a peer can make it do is bounded: so many connections in all and of one address, of which half-open ones make
//! room for others (`seats`); so many bytes of answers that nobody reads (`unread`); so many that are being told that there is no room, and beyond those a refusal that waits
//! for nothing; and a wait after an accept that failed.

// A test reads a packet or two.
#![cfg_attr(test, allow(clippy::disallowed_methods))]

mod connection;
mod health;
mod in_turn;
mod json;
mod pass_over;
mod rate_limit;
mod refuse;
mod request_id;
mod seats;
mod unread;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};

use connection::{Served, serve_connection};
use refuse::Refusals;
use seats::{Full, Most, Seat, Seats};
use service_base::clock::Clock;
use service_base::descriptors::{Descriptors, Share};
use service_base::forwarded::{Proxies, origin};
use service_base::guessing::GuessLimits;
use service_base::net;
use service_base::summed::Summed;
use unread::Unread;

pub use health::health_router;
pub use in_turn::{InTurn, Turn};
pub use json::plain_json;
pub use pass_over::pass_over;
pub use rate_limit::RateLimits;
pub use request_id::request_id;

/// What a client may take of the server.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Limits {
    /// Most connections at once on the API's listener.
    pub connections: usize,
    /// Most connections at once on the control API's listener.
    pub control_connections: usize,
    /// Most of them of one address, or of one /64 of IPv6. None is 256, and no limit for 127.0.0.1 and `::1`, where
    /// proxies and programs of this machine are. Trusted proxies have none.
    pub connections_per_address: Option<usize>,
    /// Longest time from the first byte of a request to the end of its headers. Less when the connections are many.
    pub header_deadline: Duration,
    /// Longest time without a request on an open connection, and longest time that an answer may stand unread.
    pub idle_deadline: Duration,
    /// Most bytes of answers of 16 KiB and more that are made and not read yet, on a listener; half of them of one client.
    pub unread_bytes: usize,
    /// Most bytes of a request's line and headers, and of headers most in number.
    pub header_bytes: usize,
    /// Most headers of a request.
    pub header_count: usize,
    /// Most bytes of a request's body.
    pub body_bytes: usize,
    /// Longest time from the end of a request's headers to the end of its body.
    pub body_deadline: Duration,
    /// How long requests in flight may take when the server stops.
    pub shutdown_deadline: Duration,
    /// Wrong credentials that are listened to.
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

/// Most connections of an address that is not this machine's.
const USUAL_OF_ONE: usize = 256;
/// What a flood of connections leaves in the log.
static REFUSED: Summed = Summed::new("connections were refused: no room");
static UNACCEPTED: Summed = Summed::new("connections could not be accepted");

/// The first wait after an accept that failed; each further one is twice as long, up to [`LONGEST_WAIT`].
const WAIT: Duration = Duration::from_millis(5);
const LONGEST_WAIT: Duration = Duration::from_millis(200);

/// What a listener is served with.
#[derive(Debug, Clone)]
pub struct Door {
    /// What a client may take.
    pub limits: Limits,
    /// The proxies that say whom they ask for.
    pub proxies: Proxies,
    /// Where connections take their descriptors from, and as whose.
    pub descriptors: Descriptors,
    /// The listener's share of them.
    pub share: Share,
    /// For how long a connection is there.
    pub clock: Clock,
}

impl Door {
    /// Whose places a connection of this peer counts among.
    fn origin(&self, peer: IpAddr) -> Option<IpAddr> {
        let near = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        let spared = self.limits.connections_per_address.is_none() && near.contains(&peer.to_canonical());
        (!spared && !self.proxies.trusts(peer)).then(|| origin(peer))
    }
}

/// Serves a listener until it is told to stop, then lets what is in flight finish.
pub async fn serve(listener: TcpListener, router: Router, door: Door, mut stop: watch::Receiver<bool>) {
    let limits = door.limits;
    let of_one = limits.connections_per_address.unwrap_or(USUAL_OF_ONE);
    let mut seats = Seats::new(Most { all: limits.connections, of_one }, limits.header_deadline);
    let mut connections = JoinSet::new();
    let (refusals, unread) = (Refusals::default(), Unread::new(limits.unread_bytes));
    let (mut turns, mut wait) = (net::Turns::default(), WAIT);
    loop {
        let accepted = tokio::select! {
            accepted = net::accept(&listener, &mut turns) => accepted,
            _ = stop.wait_for(|stop| *stop) => break,
            Some(over) = connections.join_next_with_id() => {
                drop(seats.leave(id_of(&over)));
                continue;
            }
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                wait_after(&error, &mut wait, &door.clock).await;
                continue;
            }
        };
        wait = WAIT;
        // A place that somebody left is a place.
        while let Some(over) = connections.try_join_next_with_id() {
            drop(seats.leave(id_of(&over)));
        }
        let now = door.clock.stopwatch();
        let room = seats.room(door.origin(peer.ip()), now);
        let found = room.and_then(|mut room| {
            let permit = room.permit.take().or_else(|| door.descriptors.take(door.share));
            let permit = permit.or_else(|| seats.permit(now)).ok_or(Full::All)?;
            Ok((room, permit))
        });
        match found {
            Ok((room, permit)) => {
                let seat = Arc::new(Seat::default());
                let served = Served {
                    router: router.clone(),
                    seat: Arc::clone(&seat),
                    unread: Arc::clone(&unread),
                    peer,
                    door: door.clone(),
                };
                let task = connections.spawn(serve_connection(stream, served, stop.clone()));
                seats.take(&room, permit, seat, task, now);
            }
            Err(full) => refused(&refusals, stream, peer.ip(), full, &door),
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

fn id_of(over: &Result<(tokio::task::Id, ()), JoinError>) -> tokio::task::Id {
    match over {
        Ok((id, ())) => *id,
        Err(error) => error.id(),
    }
}

fn refused(refusals: &Refusals, stream: TcpStream, peer: IpAddr, full: Full, door: &Door) {
    if REFUSED.admits(origin(peer), door.clock.now()) {
        let why = match full {
            Full::All => "there are as many as there may be",
            Full::OfOne => "their address has as many as it may have",
        };
        tracing::warn!(%peer, listener = ?door.share, why, "a connection was refused");
    }
    refusals.refuse(stream);
}

/// A connection that failed while it was accepted is nobody's fault; a lack of descriptors passes only with time.
async fn wait_after(error: &io::Error, wait: &mut Duration, clock: &Clock) {
    let passing = matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    );
    if !passing {
        if UNACCEPTED.admits(error.kind(), clock.now()) {
            tracing::error!(%error, "a connection could not be accepted");
        }
        tokio::time::sleep(*wait).await;
        *wait = (*wait * 2).min(LONGEST_WAIT);
    }
}
