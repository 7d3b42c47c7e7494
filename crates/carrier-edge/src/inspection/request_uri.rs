//! The syntax of a Request-URI (RFC 3261 §19.1.1). Its number is read by `trunk_rules`.

use super::Malformed;

/// Why a Request-URI is refused; `None` if its syntax is accepted.
pub(crate) fn malformed(uri: &str) -> Option<Malformed> {
    let scheme = uri.split_once(':').map_or("", |(scheme, _)| scheme);
    let is = |known: &str| scheme.eq_ignore_ascii_case(known);
    // A text with brackets or quotes is not a URI of another scheme.
    if uri.bytes().any(|byte| matches!(byte, b'<' | b'>' | b'"') || byte.is_ascii_whitespace()) {
        return Some((400, "the Request-URI has brackets, quotes or blanks"));
    }
    if is("tel") {
        return None;
    }
    if !is("sip") && !is("sips") {
        return Some((416, "the Request-URI is not a sip:, sips: or tel: URI"));
    }
    let rest = uri.get(scheme.len() + 1..).unwrap_or_default();
    let address = rest.rsplit_once('@').map_or(rest, |(_, address)| address);
    if address.contains('?') {
        return Some((400, "the Request-URI has headers, which only a Contact or a link may have"));
    }
    let host = address.split(';').next().unwrap_or_default();
    (!is_host_with_port(host)).then_some((400, "the Request-URI has no valid host and port"))
}

/// Whether a text is a host with or without a port. An IPv6 address needs brackets, without which its end could
/// be a port (RFC 5118 §4.2). Names are not checked.
fn is_host_with_port(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((host, "")) => (host, None),
            Some((host, port)) => (host, Some(port.strip_prefix(':').unwrap_or(""))),
            None => return false,
        },
        None => text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
    };
    !host.is_empty()
        && port
            .is_none_or(|port| port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_uri_has_a_known_scheme_and_a_host_but_neither_brackets_nor_headers() {
        for valid in [
            "sip:user@h;transport=tcp",
            "SIPS:a?b/c@h:5061",
            "tel:+44-20;phone-context=x",
            "sip:[::1]:5060",
            "sip:u@[2001:db8:::192.0.2.1];lr",
            "sip:1:secret@h:5060",
        ] {
            assert_eq!(malformed(valid), None, "{valid}");
        }
        for invalid in [
            "<sip:a@h>",
            "\"sip:a@h\"",
            "sip:a b@h",
            "sip:a@h?Route=x",
            "sip:h?x=y",
            "sip:2001:db8::10",
            "sip:a@[::1",
            "sip:a@[::1]5060",
            "sip:a@h:",
            "sip:a@h:65536",
            "sip:a@",
        ] {
            assert_eq!(malformed(invalid).map(|(code, _)| code), Some(400), "{invalid}");
        }
        for other in ["soap.beep://192.0.2.103:3002", "isbn:2983792873", "h", ""] {
            assert_eq!(malformed(other).map(|(code, _)| code), Some(416), "{other}");
        }
    }
}
