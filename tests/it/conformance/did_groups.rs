//! DID groups: the features of numbers, and finding DIDs by them.

use didww_types::resources::DidFeature;
use didww_types::{ApiVersion, Included};
use serde_json::{Value, json};
use trunk_server::control::{ControlError, NewAccount, NewDid, RecordMembers};
use uuid::Uuid;

use crate::support::api::Answer;
use crate::support::engine;
use crate::support::world::*;

const GROUPS: &str = "/did_groups";

/// A server whose account is at the oldest version, so that a request can select any.
async fn oldest() -> World {
    World::of(engine::builder().version(ApiVersion::V2017_09_18)).await
}

/// Stores a group with these features.
async fn group(world: &World, area: &str, features: &[&str]) -> Uuid {
    let members =
        RecordMembers::default().attribute("area_name", area).attribute("features", json!(features));
    world.server.control().put_record(None, "did_groups", None, members).await.unwrap()
}

/// Adds a DID. Returns its id.
async fn add(world: &World, did: NewDid) -> String {
    world.server.control().add_did(world.server.account(), did).await.unwrap().to_string()
}

/// The values of an attribute of the listed records.
fn values(answer: &Answer, attribute: &str) -> Vec<Value> {
    assert_eq!(answer.status, 200, "{}", answer.text);
    let data = answer.at("/data");
    data.as_array().unwrap().iter().map(|record| record["attributes"][attribute].clone()).collect()
}

async fn listed(world: &World, version: ApiVersion, path: &str, attribute: &str) -> Vec<Value> {
    values(&world.api.at(Some(version.as_str())).get(path).await, attribute)
}

fn names(object: &Value) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

#[tokio::test]
async fn dids_are_found_by_the_form_that_the_services_sample_program_sends() {
    let world = oldest().await;
    add(&world, NewDid::new("37061498222")).await;
    add(&world, NewDid::new("12025550143").features([DidFeature::VoiceIn, DidFeature::SmsIn])).await;
    let group = group(&world, "London", &["t38", "voice_out"]).await;
    add(&world, NewDid::new("442079460018").did_group(group)).await;
    for version in ApiVersion::ALL {
        let of = async |query: &str| {
            listed(&world, version, &format!("{DIDS}?sort=number&{query}"), "number").await
        };
        assert_eq!(of(&format!("filter[did_group.id]={group}")).await, ["442079460018"], "{version}");
        if version < ApiVersion::V2021_12_15 {
            let api = world.api.at(Some(version.as_str()));
            let answer = api.get(&format!("{DIDS}?filter[did_group.features]=voice_out")).await;
            let detail = "features is not allowed.";
            refused(&answer, &[error(400, "102", "Filter not allowed", detail)]);
            continue;
        }
        assert_eq!(
            of("filter[did_group.features]=voice_out").await,
            ["37061498222", "442079460018"],
            "{version}"
        );
        assert_eq!(of("filter[did_group.features]=sms_in").await, ["12025550143"], "{version}");
        assert_eq!(of("filter[did_group.features]=cnam_out").await, [""; 0], "{version}");
        let api = world.api.at(Some(version.as_str()));
        let answer = api.get(&format!("{DIDS}?filter[did_group.features]=fax")).await;
        let detail = "fax is not a valid value for did_group.features.";
        refused(&answer, &[error(400, "107", "Invalid filter value", detail)]);
    }
}

