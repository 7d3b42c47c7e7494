//! Requests inside a dialog, from its own address and from others.

use std::sync::Arc;

use super::*;
use crate::carrier::{InDialog, admit_in_dialog};

const PEER: &str = OFFICE_ADDRESS;
const NEIGHBOUR: &str = "203.0.113.77";
const FOREIGN: &str = "198.51.100.1";
const SID: &str = "AC00000000000000000000000000000001";

/// The decision on a request from this source, with this digest and account SID.
fn decided(method_of: &Value, source: &str, header: Option<&str>, sid: Option<&str>) -> &'static str {
    let trunk = Arc::new(terms("a", &method(method_of)));
    let (key, settings) = (NonceKey::new(&[9; 32]), Settings::default());
    let nonces = NoncesAt { key: &key, now: NOW, ttl: settings.nonce_ttl };
    let credentials = SentDigest::of(header.map(str::as_bytes), &settings);
    let mut attempt = Attempt::new(source.parse().unwrap(), b"sip:edge", b"<sip:x>");
    attempt.credentials = &credentials;
    attempt.twilio_account_sid = sid.map(str::as_bytes);
    match admit_in_dialog(&settings, &nonces, &trunk, PEER.parse().unwrap(), &attempt) {
        InDialog::Accepted(_) => "accepted",
        InDialog::Challenged(challenge) => {
            assert_eq!((challenge.code, challenge.phrase), (401, "Unauthorized"));
            "challenged"
        }
        InDialog::Refused(why) => {
            assert!(why.contains("another address"), "{why}");
            "refused"
        }
    }
}

#[test]
fn from_the_address_of_the_dialog_no_digest_is_required() {
    for trunk in [credentials("a", &["192.0.2.1"], ""), ip_only(&["192.0.2.1"], "")] {
        assert_eq!(decided(&trunk, PEER, None, None), "accepted");
        assert_eq!(decided(&trunk, &format!("::ffff:{PEER}"), None, None), "accepted");
    }
}

#[test]
fn from_another_address_a_trunk_with_credentials_wants_a_digest_and_an_allowed_address() {
    let trunk = credentials("a", &["203.0.113.0/24"], "");
    let edge = TestEdge::of(&[]);
    let right = edge.signed("a", &[]);
    for (source, header, expected) in [
        (NEIGHBOUR, None, "challenged"),
        (FOREIGN, None, "challenged"),
        (NEIGHBOUR, Some(edge.signed("a", &[("password", "wrong")])), "challenged"),
        (NEIGHBOUR, Some(edge.signed("b", &[])), "challenged"),
        (NEIGHBOUR, Some(right.clone()), "accepted"),
        (FOREIGN, Some(right), "refused"),
    ] {
        assert_eq!(decided(&trunk, source, header.as_deref(), None), expected, "{source} {header:?}");
    }
}

#[test]
fn from_another_address_a_trunk_without_credentials_wants_an_allowed_address() {
    let trunk = ip_only(&["203.0.113.0/24"], "");
    assert_eq!(decided(&trunk, NEIGHBOUR, None, None), "accepted");
    assert_eq!(decided(&trunk, FOREIGN, None, None), "refused");
}

#[test]
fn from_another_address_a_twilio_trunk_wants_its_account() {
    let trunk = json!({ "type": "twilio", "attributes": { "twilio_account_sid": SID } });
    assert_eq!(decided(&trunk, FOREIGN, None, Some(SID)), "accepted");
    assert_eq!(decided(&trunk, FOREIGN, None, Some("ACother")), "refused");
    assert_eq!(decided(&trunk, FOREIGN, None, None), "refused");
}
