//! Where those headers of a request stand that it is asked for several times, and what of their values is asked for. They are
//! found in one pass, and read once.

use std::ops::Range;

use rsipstack::sip::{Header, Headers};
use sip_transport::tag_of;

/// The first header of each of these names. All of it refers to the same headers, which keep their places.
#[derive(Debug, Default)]
pub(super) struct NamedHeaders {
    /// The bits of all names, see [`bit_of`].
    names: u64,
    call_id: Option<usize>,
    from: Option<usize>,
    to: Option<usize>,
    sequence: Option<usize>,
    max_forwards: Option<usize>,
    /// Where the tags stand in the values of `From` and `To`.
    remote_tag: Option<Range<usize>>,
    local_tag: Option<Range<usize>>,
    /// The number in `CSeq`, and where the method stands.
    number_and_method: Option<(u32, Range<usize>)>,
}

impl NamedHeaders {
    pub(super) fn of(headers: &Headers) -> Self {
        let mut named = Self::default();
        for (at, header) in headers.iter().enumerate() {
            named.names |= bit_of(header.name());
            let place = match header {
                Header::CallId(_) => &mut named.call_id,
                Header::From(_) => &mut named.from,
                Header::To(_) => &mut named.to,
                Header::CSeq(_) => &mut named.sequence,
                Header::MaxForwards(_) => &mut named.max_forwards,
                _ => continue,
            };
            if place.is_none() {
                *place = Some(at);
            }
        }
        named.remote_tag = value(headers, named.from).and_then(tag_in);
        named.number_and_method = value(headers, named.sequence).and_then(|value| {
            let mut words = value.split_ascii_whitespace();
            Some((words.next()?.parse().ok()?, place_in(value, words.next()?)?))
        });
        named.read_local_tag(headers);
        named
    }

    /// Reads the tag in `To` again, after that was changed.
    pub(super) fn read_local_tag(&mut self, headers: &Headers) {
        self.local_tag = value(headers, self.to).and_then(tag_in);
    }

    /// Returns false if no header has this name. Most questions are about headers that a request does not have.
    pub(super) fn may_have(&self, name: &str) -> bool {
        self.names & bit_of(name) != 0
    }

    pub(super) fn call_id<'a>(&self, headers: &'a Headers) -> Option<&'a str> {
        value(headers, self.call_id)
    }

    /// The caller's tag, in `From`.
    pub(super) fn remote_tag<'a>(&self, headers: &'a Headers) -> Option<&'a str> {
        value(headers, self.from)?.get(self.remote_tag.clone()?)
    }

    /// The edge's tag, in `To`.
    pub(super) fn local_tag<'a>(&self, headers: &'a Headers) -> Option<&'a str> {
        value(headers, self.to)?.get(self.local_tag.clone()?)
    }

    /// The number and the method of `CSeq`.
    pub(super) fn sequence<'a>(&self, headers: &'a Headers) -> Option<(u32, &'a str)> {
        let (number, method) = self.number_and_method.clone()?;
        Some((number, value(headers, self.sequence)?.get(method)?))
    }

    pub(super) fn max_forwards<'a>(&self, headers: &'a Headers) -> Option<&'a str> {
        value(headers, self.max_forwards)
    }
}

/// The value of the header at a place, as it was received.
fn value(headers: &Headers, at: Option<usize>) -> Option<&str> {
    Some(headers.0.get(at?)?.value().trim_start())
}

/// Where the tag stands in a value.
fn tag_in(value: &str) -> Option<Range<usize>> {
    place_in(value, tag_of(value)?)
}

/// Where a part of a text stands in it.
fn place_in(text: &str, part: &str) -> Option<Range<usize>> {
    let start = part.as_ptr().addr().checked_sub(text.as_ptr().addr())?;
    Some(start..start + part.len())
}

/// The bit of a name in any case of letters, which other names share.
fn bit_of(name: &str) -> u64 {
    let letter = |byte: Option<&u8>| byte.map_or(0, |byte| usize::from(byte.to_ascii_lowercase()));
    let (first, last) = (letter(name.as_bytes().first()), letter(name.as_bytes().last()));
    1 << ((first + 3 * last + 7 * name.len()) % 64)
}

#[cfg(test)]
mod tests {
    use rsipstack::sip::{Request, SipMessage};

    use super::*;

    fn request(lines: &str) -> Request {
        let text = format!("INVITE sip:1@h SIP/2.0\r\n{lines}\r\n\r\n");
        match SipMessage::try_from(text.as_bytes()) {
            Ok(SipMessage::Request(request)) => request,
            _ => panic!("{text}"),
        }
    }

    #[test]
    fn each_part_is_that_of_the_first_header_of_its_name() {
        let headers = request(
            "Via: SIP/2.0/UDP a\r\nf: \"x;tag=no\" <sip:a@h;tag=no>;x=1; tag = yes\r\nFrom: <sip:b@h>;tag=second\r\n\
             TO: <sip:c@h>\r\ni:  one@h\r\nCall-ID: two\r\ncseq:  7   INVITE more\r\nCSeq: 8 BYE\r\nmax-forwards: 70",
        )
        .headers;
        let named = NamedHeaders::of(&headers);
        assert_eq!((named.call_id(&headers), named.max_forwards(&headers)), (Some("one@h"), Some("70")));
        assert_eq!((named.remote_tag(&headers), named.local_tag(&headers)), (Some("yes"), None));
        assert_eq!(named.sequence(&headers), Some((7, "INVITE")));
    }

    #[test]
    fn a_tag_that_is_added_is_found_once_it_is_read() {
        let mut headers = request("From: <sip:a@h>\r\nTo: <sip:c@h>").headers;
        let mut named = NamedHeaders::of(&headers);
        for header in headers.iter_mut() {
            if let Header::To(to) = header {
                *to = format!("{};tag=edge", to.value()).into();
            }
        }
        named.read_local_tag(&headers);
        assert_eq!((named.remote_tag(&headers), named.local_tag(&headers)), (None, Some("edge")));
    }

    #[test]
    fn what_is_not_there_or_cannot_be_read_is_none() {
        for lines in
            ["X: 1", "CSeq: INVITE\r\nFrom: <sip:a@h;tag=open", "CSeq: 1\r\nTo: ;tag=x", "CSeq: -1 INVITE"]
        {
            let headers = request(lines).headers;
            let named = NamedHeaders::of(&headers);
            assert_eq!((named.sequence(&headers), named.call_id(&headers)), (None, None), "{lines}");
            assert_eq!((named.remote_tag(&headers), named.local_tag(&headers)), (None, None), "{lines}");
        }
    }

    #[test]
    fn a_name_that_is_there_is_never_denied_and_most_others_are() {
        let present = ["Via", "From", "Call-ID", "CSeq", "Contact", "Content-Type", "X-Twilio-AccountSid"];
        let headers = request(&present.map(|name| format!("{name}: x")).join("\r\n")).headers;
        let named = NamedHeaders::of(&headers);
        for name in present {
            assert!(named.may_have(name) && named.may_have(&name.to_ascii_uppercase()), "{name}");
        }
        let absent = [
            "Require",
            "Proxy-Require",
            "Accept",
            "Diversion",
            "Privacy",
            "Timestamp",
            "Record-Route",
            "P-Charge-Info",
        ];
        let denied = absent.iter().filter(|name| !named.may_have(name)).count();
        assert!(denied > absent.len() / 2, "{denied}");
    }
}
