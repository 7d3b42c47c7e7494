//! Media offers.

use super::*;
use crate::carrier::{Protection, no_audio_expected};

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
fn an_offer_shows_before_the_call_that_its_caller_will_hear_nothing() {
    let outlook = |attributes: Value, from: &str, to: &str| {
        let offer = PLAIN_OFFER.replace(from, to);
        let admitted =
            TestEdge::open(attributes).admitted(&Invite { sdp: Some(&offer), ..invite_to("442012345678") });
        let media = admitted.media.unwrap();
        no_audio_expected(&media, OFFICE_ADDRESS.parse().unwrap(), &admitted.trunk.rtp)
    };
    let symmetric = || json!({ "force_symmetric_rtp": true });
    assert_eq!(outlook(json!({}), "", ""), None);
    for (attributes, from, to, named) in [
        (json!({}), "192.0.2.1", "10.0.0.7", "more local address"),
        (json!({}), "192.0.2.1", "0.0.0.0", "does not receive"),
        (symmetric(), "m=audio", "a=inactive\r\nm=audio", "does not receive"),
        (symmetric(), "IP4 192.0.2.1", "IP6 2001:db8::1", "an IPv6 address, but the call came over IPv4"),
        (
            json!({ "allowed_rtp_ips": ["198.51.100.0/24"] }),
            "",
            "",
            "allowed_rtp_ips does not contain 192.0.2.1",
        ),
    ] {
        let why = outlook(attributes, from, to).unwrap();
        assert!(why.contains(named), "{why}");
    }
    assert_eq!(outlook(symmetric(), "192.0.2.1", "10.0.0.7"), None, "it goes to where it comes from");
    assert_eq!(outlook(json!({}), "192.0.2.1", "phone.example.org"), None, "a name is not resolved");
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
