//! Emergency calls.

use super::*;

fn emergency_call(dialled: &str) -> Invite<'_> {
    Invite { from: EMERGENCY_DID, ..invite_to(dialled) }
}

#[test]
fn an_emergency_call_must_show_an_emergency_did_whatever_the_mismatch_action_is() {
    for action in ["send_original_cli", "reject_call", "replace_cli", "randomize_cli"] {
        let edge = TestEdge::open(json!({ "on_cli_mismatch_action": action }));
        assert_eq!(edge.refusal(&invite_to("112")), (Check::Emergency, Cause::SourceBlacklisted, 403));
        let anonymous = Invite { from: "anonymous", ..invite_to("112") };
        assert_eq!(edge.refused(&anonymous).check, Check::Emergency);
        let admitted = edge.admitted(&emergency_call("112"));
        assert!(!admitted.emergency.unwrap().test);
        assert_eq!(
            (admitted.destination.to_string().as_str(), admitted.cli.presented.as_str()),
            ("112", EMERGENCY_DID)
        );
    }
}

#[test]
fn with_emergency_enable_all_every_emergency_enabled_did_counts() {
    let mut index = TrunkIndex::new();
    *index.dids_mut(&"a".into()) = account();
    for (id, all) in [("all", true), ("none", false)] {
        let network = if all { "203.0.113.0/24" } else { "198.51.100.0/24" };
        let mut attributes = method(&ip_only(&[network], ""));
        attributes["emergency_enable_all"] = json!(all);
        let trunk = decoded(id, &attributes);
        let dids = index.dids("a");
        let terms = TrunkTerms::new(&trunk, &TrunkLinks::default(), "a".into(), dids, "r").unwrap();
        index.insert(terms).unwrap();
    }
    let edge = TestEdge { index, ..TestEdge::of(&[]) };
    assert!(matches!(edge.decide(&emergency_call("112")), Verdict::Admitted(_)));
    let none = Invite { source: "198.51.100.1", ..emergency_call("112") };
    assert_eq!(edge.refused(&none).check, Check::Emergency);
}

#[test]
fn an_emergency_call_skips_destination_threshold_and_capacity_but_no_block_by_hand() {
    let full = json!({
        "capacity_limit": 0, "default_dst_action": "reject_all", "status": "blocked", "threshold_reached": true
    });
    let edge = TestEdge::open(full.clone());
    let admitted = edge.admitted(&emergency_call("999"));
    for skipped in [Check::Destination, Check::Cli, Check::Route, Check::Capacity] {
        assert!(!admitted.passed.contains(skipped));
    }
    assert_eq!(
        TestEdge::open(json!({ "status": "blocked" })).refused(&emergency_call("999")).check,
        Check::Status
    );
    let strict = TestEdge::open(full).set(|settings| settings.emergency_bypass = false);
    assert_eq!(strict.refused(&emergency_call("999")).check, Check::Status);
}

#[test]
fn an_emergency_number_needs_the_tech_prefix_too() {
    let edge = TestEdge::of(&[("a", method(&ip_only(&["203.0.113.0/24"], "123#")))]);
    assert_eq!(edge.admitted(&emergency_call("123#112")).dialled, "123#112");
    assert_eq!(edge.refused(&emergency_call("112")).check, Check::TechPrefix);
}

#[test]
fn the_test_number_is_admitted_and_marked() {
    assert!(TestEdge::open(json!({})).admitted(&emergency_call("933")).emergency.unwrap().test);
}

#[test]
fn emergency_service_of_a_did_that_is_cancelled_meanwhile_admits_no_emergency_call() {
    for attributes in [json!({}), json!({ "emergency_enable_all": true })] {
        let mut edge = TestEdge::open(attributes);
        let cancelled = DidFacts { emergency_enabled: false, ..did("rescue", EMERGENCY_DID) };
        edge.index.dids_mut(&"account".into()).set(&cancelled);
        let refusal = edge.refused(&emergency_call("112"));
        assert_eq!((refusal.check, refusal.configured.as_str()), (Check::Emergency, "0 emergency numbers"));
        edge.index.dids_mut(&"account".into()).set(&did("rescue", EMERGENCY_DID));
        assert!(edge.admitted(&emergency_call("112")).emergency.is_some());
    }
}
