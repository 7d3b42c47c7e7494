//! DTMF of a caller: telephone events in RTP (RFC 4733), and INFO requests.
//!
//! Digits can be PINs or card numbers. Without the setting that keeps them, only their number is counted; the types
//! here print none of them for debugging either.

use std::fmt;

/// Limit of digits that are kept of a call.
const MAX_DIGITS: usize = 64;
/// The keys of the events 0 to 15 (RFC 4733 §3.2).
const KEYS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '*', '#', 'A', 'B', 'C', 'D'];
/// The event of a hook flash.
const FLASH_EVENT: u8 = 16;

/// The media types of DTMF in INFO requests.
pub const DTMF_MEDIA_TYPES: &str = "application/dtmf-relay, application/dtmf";

/// The DTMF that a call received.
#[derive(Clone, Default)]
pub struct Dtmf {
    /// Keys that were received as telephone events.
    pub telephone_events: u32,
    /// Keys that were received in INFO requests.
    pub info: u32,
    /// The first 64 keys, if they are kept.
    pub digits: Option<Box<str>>,
    /// The source and timestamp of the last telephone event: all packets of an event have the same.
    last_event: Option<(u32, u32)>,
}

impl Dtmf {
    /// Starts to count; `keeps_digits` is whether the keys themselves are kept.
    pub fn new(keeps_digits: bool) -> Self {
        Self { digits: keeps_digits.then(Box::default), ..Self::default() }
    }

    /// Counts a telephone event, unless the packet continues or repeats the last one. The payload is `None` if
    /// it is encrypted.
    pub fn event(&mut self, ssrc: u32, timestamp: u32, payload: Option<&[u8]>) {
        if self.last_event.replace((ssrc, timestamp)) == Some((ssrc, timestamp)) {
            return;
        }
        let event = payload.and_then(|payload| payload.first().copied());
        // Further events are tones of modems and trunks, not keys.
        if event.is_some_and(|event| event > FLASH_EVENT) {
            return;
        }
        self.telephone_events = self.telephone_events.saturating_add(1);
        if let Some(key) = event.and_then(|event| KEYS.get(usize::from(event))) {
            self.keep(*key);
        }
    }

    /// Counts the key of an INFO request.
    pub fn info(&mut self, signal: Signal) {
        self.info = self.info.saturating_add(1);
        if let Signal::Key(key) = signal {
            self.keep(key);
        }
    }

    fn keep(&mut self, key: char) {
        if let Some(digits) = self.digits.as_mut().filter(|digits| digits.len() < MAX_DIGITS) {
            let mut all = String::from(std::mem::take(digits));
            all.push(key);
            *digits = all.into_boxed_str();
        }
    }
}

/// The signal of an INFO request.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// A key: a digit, `*`, `#`, or `A` to `D`.
    Key(char),
    /// A hook flash: the hook was pressed briefly, which is not a key.
    Flash,
}

impl fmt::Debug for Dtmf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dtmf")
            .field("telephone_events", &self.telephone_events)
            .field("info", &self.info)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Key(_) => "Key",
            Self::Flash => "Flash",
        })
    }
}

/// Why an INFO request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InfoError {
    /// The body has another type than [`DTMF_MEDIA_TYPES`].
    #[error("the body of the INFO is not DTMF")]
    Type,
    /// The body names no key.
    #[error("the body of the INFO names no DTMF key")]
    Signal,
}

/// Reads the body of an INFO request: `Signal=5` in `application/dtmf-relay`, a single key in
/// `application/dtmf`. No RFC defines these types. `None` for a request without a body, which some clients
/// send to keep a session alive.
///
/// # Errors
/// If the body has another type, or names no key.
pub fn info_signal(content_type: Option<&str>, body: &[u8]) -> Result<Option<Signal>, InfoError> {
    if body.trim_ascii().is_empty() {
        return Ok(None);
    }
    let named = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let is_relay = named.eq_ignore_ascii_case("application/dtmf-relay");
    if !is_relay && !named.eq_ignore_ascii_case("application/dtmf") {
        return Err(InfoError::Type);
    }
    let text = std::str::from_utf8(body).map_err(|_| InfoError::Signal)?;
    let signal = text.lines().find_map(|line| {
        let (name, value) = line.split_once('=')?;
        name.trim().eq_ignore_ascii_case("signal").then_some(value)
    });
    // Some clients send the form of the one type under the name of the other.
    let key = signal.or_else(|| (!is_relay).then_some(text)).ok_or(InfoError::Signal)?.trim();
    let key = key.strip_prefix("d=").unwrap_or(key);
    Ok(Some(named_key(key).ok_or(InfoError::Signal)?))
}

