//! The id of a request in responses and logs.

use http::HeaderMap;
use service_base::ids::Ids;

/// Returns the client's `x-request-id` if it is safe to log and return, and a new id otherwise. Safe are 1 to
/// 255 letters, digits, `-`, `_` and `@` of ASCII.
pub fn request_id(headers: &HeaderMap, ids: &Ids) -> String {
    let sent = headers.get("x-request-id").and_then(|value| value.to_str().ok());
    let is_safe = |text: &&str| {
        (1..=255).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'@'))
    };
    sent.filter(is_safe).map_or_else(|| ids.request().to_string(), str::to_owned)
}
