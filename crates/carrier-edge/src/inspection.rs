//! Whether a request can be answered at all, before anybody asks what it wants (RFC 3261 §8.2).
//!
//! What makes it no request is said at once. What is only not supported (extensions, bodies, contacts, session timers)
//! is said of an INVITE when its trunk is known, as one check among the others, and of a request inside a dialog
//! when it is known to be the caller's.

use trunk_rules::carrier::{Cause, Flaw, reason_phrase};

use super::stack::{ALLOW, Incoming};
use sip_transport::body::{ACCEPT, BodyRefusal};
use sip_transport::session_timer::{Decision, Said};

/// The extensions that a request may require.
const EXTENSIONS: [&str; 2] = ["100rel", "timer"];
/// Those that it may require of proxies: privacy is understood (RFC 3323).
const EXTENSIONS_OF_PROXIES: [&str; 3] = ["100rel", "timer", "privacy"];
/// `CSeq` must be less (RFC 3261 §8.1.1.5).
const MOST_SEQUENCE: u32 = 1 << 31;

/// A header of a response.
pub(crate) type Header = (&'static str, String);

/// Why a request is refused, and the header that says what would be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NotSupported {
    pub cause: Cause,
    pub header: Option<Header>,
    configured: &'static str,
    received: String,
    explanation: String,
}

impl NotSupported {
    fn new(cause: Cause, configured: &'static str, received: &str, explanation: impl Into<String>) -> Self {
        let explanation = explanation.into();
        Self { cause, header: None, configured, received: received.to_owned(), explanation }
    }

    fn with(self, name: &'static str, value: impl Into<String>) -> Self {
        Self { header: Some((name, value.into())), ..self }
    }

    pub(crate) fn flaw(&self) -> Flaw<'_> {
        let Self { cause, configured, received, explanation, .. } = self;
        Flaw { cause: *cause, configured, received, explanation }
    }

    /// Refuses a request that nobody else decides about.
    pub(crate) async fn refuse(self, request: Incoming) {
        let Self { cause, header, explanation, .. } = self;
        let (code, call_id) = (cause.code(), request.call_id());
        tracing::debug!(method = request.method(), code, call_id, why = explanation, "a request was refused");
        let headers: Vec<(&str, &str)> = header.iter().map(|(name, value)| (*name, value.as_str())).collect();
        request.finish(code, reason_phrase(code), &headers).await;
    }
}

/// What makes a message no request of this version: the response that it gets.
pub(crate) fn malformed(request: &Incoming) -> Option<u16> {
    if !request.is_of_this_version() {
        return Some(505);
    }
    let is_whole = request.sequence().is_some_and(|(number, method)| {
        number < MOST_SEQUENCE && (method == request.method() || request.method() == "OTHER")
    });
    let once = ["From", "To", "Call-ID", "CSeq", "Max-Forwards"];
    if !is_whole || once.into_iter().any(|name| request.values(name).nth(1).is_some()) {
        return Some(400);
    }
    (!request.has_known_scheme()).then_some(416)
}

/// What of a request is not supported.
pub(crate) fn not_supported(request: &Incoming) -> Option<NotSupported> {
    extension(request).or_else(|| match request.method() {
        "INVITE" => {
            accept(request).or_else(|| body(request)).or_else(|| contact(request)).or_else(|| timer(request))
        }
        "UPDATE" => body(request).or_else(|| contact(request)).or_else(|| timer(request)),
        "PRACK" => body(request),
        // What a BYE or an OPTIONS carries changes nothing: it is not looked at.
        _ => None,
    })
}

fn extension(request: &Incoming) -> Option<NotSupported> {
    let listed = |name| request.values(name).flat_map(|value| value.split(','));
    let unknown = |known: &'static [&'static str]| {
        move |tag: &&str| !tag.is_empty() && !known.iter().any(|known| known.eq_ignore_ascii_case(tag))
    };
    let tags: Vec<&str> = listed("Require")
        .map(str::trim)
        .filter(unknown(&EXTENSIONS))
        .chain(listed("Proxy-Require").map(str::trim).filter(unknown(&EXTENSIONS_OF_PROXIES)))
        .collect();
    if tags.is_empty() {
        return None;
    }
    let tags = tags.join(", ");
    let explanation = "an extension is required that is not supported";
    Some(
        NotSupported::new(Cause::BadExtension, "100rel, timer", &tags, explanation)
            .with("Unsupported", tags.as_str()),
    )
}

