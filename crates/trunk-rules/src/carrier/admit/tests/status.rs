//! Blocked trunks.

use super::*;

#[test]
fn a_trunk_blocked_by_hand_and_one_blocked_by_spending_say_which() {
    let by_hand = TestEdge::open(json!({ "status": "blocked" })).refused(&invite_to("442012345678"));
    assert_eq!(by_hand.configured, "status blocked");
    assert!(by_hand.is_recorded());
    let spent = json!({ "status": "blocked", "threshold_reached": true, "threshold_amount": "7.0" });
    let spent = TestEdge::open(spent).refused(&invite_to("442012345678"));
    assert_eq!(
        (spent.configured.as_str(), spent.received.as_str()),
        ("threshold_amount 7.0", "spent_amount 7.5")
    );
}

#[test]
fn a_threshold_of_zero_refuses_every_call() {
    let edge = TestEdge::open(json!({ "threshold_amount": "0.0" }));
    assert_eq!(edge.refusal(&invite_to("442012345678")), (Check::Status, Cause::RejectedByAuthRecord, 403));
}

#[test]
fn a_trunk_that_has_spent_its_threshold_takes_no_call_even_before_its_status_says_so() {
    let mut edge = TestEdge::open(json!({ "threshold_amount": "10.0" }));
    edge.funds.exhausted = Some("12.5".parse().unwrap());
    let refusal = edge.refused(&invite_to("442012345678"));
    assert_eq!(
        (refusal.check, refusal.cause, refusal.code),
        (Check::Status, Cause::RejectedByAuthRecord, 403)
    );
    assert_eq!(
        (refusal.configured.as_str(), refusal.received.as_str()),
        ("threshold_amount 10.0", "spent_amount 12.5")
    );
}

#[test]
fn a_call_that_cannot_be_recorded_is_refused_unless_it_is_an_emergency_call() {
    let mut edge = TestEdge::open(json!({}));
    edge.funds.cannot_record = true;
    let ordinary = invite_to("442012345678");
    assert_eq!(edge.refusal(&ordinary), (Check::Recording, Cause::NotRecorded, 503));
    assert!(edge.refused(&ordinary).explanation.contains("cannot write"));
    let rescue = Invite { from: EMERGENCY_DID, ..invite_to("112") };
    assert!(edge.admitted(&rescue).emergency.is_some());
    edge.funds.exhausted = Some("12.5".parse().unwrap());
    assert!(edge.admitted(&rescue).emergency.is_some(), "nor does the threshold apply to it");
}
