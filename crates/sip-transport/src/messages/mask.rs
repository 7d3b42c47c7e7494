//! Masks the secrets of a message, without changing its length.
//!
//! | secret | masked |
//! | --- | --- |
//! | `Authorization`, `Proxy-Authorization` | every parameter of a digest that is not known to be public, `response` among them; all credentials of another scheme |
//! | `Authentication-Info`, `Proxy-Authentication-Info` | the same |
//! | passwords in URIs (`sip:user:password@host`) | the password |
//! | SDP: `a=crypto`, `a=key-mgmt`, `a=ice-pwd`, `k=` | the key |
//! | DTMF: the body of an INFO, and a body whose type names digits | everything but line ends |
//!
//! Lines are recognised in head and body alike, because a body may contain another message.

use std::sync::Arc;

use memchr::memchr;

use crate::head::{Head, logical_line};

/// The byte that replaces each byte of a secret.
const MASK: u8 = b'0';
/// The byte that replaces a dialled digit; `0` would itself be a digit.
const DIGIT_MASK: u8 = b'x';

/// The parameters of a digest that reveal nothing (RFC 7616 §3.4, RFC 7615 §3).
const PUBLIC_PARAMETERS: [&[u8]; 11] = [
    b"username",
    b"realm",
    b"nonce",
    b"uri",
    b"algorithm",
    b"cnonce",
    b"opaque",
    b"qop",
    b"nc",
    b"userhash",
    b"nextnonce",
];

/// The headers with credentials, in lower case.
const CREDENTIALS: [&[u8]; 4] =
    [b"authorization", b"proxy-authorization", b"authentication-info", b"proxy-authentication-info"];

/// A message, or its beginning up to the end of a line, with its secrets masked. A beginning that ends inside of the
/// head has no body.
pub(super) fn masked(bytes: &[u8]) -> Arc<[u8]> {
    let mut masked: Arc<[u8]> = Arc::from(bytes);
    let Some(message) = Arc::get_mut(&mut masked) else { return Arc::default() };
    if let Some(head) = Head::of(bytes).filter(carries_digits) {
        let length = bytes.len() - head.rest.len();
        for byte in message.iter_mut().skip(length).filter(|byte| !matches!(byte, b'\r' | b'\n')) {
            *byte = DIGIT_MASK;
        }
    }
    let mut rest = message;
    while !rest.is_empty() {
        let first = memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
        let is_folded = matches!(rest.get(first), Some(b' ' | b'\t'));
        let length = if is_folded { logical_line(rest).len() } else { first };
        let (line, others) = rest.split_at_mut(length);
        mask_line(line);
        if is_folded {
            // A body has no continuation lines: what looks like one is a line of its own to those who read it.
            let (_, continuations) = line.split_at_mut(first);
            continuations.split_inclusive_mut(|byte| *byte == b'\n').for_each(mask_line);
        }
        rest = others;
    }
    masked
}

/// Whether the body may report DTMF: every INFO does that has no other known purpose.
fn carries_digits(head: &Head<'_>) -> bool {
    let is_description = |kind: &&[u8]| kind.eq_ignore_ascii_case(b"application/sdp");
    let mut kinds = head.values(["Content-Type", "c"]).map(<[u8]>::to_ascii_lowercase);
    // Also of a start line that is not valid otherwise.
    let is_info = head.leading_method().is_some_and(|method| method.eq_ignore_ascii_case(b"INFO"));
    let names = |kind: &[u8], word: &[u8]| kind.windows(word.len()).any(|window| window == word);
    if is_info {
        return kinds.next().is_none_or(|kind| !kind.starts_with(b"application/media_control+xml"));
    }
    // A description names no digits, and most bodies are one.
    let mut kinds = head.values(["Content-Type", "c"]).filter(|kind| !is_description(kind));
    kinds.any(|kind| {
        let kind = kind.to_ascii_lowercase();
        [&b"dtmf"[..], b"telephone-event", b"kpml", b"digits"].iter().any(|word| names(&kind, word))
    })
}

/// A line for a log, with its secrets masked.
pub fn masked_line(line: &[u8]) -> Vec<u8> {
    let mut masked = line.to_vec();
    // Readers of a line trim it.
    if line.trim_ascii_start().get(..6).is_some_and(|word| word.eq_ignore_ascii_case(b"signal")) {
        masked.fill(DIGIT_MASK);
    } else {
        mask_line(&mut masked);
        // The line may begin inside of a header, whose name is not known then.
        mask_responses(&mut masked);
    }
    masked
}

