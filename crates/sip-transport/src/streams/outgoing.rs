//! Outgoing connections, and the leases that keep them open.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rsipstack::sip::Transport;
use rsipstack::transport::SipConnection;
use service_base::descriptors::Permit;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{SharedLeases, StreamConnection, lock};
use crate::arrival::Arrival;
use crate::intake::Intake;

/// Maximum number of queued messages; further ones are refused with [`SendError::Stuck`].
const MAX_QUEUED_MESSAGES: usize = 1_024;

/// A connection that was opened by this process.
pub struct OutgoingStream {
    connection: SipConnection,
    local: SocketAddr,
    direct: mpsc::Sender<Vec<u8>>,
    leases: SharedLeases,
    token: CancellationToken,
}

/// The right to use a connection. While it exists, the connection is not closed for being idle.
pub struct Lease {
    /// The connection as the library uses it.
    pub connection: SipConnection,
    /// The local address of the connection.
    pub local: SocketAddr,
    direct: mpsc::Sender<Vec<u8>>,
    leases: SharedLeases,
}

/// Why a message was not queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The queue is full, because the peer does not read.
    #[error("the connection is stuck")]
    Stuck,
    /// The connection has ended, so nothing more can be sent on it.
    #[error("the connection is closed")]
    Closed,
}

impl OutgoingStream {
    /// Starts the task of an established connection. The task ends when `token` is cancelled, and cancels it
    /// when the connection ends. `permit` accounts for the open file, and is held as long as the connection
    /// is open.
    pub async fn start<S>(
        stream: S,
        [local, peer]: [SocketAddr; 2],
        transport: Transport,
        common: Intake,
        token: CancellationToken,
        permit: Permit,
    ) -> io::Result<Self>
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        let (mut stream_task, to_send) =
            StreamConnection::new(common, Arrival { source: peer, local, transport }, &token).await?;
        let (direct, receiver) = mpsc::channel(MAX_QUEUED_MESSAGES);
        stream_task.direct = Some(receiver);
        let (connection, leases) = (stream_task.connection.clone(), Arc::clone(&stream_task.leases));
        let ending = token.clone();
        tokio::spawn(async move {
            let guard = ending.clone().drop_guard();
            let ended = tokio::select! {
                () = ending.cancelled() => Ok(()),
                ended = Box::pin(stream_task.run(stream, to_send, None)) => ended,
            };
            if let Err(error) = ended {
                tracing::debug!(%peer, %error, "a SIP connection ended");
            }
            drop((guard, permit));
        });
        Ok(Self { connection, local, direct, leases, token })
    }

    /// Takes a lease; `None` if the connection is closed.
    pub fn lease(&self) -> Option<Lease> {
        let mut leases = lock(&self.leases);
        if leases.closed || self.token.is_cancelled() {
            return None;
        }
        leases.count += 1;
        Some(Lease {
            connection: self.connection.clone(),
            local: self.local,
            direct: self.direct.clone(),
            leases: Arc::clone(&self.leases),
        })
    }

    /// Whether the connection has not ended.
    pub fn is_open(&self) -> bool {
        !self.token.is_cancelled()
    }
}

impl Lease {
    /// Queues a message, which is sent unchanged and bypasses the library.
    pub fn send(&self, message: &[u8]) -> Result<(), SendError> {
        self.direct.try_send(message.to_vec()).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => SendError::Stuck,
            mpsc::error::TrySendError::Closed(_) => SendError::Closed,
        })
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        lock(&self.leases).count -= 1;
    }
}
