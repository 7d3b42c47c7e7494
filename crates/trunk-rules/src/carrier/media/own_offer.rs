//! The offers that the edge makes: of a new session, and of one whose streams were agreed on before (RFC 3264 §8).
//!
//! A later offer has what RFC 3261 §14.2 asks for: everything that an offer of a new call has, and no fewer streams
//! than the session has. The agreed codec and profile come along, because a client may have no other.

use didww_types::resources::MediaEncryptionMode;

use super::{Media, MediaRefusal, OFFERED_CODECS, OFFERED_SUITE, Protection, choose};
use crate::carrier::{Codec, Direction, Profile, Settings, sdp};

/// The most streams of a session that later offers keep. No telephone has more; a session with more is offered again
/// from the beginning.
const MAX_STREAMS: usize = 8;
/// The longest `m=` value of a disabled stream that is kept.
const MAX_DISABLED_BYTES: usize = 64;
/// The usual payload type and clock rate of telephone events.
const TELEPHONE_EVENT: (u8, u32) = (101, 8_000);

/// The agreements of a session that later offers must keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreed {
    stream: usize,
    others: Box<[Box<str>]>,
    profile: Profile,
    payload_type: u8,
    codec: Codec,
    format_parameters: Option<Box<str>>,
    /// The payload type and the clock rate.
    telephone_event: Option<(u8, u32)>,
    suite: Option<&'static str>,
}

impl Agreed {
    /// The part of agreed media that later offers must keep. `None` if the offer of a new session keeps it too, as in
    /// most calls.
    pub fn of(media: &Media, mode: &MediaEncryptionMode, settings: &Settings) -> Option<Box<Self>> {
        let lines: &[String] = if media.lines.len() > MAX_STREAMS { &[] } else { &media.lines };
        let others: Box<[Box<str>]> = lines
            .iter()
            .enumerate()
            .filter(|(at, _)| *at != media.stream)
            .map(|(_, line)| disabled(line).into_boxed_str())
            .collect();
        let suite = match &media.protection {
            Protection::Sdes { suite, .. } => Some(*suite),
            _ => None,
        };
        let telephone_event = media.telephone_event.map(|number| (number, media.telephone_event_rate));
        let new = OwnOffer::new(mode, settings, None);
        let is_kept = others.is_empty()
            && new.profile == media.profile
            && new.suite == suite
            && media.format_parameters.is_none()
            && telephone_event.is_none_or(|event| event == (new.telephone_event, new.telephone_event_rate))
            && new.codecs.contains(&(media.payload_type, media.codec));
        (!is_kept).then(|| {
            Box::new(Self {
                stream: if others.is_empty() { 0 } else { media.stream },
                others,
                profile: media.profile,
                payload_type: media.payload_type,
                codec: media.codec,
                format_parameters: media.format_parameters.as_deref().map(Box::from),
                telephone_event,
                suite,
            })
        })
    }
}

/// The streams of a session from which all audio was removed, which later offers must keep (RFC 3264 §8.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removed {
    /// The index of the first audio stream.
    stream: usize,
    /// Its `m=` value; empty if nothing is kept.
    audio: Box<str>,
    others: Box<[Box<str>]>,
}

impl Removed {
    /// What later offers must keep of a description with these `m=` values, as [`taken_out`](super::taken_out)
    /// returns them. Of more than eight streams nothing is kept.
    pub fn of(lines: &[String]) -> Self {
        let lines: &[String] = if lines.len() > MAX_STREAMS { &[] } else { lines };
        let is_audio = |line: &String| line.split_ascii_whitespace().next() == Some("audio");
        let stream = lines.iter().position(is_audio).unwrap_or_default();
        let mut kept: Vec<Box<str>> = lines.iter().map(|line| without_port(line).into_boxed_str()).collect();
        let audio = if stream < kept.len() { kept.remove(stream) } else { Box::default() };
        Self { stream, audio, others: kept.into_boxed_slice() }
    }

    /// The `m=` values of all streams, each with port 0, in their order; empty if there were too many.
    pub fn lines(&self) -> Vec<String> {
        if self.audio.is_empty() {
            return Vec::new();
        }
        let (before, after) = self.others.split_at_checked(self.stream).unwrap_or_default();
        let all = before.iter().chain(std::iter::once(&self.audio)).chain(after);
        all.map(ToString::to_string).collect()
    }

    /// The offer that adds audio again, in the place of the stream that was removed (RFC 3264 §8.1).
    pub fn restored<'a>(&'a self, offer: OwnOffer<'a>) -> OwnOffer<'a> {
        OwnOffer { stream: self.stream, others: &self.others, ..offer }
    }
}

