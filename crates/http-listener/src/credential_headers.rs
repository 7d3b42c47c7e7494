//! Finds the header that a request without the expected credential sent instead, for the log: clients often send a key
//! in the header of another service.

use http::HeaderMap;

/// Headers in which clients of other services send keys and tokens, as this module names them in the log.
const OTHER_HEADERS: [&str; 13] = [
    "authorization",
    "api-key",
    "api_key",
    "apikey",
    "x-api-key",
    "x-apikey",
    "auth-key",
    "x-auth-key",
    "x-auth-token",
    "x-api-token",
    "api-token",
    "token",
    "accesskey",
];

/// States that no credential was sent as `expected`, and which header the request has that usually carries one. Neither
/// its value nor any text of the client is part of the sentence.
pub fn missing_credential(headers: &HeaderMap, expected: &str, accepted: &[&str]) -> String {
    let other = OTHER_HEADERS.iter().find(|name| !accepted.contains(name) && headers.contains_key(**name));
    match other {
        Some(other) => format!("no {expected} was sent, but a header `{other}`"),
        None => format!("no {expected} was sent"),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn the_values_of_these_headers_are_secret_wherever_requests_are_shown() {
        for name in OTHER_HEADERS {
            assert!(didww_types::names_secret(name), "{name}");
        }
    }

    #[test]
    fn a_key_in_the_header_of_another_service_is_named_without_its_value() {
        let headers = HeaderMap::from_iter([
            (http::HeaderName::from_static("x-api-key"), HeaderValue::from_static("canary")),
            (http::HeaderName::from_static("accept"), HeaderValue::from_static("canary")),
        ]);
        let sentence = missing_credential(&headers, "header `Api-Key`", &["api-key"]);
        assert_eq!(sentence, "no header `Api-Key` was sent, but a header `x-api-key`");
        let none = missing_credential(&HeaderMap::new(), "header `Api-Key`", &["api-key"]);
        assert_eq!(none, "no header `Api-Key` was sent");
    }
}
