//! Where a SIP message begins and ends in a stream.
//!
//! Nothing is read into memory because a peer announces it: a message has one size at most, and what does not
//! keep to the form ends the connection, for nobody knows where the next message begins.

use bytes::{Buf as _, Bytes, BytesMut};

use super::head::Head;

/// Most bytes of a message.
const MOST: usize = 65_535;

/// What a stream brings.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    Message(Bytes),
    /// Two empty lines, which want one back (RFC 5626).
    Ping,
}

/// The stream cannot be read any further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    #[error("a message has more than {MOST} bytes")]
    TooLong,
    #[error("a message has a Content-Length that is no number, or two that differ")]
    Length,
    #[error("a datagram ends before its body does")]
    Short,
    #[error("a message has no end of its head")]
    Headless,
}

/// Takes the next whole thing that a stream brought.
pub(crate) fn next(input: &mut BytesMut) -> Result<Option<Frame>, Malformed> {
    loop {
        if input.starts_with(b"\r\n\r\n") {
            input.advance(4);
            return Ok(Some(Frame::Ping));
        }
        if !input.starts_with(b"\r\n") {
            break;
        }
        input.advance(2);
    }
    let Some(head) = input.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4) else {
        return if input.len() > MOST { Err(Malformed::TooLong) } else { Ok(None) };
    };
    let body = content_length(input.get(..head).unwrap_or_default())?.unwrap_or_default();
    let whole = head.saturating_add(body);
    if whole > MOST {
        return Err(Malformed::TooLong);
    }
    Ok((input.len() >= whole).then(|| Frame::Message(input.split_to(whole).freeze())))
}

/// The body of a datagram: without a length it ends with the datagram, and what follows a body is no part of
/// it (RFC 3261 §18.3).
pub fn body_of_datagram(bytes: &[u8]) -> Result<&[u8], Malformed> {
    let Some(head) = Head::of(bytes) else { return Err(Malformed::Headless) };
    let length = length(head)?.unwrap_or(head.rest.len());
    head.rest.get(..length).ok_or(Malformed::Short)
}

/// What a head says about its body.
fn content_length(head: &[u8]) -> Result<Option<usize>, Malformed> {
    Head::of(head).map_or(Ok(None), length)
}

fn length(head: Head<'_>) -> Result<Option<usize>, Malformed> {
    let mut lengths = head.values(["Content-Length", "l"]).map(|value| {
        let is_number = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
        let number = std::str::from_utf8(value).ok().filter(|_| is_number).and_then(|text| text.parse().ok());
        number.ok_or(Malformed::Length)
    });
    let first = lengths.next().transpose()?;
    for length in lengths {
        if Some(length?) != first {
            return Err(Malformed::Length);
        }
    }
    Ok(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(bytes: &[u8]) -> (Vec<Frame>, Option<Malformed>) {
        let mut input = BytesMut::from(bytes);
        let mut frames = Vec::new();
        loop {
            match next(&mut input) {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => return (frames, None),
                Err(error) => return (frames, Some(error)),
            }
        }
    }

    fn message(text: &'static str) -> Frame {
        Frame::Message(Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn messages_are_told_apart_by_their_length_and_pings_by_their_emptiness() {
        let (a, b) = ("A x\r\nl : 3\r\n\r\nabc", "B x\r\ncontent-LENGTH:0\r\n\r\n");
        let (found, error) = frames(format!("{a}\r\n\r\n{b}\r\n{a}A x").as_bytes());
        assert_eq!((found, error), (vec![message(a), Frame::Ping, message(b), message(a)], None));
    }

    #[test]
    fn a_part_of_a_message_waits_for_the_rest() {
        let text = "A x\r\nContent-Length: 3\r\n\r\nabc";
        for end in 0..text.len() {
            assert_eq!(frames(&text.as_bytes()[..end]), (Vec::new(), None), "{end}");
        }
    }

    #[test]
    fn a_datagram_without_a_length_ends_with_itself_and_one_with_a_length_keeps_to_it() {
        let body = |lines: &str, rest: &str| {
            let text = format!("A x\r\n{lines}\r\n{rest}");
            body_of_datagram(text.as_bytes()).map(|body| String::from_utf8_lossy(body).into_owned())
        };
        assert_eq!(body("", "abc"), Ok("abc".to_owned()));
        assert_eq!(body("l: 2\r\n", "abc"), Ok("ab".to_owned()));
        assert_eq!(body("Content-Length: 3\r\nl: 3\r\n", "abc"), Ok("abc".to_owned()));
        assert_eq!(body("Content-Length: 4\r\n", "abc"), Err(Malformed::Short));
        for wrong in ["-1", "+3", "3x", "", "99999999999999999999", "3\r\nl: 2"] {
            assert_eq!(
                body(&format!("Content-Length: {wrong}\r\n"), "abc"),
                Err(Malformed::Length),
                "{wrong}"
            );
        }
        assert_eq!(body_of_datagram(b"A x\r\nB: c\r\n"), Err(Malformed::Headless));
    }

    #[test]
    fn a_length_that_is_too_large_or_no_number_ends_the_stream() {
        for (length, error) in [
            ("65535", Malformed::TooLong),
            ("18446744073709551615", Malformed::TooLong),
            ("18446744073709551616", Malformed::Length),
            ("-1", Malformed::Length),
            ("", Malformed::Length),
        ] {
            let text = format!("A x\r\nContent-Length: {length}\r\n\r\nabc");
            assert_eq!(frames(text.as_bytes()), (Vec::new(), Some(error)), "{length}");
        }
        assert_eq!(frames(&vec![b'x'; MOST + 1]), (Vec::new(), Some(Malformed::TooLong)));
    }
}
