//! The boundaries of SIP messages in a stream.

use bytes::BytesMut;
use sip_transport::{Frame, FramingError, next_frame};

use crate::fixtures;

/// Messages in a row, with pings and line ends between them.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let messages = fixtures::sip_messages();
    let mut seeds: Vec<Vec<u8>> = messages
        .chunks(3)
        .map(|some| some.join(&b"\r\n\r\n"[..]))
        .filter(|seed| seed.len() < 8_192)
        .collect();
    seeds.push(b"\r\n\r\n\r\nA x\r\nl: 3\r\n\r\nabcB x\r\nContent-Length: 0\r\n\r\n\r\n".to_vec());
    seeds.push(b"A x\r\nl: 3\r\nl: 4\r\n\r\nabc".to_vec());
    seeds
}

/// What a stream contains does not depend on the segments in which it arrives, and no byte is lost but line ends.
pub fn sip_stream(data: &[u8]) {
    let whole = frames(std::iter::once(data));
    // Each segment is a search from the beginning of its message.
    let small = if data.len() <= 512 { 1 } else { 64 };
    for size in [small, small + 2, 7 * small, 1_000] {
        assert_eq!(frames(data.chunks(size)), whole, "in segments of {size} bytes");
    }
    let used: usize =
        whole.0.iter().map(|frame| if let Frame::Message(bytes) = frame { bytes.len() } else { 0 }).sum();
    assert!(used <= data.len());
    for frame in &whole.0 {
        if let Frame::Message(bytes) = frame {
            assert!(bytes.len() <= 65_535 && !bytes.starts_with(b"\r\n"));
            let again = frames(std::iter::once(&bytes[..]));
            assert_eq!(again.0, [Frame::Message(bytes.clone())]);
        }
    }
}

/// The units of a stream, and how it ends.
fn frames<'a>(segments: impl Iterator<Item = &'a [u8]>) -> (Vec<Frame>, Option<FramingError>) {
    let (mut input, mut found) = (BytesMut::new(), Vec::new());
    for segment in segments {
        input.extend_from_slice(segment);
        loop {
            match next_frame(&mut input) {
                Ok(Some(frame)) => found.push(frame),
                Ok(None) => break,
                Err(error) => return (found, Some(error)),
            }
        }
    }
    (found, None)
}
