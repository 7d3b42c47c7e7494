//! The addresses and the transport with which a message arrived.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

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

/// The library passes nothing along with a message, so its arrival is stored in a header, and behind it the Request-URI as
/// received, whose parts the library separates and escapes again. No message from the network can have a header of this name,
/// because a name ends at the first colon.
const ARRIVAL_HEADER: &str = ":arrived";

/// The bytes of an address in the header: a letter for its family, and the digits of the IP address and the port, of IPv6 also
/// those of the scope.
const V4_BYTES: usize = 1 + 8 + 4;
const V6_BYTES: usize = 1 + 32 + 8 + 4;

impl Arrival {
    /// Stores the arrival, and the Request-URI as received, in a header of the request.
    pub(crate) fn mark(&self, request: &mut Request, uri: &[u8]) {
        // Digits of fixed width: what the standard library writes and reads of an address takes several times as long.
        let bytes = |address: SocketAddr| if address.is_ipv4() { V4_BYTES } else { V6_BYTES };
        let mut value = String::with_capacity(1 + bytes(self.source) + bytes(self.local) + uri.len());
        value.push(match self.transport {
            Transport::Tcp => 'T',
            Transport::Tls => 'S',
            _ => 'U',
        });
        write_address(&mut value, self.source);
        write_address(&mut value, self.local);
        value.push_str(&String::from_utf8_lossy(uri));
        request.headers.push(Header::Other(ARRIVAL_HEADER.to_owned(), value));
    }

    /// The Request-URI as received; `None` for a request that was not received by this crate.
    pub fn request_uri(request: &Request) -> Option<&str> {
        after_address(after_address(stored(request)?.get(1..)?)?)
    }

    /// The arrival of a request that was received by this crate; `None` for any other request.
    pub fn of(request: &Request) -> Option<Self> {
        let (transport, rest) = stored(request)?.split_at_checked(1)?;
        let transport = match transport {
            "T" => Transport::Tcp,
            "S" => Transport::Tls,
            _ => Transport::Udp,
        };
        let (source, local) = (read_address(rest)?, read_address(after_address(rest)?)?);
        Some(Self { source, local, transport })
    }

    /// The source address in the library's type.
    pub(crate) fn peer(&self) -> SipAddr {
        SipAddr { r#type: Some(self.transport), addr: self.source.into() }
    }
}

/// Writes an address as hexadecimal digits of fixed width, behind a letter for its family.
fn write_address(text: &mut String, address: SocketAddr) {
    match address {
        SocketAddr::V4(v4) => {
            text.push('4');
            write_digits(text, &v4.ip().octets());
        }
        SocketAddr::V6(v6) => {
            text.push('6');
            write_digits(text, &v6.ip().octets());
            write_digits(text, &v6.scope_id().to_be_bytes());
        }
    }
    write_digits(text, &address.port().to_be_bytes());
}

fn write_digits(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from(if digit < 10 { b'0' + digit } else { b'a' + digit - 10 }));
        }
    }
}

/// What is stored in a request: the value of the last header that was added.
fn stored(request: &Request) -> Option<&str> {
    request.headers.0.iter().rev().find_map(|header| match header {
        Header::Other(name, value) if name == ARRIVAL_HEADER => Some(value.as_str()),
        _ => None,
    })
}

/// What follows the address that begins a text.
fn after_address(text: &str) -> Option<&str> {
    let length = if text.starts_with('4') { V4_BYTES } else { V6_BYTES };
    text.get(length..)
}

/// Reads the address that begins a text.
fn read_address(text: &str) -> Option<SocketAddr> {
    let port = |digits: &str| u16::from_str_radix(digits, 16).ok();
    if text.starts_with('4') {
        let ip = u32::from_str_radix(text.get(1..9)?, 16).ok()?;
        return Some(SocketAddr::new(Ipv4Addr::from(ip).into(), port(text.get(9..V4_BYTES)?)?));
    }
    let ip = u128::from_str_radix(text.get(1..33)?, 16).ok()?;
    let scope = u32::from_str_radix(text.get(33..41)?, 16).ok()?;
    Some(SocketAddrV6::new(Ipv6Addr::from(ip), port(text.get(41..V6_BYTES)?)?, 0, scope).into())
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
        let stored = "T4c0000201000a4c00002020014";
        let text = format!(
            "OPTIONS sip:x SIP/2.0\r\n:arrived: {stored}sip:y\r\n :arrived: {stored}\r\nVia: SIP/2.0/UDP a\r\n\r\n"
        );
        let Ok(SipMessage::Request(mut request)) = SipMessage::try_from(text.as_bytes()) else {
            panic!("{text}")
        };
        assert_eq!((Arrival::of(&request), Arrival::request_uri(&request)), (None, None));
        for (transport, source, local) in [
            (Transport::Udp, "198.51.100.7:5060", "0.0.0.0:65535"),
            (Transport::Tcp, "255.254.0.1:1", "192.0.2.1:5060"),
            (Transport::Tls, "[2001:db8::7]:9", "[::1]:5061"),
            (Transport::Udp, "[fe80::1%4294967295]:9", "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff%3]:0"),
        ] {
            let arrival =
                Arrival { source: source.parse().unwrap(), local: local.parse().unwrap(), transport };
            arrival.mark(&mut request, b"sip:1;x@h\xe9");
            assert_eq!(Arrival::of(&request), Some(arrival));
            assert_eq!(Arrival::request_uri(&request), Some("sip:1;x@h\u{fffd}"));
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
