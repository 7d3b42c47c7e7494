//! Hides secrets in texts before they are shown: passwords, keys, tokens, signatures and other credentials.
//!
//! A text is read once, byte by byte. Secrets are also found in texts that are truncated or are not valid JSON.

use didww_types::names_secret;
use memchr::{memchr, memchr_iter, memchr2, memrchr};
use percent_encoding::percent_decode_str;

/// The replacement of a secret.
pub(crate) const HIDDEN: &str = "(hidden)";

/// Hides the secrets of a JSON text.
pub(crate) fn json(text: &[u8]) -> String {
    let mut shown = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(rest) = text.get(at..) {
        let Some(quote) = memchr(b'"', rest) else {
            shown.extend_from_slice(rest);
            break;
        };
        shown.extend_from_slice(part(text, at, at + quote));
        at += quote;
        let end = end_of_string(text, at);
        let string = part(text, at, end);
        let colon = after_spaces(text, end);
        if text.get(colon) != Some(&b':') {
            let from = shown.len();
            push_string(&mut shown, string);
            if end == text.len() {
                hide_open_authority(&mut shown, from);
            }
            at = end;
            continue;
        }
        let value = after_spaces(text, colon + 1);
        shown.extend_from_slice(part(text, at, value));
        at = value;
        if is_secret_member(string) {
            let end = end_of_value(text, value);
            match part(text, value, end) {
                empty @ (b"" | b"null" | b"\"\"" | b"[]" | b"{}") => shown.extend_from_slice(empty),
                _ => shown.extend_from_slice(b"\"(hidden)\""),
            }
            at = end;
        }
    }
    lossy(shown)
}

/// Hides the secrets of a query or of a form.
pub(crate) fn form(text: &str) -> String {
    let is_secret_url = |value: &str| {
        let value = decoded(value);
        let has_parameter = || value.split_once('?').is_some_and(|(_, query)| names_secret(query));
        value.contains("://") && (value.contains('@') || has_parameter())
    };
    let shown = |pair: &str| {
        let plain = decoded(pair);
        // In JSON instead of parameters, a secret can be anywhere.
        if plain.contains(['"', '{']) && names_secret(&plain) {
            return HIDDEN.to_owned();
        }
        match pair.split_once('=') {
            Some((name, value))
                if !value.is_empty() && (names_secret(&decoded(name)) || is_secret_url(value)) =>
            {
                format!("{name}={HIDDEN}")
            }
            _ => pair.to_owned(),
        }
    };
    text.split('&').map(shown).collect::<Vec<_>>().join("&")
}

/// Hides the secrets of a form that was cut off, in which the user of the last URL can lack what shows that it is one.
pub(crate) fn start_of_form(text: &str) -> String {
    let shown = form(text);
    let (before, last) = shown.split_at(shown.rfind('&').map_or(0, |at| at + 1));
    let Some((name, value)) = last.split_once('=') else { return shown };
    let is_open = decoded(value).rsplit_once("://").is_some_and(|(_, rest)| !rest.contains(['/', '?', '#']));
    if is_open { format!("{before}{name}={HIDDEN}") } else { shown }
}

/// Hides users, passwords and secret parameters of URLs in a text of any kind, such as the value of a header, which can
/// also be the path and the query of a request, as proxies add them.
pub(crate) fn text(bytes: &[u8]) -> String {
    let mut shown = Vec::with_capacity(bytes.len());
    match memchr(b'?', bytes).filter(|_| bytes.starts_with(b"/")) {
        Some(mark) => {
            push_without_user(&mut shown, part(bytes, 0, mark + 1));
            let query = String::from_utf8_lossy(part(bytes, mark + 1, bytes.len()));
            shown.extend_from_slice(form(&query).as_bytes());
        }
        None => push_text(&mut shown, bytes),
    }
    lossy(shown)
}