#[tokio::test]
async fn a_feature_that_ended_with_2022_05_10_is_found_in_no_group_and_refused_later() {
    let world = oldest().await;
    add(&world, NewDid::new("37061498222")).await;
    for version in [ApiVersion::V2022_05_10, ApiVersion::V2026_04_16, ApiVersion::NEWEST] {
        let api = world.api.at(Some(version.as_str()));
        for (path, name) in [
            (GROUPS, "features"),
            (DIDS, "did_group.features"),
            ("/available_dids", "did_group.features"),
            ("/nanpa_prefixes", "did_group.features"),
        ] {
            let found = api.get(&format!("{path}?filter[{name}]=sms_out")).await;
            if version == ApiVersion::V2022_05_10 {
                assert_eq!((found.status, found.at("/data")), (200, json!([])), "{path} {}", found.text);
                continue;
            }
            let detail = format!("sms_out is not a valid value for {name}.");
            refused(&found, &[error(400, "107", "Invalid filter value", &detail)]);
        }
    }
    let several = format!("{DIDS}?filter[did_group.features]=sms_out,voice_in");
    assert_eq!(listed(&world, ApiVersion::V2022_05_10, &several, "number").await, ["37061498222"]);
}

#[tokio::test]
async fn of_several_features_one_is_enough_before_2026_04_16_and_then_all_are_needed() {
    let world = oldest().await;
    add(&world, NewDid::new("37061498222")).await;
    add(&world, NewDid::new("12025550143").features([DidFeature::VoiceOut, DidFeature::SmsIn])).await;
    let with_filter = |version: &ApiVersion| *version >= ApiVersion::V2021_12_15;
    for version in ApiVersion::ALL.into_iter().filter(with_filter) {
        let both = "features]=sms_in,voice_out";
        let dids =
            listed(&world, version, &format!("{DIDS}?sort=number&filter[did_group.{both}"), "number").await;
        let groups = listed(&world, version, &format!("{GROUPS}?filter[{both}"), "features").await;
        let expected = if version < ApiVersion::V2026_04_16 { 2 } else { 1 };
        assert_eq!((dids.len(), groups.len()), (expected, expected), "{version}");
        assert_eq!(dids[0], "12025550143");
    }
}

#[tokio::test]
async fn the_group_of_features_is_a_record_that_dids_and_accounts_share() {
    let world = World::start().await;
    let one = add(&world, NewDid::new("37061498222")).await;
    let two = add(&world, NewDid::new("12025550143")).await;
    let group = world.api.get(&format!("{DIDS}/{one}/relationships/did_group")).await.at("/data/id");
    let path = format!("{DIDS}/{two}?include=did_group");
    let included = world.api.get(&path).await;
    assert_eq!(
        included.at("/data/relationships/did_group/data"),
        identifier("did_groups", group.as_str().unwrap())
    );
    assert_eq!(included.at("/included/0/id"), group);
    assert_eq!(included.at("/included/0/attributes/features"), json!(["voice_in", "voice_out"]));
    let alone = world.api.get(&format!("{GROUPS}/{}", group.as_str().unwrap())).await;
    assert_eq!(alone.at("/data"), included.at("/included/0"), "with its meta, as recorded");

    let (account, key) = world.server.control().create_account(NewAccount::named("other")).await.unwrap();
    let did = NewDid::new("442079460018").emergency();
    world.server.control().add_did(account.id, did).await.unwrap();
    let other = world.api.with_key(Some(key.expose()));
    for api in [&world.api, &other] {
        assert_eq!(values(&api.get(GROUPS).await, "area_name"), ["National", "National"]);
        assert_eq!(api.get(&format!("{GROUPS}/{}", group.as_str().unwrap())).await.status, 200);
    }
    assert_eq!(
        values(&other.get(&format!("{DIDS}?filter[did_group.features]=emergency")).await, "number"),
        ["442079460018"]
    );
}

