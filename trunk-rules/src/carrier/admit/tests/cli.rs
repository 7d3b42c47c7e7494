//! Whose number is shown.

use super::*;

#[test]
fn the_cli_is_that_of_from_and_an_asserted_identity_does_not_help() {
    let world = World::open(json!({}));
    let call = Try {
        from: "anonymous",
        more: |attempt| {
            attempt.asserted_identity = Some(b"<tel:+442011111111>");
            attempt.privacy = Some(b"id");
        },
        ..a_try("442012345678")
    };
    let refusal = world.refused(&call);
    assert_eq!((refusal.check, refusal.cause, refusal.code), (Check::Cli, Cause::SourceBlacklisted, 403));
    assert_eq!(refusal.received, "anonymous");
    assert!(refusal.explanation.contains("P-Asserted-Identity has 442011111111"));
    let world = world.set(|settings| settings.cli_header = CliHeader::Identity);
    let admitted = world.admitted(&call);
    assert!(admitted.cli.restricted && admitted.cli.presented == OWN);
}

#[test]
fn a_sip_username_in_from_is_named_as_the_mistake() {
    let refusal = World::open(json!({})).refused(&Try { from: "extension7", ..a_try("442012345678") });
    assert!(refusal.explanation.contains("not a username"), "{}", refusal.explanation);
}

#[test]
fn each_mismatch_action_does_what_it_says() {
    let world = |action: &str| World::open(json!({ "on_cli_mismatch_action": action }));
    let call = Try { from: "+15550100", ..a_try("442012345678") };
    let presented = |action: &str| world(action).admitted(&call).cli.presented;
    assert_eq!(presented("send_original_cli"), "15550100");
    assert_eq!(presented("replace_cli"), SECOND);
    assert_eq!(presented("randomize_cli"), OWN);
    assert_eq!(world("reject_call").refused(&call).configured, "reject_call with 2 numbers");
    assert_eq!(world("something new").refused(&call).check, Check::Cli);
    let mut random = world("randomize_cli");
    random.random = 1;
    assert_eq!(random.admitted(&call).cli.presented, SECOND);
}

#[test]
fn with_allow_any_did_as_cli_every_eligible_did_of_the_account_is_a_cli() {
    let call = Try { from: RESCUE, ..a_try("442012345678") };
    assert_eq!(World::open(json!({})).refused(&call).check, Check::Cli);
    assert!(World::open(json!({ "allow_any_did_as_cli": true })).admitted(&call).cli.action.is_none());
}

#[test]
fn a_did_in_diversion_satisfies_the_check_only_where_that_is_set() {
    let call = Try {
        from: "15550100",
        more: |attempt| attempt.diversion = Some(b"<sip:+442011111111@h>;reason=unconditional"),
        ..a_try("442012345678")
    };
    let world = World::open(json!({}));
    assert_eq!(world.refused(&call).check, Check::Cli);
    assert!(world.set(|settings| settings.diversion_satisfies_cli = true).admitted(&call).cli.diverted);
}
