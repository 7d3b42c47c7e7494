//! The parts of an attempt's INVITE: the Request-URI, the caller and the additional headers.
//!
//! A provider record may contain any text, so a text that would change the dialled address is refused here.
//! SIP itself is sent by the dialler.

use voipbin_types::{Address, Anonymous};

use super::anonymous::hides_caller;
use super::headers::carrier_headers;
use super::provider_host::{HostnameError, ProviderHost};

/// The parts of a provider record that an attempt needs.
#[derive(Debug, Clone, Copy)]
pub struct Provider<'a> {
    /// The carrier's host, as [`ProviderHost`] reads it.
    pub hostname: &'a str,
    /// The text before the number.
    pub tech_prefix: &'a str,
    /// The text after the number.
    pub tech_postfix: &'a str,
    /// Names and values of headers that the provider requires on every INVITE.
    pub tech_headers: &'a [(String, String)],
}

/// The contents of an INVITE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// The request URI, which names the number at the carrier's host.
    pub uri: String,
    /// The display name of `From`, unquoted and without control characters; empty for none.
    pub from_display: String,
    /// The user part of `From`, unescaped: the writer of the URI must escape it. Empty if the call has no
    /// source.
    pub from_user: String,
    /// The additional headers, in order.
    pub headers: Vec<(String, String)>,
}

/// Why an attempt cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DialError {
    /// The provider's hostname cannot be dialled. Only a record of an earlier release, or one without a hostname, has
    /// such a hostname.
    #[error("the provider's {0}")]
    Hostname(#[from] HostnameError),
    /// Prefix, number and postfix do not form a valid user part.
    #[error(
        "tech prefix, number or tech postfix contains a character that is not allowed before the @ of a SIP URI"
    )]
    User,
    /// The destination of type `sip` is not a SIP URI.
    #[error("the destination is not a SIP URI; write user@host or sip:user@host")]
    Uri,
    /// An anonymous call needs a number for `P-Asserted-Identity`.
    #[error("an anonymous call needs a source number that begins with +")]
    AnonymousSource,
}

/// Prepares an attempt at a `tel` destination through a provider.
pub fn to_carrier(
    provider: &Provider<'_>,
    destination: &str,
    source: &Address,
    anonymous: &Anonymous,
) -> Result<Outgoing, DialError> {
    let user = format!("{}{destination}{}", provider.tech_prefix, provider.tech_postfix);
    if user.is_empty() || !user.bytes().all(|byte| is_uri_character(byte) && byte != b'@') {
        return Err(DialError::User);
    }
    let uri = ProviderHost::parse(provider.hostname)?.uri(&user);
    let headers = carrier_headers(provider.tech_headers.iter().map(|(name, value)| (name, value)));
    with_caller(uri, headers, source, anonymous)
}

/// Prepares a call to a `sip` destination, which needs no provider. `sip:` is added if the destination has no
/// scheme.
pub fn to_sip(destination: &str, source: &Address, anonymous: &Anonymous) -> Result<Outgoing, DialError> {
    with_caller(sip_uri(destination)?, Vec::new(), source, anonymous)
}

/// Returns the URI of a `sip` destination.
pub(super) fn sip_uri(destination: &str) -> Result<String, DialError> {
    let address = destination.trim();
    let scheme = address.split_once(':').map_or("", |(scheme, _)| scheme);
    let named = scheme.eq_ignore_ascii_case("sip") || scheme.eq_ignore_ascii_case("sips");
    let uri = if named { address.to_owned() } else { format!("sip:{address}") };
    let (_, rest) = uri.split_once(':').ok_or(DialError::Uri)?;
    if rest.is_empty() || !rest.bytes().all(is_uri_character) {
        return Err(DialError::Uri);
    }
    Ok(uri)
}

/// Whether a byte is printable ASCII that ends neither a URI nor a quoted string.
fn is_uri_character(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"<>\"\\".contains(&byte)
}

