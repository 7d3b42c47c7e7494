//! Summarises a refused session description, for the `received` value of a refusal.
//!
//! It quotes no attribute of an offer, because `a=crypto` contains a key.

use super::MediaRefusal;
use super::SdpError;
use super::sdp;

/// The streams that a summary names.
const MAX_STREAMS: usize = 4;
/// The characters of a line that a summary quotes.
const MAX_LINE_CHARS: usize = 80;

/// Returns the part of a session description because of which it was refused.
pub(super) fn offer_summary(refusal: &MediaRefusal, sdp: Option<&[u8]>) -> String {
    let sdp = sdp.unwrap_or_default();
    match refusal {
        MediaRefusal::Profile(profile) => profile.clone(),
        MediaRefusal::NoCodec(codecs) => codecs.clone(),
        MediaRefusal::Unparsable(SdpError::Line(line)) => clipped(line),
        MediaRefusal::Unparsable(SdpError::NoConnection) => "no c= line".to_owned(),
        MediaRefusal::Unparsable(_) => {
            let first = sdp.split(|byte| *byte == b'\n').next().unwrap_or_default();
            format!("{} bytes that begin with `{}`", sdp.len(), clipped(&String::from_utf8_lossy(first)))
        }
        MediaRefusal::NoKey => suites(sdp),
        MediaRefusal::NoFingerprint => fingerprint(sdp),
        _ => streams(sdp),
    }
}

fn clipped(text: &str) -> String {
    text.trim().chars().take(MAX_LINE_CHARS).collect()
}

/// The `m=` lines, clipped, of at most [`MAX_STREAMS`] streams.
fn streams(sdp: &[u8]) -> String {
    let lines: Vec<String> = sdp::parse(sdp)
        .unwrap_or_default()
        .iter()
        .take(MAX_STREAMS)
        .map(|stream| format!("m={}", clipped(stream.line)))
        .collect();
    if lines.is_empty() { "no m= line".to_owned() } else { lines.join(", ") }
}

/// The suites of the `a=crypto` lines.
fn suites(sdp: &[u8]) -> String {
    let streams = sdp::parse(sdp).unwrap_or_default();
    let lines = streams.iter().flat_map(|stream| stream.cryptos.iter());
    let suites: Vec<String> = lines
        .take(MAX_STREAMS)
        .map(|line| line.split_ascii_whitespace().nth(1).map_or_else(|| "no suite".to_owned(), clipped))
        .collect();
    if suites.is_empty() {
        "no a=crypto line".to_owned()
    } else {
        let suites = suites.join(", ");
        format!("a=crypto with {suites}, of which none has a complete key and supported parameters")
    }
}

/// Which of the two attributes of DTLS is missing.
fn fingerprint(sdp: &[u8]) -> String {
    let streams = sdp::parse(sdp).unwrap_or_default();
    let audio = streams.iter().find(|stream| stream.kind == "audio");
    match audio.map(|stream| (stream.fingerprint.is_some(), stream.setup.is_some())) {
        Some((false, true)) => "a=setup without a=fingerprint",
        Some((true, false)) => "a=fingerprint without a=setup",
        Some((true, true)) => "an incomplete a=fingerprint",
        _ => "neither a=fingerprint nor a=setup",
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_names_what_is_wrong_and_never_a_key() {
        let offer = |rest: &str| format!("v=0\r\nc=IN IP4 192.0.2.1\r\n{rest}");
        let of = |refusal: MediaRefusal, rest: &str| offer_summary(&refusal, Some(offer(rest).as_bytes()));
        assert_eq!(of(MediaRefusal::NoAudio, "m=video 4000 RTP/AVP 31\r\n"), "m=video 4000 RTP/AVP 31");
        assert_eq!(of(MediaRefusal::NoAudio, ""), "no m= line");
        assert_eq!(of(MediaRefusal::NoKey, "m=audio 4000 RTP/SAVP 8\r\n"), "no a=crypto line");
        let short = "m=audio 4000 RTP/SAVP 8\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:c2VjcmV0\r\n";
        let summary = of(MediaRefusal::NoKey, short);
        let of_key = "of which none has a complete key and supported parameters";
        assert_eq!(summary, format!("a=crypto with AES_CM_128_HMAC_SHA1_80, {of_key}"));
        let setup = "m=audio 4000 UDP/TLS/RTP/SAVP 8\r\na=setup:actpass\r\n";
        assert_eq!(of(MediaRefusal::NoFingerprint, setup), "a=setup without a=fingerprint");
        let no_sdp = offer_summary(&MediaRefusal::Unparsable(SdpError::NotSdp), Some(b"hello\r\nyou"));
        assert_eq!(no_sdp, "10 bytes that begin with `hello`");
    }
}
