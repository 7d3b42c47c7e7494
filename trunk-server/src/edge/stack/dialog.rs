//! The callee's side of a dialog: all that is kept of an INVITE once it was acknowledged.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rsipstack::sip::{Header, Method, Request, SipMessage, Transport, Uri, Version};
use rsipstack::transaction::endpoint::EndpointInnerRef;
use rsipstack::transaction::key::{TransactionKey, TransactionRole};
use rsipstack::transaction::transaction::Transaction;
use rsipstack::transport::{SipAddr, SipConnection};

use super::Own;

/// Longest that a BYE may take to be written: a connection that is stuck must not keep its call.
const SENDING: Duration = Duration::from_secs(1);

/// What requests in a dialog need.
pub(in crate::edge) struct Dialog {
    pub(super) endpoint: EndpointInnerRef,
    pub(super) connection: SipConnection,
    pub(super) own: Arc<Own>,
    pub(super) source: SocketAddr,
    pub(super) local_address: SocketAddr,
    pub(super) transport: Transport,
    pub(super) target: Box<str>,
    pub(super) routes: Box<[Box<str>]>,
    pub(super) local: Box<str>,
    pub(super) remote: Box<str>,
}

impl Dialog {
    /// Ends the dialog from the callee's side: gives back when the BYE was sent. The repetitions and the answer are
    /// seen to by themselves, as long as the transaction lives.
    pub(in crate::edge) async fn bye(self, call_id: &str, reason: &str) {
        match tokio::time::timeout(SENDING, self.send_bye(call_id, reason)).await {
            Ok(Ok(mut transaction)) => {
                tokio::spawn(async move { while !is_answered(transaction.receive().await.as_ref()) {} });
            }
            Ok(Err(error)) => tracing::debug!(%error, "a BYE was not sent"),
            Err(_elapsed) => tracing::debug!("a BYE was not sent: the peer's connection is stuck"),
        }
    }

    async fn send_bye(self, call_id: &str, reason: &str) -> rsipstack::Result<Transaction> {
        let transport = self.transport;
        let via = self.endpoint.get_via(Some(self.own.sent_by(transport, self.local_address)), None)?;
        let mut headers = vec![Header::Via(via.into())];
        headers.extend(self.routes.iter().map(|route| Header::Route(route.as_ref().into())));
        headers.extend([
            Header::From(self.local.as_ref().into()),
            Header::To(self.remote.as_ref().into()),
            Header::CallId(call_id.into()),
            Header::CSeq("1 BYE".into()),
            Header::MaxForwards(70.into()),
            Header::Other("Reason".to_owned(), reason.to_owned()),
        ]);
        let request = Request {
            method: Method::Bye,
            uri: Uri::try_from(self.target.as_ref())?,
            headers: headers.into(),
            version: Version::V2,
            body: Vec::new(),
        };
        let key = TransactionKey::from_request(&request, TransactionRole::Client)?;
        let mut transaction =
            Transaction::new_client(key, request, self.endpoint.clone(), Some(self.connection.clone()));
        // Back to where the calls come from: a contact behind address translation leads nowhere.
        transaction.destination = Some(SipAddr { r#type: Some(transport), addr: self.source.into() });
        transaction.send().await?;
        Ok(transaction)
    }
}

/// Whether a request needs no more waiting for: nothing can come, or a final response came.
fn is_answered(message: Option<&SipMessage>) -> bool {
    match message {
        None => true,
        Some(SipMessage::Response(response)) => response.status_code.code() >= 200,
        Some(SipMessage::Request(_)) => false,
    }
}
