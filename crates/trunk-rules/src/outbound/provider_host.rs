//! The hostname of a provider: where its calls and its health checks are sent.
//!
//! One parser reads it for the API (which refuses what it cannot read), for calls, for health checks and for the
//! hosts that SIP destinations must not name, so that they cannot disagree about the host, the port or the transport.
//! No name is resolved here.

use std::net::{IpAddr, Ipv6Addr};

/// The longest host name in bytes (RFC 1035 §2.3.4).
const MAX_NAME_BYTES: usize = 253;

/// The transport of a provider's calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SipTransport {
    /// UDP, the default of a hostname without `transport`.
    Udp,
    /// TCP.
    Tcp,
    /// TLS over TCP, the transport of every `sips:` hostname.
    Tls,
}

impl SipTransport {
    /// The value of the URI parameter `transport`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
        }
    }
}

/// A parsed hostname, of the form `[sip:|sips:]host[:port][;transport=udp|tcp|tls]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProviderHost<'a> {
    /// Whether the hostname begins with `sips:`. Then [`transport`](Self::transport) is TLS.
    pub secure: bool,
    /// A host name, or an address without brackets; never empty.
    pub host: &'a str,
    /// The port, if the hostname has one; never 0.
    pub port: Option<u16>,
    /// The transport: the parameter's, TLS after `sips:`, and otherwise UDP.
    pub transport: SipTransport,
}

/// Why a hostname is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostnameError {
    /// There is no host, as in an empty text or in `sip:`.
    #[error("hostname is empty: it must name the carrier's host")]
    Empty,
    /// The hostname has a user part.
    #[error("hostname must not contain a user part (the text before @): the called number takes its place")]
    User,
    /// The scheme is neither `sip:` nor `sips:`.
    #[error("hostname must not begin with {0:?}: the schemes are sip: and sips:")]
    Scheme(String),
    /// The host is neither a name nor an address.
    #[error(
        "hostname contains {0:?}, which is neither a host name nor an IP address; an IPv6 address is written in [ ]"
    )]
    Host(String),
    /// The port is not a number from 1 to 65535.
    #[error("hostname has the port {0:?}: a port is a number from 1 to 65535")]
    Port(String),
    /// The value of `transport` is none of udp, tcp and tls.
    #[error("hostname has the transport {0:?}: the transports are udp, tcp and tls")]
    Transport(String),
    /// `sips:` demands TLS and `transport=udp` excludes it.
    #[error("hostname demands TLS with sips: and transport=udp at once")]
    SecureUdp,
    /// A parameter that has no meaning here, or the transport twice.
    #[error("hostname has the parameter {0:?}: the only one is transport, once")]
    Parameter(String),
    /// The hostname has URI headers.
    #[error("hostname must not contain headers (the text after ?): tech_headers holds them")]
    Headers,
}

impl<'a> ProviderHost<'a> {
    /// Parses a hostname. Schemes, parameter names and transports are compared without regard to case.
    ///
    /// # Errors
    /// [`HostnameError`], which states what is permitted.
    pub fn parse(hostname: &'a str) -> Result<Self, HostnameError> {
        if hostname.is_empty() {
            return Err(HostnameError::Empty);
        }
        if hostname.parse::<Ipv6Addr>().is_ok() {
            return Ok(Self { secure: false, host: hostname, port: None, transport: SipTransport::Udp });
        }
        let (secure, rest) = scheme(hostname)?;
        if rest.contains('@') {
            return Err(HostnameError::User);
        }
        if rest.contains('?') {
            return Err(HostnameError::Headers);
        }
        let (address, parameters) = match rest.split_once(';') {
            Some((address, parameters)) => (address, Some(parameters)),
            None => (rest, None),
        };
        if address.is_empty() {
            return Err(HostnameError::Empty);
        }
        let (host, port) = host_and_port(address)?;
        let named = parameters.map_or(Ok(None), transport)?;
        let transport = match (secure, named) {
            (true, Some(SipTransport::Udp)) => return Err(HostnameError::SecureUdp),
            (true, _) => SipTransport::Tls,
            (false, named) => named.unwrap_or(SipTransport::Udp),
        };
        Ok(Self { secure, host, port, transport })
    }

