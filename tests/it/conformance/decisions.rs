//! Behaviour that this project chose where the API's sources disagree or are silent.

use serde_json::{Value, json};

use crate::support::api::OLD;
use crate::support::world::*;

#[tokio::test]
async fn addresses_get_a_mask_lose_their_host_bits_and_keep_their_order() {
    let world = World::start().await;
    let sent = json!([
        "192.168.1.1",
        "203.0.113.77/24",
        "0.0.0.0/0",
        "2001:DB8::1",
        "2001:db8::1/32",
        "::/0",
        "10.0.0.1/32"
    ]);
    let shown = json!([
        "192.168.1.1/32",
        "203.0.113.0/24",
        "0.0.0.0/0",
        "2001:db8::1/128",
        "2001:db8::/32",
        "::/0",
        "10.0.0.1/32",
    ]);
    let mut body = credentials("A");
    body["data"]["attributes"]["authentication_method"]["attributes"]["allowed_sip_ips"] = sent.clone();
    let attributes = world.created(&body).await.at("/data/attributes");
    assert_eq!(attributes["authentication_method"]["attributes"]["allowed_sip_ips"], shown);
    let body = with(flat("B"), json!({ "allowed_sip_ips": sent, "allowed_rtp_ips": sent }));
    let attributes = world.api.at(Some(OLD)).post(TRUNKS, &body).await.at("/data/attributes");
    assert_eq!((&attributes["allowed_sip_ips"], &attributes["allowed_rtp_ips"]), (&shown, &shown));
}

#[tokio::test]
async fn sixty_addresses_are_taken_and_one_more_is_not() {
    let world = World::start().await;
    let addresses = |count: u8| (0..count).map(|last| format!("10.0.0.{last}")).collect::<Vec<_>>();
    let old = world.api.at(Some(OLD));
    let lists = |count| json!({ "allowed_sip_ips": addresses(count), "allowed_rtp_ips": addresses(count) });
    assert_eq!(old.post(TRUNKS, &with(flat("A"), lists(60))).await.status, 201);
    let message = "is too long (maximum is 60 items)";
    let answer = old.post(TRUNKS, &with(flat("B"), lists(61))).await;
    refused(&answer, &[attribute("allowed_sip_ips", message), attribute("allowed_rtp_ips", message)]);
}

#[tokio::test]
async fn a_flat_trunk_may_have_no_address_and_a_nested_one_may_not() {
    let world = World::start().await;
    for version in [OLD, "2022-05-10"] {
        let api = world.api.at(Some(version));
        let answer = api.post(TRUNKS, &with(flat(version), json!({ "allowed_sip_ips": [] }))).await;
        assert_eq!((answer.status, answer.at("/data/attributes/allowed_sip_ips")), (201, json!([])));
        for wrong in
            [without(flat("A"), "allowed_sip_ips"), with(flat("A"), json!({ "allowed_sip_ips": null }))]
        {
            refused(&api.post(TRUNKS, &wrong).await, &[attribute("allowed_sip_ips", "can't be blank")]);
        }
        let wrong = with(flat("A"), json!({ "allowed_sip_ips": ["x"] }));
        refused(&api.post(TRUNKS, &wrong).await, &[attribute("allowed_sip_ips", "is invalid")]);
    }
}

#[tokio::test]
async fn the_default_threshold_depends_on_the_version() {
    let world = World::start().await;
    let created = world.created(&credentials("A")).await;
    assert_eq!(created.at("/data/attributes/threshold_amount"), "3000.0");
    for version in [OLD, "2022-05-10"] {
        let api = world.api.at(Some(version));
        let created = api.post(TRUNKS, &flat(version)).await;
        assert_eq!(created.at("/data/attributes/threshold_amount"), Value::Null);
        let id = created.id();
        let body = patch(&id, json!({ "threshold_amount": "12.5" }));
        let changed = api.patch(&format!("{TRUNKS}/{id}"), &body).await;
        assert_eq!(changed.at("/data/attributes/threshold_amount"), "12.5");
        let body = patch(&id, json!({ "name": format!("renamed {version}") }));
        let renamed = api.patch(&format!("{TRUNKS}/{id}"), &body).await;
        assert_eq!(renamed.at("/data/attributes/threshold_amount"), "12.5");
    }
}

