//! The name of a request in answers and logs.

use http::HeaderMap;

use service_base::ids::Ids;

/// The id that the client gave, if it is harmless, else a new one.
pub fn request_id(headers: &HeaderMap, ids: &Ids) -> String {
    let given = headers.get("x-request-id").and_then(|value| value.to_str().ok());
    let harmless = |text: &&str| {
        (1..=255).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'@'))
    };
    given.filter(harmless).map_or_else(|| ids.request().to_string(), str::to_owned)
}
