//! The callee's side of a dialog: all that is kept of an INVITE once it was acknowledged, and the requests in it.
//!
//! They go back to where the caller's own come from: a contact behind address translation leads nowhere.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rsipstack::sip::{Header, Headers, Method, Request, Response, SipMessage, Transport, Uri, Version};
use rsipstack::transaction::endpoint::EndpointInnerRef;
use rsipstack::transaction::key::{TransactionKey, TransactionRole};
use rsipstack::transaction::transaction::Transaction;
use rsipstack::transport::{SipAddr, SipConnection};

use super::Own;
use sip_transport::body::session_description;

/// Longest that a request may take to be written: a connection that is stuck must not keep its call.
const SENDING: Duration = Duration::from_secs(1);

/// When an acknowledgement is sent again over UDP, after the one before: the library forgets the INVITE with its answer,
/// and would not see that the answer comes again.
const AGAIN: [Duration; 3] = [Duration::from_millis(500), Duration::from_secs(1), Duration::from_secs(2)];

/// What requests in a dialog need.
pub(crate) struct Dialog {
    pub(super) endpoint: EndpointInnerRef,
    pub(super) connection: SipConnection,
    pub(super) own: Arc<Own>,
    pub(super) source: SocketAddr,
    pub(super) local_address: SocketAddr,
    pub(super) transport: Transport,
    /// Where we want the caller's requests: the value of `Contact`.
    pub(crate) contact: Box<str>,
    pub(super) target: Box<str>,
    /// Whether the caller understands UPDATE.
    pub(crate) updates: bool,
    /// The number of our last request.
    pub(super) sequence: u32,
    pub(super) call_id: Box<str>,
    pub(super) routes: Box<[Box<str>]>,
    pub(super) local: Box<str>,
    pub(super) remote: Box<str>,
}

/// The final response to a request of ours.
#[derive(Debug)]
pub(crate) struct Final {
    pub(crate) code: u16,
    pub(crate) headers: Headers,
    /// The session description in it, if it can be read.
    pub(crate) description: Option<Vec<u8>>,
}

/// A request that was sent.
pub(crate) struct Sent {
    transaction: Transaction,
    /// What acknowledges an INVITE, and where it goes.
    ack: Option<(Request, SipAddr)>,
}

impl Dialog {
    /// Ends the dialog from the callee's side: returns when the BYE was sent. The repetitions and the answer are
    /// seen to by themselves, as long as the transaction lives.
    pub(crate) async fn bye(mut self, reason: &str) {
        let headers = vec![Header::Other("Reason".to_owned(), reason.to_owned())];
        if let Some(sent) = self.send(Method::Bye, headers, "").await {
            tokio::spawn(sent.answer());
        }
    }

    /// Sends an UPDATE, or an INVITE where there is an offer; `None` when it could not be sent.
    pub(crate) async fn refresh(&mut self, headers: &[(&str, &str)], offer: &str) -> Option<Sent> {
        let method = if offer.is_empty() { Method::Update } else { Method::Invite };
        let other = |(name, value): &(&str, &str)| Header::Other((*name).to_owned(), (*value).to_owned());
        let mut headers: Vec<Header> = headers.iter().map(other).collect();
        if !offer.is_empty() {
            headers.push(Header::ContentType("application/sdp".into()));
        }
        self.send(method, headers, offer).await
    }

    async fn send(&mut self, method: Method, headers: Vec<Header>, body: &str) -> Option<Sent> {
        self.sequence = self.sequence.saturating_add(1);
        let sending = async {
            let no_request = || rsipstack::Error::Error("the contact is no target".to_owned());
            let request = self.request(method, headers, body).ok_or_else(no_request)?;
            let ack = match method {
                Method::Invite => {
                    let ack = self.request(Method::Ack, Vec::new(), "").ok_or_else(no_request)?;
                    Some((ack, self.destination()))
                }
                _ => None,
            };
            let key = TransactionKey::from_request(&request, TransactionRole::Client)?;
            let mut transaction =
                Transaction::new_client(key, request, self.endpoint.clone(), Some(self.connection.clone()));
            transaction.destination = Some(self.destination());
            transaction.send().await?;
            Ok::<_, rsipstack::Error>(Sent { transaction, ack })
        };
        match tokio::time::timeout(SENDING, sending).await {
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

    fn destination(&self) -> SipAddr {
        SipAddr { r#type: Some(self.transport), addr: self.source.into() }
    }

    fn request(&self, method: Method, further: Vec<Header>, body: &str) -> Option<Request> {
        let sent_by = self.own.sent_by(self.transport, self.local_address);
        let via = self.endpoint.get_via(Some(sent_by), None).ok()?;
        let (target, routes) = self.way();
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
        Some(Request {
            method,
            uri: Uri::try_from(target).ok()?,
            headers: headers.into(),
            version: Version::V2,
            body: body.as_bytes().to_vec(),
        })
    }

    /// The Request-URI and the routes. A strict router wants to be the target itself (RFC 3261 §12.2.1.1).
    fn way(&self) -> (&str, Vec<String>) {
        let routes = || self.routes.iter().map(ToString::to_string);
        let first = self.routes.first().map(|route| super::incoming::uri_of(route));
        match first.filter(|first| !is_loose(first)) {
            None => (&self.target, routes().collect()),
            Some(first) => (first, routes().skip(1).chain([format!("<{}>", self.target)]).collect()),
        }
    }
}

impl Sent {
    /// The final response, which is acknowledged; `None` when nothing more can come. The library repeats the request,
    /// and says 408 itself when nothing comes.
    pub(crate) async fn answer(mut self) -> Option<Final> {
        let response = loop {
            match self.transaction.receive().await? {
                SipMessage::Response(response) if response.status_code.code() >= 200 => break response,
                _ => {}
            }
        };
        let accepted = (200..300).contains(&response.status_code.code());
        if let Some((ack, destination)) = self.ack.take().filter(|_| accepted)
            && let Some(connection) = self.transaction.connection.clone()
        {
            acknowledge(connection, ack, destination, &response).await;
        }
        let description = session_description(&response.headers, &response.body).ok().flatten();
        let description = description.map(<[u8]>::to_vec);
        Some(Final { code: response.status_code.code(), headers: response.headers, description })
    }
}

async fn acknowledge(connection: SipConnection, ack: Request, to: SipAddr, response: &Response) {
    let send = async move |connection: &SipConnection, ack: Request, to: &SipAddr| {
        let sending = connection.send(SipMessage::Request(ack), Some(to));
        // One that is not sent is lost, as packets are.
        let _lost = tokio::time::timeout(SENDING, sending).await;
    };
    tracing::debug!(code = response.status_code.code(), "acknowledged");
    send(&connection, ack.clone(), &to).await;
    if connection.is_reliable() {
        return;
    }
    tokio::spawn(async move {
        for pause in AGAIN {
            tokio::time::sleep(pause).await;
            send(&connection, ack.clone(), &to).await;
        }
    });
}

fn is_loose(uri: &str) -> bool {
    uri.split(';').skip(1).any(|parameter| {
        let name = parameter.split(['=', '?']).next().unwrap_or_default();
        name.trim().eq_ignore_ascii_case("lr")
    })
}
