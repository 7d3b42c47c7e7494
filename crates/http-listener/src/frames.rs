//! Limits the frames of an HTTP/2 client that carry no request (RFC 9113 §4).
//!
//! Streams that are reset as soon as they are opened, pings, settings and empty frames cost the server work without
//! being a request that any other limit counts. So their rates are limited for each connection, and beyond them it is
//! closed. The bytes of headers are limited too, from the first frame of a request to the last `CONTINUATION`.

use service_base::buckets::Bucket;
use service_base::rate::Rate;

/// The first bytes that a client sends (RFC 9113 §3.4).
const PREFACE_BYTES: usize = 24;
/// The bytes of a frame before its payload: length, type, flags and stream.
const HEAD_BYTES: usize = 9;

/// Rate of streams that a client may reset. A client that cancels many requests at once resets each of them once.
const RESETS: Rate = Rate::per_second(100, 500);
/// Rate of pings, settings, priorities, empty data and frames of unknown types.
const CONTROL: Rate = Rate::per_second(100, 1_000);
/// Rate of window updates, of which a client that reads a long response sends many.
const WINDOW_UPDATES: Rate = Rate::per_second(5_000, 10_000);

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
/// The flag of the last frame of a request's headers.
const END_HEADERS: u8 = 4;
/// The flag of the last frame of a request.
const END_STREAM: u8 = 1;

/// A limit that a client exceeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Excess {
    #[error("the client resets too many streams")]
    Resets,
    #[error("the client sends too many frames that are not requests")]
    Control,
    #[error("the client sends headers that are too long")]
    Headers,
}

/// The number of bytes of responses after which a client's reading is reported.
const MIN_READ_BYTES: usize = 1 << 10;

/// Finds the frames in a stream of bytes, however these are cut.
#[derive(Debug, Default)]
struct Frames {
    /// Bytes of the preface, or of a payload, that are still to come.
    skip: usize,
    /// The bytes of a frame's head so far.
    head: [u8; HEAD_BYTES],
    head_length: usize,
}

/// The next part of a stream of frames.
enum Part {
    /// The head of a frame.
    Head([u8; HEAD_BYTES]),
    /// This many bytes of the payload of the frame whose head came last, or of the preface.
    Payload(usize),
}

impl Frames {
    /// Takes the next part from the bytes. `None` if they end before a head is complete.
    fn next(&mut self, bytes: &mut &[u8]) -> Option<Part> {
        let skipped = self.skip.min(bytes.len());
        if skipped > 0 {
            self.skip -= skipped;
            *bytes = bytes.get(skipped..).unwrap_or_default();
            return Some(Part::Payload(skipped));
        }
        while let Some((byte, rest)) = bytes.split_first() {
            *bytes = rest;
            if let Some(place) = self.head.get_mut(self.head_length) {
                *place = *byte;
            }
            self.head_length += 1;
            if self.head_length == HEAD_BYTES {
                let [high, middle, low, ..] = self.head;
                self.head_length = 0;
                self.skip = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
                return Some(Part::Head(self.head));
            }
        }
        None
    }
}

/// Follows the frames of one client.
#[derive(Debug)]
pub(crate) struct FrameMeter {
    max_header_bytes: usize,
    frames: Frames,
    /// Bytes of the headers that are not complete; `None` outside of headers.
    headers: Option<usize>,
    /// Whether the payload of the present frame completes the headers.
    completes: bool,
    resets: Bucket,
    control: Bucket,
    window_updates: Bucket,
}

impl FrameMeter {
    /// Follows a client from its first byte. Headers may have this many bytes as they are sent.
    pub(crate) fn new(max_header_bytes: usize) -> Self {
        Self {
            max_header_bytes,
            frames: Frames { skip: PREFACE_BYTES, ..Frames::default() },
            headers: None,
            completes: false,
            resets: Bucket::default(),
            control: Bucket::default(),
            window_updates: Bucket::default(),
        }
    }

