//! What an offer of media must bring.

use super::*;
use crate::carrier::Protection;

#[test]
fn an_offer_that_does_not_fit_the_encryption_mode_names_both() {
    let secure = PLAIN.replace("RTP/AVP", "RTP/SAVP");
    let call = Try { sdp: Some(&secure), ..a_try("442012345678") };
    let refusal = World::open(json!({})).refused(&call);
    assert_eq!((refusal.check, refusal.cause, refusal.code), (Check::Media, Cause::NoSuitableMedia, 488));
    assert_eq!(
        (refusal.configured.as_str(), refusal.received.as_str()),
        ("media_encryption_mode disabled", "RTP/SAVP")
    );
    let world = World::open(json!({})).set(|settings| settings.media_profile_reject = 500);
    assert_eq!(world.refused(&call).phrase, "Server Internal Error");
}

#[test]
fn an_offer_without_a_common_codec_or_that_cannot_be_read_has_a_cause_of_its_own() {
    let world = World::open(json!({}));
    let opus = PLAIN.replace("RTP/AVP 8", "RTP/AVP 96");
    let call = Try { sdp: Some(&opus), ..a_try("442012345678") };
    assert_eq!(world.refusal(&call), (Check::Media, Cause::CodecsNotMatched, 488));
    let call = Try { sdp: Some("<xml/>"), ..a_try("442012345678") };
    assert_eq!(world.refusal(&call), (Check::Media, Cause::SdpUnparsable, 500));
}

#[test]
fn a_late_offer_is_admitted_without_media() {
    assert!(World::open(json!({})).admitted(&Try { sdp: None, ..a_try("442012345678") }).media.is_none());
}

#[test]
fn what_was_chosen_from_the_offer_goes_on_with_the_call() {
    let media = World::open(json!({})).admitted(&a_try("442012345678")).media.unwrap();
    assert_eq!((media.payload_type, media.telephone_event, media.port), (8, Some(101), 40_000));
    assert_eq!(media.protection, Protection::Plain);
}
