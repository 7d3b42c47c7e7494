//! What was dialled.

use super::*;

#[test]
fn what_was_dialled_and_is_no_number_is_an_incomplete_address() {
    let world = World::open(json!({}));
    for dialled in ["", "alice", "0442012345678", "011442012345678", "44-20-1234", "4420123456789012", "%2"] {
        assert_eq!(world.refusal(&a_try(dialled)), (Check::Number, Cause::NumberMalformed, 484), "{dialled}");
    }
    assert_eq!(world.refused(&a_try("")).phrase, "Address Incomplete");
}

#[test]
fn a_tel_uri_is_accepted_by_its_number() {
    let world = World::open(json!({}));
    let call =
        Try { more: |attempt| attempt.request_uri = b"tel:+442012345678;phone-context=x", ..a_try("") };
    assert_eq!(world.admitted(&call).destination.to_string(), "442012345678");
}
