//! INVITEs and CANCELs outside of dialogs in the plain form that most clients write, read without the SIP library.
//!
//! A request that is read here is read by the library too, with the same parts, and is well-formed (RFC 3261 §8.2).
//! Others, which may be as valid, are left to the library: those with a folded or unusual line, or with a header on which
//! more depends than on what is read here. The fuzz target `sip_message` reads each message in both ways.

use std::borrow::Cow;
use std::net::{SocketAddr, SocketAddrV4};

use crate::{Head, body_of_datagram, stamped};

/// The most bytes of a head.
const MAX_HEAD_BYTES: usize = 4_096;
/// The most bytes of a `Call-ID`, which is kept whole everywhere.
const MAX_CALL_ID_BYTES: usize = 128;
/// The number in `CSeq` must be below this (RFC 3261 §8.1.1.5).
const SEQUENCE_LIMIT: u32 = 1 << 31;

/// The headers that each response repeats (RFC 3261 §8.2.6.2), with their compact names.
const REPEATED: [[&str; 2]; 5] = [["Via", "v"], ["From", "f"], ["To", "t"], ["Call-ID", "i"], ["CSeq", ""]];
/// The other headers that may occur once (RFC 3261 §7.3.1).
const ONCE: [&str; 5] = ["Max-Forwards", "Expires", "Session-Expires", "Min-SE", "RAck"];
/// The headers with which a request is decided on or answered in another way. `x` is `Session-Expires`.
const NOT_PLAIN: [&str; 4] = ["Authorization", "Proxy-Authorization", "Timestamp", "x"];

/// An INVITE or CANCEL outside of a dialog, in the plain form that most clients write: at most 4,096 bytes of ASCII before
/// the body, no folded line, and neither credentials nor a `Timestamp`.
#[derive(Debug)]
pub struct PlainRequest<'a> {
    /// `INVITE` or `CANCEL`.
    pub method: &'a str,
    /// The Request-URI: a user at a host, with or without a port.
    pub uri: &'a str,
    /// The topmost `Via`, as it was sent.
    pub via: &'a str,
    /// The tag in `From`.
    pub remote_tag: &'a str,
    /// The value of `To`, which has no tag.
    pub to: &'a str,
    /// The value of `Call-ID`, of at most 128 bytes.
    pub call_id: &'a str,
    /// The number in `CSeq`, below 2147483648.
    pub number: u32,
    /// The headers that responses repeat, in the order of their lines.
    repeated: Vec<(&'static str, &'a str)>,
}

impl<'a> PlainRequest<'a> {
    /// Reads a datagram; `None` if it is no plain request, or has one of these headers, by which its reader decides.
    #[must_use]
    pub fn of(bytes: &'a [u8], decisive: &[&str]) -> Option<Self> {
        let head = Head::of(bytes)?;
        let length = bytes.len() - head.rest.len();
        if length > MAX_HEAD_BYTES || !bytes.get(..length)?.is_ascii() || !head.has_valid_request_line() {
            return None;
        }
        let [method, uri, version] = head.request()?;
        let (method, uri) = (text(method)?, text(uri)?);
        if !matches!(method, "INVITE" | "CANCEL") || version != b"SIP/2.0" || !is_plain_uri(uri) {
            return None;
        }
        let mut found: [Option<&str>; REPEATED.len()] = [None; REPEATED.len()];
        let mut repeated = Vec::with_capacity(REPEATED.len());
        let mut once: [Option<&str>; ONCE.len()] = [None; ONCE.len()];
        for (name, value) in head.headers() {
            let (name, value) = (text(name)?, text(value)?);
            let is = |known: &str| name.eq_ignore_ascii_case(known);
            let place =
                REPEATED.iter().position(|[long, short]| is(long) || (!short.is_empty() && is(short)));
            if let Some(at) = place {
                let [long, _] = REPEATED.get(at).copied()?;
                let first = found.get_mut(at)?;
                // Further lines of `Via` are those of proxies, of which nothing is read.
                if first.is_none() {
                    *first = Some(value);
                } else if long != "Via" || value.bytes().any(|byte| byte.is_ascii_control()) {
                    return None;
                }
                repeated.push((long, value));
            } else if let Some(at) = ONCE.iter().position(|known| is(known)) {
                if once.get_mut(at)?.replace(value).is_some() {
                    return None;
                }
            } else if NOT_PLAIN.iter().chain(decisive).any(|known| is(known)) {
                return None;
            }
        }
        let [Some(via), Some(from), Some(to), Some(call_id), Some(sequence)] = found else { return None };
        let remote_tag = after_address(from)?.strip_prefix(";tag=")?;
        let (number, of) = sequence.split_once(' ')?;
        let number = number_in(number).filter(|number| *number < SEQUENCE_LIMIT && of == method)?;
        let [hops, ..] = once;
        // Nothing depends on its body, but all of it must be there.
        body_of_datagram(bytes).ok()?;
        let is_plain = is_plain_via(via)
            && is_word(remote_tag)
            && after_address(to)?.is_empty()
            && is_plain_call_id(call_id)
            && hops.is_none_or(|hops| number_in(hops).is_some_and(|hops| hops > 0));
        is_plain.then_some(Self { method, uri, via, remote_tag, to, call_id, number, repeated })
    }

