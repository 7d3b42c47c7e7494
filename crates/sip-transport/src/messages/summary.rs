//! Summarises a message in a line: its start line, the headers that explain a refusal, and its session
//! description.
//!
//! Peers write these texts, and a terminal shows them: control characters are replaced, and lengths limited.

use std::fmt::Write as _;

use crate::head::{Head, unfolded};

/// The headers of a response that state why a call failed.
const EXPLANATIONS: [&str; 3] = ["X-Refusal", "Reason", "Warning"];
/// Maximum number of streams of a session description that are reported.
const MAX_STREAMS: usize = 3;
/// Maximum number of characters of a line.
const MAX_CHARACTERS: usize = 400;

/// The bytes as text of one line that a terminal can show.
pub(super) fn printable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let shown = |letter: char| if letter.is_control() { '.' } else { letter };
    text.chars().take(MAX_CHARACTERS).map(shown).collect()
}

/// The start line without the version.
pub(super) fn start_line(bytes: &[u8]) -> String {
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii();
    let text = printable(line);
    let text = text.strip_prefix("SIP/2.0 ").unwrap_or(&text);
    text.strip_suffix(" SIP/2.0").unwrap_or(text).to_owned()
}

/// The product that the message names as its sender.
pub(super) fn product(bytes: &[u8]) -> Option<String> {
    let head = Head::of(bytes)?;
    let name = head.value(["User-Agent", ""]).or_else(|| head.value(["Server", ""]))?;
    Some(printable(&name))
}

/// The explanations of a response, each as `Name: value`.
pub(super) fn explanations(bytes: &[u8]) -> Vec<String> {
    let Some(head) = Head::of(bytes) else { return Vec::new() };
    let value = |name| head.value([name, ""]).map(|value| format!("{name}: {}", printable(&value)));
    EXPLANATIONS.into_iter().filter_map(value).collect()
}

/// The streams of the session description in a message, such as `audio 192.0.2.1:4000 PCMA sendrecv`; `None`
/// without a description.
pub(super) fn streams(bytes: &[u8]) -> Option<String> {
    let head = Head::of(bytes)?;
    let kind = unfolded(head.values(["Content-Type", "c"]).next()?).to_ascii_lowercase();
    if !kind.starts_with(b"application/sdp") {
        return None;
    }
    let body = printable_lines(head.rest);
    let (session, streams) =
        body.split_at(body.iter().position(|line| line.starts_with("m=")).unwrap_or(body.len()));
    let mut text = String::new();
    for stream in streams.chunk_by(|_, next| !next.starts_with("m=")).take(MAX_STREAMS) {
        let separator = if text.is_empty() { "" } else { "; " };
        let _infallible = write!(text, "{separator}{}", describe(session, stream));
    }
    Some(text)
}

fn printable_lines(body: &[u8]) -> Vec<String> {
    body.split(|byte| *byte == b'\n').map(|line| printable(line.trim_ascii())).collect()
}

fn describe(session: &[String], stream: &[String]) -> String {
    let lines = || stream.iter().chain(session);
    let value = |name: &str| lines().find_map(|line| line.strip_prefix(name));
    let mut words = value("m=").unwrap_or_default().split(' ');
    let (kind, port) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let profile = words.next().unwrap_or_default();
    let host = value("c=IN ").and_then(|at| at.split(' ').nth(1)).unwrap_or_default();
    let host = host.split('/').next().unwrap_or_default();
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    let mut text = format!("{kind} {host}:{port}");
    if profile != "RTP/AVP" {
        let _infallible = write!(text, " {profile}");
    }
    for payload in words {
        let mapped = stream.iter().find_map(|line| {
            let (number, codec) = line.strip_prefix("a=rtpmap:")?.split_once(' ')?;
            (number == payload).then(|| codec.split('/').next().unwrap_or_default())
        });
        let _infallible = write!(text, " {}", mapped.unwrap_or(static_codec(payload)));
    }
    let directions = ["sendrecv", "sendonly", "recvonly", "inactive"];
    let direction = lines().find_map(|line| {
        let attribute = line.strip_prefix("a=")?;
        directions.into_iter().find(|direction| *direction == attribute)
    });
    let _infallible = write!(text, " {}", direction.unwrap_or("sendrecv"));
    text
}

/// The codec of a static payload type (RFC 3551 §6); the number itself if it has none.
fn static_codec(payload: &str) -> &str {
    match payload {
        "0" => "PCMU",
        "3" => "GSM",
        "4" => "G723",
        "8" => "PCMA",
        "9" => "G722",
        "18" => "G729",
        _ => payload,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_summed_up_in_printable_lines() {
        let text = b"SIP/2.0 403 Forbidden \x1b[31m\r\nServer: edge\r\nReason: Q.850;cause=21\r\n\
            X-Refusal: check=cli\r\nContent-Type: Application/SDP\r\n\r\nv=0\r\nc=IN IP4 192.0.2.1\r\n\
            m=audio 4000 RTP/AVP 8 0 101\r\na=rtpmap:101 telephone-event/8000\r\na=sendonly\r\n\
            m=video 0 RTP/SAVP 99\r\nc=IN IP6 2001:db8::1/127\r\n";
        assert_eq!(start_line(text), "403 Forbidden .[31m");
        assert_eq!(product(text).as_deref(), Some("edge"));
        assert_eq!(explanations(text), ["X-Refusal: check=cli", "Reason: Q.850;cause=21"]);
        assert_eq!(
            streams(text).as_deref(),
            Some(
                "audio 192.0.2.1:4000 PCMA PCMU telephone-event sendonly; video [2001:db8::1]:0 RTP/SAVP 99 sendrecv"
            )
        );
        assert_eq!(start_line(b"INVITE sip:1@h SIP/2.0\r\n\r\n"), "INVITE sip:1@h");
        assert_eq!((streams(b"A b\r\n\r\nv=0"), product(b"")), (None, None));
    }
}
