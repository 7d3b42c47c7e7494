//! Inspects a request before it is processed (RFC 3261 §8.2).
//!
//! A malformed request is refused at once, in the order of the standard: version, then the headers that each
//! request must have, then the Request-URI (§8.2.1 and §8.2.2; the method was inspected before, in
//! `sip_transport`). Unsupported extensions, bodies, contacts and session timers of an
//! INVITE are refused once its trunk is known, as one check among the others; those of a request inside a
//! dialog once its sender is known to be the caller.

mod request_uri;

use rsipstack::sip::{Header as SipHeader, Headers};
use sip_transport::body::{ACCEPT, BodyRefusal};
use sip_transport::is_name_addr;
use sip_transport::session_timer::{Decision, TimerHeaders};
use trunk_rules::carrier::{Cause, Flaw, reason_phrase};

use super::stack::{ALLOW, Incoming};

pub(crate) use request_uri::malformed as malformed_request_uri;

/// The option tags that `Require` may contain.
const EXTENSIONS: [&str; 2] = ["100rel", "timer"];
/// The option tags that `Proxy-Require` may contain; `privacy` is implemented (RFC 3323).
const EXTENSIONS_OF_PROXIES: [&str; 3] = ["100rel", "timer", "privacy"];
/// The headers that decisions depend on and that may occur once (RFC 3261 §7.3.1, §20); `inspection::body` checks those
/// of the body.
const ONCE: [&str; 9] =
    ["From", "To", "Call-ID", "CSeq", "Max-Forwards", "Expires", "Session-Expires", "Min-SE", "RAck"];
/// The number in `CSeq` must be below this (RFC 3261 §8.1.1.5).
const SEQUENCE_LIMIT: u32 = 1 << 31;

/// The most bytes of the headers that are kept: by a call, what names its dialog and where its requests go, and of a
/// refused request, what its response repeats. A long way over proxies has some 3,000.
const MAX_DIALOG_BYTES: usize = 16_384;

/// The name and the value of a response header.
pub(crate) type Header = (&'static str, String);

/// Why a request is not supported, and the response header that lists the supported values.
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

    /// Refuses a request to which no trunk's rules apply.
    pub(crate) async fn refuse(self, request: Incoming) {
        let Self { cause, header, explanation, .. } = self;
        let (code, call_id) = (cause.code(), request.call_id());
        tracing::debug!(method = request.method(), code, call_id, why = explanation, "a request was refused");
        let headers: Vec<(&str, &str)> = header.iter().map(|(name, value)| (*name, value.as_str())).collect();
        if request.starts_dialog() {
            request.finish_once(code, reason_phrase(code), &headers).await;
        } else {
            request.finish(code, reason_phrase(code), &headers).await;
        }
    }
}

/// The reason to refuse a request whose `From` or `To` is malformed.
pub(crate) const NOT_AN_ADDRESS: &str =
    "From or To is not an address: a quote or bracket is open, or the URI has no scheme";

const TOO_LONG: &str = "Via, Call-ID, From, To, Contact and Record-Route have more than 16384 bytes together";

/// A request that is refused whatever its method: the response code, and the reason.
pub(crate) type Malformed = (u16, &'static str);

/// Why a request is malformed; `None` if it is well-formed.
pub(crate) fn malformed(request: &Incoming) -> Option<Malformed> {
    if !request.is_of_this_version() {
        return Some((505, "the version is not SIP/2.0"));
    }
    let Some((number, method)) = request.sequence() else {
        return Some((400, "CSeq is not a number and a method"));
    };
    let is_address = |name| request.value(name).is_some_and(is_name_addr);
    if number >= SEQUENCE_LIMIT {
        return Some((400, "the number in CSeq is 2147483648 or more"));
    }
    if method != request.method() && request.method() != "OTHER" {
        return Some((400, "CSeq has another method than the request"));
    }
    if !is_address("From") || !is_address("To") {
        return Some((400, NOT_AN_ADDRESS));
    }
    if dialog_bytes(request.headers()) > MAX_DIALOG_BYTES {
        return Some((513, TOO_LONG));
    }
    if request.max_forwards().is_err() {
        return Some((400, "Max-Forwards is not a number"));
    }
    if has_one_twice(request.names()) {
        return Some((400, "a header that must be unique occurs twice"));
    }
    request_uri::malformed(request.request_uri())
}

/// The bytes of the headers that would be kept.
fn dialog_bytes(headers: &Headers) -> usize {
    let is_kept = |header: &&SipHeader| {
        matches!(
            header,
            SipHeader::Via(_)
                | SipHeader::CallId(_)
                | SipHeader::From(_)
                | SipHeader::To(_)
                | SipHeader::Contact(_)
                | SipHeader::RecordRoute(_)
        )
    };
    headers.iter().filter(is_kept).map(|header| header.value().len()).sum()
}

/// Whether a header of [`ONCE`] occurs twice among these names. One pass looks for all of them.
fn has_one_twice<'a>(names: impl Iterator<Item = &'a str>) -> bool {
    let mut seen = [false; ONCE.len()];
    for name in names {
        let known = ONCE.iter().zip(&mut seen).find(|(once, _)| name.eq_ignore_ascii_case(once));
        if known.is_some_and(|(_, seen)| std::mem::replace(seen, true)) {
            return true;
        }
    }
    false
}

