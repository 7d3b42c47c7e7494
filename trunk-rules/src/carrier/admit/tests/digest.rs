//! What is said to a client whose digest does not hold.

use super::*;
use crate::carrier::{Algorithm, HeaderFlaw};

/// What a client does wrong, the cause, and whether the trunk is known by then.
type Case<'a> = (&'a [(&'a str, &'a str)], DigestFailure, bool);

#[test]
fn every_failure_is_challenged_again_with_its_cause_and_the_trunk_if_it_was_named() {
    let world = World::of(&[("a", json!({}))]);
    let old = world.key.issue(Timestamp::from_unix_millis(NOW.as_unix_millis() - 300_001), 1);
    let cases: [Case<'_>; 8] = [
        (&[("algorithm", "SHA-256")], DigestFailure::UnsupportedAlgorithm, false),
        (&[("realm", "nyc.us.out.didww.com")], DigestFailure::RealmMismatch, false),
        (&[("response", "00")], DigestFailure::ResponseLength { received: 2, expected: 32 }, false),
        (&[("username", "nobody")], DigestFailure::UserUnknown, false),
        (&[("nonce", "made up")], DigestFailure::NonceForeign, true),
        (&[("nonce", &old)], DigestFailure::NonceExpired, true),
        (&[("nc", "zzzzzzzz")], DigestFailure::NonceCountUnparsable, true),
        (&[("password", "wrong")], DigestFailure::ResponseMismatch, true),
    ];
    for (changes, failure, named) in cases {
        let challenge =
            world.challenged(&Try { header: Some(world.signed("a", changes)), ..a_try("442012345678") });
        assert_eq!((challenge.failure, challenge.code, challenge.stale), (failure, 401, false));
        assert_eq!(challenge.trunk.is_some(), named, "{failure}");
    }
    let basic = Try { header: Some("Basic eA==".to_owned()), ..a_try("442012345678") };
    assert_eq!(world.challenged(&basic).failure, DigestFailure::Unparsable(HeaderFlaw::Scheme));
}

#[test]
fn stale_is_said_only_where_it_is_set() {
    let old = |world: &World| world.key.issue(Timestamp::from_unix_millis(NOW.as_unix_millis() - 300_001), 1);
    let world = World::of(&[("a", json!({}))]).set(|settings| settings.stale_flag = true);
    let header = Some(world.signed("a", &[("nonce", &old(&world))]));
    assert!(world.challenged(&Try { header, ..a_try("442012345678") }).stale);
}

#[test]
fn the_challenge_can_be_407_and_is_never_a_refusal() {
    let world = World::of(&[("a", json!({}))]).set(|settings| settings.challenge_code = 407);
    let challenge = world.challenged(&a_try("442012345678"));
    assert_eq!((challenge.code, challenge.phrase), (407, "Proxy Authentication Required"));
}

#[test]
fn sha_256_is_accepted_where_it_is_offered() {
    let world = World::of(&[("a", json!({}))]).set(|settings| settings.algorithms.push(Algorithm::Sha256));
    let header = Some(world.signed("a", &[("algorithm", "SHA-256")]));
    assert!(matches!(world.decide(&Try { header, ..a_try("442012345678") }), Verdict::Admitted(_)));
}

#[test]
fn wrong_credentials_of_a_blocked_trunk_are_still_challenged() {
    let world = World::of(&[("a", json!({ "status": "blocked" }))]);
    let wrong = Try { header: Some(world.signed("a", &[("password", "wrong")])), ..a_try("442012345678") };
    assert_eq!(world.challenged(&wrong).failure, DigestFailure::ResponseMismatch);
    let right = Try { header: Some(world.signed("a", &[])), ..a_try("442012345678") };
    assert_eq!(world.refusal(&right), (Check::Status, Cause::RejectedByAuthRecord, 403));
}
