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
