//! The addresses and the transport with which a message arrived.

use std::net::SocketAddr;

use rsipstack::sip::{Header, Request, Transport};
use rsipstack::transport::SipAddr;

/// The addresses and the transport of a received message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// The peer's address as the socket reports it, independent of any header. IPv4-mapped addresses are
    /// converted to IPv4.
    pub source: SocketAddr,
    /// The address that the peer sent to.
    pub local: SocketAddr,
    /// The transport on which it arrived: UDP, TCP or TLS.
    pub transport: Transport,
}

/// The library passes nothing along with a message, so its arrival is stored in a header. No message from the
/// network can have a header of this name, because a name ends at the first colon.
const ARRIVAL_HEADER: &str = ":arrived";
/// The header with the Request-URI as received: the library splits it and escapes its parts again.
const REQUEST_URI_HEADER: &str = ":request-uri";

impl Arrival {
    /// Stores the arrival, and the Request-URI as received, in headers of the request.
    pub(crate) fn mark(&self, request: &mut Request, uri: &[u8]) {
        let value = format!("{} {} {}", self.transport, self.source, self.local);
        request.headers.push(Header::Other(ARRIVAL_HEADER.to_owned(), value));
        let uri = String::from_utf8_lossy(uri).into_owned();
        request.headers.push(Header::Other(REQUEST_URI_HEADER.to_owned(), uri));
    }

    /// The Request-URI as received; `None` for a request that was not received by this crate.
    pub fn request_uri(request: &Request) -> Option<&str> {
        request.headers.iter().find_map(|header| match header {
            Header::Other(name, value) if name == REQUEST_URI_HEADER => Some(value.as_str()),
            _ => None,
        })
    }

    /// The arrival of a request that was received by this crate; `None` for any other request.
    pub fn of(request: &Request) -> Option<Self> {
        let stored = request.headers.iter().filter_map(|header| match header {
            Header::Other(name, value) if name == ARRIVAL_HEADER => Some(value.as_str()),
            _ => None,
        });
        let value = stored.last()?;
        let mut words = value.split(' ');
        let transport = match words.next()? {
            "TCP" => Transport::Tcp,
            "TLS" => Transport::Tls,
            _ => Transport::Udp,
        };
        let (source, local) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        Some(Self { source, local, transport })
    }

    /// The source address in the library's type.
    pub(crate) fn peer(&self) -> SipAddr {
        SipAddr { r#type: Some(self.transport), addr: self.source.into() }
    }
}

/// Converts an IPv4-mapped address, which a socket of both families reports, to IPv4.
pub(crate) fn canonical(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V6(v6) => match v6.ip().to_ipv4_mapped() {
            Some(v4) => SocketAddr::new(v4.into(), v6.port()),
            None => address,
        },
        SocketAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use rsipstack::sip::SipMessage;

    use super::*;

    #[test]
    fn the_arrival_of_a_request_is_stored_in_a_header_that_no_peer_can_send() {
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
            arrival.mark(&mut request, b"sip:1;x@h");
            assert_eq!(Arrival::of(&request), Some(arrival));
            assert_eq!(Arrival::request_uri(&request), Some("sip:1;x@h"));
        }
    }

    #[test]
    fn a_mapped_address_is_converted_to_ipv4() {
        let converted = |text: &str| canonical(text.parse().unwrap()).to_string();
        assert_eq!(converted("[::ffff:192.0.2.1]:5"), "192.0.2.1:5");
        assert_eq!(
            [converted("[2001:db8::1]:5"), converted("192.0.2.1:5")],
            ["[2001:db8::1]:5", "192.0.2.1:5"]
        );
    }
}
