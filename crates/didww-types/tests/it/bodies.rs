//! Request bodies contain exactly the members that were set, in the form of the API version.

use didww_types::resources::{
    AuthenticationMethod, CapacityPool, DefaultDstAction, Did, DstPrefixes, MediaEncryptionMode,
    OnCliMismatchAction, VoiceOutTrunk, VoiceOutTrunkCreate, VoiceOutTrunkRegenerateCredentials,
    VoiceOutTrunkStatus,
};
use didww_types::values::{
    CallbackUrl, CapacityLimit, DstPrefix, ExternalReference, IpNetworks, TechPrefix, ThresholdAmount,
    TwilioAccountSid,
};
use didww_types::{ApiVersion, Create as _, Id, Patch, Resource as _, Sent, Update as _};
use serde_json::{Value, json};

use crate::fixtures::{CREDENTIALS, TWILIO, json as document, object, trunk};

const OLD: [ApiVersion; 2] = [ApiVersion::V2021_12_15, ApiVersion::V2022_05_10];

fn networks() -> IpNetworks {
    IpNetworks::parse(["192.168.1.1"]).unwrap()
}

fn create() -> VoiceOutTrunkCreate {
    VoiceOutTrunk::create(
        "Trunk",
        OnCliMismatchAction::SendOriginalCli,
        AuthenticationMethod::credentials_and_ip(networks()),
    )
}

fn prefixes(texts: &[&str]) -> DstPrefixes {
    DstPrefixes::new(texts.iter().map(|text| DstPrefix::new(*text).unwrap())).unwrap()
}

fn members(sent: Sent) -> Value {
    json!({ "attributes": sent.attributes, "relationships": sent.relationships })
}

#[test]
fn a_create_contains_the_required_members_and_nothing_else() {
    assert_eq!(
        members(create().to_sent().unwrap()),
        json!({
            "attributes": {
                "name": "Trunk",
                "on_cli_mismatch_action": "send_original_cli",
                "authentication_method": {"type": "credentials_and_ip", "attributes": {
                    "allowed_sip_ips": ["192.168.1.1/32"], "tech_prefix": null
                }}
            },
            "relationships": {}
        })
    );
}

#[test]
fn the_recorded_twilio_create_is_reproduced_exactly() {
    let recorded = object("2026-04-16/voice_out_trunks.create_twilio.request.json");
    let sid = TwilioAccountSid::new("AC33333333333333333333333333333333").unwrap();
    let sent = VoiceOutTrunk::create(
        "SDK Test twilio create",
        OnCliMismatchAction::RejectCall,
        AuthenticationMethod::twilio(sid),
    )
    .to_sent()
    .unwrap();
    assert_eq!(sent.attributes, recorded.attributes);
}

/// The requests in `fixtures/founding`, built from types and sent to the API version that they were written
/// for.
#[test]
fn the_founding_requests_can_be_built_from_types() {
    let body = |name: &str, limit: u32, amount: &str| {
        VoiceOutTrunk::create(
            name,
            OnCliMismatchAction::SendOriginalCli,
            AuthenticationMethod::credentials_and_ip(networks()),
        )
        .capacity_limit(CapacityLimit::new(limit).unwrap())
        .threshold_amount(amount.parse::<ThresholdAmount>().unwrap())
        .default_dst_action(DefaultDstAction::AllowAll)
        .media_encryption_mode(MediaEncryptionMode::Disabled)
        .allowed_rtp_ips(networks())
    };
    let callback = CallbackUrl::new("http://example.com").unwrap();
    let bodies = [
        body("Outbound trunk 11", 100, "9999.0")
            .allow_any_did_as_cli(true)
            .status(VoiceOutTrunkStatus::Active)
            .dst_prefixes(prefixes(&["23"]))
            .force_symmetric_rtp(false)
            .rtp_ping(false),
        body("Outbound callback", 300, "1000.0")
            .allow_any_did_as_cli(true)
            .status(VoiceOutTrunkStatus::Blocked)
            .dst_prefixes(prefixes(&["23", "45"]))
            .force_symmetric_rtp(true)
            .callback_url(callback.clone())
            .rtp_ping(true),
        body("Outbound trunk 100", 300, "1000.0")
            .allow_any_did_as_cli(false)
            .status(VoiceOutTrunkStatus::Active)
            .dst_prefixes(prefixes(&[]))
            .force_symmetric_rtp(false)
            .callback_url(callback)
            .rtp_ping(false)
            .dids(["7a6c177d-a054-4c75-9b4c-b1596ed6fa25"]),
    ];
    for (name, body) in crate::fixtures::FOUNDING.iter().zip(bodies) {
        let mut expected = document(&format!("founding/{name}.request.json"))["data"].take();
        // The documents have addresses without a prefix length; the service and the types add it.
        for list in ["allowed_sip_ips", "allowed_rtp_ips"] {
            expected["attributes"][list] = json!(["192.168.1.1/32"]);
        }
        for version in OLD {
            let sent = body.to_sent().unwrap().at(VoiceOutTrunk::SPEC, version).unwrap();
            assert_eq!(Value::Object(sent.attributes), expected["attributes"], "{name}");
            let relationships = expected.get("relationships").cloned().unwrap_or_else(|| json!({}));
            assert_eq!(Value::Object(sent.relationships), relationships, "{name}");
        }
    }
}

