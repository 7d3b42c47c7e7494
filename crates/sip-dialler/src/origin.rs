//! Who calls, and how a request of ours is written.

use std::fmt::Write as _;
use std::sync::Arc;

use rsipstack::sip::{Header, Method, Request, Version};
use trunk_rules::outbound::can_be_added;

use super::connect::Hop;
use super::uri::verbatim;
use super::{Inner, Invitation, Reach, SipCredentials};

/// What stays the same in all requests of a call.
pub(crate) struct Origin {
    pub inner: Arc<Inner>,
    pub call_id: String,
    /// Our tag.
    pub tag: String,
    /// The display name of `From`, as it is written, with a space after it; or nothing.
    display: String,
    user: String,
    /// Whether the URI that was called is a `sips:` one.
    pub secure: bool,
    pub reach: Reach,
    pub credentials: Option<SipCredentials>,
}

/// What differs between requests.
pub(crate) struct Line<'a> {
    pub method: Method,
    pub uri: &'a str,
    /// The value of `To`.
    pub to: &'a str,
    pub sequence: u32,
    pub routes: &'a [String],
}

impl Origin {
    pub(crate) fn new(inner: Arc<Inner>, invitation: &Invitation, secure: bool) -> Self {
        let call_id = inner.ids.request().to_string();
        let tag = inner.ids.tag();
        Self {
            inner,
            call_id,
            tag,
            display: display(&invitation.from_display),
            user: user(&invitation.from_user),
            secure,
            reach: invitation.reach,
            credentials: invitation.credentials.clone(),
        }
    }

    /// The value of `From`.
    fn from(&self, hop: &Hop) -> String {
        let scheme = if self.secure { "sips" } else { "sip" };
        let at = if self.user.is_empty() { "" } else { "@" };
        format!("{}<{scheme}:{}{at}{}>;tag={}", self.display, self.user, hop.local, self.tag)
    }

    /// A request with a branch of its own.
    pub(crate) fn request(&self, line: &Line<'_>, hop: &Hop, further: Vec<Header>, body: String) -> Request {
        let branch = format!("z9hG4bK{}", self.inner.ids.tag());
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
            headers.push(Header::UserAgent(self.inner.config.user_agent.as_str().into()));
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

    pub(crate) fn contact(&self, hop: &Hop) -> Header {
        Header::Contact(hop.contact(self.secure).into())
    }
}

/// The given headers, without those that would break the request.
pub(crate) fn given(headers: &[(String, String)]) -> Vec<Header> {
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

/// The display name as it is written.
fn display(name: &str) -> String {
    let printable: String = name.chars().filter(|letter| !letter.is_control()).collect();
    if printable.is_empty() {
        return String::new();
    }
    format!("\"{}\" ", printable.replace('\\', "\\\\").replace('"', "\\\""))
}

/// A user part in which nothing ends it early (RFC 3261 §25.1).
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
    fn names_and_numbers_cannot_end_the_header_they_stand_in() {
        assert_eq!(display(""), "");
        assert_eq!(display("Anonymous"), "\"Anonymous\" ");
        assert_eq!(display("A \"b\" \\\r\nX: 1"), "\"A \\\"b\\\" \\\\X: 1\" ");
        assert_eq!(user("+15551234"), "+15551234");
        assert_eq!(user("a@b>\r\n#"), "a%40b%3E%0D%0A%23");
    }

    proptest! {
        #[test]
        fn a_caller_of_any_text_is_a_user_part(text in "\\PC{0,12}|[\r\n@<>\"; ]{0,6}") {
            prop_assert!(user(&text).bytes().all(|byte| byte.is_ascii_graphic() && !b"@<>\":".contains(&byte)));
        }
    }

    #[test]
    fn given_headers_are_kept_verbatim_unless_they_break_the_request() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let kept = given(&[
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
