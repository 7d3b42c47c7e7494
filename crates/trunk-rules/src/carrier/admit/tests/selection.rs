//! The trunk of a call, by source address, digest, account SID and tech prefix.

use super::*;
use crate::carrier::Identified;
use crate::carrier::index::IndexError;

const SID: &str = "AC22222222222222222222222222222222";

#[test]
fn an_address_that_no_trunk_allows_is_refused_without_a_challenge() {
    let edge = TestEdge::of(&[("a", json!({}))]);
    let call =
        Invite { source: "198.51.100.7", header: Some(edge.signed("a", &[])), ..invite_to("442012345678") };
    let refusal = edge.refused(&call);
    assert_eq!((refusal.check, refusal.cause, refusal.code), (Check::Source, Cause::NoCustomer, 403));
    assert_eq!((refusal.phrase, refusal.received.as_str()), ("Forbidden", "198.51.100.7"));
    assert!(!refusal.is_recorded() && refusal.trunk.is_none());
    assert_eq!(edge.index.nearest_network("198.51.100.7".parse().unwrap()), "203.0.113.0/24".parse().ok());
}

#[test]
fn credentials_need_both_the_address_and_the_digest() {
    let edge = TestEdge::of(&[("a", json!({}))]);
    let challenge = edge.challenged(&invite_to("442012345678"));
    assert_eq!((challenge.code, challenge.failure), (401, DigestFailure::NoHeader));
    let admitted =
        edge.admitted(&Invite { header: Some(edge.signed("a", &[])), ..invite_to("442012345678") });
    assert!(matches!(admitted.identified, Identified::Digest { count: 1, .. }));
    assert_eq!(admitted.trunk.id.as_str(), "a");
}

#[test]
fn a_trunk_by_address_is_accepted_by_the_address_alone() {
    let edge = TestEdge::open(json!({}));
    assert_eq!(edge.admitted(&invite_to("442012345678")).identified, Identified::Address);
}

#[test]
fn a_header_for_another_realm_does_not_hinder_a_trunk_by_address() {
    let edge = TestEdge::open(json!({}));
    for header in [with(&[("realm", "pbx.example")]), "nonsense".to_owned()] {
        let admitted = edge.admitted(&Invite { header: Some(header), ..invite_to("442012345678") });
        assert_eq!(admitted.identified, Identified::Address);
    }
}

#[test]
fn a_wrong_digest_for_this_realm_is_challenged_even_where_the_address_would_do() {
    let edge = TestEdge::open(json!({}));
    let call = Invite { header: Some(edge.signed("unknown", &[])), ..invite_to("442012345678") };
    assert_eq!(edge.challenged(&call).failure, DigestFailure::UserUnknown);
}

#[test]
fn a_right_digest_names_its_trunk_even_where_another_one_goes_by_address_with_a_longer_mask() {
    let edge = TestEdge::of(&[
        ("a", method(&credentials("a", &["0.0.0.0/0"], ""))),
        ("open", method(&ip_only(&["203.0.113.5/32"], ""))),
    ]);
    let signed = Invite { header: Some(edge.signed("a", &[])), ..invite_to("442012345678") };
    assert_eq!(edge.admitted(&signed).trunk.id.as_str(), "a");
    assert_eq!(edge.admitted(&invite_to("442012345678")).trunk.id.as_str(), "open");
}

#[test]
fn a_trunk_without_credentials_yet_takes_no_call_and_none_can_be_selected_by_an_unknown_method() {
    let unfinished =
        json!({ "type": "credentials_and_ip", "attributes": { "allowed_sip_ips": ["0.0.0.0/0"] } });
    let unknown = json!({ "type": "certificate", "attributes": { "allowed_sip_ips": ["0.0.0.0/0"] } });
    let edge = TestEdge::of(&[("a", method(&unfinished)), ("b", method(&unknown))]);
    assert_eq!(edge.refused(&invite_to("442012345678")).check, Check::Source);
}

