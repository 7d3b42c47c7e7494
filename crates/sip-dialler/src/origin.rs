//! The caller of a call, and how its requests are written.

use std::fmt::Write as _;
use std::sync::Arc;

use rsipstack::sip::{Header, Method, Request, Version};
use sip_transport::verbatim;
use trunk_rules::outbound::{SipUri, can_be_added};

use crate::egress::Egress;
use crate::hop::{Hop, NEXT_HOP_TIMEOUT};
use crate::leg::{Invitation, SipCredentials};
use crate::network::Network;

/// The constant parts of all requests of a call.
pub(crate) struct Origin {
    pub(crate) network: Arc<Network>,
    pub(crate) call_id: String,
    /// Our tag, which with `Call-ID` and the far end's tag identifies the dialog.
    pub(crate) tag: String,
    /// The quoted display name of `From` with a space after it, or an empty text.
    display: String,
    /// The escaped user part of `From`.
    user: String,
    /// The host of the called URI, for which the certificate of a new connection must be valid.
    pub(crate) host: String,
    /// Whether the called URI is a `sips:` URI.
    pub(crate) secure: bool,
    pub(crate) egress: Egress,
    pub(crate) credentials: Option<SipCredentials>,
}

/// The parts of a request that differ within a call.
pub(crate) struct Line<'a> {
    pub(crate) method: Method,
    /// The Request-URI: the called URI, or the far end's `Contact` within a dialog.
    pub(crate) uri: &'a str,
    /// The value of `To`, with the far end's tag once it is known.
    pub(crate) to: &'a str,
    /// The `CSeq` number, which ascends within a call.
    pub(crate) sequence: u32,
    /// The values of `Route`, the nearest first; empty outside of a dialog.
    pub(crate) routes: &'a [String],
}

impl Origin {
    /// The origin of a new call, with a new `Call-ID` and local tag.
    pub(crate) fn new(network: Arc<Network>, invitation: &Invitation, secure: bool) -> Self {
        let call_id = network.ids.request().to_string();
        let tag = network.ids.tag();
        Self {
            network,
            call_id,
            tag,
            display: display(&invitation.from_display),
            user: user(&invitation.from_user),
            host: SipUri::parse(&invitation.uri).map_or("", |uri| uri.host).to_owned(),
            secure,
            egress: invitation.egress,
            credentials: invitation.credentials.clone(),
        }
    }

    /// The value of `From`: the caller at our address of this hop, with our tag.
    fn from(&self, hop: &Hop) -> String {
        let scheme = if self.secure { "sips" } else { "sip" };
        let at = if self.user.is_empty() { "" } else { "@" };
        format!("{}<{scheme}:{}{at}{}>;tag={}", self.display, self.user, hop.local, self.tag)
    }

    /// Builds a request with a new branch.
    pub(crate) fn request(&self, line: &Line<'_>, hop: &Hop, further: Vec<Header>, body: String) -> Request {
        let branch = format!("z9hG4bK{}", self.network.ids.tag());
        let via = format!("SIP/2.0/{} {};branch={branch};rport", hop.transport, hop.local);
        let mut headers = vec![Header::Via(via.into()), Header::MaxForwards(70.into())];
        headers.extend(line.routes.iter().map(|route| Header::Route(route.as_str().into())));
        headers.extend([
            Header::From(self.from(hop).into()),
            Header::To(line.to.into()),
            Header::CallId(self.call_id.as_str().into()),
            Header::CSeq(format!("{} {}", line.sequence, line.method).into()),
        ]);
        if !further.iter().any(|header| header.name().eq_ignore_ascii_case("User-Agent")) {
            headers.push(Header::UserAgent(self.network.user_agent.as_str().into()));
        }
        headers.extend(further);
        if !body.is_empty() {
            headers.push(Header::ContentType("application/sdp".into()));
        }
        headers.push(Header::ContentLength(u32::try_from(body.len()).unwrap_or_default().into()));
        Request {
            method: line.method,
            uri: verbatim(line.uri),
            headers: headers.into(),
            version: Version::V2,
            body: body.into_bytes(),
        }
    }

    /// Another connection to where a closed one led; `None` if it cannot be opened in time.
    pub(crate) async fn reconnected(&self, closed: &Hop) -> Option<Hop> {
        let (network, address) = (&self.network, closed.address()?);
        let again = network.connector.hop_to(&network.stack, closed.transport, address, &self.host);
        // Boxed, because it is large and rarely needed: it must not enlarge the state of every call.
        tokio::time::timeout(NEXT_HOP_TIMEOUT, Box::pin(again)).await.ok()?.ok()
    }

    /// The `Contact` header for requests and responses over a hop.
    pub(crate) fn contact(&self, hop: &Hop) -> Header {
        Header::Contact(hop.contact(self.secure).into())
    }
}

/// The headers of an invitation, without those that would break the request or that belong to the dialog.
pub(crate) fn custom_headers(headers: &[(String, String)]) -> Vec<Header> {
    let mut kept = Vec::with_capacity(headers.len());
    for (name, value) in headers {
        if can_be_added(name, value) {
            kept.push(Header::Other(name.clone(), value.clone()));
        } else {
            tracing::warn!(
                ?name,
                "a header was left out: it would break the request, or belongs to the dialog"
            );
        }
    }
    kept
}

/// The display name, quoted and with a space after it; empty if it has no printable character.
fn display(name: &str) -> String {
    let printable: String = name.chars().filter(|letter| !letter.is_control()).collect();
    if printable.is_empty() {
        return String::new();
    }
    format!("\"{}\" ", printable.replace('\\', "\\\\").replace('"', "\\\""))
}

/// A user part in which all characters that would end it are escaped (RFC 3261 §25.1).
fn user(text: &str) -> String {
    let mut user = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.!~*'()&=+$,;?/".contains(&byte) {
            user.push(char::from(byte));
        } else {
            let _infallible = write!(user, "%{byte:02X}");
        }
    }
    user
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_and_numbers_cannot_end_their_header() {
        assert_eq!(display(""), "");
        assert_eq!(display("Anonymous"), "\"Anonymous\" ");
        assert_eq!(display("A \"b\" \\\r\nX: 1"), "\"A \\\"b\\\" \\\\X: 1\" ");
        assert_eq!(user("+15551234"), "+15551234");
        assert_eq!(user("a@b>\r\n#"), "a%40b%3E%0D%0A%23");
    }

    proptest! {
        #[test]
        fn any_caller_becomes_a_valid_user_part(text in "\\PC{0,12}|[\r\n@<>\"; ]{0,6}") {
            prop_assert!(user(&text).bytes().all(|byte| byte.is_ascii_graphic() && !b"@<>\":".contains(&byte)));
        }
    }

    #[test]
    fn custom_headers_are_kept_verbatim_unless_they_break_the_request() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let kept = custom_headers(&[
            pair("X-Account", "a;b=\"c\""),
            pair("P-Asserted-Identity", "<tel:+15551234>"),
            pair("X-Split", "a\r\nVia: b"),
            pair("B(", "x"),
            pair("", "x"),
            pair("call-id", "x"),
            pair("L", "0"),
        ]);
        let lines: Vec<String> = kept.iter().map(ToString::to_string).collect();
        assert_eq!(lines, ["X-Account: a;b=\"c\"", "P-Asserted-Identity: <tel:+15551234>"]);
    }
}