/// The `m=` value of a stream with port 0: with all its formats, as an answer has it, unless it is long.
fn without_port(line: &str) -> String {
    let mut words = line.split_ascii_whitespace();
    let (kind, _port) = (words.next().unwrap_or("audio"), words.next());
    let rest: Vec<&str> = words.collect();
    let text = format!("{kind} 0 {}", rest.join(" "));
    if rest.len() < 2 || text.len() > MAX_DISABLED_BYTES { disabled(line) } else { text }
}

/// The `m=` value that disables a stream.
fn disabled(line: &str) -> String {
    let mut words = line.split_ascii_whitespace();
    let (kind, _port) = (words.next().unwrap_or("audio"), words.next());
    let (profile, format) = (words.next().unwrap_or("RTP/AVP"), words.next().unwrap_or("0"));
    let text = format!("{kind} 0 {profile} {format}");
    if text.len() > MAX_DISABLED_BYTES { "audio 0 RTP/AVP 0".to_owned() } else { text }
}

/// An offer that the edge makes for a trunk, which its answer must fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnOffer<'a> {
    /// The index of the audio stream.
    pub stream: usize,
    /// The `m=` values of the other streams, which are disabled, in their order.
    pub others: &'a [Box<str>],
    /// The transport profile.
    pub profile: Profile,
    /// The codecs with their payload types, the preferred one first.
    pub codecs: Vec<(u8, Codec)>,
    /// The value of `a=fmtp` of the preferred codec. Without `annexb=no`, G.729 would be another codec for some
    /// gateways (RFC 4856 §2.1.9).
    pub format_parameters: Option<&'a str>,
    /// The payload type of telephone events.
    pub telephone_event: u8,
    /// The clock rate of telephone events in Hz.
    pub telephone_event_rate: u32,
    /// The direction, from the edge's point of view.
    pub direction: Direction,
    /// The SRTP suite of the key in the offer, under the tag 1; `None` without a key.
    pub suite: Option<&'static str>,
}

impl<'a> OwnOffer<'a> {
    /// An offer with the profile that the mode demands and the usual codecs that are accepted, in both directions. In a
    /// session it has what was agreed on first.
    pub fn new(mode: &MediaEncryptionMode, settings: &Settings, agreed: Option<&'a Agreed>) -> Self {
        let profile = match mode {
            MediaEncryptionMode::SrtpSdes => Profile::Savp,
            MediaEncryptionMode::SrtpDtls => Profile::DtlsSavp,
            _ => Profile::Avp,
        };
        let suite = (profile == Profile::Savp).then_some(OFFERED_SUITE);
        let numbered = |codec: &Codec| (codec.offered_payload_type(), *codec);
        let is_accepted = |codec: &&Codec| settings.codecs.contains(codec);
        let mut codecs: Vec<(u8, Codec)> = OFFERED_CODECS.iter().filter(is_accepted).map(numbered).collect();
        if codecs.is_empty() {
            codecs = settings.codecs.iter().map(numbered).collect();
        }
        let direction = Direction::SendRecv;
        let Some(agreed) = agreed else {
            let (telephone_event, telephone_event_rate) = TELEPHONE_EVENT;
            return Self {
                stream: 0,
                others: &[],
                profile,
                codecs,
                format_parameters: None,
                telephone_event,
                telephone_event_rate,
                direction,
                suite,
            };
        };
        let Agreed {
            stream,
            others,
            profile,
            payload_type,
            codec,
            format_parameters,
            telephone_event,
            suite,
        } = agreed;
        // A payload type keeps its codec for as long as the session lasts (RFC 3264 §8.3.2).
        codecs.retain(|(number, known)| number != payload_type && known != codec);
        codecs.insert(0, (*payload_type, *codec));
        let is_free = |number: &u8| codecs.iter().all(|(taken, _)| taken != number);
        let (usual, rate) = TELEPHONE_EVENT;
        let (telephone_event, telephone_event_rate) = telephone_event
            .filter(|(number, _)| is_free(number))
            .unwrap_or_else(|| ((usual..=127).find(is_free).unwrap_or(usual), rate));
        Self {
            stream: *stream,
            others,
            profile: *profile,
            format_parameters: format_parameters.as_deref(),
            telephone_event,
            telephone_event_rate,
            direction,
            codecs,
            suite: *suite,
        }
    }