    /// Its `Call-ID`, tag in `From` and number in `CSeq`.
    #[must_use]
    pub fn identity(&self) -> (&'a str, &'a str, u32) {
        (self.call_id, self.remote_tag, self.number)
    }

    /// The lines that a response repeats of it: with its source in the topmost `Via`, and with this `To`.
    #[must_use]
    pub fn repeated(&self, to: &str, source: SocketAddr) -> String {
        let mut lines = String::with_capacity(512);
        let mut is_topmost = true;
        for (name, value) in &self.repeated {
            let value = match *name {
                "Via" if is_topmost => {
                    is_topmost = false;
                    stamped(value, source)
                }
                "To" => Cow::Borrowed(to),
                _ => Cow::Borrowed(*value),
            };
            for part in [*name, ": ", &*value, "\r\n"] {
                lines.push_str(part);
            }
        }
        lines
    }
}

/// Bytes as text.
fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

/// A number that is written as digits alone.
fn number_in(text: &str) -> Option<u32> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

/// Whether a text has letters, digits and few marks alone.
fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
}

/// Whether a `Call-ID` has neither blanks nor the mark of [`NULL_TAG`](sip_transport::NULL_TAG).
fn is_plain_call_id(text: &str) -> bool {
    let is_mark = |byte: u8| byte.is_ascii_graphic() && byte != b'~';
    (1..=MAX_CALL_ID_BYTES).contains(&text.len()) && text.bytes().all(is_mark)
}

/// Whether a URI is a user at a host, with or without a port.
fn is_plain_uri(uri: &str) -> bool {
    let parts = uri.strip_prefix("sip:").and_then(|rest| rest.split_once('@'));
    parts.is_some_and(|(user, address)| {
        let (host, port) = address.split_once(':').unwrap_or((address, "5060"));
        let is_port = !port.is_empty() && number_in(port).is_some_and(|port| u16::try_from(port).is_ok());
        is_word(user.strip_prefix('+').unwrap_or(user)) && is_word(host) && is_port
    })
}

/// What follows the URI of a `From` or `To`; `None` unless the URI is plain and in brackets, behind a plain name in
/// quotes or no name.
fn after_address(value: &str) -> Option<&str> {
    let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || b" +-._".contains(&byte);
    let address = match value.strip_prefix('"') {
        Some(named) => {
            let (name, address) = named.split_once("\" ")?;
            name.bytes().all(is_of_name).then_some(address)?
        }
        None => value,
    };
    let (uri, rest) = address.strip_prefix('<')?.split_once('>')?;
    is_plain_uri(uri).then_some(rest)
}

/// Whether a `Via` line has one value of the form `SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKa`, with `rport` or without
/// it.
fn is_plain_via(line: &str) -> bool {
    let parts = line.strip_prefix("SIP/2.0/UDP ").and_then(|value| value.split_once(';'));
    parts.is_some_and(|(address, parameters)| {
        let mut branches = 0;
        let are_plain = parameters.split(';').all(|parameter| match parameter.strip_prefix("branch=") {
            Some(branch) => {
                branches += 1;
                is_word(branch)
            }
            None => parameter == "rport",
        });
        are_plain && branches == 1 && address.parse::<SocketAddrV4>().is_ok()
    })
}

#[cfg(test)]
mod tests {
    use rsipstack::sip::{Header, SipMessage};

    use super::*;

    const DECISIVE: [&str; 1] = ["X-Decisive"];
    const PLAIN: &str = "INVITE sip:+442079460018@192.0.2.1:5060 SIP/2.0\r\n\
        Via: SIP/2.0/UDP 203.0.113.5:5060;rport;branch=z9hG4bK-1.a\r\nv: SIP/2.0/UDP behind;branch=z9hG4bKb , SIP/2.0/UDP c\r\n\
        f: \"A. Caller\" <sip:100@203.0.113.5>;tag=a-1\r\nTo:   <sip:442079460018@192.0.2.1>  \r\nCALL-ID: 1@203.0.113.5\r\n\
        CSeq: 7 INVITE\r\nmax-forwards: 70\r\nContact: <sip:100@203.0.113.5>\r\nSupported: timer\r\nSupported: 100rel\r\n\
        Content-Length: 4\r\n\r\nbody";