    /// The host with brackets around an IPv6 address, and the port if there is one.
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.to_owned() };
        match self.port {
            Some(port) => format!("{host}:{port}"),
            None => host,
        }
    }

    /// The URI of a user at this host. The transport of a `sips:` URI is written as `tcp`, since TLS follows from the
    /// scheme (RFC 3261 §26.2.2).
    pub fn uri(&self, user: &str) -> String {
        let (scheme, transport) =
            if self.secure { ("sips", SipTransport::Tcp) } else { ("sip", self.transport) };
        format!("{scheme}:{user}@{};transport={}", self.authority(), transport.as_str())
    }
}

/// The longest part of a hostname that an error repeats, in characters.
const MAX_EXCERPT: usize = 80;

/// The beginning of a part of a hostname, for an error.
fn excerpt(text: &str) -> String {
    text.chars().take(MAX_EXCERPT).collect()
}

/// Splits off the scheme, and returns whether it is `sips:`.
fn scheme(hostname: &str) -> Result<(bool, &str), HostnameError> {
    let Some((word, rest)) = hostname.split_once(':') else { return Ok((false, hostname)) };
    if word.eq_ignore_ascii_case("sip") {
        return Ok((false, rest));
    }
    if word.eq_ignore_ascii_case("sips") {
        return Ok((true, rest));
    }
    let foreign = ["tel", "http", "https", "udp", "tcp", "tls"];
    if foreign.iter().any(|known| word.eq_ignore_ascii_case(known)) {
        return Err(HostnameError::Scheme(format!("{word}:")));
    }
    Ok((false, hostname))
}

fn host_and_port(address: &str) -> Result<(&str, Option<u16>), HostnameError> {
    let foreign = |text: &str| HostnameError::Host(excerpt(text));
    let (host, port) = match address.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']').ok_or_else(|| foreign(address))?;
            host.parse::<Ipv6Addr>().map_err(|_| foreign(host))?;
            let port = if after.is_empty() {
                None
            } else {
                Some(after.strip_prefix(':').ok_or_else(|| foreign(address))?)
            };
            (host, port)
        }
        None if address.parse::<Ipv6Addr>().is_ok() => return Ok((address, None)),
        None => match address.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (address, None),
        },
    };
    if host.parse::<IpAddr>().is_err() && !is_name(host) {
        return Err(foreign(host));
    }
    let port = match port {
        None => None,
        Some(text) => {
            // Parsing a number would also accept a plus sign.
            let number = text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten();
            let number = number.filter(|port| *port > 0);
            Some(number.ok_or_else(|| HostnameError::Port(excerpt(text)))?)
        }
    };
    Ok((host, port))
}

/// Whether a text is a host name: labels of letters, digits, hyphens and underscores. One dot may follow. A name whose
/// last label consists of digits would be an address that is not valid.
fn is_name(text: &str) -> bool {
    let name = text.strip_suffix('.').unwrap_or(text);
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    let last = name.rsplit('.').next().unwrap_or_default();
    name.len() <= MAX_NAME_BYTES
        && name.split('.').all(label)
        && !last.bytes().all(|byte| byte.is_ascii_digit())
}