#[tokio::test]
async fn a_group_is_shown_as_recorded_in_each_version() {
    let world = oldest().await;
    let members = RecordMembers::default()
        .attribute("area_name", "Inman")
        .attribute("prefix", "864")
        .attribute("features", json!(["voice_in", "sms_in", "t38"]))
        .attribute("allow_additional_channels", true)
        .meta("is_available", true)
        .meta("total_count", 1);
    let id = world.server.control().put_record(None, "did_groups", None, members).await.unwrap();
    let recorded: Value =
        serde_json::from_str(include_str!("../../../fixtures/2026-04-16/did_groups.list.response.json"))
            .unwrap();
    let old: Value = serde_json::from_str(include_str!(
        "../../../fixtures/2022-05-10/dids.get_with_did_group.response.json"
    ))
    .unwrap();
    let show = async |version: &str| world.api.at(Some(version)).get(&format!("{GROUPS}/{id}")).await;
    let at_2026 = show("2026-04-16").await;
    let expected = r#""attributes":{"prefix":"864","features":["voice_in","sms_in","t38"],"is_metered":false,"area_name":"Inman","allow_additional_channels":true,"service_restrictions":null},"relationships":{"country":"#;
    assert!(at_2026.text.contains(expected), "{}", at_2026.text);
    for (name, value) in recorded["data"][0]["attributes"].as_object().unwrap() {
        assert_eq!(at_2026.at(&format!("/data/attributes/{name}")), *value, "{name}");
    }
    assert_eq!(at_2026.at("/data/meta"), recorded["data"][0]["meta"]);
    assert_eq!(names(&at_2026.at("/data/relationships")), names(&recorded["data"][0]["relationships"]));
    let at_2022 = show("2022-05-10").await;
    for part in ["attributes", "relationships", "meta"] {
        assert_eq!(names(&at_2022.at(&format!("/data/{part}"))), names(&old["included"][0][part]), "{part}");
    }
    let at_2021 = show("2021-12-15").await;
    assert_eq!(at_2021.at("/data/attributes/local_prefix"), "");
    assert!(at_2021.at("/data/relationships/requirement/links/related").is_string(), "{}", at_2021.text);
    let oldest = show("2017-09-18").await;
    assert_eq!(oldest.at("/data/relationships/requirement"), Value::Null);
    let newest = show("2026-11-19").await;
    assert_eq!(newest.at("/data/attributes/number_type"), "local");
    assert_eq!(newest.at("/data/attributes/is_demo"), false);
    assert_eq!(newest.at("/data/relationships/did_group_type"), Value::Null);
}

#[tokio::test]
async fn n70_the_type_of_a_group_is_a_relationship_until_2026_04_16() {
    let world = oldest().await;
    let trunk = world.trunk("A").await;
    let did = world.did("37061498222").await;
    for version in ApiVersion::ALL {
        let api = world.api.at(Some(version.as_str()));
        let mut paths = vec![(format!("{DIDS}/{did}"), "did_group.did_group_type".to_owned())];
        if version >= ApiVersion::V2021_12_15 {
            paths.push((format!("{TRUNKS}/{trunk}"), "dids.did_group.did_group_type".to_owned()));
        }
        for (path, include) in paths {
            let answer = api.get(&format!("{path}?include={include}")).await;
            if version > ApiVersion::V2026_04_16 {
                let detail = "did_group_type is not a valid relationship of did_groups";
                refused(&answer, &[error(400, "112", "Invalid field", detail)]);
            } else {
                assert_eq!(answer.status, 200, "{version} {}", answer.text);
            }
        }
        let fields = api.get(&format!("{GROUPS}?fields[did_groups]=did_group_type")).await;
        let is_newest = version == ApiVersion::V2026_11_19;
        assert_eq!(fields.status, if is_newest { 400 } else { 200 }, "{version} {}", fields.text);
    }
}

