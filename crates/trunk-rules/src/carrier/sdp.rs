//! Parses the parts of an SDP body (RFC 4566) that the admission check and the answer need.
//!
//! The body is parsed once, for both the check and the media that follows. Whether it is acceptable is
//! decided in `media`.

use std::fmt::Write as _;
use std::net::IpAddr;

use super::split::{lines, split_once};

/// A codec that the edge accepts. It does not transcode: media is echoed in its codec.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// G.711 A-law, 64 kbit/s, payload type 8.
    Pcma,
    /// G.711 mu-law, 64 kbit/s, payload type 0.
    Pcmu,
    /// G.729, 8 kbit/s, payload type 18.
    G729,
    /// G.723.1, static payload type 4.
    G723,
    /// GSM full rate, 13 kbit/s, payload type 3.
    Gsm,
    /// Opus (RFC 7587), which has a dynamic payload type. DIDWW does not document it.
    Opus,
    /// G.722, 64 kbit/s, payload type 9. DIDWW does not document it.
    G722,
    /// iLBC (RFC 3952), which has a dynamic payload type. DIDWW does not document it.
    Ilbc,
}

impl Codec {
    /// All codecs that the edge accepts.
    pub const ALL: [Self; 8] =
        [Self::Pcma, Self::Pcmu, Self::G729, Self::G723, Self::Gsm, Self::Opus, Self::G722, Self::Ilbc];

    /// Whether DIDWW documents the codec. The others are chosen only from offers that have none of these.
    pub const fn is_documented(self) -> bool {
        !matches!(self, Self::Opus | Self::G722 | Self::Ilbc)
    }

    /// The encoding name in `a=rtpmap`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pcma => "PCMA",
            Self::Pcmu => "PCMU",
            Self::G729 => "G729",
            Self::G723 => "G723",
            Self::Gsm => "GSM",
            Self::Opus => "opus",
            Self::G722 => "G722",
            Self::Ilbc => "iLBC",
        }
    }

    /// The rate of the RTP timestamps in Hz. That of G.722 is 8000 although it samples at 16000 (RFC 3551
    /// §4.5.2), and that of Opus is always 48000 (RFC 7587 §4.1).
    pub const fn clock_rate(self) -> u32 {
        match self {
            Self::Opus => 48_000,
            _ => 8_000,
        }
    }

    /// The value of `a=rtpmap` after the payload type: `PCMA/8000`, `opus/48000/2`.
    pub const fn encoding(self) -> &'static str {
        match self {
            Self::Pcma => "PCMA/8000",
            Self::Pcmu => "PCMU/8000",
            Self::G729 => "G729/8000",
            Self::G723 => "G723/8000",
            Self::Gsm => "GSM/8000",
            Self::Opus => "opus/48000/2",
            Self::G722 => "G722/8000",
            Self::Ilbc => "iLBC/8000",
        }
    }

    /// The static payload type, which needs no `a=rtpmap` (RFC 3551); `None` for a codec that has none.
    pub const fn static_payload_type(self) -> Option<u8> {
        match self {
            Self::Pcmu => Some(0),
            Self::Gsm => Some(3),
            Self::G723 => Some(4),
            Self::Pcma => Some(8),
            Self::G722 => Some(9),
            Self::G729 => Some(18),
            Self::Opus | Self::Ilbc => None,
        }
    }

    /// The payload type in offers of the edge: the static one, or a dynamic one.
    pub const fn offered_payload_type(self) -> u8 {
        match self {
            Self::Opus => 96,
            Self::Ilbc => 97,
            _ => match self.static_payload_type() {
                Some(number) => number,
                None => 98,
            },
        }
    }
}

/// The transport profile of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Profile {
    /// `RTP/AVP`: unencrypted, the profile of RFC 3551.
    Avp,
    /// `RTP/AVPF`: unencrypted, with RTCP feedback (RFC 4585).
    Avpf,
    /// `RTP/SAVP`: SRTP with keys in the SDP (RFC 3711).
    Savp,
    /// `RTP/SAVPF`: SRTP with keys in the SDP and RTCP feedback (RFC 5124).
    Savpf,
    /// `UDP/TLS/RTP/SAVP`: SRTP with keys from a DTLS handshake (RFC 5764).
    DtlsSavp,
    /// `UDP/TLS/RTP/SAVPF`: DTLS-SRTP with RTCP feedback (RFC 5764).
    DtlsSavpf,
}

impl Profile {
    const ALL: [Self; 6] = [Self::Avp, Self::Avpf, Self::Savp, Self::Savpf, Self::DtlsSavp, Self::DtlsSavpf];

