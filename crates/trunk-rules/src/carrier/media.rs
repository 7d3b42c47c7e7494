//! Checks an SDP offer against a trunk's media encryption mode and codecs, and selects the media.
//!
//! All behaviour is inferred. SIP over TLS and encrypted media are independent of each other.

mod own_offer;
mod refusal;

use std::borrow::Cow;

use didww_types::Secret;
use didww_types::resources::MediaEncryptionMode;

use super::sdp::{self, Stream};
use super::{Codec, Direction, MediaHost, Profile, SdpError, Settings, Setup};

pub use own_offer::{Agreed, OwnOffer, Removed};
pub use refusal::MediaRefusal;

const SRTP_SUITES: [&str; 2] = [OFFERED_SUITE, "AES_CM_128_HMAC_SHA1_32"];
/// The SRTP suite of an offer that the edge makes, under the tag 1.
pub const OFFERED_SUITE: &str = "AES_CM_128_HMAC_SHA1_80";
/// The codecs of an offer that the edge makes, as far as the settings accept them.
const OFFERED_CODECS: [Codec; 2] = [Codec::Pcma, Codec::Pcmu];
/// The time of nearly every description: it has neither a start nor an end.
const UNBOUNDED: &str = "0 0";
/// 30 bytes of key and salt in base64.
const KEY_BASE64_LENGTH: usize = 40;

/// How the media of a call is protected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Protection {
    /// The media is RTP without encryption.
    Plain,
    /// SRTP with the key in the SDP.
    Sdes {
        /// The tag of the chosen `a=crypto` line, which the answer repeats.
        tag: u32,
        /// The suite, `AES_CM_128_HMAC_SHA1_80` or `AES_CM_128_HMAC_SHA1_32`.
        suite: &'static str,
        /// Key and salt in base64.
        key: Secret,
        /// Whether packets end with the authentication tag alone: the line has neither a master key
        /// identifier nor session parameters, which change the packets.
        is_plain: bool,
        /// Whether RTCP is not encrypted (`UNENCRYPTED_SRTCP`), which the answer repeats.
        unencrypted_rtcp: bool,
    },
    /// SRTP with keys negotiated by DTLS.
    Dtls {
        /// Hash name and fingerprint of the offerer's certificate.
        fingerprint: String,
        /// The side that opens the DTLS connection.
        setup: Setup,
    },
    /// ZRTP: keys are negotiated in the media stream.
    Zrtp,
}

/// The media selected from an offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Media {
    /// The index of the selected stream, from zero.
    pub stream: usize,
    /// The `m=` lines of all streams, without `m=`. The answer refuses the other streams with port 0.
    pub lines: Vec<String>,
    /// The transport profile of the accepted stream.
    pub profile: Profile,
    /// The host that RTP is sent to.
    pub host: MediaHost,
    /// The port that RTP is sent to.
    pub port: u16,
    /// The port that RTCP is sent to.
    pub rtcp_port: u16,
    /// Whether RTCP may share the RTP port.
    pub rtcp_mux: bool,
    /// The direction, from the offerer's point of view. The unspecified address counts as not receiving,
    /// which is the old form of hold (RFC 6337 §5.1).
    pub direction: Direction,
    /// The codec that the answer selects.
    pub codec: Codec,
    /// The RTP payload type of the codec.
    pub payload_type: u8,
    /// The value of the codec's `a=rtpmap`, which the answer repeats. Some clients offer a codec under another name.
    pub encoding: &'static str,
    /// The payload types that the offerer may send audio in: that of the selected codec, and in an answer to
    /// an offer of the edge those of all codecs of the answer.
    pub payload_types: Vec<u8>,
    /// The value of the codec's `a=fmtp`, which the answer repeats.
    pub format_parameters: Option<String>,
    /// The payload type of telephone events, if offered.
    pub telephone_event: Option<u8>,
    /// The payload type of telephone events in an offer of the edge which this answers, if it is another one: the
    /// answerer sends its events with that (RFC 3264 §5.1).
    pub offered_telephone_event: Option<u8>,
    /// The clock rate of telephone events in Hz; without meaning if there are none.
    pub telephone_event_rate: u32,
    /// The packet time that the offerer requests, in milliseconds.
    pub packet_time: Option<u16>,
    /// The value of `t=`, which the answer repeats.
    pub time: Cow<'static, str>,
    /// How the media is protected.
    pub protection: Protection,
}

