//! Writes session descriptions: offers and answers (RFC 4566, RFC 3264).

use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::SocketAddr;

use sha2::{Digest as _, Sha256};
use trunk_rules::carrier::{Codec, Direction, Media, OFFERED_SUITE, OwnOffer, Profile, Protection, Setup};

/// The `o=` line of a session (RFC 3264 §5 and §8): a constant id, and a version that grows by one with each
/// description that differs from the one before.
#[derive(Debug)]
pub struct Identity {
    id: u64,
    version: u32,
    /// The hash of the last description: an established call keeps no text.
    last_hash: u64,
}

impl Identity {
    /// A new session, whose id is taken from a random number.
    pub fn new(random: u64) -> Self {
        // At most 53 bits: some implementations store it as a signed or floating-point number.
        Self { id: 1 + (random >> 12), version: 0, last_hash: 0 }
    }

    /// Whether a description has differed from the first one.
    pub fn has_changed(&self) -> bool {
        self.version > 1
    }

    /// The complete description; `rest` is the text after the `c=` line.
    fn describe(&mut self, at: SocketAddr, rest: &str) -> String {
        let mut hasher = DefaultHasher::new();
        (at.ip(), rest).hash(&mut hasher);
        let hash = hasher.finish();
        if self.version == 0 || self.last_hash != hash {
            self.version = self.version.saturating_add(1);
            self.last_hash = hash;
        }
        let Self { id, version, .. } = self;
        let (family, host) = if at.is_ipv6() { ("IP6", at.ip()) } else { ("IP4", at.ip()) };
        format!("v=0\r\no=- {id} {version} IN {family} {host}\r\ns=-\r\nc=IN {family} {host}\r\n{rest}")
    }
}

/// The answer to an offer: it accepts the chosen stream and refuses the others. `key` is our SRTP key.
pub fn answer(identity: &mut Identity, media: &Media, at: SocketAddr, key: &str) -> String {
    // The `t=` line is that of the offer (RFC 3264 §6).
    let mut text = format!("t={}\r\n", media.time);
    for (place, line) in media.lines.iter().enumerate() {
        if place == media.stream {
            let mut words = line.split_ascii_whitespace();
            let profile = words.nth(2).unwrap_or("RTP/AVP");
            let event = media.telephone_event.map(|payload| format!(" {payload}")).unwrap_or_default();
            let _ = write!(text, "m=audio {} {profile} {}{event}\r\n", at.port(), media.payload_type);
            let _ = write!(text, "a=rtpmap:{} {}\r\n", media.payload_type, media.encoding);
            // Received media is echoed, so the offerer's parameters apply to both directions.
            if let Some(parameters) = &media.format_parameters {
                let _ = write!(text, "a=fmtp:{} {parameters}\r\n", media.payload_type);
            }
            if let Some(payload) = media.telephone_event {
                let rate = media.telephone_event_rate;
                let _ =
                    write!(text, "a=rtpmap:{payload} telephone-event/{rate}\r\na=fmtp:{payload} 0-15\r\n");
            }
            match &media.protection {
                Protection::Sdes { tag, suite, unencrypted_rtcp, .. } => {
                    // A parameter that both sides must agree on is repeated (RFC 4568 §6.3.2).
                    let parameter = if *unencrypted_rtcp { " UNENCRYPTED_SRTCP" } else { "" };
                    let _ = write!(text, "a=crypto:{tag} {suite} inline:{key}{parameter}\r\n");
                }
                Protection::Dtls { setup, .. } => {
                    // This side never opens a DTLS connection, so it is active only if the offer is passive.
                    let side = if *setup == Setup::Passive { "active" } else { "passive" };
                    let _ = write!(text, "a=setup:{side}\r\na=fingerprint:{}\r\n", fingerprint(key));
                }
                _ => {}
            }
            let _ = write!(text, "a={}\r\n", media.direction.reversed().name());
        } else {
            refuse(&mut text, line);
        }
    }
    identity.describe(at, &text)
}

/// The answer to an offer in which every stream is disabled; `lines` are its `m=` values.
pub fn answer_taken_out(identity: &mut Identity, lines: &[String], at: SocketAddr) -> String {
    let mut text = "t=0 0\r\n".to_owned();
    for line in lines {
        refuse(&mut text, line);
    }
    identity.describe(at, &text)
}

/// Writes a refused stream: its port is 0.
fn refuse(text: &mut String, line: &str) {
    let refused: Vec<&str> = line.split_ascii_whitespace().collect();
    let kind = refused.first().copied().unwrap_or("audio");
    let rest = refused.get(2..).unwrap_or_default().join(" ");
    let _ = write!(text, "m={kind} 0 {rest}\r\n");
}

/// The offer of a new session: codecs, the preferred one first, and telephone events. With the profile `RTP/SAVP` it
/// carries our key.
pub fn offer(
    identity: &mut Identity,
    at: SocketAddr,
    codecs: &[Codec],
    profile: Profile,
    key: &str,
) -> String {
    let codecs = codecs.iter().map(|codec| (codec.offered_payload_type(), *codec)).collect();
    let suite = (profile == Profile::Savp).then_some(OFFERED_SUITE);
    let direction = Direction::SendRecv;
    let offer = OwnOffer {
        stream: 0,
        others: &[],
        profile,
        codecs,
        format_parameters: None,
        telephone_event: 101,
        telephone_event_rate: 8_000,
        direction,
        suite,
    };
    own_offer(identity, at, &offer, key)
}

