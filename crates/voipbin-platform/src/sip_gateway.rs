//! The platform's public SIP address.

use std::fmt;
use std::str::FromStr;

/// The platform's public SIP gateway, such as `sip.example.com:5060`: a name with an address record, and a
/// port.
///
/// It is registered at a carrier when a provider is set up there. Nothing here listens on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SipGateway {
    host: String,
    port: u16,
}

/// The text is not a valid [`SipGateway`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{}", Self::RIGHT)]
#[non_exhaustive]
pub struct SipGatewayError;

impl SipGatewayError {
    /// The expected form, for error messages.
    pub const RIGHT: &'static str =
        "give HOST:PORT with a public name and no address, such as sip.example.com:5060";
}

impl SipGateway {
    /// The public host name, which is not an address.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port of SIP, as configured.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl FromStr for SipGateway {
    type Err = SipGatewayError;

    fn from_str(text: &str) -> Result<Self, SipGatewayError> {
        let (host, port) = text.split_once(':').ok_or(SipGatewayError)?;
        // Parsing a number would also accept a plus sign.
        let digits = port.bytes().all(|byte| byte.is_ascii_digit());
        let port = port.parse().ok().filter(|port| digits && *port > 0).ok_or(SipGatewayError)?;
        if !is_public_name(host) {
            return Err(SipGatewayError);
        }
        Ok(Self { host: host.to_owned(), port })
    }
}

/// Whether a text is a host name of two labels or more. The last one must begin with a letter, which excludes
/// IP addresses.
fn is_public_name(host: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last_is_word =
        |(_, last): (&str, &str)| last.starts_with(|letter: char| letter.is_ascii_alphabetic());
    host.len() <= 253 && host.split('.').all(label) && host.rsplit_once('.').is_some_and(last_is_word)
}

impl fmt::Display for SipGateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gateway_is_a_public_name_and_a_port() {
        let gateway: SipGateway = "sip-1.Example.com:5061".parse().unwrap();
        assert_eq!((gateway.host(), gateway.port()), ("sip-1.Example.com", 5061));
        assert_eq!(gateway.to_string(), "sip-1.Example.com:5061");
        for wrong in [
            "",
            "sip.example.com",
            "sip.example.com:",
            "sip.example.com:0",
            "sip.example.com:+5060",
            "sip.example.com:65536",
            ":5060",
            "localhost:5060",
            "198.51.100.7:5060",
            "[2001:db8::1]:5060",
            "sip:sip.example.com:5060",
            "sip_1.example.com:5060",
            "-a.example.com:5060",
            "a..com:5060",
            "a b.com:5060",
            "sip.example.com.:5060",
        ] {
            assert_eq!(wrong.parse::<SipGateway>(), Err(SipGatewayError), "{wrong}");
        }
    }
}