    /// Whether a part of a request's headers has arrived, and the rest has not.
    pub(crate) fn is_in_headers(&self) -> bool {
        self.headers.is_some() && !(self.completes && self.frames.skip == 0)
    }

    /// Reads the next bytes, at a time in milliseconds.
    ///
    /// # Errors
    /// The limit that they exceed.
    pub(crate) fn read(&mut self, mut bytes: &[u8], now: i64) -> Result<(), Excess> {
        while let Some(part) = self.frames.next(&mut bytes) {
            if let Part::Head(head) = part {
                self.begin(head, now)?;
            }
        }
        Ok(())
    }

    /// Begins the frame whose head is complete.
    fn begin(&mut self, head: [u8; HEAD_BYTES], now: i64) -> Result<(), Excess> {
        let ([_, _, _, kind, flags, ..], length) = (head, self.frames.skip);
        if std::mem::take(&mut self.completes) {
            self.headers = None;
        }
        match kind {
            HEADERS | CONTINUATION => {
                // An empty frame counts as well: any number of them could follow each other.
                let bytes = self.headers.unwrap_or_default() + HEAD_BYTES + length;
                self.headers = Some(bytes);
                self.completes = flags & END_HEADERS != 0;
                if bytes > self.max_header_bytes { Err(Excess::Headers) } else { Ok(()) }
            }
            DATA if length > 0 || flags & END_STREAM != 0 => Ok(()),
            RST_STREAM => take(&self.resets, RESETS, now, Excess::Resets),
            WINDOW_UPDATE => take(&self.window_updates, WINDOW_UPDATES, now, Excess::Control),
            _ => take(&self.control, CONTROL, now, Excess::Control),
        }
    }
}

/// Follows the frames that the server sends, to measure how much of its responses the client reads.
#[derive(Debug, Default)]
pub(crate) struct SentData {
    frames: Frames,
    is_data: bool,
    /// Bytes of responses that were not reported yet.
    bytes: usize,
}

impl SentData {
    /// Follows the next bytes that were written. Returns true if they complete [`MIN_READ_BYTES`] further bytes of
    /// responses.
    pub(crate) fn write(&mut self, mut bytes: &[u8]) -> bool {
        while let Some(part) = self.frames.next(&mut bytes) {
            match part {
                Part::Head([_, _, _, kind, ..]) => self.is_data = kind == DATA,
                Part::Payload(length) if self.is_data => self.bytes += length,
                Part::Payload(_) => {}
            }
        }
        let is_read = self.bytes >= MIN_READ_BYTES;
        if is_read {
            self.bytes = 0;
        }
        is_read
    }
}

