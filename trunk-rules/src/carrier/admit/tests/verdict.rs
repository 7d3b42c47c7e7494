//! What a verdict says, and what it does not.

use super::*;

#[test]
fn the_engine_texts_are_sent_only_where_that_is_set() {
    let world =
        World::open(json!({ "capacity_limit": 0 })).set(|settings| settings.engine_reason_phrase = true);
    assert_eq!(world.refused(&a_try("442012345678")).phrase, "Trunk overloaded");
}

#[test]
fn an_admitted_call_passed_every_check() {
    let world = World::of(&[("a", json!({ "capacity_limit": 1 }))]);
    let admitted = world.admitted(&Try { header: Some(world.signed("a", &[])), ..a_try("+442012345678") });
    assert_eq!(admitted.passed.iter().collect::<Vec<_>>(), Check::ALL);
    assert_eq!(admitted.cli.original, OWN);
}

#[test]
fn no_verdict_prints_a_password_or_a_digest() {
    let world = World::of(&[("a", json!({}))]);
    let header = Some(world.signed("a", &[("password", "wrong")]));
    let response = header.as_ref().unwrap().split("response=\"").nth(1).unwrap()[..32].to_owned();
    let verdict = format!("{:?}", world.decide(&Try { header, ..a_try("442012345678") }));
    assert!(!verdict.contains(&response) && !verdict.contains("secret"));
}