#[test]
fn a_twilio_trunk_is_selected_by_the_account_sid() {
    let twilio = json!({ "type": "twilio", "attributes": { "twilio_account_sid": SID } });
    let edge = TestEdge::of(&[("t", method(&twilio))]);
    let call = Invite {
        modify: |attempt| attempt.twilio_account_sid = Some(SID.as_bytes()),
        ..invite_to("442012345678")
    };
    assert_eq!(edge.admitted(&call).identified, Identified::TwilioAccount);
    let other = Invite {
        modify: |attempt| attempt.twilio_account_sid = Some(b"ACother"),
        ..invite_to("442012345678")
    };
    assert_eq!(edge.refused(&other).check, Check::Source);
}

#[test]
fn every_address_may_call_where_every_address_is_allowed_but_only_of_that_family() {
    let edge = TestEdge::of(&[("a", method(&ip_only(&["0.0.0.0/0"], "")))]);
    assert!(matches!(edge.decide(&invite_to("442012345678")), Verdict::Admitted(_)));
    let v6 = Invite { source: "2001:db8::1", ..invite_to("442012345678") };
    assert_eq!(edge.refused(&v6).check, Check::Source);
}

#[test]
fn of_several_candidates_the_longest_mask_wins_and_then_the_longest_prefix() {
    let edge = TestEdge::of(&[
        ("wide", method(&ip_only(&["203.0.0.0/16"], "12"))),
        ("near", method(&ip_only(&["203.0.113.0/24"], ""))),
        ("near with prefix", method(&ip_only(&["203.0.113.0/24"], "9"))),
    ]);
    let trunk = |dialled| edge.admitted(&invite_to(dialled)).trunk.id.to_string();
    assert_eq!(trunk("12442012345678"), "near");
    assert_eq!(trunk("9442012345678"), "near with prefix");
    let far = Invite { source: "203.0.9.9", ..invite_to("12442012345678") };
    assert_eq!(edge.admitted(&far).trunk.id.as_str(), "wide");
}

#[test]
fn a_dialled_text_without_any_tech_prefix_of_the_address_is_refused() {
    let edge = TestEdge::of(&[("a", method(&credentials("a", &["203.0.113.0/24"], "123#")))]);
    assert_eq!(edge.refusal(&invite_to("442012345678")), (Check::TechPrefix, Cause::NoCustomer, 403));
}

#[test]
fn good_credentials_with_a_wrong_tech_prefix_are_refused_and_not_challenged() {
    let edge = TestEdge::of(&[
        ("a", method(&credentials("a", &["203.0.113.0/24"], "123#"))),
        ("b", method(&credentials("b", &["203.0.113.0/24"], ""))),
    ]);
    let call = Invite { header: Some(edge.signed("a", &[])), ..invite_to("442012345678") };
    let refusal = edge.refused(&call);
    assert_eq!(
        (refusal.check, refusal.code, refusal.configured.as_str()),
        (Check::Trunk, 403, "tech_prefix 123#")
    );
    assert_eq!(refusal.trunk.unwrap().id.as_str(), "a");
}

#[test]
fn good_credentials_from_an_address_of_another_trunk_are_refused_with_the_nearest_entry() {
    let edge = TestEdge::of(&[
        ("a", method(&credentials("a", &["198.51.100.0/24", "203.0.112.0/24"], ""))),
        ("b", json!({})),
    ]);
    let refusal = edge.refused(&Invite { header: Some(edge.signed("a", &[])), ..invite_to("442012345678") });
    assert_eq!(refusal.check, Check::Trunk);
    assert_eq!(refusal.configured, "2 allowed_sip_ips, the nearest 203.0.112.0/24");
    assert_eq!(refusal.passed.iter().collect::<Vec<_>>(), [Check::Source, Check::TechPrefix, Check::Digest]);
}