/// The text of an offer that was decided on. `key` is our SRTP key.
pub fn own_offer(identity: &mut Identity, at: SocketAddr, offer: &OwnOffer<'_>, key: &str) -> String {
    let OwnOffer { stream, others, profile, codecs, format_parameters, direction, suite, .. } = offer;
    let (event, rate) = (offer.telephone_event, offer.telephone_event_rate);
    let (before, after) = others.split_at_checked(*stream).unwrap_or_default();
    let mut text = "t=0 0\r\n".to_owned();
    for other in before {
        let _ = write!(text, "m={other}\r\n");
    }
    let _ = write!(text, "m=audio {} {}", at.port(), profile.name());
    for (number, _) in codecs {
        let _ = write!(text, " {number}");
    }
    let _ = write!(text, " {event}\r\n");
    for (number, codec) in codecs {
        let _ = write!(text, "a=rtpmap:{number} {}\r\n", codec.encoding());
    }
    if let (Some((number, _)), Some(parameters)) = (codecs.first(), format_parameters) {
        let _ = write!(text, "a=fmtp:{number} {parameters}\r\n");
    }
    let _ = write!(text, "a=rtpmap:{event} telephone-event/{rate}\r\na=fmtp:{event} 0-15\r\n");
    if let Some(suite) = suite {
        let _ = write!(text, "a=crypto:1 {suite} inline:{key}\r\n");
    } else if matches!(profile, Profile::DtlsSavp | Profile::DtlsSavpf) {
        let _ = write!(text, "a=setup:actpass\r\na=fingerprint:{}\r\n", fingerprint(key));
    }
    let _ = write!(text, "a={}\r\n", direction.name());
    for other in after {
        let _ = write!(text, "m={other}\r\n");
    }
    identity.describe(at, &text)
}

/// The fingerprint of a certificate that does not exist: only signalling is implemented, no DTLS.
fn fingerprint(key: &str) -> String {
    let bytes = Sha256::digest(key.as_bytes());
    let pairs: Vec<String> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    format!("sha-256 {}", pairs.join(":"))
}

#[cfg(test)]
mod tests {
    use didww_types::resources::MediaEncryptionMode;
    use trunk_rules::carrier::{Settings, negotiate};

    use super::*;

    fn origin(description: &str) -> (u64, u32) {
        let line = description.lines().find_map(|line| line.strip_prefix("o=- ")).unwrap();
        let mut words = line.split(' ');
        (words.next().unwrap().parse().unwrap(), words.next().unwrap().parse().unwrap())
    }

    #[test]
    fn the_version_grows_with_each_change_and_else_stays() {
        let mut identity = Identity::new(u64::MAX);
        let at = |port| SocketAddr::from(([192, 0, 2, 1], port));
        let mut offered =
            |port, codecs: &[Codec]| origin(&offer(&mut identity, at(port), codecs, Profile::Avp, ""));
        let all = [Codec::Pcma, Codec::Pcmu];
        let (id, first) = offered(4000, &all);
        assert_eq!((id >> 53, first), (0, 1));
        assert_eq!(offered(4000, &all), (id, 1));
        assert_eq!(offered(4002, &all), (id, 2));
        assert_eq!(offered(4002, &all[1..]), (id, 3));
        assert_eq!(offered(4000, &all), (id, 4), "a version is never used again");
        assert_ne!(Identity::new(1 << 20).id, id);
    }

    #[test]
    fn an_answer_refuses_a_malformed_stream_and_repeats_the_parameter_of_a_key() {
        let key = "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj";
        let offered = format!(
            "v=0\r\nc=IN IP4 192.0.2.1\r\nm=video x RTP/AVP 31 32\r\nc=x\r\nm=audio 4000 RTP/SAVP 8\r\n\
             a=crypto:3 AES_CM_128_HMAC_SHA1_32 inline:{key} UNENCRYPTED_SRTCP\r\n"
        );
        let mode = MediaEncryptionMode::SrtpSdes;
        let media = negotiate(&mode, &Settings::default(), Some(offered.as_bytes())).unwrap().unwrap();
        let text = answer(&mut Identity::new(7), &media, ([192, 0, 2, 9], 5000).into(), "KEY");
        assert!(text.contains("\r\nm=video 0 RTP/AVP 31 32\r\nm=audio 5000 RTP/SAVP 8\r\n"), "{text}");
        let crypto = "\r\na=crypto:3 AES_CM_128_HMAC_SHA1_32 inline:KEY UNENCRYPTED_SRTCP\r\n";
        assert!(text.contains(crypto), "{text}");
    }

    #[test]
    fn an_encrypted_offer_has_its_profile_and_a_key() {
        let text =
            offer(&mut Identity::new(7), ([192, 0, 2, 1], 4000).into(), &[Codec::Pcmu], Profile::Savp, "KEY");
        assert!(text.contains("\r\nm=audio 4000 RTP/SAVP 0 101\r\n"), "{text}");
        assert!(text.contains("\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:KEY\r\n"), "{text}");
        assert!(text.contains("\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm="), "{text}");
    }

    #[test]
    fn a_later_offer_has_the_parameters_of_its_codec_and_the_clock_rate_of_its_events() {
        let offer = OwnOffer {
            codecs: vec![(18, Codec::G729), (0, Codec::Pcmu)],
            format_parameters: Some("annexb=no"),
            telephone_event: 110,
            telephone_event_rate: 48_000,
            ..OwnOffer::new(&MediaEncryptionMode::Disabled, &Settings::default(), None)
        };
        let text = own_offer(&mut Identity::new(7), ([192, 0, 2, 1], 4000).into(), &offer, "");
        let lines = "a=rtpmap:0 PCMU/8000\r\na=fmtp:18 annexb=no\r\na=rtpmap:110 telephone-event/48000\r\n";
        assert!(text.contains(lines), "{text}");
    }
}
