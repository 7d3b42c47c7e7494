//! A session refresh that was sent and is not answered yet, or that waits for a connection.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

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

/// A connection to the caller that is being opened for a refresh: a lease of it, or `None` if there can be none. Boxed,
/// because the future of every call has room for it.
pub(super) type Reconnecting = oneshot::Receiver<Option<Box<Lease>>>;

/// Waits for the end of an attempt to connect, for ever if there is none. Cancel safe.
pub(super) fn connection(
    mut reconnecting: Option<&mut Reconnecting>,
) -> impl Future<Output = Option<Box<Lease>>> {
    poll_fn(move |context| match &mut reconnecting {
        Some(reconnecting) => Pin::new(&mut **reconnecting).poll(context).map(|opened| opened.ok().flatten()),
        None => Poll::Pending,
    })
}

/// Waits for the final response to a refresh, for ever if there is no refresh. Cancel safe.
pub(super) fn response(
    pending_refresh: Option<&mut PendingRefresh>,
) -> impl Future<Output = Option<FinalResponse>> {
    Awaited::result_of(pending_refresh.map(|pending_refresh| &mut pending_refresh.response))
}
