//! The callee's side of a dialog: what the edge keeps of an INVITE after the ACK, and the requests that it
//! sends.
//!
//! Requests are sent to the address that receives the responses to the caller's own requests: a contact behind address
//! translation cannot be reached. The socket of a connection decides that, whatever destination the library passes to
//! it. Only if the caller closed its connection, a new one is opened to its contact or proxy.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rsipstack::sip::{
    Header, Headers, Host, HostWithPort, Method, Request, Response, Scheme, SipMessage, Transport, Uri,
    Version,
};
use rsipstack::transaction::endpoint::EndpointInnerRef;
use rsipstack::transaction::key::{TransactionKey, TransactionRole};
use rsipstack::transaction::transaction::Transaction;
use rsipstack::transport::{SipAddr, SipConnection};
use sip_transport::address::entries;
use sip_transport::body::{BodyRefusal, session_description};
use sip_transport::streams::Lease;
use sip_transport::{uri_of, verbatim};

use super::identity::EdgeIdentity;
use super::reconnections::Reconnections;

/// Time limit for writing a request to its connection, so that a stuck connection does not keep its call
/// active.
const SEND_TIMEOUT: Duration = Duration::from_secs(1);

/// How long the response to an INVITE may take over another connection, once that of the INVITE was closed: a 2xx is
/// repeated every four seconds at least (T2).
const OTHER_CONNECTION_TIMEOUT: Duration = Duration::from_secs(8);

/// The delays between repetitions of an ACK over UDP. The ACK is repeated without a repeated answer, because the
/// library drops the INVITE transaction once it was answered, and would not notice one.
const ACK_REPEAT_DELAYS: [Duration; 3] =
    [Duration::from_millis(500), Duration::from_secs(1), Duration::from_secs(2)];

/// The state that requests in a dialog are made from.
#[derive(Clone)]
pub(crate) struct Dialog {
    pub(super) endpoint: EndpointInnerRef,
    pub(super) connection: SipConnection,
    pub(super) identity: Arc<EdgeIdentity>,
    pub(super) source: SocketAddr,
    pub(super) local_address: SocketAddr,
    pub(super) transport: Transport,
    /// The value of `Contact`: where the caller sends its requests to.
    pub(crate) contact: Arc<str>,
    pub(super) target: Box<str>,
    /// True if the caller's `Allow` lists UPDATE.
    pub(crate) allows_update: bool,
    /// The `CSeq` number of the edge's last request in the dialog.
    pub(super) sequence: u32,
    pub(super) call_id: Box<str>,
    pub(super) routes: Box<[Box<str>]>,
    pub(super) local: Box<str>,
    pub(super) remote: Box<str>,
}

/// The final response to a request of the edge.
#[derive(Debug)]
pub(crate) struct FinalResponse {
    pub(crate) code: u16,
    pub(crate) headers: Headers,
    /// The session description in the body.
    pub(crate) description: Result<Option<Vec<u8>>, BodyRefusal>,
}

/// A request that was sent and has no final response yet.
pub(crate) struct Sent {
    transaction: Transaction,
    /// For an INVITE: the dialog that the ACK of a 2xx response is made from.
    acknowledges: Option<Box<Dialog>>,
    /// Keeps a connection to the caller that was opened for this request from being closed as idle.
    _lease: Option<Lease>,
}

impl Dialog {
    /// Ends the dialog from the callee's side. Returns once the BYE has been sent; a background task handles
    /// its repetitions and its answer.
    pub(crate) async fn bye(mut self, reason: &str, reconnections: &Reconnections) {
        let headers = vec![Header::Other("Reason".to_owned(), reason.to_owned())];
        let mut lease = None;
        if self.is_closed() {
            let Some(opened) = Box::pin(self.connect(reconnections)).await else { return };
            self.connection = opened.connection.clone();
            lease = Some(opened);
        }
        if let Some(sent) = self.send(Method::Bye, headers, "", lease).await {
            tokio::spawn(sent.answer());
        }
    }

    /// Sends an UPDATE, or an INVITE if `offer` is not empty. `None` if it could not be sent. `lease` is that of a
    /// connection which was opened for it.
    pub(crate) async fn refresh(
        &mut self,
        headers: &[(&str, &str)],
        offer: &str,
        lease: Option<Lease>,
    ) -> Option<Sent> {
        if self.is_closed() {
            return None;
        }
        let method = if offer.is_empty() { Method::Update } else { Method::Invite };
        let other = |(name, value): &(&str, &str)| Header::Other((*name).to_owned(), (*value).to_owned());
        let mut headers: Vec<Header> = headers.iter().map(other).collect();
        if !offer.is_empty() {
            headers.push(Header::ContentType("application/sdp".into()));
        }
        self.send(method, headers, offer, lease).await
    }