    /// The text in an `m=` line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Avp => "RTP/AVP",
            Self::Avpf => "RTP/AVPF",
            Self::Savp => "RTP/SAVP",
            Self::Savpf => "RTP/SAVPF",
            Self::DtlsSavp => "UDP/TLS/RTP/SAVP",
            Self::DtlsSavpf => "UDP/TLS/RTP/SAVPF",
        }
    }
}

/// The direction of a stream, from the offerer's point of view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Direction {
    /// Both sides send; also the meaning of a stream without a direction.
    #[default]
    SendRecv,
    /// Only the offerer sends; the usual form of hold.
    SendOnly,
    /// Only the answerer sends: the offerer listens.
    RecvOnly,
    /// Neither side sends, as during hold in both directions.
    Inactive,
}

impl Direction {
    /// The attribute's name in a session description.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }

    /// The direction from the point of view of the other side.
    #[must_use]
    pub const fn reversed(self) -> Self {
        match self {
            Self::SendOnly => Self::RecvOnly,
            Self::RecvOnly => Self::SendOnly,
            other => other,
        }
    }

    fn named(text: &str) -> Option<Self> {
        Some(match text {
            "sendrecv" => Self::SendRecv,
            "sendonly" => Self::SendOnly,
            "recvonly" => Self::RecvOnly,
            "inactive" => Self::Inactive,
            _ => return None,
        })
    }
}

/// The side that opens the DTLS connection, from the offerer's point of view (RFC 4145).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Setup {
    /// The offerer opens it: it sends the first message of the handshake.
    Active,
    /// The answerer opens it: the offerer waits.
    Passive,
    /// The answerer chooses, and its answer states which side opens it.
    ActPass,
}

/// The host that media is sent to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum MediaHost {
    /// An IP address. The unspecified address is the old form of hold.
    Address(IpAddr),
    /// A host name, which the receiver must resolve.
    Name(String),
}

/// Why an SDP body cannot be parsed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SdpError {
    /// The body does not begin with `v=0`.
    #[error("the body does not begin with v=0")]
    NotSdp,
    /// A relevant line is malformed.
    #[error("the SDP line `{0}` is malformed")]
    Line(String),
    /// The audio stream has no connection address.
    #[error("the audio stream has no c= line, and neither has the session")]
    NoConnection,
}

/// The other encodings under which codecs are offered: their name, clock rate and value of `a=rtpmap`. The packets of
/// the annexes of G.729 are those of G.729, and some clients state the sampling rate of G.722 for its clock rate.
const OTHER_ENCODINGS: [(&str, u32, &str, Codec); 4] = [
    ("G729a", 8_000, "G729a/8000", Codec::G729),
    ("G729b", 8_000, "G729b/8000", Codec::G729),
    ("G729ab", 8_000, "G729ab/8000", Codec::G729),
    ("G722", 16_000, "G722/16000", Codec::G722),
];

/// The kind of the only streams that are accepted.
const AUDIO: &str = "audio";

/// The maximum payload types read from one `m=` line. No genuine offer has more, and more would only cost
/// time.
const MAX_PAYLOAD_TYPES: usize = 64;

/// The length of a text of the offered encodings from which on no further one is added, in bytes. A refusal states no
/// more of it.
const MAX_ENCODINGS_BYTES: usize = 1_024;

/// The longest `a=fmtp` value that an answer repeats.
const MAX_FORMAT_PARAMETERS_BYTES: usize = 200;

/// The longest host name in bytes (RFC 1035 §2.3.4). The record of a call states the host.
const MAX_HOST_BYTES: usize = 253;

/// A media stream of an SDP body.
#[derive(Default)]
pub(super) struct Stream<'a> {
    pub(super) line: &'a str,
    pub(super) kind: &'a str,
    pub(super) port: u16,
    pub(super) profile: Option<Profile>,
    pub(super) profile_text: &'a str,
    pub(super) payload_types: Vec<u8>,
    pub(super) rtpmaps: Vec<(u8, &'a str)>,
    pub(super) format_parameters: Vec<(u8, &'a str)>,
    pub(super) cryptos: Vec<&'a str>,
    pub(super) host: Option<MediaHost>,
    pub(super) direction: Option<Direction>,
    pub(super) fingerprint: Option<&'a str>,
    pub(super) setup: Option<Setup>,
    pub(super) rtcp_port: Option<u16>,
    pub(super) rtcp_mux: bool,
    pub(super) packet_time: Option<u16>,
    /// The value of `t=` of the session, which applies to all its streams.
    pub(super) time: Option<&'a str>,
}

/// Parses the streams. Attributes of the session are applied to each stream that has none of its own.
pub(super) fn parse(sdp: &[u8]) -> Result<Vec<Stream<'_>>, SdpError> {
    // Nearly all bodies are text as a whole. Session names and information lines may be in any character set; the lines
    // parsed here are ASCII.
    match std::str::from_utf8(sdp) {
        Ok(text) => parse_lines(lines(text).map(|line| Some(line.trim_ascii()))),
        Err(_) => parse_lines(
            sdp.split(|byte| *byte == b'\n').map(|line| std::str::from_utf8(line.trim_ascii()).ok()),
        ),
    }
}

