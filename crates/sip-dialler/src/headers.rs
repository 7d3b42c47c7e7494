//! Access to header values of received messages.

use std::net::{IpAddr, SocketAddr};

use rsipstack::sip::{Header, Headers, Response};
use sip_transport::tag_of;

/// The values of a header, one for each header line, as they were received.
pub(crate) fn values<'a>(headers: &'a Headers, name: &'a str) -> impl Iterator<Item = &'a str> {
    headers.iter().filter(move |header| header.name().eq_ignore_ascii_case(name)).map(Header::value)
}

/// The value of the first header line of a name.
pub(crate) fn value<'a>(headers: &'a Headers, name: &'a str) -> Option<&'a str> {
    values(headers, name).next()
}

/// Whether a comma-separated header lists a token, such as an option tag. Case is ignored.
pub(crate) fn lists(headers: &Headers, name: &str, word: &str) -> bool {
    values(headers, name)
        .flat_map(|value| value.split(','))
        .any(|listed| listed.trim().eq_ignore_ascii_case(word))
}

/// The number and the method of `CSeq`; `None` if it is missing or invalid.
pub(crate) fn sequence(headers: &Headers) -> Option<(u32, &str)> {
    let mut words = value(headers, "CSeq")?.split_ascii_whitespace();
    Some((words.next()?.parse().ok()?, words.next()?))
}

/// The `To` tag of a response; empty for a far end that does not support tags (RFC 2543).
pub(crate) fn remote_tag(response: &Response) -> &str {
    value(&response.headers, "To").and_then(tag_of).unwrap_or_default()
}

/// Whether the sent-by of a response's first `Via` is this local address (RFC 3261 §18.1.2). Some far ends leave out
/// the default port.
pub(crate) fn is_sent_by(response: &Response, local: SocketAddr) -> bool {
    value(&response.headers, "Via").is_some_and(|via| names(via, local))
}

fn names(via: &str, local: SocketAddr) -> bool {
    const DEFAULT_PORT: u16 = 5060;
    let sent_by = via.split(';').next().and_then(|sent_by| sent_by.split_ascii_whitespace().next_back());
    sent_by.is_some_and(|address| {
        let host = address.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(address);
        address.parse::<SocketAddr>() == Ok(local)
            || local.port() == DEFAULT_PORT && host.parse::<IpAddr>() == Ok(local.ip())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_port_may_be_left_out_of_a_via_and_no_other_one() {
        let is_named = |via: &str, local: &str| names(via, local.parse().unwrap());
        for (via, local) in [
            ("SIP/2.0/UDP 192.0.2.1:5070;branch=a", "192.0.2.1:5070"),
            ("SIP/2.0/UDP 192.0.2.1:5060;branch=a", "192.0.2.1:5060"),
            ("SIP/2.0/UDP 192.0.2.1;branch=a", "192.0.2.1:5060"),
            ("SIP/2.0/TCP [2001:db8::1];branch=a", "[2001:db8::1]:5060"),
        ] {
            assert!(is_named(via, local), "{via}");
        }
        for (via, local) in [
            ("SIP/2.0/UDP 192.0.2.1;branch=a", "192.0.2.1:5070"),
            ("SIP/2.0/UDP 192.0.2.2;branch=a", "192.0.2.1:5060"),
            ("SIP/2.0/UDP host;branch=a", "192.0.2.1:5060"),
            ("", "192.0.2.1:5060"),
        ] {
            assert!(!is_named(via, local), "{via}");
        }
    }
}
