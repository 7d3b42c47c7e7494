//! Where a trunk may call, and at what rate.

use std::num::NonZeroU32;

use super::*;

#[test]
fn the_destination_rule_is_asked_before_the_caller_number() {
    let world = World::open(json!({ "dst_prefixes": ["4420"] }));
    let refusal = world.refused(&Try { from: "15550100", ..a_try("+442012345678") });
    assert_eq!(
        (refusal.check, refusal.cause, refusal.code),
        (Check::Destination, Cause::DestinationBlacklisted, 403)
    );
    assert_eq!(
        (refusal.configured.as_str(), refusal.received.as_str()),
        ("allow_all except 4420", "442012345678")
    );
    let only = World::open(json!({ "default_dst_action": "reject_all", "dst_prefixes": ["4420"] }));
    assert!(matches!(only.decide(&a_try("442012345678")), Verdict::Admitted(_)));
    assert_eq!(only.refused(&a_try("33123456789")).configured, "reject_all except 1 prefixes");
}

#[test]
fn a_destination_without_a_rate_is_not_found() {
    let mut world = World::open(json!({}));
    let one = NonZeroU32::MIN;
    let rate = Rate { per_minute: Decimal::ONE, initial_interval: one, next_interval: one };
    world.rates = Some(RateCard::new([("44".parse().unwrap(), rate)]));
    assert_eq!(world.admitted(&a_try("442012345678")).rate, Some(rate));
    assert_eq!(world.refusal(&a_try("33123456789")), (Check::Route, Cause::NoDestinationPrefix, 404));
}