#[test]
fn the_tech_prefix_is_stripped_exactly_once_and_the_record_keeps_it() {
    let edge = TestEdge::of(&[("a", method(&ip_only(&["203.0.113.0/24"], "123#")))]);
    for dialled in ["123#442012345678", "123%23442012345678", "123#+442012345678", "123#00442012345678"] {
        let admitted = edge.admitted(&invite_to(dialled));
        assert_eq!(admitted.destination.to_string(), "442012345678", "{dialled}");
        assert_eq!(admitted.dialled, dialled.replace("%23", "#"));
    }
    assert_eq!(edge.refused(&invite_to("123#123#442012345678")).check, Check::Number);
    let digits = TestEdge::of(&[("a", method(&ip_only(&["203.0.113.0/24"], "44")))]);
    assert_eq!(digits.admitted(&invite_to("444420123456")).destination.to_string(), "4420123456");
}

#[test]
fn a_username_belongs_to_one_trunk() {
    let mut edge = TestEdge::of(&[("a", json!({}))]);
    let twin = terms("b", &method(&credentials("a", &["203.0.113.0/24"], "")));
    let error = IndexError { trunk: "b".into(), owner: "a".into() };
    assert_eq!(edge.index.insert(twin), Err(error));
    assert!(edge.index.insert(terms("a", &json!({}))).is_ok(), "its own trunk may be written again");
}

#[test]
fn a_change_is_met_by_the_next_call_and_calls_in_progress_keep_their_channels() {
    let mut edge = TestEdge::open(json!({ "capacity_limit": 1 }));
    let (verdict, channel) = edge.decide_and_hold(&invite_to("442012345678"));
    let Verdict::Admitted(before) = verdict else { panic!() };
    let moved = method(&ip_only(&["198.51.100.0/24"], "9"));
    edge.index.insert(terms("t", &moved)).unwrap();
    assert_eq!(edge.refused(&invite_to("442012345678")).check, Check::Source);
    assert_eq!(before.trunk.capacity, Some(1));
    assert_eq!(edge.index.channels(&"t".into()).unwrap().held(), 1);
    assert_eq!(edge.index.remove(&"t".into()).unwrap().id.as_str(), "t");
    drop(channel);
    assert!(edge.index.is_clean());
}

#[test]
fn a_call_without_a_digest_is_challenged_by_its_address_and_number_alone_as_by_all_of_it() {
    let trunks = [
        ("a", method(&credentials("a", &["203.0.113.0/24"], ""))),
        ("blocked", json!({ "status": "blocked", "capacity_limit": 0 })),
        ("prefix", method(&credentials("prefix", &["198.51.100.0/24"], "12#"))),
        ("open", method(&ip_only(&["192.0.2.0/24"], ""))),
    ];
    let mut challenged = 0;
    for edge in [TestEdge::of(&trunks), TestEdge::of(&trunks[1..]), TestEdge::of(&[])] {
        for source in [OFFICE_ADDRESS, "198.51.100.1", "192.0.2.1", "10.0.0.1"] {
            for dialled in ["442012345678", "12#442012345678", "nothing", ""] {
                let call = Invite { source, ..invite_to(dialled) };
                let nonces = NoncesAt { key: &edge.key, now: NOW, ttl: edge.settings.nonce_ttl };
                let snapshot = Snapshot {
                    trunks: &edge.index,
                    settings: &edge.settings,
                    nonces: &nonces,
                    rates: None,
                    funds: None,
                    now: NOW,
                    random: 0,
                };
                let uri = format!("sip:{dialled}@nyc.us.out.didww.com;user=phone");
                let early = Attempt::new(source.parse().unwrap(), uri.as_bytes(), b"");
                match (identify(&snapshot, &early), edge.decide(&call)) {
                    (Err(Verdict::Challenged(one)), Verdict::Challenged(other)) => {
                        challenged += 1;
                        let facts = |of: &Challenge| (of.code, of.phrase, of.failure, of.stale, of.passed);
                        assert_eq!(facts(&one), facts(&other), "{source} {dialled}");
                        assert!(one.trunk.is_none() && other.trunk.is_none());
                    }
                    (Err(Verdict::Challenged(_)), other) => panic!("{source} {dialled}: {other:?}"),
                    (_, Verdict::Challenged(other)) => panic!("{source} {dialled}: {other:?}"),
                    _ => {}
                }
            }
        }
    }
    assert_eq!(challenged, 10);
}
