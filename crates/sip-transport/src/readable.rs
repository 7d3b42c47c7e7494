//! Rewrites a valid message that the SIP library cannot read into an equivalent one that it can.
//!
//! The library does not know white space around separators (RFC 3261 §7.3.1), a version in lower case (§7.1),
//! a `From` without a tag (§12.1.1) and the third colon that the grammar of RFC 3261 permitted by mistake
//! (RFC 5118 §4.10), and it skips all headers after one that is not UTF-8. Only a message that it refused, or
//! that is not UTF-8, is rewritten, so that others cost nothing here. Invalid messages stay invalid.
//!
//! A `From` without a tag has the tag `null` for RFC 3261; the library needs a text, so such a message gets the
//! tag [`NULL_TAG`] on its way in, and every message loses it on its way out.

use std::borrow::Cow;

use crate::head::{Head, unfolded};
use crate::name_addr::tag_of;

/// The placeholder for an absent tag.
pub const NULL_TAG: &str = "~untagged";

/// The parameter with that tag, as it is added to a `From`.
const NULL_TAG_PARAMETER: &[u8] = b";tag=~untagged";

/// The values in which white space around these separators means nothing.
const SEPARATED: [([&str; 2], &[u8]); 3] =
    [(["Via", "v"], b"/;=,:"), (["From", "f"], b";="), (["To", "t"], b";=")];

/// The message in a form that the library reads; `None` if it cannot be one.
pub(crate) fn rewritten(bytes: &[u8]) -> Option<Vec<u8>> {
    let head = Head::of(bytes)?;
    let mut out = Vec::with_capacity(bytes.len() + NULL_TAG_PARAMETER.len());
    if head.leading_method().is_some() && !head.has_valid_request_line() {
        return None;
    }
    let request = head.request();
    match request {
        Some([method, uri, version]) => {
            out.extend_from_slice(method);
            out.push(b' ');
            out.extend_from_slice(&without_third_colon(uri));
            out.extend_from_slice(b" ");
            out.extend_from_slice(&version.to_ascii_uppercase());
        }
        None => out.extend_from_slice(head.start()),
    }
    out.extend_from_slice(b"\r\n");
    for (name, value) in head.headers() {
        let value = unfolded(value);
        let is_named =
            |names: &[&str; 2]| names.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()));
        let separators =
            SEPARATED.iter().find(|(names, _)| is_named(names)).map(|(_, separators)| *separators);
        let text = String::from_utf8_lossy(&value);
        out.extend_from_slice(name);
        out.extend_from_slice(b": ");
        match separators {
            Some(separators) => out.extend_from_slice(&without_blanks(text.as_bytes(), separators)),
            None => out.extend_from_slice(text.as_bytes()),
        }
        if request.is_some() && is_named(&["From", "f"]) && lacks_tag(&text) {
            out.extend_from_slice(NULL_TAG_PARAMETER);
        }
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(head.rest);
    Some(out)
}

/// Whether a `From` value has no tag, and is otherwise fit to have one.
fn lacks_tag(value: &str) -> bool {
    tag_of(value).is_none() && tag_of(&format!("{value};tag={NULL_TAG}")) == Some(NULL_TAG)
}

/// The message without the placeholder for an absent tag.
pub(crate) fn without_null_tag(bytes: &[u8]) -> Cow<'_, [u8]> {
    // Rarely there, and much quicker to search for.
    if !bytes.contains(&b'~') {
        return Cow::Borrowed(bytes);
    }
    let find = |bytes: &[u8]| {
        bytes.windows(NULL_TAG_PARAMETER.len()).position(|window| window == NULL_TAG_PARAMETER)
    };
    let mut kept: Option<Vec<u8>> = None;
    let mut rest = bytes;
    while let Some(at) = find(rest) {
        let kept = kept.get_or_insert_with(|| Vec::with_capacity(bytes.len()));
        kept.extend_from_slice(rest.get(..at).unwrap_or_default());
        rest = rest.get(at + NULL_TAG_PARAMETER.len()..).unwrap_or_default();
    }
    match kept {
        Some(mut kept) => {
            kept.extend_from_slice(rest);
            Cow::Owned(kept)
        }
        None => Cow::Borrowed(bytes),
    }
}

/// A header value without the placeholder for an absent tag, for logs and records.
pub fn as_received(value: &str) -> &str {
    value.strip_suffix(";tag=~untagged").unwrap_or(value)
}

/// The value with each run of blanks as one space, and none beside a separator. Quoted texts and texts in angle
/// brackets stay unchanged.
fn without_blanks(value: &[u8], separators: &[u8]) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::with_capacity(value.len());
    let (mut quoted, mut bracketed, mut escaped, mut blank) = (false, false, false, false);
    for byte in value {
        let is_literal = std::mem::take(&mut escaped);
        if quoted || bracketed {
            match byte {
                _ if is_literal => {}
                b'\\' if quoted => escaped = true,
                b'"' if quoted => quoted = false,
                b'>' if bracketed => bracketed = false,
                _ => {}
            }
            out.push(*byte);
            continue;
        }
        if matches!(byte, b' ' | b'\t') {
            blank = true;
            continue;
        }
        let touches = separators.contains(byte) || out.last().is_none_or(|last| separators.contains(last));
        if std::mem::take(&mut blank) && !touches {
            out.push(b' ');
        }
        match byte {
            b'"' => quoted = true,
            b'<' => bracketed = true,
            _ => {}
        }
        out.push(*byte);
    }
    out
}

