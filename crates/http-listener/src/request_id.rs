//! The id of a request in responses and logs: the client's own, or a new one.

use http::{HeaderMap, HeaderName};
use service_base::ids::Ids;

/// The header of a request's id, in requests and responses.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Which ids of clients an API accepts, and how its own are written.
#[derive(Debug, Clone, Copy)]
pub struct RequestIds {
    /// The maximum number of bytes of a client's id.
    pub max_bytes: usize,
    /// The characters that a client's id may have beside letters and digits of ASCII.
    pub punctuation: &'static [u8],
    /// Generates an id for a request without an acceptable one.
    pub generate: fn(&Ids) -> String,
}

impl RequestIds {
    /// Returns the client's `x-request-id` if it is safe to log and to return, and a new id otherwise.
    pub(crate) fn of(&self, headers: &HeaderMap, ids: &Ids) -> String {
        let is_safe = |text: &&str| {
            (1..=self.max_bytes).contains(&text.len())
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || self.punctuation.contains(&byte))
        };
        let sent = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok()).filter(is_safe);
        sent.map_or_else(|| (self.generate)(ids), str::to_owned)
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn an_id_of_a_client_is_kept_if_the_api_accepts_it() {
        let of = |sent: &'static [u8]| {
            let rule = RequestIds { max_bytes: 8, punctuation: b"-_", generate: |_| "new".to_owned() };
            let headers = HeaderMap::from_iter([(REQUEST_ID, HeaderValue::from_bytes(sent).unwrap())]);
            rule.of(&headers, &Ids::seeded(1))
        };
        assert_eq!((of(b"aZ0-_").as_str(), of(b"12345678").as_str()), ("aZ0-_", "12345678"));
        for odd in [&b""[..], b"123456789", b"a b", b"a@b", b"<a>", "\u{e4}".as_bytes()] {
            assert_eq!(of(odd), "new");
        }
    }
}
