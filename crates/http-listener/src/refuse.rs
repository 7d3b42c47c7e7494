//! Telling a client that there is no room for it.
//!
//! An answer that comes before the request, or a connection that is closed before the request is read, is an error to
//! many clients. So a client is given a second to ask, and another to go; but only so many at a time. Who comes while
//! all those wait is answered at once, and what it sends after that is not read.

use std::io::{self, Read as _, Write as _};
use std::net::Shutdown;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Written by hand, for there is no connection to serve it on.
const FULL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// Most clients that are waited for.
const WAITED_FOR: usize = 64;
/// How long each may take to ask, and to go.
const GRACE: Duration = Duration::from_secs(1);

/// The clients that are being told.
pub(crate) struct Refusals(Arc<Semaphore>);

impl Default for Refusals {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(WAITED_FOR)))
    }
}

impl Refusals {
    /// Tells a client, and hangs up.
    pub(crate) fn refuse(&self, stream: TcpStream) {
        if let Ok(place) = Arc::clone(&self.0).try_acquire_owned() {
            tokio::spawn(in_time(stream, place));
        } else if let Ok(stream) = stream.into_std() {
            // Who is gone already does not hear it.
            let _gone = at_once(stream);
        }
    }
}

async fn in_time(mut stream: TcpStream, place: OwnedSemaphorePermit) {
    let mut request = [0; 4096];
    // A client that asks nothing is told too.
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

/// Without waiting for anything. The client finds the answer before it finds that the connection is closed.
fn at_once(mut stream: std::net::TcpStream) -> io::Result<()> {
    let mut request = [0; 4096];
    // Nothing may have come yet. What was not read would take the answer with it.
    let _asked = stream.read(&mut request);
    stream.write_all(FULL)?;
    stream.shutdown(Shutdown::Write)?;
    let _rest = stream.read(&mut request);
    Ok(())
}
