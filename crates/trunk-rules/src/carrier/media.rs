//! Checks an SDP offer against a trunk's media encryption mode and codecs, and selects the media.
//!
//! All behaviour is inferred. SIP over TLS and encrypted media are independent of each other.

use didww_types::Secret;
use didww_types::resources::MediaEncryptionMode;

use super::sdp::{self, Stream};
use super::{Cause, Codec, Direction, MediaHost, Profile, SdpError, Settings, Setup, Warning};

const SRTP_SUITES: [&str; 2] = [OFFERED_SUITE, "AES_CM_128_HMAC_SHA1_32"];
/// The SRTP suite of an offer that the edge makes, under the tag 1.
pub const OFFERED_SUITE: &str = "AES_CM_128_HMAC_SHA1_80";
/// The codecs of an offer that the edge makes, as far as the settings accept them.
const OFFERED_CODECS: [Codec; 2] = [Codec::Pcma, Codec::Pcmu];
/// 30 bytes of key and salt in base64.
const KEY_BASE64_LENGTH: usize = 40;

/// How the media of a call is protected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Protection {
    /// Unencrypted RTP.
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
    /// The transport profile.
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
    /// The selected codec.
    pub codec: Codec,
    /// The codec's payload type.
    pub payload_type: u8,
    /// The payload types that the offerer may send audio in: that of the selected codec, and in an answer to
    /// an offer of the edge those of all codecs of the answer.
    pub payload_types: Vec<u8>,
    /// The value of the codec's `a=fmtp`, which the answer repeats.
    pub format_parameters: Option<String>,
    /// The payload type of telephone events, if offered.
    pub telephone_event: Option<u8>,
    /// The clock rate of telephone events in Hz; without meaning if there are none.
    pub telephone_event_rate: u32,
    /// The packet time that the offerer asks for, in milliseconds.
    pub packet_time: Option<u16>,
    /// The value of `t=`, which the answer repeats.
    pub time: String,
    /// How the media is protected.
    pub protection: Protection,
}

/// Why an offer or an answer is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MediaRefusal {
    /// The SDP cannot be parsed.
    #[error(transparent)]
    Unparsable(#[from] SdpError),
    /// The offer contains no audio stream with a port other than 0.
    #[error("the offer has no audio stream with a port")]
    NoAudio,
    /// The transport profile does not match the media encryption mode.
    #[error("profile {0} does not match the trunk's media_encryption_mode")]
    Profile(String),
    /// The offer contains no usable key.
    #[error("the offer has no a=crypto line with AES_CM_128_HMAC_SHA1_80 or _32 and a complete key")]
    NoKey,
    /// The offer lacks the attributes that DTLS needs.
    #[error("the offer has no a=fingerprint and a=setup")]
    NoFingerprint,
    /// The offer contains no accepted codec.
    #[error("none of the codecs {0} is accepted")]
    NoCodec(String),
    /// The trunk's media encryption mode is not implemented.
    #[error("DTLS-SRTP media is not implemented; dtls_signalling_only admits such calls without media")]
    DtlsNotImplemented,
    /// The edge's own offer received no answer.
    #[error("the offer was not answered")]
    NoAnswer,
    /// The answer refuses the offered stream, or has none.
    #[error("the answer refuses the audio stream that was offered")]
    StreamRefused,
}

impl MediaRefusal {
    /// The disconnect cause.
    pub const fn cause(&self) -> Cause {
        match self {
            Self::Unparsable(_) => Cause::SdpUnparsable,
            Self::NoCodec(_) => Cause::CodecsNotMatched,
            Self::DtlsNotImplemented => Cause::DtlsNotImplemented,
            _ => Cause::NoSuitableMedia,
        }
    }

    /// The warning of the response that refuses the offer (RFC 3261 §20.43).
    pub fn warning(&self) -> Warning {
        match self {
            Self::Unparsable(SdpError::Line(line)) if line.starts_with("c=") => {
                Warning::NETWORK_ADDRESS_FORMAT
            }
            Self::Profile(_) | Self::DtlsNotImplemented => Warning::TRANSPORT_PROTOCOL,
            Self::NoAudio | Self::StreamRefused => Warning::MEDIA_TYPE,
            Self::NoCodec(_) => Warning::MEDIA_FORMAT,
            Self::NoKey | Self::NoFingerprint => Warning::ATTRIBUTE,
            Self::Unparsable(_) | Self::NoAnswer => Warning::MISCELLANEOUS,
        }
    }