#[tokio::test]
async fn the_requirement_of_a_group_is_included_by_the_name_of_the_version() {
    let world = oldest().await;
    let did = world.did("37061498222").await;
    for (version, name, former) in [
        ("2017-09-18", "", "requirement"),
        ("2021-12-15", "requirement", "address_requirement"),
        ("2022-05-10", "requirement", "address_requirement"),
        ("2026-04-16", "address_requirement", "requirement"),
        ("2026-11-19", "address_requirement", "requirement"),
    ] {
        let api = world.api.at(Some(version));
        if !name.is_empty() {
            let answer = api.get(&format!("{DIDS}/{did}?include=did_group.{name}")).await;
            assert_eq!(answer.status, 200, "{version} {}", answer.text);
            let linkage = answer.at(&format!("/included/0/relationships/{name}"));
            assert_eq!(linkage["data"], Value::Null, "nothing is there");
            assert_eq!(names(&linkage), ["data", "links"], "{version}");
        }
        let answer = api.get(&format!("{DIDS}/{did}?include=did_group.{former}")).await;
        let detail = format!("{former} is not a valid relationship of did_groups");
        refused(&answer, &[error(400, "112", "Invalid field", &detail)]);
    }
}

#[tokio::test]
async fn n86_groups_are_filtered_by_their_number_type() {
    let world = World::start().await;
    for kind in ["local", "mobile", "toll_free"] {
        let members = RecordMembers::default().attribute("area_name", kind).attribute("number_type", kind);
        world.server.control().put_record(None, "did_groups", None, members).await.unwrap();
    }
    let (newest, older) = (world.api.at(Some("2026-11-19")), world.api.at(Some("2026-04-16")));
    let path = format!("{GROUPS}?filter[number_type]=local,mobile");
    assert_eq!(values(&newest.get(&path).await, "area_name"), ["local", "mobile"]);
    let refusal = older.get(&path).await;
    refused(&refusal, &[error(400, "102", "Filter not allowed", "number_type is not allowed.")]);
    let by_type = format!("{GROUPS}?filter[did_group_type.id]={UNKNOWN}");
    assert_eq!(older.get(&by_type).await.at("/data"), json!([]));
    refused(&newest.get(&by_type).await, &[error(400, "102", "Filter not allowed", "id is not allowed.")]);
}

#[tokio::test]
async fn groups_are_filtered_by_their_stock() {
    let world = World::start().await;
    for (area, stock) in [("none", 0), ("few", 5), ("many", 500)] {
        let mut members = RecordMembers::default().attribute("area_name", area);
        if stock > 0 {
            members = members
                .meta("is_available", true)
                .meta("total_count", stock)
                .meta("needs_registration", stock > 9);
        }
        world.server.control().put_record(None, "did_groups", None, members).await.unwrap();
    }
    for (query, areas) in [
        ("filter[is_available]=true", vec!["few", "many"]),
        ("filter[is_available]=false", vec!["none"]),
        ("filter[available_dids_enabled]=true", vec![]),
        ("filter[needs_registration]=false", vec!["none", "few"]),
        ("filter[meta.total_count_gteq]=5", vec!["few", "many"]),
        ("filter[meta.total_count_gteq]=6&filter[is_available]=true", vec!["many"]),
        ("filter[meta.total_count_gteq]=0", vec!["none", "few", "many"]),
        ("filter[area_name]=few,none&filter[is_available]=true", vec!["few"]),
    ] {
        let answer = world.api.get(&format!("{GROUPS}?{query}")).await;
        assert_eq!(values(&answer, "area_name"), areas, "{query}");
        assert_eq!(answer.at("/meta/total_records"), areas.len(), "{query}");
    }
}