    #[test]
    fn a_plain_request_is_read_as_the_library_reads_it() {
        let request = PlainRequest::of(PLAIN.as_bytes(), &DECISIVE).unwrap();
        assert_eq!((request.method, request.uri), ("INVITE", "sip:+442079460018@192.0.2.1:5060"));
        assert_eq!(request.via, "SIP/2.0/UDP 203.0.113.5:5060;rport;branch=z9hG4bK-1.a");
        assert_eq!(request.to, "<sip:442079460018@192.0.2.1>");
        assert_eq!(request.identity(), ("1@203.0.113.5", "a-1", 7));
        let Ok(SipMessage::Request(parsed)) = SipMessage::try_from(PLAIN.as_bytes()) else {
            panic!("{PLAIN}")
        };
        let is_repeated = |header: &&Header| {
            matches!(
                header,
                Header::Via(_) | Header::From(_) | Header::To(_) | Header::CallId(_) | Header::CSeq(_)
            )
        };
        let lines = parsed.headers.iter().filter(is_repeated);
        let lines: Vec<String> =
            lines.map(|header| format!("{}: {}\r\n", header.name(), header.value())).collect();
        let stamped = lines.concat().replace(";rport;", ";").replacen(
            "z9hG4bK-1.a\r\n",
            "z9hG4bK-1.a;received=203.0.113.5;rport=6000\r\n",
            1,
        );
        let source = "203.0.113.5:6000".parse().unwrap();
        assert_eq!(request.repeated(request.to, source), stamped);
    }

    #[test]
    fn a_request_on_which_more_depends_is_left_to_the_library() {
        for (part, other) in [
            ("INVITE sip", "OPTIONS sip"),
            ("INVITE sip", "INVITE  sip"),
            ("SIP/2.0\r\nVia", "sip/2.0\r\nVia"),
            ("sip:+442079460018@", "tel:+442079460018@"),
            ("sip:+442079460018@", "sip:+442079460018;x=1@"),
            ("192.0.2.1:5060 SIP", "192.0.2.1:65536 SIP"),
            ("192.0.2.1:5060 SIP", "192.0.2.1: SIP"),
            ("192.0.2.1:5060 SIP", "192.0.2.1?x=y SIP"),
            ("203.0.113.5:5060;rport", "host:5060;rport"),
            ("203.0.113.5:5060;rport", "203.0.113.5:5060;maddr=192.0.2.9"),
            (";rport;branch", ";branch=z9hG4bKb;branch"),
            ("branch=z9hG4bK-1.a", "rport"),
            ("z9hG4bK-1.a\r\n", "z9hG4bK-1.a, SIP/2.0/UDP b\r\n"),
            ("z9hG4bK-1.a\r\n", "z9hG4bK-1.a\r\n ;rport\r\n"),
            ("SIP/2.0/UDP c\r\n", "SIP/2.0/UDP c\r\n ;x\r\n"),
            ("\"A. Caller\" ", "\"A\\\" Caller\" "),
            ("\"A. Caller\" ", "Caller "),
            ("\"A. Caller\" ", "\"\u{c4}\" "),
            (";tag=a-1", ""),
            (";tag=a-1", ";tag=~untagged"),
            (";tag=a-1", ";x=1;tag=a-1"),
            ("192.0.2.1>  \r\n", "192.0.2.1>;tag=b\r\n"),
            ("192.0.2.1>  \r\n", "192.0.2.1>\r\nt: <sip:1@h>\r\n"),
            ("CALL-ID: 1@", "CALL-ID: 1 @"),
            ("CALL-ID: 1@", "X: 1@"),
            ("7 INVITE", "7  INVITE"),
            ("7 INVITE", "+7 INVITE"),
            ("7 INVITE", "7 BYE"),
            ("7 INVITE", "2147483648 INVITE"),
            ("max-forwards: 70", "Max-Forwards: 0"),
            ("max-forwards: 70", "Max-Forwards: many"),
            ("max-forwards: 70", "Max-Forwards: 70\r\nMax-Forwards: 70"),
            ("Supported: timer", "Expires: 1\r\nexpires: 1"),
            ("Supported: timer", "Authorization: Digest username=\"a\""),
            ("Supported: timer", "Timestamp: 1"),
            ("Supported: timer", "x-decisive: a"),
            ("Content-Length: 4", "Content-Length: 5"),
            ("Content-Length: 4", "Content-Length: x"),
        ] {
            let text = PLAIN.replacen(part, other, 1);
            assert_ne!(text, PLAIN, "{part}");
            assert!(PlainRequest::of(text.as_bytes(), &DECISIVE).is_none(), "{text}");
        }
        let long = PLAIN.replace("Supported: timer", &format!("X: {}", "x".repeat(MAX_HEAD_BYTES)));
        assert!(PlainRequest::of(long.as_bytes(), &DECISIVE).is_none());
    }
}