fn named_key(text: &str) -> Option<Signal> {
    if text == "!" {
        return Some(Signal::Flash);
    }
    let mut characters = text.chars();
    if let (Some(key), None) = (characters.next(), characters.next()) {
        let key = key.to_ascii_uppercase();
        return KEYS.contains(&key).then_some(Signal::Key(key));
    }
    // The number of the event.
    match text.parse().ok()? {
        FLASH_EVENT => Some(Signal::Flash),
        event @ 10..FLASH_EVENT => KEYS.get(usize::from(event)).copied().map(Signal::Key),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_counts_once_however_many_packets_it_has() {
        let mut dtmf = Dtmf::new(true);
        for (timestamp, event) in [(10, 5), (10, 5), (10, 5), (900, 5), (2_000, 11), (3_000, 16), (4_000, 70)]
        {
            dtmf.event(7, timestamp, Some(&[event, 0x0a, 0, 160]));
        }
        assert_eq!((dtmf.telephone_events, dtmf.digits.as_deref()), (4, Some("55#")));
    }

    #[test]
    fn digits_are_kept_only_if_wanted_and_not_without_bound() {
        let mut dtmf = Dtmf::new(false);
        dtmf.event(7, 10, Some(&[5, 0, 0, 0]));
        dtmf.info(Signal::Key('1'));
        assert_eq!((dtmf.telephone_events, dtmf.info, dtmf.digits), (1, 1, None));
        let mut dtmf = Dtmf::new(true);
        for _ in 0..1_000 {
            dtmf.info(Signal::Key('1'));
        }
        assert_eq!((dtmf.info, dtmf.digits.map(|digits| digits.len())), (1_000, Some(MAX_DIGITS)));
        let mut dtmf = Dtmf::new(true);
        dtmf.event(7, 10, None);
        assert_eq!((dtmf.telephone_events, dtmf.digits.as_deref()), (1, Some("")));
    }

    #[test]
    fn digits_are_not_printed_for_debugging() {
        let mut dtmf = Dtmf::new(true);
        dtmf.info(Signal::Key('7'));
        let text = format!("{dtmf:?} {:?}", Signal::Key('7'));
        assert!(!text.contains('7'), "{text}");
    }

    #[test]
    fn the_key_of_an_info_is_read_in_the_forms_that_clients_send() {
        let relay = Some("application/dtmf-relay");
        for (content_type, body, expected) in [
            (relay, "Signal=5\r\nDuration=160\r\n", Ok(Some(Signal::Key('5')))),
            (relay, "Signal= *\r\nDuration= 250", Ok(Some(Signal::Key('*')))),
            (relay, "signal = 11\n", Ok(Some(Signal::Key('#')))),
            (relay, "Signal=16", Ok(Some(Signal::Flash))),
            (relay, "5", Err(InfoError::Signal)),
            (Some("Application/DTMF; x=y"), "5", Ok(Some(Signal::Key('5')))),
            (Some("application/dtmf"), "d\r\n", Ok(Some(Signal::Key('D')))),
            (Some("application/dtmf"), "Signal=1\r\nDuration=100\r\n", Ok(Some(Signal::Key('1')))),
            (Some("application/dtmf"), "hello", Err(InfoError::Signal)),
            (Some("application/dtmf"), "\u{e9}", Err(InfoError::Signal)),
            (Some("application/media_control+xml"), "<x/>", Err(InfoError::Type)),
            (None, "5", Err(InfoError::Type)),
            (None, "\r\n", Ok(None)),
        ] {
            assert_eq!(info_signal(content_type, body.as_bytes()), expected, "{content_type:?} {body:?}");
        }
        assert_eq!(info_signal(relay, b"Signal=\xff"), Err(InfoError::Signal));
    }
}
