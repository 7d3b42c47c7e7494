//! Dialled texts.

use super::*;

#[test]
fn what_was_dialled_and_is_no_number_is_an_incomplete_address() {
    let edge = TestEdge::open(json!({}));
    for dialled in ["", "alice", "0442012345678", "011442012345678", "44-20-1234", "4420123456789012", "%2"] {
        assert_eq!(
            edge.refusal(&invite_to(dialled)),
            (Check::Number, Cause::NumberMalformed, 484),
            "{dialled}"
        );
    }
    assert_eq!(edge.refused(&invite_to("")).phrase, "Address Incomplete");
}

#[test]
fn a_tel_uri_is_accepted_by_its_number() {
    let edge = TestEdge::open(json!({}));
    let call = Invite { modify: |attempt| attempt.request_uri = b"tel:+442012345678;ext=1", ..invite_to("") };
    assert_eq!(edge.admitted(&call).destination.to_string(), "442012345678");
}