/// A name or a value of a form, without its escapes.
pub(crate) fn decoded(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

/// Whether a JSON string, with its quotes, is the name of a secret. A string with escapes counts as one, because it
/// could be. Headers that a service has to send with requests are secret as a whole: any of them can be a credential.
fn is_secret_member(string: &[u8]) -> bool {
    let name = string.strip_prefix(b"\"").unwrap_or(string);
    let name = name.strip_suffix(b"\"").unwrap_or(name);
    let is_headers = name.to_ascii_lowercase().ends_with(b"headers");
    is_headers || memchr(b'\\', name).is_some() || std::str::from_utf8(name).map_or(true, names_secret)
}

/// Whether a JSON string, with its quotes, may itself be a JSON text with a secret, such as the body of a customer's
/// requests. A string that begins with an escape, such as that of a line end, counts as one, because it could be.
fn is_text_with_secret(string: &[u8]) -> bool {
    let text = string.strip_prefix(b"\"").unwrap_or(string).trim_ascii_start();
    text.first().is_some_and(|first| b"{[\\".contains(first)) && names_secret(&String::from_utf8_lossy(text))
}

/// Adds a JSON string, with its quotes, that is a value.
fn push_string(shown: &mut Vec<u8>, string: &[u8]) {
    let from = shown.len();
    if !is_text_with_secret(string) {
        let form = memchr(b'=', string).and_then(|_| hidden_form(&String::from_utf8_lossy(string)));
        push_text(shown, form.as_deref().map_or(string, str::as_bytes));
        let added = part(shown, from, shown.len());
        if memchr(b'\\', added).is_none() || !conceals_secret(added) {
            return;
        }
        shown.truncate(from);
    }
    shown.extend_from_slice(b"\"(hidden)\"");
}

/// A text that is a form with a secret, such as the body of a customer's requests, with its secrets hidden. Quotes
/// around it stay; a text with the first one alone was cut off.
fn hidden_form(text: &str) -> Option<String> {
    let (start, inner) = text.strip_prefix('"').map_or(("", text), |rest| ("\"", rest));
    let (inner, end) = inner.strip_suffix('"').map_or((inner, ""), |rest| (rest, "\""));
    let is_cut = start.len() > end.len();
    // The name of the last pair can lack its end.
    let whole = if is_cut { inner.rsplit_once('&').map_or(inner, |(whole, _)| whole) } else { inner };
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.%[]".contains(&byte);
    let is_pair = |pair: &str| pair.split_once('=').is_some_and(|(name, _)| name.bytes().all(is_plain));
    if !whole.split('&').all(is_pair) {
        return None;
    }
    let hidden = if is_cut { start_of_form(inner) } else { form(inner) };
    (hidden != inner).then(|| format!("{start}{hidden}{end}"))
}

/// Maximum number of bytes that a cut leaves of an escape: those of a pair of surrogates, without the last one.
const MAX_OF_ESCAPE: usize = 11;

/// Whether a JSON string whose secrets are hidden, with its quotes, still has one that only its escapes conceal.
fn conceals_secret(string: &[u8]) -> bool {
    let Some(plain) = unescaped(string) else { return true };
    let mut shown = Vec::with_capacity(plain.len());
    push_text(&mut shown, plain.as_bytes());
    let inner = plain.trim_ascii_start();
    shown != plain.as_bytes()
        || hidden_form(&plain).is_some_and(|hidden| hidden != plain)
        || (inner.starts_with(['{', '[']) && json(inner.as_bytes()) != inner)
}

/// The text of a JSON string, complete or cut off; `None` if it has an escape that is not valid.
fn unescaped(string: &[u8]) -> Option<String> {
    let whole = serde_json::from_slice::<String>(string).ok();
    whole.or_else(|| {
        (0..=MAX_OF_ESCAPE.min(string.len())).find_map(|left_out| {
            let mut closed = part(string, 0, string.len() - left_out).to_vec();
            closed.push(b'"');
            serde_json::from_slice::<String>(&closed).ok()
        })
    })
}

/// Hides the authority with which the text after an index ends: it can be the start of a user and a password whose
/// `@` was cut off.
fn hide_open_authority(shown: &mut Vec<u8>, from: usize) {
    let mut start = from;
    while let Some(found) = start_of_authority(part(shown, start, shown.len())) {
        start += found;
    }
    let authority = part(shown, start, shown.len());
    if start > from && !authority.iter().any(|byte| *byte == b'@' || ends_authority(*byte)) {
        shown.truncate(start);
        shown.extend_from_slice(HIDDEN.as_bytes());
    }
}

/// Whether no character of this byte is part of the authority of a URL.
fn ends_authority(byte: u8) -> bool {
    b"/?#\\\"".contains(&byte) || byte.is_ascii_whitespace()
}

fn part(text: &[u8], from: usize, to: usize) -> &[u8] {
    text.get(from..to).unwrap_or_default()
}

/// The index after the string whose opening quote is at `from`, or after the text.
fn end_of_string(text: &[u8], from: usize) -> usize {
    let mut at = from + 1;
    while let Some(found) = text.get(at..).and_then(|rest| memchr2(b'"', b'\\', rest)) {
        at += found;
        if text.get(at) == Some(&b'"') {
            return at + 1;
        }
        at += 2;
    }
    text.len()
}

fn after_spaces(text: &[u8], from: usize) -> usize {
    let rest = text.get(from..).unwrap_or_default();
    from + rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count()
}

/// The index after a value of any kind, or after the text.
fn end_of_value(text: &[u8], from: usize) -> usize {
    let (mut at, mut depth) = (from, 0_usize);
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => {
                at = end_of_string(text, at);
                if depth == 0 {
                    return at;
                }
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' | b',' if depth == 0 => return at,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            byte if depth == 0 && byte.is_ascii_whitespace() => return at,
            _ => {}
        }
        at += 1;
    }
    text.len()
}

