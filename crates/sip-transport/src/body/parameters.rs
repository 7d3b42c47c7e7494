//! The parameters of the content headers' values, such as `multipart/mixed;boundary="a b"`.

use std::borrow::Cow;

/// A header value without its parameters.
pub(super) fn token(value: &str) -> &str {
    value.split(';').next().unwrap_or_default().trim()
}

/// A parameter of a value such as `multipart/mixed;boundary="a b"`, without its quotes.
pub(super) fn parameter<'a>(value: &'a str, name: &str) -> Option<Cow<'a, str>> {
    let mut rest = value.get(value.find(';')?..)?;
    while let Some(after) = rest.strip_prefix(';') {
        let end = outside_quotes(after, b';');
        let (one, further) = after.split_at_checked(end)?;
        rest = further;
        if let Some((known, text)) = one.split_once('=')
            && known.trim().eq_ignore_ascii_case(name)
        {
            return Some(unquoted(text.trim()));
        }
    }
    None
}

/// The position of the first unquoted occurrence of a byte, or the length of the text.
fn outside_quotes(text: &str, wanted: u8) -> usize {
    let (mut quoted, mut escaped) = (false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if byte == wanted && !quoted => return at,
            _ => {}
        }
    }
    text.len()
}

fn unquoted(text: &str) -> Cow<'_, str> {
    let Some(inner) = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) else {
        return Cow::Borrowed(text);
    };
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    let mut escaped = false;
    let kept = |character: &char| {
        escaped = *character == '\\' && !escaped;
        !escaped
    };
    Cow::Owned(inner.chars().filter(kept).collect())
}
