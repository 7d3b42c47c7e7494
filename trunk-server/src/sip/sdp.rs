//! Session descriptions: answers, and offers.

use std::fmt::Write as _;
use std::net::SocketAddr;

use trunk_rules::carrier::{Codec, Direction, Media, Protection};

/// The body that answers an offer: the chosen stream, and the others refused.
pub(crate) fn answer(media: &Media, at: SocketAddr, key: &str) -> String {
    let mut text = head(at);
    for (place, line) in media.lines.iter().enumerate() {
        if place == media.stream {
            let mut words = line.split_ascii_whitespace();
            let profile = words.nth(2).unwrap_or("RTP/AVP");
            let event = media.telephone_event.map(|payload| format!(" {payload}")).unwrap_or_default();
            let _ = write!(text, "m=audio {} {profile} {}{event}\r\n", at.port(), media.payload_type);
            let _ = write!(text, "a=rtpmap:{} {}/8000\r\n", media.payload_type, media.codec.name());
            if let Some(payload) = media.telephone_event {
                let _ = write!(text, "a=rtpmap:{payload} telephone-event/8000\r\na=fmtp:{payload} 0-15\r\n");
            }
            if let Protection::Sdes { tag, suite, .. } = &media.protection {
                let _ = write!(text, "a=crypto:{tag} {suite} inline:{key}\r\n");
            }
            let _ = write!(text, "a={}\r\n", mirrored(media.direction));
        } else {
            refuse(&mut text, line);
        }
    }
    text
}

/// The body that answers an offer that takes every stream out of the call.
pub(crate) fn answer_taken_out(lines: &[String], at: SocketAddr) -> String {
    let mut text = head(at);
    for line in lines {
        refuse(&mut text, line);
    }
    text
}

/// A stream that is not used has the port 0.
fn refuse(text: &mut String, line: &str) {
    let refused: Vec<&str> = line.split_ascii_whitespace().collect();
    let kind = refused.first().copied().unwrap_or("audio");
    let rest = refused.get(2..).unwrap_or_default().join(" ");
    let _ = write!(text, "m={kind} 0 {rest}\r\n");
}

/// The offer of a call that came without one.
pub(crate) fn offer(at: SocketAddr) -> String {
    offer_of(at, &[Codec::Pcma, Codec::Pcmu])
}

/// An offer of codecs, the best first, and of telephone events.
pub(crate) fn offer_of(at: SocketAddr, codecs: &[Codec]) -> String {
    let mut text = head(at);
    let _ = write!(text, "m=audio {} RTP/AVP", at.port());
    for codec in codecs {
        let _ = write!(text, " {}", codec.static_payload_type());
    }
    text.push_str(" 101\r\n");
    for codec in codecs {
        let _ = write!(text, "a=rtpmap:{} {}/8000\r\n", codec.static_payload_type(), codec.name());
    }
    text.push_str("a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=sendrecv\r\n");
    text
}

fn head(at: SocketAddr) -> String {
    let (family, host) = if at.is_ipv6() { ("IP6", at.ip()) } else { ("IP4", at.ip()) };
    format!("v=0\r\no=- 1 1 IN {family} {host}\r\ns=-\r\nc=IN {family} {host}\r\nt=0 0\r\n")
}

/// What the answerer does, by what the offerer says.
fn mirrored(direction: Direction) -> &'static str {
    match direction {
        Direction::SendRecv => "sendrecv",
        Direction::SendOnly => "recvonly",
        Direction::RecvOnly => "sendonly",
        Direction::Inactive => "inactive",
    }
}