#[tokio::test]
async fn the_mismatch_action_is_required_when_a_trunk_is_made() {
    let world = World::start().await;
    for body in [
        without(credentials("A"), "on_cli_mismatch_action"),
        with(credentials("A"), json!({ "on_cli_mismatch_action": null })),
    ] {
        let expected = attribute("on_cli_mismatch_action", "can't be blank");
        refused(&world.api.post(TRUNKS, &body).await, &[expected]);
    }
}

#[tokio::test]
async fn prefixes_that_are_null_are_none_before_2026_04_16() {
    let world = World::start().await;
    let body = with(flat("A"), json!({ "dst_prefixes": null }));
    let created = world.api.at(Some(OLD)).post(TRUNKS, &body).await;
    assert_eq!(created.at("/data/attributes/dst_prefixes"), json!([]));
    let thousand: Vec<String> = (0..1000).map(|number| number.to_string()).collect();
    let created = world.created(&with(credentials("B"), json!({ "dst_prefixes": thousand }))).await;
    assert_eq!(created.at("/data/attributes/dst_prefixes"), json!(thousand));
}

#[tokio::test]
async fn credentials_have_the_length_of_the_version_that_made_them() {
    let world = World::start().await;
    let created = world.created(&credentials("A")).await;
    let inner = "/data/attributes/authentication_method/attributes";
    for name in ["username", "password"] {
        assert_eq!(created.at(&format!("{inner}/{name}")).as_str().map(str::len), Some(16));
    }
    for version in [OLD, "2022-05-10"] {
        let created = world.api.at(Some(version)).post(TRUNKS, &flat(version)).await;
        for name in ["username", "password"] {
            let secret = created.at(&format!("/data/attributes/{name}"));
            let secret = secret.as_str().unwrap().to_owned();
            let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
            assert!(secret.len() == 10 && secret.bytes().all(fits), "{secret}");
        }
    }
}

#[tokio::test]
async fn the_prefix_is_kept_as_it_was_sent() {
    let world = World::start().await;
    for (name, prefix) in [("B", json!(null)), ("C", json!("0123456#"))] {
        let mut body = credentials(name);
        body["data"]["attributes"]["authentication_method"]["attributes"]["tech_prefix"] = prefix.clone();
        let shown = world.created(&body).await;
        assert_eq!(shown.at("/data/attributes/authentication_method/attributes/tech_prefix"), prefix);
    }
}

#[tokio::test]
async fn the_least_of_what_the_official_sdks_send_for_emergency_settings_works() {
    let world = World::start().await;
    let did = world.emergency_did("37061498222").await;
    let id = world.trunk("A").await;
    let path = format!("{TRUNKS}/{id}");
    let all = world.api.patch(&path, &patch(&id, json!({ "emergency_enable_all": true }))).await;
    assert_eq!((all.status, all.at("/data/attributes/emergency_enable_all")), (200, json!(true)));
    let off = patch(&id, json!({ "emergency_enable_all": false }));
    let answer = world.api.patch(&path, &linking(off, "emergency_dids", dids(&[&did]))).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
}

#[tokio::test]
async fn a_blank_text_is_null_for_a_day_a_number_and_an_amount() {
    let world = World::start().await;
    // An identity of the official Go SDK, whose day of birth is not set.
    let person = json!({
        "first_name": "Ada", "last_name": "Lovelace", "phone_number": "442071234567", "id_number": null,
        "birth_date": "", "company_name": null, "company_reg_number": null, "vat_id": null,
        "description": null, "personal_tax_id": null, "identity_type": "personal",
        "external_reference_id": null, "contact_email": null,
    });
    let person = world.api.post("/identities", &resource("identities", person)).await;
    assert_eq!(person.status, 201, "{}", person.text);
    assert_eq!(person.at("/data/attributes/birth_date"), Value::Null);
    let blank = json!({ "capacity_limit": "", "threshold_amount": " " });
    let trunk = world.api.at(Some(OLD)).post(TRUNKS, &with(flat("A"), blank)).await;
    assert_eq!(trunk.status, 201, "{}", trunk.text);
    for name in ["capacity_limit", "threshold_amount"] {
        assert_eq!(trunk.at(&format!("/data/attributes/{name}")), Value::Null, "{name}");
    }
    // Null is none of their values.
    for (name, message) in [("rtp_timeout", "is not a number"), ("rtp_ping", "is not included in the list")] {
        let body = with(credentials("B"), json!({ name: "" }));
        refused(&world.api.post(TRUNKS, &body).await, &[attribute(name, message)]);
    }
}
