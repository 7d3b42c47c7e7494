//! The order of the checks.

use std::num::NonZeroU32;

use didww_types::Id;

use super::*;
use crate::carrier::Flaw;

const FLAW: Flaw<'_> = Flaw {
    cause: Cause::BadExtension,
    configured: "100rel, timer",
    received: "x",
    explanation: "an extension is required that is not supported",
};

/// Makes a call that fails exactly the chosen checks. Returns the verdict and the channels that it holds.
fn faulty(faults: &[Check]) -> (Verdict, u32) {
    let fails = |check| faults.contains(&check);
    let mut trunk = method(&credentials("a", &["203.0.113.0/24"], "12#"));
    if fails(Check::Status) {
        trunk["status"] = json!("blocked");
    }
    if fails(Check::Destination) {
        trunk["dst_prefixes"] = json!(["44"]);
    }
    if fails(Check::Capacity) {
        trunk["capacity_limit"] = json!(0);
    }
    let other = method(&credentials("b", &["198.51.100.0/24"], "12#"));
    let mut edge = TestEdge::of(&[("a", trunk), ("b", other)]);
    let prefix = if fails(Check::Route) { "33" } else { "44" };
    let one = NonZeroU32::MIN;
    let rate = Rate { per_minute: Decimal::ONE, initial_interval: one, next_interval: one };
    edge.rates = Some(RateCard::new([(prefix.parse().unwrap(), rate)]));
    edge.funds.cannot_record = fails(Check::Recording);
    let secure = PLAIN_OFFER.replace("RTP/AVP", "RTP/SAVP");
    let dialled = format!(
        "{}{}",
        if fails(Check::TechPrefix) { "" } else { "12#" },
        if fails(Check::Number) {
            "0442012345678"
        } else if fails(Check::Emergency) {
            "112"
        } else {
            "442012345678"
        }
    );
    let call = Invite {
        source: if fails(Check::Source) {
            "192.0.2.1"
        } else if fails(Check::Trunk) {
            "198.51.100.1"
        } else {
            OFFICE_ADDRESS
        },
        from: if fails(Check::Cli) { "15550100" } else { FIRST_DID },
        header: Some(edge.signed("a", if fails(Check::Digest) { &[("password", "wrong")] } else { &[] })),
        sdp: Some(if fails(Check::Media) { &secure } else { PLAIN_OFFER }),
        modify: if fails(Check::Request) { |attempt| attempt.flaw = Some(FLAW) } else { |_| {} },
        ..invite_to(&dialled)
    };
    let (verdict, channel) = edge.decide_and_hold(&call);
    let held = edge.index.channels(&Id::from("a")).unwrap().held();
    drop(channel);
    assert_eq!(edge.index.channels(&Id::from("a")).unwrap().held(), 0);
    (verdict, held)
}

#[test]
fn the_order_of_checks_is_total_and_a_refused_call_never_holds_a_channel() {
    for bits in 0u16..1 << Check::ALL.len() {
        let mut faults: Vec<Check> =
            Check::ALL.into_iter().filter(|check| bits & (1 << *check as u8) != 0).collect();
        // A malformed number is not an emergency number, and 112 is not one in the country of the foreign
        // caller.
        if faults.contains(&Check::Number) || faults.contains(&Check::Cli) {
            faults.retain(|check| *check != Check::Emergency);
        }
        // An emergency call is admitted although it cannot be recorded.
        if faults.contains(&Check::Emergency) {
            faults.retain(|check| *check != Check::Recording);
        }
        let first = faults.first().copied();
        let (verdict, held) = faulty(&faults);
        let (failed, passed) = match verdict {
            Verdict::Admitted(admitted) => (None, admitted.passed),
            Verdict::Challenged(challenge) => (Some(Check::Digest), challenge.passed),
            Verdict::Refused(refusal) => (Some(refusal.check), refusal.passed),
        };
        assert_eq!(failed, first, "{faults:?}");
        assert_eq!(held, u32::from(first.is_none()), "{faults:?}");
        let before = Check::ALL.into_iter().take_while(|check| Some(*check) != first);
        assert_eq!(passed, Checks::of(before), "{faults:?}");
    }
}
