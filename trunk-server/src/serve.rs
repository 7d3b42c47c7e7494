//! The accept loop, with deadlines and limits that hold before any handler is asked.

mod connection;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use crate::net;
use connection::serve_connection;

/// What a client may take of the server.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Limits {
    /// Most connections at once on a listener.
    pub connections: usize,
    /// Longest time from the first byte of a request to the end of its headers.
    pub header_deadline: Duration,
    /// Longest time without a request on an open connection, and longest time that an answer may stand unread.
    pub idle_deadline: Duration,
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
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            header_deadline: Duration::from_secs(10),
            idle_deadline: Duration::from_mins(1),
            header_bytes: 16 * 1024,
            header_count: 100,
            body_bytes: 1 << 20,
            body_deadline: Duration::from_secs(30),
            shutdown_deadline: Duration::from_secs(10),
        }
    }
}

/// Said to whom there is no room for; written by hand, for there is no connection to serve it on.
const FULL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// Most clients that are told at once that there is no room; further ones are hung up on.
const TOLD: usize = 256;
/// How long a client that there is no room for may take to ask, and to go.
const GRACE: Duration = Duration::from_secs(1);

/// Serves a listener until it is told to stop, then lets what is in flight finish.
pub async fn serve(listener: TcpListener, router: Router, limits: Limits, mut stop: watch::Receiver<bool>) {
    let room = Arc::new(Semaphore::new(limits.connections));
    let told = Arc::new(Semaphore::new(TOLD));
    let mut connections = JoinSet::new();
    let mut turns = net::Turns::default();
    loop {
        let accepted = tokio::select! {
            accepted = net::accept(&listener, &mut turns) => accepted,
            _ = stop.wait_for(|stop| *stop) => break,
            Some(_) = connections.join_next() => continue,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                wait_after(&error).await;
                continue;
            }
        };
        if let Ok(place) = Arc::clone(&room).try_acquire_owned() {
            let (router, stop) = (router.clone(), stop.clone());
            connections.spawn(async move {
                serve_connection(stream, peer, router, limits, stop).await;
                drop(place);
            });
        } else {
            tracing::warn!(%peer, "no room for another connection");
            if let Ok(place) = Arc::clone(&told).try_acquire_owned() {
                tokio::spawn(refuse(stream, place));
            }
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

/// Answers a client that there is no room for. An answer that comes before the request, or a connection that is
/// closed before the request is read, is an error to most clients: so it is read as far as it is there.
async fn refuse(mut stream: TcpStream, place: OwnedSemaphorePermit) {
    let mut request = [0; 4096];
    // A client that asks nothing is told too. Whoever is gone already does not hear it.
    let _asked = tokio::time::timeout(GRACE, stream.read(&mut request)).await;
    let answer = async {
        stream.write_all(FULL).await?;
        stream.shutdown().await?;
        while stream.read(&mut request).await? > 0 {}
        io::Result::Ok(())
    };
    let _gone = tokio::time::timeout(GRACE, answer).await;
    drop(place);
}

/// A connection that failed while it was accepted is nobody's fault; a lack of descriptors passes only with time.
async fn wait_after(error: &io::Error) {
    let passing = matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    );
    if !passing {
        tracing::error!(%error, "a connection could not be accepted");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