#[test]
fn absent_null_and_a_value_are_sent_differently() {
    let unset = VoiceOutTrunk::patch();
    assert!(unset.is_empty());
    assert_eq!(members(unset.to_sent().unwrap()), json!({"attributes": {}, "relationships": {}}));

    let cleared = VoiceOutTrunk::patch()
        .clear_capacity_limit()
        .clear_threshold_amount()
        .clear_callback_url()
        .clear_external_reference_id()
        .clear_allowed_rtp_ips()
        .clear_rtp_timeout();
    assert!(!cleared.is_empty());
    assert_eq!(
        members(cleared.to_sent().unwrap())["attributes"],
        json!({"capacity_limit": null, "threshold_amount": null, "callback_url": null,
               "external_reference_id": null, "allowed_rtp_ips": null, "rtp_timeout": null})
    );

    let set = VoiceOutTrunk::patch()
        .capacity_limit(CapacityLimit::MIN)
        .external_reference_id(ExternalReference::new("crm-1").unwrap())
        .dst_prefixes(prefixes(&[]))
        .rtp_ping(false);
    assert_eq!(
        members(set.to_sent().unwrap())["attributes"],
        json!({"capacity_limit": 0, "external_reference_id": "crm-1", "dst_prefixes": [], "rtp_ping": false})
    );

    let mut patch = VoiceOutTrunk::patch();
    patch.capacity_limit = None.into();
    assert_eq!(patch.capacity_limit, Patch::Clear);
    // The last setter wins.
    let patch = patch.capacity_limit(CapacityLimit::MAX).clear_capacity_limit();
    assert_eq!(members(patch.to_sent().unwrap())["attributes"], json!({"capacity_limit": null}));
}

#[test]
fn an_empty_list_clears_a_to_many_relationship_and_null_a_to_one() {
    let none: [&str; 0] = [];
    let patch = VoiceOutTrunk::patch().dids(none).emergency_dids(["a", "b"]).clear_default_did();
    assert_eq!(
        members(patch.to_sent().unwrap()),
        json!({"attributes": {}, "relationships": {
            "dids": {"data": []},
            "emergency_dids": {"data": [{"type": "dids", "id": "a"}, {"type": "dids", "id": "b"}]},
            "default_did": {"data": null}
        }})
    );
    let patch = VoiceOutTrunk::patch().default_did("c");
    assert_eq!(
        members(patch.to_sent().unwrap())["relationships"],
        json!({"default_did": {"data": {"type": "dids", "id": "c"}}})
    );
}

#[test]
fn the_emergency_updates_are_what_the_official_programs_send() {
    let none: [&str; 0] = [];
    let ids = ["aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa", "bbbbbbbb-bbbb-bbbb-bbbb-bbbbbbbbbbbb"];
    for (name, patch) in [
        ("update_emergency_enable_all", VoiceOutTrunk::patch().emergency_enable_all(true)),
        ("update_emergency_dids", VoiceOutTrunk::patch().emergency_dids(ids)),
        ("update_emergency_dids_clear", VoiceOutTrunk::patch().emergency_dids(none)),
    ] {
        let expected = document(&format!("2026-04-16/voice_out_trunks.{name}.request.json"));
        let sent = patch.to_sent().unwrap();
        assert_eq!(Value::Object(sent.attributes), expected["data"]["attributes"], "{name}");
        let relationships = expected["data"].get("relationships").cloned().unwrap_or_else(|| json!({}));
        assert_eq!(Value::Object(sent.relationships), relationships, "{name}");
    }
    let expected = document("2026-04-16/dids.update_unassign_emergency.request.json");
    let sent = Did::patch().clear_emergency_calling_service().to_sent().unwrap();
    assert_eq!(Value::Object(sent.relationships), expected["data"]["relationships"]);
}

#[test]
fn a_rotation_names_its_trunk() {
    let name = "2021-12-15/voice_out_trunk_regenerate_credentials.create.request.json";
    let sent =
        VoiceOutTrunkRegenerateCredentials::create("5fc59e7e-79eb-498a-8779-800416b5c68a").to_sent().unwrap();
    for version in [ApiVersion::V2021_12_15, ApiVersion::V2026_04_16] {
        let sent = sent.clone().at(VoiceOutTrunkRegenerateCredentials::SPEC, version).unwrap();
        assert_eq!(Value::Object(sent.relationships), document(name)["data"]["relationships"]);
        assert!(sent.attributes.is_empty());
    }
}