/// Adds a text without the users, the passwords and the secret parameters of the URLs in it.
fn push_text(shown: &mut Vec<u8>, text: &[u8]) {
    if memchr(b'?', text).is_none() {
        push_without_user(shown, text);
        return;
    }
    let mut without_user = Vec::with_capacity(text.len());
    push_without_user(&mut without_user, text);
    let mut rest = without_user.as_slice();
    while let Some(start) = start_of_authority(rest) {
        let end = end_of_url(rest, start);
        let query = memchr(b'?', part(rest, start, end)).map_or(end, |mark| start + mark + 1);
        shown.extend_from_slice(part(rest, 0, query));
        push_query(shown, part(rest, query, end));
        rest = part(rest, end, rest.len());
    }
    shown.extend_from_slice(rest);
}

/// The index after a URL, or after the text. Characters that JSON escapes are part of the URL.
fn end_of_url(text: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(byte) = text.get(at) {
        match byte {
            b'\\' => at += 2,
            b'"' | b' ' | b'\n' | b'\r' | b'\t' | b'#' | b'<' | b'>' => break,
            _ => at += 1,
        }
    }
    at.min(text.len())
}

/// Adds the query of a URL with its secrets hidden. An ampersand can be escaped, as JSON permits, so the whole text of
/// a pair before its last equals sign can be the name of a secret.
fn push_query(shown: &mut Vec<u8>, query: &[u8]) {
    for (index, pair) in query.split(|byte| *byte == b'&').enumerate() {
        if index > 0 {
            shown.push(b'&');
        }
        let last = memrchr(b'=', pair).unwrap_or(0);
        let value = memchr(b'=', pair).map_or(pair.len(), |first| first + 1);
        let names = String::from_utf8_lossy(part(pair, 0, last));
        if value < pair.len() && names_secret(&decoded(&names)) {
            shown.extend_from_slice(part(pair, 0, value));
            shown.extend_from_slice(HIDDEN.as_bytes());
        } else {
            shown.extend_from_slice(pair);
        }
    }
}

/// Adds a text without the users and passwords of the URLs in it.
fn push_without_user(shown: &mut Vec<u8>, text: &[u8]) {
    let mut rest = text;
    while let Some(start) = start_of_authority(rest) {
        shown.extend_from_slice(part(rest, 0, start));
        let authority = part(rest, start, rest.len());
        let end = authority.iter().position(|byte| ends_authority(*byte)).unwrap_or(authority.len());
        rest = authority;
        if let Some(user) = part(authority, 0, end).iter().rposition(|byte| *byte == b'@') {
            shown.extend_from_slice(HIDDEN.as_bytes());
            rest = part(authority, user, authority.len());
        }
    }
    shown.extend_from_slice(rest);
}

/// The index after the scheme of the first URL. Its slashes may be escaped, as JSON permits.
fn start_of_authority(text: &[u8]) -> Option<usize> {
    let slashes: [&[u8]; 2] = [b"//", b"\\/\\/"];
    memchr_iter(b':', text).find_map(|colon| {
        let after = text.get(colon + 1..)?;
        let found = slashes.into_iter().find(|slashes| after.starts_with(slashes))?;
        Some(colon + 1 + found.len())
    })
}