fn mask_line(line: &mut [u8]) {
    // Readers of a line trim it too.
    let start = line.iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or_default();
    match line.get(start).map(u8::to_ascii_lowercase) {
        Some(b'a' | b'p') => {
            let colon = memchr(b':', line).unwrap_or(line.len());
            let name = line.get(..colon).unwrap_or_default().trim_ascii();
            let is = |known: &[u8]| name.eq_ignore_ascii_case(known);
            if CREDENTIALS.iter().any(|known| is(known)) {
                mask_credentials(
                    line.get_mut(colon..).and_then(|rest| rest.get_mut(1..)).unwrap_or_default(),
                );
            } else if is(b"a=crypto") {
                mask_inline_keys(line);
            } else if is(b"a=key-mgmt") || is(b"a=ice-pwd") {
                hide(line.get_mut(colon..).and_then(|rest| rest.get_mut(1..)).unwrap_or_default());
            }
        }
        Some(b'k') if line.get(start + 1) == Some(&b'=') => {
            hide(line.get_mut(start + 2..).unwrap_or_default());
        }
        _ => {}
    }
    mask_passwords(line);
}

/// Replaces everything but spaces and line ends.
fn hide(bytes: &mut [u8]) {
    for byte in bytes.iter_mut().filter(|byte| !byte.is_ascii_whitespace()) {
        *byte = MASK;
    }
}

/// Masks the keys of `a=crypto` (RFC 4568 §6.1): each ends at its lifetime, or with its word.
fn mask_inline_keys(line: &mut [u8]) {
    const INLINE: &[u8] = b"inline:";
    let mut is_key = false;
    let mut at = 0;
    while at < line.len() {
        let starts = |line: &[u8]| {
            line.get(at..at + INLINE.len()).is_some_and(|word| word.eq_ignore_ascii_case(INLINE))
        };
        if starts(line) {
            is_key = true;
            at += INLINE.len();
            continue;
        }
        if let Some(byte) = line.get_mut(at) {
            is_key &= !(byte.is_ascii_whitespace() || matches!(byte, b'|' | b';'));
            if is_key {
                *byte = MASK;
            }
        }
        at += 1;
    }
}

/// Masks the passwords of SIP URIs.
fn mask_passwords(line: &mut [u8]) {
    // From each `@` back to the scheme: a user part contains none of the characters that end it.
    let mut from = 0;
    while let Some(at) = line.get(from..).and_then(|rest| memchr(b'@', rest)).map(|at| at + from) {
        let before = line.get(from..at).unwrap_or_default();
        let ends_user = |byte: &u8| matches!(byte, b' ' | b'\t' | b'<' | b'>' | b'"');
        let start = from + before.iter().rposition(ends_user).map_or(0, |start| start + 1);
        let user = line.get(start..at).unwrap_or_default();
        from = at + 1;
        // Few lines have a second colon: after the scheme, it begins a password.
        if user.iter().filter(|byte| **byte == b':').nth(1).is_none() {
            continue;
        }
        let after = |scheme: &[u8]| {
            let found = user.windows(scheme.len()).rposition(|word| word.eq_ignore_ascii_case(scheme));
            found.map(|at| at + scheme.len())
        };
        if let Some(name) = after(b"sip:").or_else(|| after(b"sips:"))
            && let Some(colon) = user.iter().skip(name).position(|byte| *byte == b':')
        {
            hide(line.get_mut(start + name + colon + 1..at).unwrap_or_default());
        }
    }
}

/// Masks the value of a header with credentials.
fn mask_credentials(value: &mut [u8]) {
    let start = value.iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or(value.len());
    let text = value.get(start..).unwrap_or_default();
    let word = text.iter().position(|byte| byte.is_ascii_whitespace() || matches!(byte, b'=' | b','));
    let word = word.unwrap_or(text.len());
    let is_digest = text.get(..word).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"Digest"));
    // `Authentication-Info` has parameters without a scheme.
    let has_scheme = text.get(word..).unwrap_or_default().trim_ascii_start().first() != Some(&b'=');
    let credentials = if has_scheme { start + word } else { start };
    let rest = value.get_mut(credentials..).unwrap_or_default();
    if is_digest || !has_scheme {
        mask_parameters(rest);
        // A missing or additional quotation mark would hide a parameter from the pass before.
        mask_responses(rest);
    } else {
        hide(rest);
    }
}

