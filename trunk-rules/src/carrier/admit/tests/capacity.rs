//! Calls at the same time.

use super::*;

#[test]
fn the_call_over_the_limit_is_refused_at_once_and_a_channel_comes_back_with_its_call() {
    let world = World::open(json!({ "capacity_limit": 2 }));
    let call = a_try("442012345678");
    let held: Vec<_> = (0..2).map(|_| world.decide_and_hold(&call).1.unwrap()).collect();
    let refusal = world.refused(&call);
    assert_eq!((refusal.check, refusal.cause, refusal.code), (Check::Capacity, Cause::Overloaded, 480));
    assert_eq!(
        (refusal.configured.as_str(), refusal.received.as_str()),
        ("capacity_limit 2", "2 calls in progress")
    );
    drop(held);
    assert!(matches!(world.decide(&call), Verdict::Admitted(_)));
}

#[test]
fn a_limit_of_zero_refuses_every_call_with_the_code_that_is_set() {
    let world =
        World::open(json!({ "capacity_limit": 0 })).set(|settings| settings.capacity_reject_code = 503);
    assert_eq!(world.refusal(&a_try("442012345678")), (Check::Capacity, Cause::Overloaded, 503));
}

#[test]
fn an_explained_call_takes_no_channel() {
    let world = World::open(json!({ "capacity_limit": 1 }));
    let nonces = |_: &[u8]| crate::carrier::NonceState::Foreign;
    let snapshot = Snapshot {
        trunks: &world.index,
        settings: &world.settings,
        nonces: &nonces,
        rates: None,
        funds: None,
        now: NOW,
        random: 0,
    };
    let attempt = Attempt::new(OFFICE.parse().unwrap(), b"sip:442012345678@h", b"<sip:442011111111@h>");
    for _ in 0..3 {
        assert!(matches!(admit(&snapshot, &attempt), Verdict::Admitted(_)));
    }
    assert_eq!(world.index.channels(&"t".into()).unwrap().held(), 0);
}
