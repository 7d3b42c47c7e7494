//! Recorded responses are decoded and encoded again to the same documents.

use didww_types::resources::{
    AddressRequirement, AreaLevel, AuthenticationMethod, Did, DidGroup, Export, ExportFilters, ExportStatus,
    ExportType, MandatoryField, OnCliMismatchAction, PublicKey, RequiredIdentityType, VoiceOutTrunk,
    VoiceOutTrunkRegenerateCredentials, VoiceOutTrunkStatus,
};
use didww_types::{
    AnyRecord, ApiVersion, Create as _, Document, Included, Named as _, Resource as _, ResourceObject,
};
use serde_json::{Value, json};

use crate::fixtures::{
    CREDENTIALS, FOUNDING, IP_ONLY, TWILIO, bytes, encoded_at, json as document, object, trunk,
};

const OLD: ApiVersion = ApiVersion::V2021_12_15;

fn again(object: ResourceObject, version: ApiVersion) -> Value {
    match object.kind.as_str() {
        VoiceOutTrunk::TYPE => encoded_at(&VoiceOutTrunk::decode_at(version, object).unwrap(), version),
        Did::TYPE => encoded_at(&Did::decode_at(version, object).unwrap(), version),
        VoiceOutTrunkRegenerateCredentials::TYPE => {
            encoded_at(&VoiceOutTrunkRegenerateCredentials::decode_at(version, object).unwrap(), version)
        }
        _ => encoded_any(version, object),
    }
}

/// A record of another type, decoded by its name.
fn encoded_any(version: ApiVersion, object: ResourceObject) -> Value {
    match AnyRecord::decode_at(version, object).unwrap() {
        AnyRecord::Address(record) => encoded_at(&*record, version),
        AnyRecord::AddressRequirement(record) => encoded_at(&*record, version),
        AnyRecord::AddressVerification(record) => encoded_at(&*record, version),
        AnyRecord::Balance(record) => encoded_at(&*record, version),
        AnyRecord::Country(record) => encoded_at(&*record, version),
        AnyRecord::EmergencyCallingService(record) => encoded_at(&*record, version),
        AnyRecord::EncryptedFile(record) => encoded_at(&*record, version),
        AnyRecord::Export(record) => encoded_at(&*record, version),
        AnyRecord::Identity(record) => encoded_at(&*record, version),
        AnyRecord::PublicKey(record) => encoded_at(&*record, version),
        AnyRecord::Region(record) => encoded_at(&*record, version),
        other => panic!("{} is not expected", other.kind()),
    }
}

fn assert_same(name: &str, version: ApiVersion) {
    let document = document(name);
    let data = match &document["data"] {
        Value::Array(records) => records.clone(),
        record => vec![record.clone()],
    };
    let included = document["included"].as_array().cloned().unwrap_or_default();
    for record in data.into_iter().chain(included) {
        let object: ResourceObject = serde_json::from_value(record.clone()).unwrap();
        assert_eq!(again(object, version), record, "{name} at {version}");
    }
}

#[test]
fn recorded_records_of_2021_round_trip_unchanged() {
    for name in [
        "2021-12-15/voice_out_trunks.list.response.json",
        "2021-12-15/voice_out_trunks.get_with_dids.response.json",
        "2021-12-15/voice_out_trunks.create.response.json",
        "2021-12-15/voice_out_trunks.update.response.json",
        "2021-12-15/voice_out_trunk_regenerate_credentials.create.response.json",
    ] {
        assert_same(name, OLD);
        assert_same(name, ApiVersion::V2022_05_10);
    }
}

#[test]
fn exports_of_2019_round_trip_unchanged_and_are_those_of_inbound_calls() {
    let version = ApiVersion::V2017_09_18;
    for name in ["2017-09-18/cdr_exports.create.response.json", "2017-09-18/cdr_exports.list.response.json"] {
        assert_same(name, version);
    }
    let export = Export::decode_at(version, object("2017-09-18/cdr_exports.create.response.json")).unwrap();
    assert_eq!((export.export_type, export.status), (ExportType::CdrIn, ExportStatus::Pending));
    assert_eq!(export.filters.get("month"), Some(&json!("01")));
    let filters = ExportFilters::month(2019, 1).with("did_number", "1234556789");
    let sent =
        |kind: ExportType| Export::create(kind, filters.clone()).to_sent().unwrap().at(Export::SPEC, version);
    let mut recorded = document("2017-09-18/cdr_exports.create.request.json")["data"]["attributes"].clone();
    recorded["filters"]["month"] = json!("1");
    assert_eq!(Value::Object(sent(ExportType::CdrIn).unwrap().attributes), recorded);
    let refused = sent(ExportType::CdrOut).unwrap_err();
    assert_eq!(refused.member, "export_type", "{refused}");
}

