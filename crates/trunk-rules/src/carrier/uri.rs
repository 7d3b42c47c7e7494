//! Extracts the user part of a URI from its raw bytes.
//!
//! SIP libraries differ in how they treat `#`, `%23`, `tel:` and user parameters, and the dialled text must
//! reach the rules and the call record unchanged. So this part of the URI, and no more, is parsed here.

use std::borrow::Cow;

/// Returns the user part of a `sip:`, `sips:` or `tel:` URI, percent-decoded, without password and
/// parameters.
///
/// ```
/// use trunk_rules::carrier::user_part;
/// let user = user_part(b"sip:123%23+442012345678;npdi@nyc.us.out.didww.com;user=phone");
/// assert_eq!(user.as_deref(), Some(b"123#+442012345678".as_slice()));
/// assert_eq!(user_part(b"tel:+442012345678;phone-context=x").as_deref(), Some(b"+442012345678".as_slice()));
/// assert_eq!(user_part(b"sip:out.didww.com"), None);
/// ```
pub fn user_part(uri: &[u8]) -> Option<Cow<'_, [u8]>> {
    let uri = uri.trim_ascii_start();
    let colon = uri.iter().position(|byte| *byte == b':')?;
    let (scheme, rest) = (uri.get(..colon)?, uri.get(colon + 1..)?);
    let raw = if scheme.eq_ignore_ascii_case(b"sip") || scheme.eq_ignore_ascii_case(b"sips") {
        let at = rest.iter().position(|byte| *byte == b'@')?;
        rest.get(..at)?.split(|byte| matches!(byte, b';' | b':')).next()?
    } else if scheme.eq_ignore_ascii_case(b"tel") {
        rest.split(|byte| matches!(byte, b';' | b'?' | b'>') || byte.is_ascii_whitespace()).next()?
    } else {
        return None;
    };
    Some(percent_decoded(raw))
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

/// Received bytes as text; invalid UTF-8 is replaced.
pub(super) fn lossy_text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
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
