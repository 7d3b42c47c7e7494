//! Passes received messages to the SIP library.
//!
//! Datagrams and streams share this path: the message filter decides on the raw bytes; then the message is
//! parsed, marked with its [`Arrival`] and handed to the endpoint. A message that cannot be parsed is
//! answered if possible, and does not affect other messages. Nothing here decides about a call.

use std::borrow::Cow;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use rsipstack::sip::prelude::{HeadersExt as _, ToTypedHeader as _};
use rsipstack::sip::{Header, Method, Request, SipMessage};
use rsipstack::transaction::endpoint::EndpointInnerRef;
use rsipstack::transaction::key::{TransactionKey, TransactionRole};
use rsipstack::transaction::transaction::Transaction;
use rsipstack::transport::SipConnection;
use tokio::sync::mpsc;

use crate::ack_routes::AckRoutes;
use crate::arrival::Arrival;
use crate::framing;
use crate::head::{Head, unfolded};
use crate::kept_answers::KeptAnswers;
use crate::limits::Limits;
use crate::messages::Tap;
use crate::readable;
use crate::unreadable::{Unreadable, is_upper_case};
use crate::via::{is_via, names_its_source, response_address, stamped};

/// The decision of a [`MessageFilter`] on a message.
#[derive(Debug, PartialEq, Eq)]
pub enum FilterAction {
    /// The message is parsed and passed to the endpoint.
    Pass,
    /// These bytes are sent as the response, and the message is dropped.
    Reply(Vec<u8>),
    /// The same with several responses, which are sent in this order.
    Replies(Vec<Vec<u8>>),
    /// The message is dropped without a response.
    Drop,
}

/// Filters messages before they are parsed. It must be fast: all other messages of the socket wait meanwhile.
pub trait MessageFilter: Send + Sync {
    /// Decides on a message from its raw bytes.
    fn check(&self, bytes: &[u8], arrival: &Arrival) -> FilterAction;

    /// Decides on a message that passed the filter but cannot be read, or on the input of a stream whose messages
    /// cannot be separated ([`Unreadable::Framing`]), after which the connection is closed.
    fn unreadable(&self, bytes: &[u8], arrival: &Arrival, why: Unreadable) -> FilterAction;

    /// Returns true if an accepted connection stays open although nothing was sent on it for
    /// [`Limits::idle_timeout`], and also where another one needs room: requests of a call, or an answer, may have to
    /// reach its peer. It must be fast: it is asked about all connections in a row.
    fn is_needed(&self, arrival: &Arrival) -> bool;

    /// Returns true if a message that passes shows that its sender is not a stranger. Its connection is then not closed
    /// after [`Limits::unproven_timeout`], and closed to make room only if it is not needed and its address has more
    /// connections than that of the new one. The default is true for each.
    fn proves(&self, bytes: &[u8], arrival: &Arrival) -> bool {
        let _ = (bytes, arrival);
        true
    }
}

/// Receives every parsed message first, and returns those that the library shall process.
pub(crate) type Inspector = Arc<dyn Fn(SipMessage) -> Option<SipMessage> + Send + Sync>;

/// The endpoint that receives the messages, with the filter, the inspector and the limits of all its sockets.
#[derive(Clone)]
pub struct Intake {
    /// The endpoint of the SIP library, which runs the transactions.
    pub endpoint: EndpointInnerRef,
    /// Filters messages before they are parsed; without it all messages pass.
    pub filter: Option<Arc<dyn MessageFilter>>,
    /// Receives the transactions that requests begin. Without it the endpoint begins them, with a copy of each request,
    /// and passes them to its own receiver.
    pub transactions: Option<mpsc::Sender<Transaction>>,
    /// The transactions among them that wait for an ACK.
    pub acks: AckRoutes,
    /// The answers of those that have ended, as far as they were sent past the library.
    pub answers: KeptAnswers,
    /// Receives parsed messages before the library, and returns those that the library shall process.
    pub inspector: Option<Inspector>,
    /// The limits of stream connections.
    pub limits: Limits,
    /// Stores the messages of calls, if a log is configured.
    pub tap: Tap,
}

/// The socket or connection of a message, through which the library responds.
pub(crate) trait ReplyPath: Sync {
    /// Whether each message is a datagram, so that its body ends with the datagram.
    const IS_DATAGRAM: bool;

    /// The library's connection for responses to a message. Those to a datagram go to the address `to`.
    fn connection(
        &self,
        arrival: &Arrival,
        to: SocketAddr,
    ) -> impl Future<Output = rsipstack::Result<SipConnection>> + Send;
}

impl ReplyPath for SipConnection {
    const IS_DATAGRAM: bool = false;

    async fn connection(&self, _arrival: &Arrival, _to: SocketAddr) -> rsipstack::Result<SipConnection> {
        Ok(self.clone())
    }
}