    /// The response code for the refused offer.
    pub const fn code(&self, settings: &Settings) -> u16 {
        match self {
            Self::Unparsable(_) => settings.sdp_reject_code,
            Self::NoCodec(_) => settings.codec_reject_code,
            _ => settings.media_profile_reject_code,
        }
    }
}

/// Returns the transport profile and the codecs, in order of preference, of an offer that the edge makes for
/// a trunk.
pub fn own_offer(mode: &MediaEncryptionMode, settings: &Settings) -> (Profile, Vec<Codec>) {
    let profile = match mode {
        MediaEncryptionMode::SrtpSdes => Profile::Savp,
        MediaEncryptionMode::SrtpDtls => Profile::DtlsSavp,
        _ => Profile::Avp,
    };
    let usual: Vec<Codec> =
        OFFERED_CODECS.into_iter().filter(|codec| settings.codecs.contains(codec)).collect();
    (profile, if usual.is_empty() { settings.codecs.clone() } else { usual })
}

/// Parses the answer to an offer of the edge. The answer must have one stream with the offered profile, a key
/// if one is required, and one of the offered codecs.
pub fn take_answer(
    mode: &MediaEncryptionMode,
    settings: &Settings,
    sdp: Option<&[u8]>,
) -> Result<Media, MediaRefusal> {
    let Some(sdp) = sdp.filter(|sdp| !sdp.trim_ascii().is_empty()) else {
        return Err(MediaRefusal::NoAnswer);
    };
    let (profile, codecs) = own_offer(mode, settings);
    let streams = sdp::parse(sdp)?;
    let stream = streams.first().filter(|stream| stream.kind == "audio" && stream.port != 0);
    let stream = stream.ok_or(MediaRefusal::StreamRefused)?;
    if stream.profile != Some(profile) {
        return Err(MediaRefusal::Profile(stream.profile_text.to_owned()));
    }
    let media = choose(mode, &codecs, stream)?;
    match media.protection {
        // An SDES answer names the offered line by its tag.
        Protection::Sdes { tag, suite, .. } if (tag, suite) != (1, OFFERED_SUITE) => Err(MediaRefusal::NoKey),
        _ => Ok(Media {
            lines: streams.iter().map(|stream| stream.line.to_owned()).collect(),
            payload_types: stream.payload_types_of(&codecs),
            ..media
        }),
    }
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
/// `None` for any other body.
pub fn taken_out(sdp: &[u8]) -> Option<Vec<String>> {
    let streams = sdp::parse(sdp).ok()?;
    let is_out = streams.iter().any(|stream| stream.kind == "audio")
        && streams.iter().all(|stream| stream.kind != "audio" || stream.port == 0);
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
        (MediaEncryptionMode::Zrtp, _) => Protection::Zrtp,
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
        payload_types: vec![payload_type],
        format_parameters: stream.format_parameters_of(payload_type).map(str::to_owned),
        telephone_event: telephone_event.map(|(number, _)| number),
        telephone_event_rate: telephone_event.map_or(codec.clock_rate(), |(_, rate)| rate),
        packet_time: stream.packet_time,
        time: stream.time.unwrap_or("0 0").to_owned(),
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
        let is_plain = words.next().is_none() && !inline.contains([':', ';']);
        let is_complete = key.len() == KEY_BASE64_LENGTH
            && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'));
        is_complete.then(|| Protection::Sdes { tag, suite, key: Secret::new(key), is_plain })
    })
}

