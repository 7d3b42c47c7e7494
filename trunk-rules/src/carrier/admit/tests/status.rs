//! Trunks that are blocked.

use super::*;

#[test]
fn a_trunk_blocked_by_hand_and_one_blocked_by_spending_say_which() {
    let by_hand = World::open(json!({ "status": "blocked" })).refused(&a_try("442012345678"));
    assert_eq!(by_hand.configured, "status blocked");
    assert!(by_hand.is_recorded());
    let spent = json!({ "status": "blocked", "threshold_reached": true, "threshold_amount": "7.0" });
    let spent = World::open(spent).refused(&a_try("442012345678"));
    assert_eq!(
        (spent.configured.as_str(), spent.received.as_str()),
        ("threshold_amount 7.0", "spent_amount 7.5")
    );
}

#[test]
fn a_threshold_of_zero_refuses_every_call() {
    let world = World::open(json!({ "threshold_amount": "0.0" }));
    assert_eq!(world.refusal(&a_try("442012345678")), (Check::Status, Cause::RejectedByAuthRecord, 403));
}

#[test]
fn a_trunk_that_has_spent_its_threshold_takes_no_call_even_before_its_status_says_so() {
    let mut world = World::open(json!({ "threshold_amount": "10.0" }));
    world.purse.exhausted = Some("12.5".parse().unwrap());
    let refusal = world.refused(&a_try("442012345678"));
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
    let mut world = World::open(json!({}));
    world.purse.is_shut = true;
    let ordinary = a_try("442012345678");
    assert_eq!(world.refusal(&ordinary), (Check::Recording, Cause::NotRecorded, 503));
    assert!(world.refused(&ordinary).explanation.contains("cannot write"));
    let rescue = Try { from: RESCUE, ..a_try("112") };
    assert!(world.admitted(&rescue).emergency.is_some());
    world.purse.exhausted = Some("12.5".parse().unwrap());
    assert!(world.admitted(&rescue).emergency.is_some(), "nor does the threshold hold for it");
}
