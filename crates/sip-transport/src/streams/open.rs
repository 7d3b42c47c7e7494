//! Connections that we make, and who uses them.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rsipstack::sip::Transport;
use rsipstack::transport::SipConnection;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{Arrival, Common, Link, Shared, users};
use service_base::descriptors::Permit;

/// Messages of ours that wait to become bytes, beyond which none is taken.
const OURS: usize = 1_024;

/// A connection that we made.
pub struct Open {
    connection: SipConnection,
    local: SocketAddr,
    ours: mpsc::Sender<Vec<u8>>,
    users: Shared,
    token: CancellationToken,
}

/// Whoever uses a connection, which is not closed for its silence meanwhile.
pub struct User {
    /// What the library sends through.
    pub connection: SipConnection,
    /// Our end.
    pub local: SocketAddr,
    ours: mpsc::Sender<Vec<u8>>,
    users: Shared,
}

/// A message was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unsent {
    #[error("the connection is stuck")]
    Stuck,
    #[error("the connection is closed")]
    Closed,
}

impl Open {
    /// Starts a task for a connection that was made, with the right to have it open. It ends with `token`,
    /// and cancels it when it ends.
    pub async fn start<S>(
        stream: S,
        [local, peer]: [SocketAddr; 2],
        transport: Transport,
        common: Common,
        token: CancellationToken,
        permit: Permit,
    ) -> io::Result<Self>
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        let (mut link, to_send) =
            Link::new(common, Arrival { source: peer, local, transport }, &token).await?;
        let (ours, to_be_sent) = mpsc::channel(OURS);
        link.ours = Some(to_be_sent);
        let (connection, users) = (link.connection.clone(), Arc::clone(&link.users));
        let over = token.clone();
        tokio::spawn(async move {
            let guard = over.clone().drop_guard();
            let ended = tokio::select! {
                () = over.cancelled() => Ok(()),
                ended = Box::pin(link.run(stream, to_send, None)) => ended,
            };
            if let Err(error) = ended {
                tracing::debug!(%peer, %error, "a connection for SIP ended");
            }
            drop((guard, permit));
        });
        Ok(Self { connection, local, ours, users, token })
    }

    /// Uses it; `None` when it is closed.
    pub fn join(&self) -> Option<User> {
        let mut users = users(&self.users);
        if users.closed || self.token.is_cancelled() {
            return None;
        }
        users.count += 1;
        Some(User {
            connection: self.connection.clone(),
            local: self.local,
            ours: self.ours.clone(),
            users: Arc::clone(&self.users),
        })
    }

    /// Whether it can still be used.
    pub fn is_open(&self) -> bool {
        !self.token.is_cancelled()
    }
}

impl User {
    /// Sends a message as it is, as soon as the peer takes it.
    pub fn send(&self, message: &[u8]) -> Result<(), Unsent> {
        self.ours.try_send(message.to_vec()).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Unsent::Stuck,
            mpsc::error::TrySendError::Closed(_) => Unsent::Closed,
        })
    }
}

impl Drop for User {
    fn drop(&mut self) {
        users(&self.users).count -= 1;
    }
}