fn dtls(stream: &Stream<'_>) -> Option<Protection> {
    let fingerprint = stream.fingerprint?.trim();
    let (_, bytes) = fingerprint.split_once(' ')?;
    let is_complete =
        bytes.split(':').all(|pair| pair.len() == 2 && pair.bytes().all(|b| b.is_ascii_hexdigit()));
    is_complete.then_some(Protection::Dtls { fingerprint: fingerprint.to_owned(), setup: stream.setup? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KEY: &str = "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj";

    fn offer(profile: &str, payloads: &str, attributes: &[&str]) -> String {
        let mut text = format!(
            "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 40000 {profile} {payloads}\r\n"
        );
        for attribute in attributes {
            text.extend(["a=", attribute, "\r\n"]);
        }
        text
    }

    fn check(mode: &MediaEncryptionMode, sdp: &str) -> Result<Media, MediaRefusal> {
        negotiate(mode, &Settings::default(), Some(sdp.as_bytes())).map(Option::unwrap)
    }

    fn signalling_only() -> Settings {
        Settings { dtls_signalling_only: true, ..Settings::default() }
    }

    fn refused(mode: &MediaEncryptionMode, sdp: &str) -> MediaRefusal {
        check(mode, sdp).unwrap_err()
    }

    #[test]
    fn an_ordinary_offer_is_read_for_the_check_and_for_the_media() {
        let sdp = offer(
            "RTP/AVP",
            "96 8 0 101",
            &[
                "rtpmap:96 opus/48000/2",
                "rtpmap:101 telephone-event/8000",
                "ptime:20",
                "sendonly",
                "rtcp:40009",
            ],
        );
        let media = check(&MediaEncryptionMode::Disabled, &sdp).unwrap();
        assert_eq!((media.codec, media.payload_type, media.telephone_event), (Codec::Pcma, 8, Some(101)));
        assert_eq!((media.port, media.rtcp_port, media.packet_time), (40_000, 40_009, Some(20)));
        assert_eq!(media.host, MediaHost::Address("192.0.2.1".parse().unwrap()));
        assert_eq!((media.direction, media.protection), (Direction::SendOnly, Protection::Plain));
    }

    #[test]
    fn codecs_that_didww_does_not_document_come_after_the_others_in_the_order_of_the_offer() {
        let opus = ["rtpmap:96 opus/48000/2", "fmtp:96 useinbandfec=1", "rtpmap:97 iLBC/8000"];
        let chosen = |payloads: &str, attributes: &[&str]| {
            let media =
                check(&MediaEncryptionMode::Disabled, &offer("RTP/AVP", payloads, attributes)).unwrap();
            (media.codec, media.payload_type)
        };
        assert_eq!(chosen("96 97 9 3", &opus), (Codec::Gsm, 3));
        assert_eq!(chosen("97 96 9", &opus), (Codec::Ilbc, 97));
        assert_eq!(chosen("9 96", &opus), (Codec::G722, 9));
        assert_eq!(
            refused(&MediaEncryptionMode::Disabled, &offer("RTP/AVP", "96", &["rtpmap:96 opus/8000"])),
            MediaRefusal::NoCodec("opus/8000".to_owned()),
            "that is another clock rate"
        );
        let sdp = offer(
            "RTP/AVP",
            "96 101 102",
            &[opus[0], opus[1], "rtpmap:101 telephone-event/8000", "rtpmap:102 telephone-event/48000"],
        );
        let media = check(&MediaEncryptionMode::Disabled, &sdp).unwrap();
        assert_eq!(media.format_parameters.as_deref(), Some("useinbandfec=1"));
        assert_eq!((media.telephone_event, media.telephone_event_rate), (Some(102), 48_000));
    }

    #[test]
    fn the_payload_types_that_may_arrive_are_the_selected_one_or_those_of_an_answer() {
        let sdp = offer("RTP/AVP", "0 8 101", &["rtpmap:101 telephone-event/8000"]);
        assert_eq!(check(&MediaEncryptionMode::Disabled, &sdp).unwrap().payload_types, [0]);
        let answer = take_answer(&MediaEncryptionMode::Disabled, &Settings::default(), Some(sdp.as_bytes()));
        assert_eq!(answer.unwrap().payload_types, [0, 8]);
    }

    #[test]
    fn each_refusal_has_its_warning() {
        let mode = MediaEncryptionMode::Disabled;
        let plain = offer("RTP/AVP", "8", &[]);
        for (sdp, code) in [
            (offer("RTP/SAVP", "8", &[]), 302),
            (offer("RTP/AVP", "99", &[]), 305),
            (plain.replace("m=audio", "m=video"), 304),
            (plain.replace("c=IN IP4", "c=ATM NSAP"), 301),
            (plain.replace("m=audio 40000", "m=audio x"), 399),
        ] {
            assert_eq!(refused(&mode, &sdp).warning().code, code, "{sdp}");
        }
        let savp = offer("RTP/SAVP", "8", &[]);
        assert_eq!(refused(&MediaEncryptionMode::SrtpSdes, &savp).warning().code, 306);
    }

    #[test]
    fn the_direction_is_that_of_the_stream_else_of_the_session_and_an_unspecified_address_receives_nothing() {
        let mode = MediaEncryptionMode::Disabled;
        for (session, stream, at, expected) in [
            ("", "", "192.0.2.1", Direction::SendRecv),
            ("a=inactive\r\n", "", "192.0.2.1", Direction::Inactive),
            ("a=sendonly\r\n", "sendrecv", "192.0.2.1", Direction::SendRecv),
            ("", "", "0.0.0.0", Direction::SendOnly),
            ("", "recvonly", "0.0.0.0", Direction::Inactive),
            ("", "sendonly", "0.0.0.0", Direction::SendOnly),
        ] {
            let attributes: &[&str] = if stream.is_empty() { &[] } else { &[stream] };
            let sdp = offer("RTP/AVP", "8", attributes)
                .replace("t=0 0\r\n", &format!("t=0 0\r\n{session}"))
                .replace("c=IN IP4 192.0.2.1", &format!("c=IN IP4 {at}"));
            assert_eq!(check(&mode, &sdp).unwrap().direction, expected, "{sdp}");
        }
    }

    #[test]
    fn an_offer_whose_audio_has_port_zero_removes_it_from_the_call() {
        let out = offer("RTP/AVP", "8", &[]).replace("40000", "0") + "m=video 5000 RTP/AVP 96\r\n";
        let lines = taken_out(out.as_bytes()).unwrap();
        assert_eq!(lines, ["audio 0 RTP/AVP 8", "video 5000 RTP/AVP 96"]);
        assert_eq!(
            taken_out((out + "m=audio 4000 RTP/AVP 18\r\n").as_bytes()),
            None,
            "another audio stream remains"
        );
        assert_eq!(taken_out(b"v=0\r\nm=video 5000 RTP/AVP 96\r\n"), None);
        assert_eq!(taken_out(b"hello"), None);
    }

    #[test]
    fn no_offer_is_a_late_offer_and_accepted_in_every_mode_that_is_implemented() {
        for mode in MediaEncryptionMode::TEXTS.iter().map(|mode| MediaEncryptionMode::from(*mode)) {
            for body in [None, Some(&b"\r\n"[..])] {
                let expected = match mode {
                    MediaEncryptionMode::SrtpDtls => Err(MediaRefusal::DtlsNotImplemented),
                    _ => Ok(None),
                };
                assert_eq!(negotiate(&mode, &Settings::default(), body), expected);
                assert_eq!(negotiate(&mode, &signalling_only(), body), Ok(None));
            }
        }
    }

    #[test]
    fn the_answer_to_an_offer_of_our_own_must_have_what_was_offered() {
        let answer = |mode: &MediaEncryptionMode, sdp: &str| {
            take_answer(mode, &Settings::default(), Some(sdp.as_bytes())).map(|media| media.codec)
        };
        let (plain, sdes) = (MediaEncryptionMode::Disabled, MediaEncryptionMode::SrtpSdes);
        assert_eq!(answer(&plain, &offer("RTP/AVP", "0", &[])), Ok(Codec::Pcmu));
        assert_eq!(answer(&MediaEncryptionMode::Zrtp, &offer("RTP/AVP", "8", &[])), Ok(Codec::Pcma));
        let profile = |name: &str| Err(MediaRefusal::Profile(name.to_owned()));
        assert_eq!(answer(&plain, &offer("RTP/SAVP", "0", &[])), profile("RTP/SAVP"));
        assert_eq!(answer(&plain, &offer("RTP/AVPF", "0", &[])), profile("RTP/AVPF"));
        assert!(matches!(answer(&plain, &offer("RTP/AVP", "18", &[])), Err(MediaRefusal::NoCodec(_))));
        let off = offer("RTP/AVP", "0", &[]).replace("40000", "0");
        assert_eq!(answer(&plain, &off), Err(MediaRefusal::StreamRefused));
        assert_eq!(answer(&plain, ""), Err(MediaRefusal::NoAnswer));
        assert_eq!(take_answer(&plain, &Settings::default(), None), Err(MediaRefusal::NoAnswer));

        let key = |tag: u32, suite: &str| format!("crypto:{tag} {suite} inline:{KEY}");
        assert_eq!(answer(&sdes, &offer("RTP/SAVP", "8", &[&key(1, SRTP_SUITES[0])])), Ok(Codec::Pcma));
        for wrong in [key(2, SRTP_SUITES[0]), key(1, SRTP_SUITES[1]), "crypto:x".to_owned()] {
            assert_eq!(
                answer(&sdes, &offer("RTP/SAVP", "8", &[&wrong])),
                Err(MediaRefusal::NoKey),
                "{wrong}"
            );
        }
        assert_eq!(answer(&sdes, &offer("RTP/AVP", "8", &[&key(1, SRTP_SUITES[0])])), profile("RTP/AVP"));
    }

    #[test]
    fn an_offer_of_our_own_has_the_profile_that_the_mode_demands_and_codecs_that_are_accepted() {
        let of = |mode| own_offer(&mode, &Settings::default());
        assert_eq!(of(MediaEncryptionMode::Disabled), (Profile::Avp, OFFERED_CODECS.to_vec()));
        assert_eq!(of(MediaEncryptionMode::Zrtp).0, Profile::Avp);
        assert_eq!(of(MediaEncryptionMode::SrtpSdes).0, Profile::Savp);
        assert_eq!(of(MediaEncryptionMode::SrtpDtls).0, Profile::DtlsSavp);
        let settings = |codecs: &[Codec]| Settings { codecs: codecs.to_vec(), ..Settings::default() };
        let codecs = |accepted: &[Codec]| own_offer(&MediaEncryptionMode::Disabled, &settings(accepted)).1;
        assert_eq!(codecs(&[Codec::G729, Codec::Pcmu]), [Codec::Pcmu]);
        assert_eq!(codecs(&[Codec::G729]), [Codec::G729]);
    }

    #[test]
    fn an_answer_repeats_the_time_of_the_offer_where_it_can() {
        let time = |line: &str| {
            let sdp = offer("RTP/AVP", "8", &[]).replace("t=0 0", line);
            check(&MediaEncryptionMode::Disabled, &sdp).unwrap().time
        };
        assert_eq!(
            (time("t=3034423619 3042462419"), time("t=x 0"), time("s=x")),
            ("3034423619 3042462419".into(), "0 0".into(), "0 0".into())
        );
    }

    #[test]
    fn a_trunk_without_encryption_refuses_encrypted_profiles() {
        for profile in ["RTP/SAVP", "RTP/SAVPF", "UDP/TLS/RTP/SAVP", "UDP/TLS/RTP/SAVPF"] {
            assert_eq!(
                refused(&MediaEncryptionMode::Disabled, &offer(profile, "8", &[])),
                MediaRefusal::Profile(profile.to_owned())
            );
        }
    }

    #[test]
    fn sdes_needs_savp_and_a_supported_suite_with_a_whole_key() {
        let mode = MediaEncryptionMode::SrtpSdes;
        let line = |suite: &str, key: &str| format!("crypto:2 {suite} inline:{key}|2^20|1:4");
        let good = offer(
            "RTP/SAVP",
            "8",
            &["crypto:1 AES_256_CM_HMAC_SHA1_80 inline:x", &line(SRTP_SUITES[1], KEY)],
        );
        let expected = Protection::Sdes { tag: 2, suite: SRTP_SUITES[1], key: KEY.into(), is_plain: false };
        assert_eq!(check(&mode, &good).unwrap().protection, expected);
        assert_eq!(refused(&mode, &offer("RTP/SAVP", "8", &[])), MediaRefusal::NoKey);
        assert_eq!(
            refused(&mode, &offer("RTP/SAVP", "8", &[&line(SRTP_SUITES[0], "short")])),
            MediaRefusal::NoKey
        );
        assert_eq!(refused(&mode, &offer("RTP/SAVP", "8", &[&line("F8_128", KEY)])), MediaRefusal::NoKey);
        assert!(matches!(refused(&mode, &offer("RTP/AVP", "8", &[])), MediaRefusal::Profile(_)));
    }

    #[test]
    fn encryption_that_is_offered_as_optional_is_taken() {
        let line = format!("crypto:1 {} inline:{KEY}", SRTP_SUITES[0]);
        let sdp = offer("RTP/AVP", "8", &[&line]);
        let expected = Protection::Sdes { tag: 1, suite: SRTP_SUITES[0], key: KEY.into(), is_plain: true };
        assert_eq!(check(&MediaEncryptionMode::SrtpSdes, &sdp).unwrap().protection, expected);
        assert_eq!(check(&MediaEncryptionMode::Disabled, &sdp).unwrap().protection, Protection::Plain);
    }

    #[test]
    fn the_key_of_an_offer_is_not_printed() {
        let sdp = offer("RTP/SAVP", "8", &[&format!("crypto:1 {} inline:{KEY}", SRTP_SUITES[0])]);
        assert!(!format!("{:?}", check(&MediaEncryptionMode::SrtpSdes, &sdp)).contains(KEY));
    }

    #[test]
    fn dtls_is_not_implemented_unless_signalling_alone_is_wanted() {
        let good = offer("UDP/TLS/RTP/SAVP", "0", &["fingerprint:sha-256 AB:cd:01", "setup:actpass"]);
        let refusal = refused(&MediaEncryptionMode::SrtpDtls, &good);
        assert_eq!(refusal, MediaRefusal::DtlsNotImplemented);
        let settings = Settings::default();
        assert_eq!((refusal.cause(), refusal.code(&settings)), (Cause::DtlsNotImplemented, 488));
    }

    #[test]
    fn dtls_needs_its_profile_a_fingerprint_and_a_setup() {
        let mode = MediaEncryptionMode::SrtpDtls;
        let check = |mode: &MediaEncryptionMode, sdp: &str| {
            negotiate(mode, &signalling_only(), Some(sdp.as_bytes())).map(Option::unwrap)
        };
        let refused = |mode: &MediaEncryptionMode, sdp: &str| check(mode, sdp).unwrap_err();
        for profile in ["UDP/TLS/RTP/SAVP", "UDP/TLS/RTP/SAVPF"] {
            let good = offer(profile, "0", &["fingerprint:sha-256 AB:cd:01", "setup:actpass"]);
            let expected =
                Protection::Dtls { fingerprint: "sha-256 AB:cd:01".to_owned(), setup: Setup::ActPass };
            assert_eq!(check(&mode, &good).unwrap().protection, expected);
            for lacking in
                [&["setup:active"][..], &["fingerprint:sha-256 AB"], &["fingerprint:x", "setup:active"]]
            {
                assert_eq!(refused(&mode, &offer(profile, "0", lacking)), MediaRefusal::NoFingerprint);
            }
        }
        assert!(matches!(refused(&mode, &offer("RTP/SAVP", "0", &[])), MediaRefusal::Profile(_)));
    }

    #[test]
    fn a_fingerprint_of_the_session_counts_for_its_streams() {
        let sdp = offer("UDP/TLS/RTP/SAVP", "0", &["setup:passive"])
            .replace("t=0 0\r\n", "t=0 0\r\na=fingerprint:sha-256 AB:CD\r\n");
        assert!(negotiate(&MediaEncryptionMode::SrtpDtls, &signalling_only(), Some(sdp.as_bytes())).is_ok());
    }

    #[test]
    fn zrtp_refuses_no_profile() {
        let sdp = offer("RTP/AVP", "8", &["zrtp-hash:1.10 fe30"]);
        assert_eq!(check(&MediaEncryptionMode::Zrtp, &sdp).unwrap().protection, Protection::Zrtp);
    }

    #[test]
    fn codecs_are_known_by_static_number_and_by_name() {
        let mode = MediaEncryptionMode::Disabled;
        for (payloads, attributes, codec) in [
            ("18", &[][..], Codec::G729),
            ("4", &[], Codec::G723),
            ("3", &[], Codec::Gsm),
            ("97", &["rtpmap:97 pcmu/8000/1"], Codec::Pcmu),
        ] {
            assert_eq!(check(&mode, &offer("RTP/AVP", payloads, attributes)).unwrap().codec, codec);
        }
    }

    #[test]
    fn an_offer_without_a_common_codec_is_refused_by_name() {
        let mode = MediaEncryptionMode::Disabled;
        let sdp = offer("RTP/AVP", "96 101", &["rtpmap:96 speex/16000", "rtpmap:101 telephone-event/8000"]);
        assert_eq!(
            refused(&mode, &sdp),
            MediaRefusal::NoCodec("speex/16000 telephone-event/8000".to_owned())
        );
        // An `a=rtpmap` overrides a static payload type.
        let mapped = offer("RTP/AVP", "8", &["rtpmap:8 PCMA/16000"]);
        assert!(matches!(refused(&mode, &mapped), MediaRefusal::NoCodec(_)));
    }

    #[test]
    fn the_first_audio_stream_that_fits_is_chosen_and_the_others_are_listed() {
        let sdp = offer("RTP/SAVP", "8", &[])
            + "m=video 50000 RTP/AVP 96\r\nm=audio 41000 RTP/AVP 0\r\nc=IN IP6 2001:db8::1\r\n";
        let media = check(&MediaEncryptionMode::Disabled, &sdp).unwrap();
        assert_eq!((media.stream, media.port, media.lines.len()), (2, 41_000, 3));
        assert_eq!(media.host, MediaHost::Address("2001:db8::1".parse().unwrap()));
        assert_eq!(media.lines[1], "video 50000 RTP/AVP 96");
    }

    #[test]
    fn an_offer_that_is_none_or_has_no_audio_is_refused() {
        let mode = MediaEncryptionMode::Disabled;
        assert_eq!(refused(&mode, "hello"), MediaRefusal::Unparsable(SdpError::NotSdp));
        assert_eq!(refused(&mode, "v=0\r\ns=-\r\n"), MediaRefusal::NoAudio);
        assert_eq!(refused(&mode, &offer("RTP/AVP", "8", &[]).replace("40000", "0")), MediaRefusal::NoAudio);
        assert!(matches!(refused(&mode, "v=0\nm=audio x\n"), MediaRefusal::Unparsable(SdpError::Line(_))));
        let nowhere = "v=0\nm=audio 4000 RTP/AVP 8\n";
        assert_eq!(refused(&mode, nowhere), MediaRefusal::Unparsable(SdpError::NoConnection));
        assert!(matches!(refused(&mode, &offer("udptl", "t38", &[])), MediaRefusal::Profile(_)));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(
            bytes in proptest::collection::vec(any::<u8>(), 0..100),
            lines in proptest::collection::vec("[mca]=[ -~]{0,30}", 0..10),
            attributes in proptest::collection::vec("(rtpmap|crypto|fingerprint|setup|rtcp|ptime)[ -~]{0,30}", 0..6)
        ) {
            let attributes: Vec<&str> = attributes.iter().map(String::as_str).collect();
            let crafted = offer("RTP/SAVP", "8 0", &attributes);
            for mode in MediaEncryptionMode::TEXTS.iter().map(|mode| MediaEncryptionMode::from(*mode)) {
                let settings = signalling_only();
                let _ = negotiate(&mode, &settings, Some(&bytes));
                let _ = take_answer(&mode, &settings, Some(crafted.as_bytes()));
                let _ = negotiate(&mode, &settings, Some(format!("v=0\n{}", lines.join("\n")).as_bytes()));
                let _ = negotiate(&mode, &settings, Some(crafted.as_bytes()));
            }
        }
    }
}
