//! A session refresh that was sent and is not answered yet.

use tokio::sync::oneshot;

use crate::stack::FinalResponse;

/// A refresh request without a final response.
pub(super) struct PendingRefresh {
    pub(super) response: oneshot::Receiver<Option<FinalResponse>>,
    /// True if the request carries an offer.
    pub(super) has_offer: bool,
}

/// Waits for the final response to a refresh, for ever if there is no refresh. Cancel safe.
pub(super) async fn response(pending_refresh: Option<&mut PendingRefresh>) -> Option<FinalResponse> {
    match pending_refresh {
        Some(pending_refresh) => (&mut pending_refresh.response).await.ok().flatten(),
        None => std::future::pending().await,
    }
}
