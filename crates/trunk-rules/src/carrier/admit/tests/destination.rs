//! Destinations that a trunk may call, and their rates.

use std::num::NonZeroU32;

use super::*;

#[test]
fn the_destination_rule_is_checked_before_the_caller_number() {
    let edge = TestEdge::open(json!({ "dst_prefixes": ["4420"] }));
    let refusal = edge.refused(&Invite { from: "15550100", ..invite_to("+442012345678") });
    assert_eq!(
        (refusal.check, refusal.cause, refusal.code),
        (Check::Destination, Cause::DestinationBlacklisted, 403)
    );
    assert_eq!(
        (refusal.configured.as_str(), refusal.received.as_str()),
        ("allow_all except 4420", "442012345678")
    );
    let only = TestEdge::open(json!({ "default_dst_action": "reject_all", "dst_prefixes": ["4420"] }));
    assert!(matches!(only.decide(&invite_to("442012345678")), Verdict::Admitted(_)));
    assert_eq!(only.refused(&invite_to("33123456789")).configured, "reject_all except 1 prefixes");
}

#[test]
fn a_destination_without_a_rate_is_not_found() {
    let mut edge = TestEdge::open(json!({}));
    let one = NonZeroU32::MIN;
    let rate = Rate { per_minute: Decimal::ONE, initial_interval: one, next_interval: one };
    edge.rates = Some(RateCard::new([("44".parse().unwrap(), rate)]));
    assert_eq!(edge.admitted(&invite_to("442012345678")).rate, Some(rate));
    assert_eq!(edge.refusal(&invite_to("33123456789")), (Check::Route, Cause::NoDestinationPrefix, 404));
}