/// Selects the first acceptable audio stream of an offer. Without an offer the call is accepted, and the edge
/// makes the offer in its answer: the result is `None`.
///
/// `srtp_dtls` is not implemented and refuses every call, unless `dtls_signalling_only` is set.
pub fn negotiate(
    mode: &MediaEncryptionMode,
    settings: &Settings,
    sdp: Option<&[u8]>,
) -> Result<Option<Media>, MediaRefusal> {
    if *mode == MediaEncryptionMode::SrtpDtls && !settings.dtls_signalling_only {
        return Err(MediaRefusal::DtlsNotImplemented);
    }
    let Some(sdp) = sdp.filter(|sdp| !sdp.trim_ascii().is_empty()) else { return Ok(None) };
    let streams = sdp::parse(sdp)?;
    let mut refusal = MediaRefusal::NoAudio;
    for (at, stream) in streams.iter().enumerate() {
        if stream.kind != "audio" || stream.port == 0 {
            continue;
        }
        match choose(mode, &settings.codecs, stream) {
            Ok(media) => {
                let lines = streams.iter().map(|stream| stream.line.to_owned()).collect();
                return Ok(Some(Media { stream: at, lines, ..media }));
            }
            // The error of the first stream is the one to report.
            Err(error) if refusal == MediaRefusal::NoAudio => refusal = error,
            Err(_) => {}
        }
    }
    Err(refusal)
}

/// Returns the `m=` lines, without `m=`, of an offer that removes all audio from a call (RFC 3264 §8.2);
/// `None` for any other body. One that replaces the audio by fax (`m=image`, ITU-T T.38) is an offer in which nothing is
/// acceptable: once it is refused, the fax goes on as audio.
pub fn taken_out(sdp: &[u8]) -> Option<Vec<String>> {
    let streams = sdp::parse(sdp).ok()?;
    let is_out = streams.iter().any(|stream| stream.kind == "audio")
        && streams.iter().all(|stream| !matches!(stream.kind, "audio" | "image") || stream.port == 0);
    is_out.then(|| streams.iter().map(|stream| stream.line.to_owned()).collect())
}

/// The direction, adjusted for an unspecified address, at which the offerer cannot receive.
fn direction(declared: Direction, host: &MediaHost) -> Direction {
    match (declared, host) {
        (Direction::SendRecv, MediaHost::Address(address)) if address.is_unspecified() => Direction::SendOnly,
        (Direction::RecvOnly, MediaHost::Address(address)) if address.is_unspecified() => Direction::Inactive,
        _ => declared,
    }
}