#[test]
fn an_export_is_shown_with_its_filters_up_to_2021_04_19_and_from_2026_04_16_on() {
    let filters = Export::SPEC.attribute("filters").unwrap();
    for version in ApiVersion::ALL {
        let is_hidden = matches!(version, ApiVersion::V2021_12_15 | ApiVersion::V2022_05_10);
        assert_eq!(filters.is_shown_in(version), !is_hidden, "{version}");
        let path = Export::SPEC.path_at(version);
        let is_former = version <= ApiVersion::V2021_04_19;
        let expected = if is_former { ("cdr_exports", ".csv") } else { ("exports", ".csv.gz") };
        assert_eq!((path, Export::SPEC.downloads_below(path).unwrap()), expected, "{version}");
    }
}

#[test]
fn the_founding_responses_round_trip_unchanged() {
    for name in FOUNDING {
        assert_same(&format!("founding/{name}.response.json"), OLD);
    }
}

#[test]
fn records_of_2026_round_trip_unchanged() {
    for name in [CREDENTIALS, TWILIO, IP_ONLY, "2026-04-16/dids.update_unassign_emergency.response.json"] {
        assert_same(name, ApiVersion::V2026_04_16);
    }
}

#[test]
fn reference_data_round_trips_unchanged() {
    for name in
        ["2026-04-16/countries.get_with_regions.response.json", "2026-04-16/balances.get.response.json"]
    {
        assert_same(name, ApiVersion::V2026_04_16);
        assert_same(name, ApiVersion::NEWEST);
    }
}

#[test]
fn identities_addresses_and_keys_round_trip_unchanged() {
    assert_same("2026-04-16/identities.get.response.json", ApiVersion::V2026_04_16);
    assert_same("2026-04-16/encrypted_files.create.response.json", ApiVersion::V2026_04_16);
    assert_same("2026-04-16/public_keys.list.response.json", ApiVersion::V2026_04_16);
    assert_same("2022-05-10/address_verifications.get.response.json", ApiVersion::V2022_05_10);
    assert_same("2026-04-16/emergency_calling_services.get.response.json", ApiVersion::V2026_04_16);
    for name in ["identities", "addresses"] {
        let name = format!("2021-04-19/{name}.get.response.json");
        assert_same(&name, ApiVersion::V2021_04_19);
        assert_same(&name, ApiVersion::V2022_05_10);
    }
}

#[test]
fn the_members_of_an_identity_and_an_address_are_in_the_order_of_the_fixtures() {
    for (name, version) in [
        ("2026-04-16/identities.get.response.json", ApiVersion::V2026_04_16),
        ("2021-04-19/identities.get.response.json", ApiVersion::V2021_04_19),
        ("2021-04-19/addresses.get.response.json", ApiVersion::V2021_04_19),
        ("2026-04-16/public_keys.list.response.json", ApiVersion::V2026_04_16),
    ] {
        let text = String::from_utf8(bytes(name)).unwrap();
        let kind = name.split(['/', '.']).nth(1).unwrap();
        let spec = didww_types::find(kind).unwrap();
        let attributes = spec.attributes_at(version).into_iter().map(|attribute| attribute.name);
        let relationships = spec.relationships_at(version).map(|relationship| relationship.name);
        let mut last = 0;
        for member in attributes.chain(relationships) {
            let at =
                text[last..].find(&format!("\"{member}\":")).unwrap_or_else(|| panic!("{name}: {member}"));
            last += at;
        }
    }
}

#[test]
fn the_fingerprint_of_the_published_keys_is_the_published_one() {
    let document = document("2026-04-16/public_keys.list.response.json");
    let key = |record: &Value| PublicKey::decode(serde_json::from_value(record.clone()).unwrap()).unwrap();
    let mut keys: Vec<PublicKey> = document["data"].as_array().unwrap().iter().map(key).collect();
    let expected = "ca5af2d14bee923a0a0d1687b7c77e7211a57f84:::683150ee69b4d906aa883d0ac12b0fdd79f95bcf";
    assert_eq!(PublicKey::encryption_fingerprint(&keys).as_deref(), Some(expected));
    // Some programs keep the keys without the lines of PEM.
    for key in &mut keys {
        key.key = key.key.lines().filter(|line| !line.starts_with('-')).collect();
    }
    assert_eq!(PublicKey::encryption_fingerprint(&keys).as_deref(), Some(expected));
    keys.reverse();
    assert_ne!(PublicKey::encryption_fingerprint(&keys).as_deref(), Some(expected), "the order matters");
    assert_eq!(PublicKey::encryption_fingerprint(&keys[..1]), None);
}

