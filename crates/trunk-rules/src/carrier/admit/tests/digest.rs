//! Responses to invalid digests.

use super::*;
use crate::carrier::{Algorithm, HeaderFlaw};

/// The changes to a valid digest, the failure, and whether the trunk is known at that point.
type Case<'a> = (&'a [(&'a str, &'a str)], DigestFailure, bool);

#[test]
fn every_failure_is_challenged_again_with_its_cause_and_the_trunk_if_it_was_named() {
    let edge = TestEdge::of(&[("a", json!({}))]);
    let old = edge.key.issue(Timestamp::from_unix_millis(NOW.as_unix_millis() - 300_001), 1);
    let cases: [Case<'_>; 8] = [
        (&[("algorithm", "SHA-256")], DigestFailure::UnsupportedAlgorithm, false),
        (&[("realm", "nyc.us.out.didww.com")], DigestFailure::RealmMismatch, false),
        (&[("response", "00")], DigestFailure::ResponseLength { received: 2, expected: 32 }, false),
        (&[("username", "unknown")], DigestFailure::UserUnknown, false),
        (&[("nonce", "made up")], DigestFailure::NonceForeign, true),
        (&[("nonce", &old)], DigestFailure::NonceExpired, true),
        (&[("nc", "zzzzzzzz")], DigestFailure::NonceCountUnparsable, true),
        (&[("password", "wrong")], DigestFailure::ResponseMismatch, true),
    ];
    for (changes, failure, named) in cases {
        let challenge =
            edge.challenged(&Invite { header: Some(edge.signed("a", changes)), ..invite_to("442012345678") });
        assert_eq!((challenge.failure, challenge.code, challenge.stale), (failure, 401, false));
        assert_eq!(challenge.trunk.is_some(), named, "{failure}");
    }
    let basic = Invite { header: Some("Basic eA==".to_owned()), ..invite_to("442012345678") };
    assert_eq!(edge.challenged(&basic).failure, DigestFailure::Unparsable(HeaderFlaw::Scheme));
}

#[test]
fn stale_is_sent_only_where_it_is_set() {
    let old =
        |edge: &TestEdge| edge.key.issue(Timestamp::from_unix_millis(NOW.as_unix_millis() - 300_001), 1);
    let edge = TestEdge::of(&[("a", json!({}))]).set(|settings| settings.stale_flag = true);
    let header = Some(edge.signed("a", &[("nonce", &old(&edge))]));
    assert!(edge.challenged(&Invite { header, ..invite_to("442012345678") }).stale);
}

#[test]
fn the_challenge_can_be_407_and_is_never_a_refusal() {
    let edge = TestEdge::of(&[("a", json!({}))]).set(|settings| settings.challenge_code = 407);
    let challenge = edge.challenged(&invite_to("442012345678"));
    assert_eq!((challenge.code, challenge.phrase), (407, "Proxy Authentication Required"));
}

#[test]
fn sha_256_is_accepted_where_it_is_offered() {
    let edge = TestEdge::of(&[("a", json!({}))]).set(|settings| settings.algorithms.push(Algorithm::Sha256));
    let header = Some(edge.signed("a", &[("algorithm", "SHA-256")]));
    assert!(matches!(edge.decide(&Invite { header, ..invite_to("442012345678") }), Verdict::Admitted(_)));
}

#[test]
fn wrong_credentials_of_a_blocked_trunk_are_still_challenged() {
    let edge = TestEdge::of(&[("a", json!({ "status": "blocked" }))]);
    let wrong =
        Invite { header: Some(edge.signed("a", &[("password", "wrong")])), ..invite_to("442012345678") };
    assert_eq!(edge.challenged(&wrong).failure, DigestFailure::ResponseMismatch);
    let right = Invite { header: Some(edge.signed("a", &[])), ..invite_to("442012345678") };
    assert_eq!(edge.refusal(&right), (Check::Status, Cause::RejectedByAuthRecord, 403));
}