fn take(bucket: &Bucket, rate: Rate, now: i64, excess: Excess) -> Result<(), Excess> {
    if bucket.take(rate, now) { Ok(()) } else { Err(excess) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(kind: u8, flags: u8, length: usize) -> Vec<u8> {
        let [.., high, middle, low] = length.to_be_bytes();
        let mut bytes = vec![high, middle, low, kind, flags, 0, 0, 0, 1];
        bytes.resize(HEAD_BYTES + length, 0xff);
        bytes
    }

    fn begun() -> FrameMeter {
        let mut meter = FrameMeter::new(1_000);
        meter.read(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 0).unwrap();
        meter
    }

    #[test]
    fn a_client_that_resets_streams_faster_than_any_client_gives_up_is_refused() {
        let pair = [frame(HEADERS, END_HEADERS, 20), frame(RST_STREAM, 0, 4)].concat();
        let after_a_burst = |then| {
            let mut meter = begun();
            assert!((0..500).all(|_| meter.read(&pair, 0).is_ok()), "a burst is allowed");
            meter.read(&pair, then)
        };
        assert_eq!((after_a_burst(0), after_a_burst(5)), (Err(Excess::Resets), Err(Excess::Resets)));
        assert_eq!(after_a_burst(1_000), Ok(()), "they are allowed again later");
        let mut meter = begun();
        assert!((0..100_000).all(|_| meter.read(&frame(HEADERS, END_HEADERS, 20), 0).is_ok()));
    }

    #[test]
    fn frames_that_are_no_requests_are_limited_and_data_is_not() {
        for (kind, length, most) in
            [(6, 8, 1_000), (4, 0, 1_000), (2, 5, 1_000), (DATA, 0, 1_000), (99, 0, 1_000)]
        {
            let mut meter = begun();
            let refused = (0..20_000).position(|_| meter.read(&frame(kind, 0, length), 0).is_err());
            assert_eq!(refused, Some(most), "type {kind}");
        }
        let mut meter = begun();
        let refused = (0..20_000).position(|_| meter.read(&frame(WINDOW_UPDATE, 0, 4), 0).is_err());
        assert_eq!(refused, Some(10_000));
        let mut meter = begun();
        assert!((0..20_000).all(|_| meter.read(&frame(DATA, 0, 1), 0).is_ok()));
        assert!((0..20_000).all(|_| meter.read(&frame(DATA, END_STREAM, 0), 0).is_ok()));
    }

    #[test]
    fn headers_are_limited_over_all_of_their_frames() {
        let mut meter = begun();
        assert_eq!(meter.read(&frame(HEADERS, 0, 500), 0), Ok(()));
        assert!(meter.is_in_headers());
        assert_eq!(meter.read(&frame(CONTINUATION, END_HEADERS, 400), 0), Ok(()));
        assert!(!meter.is_in_headers());
        assert_eq!(meter.read(&frame(HEADERS, 0, 0), 0), Ok(()));
        let refused = (0..1_000).position(|_| meter.read(&frame(CONTINUATION, 0, 0), 0).is_err());
        assert_eq!(refused, Some(110), "empty frames count");
    }

    #[test]
    fn bytes_of_responses_count_as_read_and_those_of_other_frames_do_not() {
        let mut sent = SentData::default();
        let ping = frame(6, 1, 8);
        assert!((0..1_000).all(|_| !sent.write(&ping)), "an answer to a ping is no response");
        assert!(!sent.write(&frame(HEADERS, END_HEADERS, 5_000)));
        let data = frame(DATA, 0, MIN_READ_BYTES + 1);
        let (most, last) = data.split_at(HEAD_BYTES + MIN_READ_BYTES - 1);
        assert!(!sent.write(most), "a byte less is too few");
        assert!(sent.write(last) && !sent.write(&ping));
        let small = frame(DATA, 0, 1);
        assert_eq!((0..5_000).filter(|_| sent.write(&small)).count(), 4, "bytes of many frames add up");
    }

    proptest! {
        #[test]
        fn it_does_not_matter_how_the_bytes_are_cut(
            frames in prop::collection::vec((0_u8..12, 0_u8..8, 0_usize..300), 1..40),
            cuts in prop::collection::vec(1_usize..200, 1..60),
        ) {
            let bytes: Vec<u8> =
                frames.iter().flat_map(|(kind, flags, length)| frame(*kind, *flags, *length)).collect();
            let mut whole = begun();
            let outcome = whole.read(&bytes, 0);
            let (mut cut, mut rest, mut cuts) = (begun(), &bytes[..], cuts.into_iter().cycle());
            let mut outcome_of_cut = Ok(());
            while !rest.is_empty() && outcome_of_cut.is_ok() {
                let (now, later) = rest.split_at(cuts.next().unwrap().min(rest.len()));
                outcome_of_cut = cut.read(now, 0);
                rest = later;
            }
            prop_assert_eq!(outcome, outcome_of_cut);
            if outcome.is_ok() {
                prop_assert_eq!(whole.is_in_headers(), cut.is_in_headers());
            }
        }
    }
}