fn choose(mode: &MediaEncryptionMode, codecs: &[Codec], stream: &Stream<'_>) -> Result<Media, MediaRefusal> {
    let wrong_profile = || MediaRefusal::Profile(stream.profile_text.to_owned());
    let profile = stream.profile.ok_or_else(wrong_profile)?;
    let protection = match (mode, profile) {
        (MediaEncryptionMode::Disabled, Profile::Avp | Profile::Avpf) => Protection::Plain,
        (MediaEncryptionMode::SrtpSdes, Profile::Savp | Profile::Savpf) => {
            sdes(stream).ok_or(MediaRefusal::NoKey)?
        }
        // Best-effort encryption (RFC 8643): the answer contains a key, so the media is encrypted.
        (MediaEncryptionMode::SrtpSdes, Profile::Avp | Profile::Avpf) => {
            sdes(stream).ok_or_else(wrong_profile)?
        }
        (MediaEncryptionMode::SrtpDtls, Profile::DtlsSavp | Profile::DtlsSavpf) => {
            dtls(stream).ok_or(MediaRefusal::NoFingerprint)?
        }
        // The keys are not in the SDP: an answer of another profile would lack the one that its profile requires.
        (MediaEncryptionMode::Zrtp, Profile::Avp | Profile::Avpf) => Protection::Zrtp,
        _ => return Err(wrong_profile()),
    };
    let (payload_type, codec) =
        stream.codec(codecs).ok_or_else(|| MediaRefusal::NoCodec(stream.encodings()))?;
    let host = stream.host.clone().ok_or(SdpError::NoConnection)?;
    let telephone_event = stream.telephone_event(codec.clock_rate());
    Ok(Media {
        stream: 0,
        lines: Vec::new(),
        profile,
        direction: direction(stream.direction.unwrap_or_default(), &host),
        host,
        port: stream.port,
        rtcp_port: stream.rtcp_port.unwrap_or(stream.port.saturating_add(1)),
        rtcp_mux: stream.rtcp_mux,
        codec,
        payload_type,
        encoding: stream.encoding_of(payload_type, codec),
        payload_types: vec![payload_type],
        format_parameters: stream.format_parameters_of(payload_type).map(str::to_owned),
        telephone_event: telephone_event.map(|(number, _)| number),
        offered_telephone_event: None,
        telephone_event_rate: telephone_event.map_or(codec.clock_rate(), |(_, rate)| rate),
        packet_time: stream.packet_time,
        time: match stream.time {
            None | Some(UNBOUNDED) => Cow::Borrowed(UNBOUNDED),
            Some(time) => Cow::Owned(time.to_owned()),
        },
        protection,
    })
}

fn sdes(stream: &Stream<'_>) -> Option<Protection> {
    stream.cryptos.iter().find_map(|line| {
        let mut words = line.split_ascii_whitespace();
        let tag = words.next()?.parse().ok()?;
        let named = words.next()?;
        let suite = SRTP_SUITES.into_iter().find(|suite| named.eq_ignore_ascii_case(suite))?;
        // Lifetime and master key identifier may follow a `|`, further keys a `;`.
        let inline = words.next()?.strip_prefix("inline:")?;
        let key = inline.split(['|', ';']).next()?;
        let (mut is_plain, mut unencrypted_rtcp) = (!inline.contains([':', ';']), false);
        for parameter in words {
            is_plain = false;
            if parameter.eq_ignore_ascii_case("UNENCRYPTED_SRTCP") {
                unencrypted_rtcp = true;
            } else if !is_declaration(parameter) {
                // Also `UNENCRYPTED_SRTP` and `UNAUTHENTICATED_SRTP`: the trunk demands encryption.
                return None;
            }
        }
        let is_complete = key.len() == KEY_BASE64_LENGTH
            && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'));
        is_complete.then(|| Protection::Sdes {
            tag,
            suite,
            key: Secret::new(key),
            is_plain,
            unencrypted_rtcp,
        })
    })
}

/// Whether a session parameter of an `a=crypto` line (RFC 4568 §6.3) states what its sender does and needs no
/// agreement, or is unknown and may be ignored. A line with any other unknown one is invalid.
fn is_declaration(parameter: &str) -> bool {
    let name = parameter.split_once('=').map_or(parameter, |(name, _)| name);
    name.starts_with('-')
        || ["KDR", "FEC_ORDER", "FEC_KEY", "WSH"].iter().any(|known| name.eq_ignore_ascii_case(known))
}

fn dtls(stream: &Stream<'_>) -> Option<Protection> {
    let fingerprint = stream.fingerprint?.trim();
    let (_, bytes) = fingerprint.split_once(' ')?;
    let is_complete =
        bytes.split(':').all(|pair| pair.len() == 2 && pair.bytes().all(|b| b.is_ascii_hexdigit()));
    is_complete.then_some(Protection::Dtls { fingerprint: fingerprint.to_owned(), setup: stream.setup? })
}

#[cfg(test)]
mod tests;
