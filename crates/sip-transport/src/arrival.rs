//! What comes in, from its bytes to the SIP library.
//!
//! One way for datagrams and streams: a door decides first, on the bytes; then the message is parsed, marked
//! with where it arrived, and handed on. What cannot be read is answered where an answer can be made, and
//! costs nobody else's message. It decides nothing about a call.

use std::net::SocketAddr;
use std::sync::Arc;

use rsipstack::sip::{Header, Request, SipMessage, Transport};
use rsipstack::transaction::endpoint::EndpointInnerRef;
use rsipstack::transport::{SipAddr, SipConnection};

use super::datagrams::Datagrams;
use super::framing;
use super::head::Head;
use super::stateless::Reply;
use super::streams::Limits;

/// Between which addresses a message came, and over what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// The peer's address, whatever headers say; one of IPv4 is shown as such on every socket.
    pub source: SocketAddr,
    /// The address that the peer sent to.
    pub local: SocketAddr,
    pub transport: Transport,
}

/// The library carries nothing beside a message, so where it arrived travels as a header, under a name that
/// nothing from the network can have: a name ends at the first colon.
const MARK: &str = ":arrived";

impl Arrival {
    fn mark(&self, request: &mut Request) {
        let value = format!("{} {} {}", self.transport, self.source, self.local);
        request.headers.push(Header::Other(MARK.to_owned(), value));
    }

    /// Where a request arrived that was handed on here.
    pub fn of(request: &Request) -> Option<Self> {
        let is_mark = |header: &Header| match header {
            Header::Other(name, value) if name == MARK => Some(value.clone()),
            _ => None,
        };
        let value = request.headers.iter().filter_map(is_mark).last()?;
        let mut words = value.split(' ');
        let transport = match words.next()? {
            "TCP" => Transport::Tcp,
            "TLS" => Transport::Tls,
            _ => Transport::Udp,
        };
        let (source, local) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        Some(Self { source, local, transport })
    }

    fn peer(&self) -> SipAddr {
        SipAddr { r#type: Some(self.transport), addr: self.source.into() }
    }
}

/// An address of IPv4 as such, also where a socket for both families shows it mapped.
pub(crate) fn canonical(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V6(v6) => match v6.ip().to_ipv4_mapped() {
            Some(v4) => SocketAddr::new(v4.into(), v6.port()),
            None => address,
        },
        SocketAddr::V4(_) => address,
    }
}

/// What is done with a message.
#[derive(Debug, PartialEq, Eq)]
pub enum Entry {
    /// It is parsed and handed on.
    Pass,
    /// It is answered with these bytes, and forgotten.
    Reply(Vec<u8>),
    /// It is forgotten.
    Drop,
}

/// Who decides on a message before it is parsed. It must be quick: everybody waits meanwhile.
pub trait Door: Send + Sync {
    fn knock(&self, bytes: &[u8], arrival: &Arrival) -> Entry;