/// An empty `Accept` takes nothing (RFC 3261 §20.1).
fn accept(request: &Incoming) -> Option<NotSupported> {
    let mut values = request.values("Accept").peekable();
    values.peek()?;
    let takes = |range: &str| {
        let mut parts = range.split(';').map(str::trim);
        let named = parts.next().unwrap_or_default();
        let fits =
            ["application/sdp", "application/*", "*/*"].iter().any(|fits| named.eq_ignore_ascii_case(fits));
        let is_refused = |parameter: &str| {
            let quality = parameter.split_once('=').filter(|(name, _)| name.trim().eq_ignore_ascii_case("q"));
            quality.is_some_and(|(_, value)| value.trim().parse::<f32>() == Ok(0.0))
        };
        fits && !parts.any(is_refused)
    };
    if values.flat_map(|value| value.split(',')).any(takes) {
        return None;
    }
    let received = request.value("Accept").unwrap_or_default();
    let explanation = "the caller takes no session description, without which there is no call";
    Some(
        NotSupported::new(Cause::NotAcceptable, "application/sdp", received, explanation)
            .with("Accept", ACCEPT),
    )
}

fn body(request: &Incoming) -> Option<NotSupported> {
    let why = request.description().err()?;
    let cause = match why {
        BodyRefusal::Malformed(_) => Cause::BadRequest,
        _ => Cause::UnsupportedMediaType,
    };
    let received = request.value("Content-Type").unwrap_or_default();
    let refusal = NotSupported::new(cause, ACCEPT, received, why.to_string());
    Some(match why.header() {
        Some((name, value)) => refusal.with(name, value),
        None => refusal,
    })
}

/// An INVITE outside of a dialog must say where the requests of its dialog go; the others may.
fn contact(request: &Incoming) -> Option<NotSupported> {
    let why = match request.contact() {
        Ok(None) if request.begins() && request.method() == "INVITE" => "there is no contact",
        Ok(_) => return None,
        Err(why) => why,
    };
    let received = request.value("Contact").unwrap_or_default();
    let explanation = format!("{why}, so that nobody could end the call");
    Some(NotSupported::new(Cause::BadRequest, "one Contact with a sip: or sips: URI", received, explanation))
}

fn timer(request: &Incoming) -> Option<NotSupported> {
    let received = request.value("Session-Expires").unwrap_or_default();
    match Said::of(request.headers()).map(|said| said.decide(None)) {
        Ok(Decision::TooShort(least)) => {
            let explanation = format!("a session interval of less than {least} seconds is refused");
            let refusal = NotSupported::new(Cause::IntervalTooSmall, "Min-SE 90", received, explanation);
            Some(refusal.with("Min-SE", least.to_string()))
        }
        Ok(_) => None,
        Err(why) => Some(NotSupported::new(Cause::BadRequest, "seconds", received, why.to_string())),
    }
}

/// The header that a refusal of the far end must have (RFC 3261 §8.2, RFC 4028 §6); `random` names a challenge.
pub(crate) fn header_of(code: u16, random: u64) -> Option<Header> {
    let challenge = || format!("Digest realm=\"far-end.invalid\", nonce=\"{random:016x}\", algorithm=MD5");
    Some(match code {
        401 => ("WWW-Authenticate", challenge()),
        407 => ("Proxy-Authenticate", challenge()),
        405 => ("Allow", ALLOW.to_owned()),
        415 => ("Accept", ACCEPT.to_owned()),
        422 => ("Min-SE", sip_transport::session_timer::SHORTEST.to_string()),
        _ => return None,
    })
}
