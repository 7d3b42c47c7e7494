//! Refuses connections with 503 when the listener has no room.
//!
//! Many clients report an error if the response arrives before they sent the request, or if the connection is
//! closed before the request was read. So a client has a second to send its request and another to close the
//! connection. At most 64 clients are refused this way at a time. Further ones receive the response at once,
//! and data that they send after it is not read.

use std::io::{self, Read as _, Write as _};
use std::net::Shutdown;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The complete response, because a refused connection has no HTTP implementation.
const SERVICE_UNAVAILABLE: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// The complete response to a plain request at a port that serves TLS.
const NOT_PLAIN: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 63\r\n\
Connection: close\r\n\r\nThis port serves HTTPS alone: begin the address with https://.\n";

/// The maximum number of clients whose request is awaited before the refusal.
const MAX_WAITING: usize = 64;
/// How long such a client may take to send its request, and again to close the connection.
const STEP_TIMEOUT: Duration = Duration::from_secs(1);

/// Refuses connections, and limits how many clients it waits for.
pub(crate) struct Refusals(Arc<Semaphore>);

impl Default for Refusals {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MAX_WAITING)))
    }
}

impl Refusals {
    /// Sends the refusal and closes the connection, in a task of its own or without waiting.
    pub(crate) fn refuse(&self, stream: TcpStream) {
        if let Ok(permit) = Arc::clone(&self.0).try_acquire_owned() {
            tokio::spawn(refuse_after_request(stream, permit));
        } else if let Ok(stream) = stream.into_std() {
            // An error means that the client has closed the connection.
            let _closed = refuse_at_once(stream);
        }
    }
}

async fn refuse_after_request(stream: TcpStream, permit: OwnedSemaphorePermit) {
    refuse_with(stream, SERVICE_UNAVAILABLE).await;
    drop(permit);
}

/// Refuses a plain request at a port that serves TLS, and closes the connection.
pub(crate) async fn refuse_plain(stream: TcpStream) {
    refuse_with(stream, NOT_PLAIN).await;
}

async fn refuse_with(mut stream: TcpStream, response: &[u8]) {
    let mut request = [0; 4096];
    // A client that sends nothing receives the response too.
    let _timed_out = tokio::time::timeout(STEP_TIMEOUT, stream.read(&mut request)).await;
    let respond = async {
        stream.write_all(response).await?;
        stream.shutdown().await?;
        while stream.read(&mut request).await? > 0 {}
        io::Result::Ok(())
    };
    let _timed_out = tokio::time::timeout(STEP_TIMEOUT, respond).await;
}

/// Sends the response without waiting. The client receives it before the end of the connection.
fn refuse_at_once(mut stream: std::net::TcpStream) -> io::Result<()> {
    let mut request = [0; 4096];
    // Unread data would make the kernel reset the connection, and the client would lose the response.
    let _no_data = stream.read(&mut request);
    stream.write_all(SERVICE_UNAVAILABLE)?;
    stream.shutdown(Shutdown::Write)?;
    let _no_data = stream.read(&mut request);
    Ok(())
}