#[tokio::test]
async fn a_did_is_not_added_with_a_group_or_a_feature_that_does_not_exist() {
    let world = World::start().await;
    let refusal = async |did: NewDid| {
        let added = world.server.control().add_did(world.server.account(), did).await;
        let ControlError::Invalid { field, message } = added.unwrap_err() else { panic!("an invalid value") };
        format!("{field} {message}")
    };
    let unknown: Uuid = UNKNOWN.parse().unwrap();
    assert_eq!(
        refusal(NewDid::new("37061498222").did_group(unknown)).await,
        format!("did_group refers to {UNKNOWN}, which is not one of its did_groups")
    );
    let fax = refusal(NewDid::new("37061498222").features([DidFeature::from("fax")])).await;
    assert!(fax.starts_with("features `fax` is not one of voice_in"), "{fax}");
    let london = group(&world, "London", &[]).await;
    let both = NewDid::new("37061498222").did_group(london).features([DidFeature::VoiceIn]);
    assert_eq!(refusal(both).await, "features are those of the `did_group`: name one of the two");
    assert_eq!(world.api.get(DIDS).await.at("/meta/total_records"), 0);

    let did = add(&world, NewDid::new("37061498222")).await;
    let kept = world.api.get(&format!("{DIDS}/{did}/relationships/did_group")).await.at("/data/id");
    let kept: Uuid = kept.as_str().unwrap().parse().unwrap();
    let changed = RecordMembers::default().attribute("features", json!(["voice_in"]));
    world.server.control().put_record(None, "did_groups", Some(kept), changed).await.unwrap();
    assert_eq!(
        refusal(NewDid::new("12025550143")).await,
        format!("features were changed in their group, {kept}: name a `did_group`")
    );
}

#[tokio::test]
async fn the_meta_of_a_group_has_its_declared_members_alone() {
    let world = World::start().await;
    let put = async |name: &str, value: Value| {
        let members = RecordMembers::default().attribute("area_name", "A").meta(name, value);
        world
            .server
            .control()
            .put_record(None, "did_groups", None, members)
            .await
            .map_err(|error| error.to_string())
    };
    assert_eq!(put("stock", json!(1)).await.unwrap_err(), "`meta` of did_groups has no member `stock`");
    assert_eq!(
        put("is_available", json!(1)).await.unwrap_err(),
        "`meta` has `is_available`, which must be true or false"
    );
    for wrong in [json!(-1), json!("1"), json!(1.5), json!(null)] {
        let refusal = put("total_count", wrong).await.unwrap_err();
        assert_eq!(refusal, "`meta` has `total_count`, which must be a whole number from 0");
    }
    let group = put("total_count", json!(2)).await.unwrap();
    let more = RecordMembers::default().meta("is_available", true);
    world.server.control().put_record(None, "did_groups", Some(group), more).await.unwrap();
    let meta = world.api.get(&format!("{GROUPS}/{group}")).await.at("/data/meta");
    assert_eq!((&meta["total_count"], &meta["is_available"]), (&json!(2), &json!(true)));
}

#[tokio::test]
async fn an_included_group_is_a_typed_record_in_each_version() {
    let world = oldest().await;
    let did = world.did("37061498222").await;
    for version in ApiVersion::ALL {
        let answer =
            world.api.at(Some(version.as_str())).get(&format!("{DIDS}/{did}?include=did_group")).await;
        let document: didww_types::Document<didww_types::ResourceObject> =
            didww_types::Document::parse(answer.text.as_bytes()).unwrap();
        let included = Included::new(version, document.included);
        let groups = included.all::<didww_types::resources::DidGroup>().unwrap();
        assert_eq!(groups[0].features.as_slice(), [DidFeature::VoiceIn, DidFeature::VoiceOut], "{version}");
        let states_type = version == ApiVersion::V2026_11_19;
        assert_eq!(groups[0].number_type.is_some(), states_type, "{version}");
    }
}

#[tokio::test]
async fn concurrent_requests_store_the_group_of_their_features_once() {
    let world = World::start().await;
    let (control, account) = (world.server.control(), world.server.account());
    let adds = (0..8).map(|n| control.add_did(account, NewDid::new(format!("3706149822{n}"))));
    for added in futures_util::future::join_all(adds).await {
        added.unwrap();
    }
    assert_eq!(world.api.get(GROUPS).await.at("/meta/total_records"), 1);
    let found = world.api.get(&format!("{DIDS}?filter[did_group.features]=voice_out")).await;
    assert_eq!(found.at("/meta/total_records"), 8);
}
