//! The caller number that is presented.

use super::*;

#[test]
fn the_cli_is_that_of_from_and_an_asserted_identity_does_not_help() {
    let edge = TestEdge::open(json!({}));
    let call = Invite {
        from: "anonymous",
        modify: |attempt| {
            attempt.asserted_identity = Some(b"<tel:+442011111111>");
            attempt.privacy = Some(b"id");
        },
        ..invite_to("442012345678")
    };
    let refusal = edge.refused(&call);
    assert_eq!((refusal.check, refusal.cause, refusal.code), (Check::Cli, Cause::SourceBlacklisted, 403));
    assert_eq!(refusal.received, "anonymous");
    assert!(refusal.explanation.contains("P-Asserted-Identity has 442011111111"));
    let edge = edge.set(|settings| settings.cli_header = CliHeader::Identity);
    let admitted = edge.admitted(&call);
    assert!(admitted.cli.restricted && admitted.cli.presented == FIRST_DID);
}

#[test]
fn a_sip_username_in_from_is_named_as_the_mistake() {
    let refusal =
        TestEdge::open(json!({})).refused(&Invite { from: "extension7", ..invite_to("442012345678") });
    assert!(refusal.explanation.contains("not a username"), "{}", refusal.explanation);
}

#[test]
fn an_identity_without_a_number_is_named_and_the_second_of_two_identities_is_read() {
    let edge = TestEdge::open(json!({})).set(|settings| settings.cli_header = CliHeader::Identity);
    let call = |modify: fn(&mut Attempt<'_>)| Invite { modify, ..invite_to("442012345678") };
    let refusal = edge.refused(&call(|attempt| attempt.asserted_identity = Some(b"<sip:sales@example.org>")));
    assert!(
        refusal.explanation.starts_with("P-Asserted-Identity contains no number"),
        "{}",
        refusal.explanation
    );
    assert_eq!(refusal.received, "sales");
    let refusal =
        edge.refused(&call(|attempt| attempt.preferred_identity = Some(b"<sip:15550100@example.org>")));
    assert!(refusal.explanation.contains("the number in P-Preferred-Identity"), "{}", refusal.explanation);
    let both = edge.admitted(&call(|attempt| {
        attempt.asserted_identity =
            Some(b"\"Sales, \\\"x\\\" <a>\" <sip:sales,b@example.org>, <tel:+442011111111>");
    }));
    assert_eq!(both.cli.presented, FIRST_DID);
}

#[test]
fn each_mismatch_action_does_what_it_says() {
    let edge = |action: &str| TestEdge::open(json!({ "on_cli_mismatch_action": action }));
    let call = Invite { from: "+15550100", ..invite_to("442012345678") };
    let presented = |action: &str| edge(action).admitted(&call).cli.presented;
    assert_eq!(presented("send_original_cli"), "15550100");
    assert_eq!(presented("replace_cli"), SECOND_DID);
    assert_eq!(presented("randomize_cli"), FIRST_DID);
    assert_eq!(edge("reject_call").refused(&call).configured, "reject_call with 2 numbers");
    assert_eq!(edge("something new").refused(&call).check, Check::Cli);
    let mut random = edge("randomize_cli");
    random.random = 1;
    assert_eq!(random.admitted(&call).cli.presented, SECOND_DID);
}

#[test]
fn with_allow_any_did_as_cli_every_eligible_did_of_the_account_is_a_cli() {
    let call = Invite { from: EMERGENCY_DID, ..invite_to("442012345678") };
    assert_eq!(TestEdge::open(json!({})).refused(&call).check, Check::Cli);
    assert!(TestEdge::open(json!({ "allow_any_did_as_cli": true })).admitted(&call).cli.action.is_none());
}

#[test]
fn a_did_in_diversion_satisfies_the_check_only_where_that_is_set() {
    let call = Invite {
        from: "15550100",
        modify: |attempt| attempt.diversion = Some(b"<sip:+442011111111@h>;reason=unconditional"),
        ..invite_to("442012345678")
    };
    let edge = TestEdge::open(json!({}));
    assert_eq!(edge.refused(&call).check, Check::Cli);
    assert!(edge.set(|settings| settings.diversion_satisfies_cli = true).admitted(&call).cli.diverted);
}

#[test]
fn a_change_of_a_did_is_seen_by_the_next_call_of_each_trunk_that_has_it() {
    for attributes in [json!({}), json!({ "allow_any_did_as_cli": true })] {
        let mut edge = TestEdge::open(attributes);
        let account = "account".into();
        let blocked = DidFacts { eligible: false, ..did("own", FIRST_DID) };
        edge.index.dids_mut(&account).set(&blocked);
        let refusal = edge.refused(&invite_to("442012345678"));
        assert_eq!(refusal.check, Check::Cli);
        let expired = DidFacts { expires_at: Some(NOW), ..did("own", FIRST_DID) };
        edge.index.dids_mut(&account).set(&expired);
        assert_eq!(edge.refused(&invite_to("442012345678")).check, Check::Cli);
        edge.index.dids_mut(&account).set(&did("own", FIRST_DID));
        assert_eq!(edge.admitted(&invite_to("442012345678")).cli.presented, FIRST_DID);
        edge.index.dids_mut(&account).remove(&"own".into());
        assert_eq!(edge.refused(&invite_to("442012345678")).check, Check::Cli);
    }
}

#[test]
fn a_default_did_that_is_blocked_meanwhile_is_not_presented() {
    let mut edge = TestEdge::open(json!({ "on_cli_mismatch_action": "replace_cli" }));
    let call = Invite { from: "+15550100", ..invite_to("442012345678") };
    let account = "account".into();
    edge.index.dids_mut(&account).set(&DidFacts { eligible: false, ..did("second", SECOND_DID) });
    assert_eq!(edge.admitted(&call).cli.presented, FIRST_DID);
    edge.index.dids_mut(&account).set(&did("second", SECOND_DID));
    assert_eq!(edge.admitted(&call).cli.presented, SECOND_DID);
}
