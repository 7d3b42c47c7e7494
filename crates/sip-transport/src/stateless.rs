//! Stateless responses (RFC 3261 §8.2.7): built from the request's bytes alone, without a transaction,
//! retransmission or stored state.
//!
//! The response goes to the source address of the request, which may be forged. It therefore never exceeds
//! the size that the calling code allows: optional headers are left out, and if the rest is still too long,
//! there is no response.

use std::net::SocketAddr;

use crate::head::{Head, unfolded};
use crate::name_addr::tag_of;
use crate::via::stamped;

/// The end of every response: it has no body.
const TAIL: &[u8] = b"Content-Length: 0\r\n\r\n";

/// The status and the headers of a response that are not copied from the request.
#[derive(Debug, Clone, Default)]
pub struct Reply<'a> {
    /// The status code of the response, such as 503.
    pub code: u16,
    /// The reason phrase, which follows the code.
    pub phrase: &'a str,
    /// Headers that come first. If the first of them does not fit, there is no response; the others may be
    /// left out.
    pub needed: Vec<(&'a str, String)>,
    /// Headers that are included as far as they fit, the most useful first.
    pub useful: Vec<(&'a str, String)>,
}

impl<'a> Reply<'a> {
    /// A response without further headers.
    pub fn new(code: u16, phrase: &'a str) -> Self {
        Self { code, phrase, ..Self::default() }
    }

    /// Adds a header that is left out if it does not fit.
    #[must_use]
    pub fn useful(mut self, name: &'a str, value: impl Into<String>) -> Self {
        self.useful.push((name, value.into()));
        self
    }

    /// The response to a request, of at most `max_bytes` bytes. `None` if the message is not a request or is
    /// an ACK, has no `Via`, or if the response does not fit. `tag` is added to a `To` without a tag.
    pub fn to(&self, head: &Head<'_>, source: SocketAddr, tag: &str, max_bytes: usize) -> Option<Vec<u8>> {
        if matches!(head.leading_method()?, b"ACK") {
            return None;
        }
        let mut bytes = Vec::with_capacity(max_bytes.min(1_024));
        let code = self.code.to_string();
        line(&mut bytes, &[b"SIP/2.0 ", code.as_bytes(), b" ", self.phrase.as_bytes()]);
        let mut vias = head.values(["Via", "v"]);
        let first = unfolded(vias.next()?);
        line(&mut bytes, &[b"Via: ", stamped(&String::from_utf8_lossy(&first), source).as_bytes()]);
        for via in vias {
            line(&mut bytes, &[b"Via: ", via]);
        }
        for (long, short) in [("From", "f"), ("To", "t"), ("Call-ID", "i"), ("CSeq", "")] {
            let Some(value) = head.value([long, short]) else { continue };
            if long == "To" && !has_tag(&value) {
                line(&mut bytes, &[b"To: ", &value, b";tag=", tag.as_bytes()]);
            } else {
                line(&mut bytes, &[long.as_bytes(), b": ", &value]);
            }
        }
        let mut room = max_bytes.checked_sub(bytes.len() + TAIL.len())?;
        let needed = self.needed.iter().enumerate().map(|(at, header)| (at == 0, header));
        for (is_needed, (name, value)) in needed.chain(self.useful.iter().map(|header| (false, header))) {
            match room.checked_sub(name.len() + value.len() + 4) {
                Some(left) => {
                    room = left;
                    line(&mut bytes, &[name.as_bytes(), b": ", value.as_bytes()]);
                }
                None if is_needed => return None,
                None => {}
            }
        }
        bytes.extend_from_slice(TAIL);
        Some(bytes)
    }
}

/// Adds a line of these parts.
fn line(bytes: &mut Vec<u8>, parts: &[&[u8]]) {
    for part in parts {
        bytes.extend_from_slice(part);
    }
    bytes.extend_from_slice(b"\r\n");
}

/// Whether a `To` value has a tag.
fn has_tag(value: &[u8]) -> bool {
    std::str::from_utf8(value).is_ok_and(|value| tag_of(value).is_some())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const REQUEST: &[u8] = b"OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;rport;branch=z9hG4bKa, SIP/2.0/UDP b\r\n\
        v: SIP/2.0/UDP c\r\nf: <sip:a@b>;tag=1\r\nTo: \"x;tag=no\" <sip:b;tag=no>\r\ni: 7\r\nCSeq: 1 OPTIONS\r\n\r\n";

    fn source() -> SocketAddr {
        "198.51.100.7:9".parse().unwrap()
    }

    fn text(reply: &Reply<'_>, most: usize) -> Option<String> {
        let bytes = reply.to(&Head::of(REQUEST).unwrap(), source(), "ours", most)?;
        Some(String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn required_headers_are_copied_and_optional_ones_are_included_as_far_as_they_fit() {
        let whole = "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKa;received=198.51.100.7;rport=9, SIP/2.0/UDP b\r\n\
            Via: SIP/2.0/UDP c\r\nFrom: <sip:a@b>;tag=1\r\nTo: \"x;tag=no\" <sip:b;tag=no>;tag=ours\r\nCall-ID: 7\r\n\
            CSeq: 1 OPTIONS\r\nAllow: ACK\r\nServer: s\r\nContent-Length: 0\r\n\r\n";
        let reply = Reply::new(200, "OK").useful("Allow", "ACK").useful("Server", "s");
        assert_eq!(text(&reply, 1_000).as_deref(), Some(whole));
        let shorter = whole.replace("Allow: ACK\r\n", "");
        assert_eq!(
            text(&reply, shorter.len()).as_deref(),
            Some(shorter.as_str()),
            "the first one that fits is included"
        );
        let least = shorter.replace("Server: s\r\n", "");
        assert_eq!(text(&reply, least.len()).as_deref(), Some(least.as_str()));
        assert_eq!(text(&reply, least.len() - 1), None);
    }

    #[test]
    fn without_room_for_the_first_needed_header_there_is_no_response() {
        let mut reply = Reply::new(401, "Unauthorized");
        reply.needed.push(("WWW-Authenticate", "Digest realm=\"r\"".to_owned()));
        let whole = text(&reply, 1_000).unwrap();
        assert!(whole.contains("WWW-Authenticate: Digest realm=\"r\"\r\n"));
        assert_eq!(text(&reply, whole.len()), Some(whole.clone()));
        assert_eq!(text(&reply, whole.len() - 1), None);
    }

    #[test]
    fn an_ack_a_response_and_a_request_without_via_are_not_answered() {
        for bytes in [
            &b"ACK sip:x SIP/2.0\r\nVia: a\r\n\r\n"[..],
            b"SIP/2.0 200 OK\r\nVia: a\r\n\r\n",
            b"OPTIONS sip:x SIP/2.0\r\nFrom: a\r\n\r\n",
        ] {
            let head = Head::of(bytes).unwrap();
            assert_eq!(Reply::new(400, "Bad Request").to(&head, source(), "t", 10_000), None);
        }
    }

    proptest! {
        #[test]
        fn no_response_exceeds_its_maximum(
            lines in proptest::collection::vec("(Via|v|To|From|Call-ID|CSeq|X): [ -~]{0,30}", 0..8),
            max_bytes in 0usize..600,
        ) {
            let bytes = format!("BYE sip:x SIP/2.0\r\nVia: SIP/2.0/UDP a\r\n{}\r\n\r\n", lines.join("\r\n"));
            let head = Head::of(bytes.as_bytes()).unwrap();
            let reply = Reply::new(481, "Call/Transaction Does Not Exist").useful("Server", "server");
            if let Some(response) = reply.to(&head, source(), "tag", max_bytes) {
                prop_assert!(response.len() <= max_bytes);
                prop_assert!(response.ends_with(b"Content-Length: 0\r\n\r\n"));
            }
        }
    }
}