    /// Whether the caller closed the connection of its call, so that a request needs a new one.
    pub(crate) fn is_closed(&self) -> bool {
        let token = self.connection.cancel_token().filter(|_| self.transport != Transport::Udp);
        token.is_some_and(|token| token.is_cancelled())
    }

    /// Opens a new connection to the caller's contact or proxy; `None` if there can be none.
    pub(crate) async fn connect(&self, reconnections: &Reconnections) -> Option<Lease> {
        let opened = if self.transport == Transport::Tcp {
            let next = self.routes.first().map_or(&*self.target, |route| uri_of(route));
            reconnections.connect(self.source, next).await
        } else {
            Err("it was one over TLS".to_owned())
        };
        match opened {
            Ok(lease) => Some(lease),
            Err(why) => {
                tracing::debug!(%why, "the caller closed its connection, and there is no other one to it");
                None
            }
        }
    }

    /// Sends the next requests over a connection that was opened for them, unless the caller opened one itself
    /// meanwhile.
    pub(crate) fn move_to(&mut self, lease: &Lease) {
        if self.is_closed() {
            self.connection = lease.connection.clone();
        }
    }

    /// `lease` is held until the final response.
    async fn send(
        &mut self,
        method: Method,
        headers: Vec<Header>,
        body: &str,
        lease: Option<Lease>,
    ) -> Option<Sent> {
        self.sequence = self.sequence.saturating_add(1);
        let sending = async {
            let request = self.request(method, headers, body).ok_or_else(|| {
                rsipstack::Error::Error("the contact cannot be used as a Request-URI".to_owned())
            })?;
            let acknowledges = (method == Method::Invite).then(|| Box::new(self.clone()));
            let key = TransactionKey::from_request(&request, TransactionRole::Client)?;
            let mut transaction =
                Transaction::new_client(key, request, self.endpoint.clone(), Some(self.connection.clone()));
            transaction.destination = Some(self.destination());
            transaction.send().await?;
            Ok::<_, rsipstack::Error>(Sent { transaction, acknowledges, _lease: lease })
        };
        match tokio::time::timeout(SEND_TIMEOUT, sending).await {
            Ok(Ok(sent)) => Some(sent),
            Ok(Err(error)) => {
                tracing::debug!(%method, %error, "a request was not sent");
                None
            }
            Err(_elapsed) => {
                tracing::debug!(%method, "a request was not sent: the peer's connection is stuck");
                None
            }
        }
    }

    /// Updates the remote target from a request of the caller, or from its 2xx to a request of the edge, that refreshes
    /// it (RFC 3261 §12.2.1.2 and §12.2.2). Without a usable contact it stays as it was.
    pub(crate) fn retarget(&mut self, headers: &Headers) {
        if let Ok(Some(contact)) = contact_of(headers) {
            self.target = contact.into();
        }
    }