/// The first unsupported part of a request; `None` if all are supported.
pub(crate) fn not_supported(request: &Incoming) -> Option<NotSupported> {
    let unread = || request.description().err();
    extension(request).or_else(|| match request.method() {
        "INVITE" => invite(request, unread().as_ref()),
        "UPDATE" => body(request, unread().as_ref()).or_else(|| contact(request)).or_else(|| timer(request)),
        "PRACK" => body(request, unread().as_ref()),
        // The body of a BYE or an OPTIONS has no effect, so it is ignored.
        _ => None,
    })
}

/// The same of an INVITE whose body was read before: `unread` is why it is not supported.
pub(crate) fn not_supported_by_invite(
    request: &Incoming,
    unread: Option<&BodyRefusal>,
) -> Option<NotSupported> {
    extension(request).or_else(|| invite(request, unread))
}

fn invite(request: &Incoming, unread: Option<&BodyRefusal>) -> Option<NotSupported> {
    accept(request).or_else(|| body(request, unread)).or_else(|| contact(request)).or_else(|| timer(request))
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
    let explanation = "the request requires an unsupported extension";
    Some(
        NotSupported::new(Cause::BadExtension, "100rel, timer", &tags, explanation)
            .with("Unsupported", tags.as_str()),
    )
}

/// Checks that the caller accepts a session description. An empty `Accept` accepts no body (RFC 3261 §20.1).
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
    let explanation = "the caller accepts no session description, which a call requires";
    Some(
        NotSupported::new(Cause::NotAcceptable, "application/sdp", received, explanation)
            .with("Accept", ACCEPT),
    )
}

/// Why the body is not supported, if it could not be read.
fn body(request: &Incoming, unread: Option<&BodyRefusal>) -> Option<NotSupported> {
    let why = unread?;
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

/// Checks the contact. An INVITE outside of a dialog must have one, as the target of requests in the dialog.
fn contact(request: &Incoming) -> Option<NotSupported> {
    let why = match request.contact() {
        Ok(None) if request.starts_dialog() && request.method() == "INVITE" => "there is no contact",
        Ok(_) => return None,
        Err(why) => why,
    };
    let received = request.value("Contact").unwrap_or_default();
    let explanation = format!("{why}, so the edge could not end the call");
    Some(NotSupported::new(Cause::BadRequest, "one Contact with a sip: or sips: URI", received, explanation))
}

fn timer(request: &Incoming) -> Option<NotSupported> {
    let received = || request.value("Session-Expires").unwrap_or_default();
    match TimerHeaders::of(request.headers()).map(|timer| timer.decide(None)) {
        Ok(Decision::TooShort(least)) => {
            let explanation = format!("a session interval of less than {least} seconds is refused");
            let refusal = NotSupported::new(Cause::IntervalTooSmall, "Min-SE 90", received(), explanation);
            Some(refusal.with("Min-SE", least.to_string()))
        }
        Ok(_) => None,
        Err(why) => Some(NotSupported::new(Cause::BadRequest, "seconds", received(), why.to_string())),
    }
}

/// The header that a refusal with this code must carry (RFC 3261 §8.2, RFC 4028 §6). `random` becomes the
/// nonce of a challenge.
pub(crate) fn header_of(code: u16, random: u64) -> Option<Header> {
    let challenge = || format!("Digest realm=\"far-end.invalid\", nonce=\"{random:016x}\", algorithm=MD5");
    Some(match code {
        401 => ("WWW-Authenticate", challenge()),
        407 => ("Proxy-Authenticate", challenge()),
        405 => ("Allow", ALLOW.to_owned()),
        415 => ("Accept", ACCEPT.to_owned()),
        422 => ("Min-SE", sip_transport::session_timer::MIN_INTERVAL_SECONDS.to_string()),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_header_that_decides_something_stands_once_and_others_as_often_as_they_like() {
        let others = ["Via", "Via", "Route", "Contact", "Contact", "X-Other", "X-Other"];
        let with = |more: &[&str]| has_one_twice(others.iter().chain(&ONCE).chain(more).copied());
        assert!(!with(&[]));
        for name in ONCE {
            assert!(with(&[name]), "{name}");
            assert!(with(&[name.to_ascii_lowercase().as_str()]), "{name}");
            assert!(!has_one_twice([name].into_iter()), "{name}");
        }
    }
}
