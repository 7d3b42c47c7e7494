//! A session refresh that was sent and is not answered yet, or that waits for a connection.

use service_base::awaited::Awaited;
use sip_transport::streams::Lease;
use tokio::sync::oneshot;

use crate::stack::FinalResponse;

/// A refresh request without a final response.
pub(super) struct PendingRefresh {
    pub(super) response: Awaited<Option<FinalResponse>>,
    /// True if the request carries an offer.
    pub(super) has_offer: bool,
}

/// A connection to the caller that is being opened for a refresh: a lease of it, or `None` if there can be none.
pub(super) type Reconnecting = oneshot::Receiver<Option<Lease>>;

/// Waits for the end of an attempt to connect, for ever if there is none. Cancel safe.
pub(super) async fn connection(reconnecting: Option<&mut Reconnecting>) -> Option<Lease> {
    match reconnecting {
        Some(reconnecting) => reconnecting.await.ok().flatten(),
        None => std::future::pending().await,
    }
}

/// Waits for the final response to a refresh, for ever if there is no refresh. Cancel safe.
pub(super) async fn response(pending_refresh: Option<&mut PendingRefresh>) -> Option<FinalResponse> {
    match pending_refresh {
        Some(pending_refresh) => pending_refresh.response.result().await,
        None => std::future::pending().await,
    }
}
