//! The URL that receives callbacks.

use std::borrow::Cow;

use super::checked_text;
use crate::{Kind, Violation};

/// DIDWW documents no limit, and its own sample program sends 298 characters. 2,048 is chosen by this project.
const MAX_CHARACTERS: usize = 2048;

checked_text! {
    /// An http or https URL with a host, at most 2,048 characters. From 2026-04-16 on the scheme can be left out and is
    /// then http.
    ///
    /// The text is kept exactly as given, including its percent-encoding, because the signature of a callback
    /// is computed over it.
    CallbackUrl, "callback URL", "an http or https URL of at most 2048 characters",
    Kind::Url { absolute: false },
    |text| check(text, true)
}

impl CallbackUrl {
    /// The URL with its scheme, to which callbacks are sent.
    pub fn with_scheme(&self) -> Cow<'_, str> {
        with_scheme(&self.0)
    }
}

/// The text of a URL, with http as its scheme if it has none.
pub(crate) fn with_scheme(text: &str) -> Cow<'_, str> {
    if has_scheme(text) { Cow::Borrowed(text) } else { Cow::Owned(format!("http://{text}")) }
}

checked_text! {
    /// The form of a [`CallbackUrl`] before 2026-04-16, with its scheme.
    AbsoluteCallbackUrl, "callback URL", "an absolute http or https URL of at most 2048 characters",
    Kind::Url { absolute: true },
    |text| check(text, false)
}

fn check(text: &str, may_lack_scheme: bool) -> Option<Violation> {
    if text.chars().count() > MAX_CHARACTERS {
        return Some(Violation::TooLong(MAX_CHARACTERS));
    }
    let absolute = match has_scheme(text) {
        true => Cow::Borrowed(text),
        false if may_lack_scheme && begins_with_host(text) => Cow::Owned(format!("http://{text}")),
        false => return Some(Violation::Invalid),
    };
    let clean = !text.bytes().any(|b| b.is_ascii_whitespace() || b.is_ascii_control());
    let parsed = url::Url::parse(&absolute).ok();
    let good = parsed.is_some_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    // The URL parser accepts `http:///host`. It is refused here, because the signature is computed over the text, in
    // which the receiver would find no authority.
    let explicit = absolute.split_once("://").is_some_and(|(_, rest)| !rest.starts_with(['/', '\\']));
    if clean && good && explicit { None } else { Some(Violation::Invalid) }
}

/// Whether the text begins with a scheme and `://`.
fn has_scheme(text: &str) -> bool {
    text.split_once("://").is_some_and(|(scheme, _)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
    })
}

/// Whether a text without a scheme begins with a host. `http:/host`, which the URL parser accepts, begins with a scheme
/// that lacks a slash.
fn begins_with_host(text: &str) -> bool {
    let authority = text.split(['/', '\\', '?', '#']).next().unwrap_or_default();
    let begins_with_scheme = ["http:", "https:"]
        .iter()
        .any(|scheme| authority.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)));
    !authority.ends_with(':') && !begins_with_scheme
}
