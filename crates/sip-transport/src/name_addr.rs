//! The parts of a `From`, `To`, `Contact` or `Route` value: `name-addr` and `addr-spec` of RFC 3261 §20.10.
//!
//! Each message has several, so they are examined by bytes: all separators are ASCII, of which no other character has a
//! byte.

/// The `tag` parameter of a `From` or `To` value; `None` if it is absent or empty.
///
/// Parameters inside `<>` belong to the URI and not to the header, and quoted text is a display name: both
/// are ignored.
pub fn tag_of(value: &str) -> Option<&str> {
    let (uri, parameters) = parts(value)?;
    // The value must at least resemble an address.
    if !uri.as_bytes().contains(&b':') {
        return None;
    }
    let mut rest = parameters;
    loop {
        rest = rest.get(unquoted_semicolon(rest)? + 1..)?;
        let parameter = rest.get(..unquoted_semicolon(rest).unwrap_or(rest.len()))?;
        let Some(equals) = parameter.bytes().position(|byte| byte == b'=') else { continue };
        let (name, value) = parameter.split_at(equals);
        if name.trim().eq_ignore_ascii_case("tag") {
            let tag = value.get(1..)?.trim();
            return (!tag.is_empty()).then_some(tag);
        }
    }
}

/// Where the first `;` outside of quotes stands.
fn unquoted_semicolon(text: &str) -> Option<usize> {
    let mut quoted = false;
    text.bytes().position(|byte| {
        quoted ^= byte == b'"';
        byte == b';' && !quoted
    })
}

/// Whether a value is an address: quotes and brackets are closed, and the URI has a scheme. Its other syntax
/// is not checked, because real peers send many display names that the grammar does not permit.
pub fn is_name_addr(value: &str) -> bool {
    let (mut quoted, mut escaped) = (false, false);
    for byte in value.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ => {}
        }
    }
    let uri = uri_of(value).trim();
    !quoted && uri.split_once(':').is_some_and(|(scheme, rest)| !rest.is_empty() && is_scheme(scheme))
}

/// Whether a text is the scheme of a URI (RFC 3986 §3.1).
fn is_scheme(text: &str) -> bool {
    let is_part = |character: char| character.is_ascii_alphanumeric() || "+-.".contains(character);
    text.starts_with(|first: char| first.is_ascii_alphabetic()) && text.chars().all(is_part)
}

/// The URI of a value; empty if its bracket is not closed. Without brackets, parameters belong to the header.
pub fn uri_of(value: &str) -> &str {
    parts(value).map_or("", |(uri, _)| uri)
}

/// The URI, and the header's parameters with what precedes them; `None` if a bracket is not closed.
fn parts(value: &str) -> Option<(&str, &str)> {
    let (mut quoted, mut escaped) = (false, false);
    let bracket = value.bytes().position(|byte| {
        let is_literal = std::mem::take(&mut escaped);
        match byte {
            _ if is_literal => {}
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ => {}
        }
        byte == b'<' && !quoted && !is_literal
    });
    let place = |text: &str, sought: u8| text.bytes().position(|byte| byte == sought);
    if let Some(start) = bracket {
        let inside = value.get(start + 1..)?;
        let end = place(inside, b'>')?;
        return Some((inside.get(..end)?, inside.get(end + 1..)?));
    }
    let (uri, parameters) = value.split_at(place(value, b';').unwrap_or(value.len()));
    Some((uri.trim(), parameters))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tag_is_the_headers_own_and_not_the_uris_or_the_names() {
        assert_eq!(tag_of("<sip:a@b;tag=no>;x=1;TAG = yes ;y"), Some("yes"));
        assert_eq!(tag_of("sip:a@b;tag=bare"), Some("bare"));
        assert_eq!(tag_of("\"x>;tag=no\" <sip:a@b>;tag=yes"), Some("yes"));
        assert_eq!(tag_of("\"a;tag=x\" <sip:1@h;tag=y>;q=1; TAG = z "), Some("z"));
        assert_eq!(tag_of("<sip:a@b>;x=\"1;tag=no\";tag=yes"), Some("yes"));
        assert_eq!(tag_of("\"x;tag=no\" <sip:a@b>"), None);
        assert_eq!(tag_of("<sip:a@b;tag=no>"), None);
        assert_eq!(tag_of("<sip:a@b>;tag="), None);
        assert_eq!(tag_of("<sip:a@b;tag;tag=x"), None);
        assert_eq!(tag_of(";tag=x"), None);
        assert_eq!(
            tag_of("\"\u{fc};\" <sip:\u{e9}@b;tag=\u{fc}>;\u{e9}=\"\u{e9};\";tag=\u{e9}"),
            Some("\u{e9}")
        );
    }

    #[test]
    fn an_address_has_closed_quotes_and_brackets_and_a_scheme() {
        for valid in
            ["sip:a@b", "\"a\\\"\" <sip:a@b>;tag=1", "A. Bell, B < sip:a@b >", "isbn:2983792873", "<tel:+1>"]
        {
            assert!(is_name_addr(valid), "{valid}");
        }
        for invalid in
            ["", "\"Mr. J. User <sip:j.user@example.com>", "<sip:a@b", "a@b", "<>", "<sip:>", "<1:2>"]
        {
            assert!(!is_name_addr(invalid), "{invalid}");
        }
    }

    #[test]
    fn the_uri_is_found_with_and_without_brackets_and_behind_a_name_that_holds_some() {
        assert_eq!(uri_of("\"A\" <sip:a@b;transport=tcp>;expires=5"), "sip:a@b;transport=tcp");
        assert_eq!(uri_of("\"<x> \\\" <y>\" <sip:1@h;lr>;expires=3"), "sip:1@h;lr");
        assert_eq!(uri_of(" sip:a@b ;expires=5"), "sip:a@b");
        assert_eq!(uri_of("sip:1@h;expires=3"), "sip:1@h");
        assert_eq!((uri_of("<sip:a@b"), uri_of("><")), ("", ""), "an open bracket holds no URI");
    }
}