#[test]
fn credentials_are_never_sent_back() {
    let before = trunk(CREDENTIALS);
    let mut after = before.clone();
    let AuthenticationMethod::CredentialsAndIp(method) = &mut after.authentication_method else {
        panic!("credentials");
    };
    method.tech_prefix = Some(TechPrefix::new("99").unwrap());
    let patch = after.changes_since(&before);
    assert_eq!(
        members(patch.to_sent().unwrap())["attributes"],
        json!({"authentication_method": {"type": "credentials_and_ip", "attributes": {
            "allowed_sip_ips": ["192.168.1.1/32"], "tech_prefix": "99"
        }}})
    );
    let copy =
        VoiceOutTrunk::create("Copy", OnCliMismatchAction::RejectCall, before.authentication_method.clone());
    let flat = copy.to_sent().unwrap().at(VoiceOutTrunk::SPEC, ApiVersion::V2021_12_15).unwrap();
    assert_eq!(
        Value::Object(flat.attributes),
        json!({"name": "Copy", "on_cli_mismatch_action": "reject_call", "allowed_sip_ips": ["192.168.1.1/32"]})
    );
}

#[test]
fn members_that_an_old_version_lacks_are_not_sent_to_it() {
    let refused = |sent: Sent, member: &str, reason: &str| {
        for version in OLD {
            let error = sent.clone().at(VoiceOutTrunk::SPEC, version).unwrap_err();
            assert_eq!(error.member, member);
            assert_eq!(
                error.to_string(),
                format!("`{member}` of voice_out_trunks cannot be sent with API version {version}: {reason}")
            );
        }
        assert_eq!(sent.clone().at(VoiceOutTrunk::SPEC, ApiVersion::V2026_04_16), Ok(sent));
    };
    let method = |method| VoiceOutTrunk::patch().authentication_method(method).to_sent().unwrap();
    refused(
        method(trunk(TWILIO).authentication_method),
        "authentication_method",
        "only `credentials_and_ip` exists before 2026-04-16",
    );
    let prefixed =
        AuthenticationMethod::credentials_and_ip(networks()).with_tech_prefix(TechPrefix::new("9#").unwrap());
    refused(method(prefixed), "authentication_method", "a tech prefix exists since 2026-04-16");
    let since = "it exists since 2026-04-16";
    let patch = VoiceOutTrunk::patch;
    refused(
        patch().external_reference_id(ExternalReference::new("x").unwrap()).to_sent().unwrap(),
        "external_reference_id",
        since,
    );
    refused(patch().clear_rtp_timeout().to_sent().unwrap(), "rtp_timeout", since);
    refused(patch().emergency_enable_all(true).to_sent().unwrap(), "emergency_enable_all", since);
    refused(patch().emergency_dids(["a"]).to_sent().unwrap(), "emergency_dids", since);
}

#[test]
fn trunks_are_not_sent_to_versions_without_them() {
    for version in [ApiVersion::V2017_09_18, ApiVersion::V2021_04_19] {
        let error = create().to_sent().unwrap().at(VoiceOutTrunk::SPEC, version).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "`data` of voice_out_trunks cannot be sent with API version {version}: the resource exists \
                 since 2021-12-15"
            )
        );
    }
    assert!(Did::patch().terminated(true).to_sent().unwrap().at(Did::SPEC, ApiVersion::V2017_09_18).is_ok());
}

#[test]
fn a_relationship_names_the_type_of_its_target_even_if_that_is_not_declared() {
    let pool = Id::<CapacityPool>::from("f288d07c-e2fc-4ae6-9837-b18fb469c324");
    let patch = Did::patch().capacity_pool(pool).voice_in_trunk("41b94706-325e-4704-a433-d65105758836");
    assert_eq!(
        Value::Object(patch.to_sent().unwrap().relationships),
        json!({
            "capacity_pool": { "data": { "type": "capacity_pools", "id": "f288d07c-e2fc-4ae6-9837-b18fb469c324" } },
            "voice_in_trunk": { "data": { "type": "voice_in_trunks", "id": "41b94706-325e-4704-a433-d65105758836" } },
        })
    );
}

#[test]
fn a_pool_can_only_be_sent_with_a_lower_total() {
    let sent = CapacityPool::patch().total_channels_count(4).to_sent().unwrap();
    assert_eq!(members(sent), json!({ "attributes": { "total_channels_count": 4 }, "relationships": {} }));
}
