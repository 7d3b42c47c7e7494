//! Parses the parameters of an `Authorization` header from its raw bytes.
//!
//! SIP libraries normalise the digest URI before they hash it, which breaks digests over a `#` or `%23`, and
//! parse `nc` into eight bits. Here every parameter keeps the bytes that were sent.

use std::borrow::Cow;

use memchr::memchr2;

/// Why a header contains no usable digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeaderFlaw {
    /// The authentication scheme is not `Digest`.
    #[error("the scheme is not Digest")]
    Scheme,
    /// The parameters are not a comma-separated list of `name=value`.
    #[error("the parameters are not a comma-separated list of name=value")]
    Syntax,
    /// A parameter occurs twice, so it is ambiguous which value was hashed.
    #[error("the parameter {0} occurs twice")]
    Twice(&'static str),
    /// A required parameter is missing.
    #[error("the parameter {0} is missing")]
    Missing(&'static str),
}

/// A parameter's value, as sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameter<'a> {
    raw: &'a [u8],
}

impl<'a> Parameter<'a> {
    pub(super) const fn of(raw: &'a [u8]) -> Self {
        Self { raw }
    }

    /// The bytes between the quotes, including escapes. The digest is computed over them.
    pub const fn raw(self) -> &'a [u8] {
        self.raw
    }

    /// The unescaped value, for comparisons.
    pub fn text(self) -> Cow<'a, [u8]> {
        if !self.raw.contains(&b'\\') {
            return Cow::Borrowed(self.raw);
        }
        let mut text = Vec::with_capacity(self.raw.len());
        let mut escaped = false;
        for byte in self.raw {
            if *byte == b'\\' && !escaped {
                escaped = true;
            } else {
                escaped = false;
                text.push(*byte);
            }
        }
        Cow::Owned(text)
    }
}

/// The parameters of a digest.
// No `Debug`: a digest allows offline password guessing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Credentials<'a> {
    /// The digest username, which names the trunk.
    pub username: Parameter<'a>,
    /// The protection realm that the username belongs to.
    pub realm: Parameter<'a>,
    /// The nonce of the challenge.
    pub nonce: Parameter<'a>,
    /// The digest URI, as hashed.
    pub uri: Parameter<'a>,
    /// The digest itself, in hexadecimal.
    pub response: Parameter<'a>,
    /// The hash algorithm; `None` means MD5.
    pub algorithm: Option<Parameter<'a>>,
    /// The quality of protection, if any.
    pub qop: Option<Parameter<'a>>,
    /// The nonce count, if any.
    pub nc: Option<Parameter<'a>>,
    /// The client nonce, if any.
    pub cnonce: Option<Parameter<'a>>,
}

impl<'a> Credentials<'a> {
    /// Parses a header value such as `Digest username="u", realm="r", ...`. Parameters may come in any order
    /// and their names in any case; unknown parameters are ignored.
    pub fn parse(value: &'a [u8]) -> Result<Self, HeaderFlaw> {
        const NAMES: [&str; 9] =
            ["username", "realm", "nonce", "uri", "response", "algorithm", "qop", "nc", "cnonce"];
        let found = parameters(value, NAMES)?;
        let [username, realm, nonce, uri, response, algorithm, qop, nc, cnonce] = found;
        Ok(Self {
            username: username.ok_or(HeaderFlaw::Missing("username"))?,
            realm: realm.ok_or(HeaderFlaw::Missing("realm"))?,
            nonce: nonce.ok_or(HeaderFlaw::Missing("nonce"))?,
            uri: uri.ok_or(HeaderFlaw::Missing("uri"))?,
            response: response.ok_or(HeaderFlaw::Missing("response"))?,
            algorithm,
            qop,
            nc,
            cnonce,
        })
    }
}

