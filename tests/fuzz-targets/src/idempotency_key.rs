//! The `Idempotency-Key` header.

use http::{HeaderMap, HeaderValue};
use http_listener::idempotency::SentKey;

/// Keys with and without escapes.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let seeds = [
        "\"8e03978e-40d5-43dd-bc93-6894a57f9324\"",
        "\"a\\\"b\\\\c\"",
        "\"\"",
        "bare",
        "\"a\" ",
        "\"a\"b\"",
        "\"\\x\"",
    ];
    seeds.map(|seed| seed.as_bytes().to_vec()).into()
}

/// Every printable text of 1 to 255 characters can be a key, and the header is refused if it has a second value.
pub fn idempotency_key(data: &[u8]) {
    let read = |values: &[&[u8]]| {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append("idempotency-key", HeaderValue::from_bytes(value).ok()?);
        }
        Some(SentKey::of(&headers))
    };
    if let Some(Ok(key)) = read(&[data]) {
        assert!(key.is_some());
        assert!(data.trim_ascii().starts_with(b"\"") && data.trim_ascii().len() <= 2 * 255 + 2);
    }
    assert!(read(&[data, data]).is_none_or(|key| key.is_err()));
    let text: String = data.iter().map(|byte| char::from(byte % 95 + b' ')).collect();
    let quoted = format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    let is_valid = read(&[quoted.as_bytes()]).is_some_and(|key| key.is_ok_and(|key| key.is_some()));
    assert_eq!(is_valid, (1..=255).contains(&text.len()));
}
