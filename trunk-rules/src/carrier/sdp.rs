//! As much of an SDP offer (RFC 4566) as decides about it and as its answer needs.
//!
//! One reading serves both the check and the media that follows. It refuses to judge: what is acceptable is
//! decided in `media`.

use std::net::IpAddr;

/// A codec that the edge speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// G.711 A-law.
    Pcma,
    /// G.711 mu-law.
    Pcmu,
    /// G.729.
    G729,
    /// G.723.1.
    G723,
    /// GSM full rate.
    Gsm,
}

impl Codec {
    /// All codecs.
    pub const ALL: [Self; 5] = [Self::Pcma, Self::Pcmu, Self::G729, Self::G723, Self::Gsm];

    /// The encoding name in `a=rtpmap`; the clock rate is 8000 for every one.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pcma => "PCMA",
            Self::Pcmu => "PCMU",
            Self::G729 => "G729",
            Self::G723 => "G723",
            Self::Gsm => "GSM",
        }
    }

    /// The payload type that needs no `a=rtpmap` (RFC 3551).
    pub const fn static_payload_type(self) -> u8 {
        match self {
            Self::Pcmu => 0,
            Self::Gsm => 3,
            Self::G723 => 4,
            Self::Pcma => 8,
            Self::G729 => 18,
        }
    }
}

/// The transport profile of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Profile {
    /// `RTP/AVP`.
    Avp,
    /// `RTP/AVPF`.
    Avpf,
    /// `RTP/SAVP`.
    Savp,
    /// `RTP/SAVPF`.
    Savpf,
    /// `UDP/TLS/RTP/SAVP`.
    DtlsSavp,
    /// `UDP/TLS/RTP/SAVPF`.
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

/// Who sends, as the offerer says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Direction {
    /// Both.
    #[default]
    SendRecv,
    /// The offerer only; the usual hold.
    SendOnly,
    /// The answerer only.
    RecvOnly,
    /// Nobody.
    Inactive,
}

impl Direction {
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

/// Who opens the DTLS connection, as the offerer says it (RFC 4145).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Setup {
    /// The offerer.
    Active,
    /// The answerer.
    Passive,
    /// Whoever the answerer chooses.
    ActPass,
}

/// Where media is sent to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum MediaHost {
    /// An address; the unspecified one is the old way to hold.
    Address(IpAddr),
    /// A name, which the receiver must look up.
    Name(String),
}

/// An offer cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SdpError {
    /// It is something else.
    #[error("the body does not begin with v=0")]
    NotSdp,
    /// A line that matters is malformed.
    #[error("the SDP line `{0}` is malformed")]
    Line(String),
    /// Nobody can tell where to send.
    #[error("the audio stream has no c= line, and neither has the session")]
    NoConnection,
}

/// More is no offer but an attempt to keep the reader busy.
const MOST_PAYLOAD_TYPES: usize = 64;

/// A stream of an offer.
#[derive(Default)]
pub(super) struct Stream<'a> {
    pub(super) line: &'a str,
    pub(super) kind: &'a str,
    pub(super) port: u16,
    pub(super) profile: Option<Profile>,
    pub(super) profile_text: &'a str,
    pub(super) payload_types: Vec<u8>,
    pub(super) rtpmaps: Vec<(u8, &'a str)>,
    pub(super) cryptos: Vec<&'a str>,
    pub(super) host: Option<MediaHost>,
    pub(super) direction: Option<Direction>,
    pub(super) fingerprint: Option<&'a str>,
    pub(super) setup: Option<Setup>,
    pub(super) rtcp_port: Option<u16>,
    pub(super) rtcp_mux: bool,
    pub(super) packet_time: Option<u16>,
    /// The time of the session, which its streams share.
    pub(super) time: Option<&'a str>,
}

