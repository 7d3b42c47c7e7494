//! The header's syntax: a string item of RFC 8941, without parameters.

use didww_types::Secret;
use http::HeaderMap;

use super::KeyRefusal;

const HEADER: &str = "idempotency-key";
const MAX_CHARACTERS: usize = 255;

/// The text of a key. It is not printed, because it permits reading the response.
#[derive(Debug, Clone)]
pub struct SentKey(Secret);

impl SentKey {
    /// Reads the key of a request. Returns `None` without the header.
    ///
    /// # Errors
    /// [`KeyRefusal::Malformed`].
    pub fn of(headers: &HeaderMap) -> Result<Option<Self>, KeyRefusal> {
        let mut values = headers.get_all(HEADER).iter();
        match (values.next(), values.next()) {
            (None, _) => Ok(None),
            (Some(value), None) => {
                let text = parse(value.as_bytes()).ok_or(KeyRefusal::Malformed)?;
                Ok(Some(Self(Secret::new(text))))
            }
            (Some(_), Some(_)) => Err(KeyRefusal::Malformed),
        }
    }

    pub(super) fn text(&self) -> &str {
        self.0.expose()
    }
}

/// Parses a string of RFC 8941, section 4.2.5: printable ASCII in double quotes, in which `"` and `\` are escaped.
fn parse(value: &[u8]) -> Option<String> {
    let value = value.trim_ascii().strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    let mut text = String::new();
    let mut bytes = value.iter();
    while let Some(byte) = bytes.next() {
        let byte = match byte {
            b'\\' => bytes.next().filter(|escaped| matches!(escaped, b'"' | b'\\'))?,
            b'"' => return None,
            byte => byte,
        };
        text.push(Some(char::from(*byte)).filter(|character| matches!(character, ' '..='~'))?);
    }
    (1..=MAX_CHARACTERS).contains(&text.len()).then_some(text)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn sent(values: &[&[u8]]) -> Result<Option<String>, KeyRefusal> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(HEADER, HeaderValue::from_bytes(value).unwrap());
        }
        SentKey::of(&headers).map(|key| key.map(|key| key.text().to_owned()))
    }

    #[test]
    fn a_key_is_one_string_in_double_quotes() {
        let quoted = |text: &str| format!("\"{text}\"");
        let longest = "k".repeat(255);
        for (value, text) in [
            (quoted("8e03978e-40d5-43e8-bc93-6894a57f9324"), "8e03978e-40d5-43e8-bc93-6894a57f9324"),
            (quoted("~ !"), "~ !"),
            (quoted(r#"a\"b\\c"#), r#"a"b\c"#),
            (format!("  {}\t", quoted("k")), "k"),
            (quoted(&longest), longest.as_str()),
        ] {
            assert_eq!(sent(&[value.as_bytes()]), Ok(Some(text.to_owned())), "{value}");
        }
        assert_eq!(sent(&[]), Ok(None));
    }

    #[test]
    fn every_other_value_is_malformed() {
        let too_long = format!("\"{}\"", "k".repeat(256));
        let values: [&[u8]; 13] = [
            b"",
            b"k",
            b"\"",
            b"\"\"",
            b"\"k",
            b"k\"",
            b"\"a\"b\"",
            b"\"a\\b\"",
            b"\"a\\\"",
            b"\"k\"; a=1",
            b"\"a\", \"b\"",
            "\"\u{e4}\"".as_bytes(),
            too_long.as_bytes(),
        ];
        for value in values {
            assert_eq!(sent(&[value]), Err(KeyRefusal::Malformed), "{:?}", String::from_utf8_lossy(value));
        }
        assert_eq!(sent(&[b"\"k\"", b"\"k\""]), Err(KeyRefusal::Malformed), "sent twice");
    }
}
