//! The syntax of a `Via` value, as far as a response needs it (RFC 3261 §20.42).

use std::borrow::Cow;
use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr, SocketAddrV4};

use crate::arrival::canonical;

/// The port of a sent-by without one.
const DEFAULT_PORT: u16 = 5060;

/// Whether a `Via` line has only values of the form `protocol/version/transport host;parameters`.
///
/// Host names and parameters are not checked: a response is sent to the source address, whatever they are.
pub(crate) fn is_via(line: &str) -> bool {
    if plain_address(line).is_some() {
        return true;
    }
    parts_outside_quotes(line, ',').all(|value| {
        let sent = parts_outside_quotes(value, ';').next().unwrap_or_default();
        let mut slashes = sent.splitn(3, '/').map(str::trim);
        let (Some(protocol), Some(version), Some(rest)) = (slashes.next(), slashes.next(), slashes.next())
        else {
            return false;
        };
        let mut words = rest.split_ascii_whitespace();
        let has_host = words.next().is_some() && words.next().is_some();
        !protocol.is_empty() && !version.is_empty() && has_host
    })
}

/// The address to which the responses to a datagram with this `Via` line go: always the source's IP address.
///
/// The port is the source's too, except where the first value names the IP address that the datagram came from, and
/// does not ask for the source's port by `rport` (RFC 3581). Such a sender can receive at another port than it sends
/// from, and is answered at the port that it names (RFC 3261 §18.2.2). A sender that names another address is behind
/// address translation, where only its source port leads back to it.
pub fn response_address(line: &str, source: SocketAddr) -> SocketAddr {
    if names_its_source(line, source) {
        return source;
    }
    let first = parts_outside_quotes(line, ',').next().unwrap_or_default();
    let mut parts = parts_outside_quotes(first, ';');
    let named = parts.next().and_then(sent_by);
    let asks_for_source = parts.any(|parameter| {
        parameter.split('=').next().unwrap_or_default().trim().eq_ignore_ascii_case("rport")
    });
    let mut to = source;
    if let Some(named) = named.filter(|named| named.ip() == source.ip() && !asks_for_source) {
        // Only the port: the source's scope leads to a link-local address, and no `Via` has it.
        to.set_port(named.port());
    }
    to
}

/// Whether a `Via` line is [plain](plain_address), and its address and port are those of the source. Nothing is added
/// to such a line.
pub(crate) fn names_its_source(line: &str, source: SocketAddr) -> bool {
    let SocketAddr::V4(source) = source else { return false };
    plain_address(line).is_some_and(|address| address.parse::<SocketAddrV4>() == Ok(source))
}

/// The host and the port of a line with one value of this form alone, which many peers send:
/// `SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKa`.
fn plain_address(line: &str) -> Option<&str> {
    let value = line.strip_prefix("SIP/2.0/UDP ")?;
    // An address has no semicolon. To search for the whole name would prepare a search first.
    let (address, parameters) = value.split_at(value.bytes().position(|byte| byte == b';')?);
    let branch = parameters.strip_prefix(";branch=")?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    let is_address = |byte: u8| is_plain(byte) || byte == b':';
    let has_both = !address.is_empty() && !branch.is_empty();
    (has_both && address.bytes().all(is_address) && branch.bytes().all(is_plain)).then_some(address)
}

