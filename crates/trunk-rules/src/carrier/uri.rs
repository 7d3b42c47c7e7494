//! Extracts the user part of a URI from its raw bytes.
//!
//! SIP libraries differ in how they treat `#`, `%23`, `tel:` and user parameters, and the dialled text must
//! reach the rules and the call record unchanged. So this part of the URI, and no more, is parsed here.

use std::borrow::Cow;

/// Returns the user part of a `sip:`, `sips:` or `tel:` URI, percent-decoded, without password and
/// parameters.
///
/// A local number is returned with its `phone-context` (RFC 3966 §5.1.5): after the digits of a global context, so
/// that it becomes the number that it represents. The context of a private numbering plan stays after the number as
/// a parameter, so that [`normalise`](super::normalise) refuses it. The visual separators of a `tel:` URI are
/// removed (§5.1.1).
///
/// ```
/// use trunk_rules::carrier::user_part;
/// let user = user_part(b"sip:123%23+442012345678;npdi@nyc.us.out.didww.com;user=phone");
/// assert_eq!(user.as_deref(), Some(b"123#+442012345678".as_slice()));
/// let local = user_part(b"tel:20-1234-5678;phone-context=+44");
/// assert_eq!(local.as_deref(), Some(b"+442012345678".as_slice()));
/// assert_eq!(user_part(b"sip:out.didww.com"), None);
/// ```
pub fn user_part(uri: &[u8]) -> Option<Cow<'_, [u8]>> {
    let uri = uri.trim_ascii_start();
    let colon = uri.iter().position(|byte| *byte == b':')?;
    let (scheme, rest) = (uri.get(..colon)?, uri.get(colon + 1..)?);
    let raw = if scheme.eq_ignore_ascii_case(b"sip") || scheme.eq_ignore_ascii_case(b"sips") {
        let at = rest.iter().position(|byte| *byte == b'@')?;
        rest.get(..at)?.split(|byte| *byte == b':').next()?
    } else if scheme.eq_ignore_ascii_case(b"tel") {
        rest.split(|byte| matches!(byte, b'?' | b'>') || byte.is_ascii_whitespace()).next()?
    } else {
        return None;
    };
    let mut parts = raw.split(|byte| *byte == b';');
    let number = percent_decoded(parts.next()?);
    let number = if scheme.eq_ignore_ascii_case(b"tel") { without_separators(number) } else { number };
    let name = PHONE_CONTEXT.get(1..PHONE_CONTEXT.len() - 1).unwrap_or_default();
    let context = parts.find_map(|parameter| {
        let equals = parameter.iter().position(|byte| *byte == b'=')?;
        parameter
            .get(..equals)?
            .eq_ignore_ascii_case(name)
            .then_some(percent_decoded(parameter.get(equals + 1..)?))
    });
    Some(match context {
        Some(context) => with_context(number, &context),
        None => number,
    })
}

/// The length of emergency and service numbers. `911` in the context `+1` is not +1911 (RFC 3966 §5.1.5).
const MAX_SHORT_CODE_LENGTH: usize = 3;

/// The parameter that states where a local number is valid, as it stays after a number.
pub(super) const PHONE_CONTEXT: &[u8] = b";phone-context=";

/// A number with its context. The text before a `#` is a tech prefix, not part of the number.
fn with_context<'a>(text: Cow<'a, [u8]>, context: &[u8]) -> Cow<'a, [u8]> {
    let at = text.iter().rposition(|byte| *byte == b'#').map_or(0, |at| at + 1);
    let (prefix, number) = text.split_at(at);
    if number.starts_with(b"+") || number.len() <= MAX_SHORT_CODE_LENGTH {
        return text;
    }
    let digits = context.strip_prefix(b"+").map(|digits| without_separators(Cow::Borrowed(digits)));
    match digits.filter(|digits| !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)) {
        Some(digits) => Cow::Owned([prefix, &b"+"[..], &*digits, number].concat()),
        None => Cow::Owned([&*text, PHONE_CONTEXT, context].concat()),
    }
}

/// A telephone number without the separators that only help to read it (RFC 3966 §3, `visual-separator`).
fn without_separators(number: Cow<'_, [u8]>) -> Cow<'_, [u8]> {
    let is_separator = |byte: &u8| b"-.()".contains(byte);
    if !number.iter().any(is_separator) {
        return number;
    }
    Cow::Owned(number.iter().filter(|byte| !is_separator(byte)).copied().collect())
}

/// Returns the URI of a `From`-like header value: the part in angle brackets, or the value itself.
///
/// A display name may contain angle brackets inside quotes.
pub fn address_uri(value: &[u8]) -> &[u8] {
    let mut quoted = false;
    let mut escaped = false;
    for (at, byte) in value.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'<' if !quoted => {
                let inner = value.get(at + 1..).unwrap_or_default();
                return inner.split(|byte| *byte == b'>').next().unwrap_or_default();
            }
            _ => {}
        }
    }
    value.trim_ascii()
}

/// A `%` that is not followed by two hexadecimal digits is kept, so that it is later reported as an invalid
/// digit.
fn percent_decoded(raw: &[u8]) -> Cow<'_, [u8]> {
    if !raw.contains(&b'%') {
        return Cow::Borrowed(raw);
    }
    let mut decoded = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((first, tail)) = rest.split_first() {
        let byte = match tail {
            [high, low, ..] if *first == b'%' => hex_value(*high).zip(hex_value(*low)),
            _ => None,
        };
        if let Some((high, low)) = byte {
            decoded.push(high << 4 | low);
            rest = tail.get(2..).unwrap_or_default();
        } else {
            decoded.push(*first);
            rest = tail;
        }
    }
    Cow::Owned(decoded)
}