    /// Parses the answer to this offer. It must have the audio stream with the offered profile, a key if one was offered,
    /// and one of the codecs. Disabled streams may be absent, and are added.
    ///
    /// # Errors
    /// What does not fit the offer.
    pub fn take_answer(
        &self,
        mode: &MediaEncryptionMode,
        answer: Option<&[u8]>,
    ) -> Result<Media, MediaRefusal> {
        let Some(answer) = answer.filter(|answer| !answer.trim_ascii().is_empty()) else {
            return Err(MediaRefusal::NoAnswer);
        };
        let streams = sdp::parse(answer)?;
        // Some clients leave disabled streams out, and all others of this offer are disabled.
        let is_short = streams.len() <= self.others.len();
        let is_audio = |stream: &sdp::Stream<'_>| stream.kind == "audio" && stream.port != 0;
        let at = if is_short { streams.iter().position(is_audio).unwrap_or(0) } else { self.stream };
        let stream = streams.get(at).filter(|stream| stream.kind == "audio" && stream.port != 0);
        let stream = stream.ok_or(MediaRefusal::StreamRefused)?;
        if stream.profile != Some(self.profile) {
            return Err(MediaRefusal::Profile(stream.profile_text.to_owned()));
        }
        let codecs: Vec<Codec> = self.codecs.iter().map(|(_, codec)| *codec).collect();
        let media = choose(mode, &codecs, stream)?;
        match media.protection {
            // An SDES answer names the offered line by its tag.
            Protection::Sdes { tag, suite, .. } if tag != 1 || Some(suite) != self.suite => {
                Err(MediaRefusal::NoKey)
            }
            _ => {
                let lines: Vec<String> = streams.iter().map(|stream| stream.line.to_owned()).collect();
                let payload_types = stream.payload_types_of(&codecs);
                let own = self.telephone_event;
                let is_other = media.telephone_event.is_some_and(|event| event != own);
                let offered_telephone_event = (is_other && !payload_types.contains(&own)).then_some(own);
                let media = Media { stream: at, lines, payload_types, offered_telephone_event, ..media };
                Ok(self.completed(media))
            }
        }
    }

    /// The media of an answer to this offer, with the streams that the answer leaves out: later offers must have
    /// them, because a session never has fewer streams than before (RFC 3264 §8).
    pub fn completed(&self, media: Media) -> Media {
        if media.lines.len() > self.others.len() {
            return media;
        }
        let lines = self.completed_lines(&media.lines, media.stream);
        Media { stream: self.stream, lines, ..media }
    }

    /// The `m=` values of an answer to this offer, with those of the streams that the answer leaves out. `at` is the
    /// index of the audio stream in the answer.
    pub fn completed_lines(&self, lines: &[String], at: usize) -> Vec<String> {
        if lines.len() > self.others.len() {
            return lines.to_vec();
        }
        let (before, after) = self.others.split_at_checked(self.stream).unwrap_or_default();
        let audio = lines.get(at).cloned();
        let before = before.iter().map(ToString::to_string);
        before.chain(audio).chain(after.iter().map(ToString::to_string)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::carrier::negotiate;

    const MODE: MediaEncryptionMode = MediaEncryptionMode::Disabled;

    /// What is kept of an offer whose audio stream has these formats and lines.
    fn agreed(stream: &str) -> Option<Box<Agreed>> {
        let sdp = format!("v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP {stream}\r\n");
        let media = negotiate(&MODE, &Settings::default(), Some(sdp.as_bytes())).unwrap().unwrap();
        Agreed::of(&media, &MODE, &Settings::default())
    }

    #[test]
    fn a_later_offer_keeps_the_parameters_of_the_codec_and_the_number_of_the_telephone_events() {
        for (stream, parameters, event) in [
            ("18\r\na=fmtp:18 annexb=no", Some("annexb=no"), (101, 8_000)),
            ("8 0 96\r\na=rtpmap:96 telephone-event/8000", None, (96, 8_000)),
            (
                "111 110\r\na=rtpmap:111 opus/48000/2\r\na=fmtp:111 useinbandfec=1\r\n\
                 a=rtpmap:110 telephone-event/48000",
                Some("useinbandfec=1"),
                (110, 48_000),
            ),
        ] {
            let known = agreed(stream).unwrap();
            let own = OwnOffer::new(&MODE, &Settings::default(), Some(&known));
            assert_eq!(own.format_parameters, parameters, "{stream}");
            assert_eq!((own.telephone_event, own.telephone_event_rate), event, "{stream}");
        }
        let usual = "8 0 101\r\na=rtpmap:101 telephone-event/8000";
        assert_eq!(agreed(usual), None, "a new offer is as good");
    }
}
