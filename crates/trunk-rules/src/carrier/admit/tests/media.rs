//! Media offers.

use didww_types::resources::MediaEncryptionMode;

use super::*;
use crate::carrier::{MediaRefusal, Protection, Settings, negotiate};

#[test]
fn an_offer_that_does_not_fit_the_encryption_mode_names_both() {
    let secure = PLAIN_OFFER.replace("RTP/AVP", "RTP/SAVP");
    let call = Invite { sdp: Some(&secure), ..invite_to("442012345678") };
    let refusal = TestEdge::open(json!({})).refused(&call);
    assert_eq!((refusal.check, refusal.cause, refusal.code), (Check::Media, Cause::NoSuitableMedia, 488));
    assert_eq!(
        (refusal.configured.as_str(), refusal.received.as_str()),
        ("media_encryption_mode disabled", "RTP/SAVP")
    );
    let edge = TestEdge::open(json!({})).set(|settings| settings.media_profile_reject_code = 500);
    assert_eq!(edge.refused(&call).phrase, "Server Internal Error");
}

#[test]
fn an_offer_without_a_common_codec_or_that_cannot_be_read_has_a_cause_of_its_own() {
    let edge = TestEdge::open(json!({}));
    let opus = PLAIN_OFFER.replace("RTP/AVP 8", "RTP/AVP 96");
    let call = Invite { sdp: Some(&opus), ..invite_to("442012345678") };
    assert_eq!(edge.refusal(&call), (Check::Media, Cause::CodecsNotMatched, 488));
    let refusal = edge.refused(&call);
    for named in [&refusal.configured, &refusal.explanation] {
        assert!(named.contains("PCMA") && named.contains("PCMU"), "{refusal:?}");
    }
    assert!(!refusal.configured.contains("media_encryption_mode"), "{refusal:?}");
    let call = Invite { sdp: Some("<xml/>"), ..invite_to("442012345678") };
    assert_eq!(edge.refusal(&call), (Check::Media, Cause::SdpUnparsable, 500));
    assert_eq!(edge.refused(&call).received, "6 bytes that begin with `<xml/>`");
}

#[test]
fn a_late_offer_is_admitted_without_media() {
    assert!(
        TestEdge::open(json!({}))
            .admitted(&Invite { sdp: None, ..invite_to("442012345678") })
            .media
            .is_none()
    );
}

#[test]
fn what_was_chosen_from_the_offer_goes_on_with_the_call() {
    let media = TestEdge::open(json!({})).admitted(&invite_to("442012345678")).media.unwrap();
    assert_eq!((media.payload_type, media.telephone_event, media.port), (8, Some(101), 40_000));
    assert_eq!(media.protection, Protection::Plain);
}

#[test]
fn the_codecs_of_a_refusal_are_short_however_long_their_names_are() {
    let (numbers, name) = (" 96".repeat(64), "x".repeat(60_000));
    let sdp =
        format!("v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 40000 RTP/AVP{numbers}\r\na=rtpmap:96 {name}/8000\r\n");
    let refusal = negotiate(&MediaEncryptionMode::Disabled, &Settings::default(), Some(sdp.as_bytes()));
    let Err(MediaRefusal::NoCodec(offered)) = &refusal else { panic!("{refusal:?}") };
    assert!(offered.starts_with("xxx") && offered.len() < 1_100, "{}", offered.len());
}
