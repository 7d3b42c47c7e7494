//! The included records of a document as typed values.

use didww_types::resources::{CapacityPool, Did, DidFeature};
use didww_types::{AnyRecord, ApiVersion, Document, Included, Resource as _, ResourceObject};
use serde_json::json;

use crate::fixtures::{bytes, object};

const DID: &str = "2026-04-16/dids.update_unassign_emergency.response.json";

fn included() -> Included {
    let undeclared = json!({"id": "9", "type": "galaxies", "attributes": {"name": "M 31"}});
    let records = vec![
        object("2026-04-16/capacity_pools.get.response.json"),
        serde_json::from_value(undeclared).unwrap(),
        object(DID),
    ];
    Included::new(ApiVersion::V2026_04_16, records)
}

#[test]
fn records_of_declared_types_are_typed_and_the_others_are_kept() {
    let included = included();
    let records = included.records().unwrap();
    let kinds: Vec<&str> = records.iter().map(AnyRecord::kind).collect();
    assert_eq!(kinds, ["capacity_pools", "galaxies", "dids"], "in the order of the document");
    let (AnyRecord::CapacityPool(pool), AnyRecord::Undeclared(galaxy), AnyRecord::Did(did)) =
        (&records[0], &records[1], &records[2])
    else {
        panic!("{records:?}")
    };
    assert_eq!(**pool, CapacityPool::decode(object("2026-04-16/capacity_pools.get.response.json")).unwrap());
    assert_eq!(**did, Did::decode(object(DID)).unwrap());
    assert_eq!((galaxy.id.as_str(), &galaxy.attributes["name"]), ("9", &json!("M 31")));
    assert_eq!(records[1].id(), "9");
}

#[test]
fn records_are_found_by_their_type_and_id() {
    let included = included();
    let did = Did::decode(object(DID)).unwrap();
    assert_eq!(included.all::<Did>().unwrap(), std::slice::from_ref(&did));
    assert_eq!(included.get(&did.id).unwrap(), Some(did));
    assert_eq!(included.get::<Did>(&"1".into()).unwrap(), None);
    assert_eq!((included.len(), included.objects().len()), (3, 3));
}

#[test]
fn records_of_an_older_version_are_converted() {
    let document: Document<ResourceObject> =
        Document::parse(&bytes("2021-12-15/voice_out_trunks.get_with_dids.response.json")).unwrap();
    let trunk = document.data.clone();
    let included = Included::new(ApiVersion::V2021_12_15, vec![trunk.clone()]);
    let AnyRecord::VoiceOutTrunk(record) = &included.records().unwrap()[0] else { panic!("a trunk") };
    assert_eq!(record.id.as_str(), trunk.id);
    assert!(record.credentials().is_some());
}

#[test]
fn the_group_of_a_recorded_did_is_typed() {
    let name = "2022-05-10/dids.get_with_did_group.response.json";
    let document: Document<ResourceObject> = Document::parse(&bytes(name)).unwrap();
    let version = ApiVersion::V2022_05_10;
    let did = Did::decode_at(version, document.data).unwrap();
    let included = Included::new(version, document.included);
    let group = did.did_group.included(&included).unwrap().unwrap();
    assert_eq!(group.area_name, "Mobile");
    assert!(group.features.as_slice().contains(&DidFeature::VoiceOut));
    assert_eq!(group.features.as_slice()[3].as_str(), "sms_out", "a feature of older versions");
    assert_eq!((group.meta.total_count, group.meta.needs_registration), (500, true));
    assert_eq!((group.number_type, group.is_demo), (None, None), "the version does not state them");
    let kinds: Vec<String> =
        included.records().unwrap().iter().map(|record| record.kind().to_owned()).collect();
    assert_eq!(kinds, ["did_groups", "address_verifications"]);
}

#[test]
fn the_error_of_a_malformed_record_names_it() {
    let mut broken = object(DID);
    broken.attributes.insert("created_at".to_owned(), json!("yesterday"));
    let path = format!("included[{}].attributes.created_at", broken.id);
    let included = Included::new(ApiVersion::V2026_04_16, vec![broken]);
    assert_eq!(included.records().unwrap_err().path(), path);
    assert_eq!(included.all::<Did>().unwrap_err().path(), path);
    assert!(included.all::<CapacityPool>().unwrap().is_empty());
}