fn lossy(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        json(text.as_bytes())
    }

    #[test]
    fn a_secret_is_hidden_wherever_it_stands_and_the_rest_is_not() {
        let text = r#"{"data":{"attributes":{"name":"password","password": "p\"q" ,"username":"u","pin":1,
            "auth_password":7,"callback_secret":null,"Api-Key":"k","token":["a",{"b":"c"}],"token_type":"Bearer",
            "list":[{"shared_secret":"s"},"plain"]},"next_page_token":"n"}}"#;
        assert_eq!(
            shown(text),
            r#"{"data":{"attributes":{"name":"password","password": "(hidden)" ,"username":"u","pin":1,
            "auth_password":"(hidden)","callback_secret":null,"Api-Key":"(hidden)","token":"(hidden)","token_type":"Bearer",
            "list":[{"shared_secret":"(hidden)"},"plain"]},"next_page_token":"n"}}"#
        );
    }

    #[test]
    fn a_text_that_was_cut_off_or_is_no_json_hides_no_less() {
        let whole = r#"{"a":"b","password":"hunter2-hunter2","c":{"secret":{"deep":["hunter2"]}},"d":"e"}"#;
        for length in 0..=whole.len() {
            let shown = json(&whole.as_bytes()[..length]);
            assert!(!shown.contains("hunter"), "{shown}");
        }
        for text in [
            r#""password":"hunter2""#,
            r#"{"pass\u0077ord":"hunter2"}"#,
            r#"{"password"  :
                "hunter2"}"#,
            r#"{"password":hunter2}"#,
            r#"{"PASSWORD":"\\\"hunter2"}"#,
        ] {
            assert!(!shown(text).contains("hunter"), "{text}: {}", shown(text));
        }
        assert_eq!(json(b"{\"a\":\"\xff\"}"), "{\"a\":\"\u{fffd}\"}");
        assert_eq!((shown(""), shown("\""), shown("\\")), (String::new(), "\"".to_owned(), "\\".to_owned()));
    }

    #[test]
    fn the_user_of_a_url_is_hidden() {
        assert_eq!(
            shown(r#"{"u":"https://ann:pw@example.com/a@b"}"#),
            r#"{"u":"https://(hidden)@example.com/a@b"}"#
        );
        assert_eq!(shown(r#"["http:\/\/ann:pw@h\/"]"#), r#"["http:\/\/(hidden)@h\/"]"#);
        let plain = r#"{"u":"https://example.com/a@b","v":"a@b"}"#;
        assert_eq!(shown(plain), plain);
        assert_eq!(text(b"http://a, then http://b:c@d"), "http://a, then http://(hidden)@d");
        assert_eq!(form("callback=https%3A%2F%2Fann%3Apw%40h&b=c%40d"), "callback=(hidden)&b=c%40d");
    }

    #[test]
    fn a_secret_parameter_of_a_url_is_hidden() {
        for (text, hidden) in [
            (
                r#"{"u":"https://a:b@h/x?n=1&token=t0k&m=2#f","v":"d?token=e"}"#,
                r#"{"u":"https://(hidden)@h/x?n=1&token=(hidden)&m=2#f","v":"d?token=e"}"#,
            ),
            (r#"["http:\/\/h\/x?api_key=k\"k","n"]"#, r#"["http:\/\/h\/x?api_key=(hidden)","n"]"#),
            (r#"["http://h?n=1\u0026secret=s"]"#, r#"["http://h?n=(hidden)"]"#),
            (r#"["http://h?to%6ben=t&token="]"#, r#"["http://h?to%6ben=(hidden)&token="]"#),
        ] {
            assert_eq!(shown(text), hidden);
            assert_eq!(shown(hidden), hidden);
        }
        assert_eq!(text(b"<http://h/?signature=s>; next"), "<http://h/?signature=(hidden)>; next");
        assert_eq!(form("u=https%3A%2F%2Fh%3Ftoken%3Dt&v=https://h?n=1"), "u=(hidden)&v=https://h?n=1");
    }

    #[test]
    fn a_text_of_json_in_a_string_is_hidden_if_it_has_a_secret() {
        let text = r#"{"a":"{\"password\": \"p\"}","b":" [{\"token\":1}]","c":"{\"to\":\"{SMS_TEXT}\"}","d":"password"}"#;
        let hidden = r#"{"a":"(hidden)","b":"(hidden)","c":"{\"to\":\"{SMS_TEXT}\"}","d":"password"}"#;
        assert_eq!(shown(text), hidden);
        assert_eq!(shown(hidden), hidden);
        let escaped = r#"{"a":"\n{\"password\": \"p\"}","b":"\u007b\"token\":1}","c":"\n{\"to\":1}"}"#;
        assert_eq!(shown(escaped), r#"{"a":"(hidden)","b":"(hidden)","c":"\n{\"to\":1}"}"#);
    }

    #[test]
    fn escapes_conceal_no_secret() {
        for concealed in [
            r#"["{\"pass\\u0077ord\":\"p\"}"]"#,
            r#"["{\"headers\":{\"X-Auth\":\"p\"}}"]"#,
            r#"["https://ann:p\u00e9@h/"]"#,
            r#"["http\u003a//ann:p@h"]"#,
            r#"["http://h?tok\u0065n=p"]"#,
            r#"["a=1\u0026tok\u0065n=p"]"#,
            r#"["\ud800http:\u002f\u002fann:p@h"]"#,
            r#"["[\"{\\\"tok\\u0065n\\\":\\\"p\\\"}\"]"]"#,
        ] {
            assert_eq!(shown(concealed), r#"["(hidden)"]"#, "{concealed}");
        }
        for plain in [
            r#"["see http://h\nann@h"]"#,
            r#"["a \u00e9 and \"token\" http:\/\/h\/?a=1"]"#,
            r#"["{\"a\":\"\\u00e9\"}"]"#,
        ] {
            assert_eq!(shown(plain), plain);
        }
    }

    #[test]
    fn a_form_in_a_string_is_hidden_by_its_names() {
        assert_eq!(
            shown(r#"{"body":"to={SMS_DST}&api_key=k&text=x y","v":"my password=p","w":"n=1&token="}"#),
            r#"{"body":"to={SMS_DST}&api_key=(hidden)&text=x y","v":"my password=p","w":"n=1&token="}"#
        );
        assert_eq!(json(b"[\"a=\xff&token=t\"]"), "[\"a=\u{fffd}&token=(hidden)\"]");
        assert_eq!(shown(r#"["u=https%3A%2F%2Fann%3Apw%40h&n=1"]"#), r#"["u=(hidden)&n=1"]"#);
        assert_eq!(shown(r#"["api_key=k&te"#), r#"["api_key=(hidden)&te"#);
        assert_eq!(shown(r#"["n=1&u=https%3A%2F%2Fann%3Ap"#), r#"["n=1&u=(hidden)"#);
    }

    #[test]
    fn the_user_of_a_url_that_was_cut_off_is_hidden() {
        let whole = r#"{"a":"http://h/","url":"https://ann:hunter2-hunter2@h/"}"#;
        for length in 0..=whole.len() {
            let shown = json(&whole.as_bytes()[..length]);
            assert!(!shown.contains("ann") && !shown.contains("hunter"), "{shown}");
            assert_eq!(json(shown.as_bytes()), shown);
        }
        assert_eq!(start_of_form("a=1&u=https%3A%2F%2Fann%3Ap"), "a=1&u=(hidden)");
        assert_eq!(start_of_form("u=https://h/a&b=2&flag"), "u=https://h/a&b=2&flag");
        assert_eq!(start_of_form("b=2&u=https://h/a"), "b=2&u=https://h/a");
    }

    #[test]
    fn a_header_with_the_path_of_a_request_has_no_secret() {
        assert_eq!(text(b"/v1.0/calls?accesskey=k&page=1"), "/v1.0/calls?accesskey=(hidden)&page=1");
        assert_eq!(text(b"/v3/dids?u=https://ann:p@h"), "/v3/dids?u=(hidden)");
        assert_eq!(text(b"/v3/dids"), "/v3/dids");
    }

    #[test]
    fn headers_that_a_service_is_to_send_are_hidden_as_a_whole() {
        assert_eq!(
            shown(r#"{"headers":{"X-Auth":"k"},"tech_Headers":["k"],"header":"h","headers":null}"#),
            r#"{"headers":"(hidden)","tech_Headers":"(hidden)","header":"h","headers":null}"#
        );
    }

    #[test]
    fn parameters_are_known_by_their_decoded_names() {
        let text = "a=1&accesskey=k&filter%5Bpass%77ord%5D=p&token=&page_token=t&grant_type=client&flag";
        let hidden = "a=1&accesskey=(hidden)&filter%5Bpass%77ord%5D=(hidden)&token=&page_token=t&grant_type=client&flag";
        assert_eq!(form(text), hidden);
        assert_eq!(decoded("a%20b+c"), "a b c");
        assert_eq!(form(r#"a=1&{"password":"x=y"}"#), "a=1&(hidden)");
    }

    #[test]
    fn the_headers_of_credentials_are_secret() {
        for name in ["Authorization", "api-key", "x-api-key", "Cookie", "set-cookie", "x-didww-signature"] {
            assert!(names_secret(name), "{name}");
        }
        for name in
            ["content-type", "x-didww-api-version", "idempotency-key", "access-control-allow-credentials"]
        {
            assert!(!names_secret(name), "{name}");
        }
    }
}
