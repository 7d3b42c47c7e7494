//! Session descriptions (SDP): offers, and the answers to them.

use std::net::SocketAddr;
use std::sync::LazyLock;

use didww_types::resources::MediaEncryptionMode;
use sip_transport::sdp::{Identity, answer, answer_taken_out, offer, own_offer};
use trunk_rules::carrier::{
    Agreed, Codec, Direction, Media, OwnOffer, Profile, Removed, Settings, negotiate, taken_out,
};

use crate::fixtures;

/// Key and salt in base64, as `a=crypto` has them.
const KEY: &str = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";

static SETTINGS: LazyLock<Settings> =
    LazyLock::new(|| Settings { dtls_signalling_only: true, ..Settings::default() });

/// The descriptions in the messages of RFC 4475 and RFC 5118, and one of each protection.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = fixtures::session_descriptions();
    let head = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1/127\r\nt=0 0\r\n";
    for rest in [
        "m=audio 4000/2 RTP/AVP 8 0 101\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n\
         a=ptime:20\r\na=sendonly\r\n",
        "m=video 5000 RTP/AVP 99\r\nm=audio 4000 RTP/AVPF 96 97\r\na=rtpmap:96 opus/48000/2\r\n\
         a=fmtp:96 useinbandfec=1\r\n\
         a=rtpmap:97 telephone-event/48000\r\na=rtcp:4005 IN IP4 192.0.2.1\r\na=rtcp-mux\r\n",
        "m=audio 4000 RTP/SAVP 9 18\r\n\
         a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20|1:4\r\n",
        "a=setup:actpass\r\na=fingerprint:sha-256 AB:CD\r\nm=audio 4000 UDP/TLS/RTP/SAVPF 8\r\na=inactive\r\n",
        "m=audio 0 RTP/AVP 8\r\nm=image 6000 udptl t38\r\n",
        "m=audio 4000 RTP/AVP 8\r\nc=IN IP6 ::\r\na=recvonly\r\n",
        "m=audio 4000 RTP/AVP 98\r\nc=IN IP4 media.example.com\r\na=rtpmap:98 iLBC/8000\r\n",
        "m=audio 4000 RTP/AVP 18 96\r\na=rtpmap:18 G729a/8000\r\na=fmtp:18 annexb=no\r\n\
         a=rtpmap:96 telephone-event/8000\r\n",
    ] {
        seeds.push(format!("{head}{rest}").into_bytes());
    }
    seeds
}

/// Our answer to an offer is accepted as an offer, and has the same stream, codec and protection; our offers are
/// accepted too.
pub fn sdp(data: &[u8]) {
    let at: SocketAddr = ([203, 0, 113, 1], 20_000).into();
    let mut identity = Identity::new(7);
    for mode in [
        MediaEncryptionMode::Disabled,
        MediaEncryptionMode::SrtpSdes,
        MediaEncryptionMode::SrtpDtls,
        MediaEncryptionMode::Zrtp,
    ] {
        match negotiate(&mode, &SETTINGS, Some(data)) {
            Ok(Some(media)) => {
                let text = answer(&mut identity, &media, at, KEY);
                let again = negotiate(&mode, &SETTINGS, Some(text.as_bytes()));
                check(&media, &again.unwrap().unwrap(), at);
                check_later_offer(&media, &mode, at);
            }
            Ok(None) => assert!(data.trim_ascii().is_empty()),
            Err(refusal) => {
                let _warning = refusal.warning();
                assert!((400..700).contains(&refusal.code(&SETTINGS)), "{refusal}");
            }
        }
        if let Ok(media) = OwnOffer::new(&mode, &SETTINGS, None).take_answer(&mode, Some(data)) {
            assert!(media.payload_types.contains(&media.payload_type));
            assert_eq!(media.stream, 0);
        }
    }
    if let Some(lines) = taken_out(data) {
        let text = answer_taken_out(&mut identity, &lines, at);
        assert_eq!(taken_out(text.as_bytes()).unwrap().len(), lines.len());
        let kept = Removed::of(&lines).lines();
        if lines.len() <= 8 {
            let text = answer_taken_out(&mut identity, &kept, at);
            assert_eq!(taken_out(text.as_bytes()).unwrap().len(), lines.len());
        }
    }
    let new = OwnOffer::new(&MediaEncryptionMode::SrtpSdes, &SETTINGS, None);
    let text = own_offer(&mut identity, at, &new, KEY);
    assert!(negotiate(&MediaEncryptionMode::SrtpSdes, &SETTINGS, Some(text.as_bytes())).is_ok());
    let text = offer(&mut identity, at, &Codec::ALL, Profile::Avp, "");
    assert!(negotiate(&MediaEncryptionMode::Disabled, &SETTINGS, Some(text.as_bytes())).is_ok());
}

/// An offer in the session of these media is accepted, and has the same number of streams.
fn check_later_offer(media: &Media, mode: &MediaEncryptionMode, at: SocketAddr) {
    let agreed = Agreed::of(media, mode, &SETTINGS);
    let later = OwnOffer::new(mode, &SETTINGS, agreed.as_deref());
    let text = own_offer(&mut Identity::new(7), at, &later, KEY);
    let read = negotiate(mode, &SETTINGS, Some(text.as_bytes())).unwrap().unwrap();
    assert!(later.codecs.contains(&(read.payload_type, read.codec)), "{text}");
    if read.payload_type == media.payload_type {
        assert_eq!(read.format_parameters, media.format_parameters, "{text}");
    }
    if media.lines.len() <= 8 {
        assert_eq!((read.stream, read.lines.len()), (media.stream, media.lines.len()), "{text}");
    }
}

fn check(media: &Media, again: &Media, at: SocketAddr) {
    assert_eq!((again.stream, again.lines.len(), again.port), (media.stream, media.lines.len(), at.port()));
    assert_eq!(
        (again.profile, again.codec, again.payload_type, &again.time, &again.format_parameters),
        (media.profile, media.codec, media.payload_type, &media.time, &media.format_parameters)
    );
    assert_eq!((again.encoding, again.telephone_event), (media.encoding, media.telephone_event));
    if media.telephone_event.is_some() {
        assert_eq!(again.telephone_event_rate, media.telephone_event_rate);
    }
    let mirrored = match media.direction {
        Direction::SendOnly => Direction::RecvOnly,
        Direction::RecvOnly => Direction::SendOnly,
        other => other,
    };
    assert_eq!(again.direction, mirrored);
    assert_eq!(std::mem::discriminant(&again.protection), std::mem::discriminant(&media.protection));
}