/// Parses lines without the spaces around them; those that are not text are `None`.
fn parse_lines<'a>(lines: impl Iterator<Item = Option<&'a str>>) -> Result<Vec<Stream<'a>>, SdpError> {
    let mut lines = lines.skip_while(|line| *line == Some(""));
    if lines.next() != Some(Some("v=0")) {
        return Err(SdpError::NotSdp);
    }
    let mut session = Stream::default();
    let mut streams: Vec<Stream<'a>> = Vec::new();
    for line in lines.flatten() {
        // Each type is one letter (RFC 4566 §5).
        let parts = line.split_at_checked(1);
        let Some((kind, value)) = parts.and_then(|(kind, rest)| Some((kind, rest.strip_prefix('=')?))) else {
            continue;
        };
        let section = streams.last_mut().unwrap_or(&mut session);
        match kind {
            "m" => streams.push(media_line(value).ok_or_else(|| SdpError::Line(line.to_owned()))?),
            "c" => {
                section.host = connection(value);
                // A stream of another kind is refused anyway, and takes no other one with it.
                if section.host.is_none() && matches!(section.kind, "" | AUDIO) {
                    return Err(SdpError::Line(line.to_owned()));
                }
            }
            "a" => attribute(section, value),
            "t" if session.time.is_none() => session.time = is_time(value).then_some(value),
            _ => {}
        }
    }
    for stream in &mut streams {
        stream.host = stream.host.take().or_else(|| session.host.clone());
        stream.direction = stream.direction.or(session.direction);
        stream.fingerprint = stream.fingerprint.or(session.fingerprint);
        stream.setup = stream.setup.or(session.setup);
        stream.time = session.time;
    }
    Ok(streams)
}

/// Whether a value is a start and a stop time that an answer can repeat.
fn is_time(value: &str) -> bool {
    let is_number = |word: &str| (1..=20).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_digit());
    split_once(value, b' ').is_some_and(|(begin, end)| is_number(begin) && is_number(end))
}

fn media_line(value: &str) -> Option<Stream<'_>> {
    let mut words = value.split_ascii_whitespace();
    let (kind, port, profile_text) = (words.next()?, words.next()?, words.next()?);
    // A number of ports may follow a slash.
    let port = port.split('/').next()?.parse().ok();
    Some(Stream {
        line: value,
        kind,
        // A stream of another kind is refused with port 0, which replaces what is no number.
        port: if kind == AUDIO { port? } else { port.unwrap_or_default() },
        profile: Profile::ALL.into_iter().find(|profile| profile_text.eq_ignore_ascii_case(profile.name())),
        profile_text,
        payload_types: words
            .filter_map(|word| word.parse().ok())
            .filter(|number| *number < 128)
            .take(MAX_PAYLOAD_TYPES)
            .collect(),
        ..Stream::default()
    })
}

fn connection(value: &str) -> Option<MediaHost> {
    let mut words = value.split_ascii_whitespace();
    let (network, family, host) = (words.next()?, words.next()?, words.next()?);
    if !network.eq_ignore_ascii_case("IN")
        || !["IP4", "IP6"].iter().any(|known| family.eq_ignore_ascii_case(known))
    {
        return None;
    }
    // The time to live of a multicast address may follow a slash.
    let host = host.split('/').next().filter(|host| (1..=MAX_HOST_BYTES).contains(&host.len()))?;
    Some(host.parse().map_or_else(|_| MediaHost::Name(host.to_owned()), MediaHost::Address))
}

fn attribute<'a>(section: &mut Stream<'a>, text: &'a str) {
    let (name, value) = split_once(text, b':').unwrap_or((text, ""));
    match name {
        "rtpmap" => {
            if let Some((number, encoding)) = split_once(value, b' ')
                && let Ok(number) = number.parse()
            {
                section.rtpmaps.push((number, encoding.trim()));
            }
        }
        "fmtp" => {
            if let Some((number, parameters)) = split_once(value, b' ')
                && let Ok(number) = number.parse()
            {
                section.format_parameters.push((number, parameters.trim()));
            }
        }
        "crypto" => section.cryptos.push(value),
        "fingerprint" => section.fingerprint = Some(value),
        "setup" => {
            section.setup = match value {
                "active" => Some(Setup::Active),
                "passive" => Some(Setup::Passive),
                "actpass" => Some(Setup::ActPass),
                _ => None,
            };
        }
        "rtcp" => section.rtcp_port = value.split(' ').next().and_then(|port| port.parse().ok()),
        "rtcp-mux" => section.rtcp_mux = true,
        "ptime" => section.packet_time = value.parse().ok(),
        _ => section.direction = Direction::named(name).or(section.direction),
    }
}

