//! The names of members, parameters and headers whose values are secrets.

/// Names that have one of [`parts`], but whose values are not secrets.
const PLAIN: [&str; 8] = [
    "page_token",
    "next_page_token",
    "token_type",
    "token_id",
    "access_key_id",
    "accesskey_id",
    "credentials_and_ip",
    "access-control-allow-credentials",
];

/// Whether the value of a member, a header or a parameter with this name is a password, a key, a token or another
/// secret: in any case, with `-` or `_`. Names are known by their parts, so that one which is declared later, or which
/// a customer chooses, counts as well.
///
/// ```
/// # use wire_core::names_secret;
/// assert!(["auth_password", "X-Api-Key", "Auth-Key", "Authorization", "tokens"].into_iter().all(names_secret));
/// assert!(!["username", "key", "next_page_token"].into_iter().any(names_secret));
/// ```
pub fn names_secret(name: &str) -> bool {
    let bytes = name.as_bytes();
    let has_part = (0..bytes.len()).any(|at| bytes.get(at..).is_some_and(begins_with_part));
    has_part && !PLAIN.iter().any(|plain| plain.eq_ignore_ascii_case(name))
}

/// The parts of names that begin with a letter, and whose values are secret.
fn parts(letter: u8) -> &'static [&'static str] {
    match letter {
        b'a' => &["authorization", "api_key", "apikey", "auth_key", "access_key", "accesskey"],
        b'c' => &["cookie", "credential"],
        b'p' => &["password", "passwd"],
        b's' => &["secret", "signature"],
        b't' => &["token"],
        _ => &[],
    }
}

fn begins_with_part(rest: &[u8]) -> bool {
    let plain = |byte: &u8| if *byte == b'-' { b'_' } else { byte.to_ascii_lowercase() };
    let parts = rest.first().map_or(&[] as &[&str], |first| parts(plain(first)));
    parts.iter().any(|part| {
        rest.len() >= part.len() && rest.iter().zip(part.bytes()).all(|(byte, part)| plain(byte) == part)
    })
}