fn with_caller(
    uri: String,
    mut headers: Vec<(String, String)>,
    source: &Address,
    anonymous: &Anonymous,
) -> Result<Outgoing, DialError> {
    if !hides_caller(anonymous) {
        let from_display = source.target_name.chars().filter(|character| !character.is_control()).collect();
        return Ok(Outgoing { uri, from_display, from_user: source.target.clone(), headers });
    }
    let number = source.target.strip_prefix('+').ok_or(DialError::AnonymousSource)?;
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit() || b"-.()".contains(&byte)) {
        return Err(DialError::AnonymousSource);
    }
    headers.push(("P-Asserted-Identity".into(), format!("<tel:+{number}>")));
    headers.push(("Privacy".into(), "id".into()));
    Ok(Outgoing { uri, from_display: "Anonymous".into(), from_user: "anonymous".into(), headers })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn provider(hostname: &str) -> Provider<'_> {
        Provider { hostname, tech_prefix: "", tech_postfix: "", tech_headers: &[] }
    }

    fn dial(provider: &Provider<'_>, source: &Address, anonymous: &Anonymous) -> Result<Outgoing, DialError> {
        to_carrier(provider, "+15551234", source, anonymous)
    }

    #[test]
    fn prefix_number_and_postfix_stand_before_the_host() {
        let provider = Provider { tech_prefix: "0011", tech_postfix: "#", ..provider("carrier.example.com") };
        let sent = dial(&provider, &Address::tel("+4420"), &Anonymous::Auto).unwrap();
        assert_eq!(sent.uri, "sip:0011+15551234#@carrier.example.com;transport=udp");
        assert!(sent.headers.is_empty());
    }

    #[test]
    fn the_source_is_shown_with_its_name() {
        let source = Address { target_name: "Al\r\nice".into(), ..Address::tel("+4420") };
        let sent = dial(&provider("a"), &source, &Anonymous::No).unwrap();
        assert_eq!((sent.from_display.as_str(), sent.from_user.as_str()), ("Alice", "+4420"));
        let uri = dial(&provider("a"), &Address::tel("alice@b.example"), &Anonymous::No).unwrap();
        assert_eq!(uri.from_user, "alice@b.example", "it is escaped once, where it is written");
        let none = dial(&provider("a"), &Address::default(), &Anonymous::Auto).unwrap();
        assert_eq!((none.from_display.as_str(), none.from_user.as_str()), ("", ""));
    }

    #[test]
    fn an_anonymous_call_hides_the_number_and_asserts_it() {
        let headers = [("X-A".to_owned(), "1".to_owned()), ("Privacy".to_owned(), "none".to_owned())];
        let provider = Provider { tech_headers: &headers, ..provider("a") };
        let sent = dial(&provider, &Address::tel("+4420"), &Anonymous::Yes).unwrap();
        assert_eq!((sent.from_display.as_str(), sent.from_user.as_str()), ("Anonymous", "anonymous"));
        let expected = [("X-A", "1"), ("P-Asserted-Identity", "<tel:+4420>"), ("Privacy", "id")];
        assert_eq!(sent.headers, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn an_anonymous_call_without_a_number_is_not_made() {
        for target in ["", "4420", "+", "alice", "+1>\r\nX: y"] {
            let sent = dial(&provider("a"), &Address::tel(target), &Anonymous::Yes);
            assert_eq!(sent, Err(DialError::AnonymousSource), "{target:?}");
        }
    }

    #[test]
    fn a_hostname_may_carry_a_scheme_a_port_and_a_transport() {
        for (hostname, uri) in [
            ("a.example:5080", "sip:+15551234@a.example:5080;transport=udp"),
            ("sip:[::1]:5080", "sip:+15551234@[::1]:5080;transport=udp"),
            ("a.example;transport=TLS", "sip:+15551234@a.example;transport=tls"),
            ("sips:a.example", "sips:+15551234@a.example;transport=tcp"),
        ] {
            let sent = dial(&provider(hostname), &Address::default(), &Anonymous::Auto).unwrap();
            assert_eq!(sent.uri, uri);
        }
        let sent = dial(&provider("a b"), &Address::default(), &Anonymous::Auto);
        assert_eq!(sent, Err(DialError::Hostname(HostnameError::Host("a b".into()))));
    }

    #[test]
    fn a_prefix_cannot_change_where_the_call_goes() {
        for tech_prefix in ["x@evil.example", "a b", "<", "é", "\r\n"] {
            let provider = Provider { tech_prefix, ..provider("a") };
            assert_eq!(dial(&provider, &Address::default(), &Anonymous::Auto), Err(DialError::User));
        }
    }

    #[test]
    fn a_sip_destination_gets_its_scheme_when_it_has_none() {
        let uri = |text| to_sip(text, &Address::default(), &Anonymous::Auto).map(|sent| sent.uri);
        assert_eq!(uri("bob@b.example"), Ok("sip:bob@b.example".into()));
        assert_eq!(uri("sips:bob@b.example"), Ok("sips:bob@b.example".into()));
        assert_eq!(uri("SIP:bob@b.example"), Ok("SIP:bob@b.example".into()), "and not a user SIP");
        assert_eq!(uri("sip:"), Err(DialError::Uri));
        assert_eq!(uri("bob smith@b"), Err(DialError::Uri));
    }

    proptest! {
        #[test]
        fn whatever_the_record_holds_the_uri_has_one_at_and_ends_with_host_and_transport(
            prefix in "\\PC{0,6}", postfix in "[\\x00-\\x7f]{0,6}", hostname in "[a-z.:;=@ ]{0,12}"
        ) {
            let provider =
                Provider { tech_prefix: &prefix, tech_postfix: &postfix, ..provider(&hostname) };
            if let Ok(sent) = dial(&provider, &Address::default(), &Anonymous::Auto) {
                prop_assert_eq!(sent.uri.matches('@').count(), 1);
                prop_assert!(sent.uri.bytes().all(|byte| byte.is_ascii_graphic()));
                prop_assert!(sent.uri.contains(";transport="));
            }
        }
    }
}