/// Returns the parameters of a `Digest` header value for the given names, in the order of the names.
pub(super) fn parameters<'a, const N: usize>(
    value: &'a [u8],
    names: [&'static str; N],
) -> Result<[Option<Parameter<'a>>; N], HeaderFlaw> {
    let value = value.trim_ascii();
    let end = value.iter().position(u8::is_ascii_whitespace).unwrap_or(value.len());
    let (scheme, mut rest) = value.split_at_checked(end).unwrap_or((value, &[]));
    if !scheme.eq_ignore_ascii_case(b"digest") {
        return Err(HeaderFlaw::Scheme);
    }
    let mut found: [Option<Parameter<'a>>; N] = [None; N];
    loop {
        // The grammar of header lists allows empty elements.
        rest = rest.trim_ascii_start();
        while let Some(after) = rest.strip_prefix(b",") {
            rest = after.trim_ascii_start();
        }
        if rest.is_empty() {
            return Ok(found);
        }
        let (name, raw, after) = parameter(rest).ok_or(HeaderFlaw::Syntax)?;
        rest = after;
        let known =
            names.iter().zip(&mut found).find(|(known, _)| name.eq_ignore_ascii_case(known.as_bytes()));
        if let Some((name, slot)) = known
            && slot.replace(Parameter { raw }).is_some()
        {
            return Err(HeaderFlaw::Twice(name));
        }
    }
}

/// Splits off one `name=value`. The rest is empty or begins with a comma.
fn parameter(text: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let equals = text.iter().position(|byte| *byte == b'=')?;
    let name = text.get(..equals)?.trim_ascii_end();
    if name.is_empty() || name.iter().any(|byte| !byte.is_ascii_graphic() || matches!(byte, b',' | b'"')) {
        return None;
    }
    let value = text.get(equals + 1..)?.trim_ascii_start();
    let (raw, after) = if let Some(quoted) = value.strip_prefix(b"\"") {
        let end = closing_quote(quoted)?;
        (quoted.get(..end)?, quoted.get(end + 1..)?)
    } else {
        let end = value.iter().position(|b| *b == b',' || b.is_ascii_whitespace()).unwrap_or(value.len());
        let (raw, after) = value.split_at_checked(end)?;
        // A backslash would escape the end of the value where an answer repeats it in quotes.
        if raw.is_empty() || raw.iter().any(|byte| matches!(byte, b'"' | b'\\')) {
            return None;
        }
        (raw, after)
    };
    let after = after.trim_ascii_start();
    (after.is_empty() || after.starts_with(b",")).then_some((name, raw, after))
}

fn closing_quote(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr2(b'"', b'\\', text.get(at..)?)?;
        if text.get(at) == Some(&b'"') {
            return Some(at);
        }
        // A backslash escapes the next character.
        at += 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(value: &str) -> Result<Credentials<'_>, HeaderFlaw> {
        Credentials::parse(value.as_bytes())
    }

    #[test]
    fn parameters_come_in_any_order_and_case_quoted_or_not() {
        let credentials = parse(
            "dIgEsT  NC=00000001,\r\n response=\"abc\" , URI=\"sip:1%23@h\",qop=\"auth\",,nonce=n==, realm = \"r\", \
             future=x, Username=\"u\"",
        )
        .ok()
        .unwrap();
        assert_eq!(credentials.uri.raw(), b"sip:1%23@h");
        assert_eq!(credentials.nonce.raw(), b"n==");
        assert_eq!(credentials.nc.unwrap().raw(), b"00000001");
        assert_eq!(credentials.qop.unwrap().raw(), b"auth");
        assert_eq!(credentials.realm.raw(), b"r");
        assert!(credentials.cnonce.is_none() && credentials.algorithm.is_none());
    }

    #[test]
    fn commas_equals_signs_and_escaped_quotes_inside_quotes_are_text() {
        let credentials =
            parse(r#"Digest username="a\"b,c=d\\", realm="r", nonce="n", uri="u", response="x""#)
                .ok()
                .unwrap();
        assert_eq!(credentials.username.raw(), br#"a\"b,c=d\\"#);
        assert_eq!(credentials.username.text().as_ref(), br#"a"b,c=d\"#);
    }

    #[test]
    fn a_header_that_cannot_be_read_says_why() {
        let flaw = |value| parse(value).err().unwrap();
        assert_eq!(flaw("Basic dTpw"), HeaderFlaw::Scheme);
        assert_eq!(flaw(""), HeaderFlaw::Scheme);
        assert_eq!(flaw("Digest"), HeaderFlaw::Missing("username"));
        assert_eq!(flaw("Digest username"), HeaderFlaw::Syntax);
        assert_eq!(flaw("Digest username=\"u"), HeaderFlaw::Syntax);
        assert_eq!(flaw("Digest username=\"u\" realm=\"r\""), HeaderFlaw::Syntax);
        assert_eq!(flaw("Digest username=u\\"), HeaderFlaw::Syntax);
        assert_eq!(flaw("Digest nonce=a, NONCE=b"), HeaderFlaw::Twice("nonce"));
        assert_eq!(flaw("Digest username=u, realm=r, nonce=n, uri=u"), HeaderFlaw::Missing("response"));
    }

    proptest! {
        #[test]
        fn a_value_ends_at_the_first_quote_that_no_backslash_escapes(text in "[a\"\\\\]{0,24}") {
            let (mut expected, mut is_escaped) = (None, false);
            for (at, byte) in text.bytes().enumerate() {
                if byte == b'"' && !is_escaped {
                    expected = Some(at);
                    break;
                }
                is_escaped = byte == b'\\' && !is_escaped;
            }
            prop_assert_eq!(closing_quote(text.as_bytes()), expected);
        }

        #[test]
        fn no_bytes_make_it_panic(
            bytes in proptest::collection::vec(any::<u8>(), 0..120), text in "Digest [a-z=\",\\\\ ]{0,60}"
        ) {
            let _ = Credentials::parse(&bytes);
            let _ = Credentials::parse(text.as_bytes());
        }

        #[test]
        fn what_was_sent_is_what_is_read(uri in "[!#-\\[\\]-~]{1,40}", name in "[!#-\\[\\]-~]{1,20}") {
            let header = format!("Digest username=\"{name}\",realm=\"r\",nonce=\"n\",uri=\"{uri}\",response=\"x\"");
            let credentials = parse(&header).ok().unwrap();
            prop_assert_eq!(credentials.uri.raw(), uri.as_bytes());
            prop_assert_eq!(credentials.username.text().into_owned(), name.into_bytes());
        }
    }
}
