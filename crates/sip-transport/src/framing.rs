//! Finds the boundaries of SIP messages in a stream.
//!
//! A peer's `Content-Length` never reserves memory: a message has at most 65,535 bytes. Input that violates
//! the framing ends the connection, because the beginning of the next message is unknown.

use bytes::{Buf as _, Bytes, BytesMut};

use crate::head::{END, Head, find};

/// Maximum size of a message with its head.
const MAX_MESSAGE_BYTES: usize = 65_535;

/// The bytes of a keep-alive ping (RFC 5626 §4.4.1).
pub(crate) const PING: &[u8] = b"\r\n\r\n";

/// A unit of a stream.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame {
    /// A message with its body.
    Message(Bytes),
    /// A keep-alive ping of two empty lines, which is answered with one (RFC 5626).
    Ping,
}

/// A message whose boundaries cannot be determined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FramingError {
    /// The message is larger than 65,535 bytes.
    #[error("the message has more than {MAX_MESSAGE_BYTES} bytes")]
    TooLong,
    /// `Content-Length` is not a number, or occurs twice with different values.
    #[error("Content-Length is not a number, or has two different values")]
    Length,
    /// `Content-Length` is greater than the number of bytes after the datagram's headers.
    #[error("the datagram ends before its body does")]
    Short,
    /// The empty line after the headers is missing.
    #[error("the message has no empty line after its headers")]
    Headless,
}

/// Removes the next complete message or ping from the input; `None` if more bytes are needed.
pub fn next_frame(input: &mut BytesMut) -> Result<Option<Frame>, FramingError> {
    Framer::default().next_frame(input)
}

/// What is known of the incomplete message at the beginning of an input. A message that arrives byte by byte is so
/// searched once, and not again from its beginning with each byte.
#[derive(Debug, Default)]
pub(crate) struct Framer {
    /// The length of the input in which no end of a head was found.
    searched: usize,
    /// The size of the message, once its head is complete.
    total: Option<usize>,
}

impl Framer {
    /// As [`next_frame`], for an input that only grew since the last call.
    pub(crate) fn next_frame(&mut self, input: &mut BytesMut) -> Result<Option<Frame>, FramingError> {
        loop {
            if input.starts_with(PING) {
                input.advance(PING.len());
                return Ok(Some(Frame::Ping));
            }
            // The rest of a ping may come in another segment.
            if begins_no_message(input) {
                return Ok(None);
            }
            if !input.starts_with(b"\r\n") {
                break;
            }
            input.advance(2);
        }
        let total = match self.total {
            Some(total) => total,
            None => match self.size_of_message(input)? {
                Some(total) => total,
                None => return Ok(None),
            },
        };
        if input.len() < total {
            self.total = Some(total);
            return Ok(None);
        }
        *self = Self::default();
        Ok(Some(Frame::Message(input.split_to(total).freeze())))
    }

    /// The size of the message at the beginning of an input; `None` if its head is incomplete.
    fn size_of_message(&mut self, input: &[u8]) -> Result<Option<usize>, FramingError> {
        // The end of the head may have begun in the part that was searched.
        let from = self.searched.saturating_sub(END.len() - 1);
        let Some(at) = input.get(from..).and_then(|rest| find(rest, END)) else {
            self.searched = input.len();
            return if input.len() > MAX_MESSAGE_BYTES { Err(FramingError::TooLong) } else { Ok(None) };
        };
        let head = from + at + END.len();
        let body = content_length(input.get(..head).unwrap_or_default())?.unwrap_or_default();
        let total = head.saturating_add(body);
        if total > MAX_MESSAGE_BYTES { Err(FramingError::TooLong) } else { Ok(Some(total)) }
    }
}

/// Whether the rest of an input is empty, or only the beginning of a ping.
pub(crate) fn begins_no_message(input: &[u8]) -> bool {
    PING.starts_with(input)
}

/// The body of a datagram (RFC 3261 §18.3). Without `Content-Length` it extends to the end of the datagram;
/// bytes after that length are ignored.
pub fn body_of_datagram(bytes: &[u8]) -> Result<&[u8], FramingError> {
    let Some(head) = Head::of(bytes) else { return Err(FramingError::Headless) };
    body_after(head)
}

