//! The URL that receives callbacks.

use super::checked_text;
use crate::{Kind, Violation};

/// DIDWW documents no limit, and its own sample program sends 298 characters. 2,048 is chosen by this project.
const MAX_CHARACTERS: usize = 2048;

checked_text! {
    /// An absolute http or https URL with a host, at most 2,048 characters.
    ///
    /// The text is kept exactly as given, including its percent-encoding, because the signature of a callback
    /// is computed over it.
    CallbackUrl, "callback URL", "an absolute http or https URL of at most 2048 characters",
    Kind::Url,
    |text| {
        if text.chars().count() > MAX_CHARACTERS {
            return Some(Violation::TooLong(MAX_CHARACTERS));
        }
        let clean = !text.bytes().any(|b| b.is_ascii_whitespace() || b.is_ascii_control());
        let parsed = url::Url::parse(text).ok();
        let good = parsed.is_some_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        // The URL parser accepts `http:/host`, `http:host` and `http:///host`. They are refused here, because
        // the signature is computed over the text, in which the receiver would find no authority.
        let explicit = text.split_once("://").is_some_and(|(scheme, rest)| {
            (scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https"))
                && !rest.starts_with(['/', '\\'])
        });
        if clean && good && explicit { None } else { Some(Violation::Invalid) }
    }
}
