//! Each reason has its sentence.

use super::*;
use crate::carrier::{Codec, Profile};

const PUBLIC: &str = "203.0.113.1";

fn agreed(at: &str) -> AgreedMedia {
    let address: SocketAddr = at.parse().unwrap();
    AgreedMedia {
        host: MediaHost::Address(address.ip()),
        port: address.port(),
        address: Some(address),
        direction: Direction::SendRecv,
        codec: Codec::Pcma,
        payload_type: 8,
        profile: Profile::Avp,
        encryption: Encryption::None,
        is_removed: false,
    }
}

fn facts(agreed: AgreedMedia, received: u64, from: Option<&str>) -> MediaFacts {
    let mut facts = MediaFacts {
        local: Some("198.51.100.7:16384".parse().unwrap()),
        first_source: from.map(|from| from.parse().unwrap()),
        ..MediaFacts::default()
    };
    facts.received.packets = received;
    facts.agree(agreed);
    facts
}

fn after(allowed: &[&str], symmetric: bool, facts: &MediaFacts) -> Option<String> {
    no_audio(&RtpTerms::for_tests(allowed, symmetric), PUBLIC.parse().unwrap(), facts)
}

fn before(allowed: &[&str], symmetric: bool, agreed: &AgreedMedia) -> Option<String> {
    no_audio_with(&RtpTerms::for_tests(allowed, symmetric), PUBLIC.parse().unwrap(), agreed)
}

#[track_caller]
fn assert_states(sentence: Option<String>, words: &[&str]) {
    let sentence = sentence.expect("a reason");
    assert!(sentence.starts_with("no audio, because "), "{sentence}");
    assert!(words.iter().all(|word| sentence.contains(word)), "{sentence} lacks one of {words:?}");
}

#[test]
fn a_private_address_behind_a_public_one_has_no_audio_unless_rtp_is_symmetric() {
    let private = agreed("192.168.1.5:4000");
    let words =
        ["the private address 192.168.1.5:4000", "public address 203.0.113.1", "force_symmetric_rtp is off"];
    assert_states(before(&[], false, &private), &words);
    assert_states(after(&[], false, &facts(private.clone(), 50, Some("203.0.113.1:7000"))), &words);
    assert_states(
        after(&[], false, &facts(private.clone(), 0, None)),
        &["no RTP packet arrived at 198.51.100.7:16384"],
    );
    assert_eq!(before(&[], true, &private), None);
}

#[test]
fn the_family_of_the_media_must_be_that_of_the_signalling() {
    let words = ["c=IN IP6 2001:db8::5", "the call comes over IPv4"];
    let six = agreed("[2001:db8::5]:4000");
    assert_states(before(&[], false, &six), &words);
    assert_states(after(&[], false, &facts(six.clone(), 0, None)), &words);
    assert_states(after(&[], false, &facts(six.clone(), 9, Some("203.0.113.1:7000"))), &words);
    let four = agreed("203.0.113.1:4000");
    let terms = RtpTerms::for_tests(&[], false);
    let sentence = no_audio_with(&terms, "2001:db8::1".parse().unwrap(), &four);
    assert_states(sentence, &["c=IN IP4 203.0.113.1", "the call comes over IPv6"]);
    assert_eq!(no_audio_with(&terms, "::ffff:203.0.113.1".parse().unwrap(), &four), None);
}

#[test]
fn a_call_in_which_nothing_arrived_names_the_port_and_the_ping() {
    let words = ["no RTP packet arrived at 198.51.100.7:16384", "firewall or NAT", "rtp_ping"];
    assert_states(after(&[], false, &facts(agreed("203.0.113.1:4000"), 0, None)), &words);
    assert_eq!(before(&[], false, &agreed("203.0.113.1:4000")), None, "nothing is known before");
}

