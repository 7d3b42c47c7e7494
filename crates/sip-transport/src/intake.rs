//! Passes received messages to the SIP library.
//!
//! Datagrams and streams share this path: the message filter decides on the raw bytes; then the message is
//! parsed, marked with its [`Arrival`] and handed to the endpoint. A message that cannot be parsed is
//! answered if possible, and does not affect other messages. Nothing here decides about a call.

use std::future::Future;
use std::sync::Arc;

use rsipstack::sip::SipMessage;
use rsipstack::transaction::endpoint::EndpointInnerRef;
use rsipstack::transport::SipConnection;

use crate::arrival::Arrival;
use crate::framing::{self, FramingError};
use crate::head::Head;
use crate::limits::Limits;
use crate::messages::Tap;
use crate::stateless::Reply;

/// The decision of a [`MessageFilter`] on a message.
#[derive(Debug, PartialEq, Eq)]
pub enum FilterAction {
    /// The message is parsed and passed to the endpoint.
    Pass,
    /// These bytes are sent as the response, and the message is dropped.
    Reply(Vec<u8>),
    /// The message is dropped without a response.
    Drop,
}

/// Filters messages before they are parsed. It must be fast: all other messages of the socket wait meanwhile.
pub trait MessageFilter: Send + Sync {
    /// Decides on a message from its raw bytes.
    fn check(&self, bytes: &[u8], arrival: &Arrival) -> FilterAction;

    /// Decides on a message that passed the filter but cannot be parsed. `reply` is the response that states
    /// the error.
    fn unreadable(&self, bytes: &[u8], arrival: &Arrival, reply: &Reply<'_>) -> FilterAction;

    /// Decides on the input of a stream whose messages cannot be told apart, after which the connection is closed.
    /// `why` is the error of its framing. By default it is treated like any other message that cannot be parsed.
    fn unframed(
        &self,
        bytes: &[u8],
        arrival: &Arrival,
        reply: &Reply<'_>,
        _why: FramingError,
    ) -> FilterAction {
        self.unreadable(bytes, arrival, reply)
    }
}

/// Receives every parsed message first, and returns those that the library shall process.
pub(crate) type Inspector = Arc<dyn Fn(SipMessage) -> Option<SipMessage> + Send + Sync>;

/// The endpoint that receives the messages, with the filter, the inspector and the limits of all its sockets.
#[derive(Clone)]
pub struct Intake {
    /// The SIP library's endpoint.
    pub endpoint: EndpointInnerRef,
    /// Filters messages before they are parsed; without it all messages pass.
    pub filter: Option<Arc<dyn MessageFilter>>,
    /// Receives parsed messages before the library, and returns those that the library shall process.
    pub inspector: Option<Inspector>,
    /// The limits of stream connections.
    pub limits: Limits,
    /// Stores the messages.
    pub tap: Tap,
}

/// The socket or connection of a message, through which the library responds.
pub(crate) trait ReplyPath: Sync {
    /// Whether each message is a datagram, so that its body ends with the datagram.
    const IS_DATAGRAM: bool;

    /// The library's connection for responses to a message.
    fn connection(&self, arrival: &Arrival) -> impl Future<Output = rsipstack::Result<SipConnection>> + Send;
}

impl ReplyPath for SipConnection {
    const IS_DATAGRAM: bool = false;

    async fn connection(&self, _arrival: &Arrival) -> rsipstack::Result<SipConnection> {
        Ok(self.clone())
    }
}

impl Intake {
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
            Err(reply) => match &self.filter {
                Some(filter) => filter.unreadable(bytes, arrival, &reply),
                None => FilterAction::Drop,
            },
        }
    }

    /// Parses a message and passes it to the inspector and the endpoint. The error is the response to a
    /// message that cannot be parsed.
    async fn pass_on<P: ReplyPath>(
        &self,
        bytes: &[u8],
        arrival: &Arrival,
        path: &P,
    ) -> Result<(), Reply<'static>> {
        if Head::of(bytes).and_then(|head| head.request()).is_some_and(|[.., version]| !is_supported(version))
        {
            return Err(rejection(bytes));
        }
        let body = if P::IS_DATAGRAM {
            Some(framing::body_of_datagram(bytes).map_err(|_| BAD_REQUEST)?)
        } else {
            None
        };
        let message = SipMessage::try_from(bytes).map_err(|_| rejection(bytes))?;
        let message = SipConnection::update_msg_received(message, arrival.source, arrival.transport);
        let message = match (message.map_err(|_| BAD_REQUEST)?, body) {
            (SipMessage::Request(mut request), body) => {
                if let Some(body) = body.filter(|body| body.len() != request.body.len()) {
                    request.body = body.to_vec();
                }
                arrival.mark(&mut request);
                SipMessage::Request(request)
            }
            (SipMessage::Response(mut response), body) => {
                if let Some(body) = body.filter(|body| body.len() != response.body.len()) {
                    response.body = body.to_vec();
                }
                SipMessage::Response(response)
            }
        };
        let rest = match &self.inspector {
            Some(inspector) => inspector(message),
            None => Some(message),
        };
        let Some(message) = rest else { return Ok(()) };
        let connection = path.connection(arrival).await.map_err(|_| BAD_REQUEST)?;
        match Box::pin(self.endpoint.on_received_message(message, connection, &arrival.peer())).await {
            Err(rsipstack::Error::SipMessageError(_) | rsipstack::Error::Error(_)) => Err(BAD_REQUEST),
            // Other errors come from the network, or from a transaction that has ended meanwhile.
            _ => Ok(()),
        }
    }
}

fn is_supported(version: &[u8]) -> bool {
    version.eq_ignore_ascii_case(b"SIP/2.0")
}

const BAD_REQUEST: Reply<'static> =
    Reply { code: 400, phrase: "Bad Request", needed: Vec::new(), useful: Vec::new() };

/// The response to a message that cannot be parsed: 505, 501 or 416 if its start line is the cause, else 400
/// (RFC 3261 §8.2.1, §8.2.2.1, §21.5.2, §21.5.7).
fn rejection(bytes: &[u8]) -> Reply<'static> {
    let Some([method, uri, version]) = Head::of(bytes).and_then(|head| head.request()) else {
        return BAD_REQUEST;
    };
    let is_known =
        std::str::from_utf8(method).is_ok_and(|method| method.parse::<rsipstack::sip::Method>().is_ok());
    let scheme = uri.split(|byte| *byte == b':').next().unwrap_or_default();
    let is_scheme = [&b"sip"[..], b"sips", b"tel"].iter().any(|known| scheme.eq_ignore_ascii_case(known));
    if !is_supported(version) {
        Reply::new(505, "Version Not Supported")
    } else if !is_known {
        Reply::new(501, "Not Implemented")
    } else if !is_scheme && uri.contains(&b':') {
        Reply::new(416, "Unsupported URI Scheme")
    } else {
        BAD_REQUEST
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unsupported_start_line_determines_the_code() {
        let code = |line: &str| rejection(format!("{line}\r\nVia: SIP/2.0/UDP a\r\n\r\n").as_bytes()).code;
        assert_eq!(code("NEWMETHOD sip:x SIP/2.0"), 501);
        assert_eq!(code("INVITE sip:x SIP/7.0"), 505);
        assert_eq!(code("INVITE soap.beep://x SIP/2.0"), 416);
        assert_eq!(code("INVITE sip: SIP/2.0"), 400);
        assert_eq!(code("INVITE"), 400);
    }
}
