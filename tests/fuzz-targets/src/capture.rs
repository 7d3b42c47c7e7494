//! The log of SIP messages: the masking of secrets, and the formats of messages.

use std::net::SocketAddr;
use std::sync::Arc;

use rsipstack::sip::Transport;
use service_base::clock::Clock;
use sip_transport::{Arrival, CallMessages, MessageLog, MessageLogLimits, Tap};

/// At most this much of a message is stored.
const MAX_BYTES: usize = 8_192;

/// A message that was stored has no secrets left to hide, and its texts and capture files are well formed.
pub fn capture(data: &[u8]) {
    let data = &data[..data.len().min(MAX_BYTES)];
    let Some(stored) = stored(data) else { return };
    let [message] = &stored.messages[..] else { panic!("{} messages", stored.messages.len()) };
    assert_eq!((message.bytes.len(), message.length), (data.len(), data.len()));
    for (before, after) in data.iter().zip(&*message.bytes) {
        assert!(before == after || matches!(after, b'0' | b'x'));
    }
    // Also the `Call-ID` may have held a password.
    if let Some(again) = self::stored(&message.bytes) {
        assert_eq!(again.messages[0].bytes, message.bytes);
    }
    for text in [stored.text(), stored.ladder()] {
        let is_shown = |letter: char| !letter.is_control() || matches!(letter, '\n' | '\t');
        assert!(text.chars().all(is_shown));
    }
    check_capture(&stored.capture_file());
    let classic = stored.classic_capture_file();
    assert_eq!(classic[..4], 0xa1b2_c3d4_u32.to_le_bytes());
    assert!(classic.len() >= 24 + 16 + data.len());
}

fn stored(data: &[u8]) -> Option<CallMessages> {
    let log = MessageLog::new(MessageLogLimits::default(), Clock::system());
    let tap = Tap::new(Some(Arc::clone(&log)), "edge");
    let (source, local) =
        (SocketAddr::from(([198, 51, 100, 9], 5060)), SocketAddr::from(([192, 0, 2, 1], 5060)));
    tap.received(data, &Arrival { source, local, transport: Transport::Tcp }, false);
    log.of(log.call_ids().first()?)
}

/// A file in the format pcapng is blocks, each with its length before and after its content.
fn check_capture(mut file: &[u8]) {
    let number = |bytes: &[u8]| usize::try_from(u32::from_le_bytes(bytes.try_into().unwrap())).unwrap();
    let mut blocks = 0;
    while !file.is_empty() {
        let length = number(&file[4..8]);
        assert!(length >= 12 && length % 4 == 0);
        assert_eq!(number(&file[length - 4..length]), length);
        file = &file[length..];
        blocks += 1;
    }
    assert_eq!(blocks, 3, "a section, an interface and a packet");
}