/// Reads the streams; what the session says for all of them is filled in.
pub(super) fn parse(sdp: &[u8]) -> Result<Vec<Stream<'_>>, SdpError> {
    let mut lines =
        sdp.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).skip_while(|line| line.is_empty());
    if lines.next() != Some(b"v=0") {
        return Err(SdpError::NotSdp);
    }
    let mut session = Stream::default();
    let mut streams: Vec<Stream<'_>> = Vec::new();
    // Names and information lines may be in any character set; nothing read here is.
    for line in lines.filter_map(|line| std::str::from_utf8(line).ok()) {
        let Some((kind, value)) = line.split_once('=') else { continue };
        let place = streams.last_mut().unwrap_or(&mut session);
        match kind {
            "m" => streams.push(media_line(value).ok_or_else(|| SdpError::Line(line.to_owned()))?),
            "c" => place.host = Some(connection(value).ok_or_else(|| SdpError::Line(line.to_owned()))?),
            "a" => attribute(place, value),
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

/// Whether a value is a beginning and an end, as an answer can repeat them.
fn is_time(value: &str) -> bool {
    let is_number = |word: &str| (1..=20).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_digit());
    value.split_once(' ').is_some_and(|(begin, end)| is_number(begin) && is_number(end))
}

fn media_line(value: &str) -> Option<Stream<'_>> {
    let mut words = value.split_ascii_whitespace();
    let (kind, port, profile_text) = (words.next()?, words.next()?, words.next()?);
    Some(Stream {
        line: value,
        kind,
        // A count of ports may follow a slash.
        port: port.split('/').next()?.parse().ok()?,
        profile: Profile::ALL.into_iter().find(|profile| profile_text.eq_ignore_ascii_case(profile.name())),
        profile_text,
        payload_types: words
            .filter_map(|word| word.parse().ok())
            .filter(|number| *number < 128)
            .take(MOST_PAYLOAD_TYPES)
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
    // A multicast time to live may follow a slash.
    let host = host.split('/').next().filter(|host| !host.is_empty())?;
    Some(host.parse().map_or_else(|_| MediaHost::Name(host.to_owned()), MediaHost::Address))
}

fn attribute<'a>(place: &mut Stream<'a>, text: &'a str) {
    let (name, value) = text.split_once(':').unwrap_or((text, ""));
    match name {
        "rtpmap" => {
            if let Some((number, encoding)) = value.split_once(' ')
                && let Ok(number) = number.parse()
            {
                place.rtpmaps.push((number, encoding.trim()));
            }
        }
        "crypto" => place.cryptos.push(value),
        "fingerprint" => place.fingerprint = Some(value),
        "setup" => {
            place.setup = match value {
                "active" => Some(Setup::Active),
                "passive" => Some(Setup::Passive),
                "actpass" => Some(Setup::ActPass),
                _ => None,
            };
        }
        "rtcp" => place.rtcp_port = value.split(' ').next().and_then(|port| port.parse().ok()),
        "rtcp-mux" => place.rtcp_mux = true,
        "ptime" => place.packet_time = value.parse().ok(),
        _ => place.direction = Direction::named(name).or(place.direction),
    }
}

impl Stream<'_> {
    /// The encoding of a payload type as `name/rate`, from the offer or from the static table.
    fn encoding(&self, number: u8) -> Option<(&str, &str)> {
        if let Some((_, encoding)) = self.rtpmaps.iter().find(|(mapped, _)| *mapped == number) {
            let mut parts = encoding.split('/');
            return Some((parts.next()?, parts.next()?));
        }
        let codec = Codec::ALL.into_iter().find(|codec| codec.static_payload_type() == number)?;
        Some((codec.name(), "8000"))
    }

    /// The first codec of the offer that is among those accepted.
    pub(super) fn codec(&self, accepted: &[Codec]) -> Option<(u8, Codec)> {
        self.payload_types.iter().find_map(|number| {
            let (name, rate) = self.encoding(*number).filter(|(_, rate)| *rate == "8000")?;
            let codec =
                accepted.iter().find(|codec| name.eq_ignore_ascii_case(codec.name()) && rate == "8000")?;
            Some((*number, *codec))
        })
    }

    /// The payload type of telephone events.
    pub(super) fn telephone_event(&self) -> Option<u8> {
        self.payload_types.iter().copied().find(|number| {
            self.encoding(*number)
                .is_some_and(|(name, rate)| name.eq_ignore_ascii_case("telephone-event") && rate == "8000")
        })
    }

    /// The names of what is offered, for saying so.
    pub(super) fn encodings(&self) -> String {
        let names: Vec<String> = self
            .payload_types
            .iter()
            .map(|number| {
                self.encoding(*number)
                    .map_or_else(|| number.to_string(), |(name, rate)| format!("{name}/{rate}"))
            })
            .collect();
        names.join(" ")
    }
}