    /// What is answered to a message that was let in and cannot be read.
    fn unreadable(&self, bytes: &[u8], arrival: &Arrival, reply: &Reply<'_>) -> Entry;
}

/// Hears every message first, and gives back those that are for the library.
pub(crate) type Ear = Arc<dyn Fn(SipMessage) -> Option<SipMessage> + Send + Sync>;

/// What all ways into an endpoint have in common.
#[derive(Clone)]
pub struct Common {
    pub endpoint: EndpointInnerRef,
    pub door: Option<Arc<dyn Door>>,
    pub ear: Option<Ear>,
    pub limits: Limits,
}

/// How answers go back.
pub enum Way<'a> {
    Datagrams(&'a Arc<Datagrams>),
    Stream(&'a SipConnection),
}

impl Common {
    /// Takes one whole message.
    pub async fn take(&self, bytes: &[u8], arrival: &Arrival, way: Way<'_>) -> Entry {
        match self.door.as_ref().map_or(Entry::Pass, |door| door.knock(bytes, arrival)) {
            Entry::Pass => {}
            decided => return decided,
        }
        match self.hand_on(bytes, arrival, way).await {
            Ok(()) => Entry::Pass,
            Err(reply) => match &self.door {
                Some(door) => door.unreadable(bytes, arrival, &reply),
                None => Entry::Drop,
            },
        }
    }

    /// An error is what to answer to a message that cannot be read.
    async fn hand_on(&self, bytes: &[u8], arrival: &Arrival, way: Way<'_>) -> Result<(), Reply<'static>> {
        if Head::of(bytes).and_then(|head| head.request()).is_some_and(|[.., version]| !is_ours(version)) {
            return Err(reason(bytes));
        }
        let body = match &way {
            Way::Datagrams(_) => Some(framing::body_of_datagram(bytes).map_err(|_| BAD)?),
            Way::Stream(_) => None,
        };
        let message = SipMessage::try_from(bytes).map_err(|_| reason(bytes))?;
        let message = SipConnection::update_msg_received(message, arrival.source, arrival.transport);
        let message = match (message.map_err(|_| BAD)?, body) {
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
        let rest = match &self.ear {
            Some(ear) => ear(message),
            None => Some(message),
        };
        let Some(message) = rest else { return Ok(()) };
        let connection = match way {
            Way::Datagrams(datagrams) => datagrams.connection(arrival).await.map_err(|_| BAD)?,
            Way::Stream(connection) => connection.clone(),
        };
        match Box::pin(self.endpoint.on_received_message(message, connection, &arrival.peer())).await {
            Err(rsipstack::Error::SipMessageError(_) | rsipstack::Error::Error(_)) => Err(BAD),
            // What is left is the network's, or a transaction's that ended meanwhile.
            _ => Ok(()),
        }
    }
}

fn is_ours(version: &[u8]) -> bool {
    version.eq_ignore_ascii_case(b"SIP/2.0")
}

const BAD: Reply<'static> =
    Reply { code: 400, phrase: "Bad Request", needed: Vec::new(), useful: Vec::new() };

/// Why a request's first line cannot be read, if that is why (RFC 3261 §8.2.1, §8.2.2.1, §21.5.2, §21.5.7).
fn reason(bytes: &[u8]) -> Reply<'static> {
    let Some([method, uri, version]) = Head::of(bytes).and_then(|head| head.request()) else { return BAD };
    let is_known =
        std::str::from_utf8(method).is_ok_and(|method| method.parse::<rsipstack::sip::Method>().is_ok());
    let scheme = uri.split(|byte| *byte == b':').next().unwrap_or_default();
    let is_scheme = [&b"sip"[..], b"sips", b"tel"].iter().any(|known| scheme.eq_ignore_ascii_case(known));
    if !is_ours(version) {
        Reply::new(505, "Version Not Supported")
    } else if !is_known {
        Reply::new(501, "Not Implemented")
    } else if !is_scheme && uri.contains(&b':') {
        Reply::new(416, "Unsupported URI Scheme")
    } else {
        BAD
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_request_arrived_is_told_by_a_mark_that_no_peer_can_write() {
        let text = "OPTIONS sip:x SIP/2.0\r\n:arrived: TCP 192.0.2.1:1 192.0.2.2:2\r\n :arrived: x\r\nVia: SIP/2.0/UDP a\r\n\r\n";
        let Ok(SipMessage::Request(mut request)) = SipMessage::try_from(text.as_bytes()) else {
            panic!("{text}")
        };
        assert_eq!(Arrival::of(&request), None);
        for (transport, source) in
            [(Transport::Udp, "198.51.100.7:5060"), (Transport::Tls, "[2001:db8::7]:9")]
        {
            let arrival =
                Arrival { source: source.parse().unwrap(), local: "[::1]:5061".parse().unwrap(), transport };
            arrival.mark(&mut request);
            assert_eq!(Arrival::of(&request), Some(arrival));
        }
    }

    #[test]
    fn the_first_line_says_what_is_not_understood() {
        let code = |line: &str| reason(format!("{line}\r\nVia: SIP/2.0/UDP a\r\n\r\n").as_bytes()).code;
        assert_eq!(code("NEWMETHOD sip:x SIP/2.0"), 501);
        assert_eq!(code("INVITE sip:x SIP/7.0"), 505);
        assert_eq!(code("INVITE soap.beep://x SIP/2.0"), 416);
        assert_eq!(code("INVITE sip: SIP/2.0"), 400);
        assert_eq!(code("INVITE"), 400);
    }

    #[test]
    fn an_address_of_ipv4_is_shown_as_such() {
        let shown = |text: &str| canonical(text.parse().unwrap()).to_string();
        assert_eq!(shown("[::ffff:192.0.2.1]:5"), "192.0.2.1:5");
        assert_eq!([shown("[2001:db8::1]:5"), shown("192.0.2.1:5")], ["[2001:db8::1]:5", "192.0.2.1:5"]);
    }
}