/// The transport that parameters name.
fn transport(parameters: &str) -> Result<Option<SipTransport>, HostnameError> {
    let mut found = None;
    for parameter in parameters.split(';') {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        if !name.eq_ignore_ascii_case("transport") || found.is_some() {
            return Err(HostnameError::Parameter(excerpt(parameter)));
        }
        let transports = [SipTransport::Udp, SipTransport::Tcp, SipTransport::Tls];
        let named = transports.into_iter().find(|known| value.eq_ignore_ascii_case(known.as_str()));
        found = Some(named.ok_or_else(|| HostnameError::Transport(excerpt(value)))?);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn uri(hostname: &str) -> String {
        ProviderHost::parse(hostname).map_or_else(|why| why.to_string(), |host| host.uri("1"))
    }

    #[test]
    fn every_form_of_a_hostname_means_one_destination() {
        for (hostname, expected) in [
            ("uas.test", "sip:1@uas.test;transport=udp"),
            ("uas.test.", "sip:1@uas.test.;transport=udp"),
            ("uas.test;transport=tcp", "sip:1@uas.test;transport=tcp"),
            ("uas.test:5080;Transport=TLS", "sip:1@uas.test:5080;transport=tls"),
            ("sip:uas.test", "sip:1@uas.test;transport=udp"),
            ("SIP:uas.test:5070;transport=tcp", "sip:1@uas.test:5070;transport=tcp"),
            ("sips:uas.test", "sips:1@uas.test;transport=tcp"),
            ("sips:uas.test;transport=tls", "sips:1@uas.test;transport=tcp"),
            ("198.51.100.7:5060", "sip:1@198.51.100.7:5060;transport=udp"),
            ("[2001:db8::7]", "sip:1@[2001:db8::7];transport=udp"),
            ("sip:[2001:db8::7]:5080;transport=tcp", "sip:1@[2001:db8::7]:5080;transport=tcp"),
            ("2001:db8::7", "sip:1@[2001:db8::7];transport=udp"),
            ("sip:2001:db8::7;transport=tcp", "sip:1@[2001:db8::7];transport=tcp"),
            ("carrier", "sip:1@carrier;transport=udp"),
            ("tcp.example.com:5060", "sip:1@tcp.example.com:5060;transport=udp"),
        ] {
            assert_eq!(uri(hostname), expected, "{hostname}");
        }
    }

    #[test]
    fn a_hostname_that_cannot_be_dialled_is_refused_with_the_reason() {
        for (hostname, part) in [
            ("", "is empty"),
            ("sip:", "is empty"),
            (";transport=tcp", "is empty"),
            ("1@uas.test", "user part"),
            ("sip:1@uas.test", "user part"),
            ("tel:+15551234", "\"tel:\""),
            ("https://uas.test", "\"https:\""),
            ("sip://uas.test", "neither a host name"),
            ("uas test", "neither a host name"),
            ("uas.test ", "neither a host name"),
            ("uas..test", "neither a host name"),
            ("192.0.2.300", "neither a host name"),
            ("[uas.test]", "neither a host name"),
            ("[::1", "neither a host name"),
            ("<sip:uas.test>", "neither a host name"),
            ("uas.test\r\nX: 1", "neither a host name"),
            ("uas.test:0", "from 1 to 65535"),
            ("uas.test:+5060", "from 1 to 65535"),
            ("uas.test:65536", "from 1 to 65535"),
            ("uas.test;transport=ws", "\"ws\""),
            ("uas.test;transport", "\"\""),
            ("uas.test;lr", "\"lr\""),
            ("uas.test;transport=tcp;transport=tls", "once"),
            ("sips:uas.test;transport=udp", "at once"),
            ("uas.test?X=1", "tech_headers"),
        ] {
            let why = uri(hostname);
            assert!(why.starts_with("hostname") && why.contains(part), "{hostname:?}: {why}");
        }
    }

    proptest! {
        #[test]
        fn what_is_accepted_has_a_host_and_makes_a_uri_with_it(text in "\\PC{0,20}|(sips?:)?[a-z0-9.:;=@?\\[\\] -]{0,20}") {
            if let Ok(host) = ProviderHost::parse(&text) {
                let uri = host.uri("1");
                let read = super::super::SipUri::parse(&uri);
                prop_assert_eq!(read.map(|read| (read.host, read.port, read.secure)), Some((host.host, host.port, host.secure)));
                prop_assert_eq!(uri.matches('@').count(), 1);
            }
        }
    }
}
