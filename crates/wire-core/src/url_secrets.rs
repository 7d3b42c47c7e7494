//! The secrets of a URL: its user and password, and parameters whose names say that their values are secret.

use crate::secret::HIDDEN;
use crate::secret_names::names_secret;

/// A URL with `(hidden)` in place of its user and password, and of the values of secret parameters; `None` if it has
/// neither. Everything else stays as it was written. The scheme can be absent.
///
/// ```
/// # use wire_core::hidden_in_url;
/// let hidden = hidden_in_url("https://ann:pw@example.com/hook?token=t&a=1");
/// assert_eq!(hidden.as_deref(), Some("https://(hidden)@example.com/hook?token=(hidden)&a=1"));
/// assert_eq!(hidden_in_url("https://example.com/hook?a=1"), None);
/// ```
pub fn hidden_in_url(text: &str) -> Option<String> {
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) if is_scheme(scheme) => (format!("{scheme}://"), rest),
        _ => (String::new(), text),
    };
    let end = rest.find(['/', '\\', '?', '#']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(end);
    let authority = match authority.rsplit_once('@') {
        Some((_, host)) => format!("{HIDDEN}@{host}"),
        None => authority.to_owned(),
    };
    let (address, fragment) = rest.split_at(rest.find('#').unwrap_or(rest.len()));
    let address = match address.split_once('?') {
        Some((path, query)) => {
            let pairs: Vec<String> = query.split('&').map(hidden_pair).collect();
            format!("{path}?{}", pairs.join("&"))
        }
        None => address.to_owned(),
    };
    let hidden = format!("{scheme}{authority}{address}{fragment}");
    (hidden != text).then_some(hidden)
}

fn is_scheme(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

pub(crate) fn hidden_pair(pair: &str) -> String {
    match pair.split_once('=') {
        Some((name, value)) if !value.is_empty() && names_secret(&decoded(name)) => {
            format!("{name}={HIDDEN}")
        }
        _ => pair.to_owned(),
    }
}

/// A name without its escapes. Invalid escapes stay, and invalid UTF-8 is replaced: the name is only compared.
fn decoded(name: &str) -> String {
    let mut plain = Vec::with_capacity(name.len());
    let mut bytes = name.bytes();
    while let Some(byte) = bytes.next() {
        let mut ahead = bytes.clone();
        let (high, low) = (ahead.next().and_then(digit), ahead.next().and_then(digit));
        match (byte, high, low) {
            (b'%', Some(high), Some(low)) => {
                plain.push(high * 16 + low);
                bytes = ahead;
            }
            _ => plain.push(byte),
        }
    }
    String::from_utf8_lossy(&plain).into_owned()
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_and_secret_parameters_are_hidden_and_the_rest_is_as_it_was_written() {
        for (text, hidden) in [
            ("http://ann@h:8080", "http://(hidden)@h:8080"),
            ("ann:p@w@example.com/a@b?c", "(hidden)@example.com/a@b?c"),
            ("https://h/?X%2DApi%5FKey=k&b=%20c#token=t", "https://h/?X%2DApi%5FKey=(hidden)&b=%20c#token=t"),
            ("https://h?a&PassWord=p&=x", "https://h?a&PassWord=(hidden)&=x"),
        ] {
            assert_eq!(hidden_in_url(text).as_deref(), Some(hidden), "{text}");
            assert_eq!(hidden_in_url(hidden), None, "what is hidden stays as it is");
        }
        for plain in [
            "",
            "https://example.com/a@b",
            "example.com/?next=http://a@b",
            "http://h/?token=&a=%zz&b=%2",
            "/path",
        ] {
            assert_eq!(hidden_in_url(plain), None, "{plain}");
        }
    }
}
