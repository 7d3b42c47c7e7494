//! Trunks with invalid values, and trunks read without their links.

use super::*;

#[test]
fn invalid_values_of_a_trunk_are_refused_by_name() {
    let error = |attributes: Value| {
        let trunk = decoded("a", &attributes);
        TrunkTerms::new(&trunk, &links(), "a".into(), &account(), "r").unwrap_err().to_string()
    };
    assert!(error(method(&credentials("a", &["localhost"], ""))).contains("`localhost` in allowed_sip_ips"));
    assert!(error(method(&credentials("a", &["10.0.0.1"], "+1"))).contains("tech prefix `+1`"));
    assert!(error(json!({ "dst_prefixes": ["4x"] })).contains("destination prefix `4x`"));
}

#[test]
fn links_are_known_only_of_a_trunk_that_was_read_with_them() {
    assert_eq!(TrunkLinks::loaded(&decoded("a", &json!({}))), None);
}