/// The body of a datagram with this head.
pub(crate) fn body_after(head: Head<'_>) -> Result<&[u8], FramingError> {
    let length = length(head)?.unwrap_or(head.rest.len());
    head.rest.get(..length).ok_or(FramingError::Short)
}

/// The `Content-Length` of a message, if it has one.
fn content_length(head: &[u8]) -> Result<Option<usize>, FramingError> {
    Head::of(head).map_or(Ok(None), length)
}

fn length(head: Head<'_>) -> Result<Option<usize>, FramingError> {
    let mut lengths = head.values(["Content-Length", "l"]).map(|value| {
        let is_number = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
        let number = std::str::from_utf8(value).ok().filter(|_| is_number).and_then(|text| text.parse().ok());
        number.ok_or(FramingError::Length)
    });
    let first = lengths.next().transpose()?;
    for length in lengths {
        if Some(length?) != first {
            return Err(FramingError::Length);
        }
    }
    Ok(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(bytes: &[u8]) -> (Vec<Frame>, Option<FramingError>) {
        let mut input = BytesMut::from(bytes);
        let mut frames = Vec::new();
        loop {
            match next_frame(&mut input) {
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
    fn messages_are_separated_by_their_length_and_pings_by_empty_lines() {
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
    fn a_message_that_arrives_byte_by_byte_is_searched_once() {
        let texts = ["A x\r\nl: 3\r\n\r\n\r\n\r", "B x\r\nContent-Length: 0\r\n\r\n"];
        let (mut framer, mut input, mut found) = (Framer::default(), BytesMut::new(), Vec::new());
        for byte in texts.concat().bytes() {
            input.extend_from_slice(&[byte]);
            found.extend(framer.next_frame(&mut input).unwrap());
            let known = framer.searched == input.len() || framer.total.is_some();
            assert!(input.is_empty() || known, "{framer:?}");
        }
        assert_eq!(found, texts.map(message));
        input.extend_from_slice(&vec![b'x'; MAX_MESSAGE_BYTES]);
        assert_eq!(framer.next_frame(&mut input), Ok(None));
        input.extend_from_slice(b"x");
        assert_eq!(framer.next_frame(&mut input), Err(FramingError::TooLong));
    }

    #[test]
    fn a_ping_that_comes_in_parts_is_a_ping_and_a_line_end_before_a_message_is_none() {
        for split in 1..PING.len() {
            let mut input = BytesMut::from(&PING[..split]);
            assert_eq!((next_frame(&mut input), begins_no_message(&input)), (Ok(None), true), "{split}");
            input.extend_from_slice(&PING[split..]);
            assert_eq!(next_frame(&mut input), Ok(Some(Frame::Ping)), "{split}");
        }
        let mut input = BytesMut::from(&b"\r\n"[..]);
        assert_eq!(next_frame(&mut input), Ok(None));
        input.extend_from_slice(b"A x\r\nl: 0\r\n\r\n");
        assert_eq!(next_frame(&mut input), Ok(Some(message("A x\r\nl: 0\r\n\r\n"))));
        assert!(!begins_no_message(b"\r\nA"));
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
        assert_eq!(body("Content-Length: 4\r\n", "abc"), Err(FramingError::Short));
        for wrong in ["-1", "+3", "3x", "", "99999999999999999999", "3\r\nl: 2"] {
            assert_eq!(
                body(&format!("Content-Length: {wrong}\r\n"), "abc"),
                Err(FramingError::Length),
                "{wrong}"
            );
        }
        assert_eq!(body_of_datagram(b"A x\r\nB: c\r\n"), Err(FramingError::Headless));
    }

    #[test]
    fn a_length_that_is_too_large_or_no_number_ends_the_stream() {
        for (length, error) in [
            ("65535", FramingError::TooLong),
            ("18446744073709551615", FramingError::TooLong),
            ("18446744073709551616", FramingError::Length),
            ("-1", FramingError::Length),
            ("", FramingError::Length),
        ] {
            let text = format!("A x\r\nContent-Length: {length}\r\n\r\nabc");
            assert_eq!(frames(text.as_bytes()), (Vec::new(), Some(error)), "{length}");
        }
        assert_eq!(frames(&vec![b'x'; MAX_MESSAGE_BYTES + 1]), (Vec::new(), Some(FramingError::TooLong)));
    }
}