impl Intake {
    /// Whether the filter needs a connection to stay open.
    pub(crate) fn needs(&self, arrival: &Arrival) -> bool {
        self.filter.as_ref().is_some_and(|filter| filter.is_needed(arrival))
    }

    /// Filters one complete message and passes it on. `Pass` means that the message was accepted.
    pub(crate) async fn receive<P: ReplyPath>(
        &self,
        bytes: &[u8],
        arrival: &Arrival,
        path: &P,
    ) -> FilterAction {
        let decision = self.filter.as_ref().map_or(FilterAction::Pass, |filter| filter.check(bytes, arrival));
        self.tap.received(bytes, arrival, decision == FilterAction::Drop);
        match decision {
            FilterAction::Pass => {}
            decided => return decided,
        }
        match self.pass_on(bytes, arrival, path).await {
            Ok(()) => FilterAction::Pass,
            Err(why) => match &self.filter {
                Some(filter) => filter.unreadable(bytes, arrival, why),
                None => FilterAction::Drop,
            },
        }
    }

    /// Passes a message on, rewritten if it is valid and the library cannot read it.
    async fn pass_on<P: ReplyPath>(
        &self,
        bytes: &[u8],
        arrival: &Arrival,
        path: &P,
    ) -> Result<(), Unreadable> {
        let Checked { head, uri, via, body, is_text } = Checked::of(bytes, P::IS_DATAGRAM)?;
        if body.is_some_and(<[u8]>::is_empty)
            && head.is_some_and(|head| self.acks.pass_unread(&head, arrival))
        {
            return Ok(());
        }
        let to = match via {
            Some(via) if P::IS_DATAGRAM => response_address(&via, arrival.source),
            _ => arrival.source,
        };
        let refused = if is_text {
            match self.deliver(bytes, body, uri, arrival, (path, to)).await {
                Err(why) => why,
                Ok(()) => return Ok(()),
            }
        } else {
            Unreadable::Syntax
        };
        match readable::rewritten(bytes).filter(|rewritten| rewritten != bytes) {
            Some(bytes) => Box::pin(self.deliver(&bytes, body, uri, arrival, (path, to))).await,
            None => Err(refused),
        }
    }

    /// Parses a message and passes it to the inspector and the endpoint. `body` is that of a datagram, `uri` the
    /// Request-URI as received, and `to` the address that responses to a datagram go to.
    async fn deliver<P: ReplyPath>(
        &self,
        bytes: &[u8],
        body: Option<&[u8]>,
        uri: &[u8],
        arrival: &Arrival,
        (path, to): (&P, SocketAddr),
    ) -> Result<(), Unreadable> {
        let mut message = parsed(bytes, body)?;
        if let SipMessage::Request(request) = &mut message {
            if !has_plain_via(request, arrival.source) {
                stamp(request, arrival.source).map_err(|_| Unreadable::Via)?;
            }
            arrival.mark(request, uri);
        }
        let rest = match &self.inspector {
            Some(inspector) => inspector(message),
            None => Some(message),
        };
        let Some(message) = rest else { return Ok(()) };
        let connection = path.connection(arrival, to).await.map_err(|_| Unreadable::Syntax)?;
        let Some((message, connection)) = self.begin_transaction(message, connection)? else {
            return Ok(());
        };
        let _lent = self.answers.lend(&message, &self.endpoint);
        match Box::pin(self.endpoint.on_received_message(message, connection, &arrival.peer())).await {
            Err(rsipstack::Error::SipMessageError(_) | rsipstack::Error::Error(_)) => Err(Unreadable::Syntax),
            // Other errors come from the network, or from a transaction that has ended meanwhile.
            _ => Ok(()),
        }
    }

    /// Begins the transaction of a new request, or passes an ACK to the one that waits for it. Returns every other
    /// message: one of a transaction that there is, another ACK, a CANCEL or a response.
    fn begin_transaction(
        &self,
        message: SipMessage,
        connection: SipConnection,
    ) -> Result<Option<(SipMessage, SipConnection)>, Unreadable> {
        let Some(transactions) = &self.transactions else { return Ok(Some((message, connection))) };
        let request = match message {
            SipMessage::Request(ack) if ack.method == Method::Ack => {
                let unknown = self.acks.pass(ack, &connection);
                return Ok(unknown.map(|ack| (SipMessage::Request(ack), connection)));
            }
            SipMessage::Request(request) if request.method != Method::Cancel => request,
            other => return Ok(Some((other, connection))),
        };
        let key = TransactionKey::from_request(&request, TransactionRole::Server)
            .map_err(|_| Unreadable::Syntax)?;
        if self.endpoint.transactions.contains_key(&key)
            || self.endpoint.finished_transactions.contains_key(&key)
            || self.answers.contains(&key)
        {
            return Ok(Some((SipMessage::Request(request), connection)));
        }
        let transaction = Transaction::new_server(key, request, self.endpoint.clone(), Some(connection));
        // Anybody can send requests. One without a place is dropped, and over UDP its sender repeats it. Nothing
        // receives it once the endpoint is stopped.
        if let Err(mpsc::error::TrySendError::Full(_dropped)) = transactions.try_send(transaction) {
            tracing::debug!("a request was dropped: too many wait");
        }
        Ok(None)
    }
}

