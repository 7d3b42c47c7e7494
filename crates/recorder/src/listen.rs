//! The listener of a proxy or of recorded answers.

use std::net::SocketAddr;

use axum::Router;
use axum::response::Response;
use http::StatusCode;
use http_listener::{BodyError, Limits, ListenerContext, plain_json, serve};
use serde_json::json;
use service_base::clock::Clock;
use service_base::descriptors::{Descriptors, Share, open_files};
use service_base::forwarded::Proxies;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::error::RecorderError;

/// Maximum number of bytes of the body of a request.
const MAX_REQUEST_BYTES: usize = 8 << 20;

/// The limits of the listener.
pub(crate) fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.body_bytes = MAX_REQUEST_BYTES;
    limits
}

/// The response to a request whose body could not be read.
pub(crate) fn unread(error: &BodyError) -> Response {
    let (status, why) = match error {
        BodyError::TooLong => (StatusCode::PAYLOAD_TOO_LARGE, "the body is too long"),
        BodyError::TooSlow => (StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time"),
        BodyError::Broken(_) => (StatusCode::BAD_REQUEST, "the body did not arrive completely"),
    };
    plain_json(status, &json!({ "error": why }))
}

/// A running listener. Dropping it closes it at once.
#[derive(Debug)]
pub struct Listener {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Listener {
    /// Listens on `HOST:PORT` and serves; with port 0 the system selects one.
    ///
    /// # Errors
    /// If the address cannot be listened on.
    pub async fn open(address: &str, router: Router) -> Result<Self, RecorderError> {
        let failed = |error: std::io::Error| RecorderError::Listen(address.to_owned(), error);
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let (stop, stopped) = watch::channel(false);
        let context = ListenerContext {
            limits: limits(),
            proxies: Proxies::default(),
            descriptors: Descriptors::new(open_files()),
            share: Share::Api,
            clock: Clock::system(),
            tls: None,
            counts: None,
            intercept: None,
        };
        let task = tokio::spawn(serve(listener, router, context, stopped));
        Ok(Self { address, stop, task })
    }

    /// The address that it listens on, with the actual port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops, and waits for the requests in progress, for 10 seconds.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        if (&mut self.task).await.is_err() {
            tracing::error!("the listener failed");
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}