impl Stream<'_> {
    /// The encoding name and clock rate of a payload type, from `a=rtpmap` or the static table.
    fn encoding(&self, number: u8) -> Option<(&str, &str)> {
        if let Some((_, encoding)) = self.rtpmaps.iter().find(|(mapped, _)| *mapped == number) {
            let mut parts = encoding.split('/');
            return Some((parts.next()?, parts.next()?));
        }
        let codec = Codec::ALL.into_iter().find(|codec| codec.static_payload_type() == Some(number))?;
        Some((codec.name(), "8000"))
    }

    /// The codec of a payload type, if it is one of these.
    fn codec_of(&self, number: u8, accepted: &[Codec]) -> Option<Codec> {
        let (name, rate) = self.encoding(number)?;
        let fits = |codec: &&Codec| {
            name.eq_ignore_ascii_case(codec.name()) && rate.parse() == Ok(codec.clock_rate())
        };
        accepted.iter().find(fits).copied().or_else(|| {
            let (_, codec) = self.other_encoding(number)?;
            accepted.contains(&codec).then_some(codec)
        })
    }

    /// The value of `a=rtpmap` and the codec of a payload type, if it has another encoding than that of the codec.
    fn other_encoding(&self, number: u8) -> Option<(&'static str, Codec)> {
        let (name, rate) = self.encoding(number)?;
        let known = OTHER_ENCODINGS.into_iter().find(|(other, other_rate, ..)| {
            name.eq_ignore_ascii_case(other) && rate.parse() == Ok(*other_rate)
        });
        known.map(|(_, _, encoding, codec)| (encoding, codec))
    }

    /// The value of `a=rtpmap` with which an answer repeats a payload type of this codec.
    pub(super) fn encoding_of(&self, number: u8, codec: Codec) -> &'static str {
        self.other_encoding(number).map_or(codec.encoding(), |(encoding, _)| encoding)
    }

    /// The first offered codec that is accepted, with its payload type. A codec that DIDWW documents comes
    /// before every other one.
    pub(super) fn codec(&self, accepted: &[Codec]) -> Option<(u8, Codec)> {
        let first = |is_documented: bool| {
            self.payload_types.iter().find_map(|number| {
                let codec = self.codec_of(*number, accepted)?;
                (codec.is_documented() == is_documented).then_some((*number, codec))
            })
        };
        first(true).or_else(|| first(false))
    }

    /// The payload types of all accepted codecs.
    pub(super) fn payload_types_of(&self, accepted: &[Codec]) -> Vec<u8> {
        let is_accepted = |number: &u8| self.codec_of(*number, accepted).is_some();
        self.payload_types.iter().copied().filter(is_accepted).collect()
    }

    /// The value of `a=fmtp` of a payload type, if an answer can repeat it.
    pub(super) fn format_parameters_of(&self, number: u8) -> Option<&str> {
        let (_, parameters) = self.format_parameters.iter().find(|(mapped, _)| *mapped == number)?;
        let is_repeatable = (1..=MAX_FORMAT_PARAMETERS_BYTES).contains(&parameters.len())
            && parameters.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        is_repeatable.then_some(*parameters)
    }

    /// The payload type and the clock rate of telephone events, if offered: those with the clock rate of the
    /// codec, otherwise those with 8000 Hz.
    pub(super) fn telephone_event(&self, clock_rate: u32) -> Option<(u8, u32)> {
        let with = |clock_rate: u32| {
            let fits = |number: &u8| {
                let encoding = self.encoding(*number);
                encoding.is_some_and(|(name, rate)| {
                    name.eq_ignore_ascii_case("telephone-event") && rate.parse() == Ok(clock_rate)
                })
            };
            Some((self.payload_types.iter().copied().find(fits)?, clock_rate))
        };
        with(clock_rate).or_else(|| with(8_000))
    }

    /// The beginning of the offered encodings as text, for error messages.
    pub(super) fn encodings(&self) -> String {
        let mut text = String::new();
        for number in &self.payload_types {
            if text.len() >= MAX_ENCODINGS_BYTES {
                break;
            }
            let separator = if text.is_empty() { "" } else { " " };
            let _infallible = match self.encoding(*number) {
                None => write!(text, "{separator}{number}"),
                // All payload types of an offer can have the same long name.
                Some((name, rate)) => write!(text, "{separator}{name:.32}/{rate:.8}"),
            };
        }
        text
    }
}
