//! The limit on simultaneous calls.

use super::*;

#[test]
fn the_call_over_the_limit_is_refused_at_once_and_a_channel_comes_back_with_its_call() {
    let edge = TestEdge::open(json!({ "capacity_limit": 2 }));
    let call = invite_to("442012345678");
    let held: Vec<_> = (0..2).map(|_| edge.decide_and_hold(&call).1.unwrap()).collect();
    let refusal = edge.refused(&call);
    assert_eq!((refusal.check, refusal.cause, refusal.code), (Check::Capacity, Cause::Overloaded, 480));
    assert_eq!(
        (refusal.configured.as_str(), refusal.received.as_str()),
        ("capacity_limit 2", "2 calls in progress")
    );
    drop(held);
    assert!(matches!(edge.decide(&call), Verdict::Admitted(_)));
}

#[test]
fn a_limit_of_zero_refuses_every_call_with_the_code_that_is_set() {
    let edge =
        TestEdge::open(json!({ "capacity_limit": 0 })).set(|settings| settings.capacity_reject_code = 503);
    assert_eq!(edge.refusal(&invite_to("442012345678")), (Check::Capacity, Cause::Overloaded, 503));
}

#[test]
fn an_explained_call_takes_no_channel() {
    let edge = TestEdge::open(json!({ "capacity_limit": 1 }));
    let nonces = |_: &[u8]| crate::carrier::NonceState::Foreign;
    let snapshot = Snapshot {
        trunks: &edge.index,
        settings: &edge.settings,
        nonces: &nonces,
        rates: None,
        funds: None,
        now: NOW,
        random: 0,
    };
    let attempt =
        Attempt::new(OFFICE_ADDRESS.parse().unwrap(), b"sip:442012345678@h", b"<sip:442011111111@h>");
    for _ in 0..3 {
        assert!(matches!(admit(&snapshot, &attempt), Verdict::Admitted(_)));
    }
    assert_eq!(edge.index.channels(&"t".into()).unwrap().held(), 0);
}

#[test]
fn a_call_whose_channel_others_took_is_refused_as_one_over_the_limit() {
    let edge = TestEdge::open(json!({ "capacity_limit": 1 }));
    let call = invite_to("442012345678");
    let Verdict::Admitted(admitted) = edge.decide(&call) else { panic!("it is refused") };
    let other = crate::carrier::Refusal::without_channel(
        *admitted,
        crate::carrier::Full { held: 1, limit: 1 },
        &edge.settings,
    );
    let _held = edge.decide_and_hold(&call);
    let refusal = edge.refused(&call);
    assert_eq!(format!("{other:?}"), format!("{refusal:?}"));
}