#[test]
fn packets_from_addresses_that_are_not_allowed_are_named() {
    let mut facts = facts(agreed("203.0.113.1:4000"), 0, None);
    facts.dropped.source = 40;
    facts.dropped_from = (1..=5).map(|last| IpAddr::from([192, 0, 2, last])).collect();
    let words = ["all 40 RTP packets", "allowed_rtp_ips", "192.0.2.1, 192.0.2.2, 192.0.2.3 and others"];
    assert_states(after(&["203.0.113.0/24"], false, &facts), &words);
    let words = ["203.0.113.1:4000, which allowed_rtp_ips does not contain"];
    assert_states(before(&["192.0.2.0/24"], false, &agreed("203.0.113.1:4000")), &words);
}

#[test]
fn a_direction_that_carries_nothing_is_named() {
    for (direction, words) in [
        (Direction::Inactive, "is inactive"),
        (Direction::SendOnly, "does not receive"),
        (Direction::RecvOnly, "sends nothing"),
    ] {
        let agreed = AgreedMedia { direction, ..agreed("203.0.113.1:4000") };
        assert_states(before(&[], true, &agreed), &[words]);
        assert_states(after(&[], true, &facts(agreed, 10, Some("203.0.113.1:4000"))), &[words]);
    }
    let held = AgreedMedia { direction: Direction::SendOnly, ..agreed("0.0.0.0:4000") };
    assert_states(before(&[], false, &held), &["on hold"]);
    let inactive = AgreedMedia { direction: Direction::Inactive, ..agreed("203.0.113.1:4000") };
    let mut removed = facts(inactive, 0, None);
    removed.remove_stream();
    assert_states(after(&[], false, &removed), &["m=audio 0"]);
}

#[test]
fn a_call_that_had_no_audio_before_it_was_held_names_the_reason_of_that_time() {
    let mut held = facts(agreed("192.168.1.5:4000"), 50, Some("203.0.113.1:7000"));
    held.agree(AgreedMedia { direction: Direction::SendOnly, ..agreed("0.0.0.0:4000") });
    assert_states(after(&[], false, &held), &["the private address 192.168.1.5:4000"]);
    held.remove_stream();
    assert_states(after(&[], false, &held), &["the private address 192.168.1.5:4000"]);
}

#[test]
fn packets_of_another_payload_type_are_named_with_the_agreed_one() {
    let mut facts = facts(agreed("203.0.113.1:4000"), 30, Some("203.0.113.1:4000"));
    facts.other_payload_type = Some(18);
    facts.dropped.payload_type = 30;
    assert_states(after(&[], false, &facts), &["such as 18", "the agreed 8 (PCMA)"]);
}

#[test]
fn encrypted_media_that_cannot_be_authenticated_differs_from_media_that_can() {
    let sdes = AgreedMedia { encryption: Encryption::Sdes, ..agreed("203.0.113.1:4000") };
    assert_states(before(&[], false, &sdes), &["neither decrypted nor echoed"]);
    let mut facts = facts(sdes, 30, Some("203.0.113.1:4000"));
    facts.checked = 30;
    assert_states(after(&[], false, &facts), &["neither decrypted nor echoed"]);
    facts.unauthenticated = 30;
    assert_states(after(&[], false, &facts), &["30 SRTP packets cannot be authenticated"]);
}

#[test]
fn another_source_than_the_named_address_is_named() {
    let facts = facts(agreed("203.0.113.9:4000"), 30, Some("[::ffff:203.0.113.1]:7000"));
    let words =
        ["names the address 203.0.113.9:4000, RTP comes from 203.0.113.1:7000", "force_symmetric_rtp"];
    assert_states(after(&[], false, &facts), &words);
    assert_states(after(&[], true, &facts), &["too few of the 30 RTP packets"]);
}

#[test]
fn a_call_that_was_echoed_has_no_sentence_and_neither_has_one_without_a_description() {
    let mut facts = facts(agreed("203.0.113.1:4000"), 1, Some("203.0.113.1:4000"));
    facts.sent.packets = 1;
    assert_eq!(after(&[], false, &facts), None);
    assert_eq!(after(&[], false, &MediaFacts::default()), None);
}
