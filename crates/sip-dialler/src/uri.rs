//! The parts of a SIP URI that are needed to send a request to it. The URI itself is kept as text.

use rsipstack::sip::Transport;
use trunk_rules::outbound::SipUri;

use crate::egress::Egress;

/// A URI that requests can be sent to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// The URI without parameters and headers, as in `To`.
    pub(crate) to: String,
    /// A host name, or an address without brackets.
    pub(crate) host: String,
    pub(crate) port: Option<u16>,
    pub(crate) transport: Transport,
    /// Whether it is a `sips:` URI.
    pub(crate) secure: bool,
    /// The addresses that a request may be sent to.
    pub(crate) egress: Egress,
}

impl Target {
    /// Parses a `sip:` or `sips:` URI; `None` if it is invalid, has an unsupported transport, or contains
    /// characters that are not allowed in a request line.
    pub(crate) fn parse(uri: &str, egress: Egress) -> Option<Self> {
        let uri = SipUri::parse(uri)?;
        let secure = uri.secure;
        let transport = match uri.parameter("transport").map(str::to_ascii_lowercase).as_deref() {
            // A sips URI with `transport=tcp` means TLS over TCP (RFC 3261 §26.2.2).
            None | Some("tcp" | "tls") if secure => Transport::Tls,
            None | Some("udp") if !secure => Transport::Udp,
            Some("tcp") => Transport::Tcp,
            Some("tls") => Transport::Tls,
            _ => return None,
        };
        let (to, host) = (uri.who.to_owned(), uri.host.to_owned());
        Some(Self { to, host, port: uri.port, transport, secure, egress })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(uri: &str) -> (String, Option<u16>, Transport, bool) {
        let target = Target::parse(uri, Egress::Anywhere).unwrap_or_else(|| panic!("{uri}"));
        (target.host, target.port, target.transport, target.secure)
    }

    #[test]
    fn host_port_and_transport_are_read_from_a_uri() {
        let host = || "carrier.example.com".to_owned();
        for (uri, port, transport, secure) in [
            ("sip:0011+15551234#@carrier.example.com;transport=udp", None, Transport::Udp, false),
            ("sip:1@carrier.example.com", None, Transport::Udp, false),
            ("SIP:1@carrier.example.com:5070;lr;Transport=TCP", Some(5070), Transport::Tcp, false),
            ("sip:carrier.example.com;transport=tls?X=1", None, Transport::Tls, false),
            ("sips:1;npdi=yes@carrier.example.com:5061", Some(5061), Transport::Tls, true),
            ("sips:1@carrier.example.com;transport=tcp", None, Transport::Tls, true),
        ] {
            assert_eq!(target(uri), (host(), port, transport, secure), "{uri}");
        }
        assert_eq!(target("sip:1@[::1]:5070"), ("::1".to_owned(), Some(5070), Transport::Udp, false));
        assert_eq!(target("sip:1@[::1]"), ("::1".to_owned(), None, Transport::Udp, false));
        let to = |uri| Target::parse(uri, Egress::Anywhere).unwrap().to;
        assert_eq!(to("sip:0011+1#@h:5070;transport=tcp"), "sip:0011+1#@h:5070");
    }

    #[test]
    fn a_uri_that_cannot_be_dialled_is_rejected() {
        for uri in [
            "",
            "tel:+15551234",
            "sip:",
            "sip:1@",
            "sip:1@h:0",
            "sip:1@h:99999",
            "sip:1@h;transport=ws",
            "sips:1@h;transport=udp",
            "sip:1 2@h",
            "sip:1@h\r\nX: 1",
            "sip:<1@h>",
            "sip:1@[::1",
        ] {
            assert_eq!(Target::parse(uri, Egress::Anywhere), None, "{uri}");
        }
    }
}
