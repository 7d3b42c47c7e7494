//! Parses the parts of a SIP URI that determine its destination.
//!
//! The decision on a destination and the dialler both parse the text with this type, so that they cannot
//! disagree about its host. The URI text itself is not changed.

use std::net::IpAddr;

/// A parsed `sip:` or `sips:` URI.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SipUri<'a> {
    /// Whether it is a `sips:` URI.
    pub secure: bool,
    /// The URI without parameters and headers.
    pub who: &'a str,
    /// A host name, or an address without brackets; never empty.
    pub host: &'a str,
    /// The port, if the URI has one.
    pub port: Option<u16>,
    /// The rest: `;name=value` parameters, and headers after a `?`.
    pub rest: &'a str,
}

impl<'a> SipUri<'a> {
    /// Parses a URI; returns `None` if it is invalid or cannot be sent in a request unchanged.
    pub fn parse(uri: &'a str) -> Option<Self> {
        if uri.bytes().any(|byte| !byte.is_ascii_graphic() || b"<>\"".contains(&byte)) {
            return None;
        }
        let (scheme, after) = uri.split_once(':')?;
        let secure = scheme.eq_ignore_ascii_case("sips");
        if !secure && !scheme.eq_ignore_ascii_case("sip") {
            return None;
        }
        let host_part = after.split_once('@').map_or(after, |(_, host_part)| host_part);
        let end = host_part.find([';', '?']).unwrap_or(host_part.len());
        let (address, rest) = host_part.split_at_checked(end)?;
        let (host, port) = host_and_port(address)?;
        Some(Self { secure, who: uri.strip_suffix(rest)?, host, port, rest })
    }

    /// Returns a parameter's value. Names are compared without regard to case.
    pub fn parameter(&self, name: &str) -> Option<&'a str> {
        let parameters = self.rest.split('?').next().unwrap_or_default();
        let mut named = parameters.split(';').filter_map(|parameter| parameter.split_once('='));
        named.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// Splits `host`, `host:port`, `[address]` or `[address]:port`.
pub fn host_and_port(text: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']')?;
            (host, if after.is_empty() { None } else { Some(after.strip_prefix(':')?) })
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let port = match port {
        None => None,
        Some(port) => Some(port.parse().ok().filter(|port| *port != 0)?),
    };
    (!host.is_empty()).then_some((host, port))
}

/// Returns a host in the form for comparisons: lower case, without a trailing dot, addresses in canonical
/// form.
pub fn canonical_host(host: &str) -> String {
    let host = host.trim_start_matches('[').trim_end_matches([']', '.']);
    match host.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().to_string(),
        Err(_) => host.to_ascii_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_uri_is_read_in_its_parts() {
        let uri = SipUri::parse("SIPS:1;npdi=yes@Carrier.example.com:5061;lr;Transport=TLS?X=1;Y=2").unwrap();
        assert_eq!((uri.secure, uri.host, uri.port), (true, "Carrier.example.com", Some(5061)));
        assert_eq!(uri.who, "SIPS:1;npdi=yes@Carrier.example.com:5061");
        assert_eq!(
            (uri.parameter("transport"), uri.parameter("Y"), uri.parameter("lr")),
            (Some("TLS"), None, None)
        );
        let bare = SipUri::parse("sip:[::1]").unwrap();
        assert_eq!((bare.host, bare.port, bare.who, bare.rest), ("::1", None, "sip:[::1]", ""));
    }

    #[test]
    fn an_invalid_uri_is_refused() {
        for uri in [
            "",
            "tel:+1",
            "sip:",
            "sip:1@",
            "sip:1@h:0",
            "sip:1@h:99999",
            "sip:1 2@h",
            "sip:<1@h>",
            "sip:1@[::1",
        ] {
            assert_eq!(SipUri::parse(uri), None, "{uri}");
        }
    }

    #[test]
    fn hosts_that_are_the_same_are_compared_as_one() {
        for host in ["Carrier.Example.com", "carrier.example.com.", "CARRIER.EXAMPLE.COM.."] {
            assert_eq!(canonical_host(host), "carrier.example.com");
        }
        for host in ["2001:DB8::1", "[2001:db8:0:0::1]", "2001:db8::0001"] {
            assert_eq!(canonical_host(host), "2001:db8::1");
        }
        assert_eq!(canonical_host("::ffff:192.0.2.1"), canonical_host("192.0.2.1"));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,24}", uri in "sips?:[a@:;.?=%\\[\\]0-9é]{0,24}") {
            for text in [&text, &uri] {
                if let Some(read) = SipUri::parse(text) {
                    prop_assert!(!read.host.is_empty());
                    prop_assert_eq!(format!("{}{}", read.who, read.rest), text.as_str());
                }
                let once = canonical_host(text);
                prop_assert_eq!(canonical_host(&once), once);
            }
        }
    }
}