/// The longest text of a peer in verdicts, and so in records and logs, in characters. No number is nearly as long.
const MAX_TEXT_CHARS: usize = 256;

/// Received bytes as text: at most 256 characters, with U+FFFD for what is no UTF-8 and for control characters. A user
/// part can contain any of them as `%00`, and a database may refuse them.
pub(super) fn text_of(bytes: &[u8]) -> Cow<'_, str> {
    text_within(bytes, MAX_TEXT_CHARS)
}

/// As [`text_of`], with this maximum of characters.
pub(super) fn text_within(bytes: &[u8], max_chars: usize) -> Cow<'_, str> {
    // Nearly every text, and each number.
    if bytes.len() <= max_chars
        && bytes.iter().all(|byte| matches!(byte, b' '..=b'~'))
        && let Ok(text) = std::str::from_utf8(bytes)
    {
        return Cow::Borrowed(text);
    }
    // A character has at most four bytes, so one that is cut here is beyond the maximum.
    let text = String::from_utf8_lossy(bytes.get(..4 * max_chars).unwrap_or(bytes));
    if text.len() <= max_chars && !text.contains(char::is_control) {
        return text;
    }
    let plain = |character: char| match character {
        control if control.is_control() => char::REPLACEMENT_CHARACTER,
        other => other,
    };
    Cow::Owned(text.chars().take(max_chars).map(plain).collect())
}

/// As [`text_of`], as a text of its own.
pub(super) fn lossy_text(bytes: &[u8]) -> String {
    text_of(bytes).into_owned()
}

/// The value of a hexadecimal digit, in either case.
pub(super) fn hex_value(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn user(uri: &str) -> Option<String> {
        user_part(uri.as_bytes()).map(|user| String::from_utf8(user.into_owned()).unwrap())
    }

    #[test]
    fn a_raw_hash_and_an_escaped_one_are_the_same_dialled_text() {
        assert_eq!(user("sip:123#442@h").as_deref(), Some("123#442"));
        assert_eq!(user("sip:123%23442@h").as_deref(), Some("123#442"));
    }

    #[test]
    fn user_parameters_uri_parameters_and_a_password_are_no_part_of_the_number() {
        for uri in ["sip:442;npdi;rn=+1@h", "sip:442@h;user=phone", "SIPS:442:secret@h", "tel:442;isub=1"] {
            assert_eq!(user(uri).as_deref(), Some("442"), "{uri}");
        }
    }

    #[test]
    fn a_local_number_belongs_to_its_phone_context() {
        for (uri, number) in [
            ("tel:2079460018;phone-context=+44", "+442079460018"),
            ("tel:(20)7946.0018;ext=1;Phone-Context=+4-4", "+442079460018"),
            ("sip:2079460018;phone-context=%2B44@h;user=phone", "+442079460018"),
            ("sip:123%232079460018;phone-context=+44@h", "123#+442079460018"),
            ("tel:+442079460018;phone-context=+1", "+442079460018"),
            ("tel:0018;phone-context=pbx.example.com", "0018;phone-context=pbx.example.com"),
            ("tel:0018;phone-context=+", "0018;phone-context=+"),
            ("tel:0018;phone-context", "0018"),
            ("tel:911;phone-context=+1", "911"),
            ("sip:44-20@h", "44-20"),
        ] {
            assert_eq!(user(uri).as_deref(), Some(number), "{uri}");
        }
    }

    #[test]
    fn another_scheme_or_a_uri_without_a_user_has_no_user_part() {
        for uri in ["http://442@h", "sip:h", "442@h", "", ":"] {
            assert_eq!(user(uri), None, "{uri}");
        }
    }

    #[test]
    fn a_display_name_with_brackets_in_quotes_does_not_hide_the_address() {
        let value = br#""A <sip:1@x> \" B" <sip:+442012345678@h;x=y>;tag=9"#;
        assert_eq!(address_uri(value), b"sip:+442012345678@h;x=y");
        assert_eq!(user_part(address_uri(b"sip:442@h;tag=9")).as_deref(), Some(b"442".as_slice()));
    }

    #[test]
    fn a_percent_sign_without_two_hexadecimal_digits_stays() {
        assert_eq!(user("sip:1%2@h").as_deref(), Some("1%2"));
        assert_eq!(user("sip:1%zz%31@h").as_deref(), Some("1%zz1"));
    }

    #[test]
    fn a_text_is_short_and_has_no_control_characters() {
        assert_eq!(text_of(b"442"), "442");
        assert_eq!(text_of(b"4\x004\n2\xff"), "4\u{fffd}4\u{fffd}2\u{fffd}");
        for long in ["4".repeat(60_000), "\u{10000}".repeat(257), format!("4{}", "\u{10000}".repeat(257))] {
            let text = text_of(long.as_bytes());
            assert_eq!(text.chars().count(), 256);
            assert!(long.starts_with(&*text), "{text}");
        }
        assert_eq!(text_within(b"received", 4), "rece");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(
            bytes in proptest::collection::vec(any::<u8>(), 0..80), text in "(sip|tel|sips):[ -~]{0,40}"
        ) {
            let _ = user_part(address_uri(&bytes));
            let _ = user_part(address_uri(text.as_bytes()));
        }
    }
}