#[test]
fn a_requirement_of_2022_is_converted_to_the_present_name_and_words() {
    let document = document("2022-05-10/requirements.get.response.json");
    let object: ResourceObject = serde_json::from_value(document["data"].clone()).unwrap();
    let requirement = AddressRequirement::decode_at(ApiVersion::V2022_05_10, object).unwrap();
    assert_eq!(requirement.identity_type, RequiredIdentityType::Any);
    assert_eq!(requirement.address_area_level, AreaLevel::City);
    assert_eq!(requirement.personal_area_level, Some(AreaLevel::WorldWide));
    assert_eq!(requirement.personal_mandatory_fields.unwrap().as_slice(), [MandatoryField::Country]);
    assert!(requirement.number_type.is_none());
    assert_same("2022-05-10/requirements.get.response.json", ApiVersion::V2022_05_10);
}

#[test]
fn a_recorded_did_group_round_trips_with_what_the_recording_lacks() {
    let name = "2026-04-16/did_groups.list.response.json";
    let recorded = document(name)["data"][0].clone();
    let object: ResourceObject = serde_json::from_value(recorded.clone()).unwrap();
    let group = DidGroup::decode_at(ApiVersion::V2026_04_16, object).unwrap();
    let mut written = encoded_at(&group, ApiVersion::V2026_04_16);
    assert_eq!(
        written["attributes"].as_object_mut().unwrap().remove("service_restrictions"),
        Some(Value::Null)
    );
    assert_eq!(written, recorded);
}

#[test]
fn the_further_prefix_of_an_older_group_is_kept() {
    let version = ApiVersion::V2021_12_15;
    let attributes = json!({"prefix": "241", "local_prefix": "0", "features": ["voice_in"], "is_metered": false,
        "area_name": "Aachen", "allow_additional_channels": true});
    let object = json!({"id": "1", "type": "did_groups", "attributes": attributes});
    let group = DidGroup::decode_at(version, serde_json::from_value(object).unwrap()).unwrap();
    assert_eq!(group.extra["local_prefix"], json!("0"));
    assert_eq!(encoded_at(&group, version)["attributes"], attributes);
}

#[test]
fn a_number_of_2018_is_converted_from_the_attribute_that_later_versions_lack() {
    let name = "2017-09-18/dids.update.response.json";
    let did = Did::decode_at(ApiVersion::V2017_09_18, object(name)).unwrap();
    assert_eq!((did.billing_cycles_count, did.extra.is_empty()), (None, true), "pending_removal was false");
    let written = encoded_at(&did, ApiVersion::V2017_09_18);
    assert_eq!(written["attributes"], document(name)["data"]["attributes"]);
}

#[test]
fn a_flat_trunk_is_converted_to_the_canonical_form() {
    let trunk =
        VoiceOutTrunk::decode_at(OLD, object("2021-12-15/voice_out_trunks.create.response.json")).unwrap();
    assert_eq!(trunk.id.as_str(), "b60201c1-21f0-4d9a-aafa-0e6d1e12f22e");
    assert_eq!(trunk.on_cli_mismatch_action, OnCliMismatchAction::ReplaceCli);
    let (username, password) = trunk.credentials().unwrap();
    assert_eq!((username, password.expose()), ("qkut5v4xwm", "np34mftrrq"));
    assert_eq!(trunk.authentication_method.kind(), "credentials_and_ip");
    assert_eq!(trunk.authentication_method.allowed_sip_ips().unwrap().texts(), ["0.0.0.0/0"]);
    assert_eq!(trunk.threshold_amount, None);
    assert_eq!(trunk.meta.spent_amount.to_string(), "0.0");
    assert!(trunk.is_active() && trunk.extra.is_empty());
    // Of members that the old version lacks, nothing is known.
    assert_eq!((trunk.rtp_timeout, trunk.emergency_enable_all), (None, None));
}

#[test]
fn both_old_versions_decode_a_flat_trunk_alike_and_the_newest_refuses_it() {
    let flat = || object("2021-12-15/voice_out_trunks.create.response.json");
    let one = VoiceOutTrunk::decode_at(OLD, flat()).unwrap();
    assert_eq!(VoiceOutTrunk::decode_at(ApiVersion::V2022_05_10, flat()).unwrap(), one);
    let error = VoiceOutTrunk::decode_at(ApiVersion::V2026_04_16, flat()).unwrap_err();
    assert_eq!(error.path(), "attributes.authentication_method");
}

#[test]
fn each_type_of_authentication_method_is_decoded() {
    let credentials = trunk(CREDENTIALS);
    assert!(matches!(credentials.authentication_method, AuthenticationMethod::CredentialsAndIp(_)));
    assert_eq!(credentials.credentials().unwrap().0, "7mfVbgdurFkORaf2");
    let AuthenticationMethod::Twilio(twilio) = trunk(TWILIO).authentication_method else { panic!("twilio") };
    assert_eq!(twilio.twilio_account_sid.as_str(), "AC33333333333333333333333333333333");
    let ip_only = trunk(IP_ONLY);
    assert!(matches!(ip_only.authentication_method, AuthenticationMethod::IpOnly(_)));
    assert_eq!(ip_only.credentials(), None);
}