/// The Request-URI with `::` instead of `:::` before the IPv4 part of an IPv6 address.
fn without_third_colon(uri: &[u8]) -> Cow<'_, [u8]> {
    let at = uri.iter().position(|byte| *byte == b'[').and_then(|open| {
        let address = uri.get(open..)?;
        let third = address.windows(3).position(|window| window == b":::")?;
        Some(open + third)
    });
    match at.and_then(|at| Some((uri.get(..at)?, uri.get(at + 1..)?))) {
        Some((before, after)) => Cow::Owned([before, after].concat()),
        None => Cow::Borrowed(uri),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rsipstack::sip::SipMessage;

    use super::*;

    fn text(bytes: &[u8]) -> Option<String> {
        rewritten(bytes).map(|bytes| String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn blanks_are_removed_beside_separators_and_nowhere_else() {
        let message = b"OPTIONS sip:x sip/2.0\r\nv :  SIP  / 2.0\r\n /UDP   192.0.2.2 : 5060 ; branch =\r\n z , SIP/2.0/TCP b\r\n\
            From: \"A ; = \\\" B\"  C < sip:a ; b >  ;\r\n\ttag = 1\r\nTo: sip:b\r\nSubject: a ; b\r\n\r\n x ; y";
        assert_eq!(
            text(message).unwrap(),
            "OPTIONS sip:x SIP/2.0\r\nv: SIP/2.0/UDP 192.0.2.2:5060;branch=z,SIP/2.0/TCP b\r\n\
             From: \"A ; = \\\" B\" C < sip:a ; b >;tag=1\r\nTo: sip:b\r\nSubject: a ; b\r\n\r\n x ; y"
        );
    }

    #[test]
    fn no_tag_becomes_one_on_the_way_in_and_none_on_the_way_out() {
        let message = b"INVITE sip:x SIP/2.0\r\nFrom: <sip:a;tag=uri>\r\nTo: <sip:b>\r\n\r\n";
        let inside = rewritten(message).unwrap();
        assert!(inside.windows(NULL_TAG.len()).any(|window| window == NULL_TAG.as_bytes()));
        assert_eq!(&*without_null_tag(&inside), message);
        assert_eq!(as_received("<sip:a>;tag=~untagged"), "<sip:a>");
        let other = b"INVITE sip:~x SIP/2.0\r\nFrom: <sip:a>;tag=~x\r\n\r\n";
        assert!(matches!(without_null_tag(other), Cow::Borrowed(_)));
    }

    #[test]
    fn a_start_line_with_other_blanks_stays_invalid() {
        for line in [
            "INVITE  sip:x SIP/2.0",
            "INVITE sip:x  SIP/2.0",
            "INVITE sip:x SIP/2.0 ",
            "INVITE sip:x; lr SIP/2.0",
        ] {
            let rewritten = text(format!("{line}\r\nVia: a\r\n\r\n").as_bytes());
            let is_read = rewritten.is_some_and(|text| SipMessage::try_from(text.as_bytes()).is_ok());
            assert!(!is_read, "{line}");
        }
    }

    #[test]
    fn a_third_colon_before_an_ipv4_address_is_dropped() {
        let uri = |uri: &[u8]| String::from_utf8(without_third_colon(uri).into_owned()).unwrap();
        assert_eq!(uri(b"sip:u@[2001:db8:::192.0.2.1]:5"), "sip:u@[2001:db8::192.0.2.1]:5");
        assert_eq!(uri(b"sip:u:::@h"), "sip:u:::@h");
    }

    #[test]
    fn what_is_no_utf_8_is_replaced() {
        let message = b"OPTIONS sip:x SIP/2.0\r\nSubject: \xe9\r\nVia: a\r\n\r\n";
        assert!(text(message).unwrap().contains("Subject: \u{fffd}\r\nVia: a\r\n"));
    }

    proptest! {
        #[test]
        fn no_message_makes_it_panic_and_rewriting_twice_changes_nothing(
            lines in proptest::collection::vec("(Via|From|To|X)[ :]{1,3}[ -~\t]{0,40}", 0..6),
        ) {
            let message = format!("BYE sip:x SIP/2.0\r\n{}\r\n\r\nbody", lines.join("\r\n"));
            if let Some(once) = rewritten(message.as_bytes()) {
                prop_assert_eq!(rewritten(&once), Some(once.clone()));
                let _ = without_null_tag(&once);
            }
        }
    }
}
