//! Where callbacks are posted.

use super::checked_text;
use crate::{Kind, Violation};

checked_text! {
    /// An absolute http or https URL with a host, at most 255 characters.
    ///
    /// The text is kept as given: the signature of a callback is computed over it, percent-encoding and all.
    CallbackUrl, "callback URL", "an absolute http or https URL of at most 255 characters",
    Kind::Url,
    |text| {
        if text.chars().count() > 255 {
            return Some(Violation::TooLong(255));
        }
        let clean = !text.bytes().any(|b| b.is_ascii_whitespace() || b.is_ascii_control());
        let parsed = url::Url::parse(text).ok();
        let good = parsed.is_some_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        // The URL parser forgives `http:/host`, `http:host` and `http:///host`; nobody who signs the text would.
        let explicit = text.split_once("://").is_some_and(|(scheme, rest)| {
            (scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https"))
                && !rest.starts_with(['/', '\\'])
        });
        if clean && good && explicit { None } else { Some(Violation::Invalid) }
    }
}