#[test]
fn authentication_types_that_old_versions_lack_are_encoded_as_addresses_alone() {
    let ip_only = encoded_at(&trunk(IP_ONLY), OLD);
    assert_eq!(ip_only["attributes"]["allowed_sip_ips"], json!(["203.0.113.1/32"]));
    let twilio = encoded_at(&trunk(TWILIO), OLD);
    assert_eq!(twilio["attributes"]["allowed_sip_ips"], json!([]));
    for record in [ip_only, twilio] {
        assert!(record["attributes"].get("authentication_method").is_none());
        assert!(record["attributes"].get("password").is_none());
    }
}

#[test]
fn request_bodies_of_old_versions_are_converted_to_the_canonical_form_and_back() {
    let names = FOUNDING.iter().map(|name| format!("founding/{name}.request.json"));
    for name in names.chain(["2021-12-15/voice_out_trunks.create.request.json".to_owned()]) {
        let body = object(&name);
        for version in [OLD, ApiVersion::V2022_05_10] {
            let mut attributes = body.attributes.clone();
            VoiceOutTrunk::SPEC.to_canonical(version, &mut attributes);
            assert_eq!(attributes["authentication_method"]["type"], "credentials_and_ip", "{name}");
            assert!(!attributes.contains_key("allowed_sip_ips"));
            VoiceOutTrunk::SPEC.from_canonical(version, &mut attributes);
            assert_eq!(attributes, body.attributes, "{name}");
        }
        let mut attributes = body.attributes.clone();
        VoiceOutTrunk::SPEC.to_canonical(ApiVersion::NEWEST, &mut attributes);
        VoiceOutTrunk::SPEC.from_canonical(ApiVersion::NEWEST, &mut attributes);
        assert_eq!(attributes, body.attributes, "the newest version needs no adapter");
    }
}

#[test]
fn a_body_without_addresses_needs_no_conversion() {
    let body = object("2021-12-15/voice_out_trunks.update.request.json");
    let mut attributes = body.attributes.clone();
    VoiceOutTrunk::SPEC.to_canonical(OLD, &mut attributes);
    assert_eq!(attributes, body.attributes);
}

#[test]
fn linkage_is_known_only_when_it_was_included() {
    let name = "2021-12-15/voice_out_trunks.get_with_dids.response.json";
    let document: Document<ResourceObject> = Document::parse(&bytes(name)).unwrap();
    assert_eq!(document.version(), Some(OLD));
    let trunk = VoiceOutTrunk::decode_at(OLD, document.data).unwrap();
    assert_eq!(trunk.status, VoiceOutTrunkStatus::Blocked);
    let ids = trunk.dids.ids().unwrap();
    assert_eq!(
        ids.iter().map(didww_types::Id::as_str).collect::<Vec<_>>(),
        ["eeda315a-f016-4945-a3a9-bafc24302cdd", "7de7f718-4042-4d74-9fe9-863fa1777520"]
    );
    assert_eq!(trunk.emergency_dids.ids(), None);

    let included = Included::new(OLD, document.included);
    let numbers: Vec<String> =
        trunk.dids.included(&included).unwrap().into_iter().map(|did| did.number).collect();
    assert_eq!(numbers, ["46812111133", "37061498222"]);
    assert_eq!(trunk.default_did.included(&included).unwrap().unwrap().number, "37061498222");

    let plain = VoiceOutTrunk::decode_at(OLD, object("founding/create_with_dids.response.json")).unwrap();
    assert_eq!(plain.dids.ids(), None);
    assert!(plain.dids.links().unwrap().related.as_deref().unwrap().ends_with("/dids"));
    assert!(!plain.default_did.is_loaded());
}

#[test]
fn empty_linkage_differs_from_absent_linkage() {
    let did = Did::decode(object("2026-04-16/dids.update_unassign_emergency.response.json")).unwrap();
    assert!(did.emergency_calling_service.is_loaded());
    assert_eq!(did.emergency_calling_service.id(), None);
    assert!(!did.did_group.is_loaded());
}

#[test]
fn the_meta_and_links_of_a_list_are_decoded() {
    let body = bytes("2021-12-15/voice_out_trunks.list.response.json");
    let list: Document<Vec<ResourceObject>> = Document::parse(&body).unwrap();
    assert_eq!(list.data.len(), 2);
    assert_eq!(list.meta.total_records, Some(2));
    assert_eq!(list.links.first, list.links.last);
    assert_eq!((list.links.prev, list.links.next), (None, None));
}