/// Parses a message as a listener does before anything else processes it; `is_datagram` is whether it is a whole
/// datagram, or a message of a stream.
///
/// # Errors
/// Why it cannot be read.
pub fn parse_message(bytes: &[u8], is_datagram: bool) -> Result<SipMessage, Unreadable> {
    let Checked { body, is_text, .. } = Checked::of(bytes, is_datagram)?;
    let refused = match is_text.then(|| parsed(bytes, body)) {
        Some(Ok(message)) => return Ok(message),
        Some(Err(why)) => why,
        None => Unreadable::Syntax,
    };
    match readable::rewritten(bytes).filter(|rewritten| rewritten != bytes) {
        Some(bytes) => parsed(&bytes, body),
        None => Err(refused),
    }
}

/// The properties of a message that are checked before the library parses it.
struct Checked<'a> {
    head: Option<Head<'a>>,
    /// The Request-URI as received; empty for a response.
    uri: &'a [u8],
    /// The topmost `Via` of a request.
    via: Option<Cow<'a, str>>,
    /// The body of a datagram.
    body: Option<&'a [u8]>,
    /// Whether the head is UTF-8.
    is_text: bool,
}

impl<'a> Checked<'a> {
    /// Refuses messages that the library would wrongly accept, or answer differently.
    fn of(bytes: &'a [u8], is_datagram: bool) -> Result<Self, Unreadable> {
        let head = Head::of(bytes);
        let request = head.and_then(|head| head.request());
        if request.is_some_and(|[method, _, version]| !is_supported(version) || !is_upper_case(method)) {
            return Err(Unreadable::of(bytes));
        }
        // The library would accept some start lines with other blanks.
        if head.is_some_and(|head| head.leading_method().is_some() && !head.has_valid_request_line()) {
            return Err(Unreadable::StartLine);
        }
        let via = head
            .filter(|_| request.is_some())
            .map(|head| text_of(head.value(["Via", "v"]).unwrap_or_default()));
        if via.as_deref().is_some_and(|via| !is_via(via)) {
            return Err(Unreadable::Via);
        }
        let body = if is_datagram {
            Some(framing::body_after(head.ok_or(framing::FramingError::Headless)?)?)
        } else {
            None
        };
        let head_length = bytes.len() - head.map_or(0, |head| head.rest.len());
        let is_text = bytes.get(..head_length).is_some_and(|head| std::str::from_utf8(head).is_ok());
        Ok(Self { head, uri: request.map_or(&[][..], |[_, uri, _]| uri), via, body, is_text })
    }
}

/// Whether [`stamp`] would change nothing: the library does not have to read the topmost `Via` first.
fn has_plain_via(request: &Request, source: SocketAddr) -> bool {
    let topmost = request.headers.iter().find_map(|header| match header {
        Header::Via(via) => Some(via.value()),
        _ => None,
    });
    topmost.is_some_and(|via| names_its_source(via, source))
}

/// A value as text, in which what is no UTF-8 is replaced.
fn text_of(value: Cow<'_, [u8]>) -> Cow<'_, str> {
    match value {
        Cow::Borrowed(value) => String::from_utf8_lossy(value),
        Cow::Owned(value) => Cow::Owned(String::from_utf8_lossy(&value).into_owned()),
    }
}

/// Parses a message by the library. The body is that of the datagram, if it is one.
fn parsed(bytes: &[u8], body: Option<&[u8]>) -> Result<SipMessage, Unreadable> {
    let mut message = SipMessage::try_from(bytes).map_err(|_| Unreadable::of(bytes))?;
    let parsed = match &mut message {
        SipMessage::Request(request) => &mut request.body,
        SipMessage::Response(response) => &mut response.body,
    };
    if let Some(body) = body.filter(|body| body.len() != parsed.len()) {
        *parsed = body.to_vec();
    }
    Ok(message)
}

/// Writes the source of a request into its first `Via`. The library would write an IPv6 address in two pairs of
/// brackets.
fn stamp(request: &mut Request, source: SocketAddr) -> Result<(), rsipstack::sip::Error> {
    request.via_header_mut()?.update_first_value(|via| {
        via.typed()?;
        Ok(stamped(&String::from_utf8_lossy(&unfolded(via.value().as_bytes())), source).into_owned().into())
    })
}

fn is_supported(version: &[u8]) -> bool {
    version.eq_ignore_ascii_case(b"SIP/2.0")
}
