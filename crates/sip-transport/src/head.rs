//! A message's head, split into lines without being parsed.
//!
//! The message filter uses it to reject a flood before anything is parsed or copied. All results borrow from
//! the received bytes; only a folded line allocates. Each accessor scans the head once. A message has at most
//! 65,535 bytes over every transport.

use std::borrow::Cow;
use std::sync::LazyLock;

use memchr::memmem::Finder;
use memchr::{memchr, memchr_iter};

/// The line end of the last header, and the empty line after it.
pub(crate) const END: &[u8] = b"\r\n\r\n";

/// Finds [`END`] in one pass, without a stop at each line. It is prepared once, because that takes longer than to find
/// it.
static END_FINDER: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(END));

/// A message's start line, header lines and the bytes after them.
#[derive(Debug, Clone, Copy)]
pub struct Head<'a> {
    start: &'a [u8],
    lines: &'a [u8],
    /// The bytes after the head, regardless of `Content-Length`.
    pub rest: &'a [u8],
}

impl<'a> Head<'a> {
    /// Splits a message; `None` if it has no empty line after the headers, or no start line.
    pub fn of(bytes: &'a [u8]) -> Option<Self> {
        let end = END_FINDER.find(bytes)?;
        let (head, rest) = (bytes.get(..end + 2)?, bytes.get(end + END.len()..)?);
        let first = find(head, b"\r\n")?;
        let (start, lines) = (head.get(..first)?, head.get(first + 2..)?);
        (!start.is_empty()).then_some(Self { start, lines, rest })
    }

    /// A message whose headers have no empty line after them, as a datagram that was cut off: all of it is its
    /// head. `None` without a line end.
    pub fn of_cut_off(bytes: &'a [u8]) -> Option<Self> {
        let first = find(bytes, b"\r\n")?;
        let (start, lines) = (bytes.get(..first)?, bytes.get(first + 2..)?);
        (!start.is_empty()).then_some(Self { start, lines, rest: &[] })
    }

    /// The start line, without its line end.
    pub fn start(&self) -> &'a [u8] {
        self.start
    }

    /// The first word of a start line that is not that of a response: the method, even if the rest of the line
    /// is invalid.
    pub fn leading_method(&self) -> Option<&'a [u8]> {
        let word = self.start.split(|byte| matches!(byte, b' ' | b'\t')).next()?;
        is_token(word).then_some(word)
    }

    /// Method, Request-URI and version; `None` if the start line is not that of a request.
    pub fn request(&self) -> Option<[&'a [u8]; 3]> {
        let first = self.start.iter().position(|byte| *byte == b' ')?;
        let last = self.start.iter().rposition(|byte| *byte == b' ')?;
        let method = self.start.get(..first)?;
        let uri = self.start.get(first + 1..last)?.trim_ascii();
        let version = self.start.get(last + 1..)?;
        let is_version = version.get(..4).is_some_and(|begin| begin.eq_ignore_ascii_case(b"SIP/"));
        (is_version && is_token(method)).then_some([method, uri, version])
    }

    /// Whether the start line is that of a request with one space between its parts, and no other blank
    /// (RFC 3261 §7.1).
    pub fn has_valid_request_line(&self) -> bool {
        self.request().is_some_and(|[method, uri, version]| {
            let length = method.len() + uri.len() + version.len() + 2;
            length == self.start.len() && !uri.iter().any(u8::is_ascii_whitespace)
        })
    }

    /// The method; `None` if the message is not a request.
    pub fn method(&self) -> Option<&'a [u8]> {
        self.request().map(|[method, ..]| method)
    }

    /// Names and values of the header lines, trimmed but otherwise as received: a folded value keeps its line
    /// ends. Lines without a colon are skipped.
    pub fn headers(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        let mut rest = self.lines;
        std::iter::from_fn(move || {
            while !rest.is_empty() {
                let line = logical_line(rest);
                rest = rest.get(line.len()..).unwrap_or_default();
                if let Some(colon) = memchr(b':', line) {
                    let (name, value) = line.split_at(colon);
                    return Some((name.trim_ascii(), value.get(1..).unwrap_or_default().trim_ascii()));
                }
            }
            None
        })
    }

    /// The values of a header, given by its long and its compact name. The compact name may be empty.
    pub fn values(&self, names: [&str; 2]) -> impl Iterator<Item = &'a [u8]> {
        self.headers().filter(move |(name, _)| is_named(name, names)).map(|(_, value)| value)
    }

    /// The first value of a header, [`unfolded`].
    pub fn value(&self, names: [&str; 2]) -> Option<Cow<'a, [u8]>> {
        self.values(names).next().map(unfolded)
    }

    /// The first value of each of several headers, [`unfolded`], found in one pass.
    pub fn first_values<const N: usize>(&self, names: [[&str; 2]; N]) -> [Option<Cow<'a, [u8]>>; N] {
        let mut found: [Option<Cow<'a, [u8]>>; N] = [const { None }; N];
        let mut missing = N;
        for (name, value) in self.headers() {
            for (place, names) in found.iter_mut().zip(names) {
                if place.is_none() && is_named(name, names) {
                    *place = Some(unfolded(value));
                    missing -= 1;
                }
            }
            if missing == 0 {
                break;
            }
        }
        found
    }
}

