//! Serves one connection: TLS, if its listener has a certificate, and the version of HTTP that was agreed on.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tls_identity::Identity;
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::connection_table::ConnectionState;
use crate::context::ListenerContext;
use crate::handler::Handler;
use crate::timed_stream::TimedStream;
use crate::unread_responses::UnreadResponses;
use crate::{handshake, http1, http2};

/// A connection's peer and its share of the listener's state.
pub(crate) struct ConnectionContext {
    pub handler: Handler,
    pub state: Arc<ConnectionState>,
    pub unread: Arc<UnreadResponses>,
    pub peer: SocketAddr,
    pub listener: ListenerContext,
}

/// Marks a request that came through TLS, in its extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OverTls;

/// Serves requests until the client disconnects or a deadline passes. When the server stops, requests in
/// progress are finished first.
pub(crate) async fn serve_connection(
    stream: TcpStream,
    context: ConnectionContext,
    mut stop: watch::Receiver<bool>,
) {
    // Responses are written as a whole, so waiting to fill a packet would only delay them.
    let _best_effort = stream.set_nodelay(true);
    let progress = Arc::clone(&context.state.progress);
    let timed = |stream| {
        TimedStream::new(stream, Arc::clone(&progress), &context.listener.limits, Arc::clone(&context.unread))
    };
    let Some(identity) = context.listener.tls.clone() else {
        return http1::serve(timed(stream), progress, context, stop).await;
    };
    let shaken = tokio::select! {
        shaken = shake_hands(stream, &identity, timed, &context) => shaken,
        _ = stop.wait_for(|stop| *stop) => return,
    };
    let Some(stream) = shaken else { return };
    // The bytes that were read so far are not part of a request.
    progress.heads.fetch_add(1, Ordering::Relaxed);
    if stream.get_ref().1.alpn_protocol() == Some(handshake::HTTP_2.as_bytes()) {
        http2::serve(stream, &progress, context, stop).await;
    } else {
        http1::serve(stream, progress, context, stop).await;
    }
}

async fn shake_hands(
    stream: TcpStream,
    identity: &Identity,
    timed: impl FnOnce(TcpStream) -> TimedStream,
    context: &ConnectionContext,
) -> Option<handshake::TlsStream> {
    let shaken = handshake::accept(stream, identity, timed, &context.listener.limits).await;
    shaken.inspect_err(|error| tracing::debug!(peer = %context.peer, %error, "a handshake failed")).ok()
}
