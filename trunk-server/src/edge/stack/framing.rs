//! Where a SIP message begins and ends in a stream.
//!
//! Nothing is read into memory because a peer announces it: a message has one size at most, and what does not keep
//! to the form ends the connection, for nobody knows where the next message begins.

use bytes::{Buf as _, Bytes, BytesMut};

/// Most bytes of a message.
const MOST: usize = 65_535;

/// What a stream brings.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame {
    Message(Bytes),
    /// Two empty lines, which want one back (RFC 5626).
    Ping,
}

/// The stream cannot be read any further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Malformed {
    #[error("a message has more than {MOST} bytes")]
    TooLong,
    #[error("a message has a Content-Length that is no number")]
    Length,
}

/// Takes the next whole thing that a stream brought.
pub(super) fn next(input: &mut BytesMut) -> Result<Option<Frame>, Malformed> {
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
    let body = content_length(input.get(..head).unwrap_or_default())?;
    let whole = head.saturating_add(body);
    if whole > MOST {
        return Err(Malformed::TooLong);
    }
    Ok((input.len() >= whole).then(|| Frame::Message(input.split_to(whole).freeze())))
}

/// What a head says about its body; nothing is no body.
fn content_length(head: &[u8]) -> Result<usize, Malformed> {
    for line in head.split(|byte| *byte == b'\n') {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let (name, value) = line.split_at(colon);
        let name = name.trim_ascii();
        if name.eq_ignore_ascii_case(b"content-length") || name.eq_ignore_ascii_case(b"l") {
            let value = std::str::from_utf8(value.get(1..).unwrap_or_default()).unwrap_or_default();
            return value.trim().parse().map_err(|_| Malformed::Length);
        }
    }
    Ok(0)
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