/// Whether a header has one of two names: its long one, or its compact one, which may be empty.
fn is_named(name: &[u8], [long, short]: [&str; 2]) -> bool {
    name.eq_ignore_ascii_case(long.as_bytes())
        || (!short.is_empty() && name.eq_ignore_ascii_case(short.as_bytes()))
}

/// Replaces line ends and tabs of a folded value by spaces. A value on one line is returned unchanged.
pub fn unfolded(value: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr2(b'\r', b'\n', value).is_none() {
        return Cow::Borrowed(value);
    }
    let space = |byte: &u8| if matches!(byte, b'\r' | b'\n' | b'\t') { b' ' } else { *byte };
    Cow::Owned(value.iter().map(space).collect())
}

/// The first line and its continuation lines, including the line ends.
pub(crate) fn logical_line(bytes: &[u8]) -> &[u8] {
    let mut end = 0;
    loop {
        let rest = bytes.get(end..).unwrap_or_default();
        end += memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
        if !matches!(bytes.get(end), Some(b' ' | b'\t')) {
            return bytes.get(..end).unwrap_or_default();
        }
    }
}

/// The position of a sequence of line ends: of one, or of [`END`].
pub(crate) fn find(bytes: &[u8], line_ends: &[u8]) -> Option<usize> {
    let starts = memchr_iter(b'\r', bytes);
    starts.into_iter().find(|start| bytes.get(*start..).is_some_and(|rest| rest.starts_with(line_ends)))
}

/// Whether the text is a `token` (RFC 3261 §25.1), as a method must be.
fn is_token(text: &[u8]) -> bool {
    let is_mark = |byte: &u8| b"-.!%*_+`'~".contains(byte);
    !text.is_empty() && text.iter().all(|byte| byte.is_ascii_alphanumeric() || is_mark(byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_are_found_with_short_names_and_folds() {
        let text = b"INVITE  sip:a b@c  SIP/2.0\r\nv: one\r\nVia : two,\r\n\t three\r\nno colon\r\nFrom:x\r\n\r\nbody";
        let head = Head::of(text).unwrap();
        assert_eq!(head.request(), Some([&b"INVITE"[..], b"sip:a b@c", b"SIP/2.0"]));
        let vias: Vec<&[u8]> = head.values(["Via", "v"]).collect();
        assert_eq!(vias, [&b"one"[..], b"two,\r\n\t three"]);
        assert_eq!(&*unfolded(vias[1]), b"two,    three");
        assert_eq!((head.value(["From", "f"]).as_deref(), head.rest), (Some(&b"x"[..]), &b"body"[..]));
        assert_eq!(head.value(["To", "t"]), None);
        let found = head.first_values([["From", "f"], ["To", "t"], ["Via", "v"]]);
        let found = found.map(|value| value.map(Cow::into_owned));
        assert_eq!(found, [Some(b"x".to_vec()), None, Some(b"one".to_vec())]);
    }

    #[test]
    fn responses_and_other_protocols_are_not_requests() {
        let is = |text: &[u8]| Head::of(text).map(|head| head.method().is_some());
        assert_eq!(is(b"SIP/2.0 200 OK\r\nVia: x\r\n\r\n"), Some(false));
        assert_eq!(is(b"GET / HTTP/1.1\r\n\r\n"), Some(false));
        assert_eq!(is(b"OPTIONS sip:x SIP/2.0\r\n\r\n"), Some(true));
        assert_eq!(is(b"OPT\0ONS sip:x SIP/2.0\r\n\r\n"), Some(false));
        assert_eq!(is(b"OPTIONS sip:x SIP/2.0\r\nVia: x\r\n"), None);
        assert_eq!(is(b"\r\n\r\n"), None);
    }

    #[test]
    fn the_method_of_an_invalid_start_line_is_its_first_word() {
        let method = |line: &str| {
            Head::of_cut_off(format!("{line}\r\n").as_bytes())
                .and_then(|head| head.leading_method().map(<[u8]>::to_vec))
        };
        for line in ["BYE sip:x SIP/2.0 ", "BYE sip:x", "BYE\tsip:x SIP/2.0"] {
            assert_eq!(method(line).as_deref(), Some(&b"BYE"[..]), "{line}");
            let is_valid =
                Head::of_cut_off(format!("{line}\r\n").as_bytes()).unwrap().has_valid_request_line();
            assert!(!is_valid, "{line}");
        }
        for line in ["SIP/2.0 200 OK", " BYE sip:x SIP/2.0", "B\0E sip:x SIP/2.0"] {
            assert_eq!(method(line), None, "{line}");
        }
        let cut_off = Head::of_cut_off(b"BYE sip:x SIP/2.0\r\nVia: a\r\nTo: b").unwrap();
        assert_eq!(cut_off.value(["Via", "v"]).as_deref(), Some(&b"a"[..]));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), tail in "[\r\n :,;a]{0,40}") {
            let bytes = [bytes.as_slice(), tail.as_bytes(), END].concat();
            prop_assert_eq!(END_FINDER.find(&bytes), find(&bytes, END));
            if let Some(head) = Head::of(&bytes) {
                let _ = (head.request(), head.headers().count(), head.value(["Via", "v"]));
            }
        }
    }
}
