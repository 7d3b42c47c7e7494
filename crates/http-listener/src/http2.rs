//! Serves HTTP/2 on a connection: the limits of HTTP/1.1 hold, and those that many streams on one connection need.
//!
//! Bounds:
//!
//! - requests that are served at once on a connection: [`MAX_STREAMS`];
//! - headers: as on HTTP/1.1, in bytes and number, and the time for them (`metered_stream`);
//! - frames that carry no request, such as resets right after requests (`frames`);
//! - bytes of responses that the client has not read, before further requests wait: [`MAX_HELD_BYTES`];
//! - the time in which nothing of any response is read, and that without a request (`streams`).

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use http::header::{CONNECTION, HOST};
use http::{HeaderValue, Request, StatusCode, Uri};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use service_base::forwarded::{Client, origin};
use tokio::sync::watch;

use crate::connection::{ConnectionContext, OverTls};
use crate::drain::UnreadBody;
use crate::handshake::TlsStream;
use crate::intercept::{Abort, Aborted};
use crate::metered_stream::MeteredStream;
use crate::request_counts::place_of;
use crate::span;
use crate::streams::Streams;
use crate::timed_stream::{Progress, SCARCE_WRITE_DEADLINE};
use crate::unread_responses::Backlog;

/// Maximum number of requests that are served at once on a connection.
pub const MAX_STREAMS: u32 = 100;
/// Bytes of responses that the client has not read, beyond which further requests of the connection wait.
pub const MAX_HELD_BYTES: usize = 256 << 10;
/// The bytes of a body, and of all bodies together, that a client may send before they are read.
const STREAM_WINDOW: u32 = 256 << 10;
const CONNECTION_WINDOW: u32 = 512 << 10;
/// Streams of a connection, from its beginning, that the client makes the server reset; and streams that it resets
/// before they are served, at once.
const MAX_RESET_STREAMS: usize = 32;
/// The time in which a client may close the connection after the server announced its end.
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(1);

/// Serves requests until the client disconnects or a limit is exceeded. When the server stops, requests in progress are
/// finished first.
pub(crate) async fn serve(
    stream: TlsStream,
    progress: &Progress,
    context: ConnectionContext,
    mut stop: watch::Receiver<bool>,
) {
    let (limits, clock, peer) = (context.listener.limits, context.listener.clock.clone(), context.peer);
    let unread = Arc::clone(&context.unread);
    // The frames show which bytes are part of headers, so the stream below TLS must not guess.
    progress.busy.store(true, Ordering::Relaxed);
    let streams = Arc::new(Streams::new(clock.clone(), Arc::clone(&context.state)));
    let io = TokioIo::new(MeteredStream::new(stream, &limits, clock, Arc::clone(&streams)));
    let requests = Arc::new(Requests {
        context,
        streams: Arc::clone(&streams),
        backlog: Backlog::new(MAX_STREAMS as usize),
    });
    let service = tower::service_fn(move |request| {
        let requests = Arc::clone(&requests);
        async move { requests.respond(request).await }
    });
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX))
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_pending_accept_reset_streams(MAX_RESET_STREAMS)
        .max_local_error_reset_streams(MAX_RESET_STREAMS)
        .serve_connection(io, TowerToHyperService::new(service));
    tokio::pin!(connection);
    let mut is_ending = false;
    loop {
        let look = if is_ending && streams.are_idle_for(Duration::ZERO) {
            GOODBYE_TIMEOUT
        } else {
            limits.idle_deadline.min(SCARCE_WRITE_DEADLINE) / 4
        };
        tokio::select! {
            served = connection.as_mut() => {
                if let Err(error) = served {
                    tracing::debug!(%peer, %error, "a connection ended");
                }
                return;
            }
            _ = stop.wait_for(|stop| *stop), if !is_ending => {}
            () = tokio::time::sleep(look) => {
                if is_ending && streams.are_idle_for(Duration::ZERO) {
                    return;
                }
                let patience = if unread.is_scarce() { SCARCE_WRITE_DEADLINE } else { limits.idle_deadline };
                if streams.are_stalled_for(patience.min(limits.idle_deadline)) {
                    tracing::debug!(%peer, "a client that reads no response was disconnected");
                    return;
                }
                if is_ending || !streams.are_idle_for(limits.idle_deadline) {
                    continue;
                }
            }
        }
        is_ending = true;
        connection.as_mut().graceful_shutdown();
    }
}

/// The state that the requests of one connection share.
struct Requests {
    context: ConnectionContext,
    streams: Arc<Streams>,
    backlog: Arc<Backlog>,
}

impl Requests {
    async fn respond(&self, mut request: Request<Incoming>) -> Result<Response, Aborted> {
        let ConnectionContext { handler, unread, peer, listener, .. } = &self.context;
        let Some(stream) = self.streams.begin() else {
            // The connection was chosen to make room, and its task is being aborted.
            return std::future::pending().await;
        };
        self.streams.room(MAX_HELD_BYTES).await;
        name_host(&mut request);
        let client = listener.proxies.client(peer.ip(), request.headers());
        request.extensions_mut().insert(Client(client));
        request.extensions_mut().insert(OverTls);
        let counted = listener
            .counts
            .as_ref()
            .map(|counts| (counts, counts.route(request.uri().path()), place_of(request.method())));
        let span = span::begin(listener, &request);
        let (request, unread_body) = UnreadBody::follow(request, &self.streams);
        let began = listener.clock.stopwatch();
        let response = if request.headers().len() > listener.limits.header_count {
            drop(request);
            empty(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)
        } else if let Some(refusal) = unread.refusal(origin(client)) {
            // The request's body is followed from here on.
            drop(request);
            refusal
        } else {
            let intercept = listener.intercept.as_ref().filter(|intercept| intercept.is_active());
            match (&span, intercept) {
                (Some(span), _) => span::serve(span, intercept.cloned(), request, handler.clone()).await,
                (None, Some(intercept)) => intercept.serve(request, handler).await,
                (None, None) => handler.serve(request).await,
            }
        };
        let took = listener.clock.stopwatch().saturating_sub(began);
        if let Some((counts, route, method)) = counted {
            counts.count(route, method, response.status(), took);
            if let Some(span) = span {
                span::end(&span, response.status());
            }
        }
        // Some clients treat the reset of a stream on which they still send as a failure, and lose the response.
        let _is_at_end = unread_body.drain(took >= listener.limits.body_deadline).await;
        if response.extensions().get::<Abort>().is_some() {
            // The stream alone is reset: the connection belongs to other requests too.
            return Err(Aborted);
        }
        let mut response = unread.count(response, origin(client), &self.backlog);
        // The connection belongs to other requests too.
        response.headers_mut().remove(CONNECTION);
        Ok(stream.hold(response))
    }
}

fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// Makes a request name its host as on HTTP/1.1: in a header, and not in its URI.
fn name_host(request: &mut Request<Incoming>) {
    let host = request.uri().authority().and_then(|authority| HeaderValue::from_str(authority.as_str()).ok());
    if let Some(host) = host {
        request.headers_mut().insert(HOST, host);
    }
    if let Some(path) = request.uri().path_and_query().cloned() {
        *request.uri_mut() = Uri::from(path);
    }
}