/// Masks the values of all parameters that are not public.
fn mask_parameters(text: &mut [u8]) {
    let mut name = Vec::new();
    let (mut in_value, mut quoted, mut escaped, mut is_public) = (false, false, false, false);
    for byte in text {
        let ends_parameter = *byte == b',' && !quoted;
        if ends_parameter {
            name.clear();
            in_value = false;
        } else if !in_value {
            if *byte == b'=' {
                in_value = true;
                let plain = name.trim_ascii();
                is_public = PUBLIC_PARAMETERS.iter().any(|known| plain.eq_ignore_ascii_case(known));
            } else {
                name.push(*byte);
            }
        } else {
            let is_quote = *byte == b'"' && !escaped;
            escaped = *byte == b'\\' && quoted && !escaped;
            quoted ^= is_quote;
            if !is_public && !is_quote && !byte.is_ascii_whitespace() {
                *byte = MASK;
            }
        }
    }
}

/// Masks the values after `response=` and `rspauth=`, wherever they occur.
fn mask_responses(text: &mut [u8]) {
    const NAMES: [&[u8]; 2] = [b"response", b"rspauth"];
    let mut at = 0;
    while at < text.len() {
        let here = text.get(at..).unwrap_or_default();
        // Both names begin with this letter.
        let Some(begin) = here.iter().position(|byte| byte.eq_ignore_ascii_case(&b'r')) else { return };
        at += begin;
        let here = here.get(begin..).unwrap_or_default();
        let is_here =
            |name: &&&[u8]| here.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
        let Some(name) = NAMES.iter().find(is_here) else {
            at += 1;
            continue;
        };
        at += name.len();
        let rest = text.get_mut(at..).unwrap_or_default();
        let equals = rest.iter().position(|byte| !byte.is_ascii_whitespace());
        if let Some(equals) = equals.filter(|at| rest.get(*at) == Some(&b'=')) {
            let value = rest.get_mut(equals + 1..).unwrap_or_default();
            let digits = value.iter_mut().skip_while(|byte| byte.is_ascii_whitespace() || **byte == b'"');
            digits.take_while(|byte| byte.is_ascii_alphanumeric()).for_each(|byte| *byte = MASK);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(text: &str) -> String {
        let masked = masked(text.as_bytes());
        assert_eq!(masked.len(), text.len());
        String::from_utf8(masked.to_vec()).unwrap()
    }

    fn line(text: &str) -> String {
        let all = of(&format!("INVITE sip:a@b SIP/2.0\r\n{text}\r\nCall-ID: x\r\n\r\n"));
        let end = "\r\nCall-ID: x\r\n\r\n";
        all.strip_prefix("INVITE sip:a@b SIP/2.0\r\n").unwrap().strip_suffix(end).unwrap().to_owned()
    }

    #[test]
    fn the_digest_of_a_response_is_masked_and_what_is_public_stays() {
        let digest = "Digest username=\"a, response=b\", realm=\"r\", nonce=\"n\", uri=\"sip:x\", qop=auth, \
                      nc=00000001, cnonce=\"c\"";
        assert_eq!(
            line(&format!("Authorization: {digest}, response=\"0123456789abcdef\", algorithm=MD5")),
            format!(
                "Authorization: {}, response=\"0000000000000000\", algorithm=MD5",
                digest.replace("response=b", "response=0")
            )
        );
        for (text, expected) in [
            ("proxy-authorization : digest RESPONSE = abc", "proxy-authorization : digest RESPONSE = 000"),
            ("Authorization: Digest response=\"abc\"", "Authorization: Digest response=\"000\""),
            (
                "Authorization: Digest\r\n response=\r\n\t\"abc\"",
                "Authorization: Digest\r\n response=\r\n\t\"000\"",
            ),
            (
                "Authorization: Digest realm=\"r, response=\"abc\"",
                "Authorization: Digest realm=\"r, response=\"000\"",
            ),
            ("Authorization: Digest secret=\"s\\\"t\", nc=1", "Authorization: Digest secret=\"0000\", nc=1"),
            ("Authorization: Basic dXNlcjpw", "Authorization: Basic 00000000"),
            ("Authorization: Bearer a.b=", "Authorization: Bearer 0000"),
            ("Authentication-Info: rspauth=\"abc\", nc=1", "Authentication-Info: rspauth=\"000\", nc=1"),
            ("WWW-Authenticate: Digest nonce=\"n\"", "WWW-Authenticate: Digest nonce=\"n\""),
        ] {
            assert_eq!(line(text), expected);
        }
    }

    #[test]
    fn passwords_of_uris_and_keys_of_sdp_are_masked() {
        for (text, expected) in [
            ("Contact: <sip:a:secret@h:5060>;x=y", "Contact: <sip:a:000000@h:5060>;x=y"),
            ("m: sips:a:se:cret@h, <sip:b@h:9>", "m: sips:a:0000000@h, <sip:b@h:9>"),
            ("Contact: <sip:a@h:5060>", "Contact: <sip:a@h:5060>"),
            (
                "a=crypto:1 AES inline:a+b/c|2^20|1:4;inline:de",
                "a=crypto:1 AES inline:00000|2^20|1:4;inline:00",
            ),
            ("a=key-mgmt:mikey AQAF", "a=key-mgmt:00000 0000"),
            ("k=base64:abc", "k=0000000000"),
            ("a=ice-pwd:abc", "a=ice-pwd:000"),
            ("a=rtpmap:8 PCMA/8000", "a=rtpmap:8 PCMA/8000"),
            ("m=audio 1\r\n a=crypto:1 AES inline:abc|1", "m=audio 1\r\n a=crypto:1 AES inline:000|1"),
            ("m=audio 1\r\n\tk=base64:abc", "m=audio 1\r\n\tk=0000000000"),
            ("\rAuthorization: Digest response=\"abc\"", "\rAuthorization: Digest response=\"000\""),
        ] {
            assert_eq!(line(text), expected);
        }
    }

    #[test]
    fn digits_that_a_caller_dialled_are_left_out() {
        let info = |kind: &str| {
            let head = format!("INFO sip:a SIP/2.0\r\nContent-Type: {kind}\r\nContent-Length: 11\r\n\r\n");
            of(&format!("{head}Signal=5\r\nx"))[head.len()..].to_owned()
        };
        assert_eq!(info("application/dtmf-relay"), "xxxxxxxx\r\nx");
        assert_eq!(info("text/plain"), "xxxxxxxx\r\nx");
        for start in ["INFO sip:a SIP/2.0 ", "INFO\tsip:a", "INFO  sip:a SIP/2.0"] {
            let text = of(&format!("{start}\r\nContent-Type: text/plain\r\n\r\nSignal=5"));
            assert!(text.ends_with("\r\n\r\nxxxxxxxx"), "{text}");
        }
        assert_eq!(info("application/media_control+xml"), "Signal=5\r\nx");
        let notify = "NOTIFY sip:a SIP/2.0\r\nc: application/kpml-response+xml\r\n\r\ndigits=\"1\"";
        assert!(of(notify).ends_with("\r\n\r\nxxxxxxxxxx"), "{}", of(notify));
    }

    #[test]
    fn a_line_for_a_log_has_no_secret() {
        for (text, expected) in [
            ("INVITE  sip:alice:secret@h SIP/2.0", "INVITE  sip:alice:000000@h SIP/2.0"),
            ("a=crypto:1 AES inline:abcdef", "a=crypto:1 AES inline:000000"),
            ("Signal=5", "xxxxxxxx"),
            (" \tsignal=5", "xxxxxxxxxx"),
            (", nc=1, response=\"0123abcd\", qop=auth", ", nc=1, response=\"00000000\", qop=auth"),
        ] {
            assert_eq!(masked_line(text.as_bytes()), expected.as_bytes());
        }
    }

    proptest! {
        #[test]
        fn no_digest_survives_in_any_surroundings(
            before in "[ -~]{0,40}",
            after in "[ -~]{0,40}",
            quote in "\"?",
            spaces in "( |\t|\r\n ){0,2}",
        ) {
            let secret = "deadbeefdeadbeefdeadbeefdeadbeef";
            let header = format!("Authorization: Digest {before},response{spaces}={spaces}{quote}{secret}{quote},{after}");
            prop_assert!(!line(&header).contains(secret), "{header}");
        }

        #[test]
        fn any_bytes_keep_their_length(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert_eq!(masked(&bytes).len(), bytes.len());
        }
    }
}