/// A `Via` line with the request's source address in its first value (RFC 3261 §18.2.1, RFC 3581 §4).
///
/// An IPv6 address has no brackets there (§25.1, `via-received`): clients drop a response whose `Via` they cannot read.
pub fn stamped(line: &str, source: SocketAddr) -> Cow<'_, str> {
    if names_its_source(line, source) {
        return Cow::Borrowed(line);
    }
    let first = parts_outside_quotes(line, ',').next().unwrap_or_default();
    let others = line.get(first.len()..).unwrap_or_default();
    let mut parameters = parts_outside_quotes(first, ';');
    let by = parameters.next().unwrap_or_default();
    let mut value = by.trim_end().to_owned();
    let mut wants_port = false;
    for parameter in parameters.map(str::trim) {
        let name = parameter.split('=').next().unwrap_or_default().trim_end();
        // Only the receiver sets these: a sender could write the address of any victim.
        if name.eq_ignore_ascii_case("rport") {
            wants_port = true;
        } else if !name.eq_ignore_ascii_case("received") {
            value.push(';');
            value.push_str(parameter);
        }
    }
    if wants_port || sent_by(by).is_none_or(|named| named.ip() != source.ip()) {
        let _infallible = write!(value, ";received={}", source.ip());
        if wants_port {
            let _infallible = write!(value, ";rport={}", source.port());
        }
    }
    value.push_str(others);
    Cow::Owned(value)
}

/// The address in a text such as `SIP/2.0/UDP 192.0.2.1:5080`; `None` for a host name, and for the port 0.
fn sent_by(text: &str) -> Option<SocketAddr> {
    let (_transport, at) = text.splitn(3, '/').nth(2)?.trim().split_once(char::is_whitespace)?;
    let at: Cow<'_, str> = match at.trim() {
        at if at.contains(char::is_whitespace) => Cow::Owned(at.split_whitespace().collect()),
        // Nearly every address has no blanks beside its colon.
        at => Cow::Borrowed(at),
    };
    let address = at.parse::<SocketAddr>().ok().or_else(|| {
        let host = at.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(&at);
        Some(SocketAddr::new(host.parse::<IpAddr>().ok()?, DEFAULT_PORT))
    });
    address.map(canonical).filter(|address| address.port() != 0)
}

