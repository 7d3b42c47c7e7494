//! The accept loop of a listener.

use std::io;
use std::net::IpAddr;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use axum::Router;
use service_base::boxed::Boxed;
use service_base::clock::Clock;
use service_base::forwarded::origin;
use service_base::log_limiter::LogLimiter;
use service_base::net;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};

use crate::connection::{ConnectionContext, serve_connection};
use crate::connection_table::{ConnectionLimits, ConnectionState, ConnectionTable, Full};
use crate::context::ListenerContext;
use crate::handler::Handler;
use crate::refuse::Refusals;
use crate::unread_responses::UnreadResponses;

static REFUSED: LogLimiter = LogLimiter::new("connections were refused: no room");
static ACCEPT_FAILED: LogLimiter = LogLimiter::new("connections could not be accepted");

/// The delay after a failed accept. It doubles with each further failure, up to [`MAX_ACCEPT_RETRY_DELAY`].
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(5);
const MAX_ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(200);

/// Serves a listener until `stop` is true. Then it closes the listener and waits for the requests in
/// progress, up to [`Limits::shutdown_deadline`](crate::Limits::shutdown_deadline).
pub fn serve(
    listener: TcpListener,
    router: Router,
    context: ListenerContext,
    stop: watch::Receiver<bool>,
) -> Boxed<'static, ()> {
    serve_made(listener, Box::new(move || Handler::from(router)), context, stop)
}

/// Makes the handler of a listener.
pub type MakeHandler = Box<dyn FnOnce() -> Handler + Send>;

/// As [`serve`], with a handler that is made for the first connection. Some routers have a hundred routes, for a
/// listener that few ever connect to.
pub fn serve_made(
    listener: TcpListener,
    make: MakeHandler,
    context: ListenerContext,
    stop: watch::Receiver<bool>,
) -> Boxed<'static, ()> {
    Box::pin(serve_until(listener, make, context, stop))
}

async fn serve_until(
    listener: TcpListener,
    make: MakeHandler,
    context: ListenerContext,
    mut stop: watch::Receiver<bool>,
) {
    let (limits, handler) = (context.limits, LazyLock::new(make));
    let per_origin = context.connections_per_origin();
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
            let permit = permit.or_else(|| table.evict_for_descriptor(&room, now)).ok_or(Full::Total)?;
            Ok((room, permit))
        });
        match admitted {
            Ok((room, permit)) => {
                let state = Arc::new(ConnectionState::default());
                let connection = ConnectionContext {
                    handler: Handler::clone(&handler),
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
    if context.tls.is_none() {
        refusals.refuse(stream);
    }
    // A client that expects TLS would take the plain text for a broken handshake: the connection is closed.
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn a_router_is_made_for_the_first_connection_and_once() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = watch::channel(false);
        let context = ListenerContext::plain();
        let routers = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&routers);
        let make: MakeHandler = Box::new(move || {
            counted.fetch_add(1, Ordering::Relaxed);
            Handler::from(Router::new().fallback(async || "served"))
        });
        let task = tokio::spawn(serve_made(listener, make, context, stopped));
        tokio::task::yield_now().await;
        assert_eq!(routers.load(Ordering::Relaxed), 0);
        for _ in 0..2 {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            assert!(answer.ends_with("served"), "{answer}");
            assert_eq!(routers.load(Ordering::Relaxed), 1);
        }
        stop.send_replace(true);
        task.await.unwrap();
    }
}
