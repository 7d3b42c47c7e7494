//! The contents of a verdict.

use super::*;

#[test]
fn the_engine_texts_are_sent_only_where_that_is_set() {
    let edge =
        TestEdge::open(json!({ "capacity_limit": 0 })).set(|settings| settings.engine_reason_phrase = true);
    assert_eq!(edge.refused(&invite_to("442012345678")).phrase, "Trunk overloaded");
}

#[test]
fn an_admitted_call_passed_every_check() {
    let edge = TestEdge::of(&[("a", json!({ "capacity_limit": 1 }))]);
    let admitted =
        edge.admitted(&Invite { header: Some(edge.signed("a", &[])), ..invite_to("+442012345678") });
    assert_eq!(admitted.passed.iter().collect::<Vec<_>>(), Check::ALL);
    assert_eq!(admitted.cli.original, FIRST_DID);
}

#[test]
fn no_verdict_prints_a_password_or_a_digest() {
    let edge = TestEdge::of(&[("a", json!({}))]);
    let header = Some(edge.signed("a", &[("password", "wrong")]));
    let response = header.as_ref().unwrap().split("response=\"").nth(1).unwrap()[..32].to_owned();
    let verdict = format!("{:?}", edge.decide(&Invite { header, ..invite_to("442012345678") }));
    assert!(!verdict.contains(&response) && !verdict.contains("secret"));
}