/// The parts of a text between separators that are not in quotes.
fn parts_outside_quotes(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |character| {
        if std::mem::take(&mut escaped) {
            return false;
        }
        match character {
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => {}
        }
        character == separator && !quoted
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_goes_to_the_port_of_the_via_only_at_the_source_and_where_the_source_port_is_not_asked_for()
    {
        let answered = |line: &str, source: &str| {
            response_address(line, source.parse().unwrap()).to_string().replace("192.0.2.1:", "")
        };
        for (line, port) in [
            ("SIP/2.0/UDP 192.0.2.1:5080;branch=z9hG4bKa", "5080"),
            ("SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa", "5060"),
            ("SIP / 2.0 / UDP  192.0.2.1 : 5080 ;branch=a, SIP/2.0/UDP 192.0.2.1:7;rport", "5080"),
            ("SIP/2.0/UDP 192.0.2.1:5080;maddr=203.0.113.9;received=203.0.113.9", "5080"),
            ("SIP/2.0/UDP 192.0.2.1:5080;rport;branch=a", "9"),
            ("SIP/2.0/UDP 192.0.2.1:5080;branch=a; RPORT = 5", "9"),
            ("SIP/2.0/UDP 192.168.0.7:5080;branch=a", "9"),
            ("SIP/2.0/UDP pbx.example.com:5080;branch=a", "9"),
            ("SIP/2.0/UDP 192.0.2.1:0;branch=a", "9"),
            ("SIP/2.0/UDP 192.0.2.1:99999;branch=a", "9"),
            ("nonsense", "9"),
        ] {
            assert_eq!(answered(line, "192.0.2.1:9"), port, "{line}");
        }
        for sent_by in ["[2001:db8::1]:5080", "[2001:DB8:0::1]:5080"] {
            let line = format!("SIP/2.0/UDP {sent_by};branch=a");
            assert_eq!(answered(&line, "[2001:db8::1]:9"), "[2001:db8::1]:5080");
        }
        assert_eq!(answered("SIP/2.0/UDP [2001:db8::1]", "[2001:db8::1]:9"), "[2001:db8::1]:5060");
        assert_eq!(answered("SIP/2.0/UDP [fe80::1]:5080", "[fe80::1%3]:9"), "[fe80::1%3]:5080");
    }

    #[test]
    fn only_a_plain_line_with_the_address_of_its_source_needs_no_stamp() {
        let plain = "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK-1.2_a";
        let others = [
            "SIP/2.0/UDP 192.0.2.1:5061;branch=z9hG4bKa",
            "SIP/2.0/UDP 192.0.2.2:5060;branch=z9hG4bKa",
            "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa",
            "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKa;rport",
            "SIP/2.0/UDP 192.0.2.1:5060;rport;branch=z9hG4bKa",
            "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKa;received=203.0.113.1",
            "SIP/2.0/UDP 192.0.2.1:5060;branch=a, SIP/2.0/UDP 192.0.2.1:5060;branch=b",
            "SIP/2.0/UDP 192.0.2.1:5060;branch=",
            "SIP/2.0/UDP 192.0.2.1:5060",
            "SIP/2.0/TCP 192.0.2.1:5060;branch=z9hG4bKa",
            "nonsense",
        ];
        let source: SocketAddr = "192.0.2.1:5060".parse().unwrap();
        assert!(names_its_source(plain, source));
        assert!(!names_its_source(plain, "[2001:db8::1]:5060".parse().unwrap()));
        for line in others {
            assert!(!names_its_source(line, source), "{line}");
        }
    }

    #[test]
    fn a_via_names_the_source_and_no_address_that_its_sender_made_up() {
        let stamp = |via: &str| stamped(via, "198.51.100.7:9".parse().unwrap()).into_owned();
        for (via, expected) in [
            ("SIP/2.0/UDP 198.51.100.7:9;branch=a", "SIP/2.0/UDP 198.51.100.7:9;branch=a"),
            (
                "SIP/2.0/UDP 198.51.100.7:9;received=203.0.113.9;branch=a",
                "SIP/2.0/UDP 198.51.100.7:9;branch=a",
            ),
            ("SIP/2.0/UDP host;rport=1;branch=a", "SIP/2.0/UDP host;branch=a;received=198.51.100.7;rport=9"),
            (
                "SIP/2.0/UDP host;branch=a , SIP/2.0/UDP b;received=203.0.113.9",
                "SIP/2.0/UDP host;branch=a;received=198.51.100.7, SIP/2.0/UDP b;received=203.0.113.9",
            ),
            (
                "SIP/2.0/UDP host;x=\",;received=1\";branch=a",
                "SIP/2.0/UDP host;x=\",;received=1\";branch=a;received=198.51.100.7",
            ),
        ] {
            assert_eq!(stamp(via), expected);
        }
        for by in ["[2001:db8::1]:5060", "pbx.example.com"] {
            let v6 =
                stamped(&format!("SIP/2.0/UDP {by};branch=a;rport"), "[2001:db8::2]:5061".parse().unwrap())
                    .into_owned();
            assert_eq!(v6, format!("SIP/2.0/UDP {by};branch=a;received=2001:db8::2;rport=5061"));
        }
        let same = "SIP/2.0/UDP [2001:DB8:0::2];branch=a";
        assert_eq!(stamped(same, "[2001:db8::2]:5061".parse().unwrap()), same);
    }

    #[test]
    fn each_value_has_a_protocol_a_version_a_transport_and_a_host() {
        for valid in [
            "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKa;rport",
            "SIP / 2.0 / TCP host ; a=\"x;,\" , SIP/2.0/UNKNOWN [2001:db8::1]",
            "SIP/7.0/UDP c.example.com:5060;",
        ] {
            assert!(is_via(valid), "{valid}");
        }
        for invalid in ["", "x", "SIP/2.0/UDP", "SIP/2.0/UDP 192.0.2.15;;,;,,", "SIP/2.0/UDP a,"] {
            assert!(!is_via(invalid), "{invalid}");
        }
    }
}