    fn destination(&self) -> SipAddr {
        SipAddr { r#type: Some(self.transport), addr: self.source.into() }
    }

    fn request(&self, method: Method, further: Vec<Header>, body: &str) -> Option<Request> {
        let sent_by = self.identity.sent_by(self.transport, self.local_address);
        let via = self.endpoint.get_via(Some(sent_by), None).ok()?;
        let (target, routes) = self.target_and_routes();
        let mut headers = vec![Header::Via(via.into())];
        headers.extend(routes.iter().map(|route| Header::Route(route.as_str().into())));
        headers.extend([
            Header::From(self.local.as_ref().into()),
            Header::To(self.remote.as_ref().into()),
            Header::CallId(self.call_id.as_ref().into()),
            Header::CSeq(format!("{} {method}", self.sequence).into()),
            Header::MaxForwards(70.into()),
        ]);
        headers.extend(further);
        headers.push(Header::ContentLength(u32::try_from(body.len()).unwrap_or_default().into()));
        let uri = Uri::try_from(target).ok()?;
        Some(Request {
            method,
            // As it was received: some callers find their call by an escaped user part. The library escapes characters
            // that could end a request line.
            uri: if is_plain(target) { verbatim(target) } else { uri },
            headers: headers.into(),
            version: Version::V2,
            body: body.as_bytes().to_vec(),
        })
    }

    /// The Request-URI and the `Route` values. If the first route is a strict router, its URI is the
    /// Request-URI and the contact is the last route (RFC 3261 §12.2.1.1).
    fn target_and_routes(&self) -> (&str, Vec<String>) {
        let routes = || self.routes.iter().map(ToString::to_string);
        let first = self.routes.first().map(|route| uri_of(route));
        match first.filter(|first| !is_loose(first)) {
            None => (&self.target, routes().collect()),
            Some(first) => (first, routes().skip(1).chain([format!("<{}>", self.target)]).collect()),
        }
    }
}

impl Sent {
    /// Waits for the final response, and acknowledges it if this is an INVITE. `None` if the transaction
    /// ended without one. The library repeats the request, and reports a timeout as a 408. The end of the connection
    /// counts as a 503 (RFC 3261 §8.1.3.1), of an INVITE a little later: a 2xx over another one must be acknowledged.
    pub(crate) async fn answer(mut self) -> Option<FinalResponse> {
        let stream = self.transaction.connection.as_ref().filter(|connection| connection.is_reliable());
        // Without a stream, the token is one that is never cancelled.
        let closed = stream.and_then(SipConnection::cancel_token).unwrap_or_default();
        let is_invite = self.acknowledges.is_some();
        let lost = async {
            closed.cancelled().await;
            if is_invite {
                tokio::time::sleep(OTHER_CONNECTION_TIMEOUT).await;
            }
        };
        tokio::pin!(lost);
        let response = loop {
            let message = tokio::select! {
                // First the response that came before the end of its connection.
                biased;
                message = self.transaction.receive() => message?,
                () = &mut lost => {
                    let headers = Headers::default();
                    return Some(FinalResponse { code: 503, headers, description: Ok(None) });
                }
            };
            match message {
                SipMessage::Response(response) if response.status_code.code() >= 200 => break response,
                _ => {}
            }
        };
        let accepted = (200..300).contains(&response.status_code.code());
        if let Some(mut dialog) = self.acknowledges.take().filter(|_| accepted)
            && let Some(connection) = self.transaction.connection.clone()
        {
            dialog.retarget(&response.headers);
            if let Some(ack) = dialog.request(Method::Ack, Vec::new(), "") {
                acknowledge(connection, ack, dialog.destination(), &response).await;
            }
        }
        let description = session_description(&response.headers, &response.body);
        let description = description.map(|found| found.map(<[u8]>::to_vec));
        Some(FinalResponse { code: response.status_code.code(), headers: response.headers, description })
    }
}

async fn acknowledge(connection: SipConnection, ack: Request, to: SipAddr, response: &Response) {
    let send = async move |connection: &SipConnection, ack: Request, to: &SipAddr| {
        let sending = connection.send(SipMessage::Request(ack), Some(to));
        // An ACK that cannot be sent counts as a lost packet.
        let _lost = tokio::time::timeout(SEND_TIMEOUT, sending).await;
    };
    tracing::debug!(code = response.status_code.code(), "acknowledged");
    send(&connection, ack.clone(), &to).await;
    if connection.is_reliable() {
        return;
    }
    tokio::spawn(async move {
        for pause in ACK_REPEAT_DELAYS {
            tokio::time::sleep(pause).await;
            send(&connection, ack.clone(), &to).await;
        }
    });
}

/// The URI in the `Contact` of a message, to which requests of the dialog are sent; `None` without the header.
///
/// # Errors
/// A reason if there is more than one contact, or it is not a SIP URI with a host.
pub(super) fn contact_of(headers: &Headers) -> Result<Option<&str>, &'static str> {
    let named = headers.iter().filter(|header| header.name().eq_ignore_ascii_case("Contact"));
    let mut contacts = named.flat_map(|header| entries(header.value().trim_start()));
    let Some(contact) = contacts.next() else { return Ok(None) };
    if contacts.next().is_some() {
        return Err("there is more than one contact");
    }
    let uri = uri_of(contact);
    let parsed = Uri::try_from(uri).map_err(|_| "the contact is not a URI")?;
    let has_host = !matches!(
        &parsed.host_with_port,
        HostWithPort { host: Host::Domain(domain), port: None } if domain.0.is_empty()
    );
    match parsed.scheme {
        Some(Scheme::Sip | Scheme::Sips) if has_host => Ok(Some(uri)),
        _ => Err("the contact is not a SIP URI"),
    }
}

/// Whether a URI contains nothing that ends it in a request line.
fn is_plain(uri: &str) -> bool {
    uri.bytes().all(|byte| byte.is_ascii_graphic() && !b"<>\"".contains(&byte))
}

fn is_loose(uri: &str) -> bool {
    uri.split(';').skip(1).any(|parameter| {
        let name = parameter.split(['=', '?']).next().unwrap_or_default();
        name.trim().eq_ignore_ascii_case("lr")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_end_a_request_line_is_not_written_as_it_came() {
        for plain in ["sip:%2B44%23#1@192.0.2.1:5080;x=%41", "sips:a@[2001:db8::1]"] {
            assert!(is_plain(plain), "{plain}");
        }
        for other in ["sip:a b@h", "sip:a@h\r\nX: y", "sip:\u{e9}@h", "sip:<a>@h"] {
            assert!(!is_plain(other), "{other}");
        }
    }
}
