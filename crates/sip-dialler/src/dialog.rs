//! A dialog on the side of the caller: the destination and the order of its requests (RFC 3261 §12).

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rsipstack::sip::{Header, Headers, Method, Request, Response, Transport};
use sip_transport::address::entries;
use sip_transport::uri_of;

use crate::digest::Answers;
use crate::headers::{remote_tag, value, values};
use crate::hop::{Hop, NEXT_HOP_TIMEOUT};
use crate::origin::{Line, Origin};
use crate::transaction::request_response;
use crate::uri::Target;

/// The state of a dialog that an INVITE of ours has created.
#[derive(Clone)]
pub(crate) struct Dialog {
    /// The far end's tag, which distinguishes the dialogs of a forked INVITE.
    pub(crate) tag: String,
    /// The value of `To` in every request of the dialog, with the tag.
    to: String,
    /// The remote target, which is the URI of the far end's `Contact`.
    target: String,
    /// The route set, the nearest first.
    routes: Vec<String>,
    pub(crate) hop: Hop,
    /// The `CSeq` number of the last request. Clones share it, because the numbers of a dialog have no gaps (RFC 3261
    /// §12.2.1.1), whichever task sends the request.
    sequence: Arc<AtomicU32>,
}

impl Dialog {
    /// The dialog that a response to our INVITE creates. `hop` is that of the INVITE, `sequence` its number;
    /// `request_uri` is its Request-URI, which is used for a response without `Contact`.
    pub(crate) async fn of(
        origin: &Origin,
        response: &Response,
        hop: &Hop,
        request_uri: &str,
        sequence: u32,
    ) -> Self {
        let mut routes: Vec<String> =
            values(&response.headers, "Record-Route").flat_map(entries).map(str::to_owned).collect();
        routes.reverse();
        let target =
            value(&response.headers, "Contact").and_then(|contact| entries(contact).into_iter().next());
        let mut dialog = Self {
            tag: remote_tag(response).to_owned(),
            to: value(&response.headers, "To").unwrap_or_default().to_owned(),
            target: target.map_or(request_uri, uri_of).to_owned(),
            routes,
            hop: hop.clone(),
            sequence: Arc::new(AtomicU32::new(sequence)),
        };
        dialog.hop = dialog.next_hop(origin, hop).await;
        dialog
    }

    /// Continues the `CSeq` numbers of the same dialog before its answer.
    pub(crate) fn continue_from(&mut self, early: &Self) {
        self.sequence = Arc::clone(&early.sequence);
    }

    /// Updates the remote target from the `Contact` of a request or response.
    pub(crate) async fn retarget(&mut self, origin: &Origin, headers: &Headers) {
        let contact =
            value(headers, "Contact").and_then(|contact| entries(contact).into_iter().next()).map(uri_of);
        if let Some(contact) = contact.filter(|contact| *contact != self.target) {
            contact.clone_into(&mut self.target);
            self.hop = self.next_hop(origin, &self.hop.clone()).await;
        }
    }

    /// The hop to the first route, or else to the target; `current` if that cannot be reached.
    async fn next_hop(&self, origin: &Origin, current: &Hop) -> Hop {
        // The existing connection is used: a contact behind address translation could not be connected to.
        if self.routes.is_empty() && current.is_reliable() && current.is_open() {
            return current.clone();
        }
        let uri = self.routes.first().map_or(self.target.as_str(), |route| uri_of(route));
        let Some(target) = Target::parse(uri, origin.egress) else { return current.clone() };
        let network = &origin.network;
        let port = target.port.unwrap_or(if target.transport == Transport::Tls { 5061 } else { 5060 });
        let address = target.host.parse().ok().map(|address: IpAddr| SocketAddr::new(address, port));
        if address.is_some()
            && target.transport == current.transport
            && current.is_open()
            && address == current.address()
        {
            return current.clone();
        }
        let find = async {
            let address = network.resolver.targets(&target, &network.ids).await.ok()?.into_iter().next()?;
            network.connector.hop_to(&network.stack, target.transport, address, &target.host).await.ok()
        };
        // Boxed, because it is large and rarely needed: it must not enlarge the state of every call.
        if let Ok(Some(hop)) = tokio::time::timeout(NEXT_HOP_TIMEOUT, Box::pin(find)).await {
            return hop;
        }
        tracing::debug!(
            uri,
            "the far end's contact or route cannot be reached; requests are sent to the destination of the INVITE"
        );
        current.clone()
    }

    /// Determines the hop again if its connection was closed. If the target cannot be connected to, as behind address
    /// translation, the new connection leads to where the closed one did.
    pub(crate) async fn reconnect(&mut self, origin: &Origin) {
        if self.hop.is_open() {
            return;
        }
        let closed = self.hop.clone();
        self.hop = self.next_hop(origin, &closed).await;
        if !self.hop.is_open()
            && let Some(hop) = origin.reconnected(&closed).await
        {
            self.hop = hop;
        }
    }

    /// Takes the next `CSeq` number.
    pub(crate) fn next_sequence(&self) -> u32 {
        self.sequence.fetch_add(1, Ordering::Relaxed).wrapping_add(1)
    }

    /// Builds a request of the dialog.
    pub(crate) fn request(
        &self,
        origin: &Origin,
        method: Method,
        sequence: u32,
        further: Vec<Header>,
        body: String,
    ) -> Request {
        let strict = self.routes.first().map(|route| uri_of(route)).filter(|route| !is_loose(route));
        let (uri, routes) = match strict {
            None => (self.target.as_str(), self.routes.clone()),
            // A strict router must be the Request-URI itself (RFC 3261 §12.2.1.1).
            Some(first) => {
                let rest = self.routes.iter().skip(1).cloned();
                (first, rest.chain([format!("<{}>", self.target)]).collect())
            }
        };
        let line = Line { method, uri, to: &self.to, sequence, routes: &routes };
        origin.request(&line, &self.hop, further, body)
    }

    /// Sends a request, repeats it with digests as often as it is challenged, and waits for the final response.
    /// `None` if it could not be sent.
    pub(crate) async fn send_request(
        self,
        origin: &Origin,
        method: Method,
        further: Vec<Header>,
    ) -> Option<Response> {
        let mut answers = Answers::default();
        loop {
            let sequence = self.next_sequence();
            let headers = further.iter().cloned().chain(answers.headers()).collect();
            let request = self.request(origin, method, sequence, headers, String::new());
            let uri = request.uri.to_string();
            let response = request_response(&origin.network.stack, request, &self.hop).await?;
            let is_challenge = matches!(response.status_code.code(), 401 | 407);
            if !is_challenge || answers.add(origin, &response, &method.to_string(), &uri).is_err() {
                return Some(response);
            }
        }
    }

    /// Sends a BYE in a task of its own, which continues even if the caller does not wait for it.
    pub(crate) fn bye(mut self, origin: &Arc<Origin>) -> tokio::task::JoinHandle<()> {
        let origin = Arc::clone(origin);
        let network = Arc::clone(&origin.network);
        network.stack.spawn(async move {
            self.reconnect(&origin).await;
            if self.send_request(&origin, Method::Bye, Vec::new()).await.is_none() {
                tracing::debug!("a BYE was not sent");
            }
        })
    }
}

/// Whether the URI of a route has the parameter `lr` (RFC 3261 §16.12.1.1).
fn is_loose(uri: &str) -> bool {
    let parameters = uri.split(';').skip(1);
    parameters.into_iter().any(|parameter| {
        parameter.split(['=', '?']).next().is_some_and(|name| name.trim().eq_ignore_ascii_case("lr"))
    })
}
