//! The parameters that select an answer's members: `include` and `fields`.

use didww_types::resources::Did;
use didww_types::{ApiVersion, Resource as _};
use serde_json::{Value, json};
use trunk_server::control::RecordMembers;

use crate::support::api::{Answer, NEW, OLD, TOKENS};
use crate::support::engine;
use crate::support::world::*;

fn included(answer: &Answer) -> Vec<String> {
    let all = answer.at("/included");
    all.as_array().into_iter().flatten().map(|record| record["id"].as_str().unwrap().to_owned()).collect()
}

fn keys(value: &Value) -> Vec<String> {
    value.as_object().map(|object| object.keys().cloned().collect()).unwrap_or_default()
}

async fn linked() -> (World, String, [String; 2]) {
    linked_in(World::start().await).await
}

async fn linked_in(world: World) -> (World, String, [String; 2]) {
    let [one, two] = [world.emergency_did("37061498222").await, world.did("12025550143").await];
    let body = linking(credentials("A"), "dids", dids(&[&one, &two]));
    let trunk = world.created(&linking(body, "emergency_dids", dids(&[&one]))).await.id();
    (world, trunk, [one, two])
}

#[tokio::test]
async fn case_24_an_unknown_include_is_refused() {
    let world = World::start().await;
    let answer = world.api.get(&format!("{TRUNKS}?include=bogus")).await;
    let of = |text: &str| error(400, "112", "Invalid field", text);
    refused(&answer, &[of("bogus is not a valid relationship of voice_out_trunks")]);
    let answer = world.api.get(&format!("{TRUNKS}?include=bogus,dids,nothing,dids.bogus")).await;
    refused(
        &answer,
        &[
            of("bogus is not a valid relationship of voice_out_trunks"),
            of("nothing is not a valid relationship of voice_out_trunks"),
            of("bogus is not a valid relationship of dids"),
        ],
    );
    let answer = world.api.at(Some(OLD)).get(&format!("{TRUNKS}?include=emergency_dids")).await;
    refused(&answer, &[of("emergency_dids is not a valid relationship of voice_out_trunks")]);
}

#[tokio::test]
async fn an_include_path_has_at_most_eight_names() {
    let world = World::start().await;
    let of = |text: &str| error(400, "112", "Invalid field", text);
    let path = |names: usize| format!("order{}", ".a".repeat(names - 1));
    let answer = world.api.get(&format!("{DIDS}?include={}", path(8))).await;
    refused(&answer, &[of("a is not a valid relationship of orders")]);
    let answer = world.api.get(&format!("{DIDS}?include={}", path(9))).await;
    refused(&answer, &[of(&format!("{} has more than 8 relationships", path(9)))]);
}

#[tokio::test]
async fn a_record_that_two_paths_reach_has_what_either_of_them_includes() {
    let feature = didww_types::Feature::ReplaceCli;
    let (world, _, dids_of_both) = linked_in(World::of(engine::builder().feature(feature)).await).await;
    let [one, two] = &dids_of_both;
    let control = world.server.control();
    let members = RecordMembers::default().attribute("name", "Standard");
    let owner = Some(world.server.account());
    let pool = control.put_record(owner, "capacity_pools", None, members).await.unwrap().to_string();
    for did in &dids_of_both {
        let body =
            linking(update("dids", did, json!({})), "capacity_pool", identifier("capacity_pools", &pool));
        assert_eq!(world.api.patch(&format!("{DIDS}/{did}"), &body).await.status, 200);
    }
    let trunk = world.created(&linking(replacing("B", one), "dids", dids(&[one, two]))).await.id();
    // In either order of the parameter, and with the same record below both relationships.
    for include in [
        "default_did,dids.capacity_pool",
        "dids.capacity_pool,default_did",
        "default_did.capacity_pool,dids",
        "default_did.capacity_pool,dids.capacity_pool",
        "default_did.order,dids.capacity_pool",
        "dids,dids.capacity_pool,default_did.capacity_pool",
    ] {
        let answer = world.api.get(&format!("{TRUNKS}/{trunk}?include={include}")).await;
        let mut found = included(&answer);
        found.sort();
        let mut expected = vec![one.clone(), two.clone(), pool.clone()];
        expected.sort();
        assert_eq!(found, expected, "{include}: {}", answer.text);
        let included = answer.at("/included");
        let did = included.as_array().unwrap().iter().find(|record| record["id"] == **one).unwrap();
        let linkage = &did["relationships"]["capacity_pool"]["data"];
        assert_eq!(*linkage, identifier("capacity_pools", &pool), "{include}");
    }
}

#[tokio::test]
async fn case_25_an_included_relationship_has_data_and_each_record_comes_once() {
    let (world, trunk, [one, two]) = linked().await;
    let answer = world.api.get(&format!("{TRUNKS}/{trunk}?include=dids")).await;
    assert_eq!(answer.at("/data/relationships/dids/data"), dids(&[&one, &two]));
    assert!(
        answer.text.contains(&format!(r#""data":[{{"type":"dids","id":"{one}"}},"#)),
        "type stands first"
    );
    assert_eq!(keys(&answer.at("/data/relationships/emergency_dids")), ["links"]);
    assert_eq!(included(&answer), [one.clone(), two.clone()]);
    let both = world.api.get(&format!("{TRUNKS}/{trunk}?include=dids,emergency_dids,dids")).await;
    assert_eq!(included(&both), [one.clone(), two.clone()], "each included record once");
    assert_eq!(both.at("/data/relationships/emergency_dids/data"), dids(&[&one]));
    world.created(&linking(credentials("B"), "dids", dids(&[&two]))).await;
    let list = world.api.get(&format!("{TRUNKS}?include=dids")).await;
    assert_eq!(included(&list), [one, two], "also when two trunks share it");
    assert!(list.text.find("\"included\"").unwrap() < list.text.find("\"total_records\"").unwrap());
}

#[tokio::test]
async fn an_included_did_has_its_attributes_and_links_and_no_linkage() {
    let (world, trunk, [one, _]) = linked().await;
    let answer = world.api.get(&format!("{TRUNKS}/{trunk}?include=emergency_dids")).await;
    let alone = world.api.get(&format!("{DIDS}/{one}")).await;
    assert_eq!(answer.at("/included/0"), alone.at("/data"));
    for (_, relationship) in answer.at("/included/0/relationships").as_object().unwrap() {
        assert_eq!(keys(relationship), ["links"]);
    }
}

#[tokio::test]
async fn a_path_through_an_undeclared_type_is_taken_where_it_is_declared_and_leads_nowhere() {
    let (world, trunk, [one, two]) = linked().await;
    let wrong = |rest: &str, kind: &str| {
        let detail = format!("{rest} is not a valid relationship of {kind}");
        error(400, "112", "Invalid field", &detail)
    };
    for path in ["voice_in_trunk.pop", "voice_in_trunk.voice_in_trunk_group", "voice_in_trunk.bogus"] {
        let (name, rest) = path.split_once('.').unwrap();
        let answer = world.api.get(&format!("{TRUNKS}/{trunk}?include=dids.{path}")).await;
        if Did::SPEC.nested_includes.iter().any(|include| include.path == path) {
            assert_eq!((answer.status, included(&answer)), (200, vec![one.clone(), two.clone()]));
            assert_eq!(keys(&answer.at(&format!("/included/0/relationships/{name}"))), ["data", "links"]);
        } else {
            refused(&answer, &[wrong(rest, Did::SPEC.relationship(name).unwrap().target)]);
        }
    }
}

#[tokio::test]
async fn a_path_through_an_undeclared_type_is_refused_where_its_version_has_none() {
    let world = World::of(engine::builder().version(ApiVersion::V2017_09_18)).await;
    world.did("37061498222").await;
    let answer = async |version: &str, path: &str| {
        world.api.at(Some(version)).get(&format!("{DIDS}?include={path}")).await
    };
    for (version, path) in [
        ("2021-04-19", "trunk.pop"),
        (OLD, "voice_in_trunk.pop"),
        (NEW, "voice_in_trunk.pop"),
        (NEW, "did_group.did_group_type"),
        (TOKENS, "voice_in_trunk.voice_in_trunk_group"),
    ] {
        let answer = answer(version, path).await;
        assert_eq!(answer.status, 200, "{version} {path}: {}", answer.text);
    }
    for (version, path, detail) in [
        ("2021-04-19", "voice_in_trunk.pop", "voice_in_trunk is not a valid relationship of dids"),
        ("2021-04-19", "trunk.bogus", "bogus is not a valid relationship of trunks"),
        (TOKENS, "voice_in_trunk.pop", "pop is not a valid relationship of voice_in_trunks"),
        (TOKENS, "did_group.did_group_type", "did_group_type is not a valid relationship of did_groups"),
    ] {
        let answer = answer(version, path).await;
        refused(&answer, &[error(400, "112", "Invalid field", detail)]);
    }
}

#[tokio::test]
async fn each_part_of_a_dotted_include_is_a_relationship_of_the_type_before_it() {
    let (world, trunk, _) = linked().await;
    for rest in ["country", "city", "region", "stock_keeping_units", "address_requirement"] {
        let answer = world.api.get(&format!("{TRUNKS}/{trunk}?include=dids.did_group.{rest}")).await;
        assert_eq!(answer.status, 200, "{rest} {}", answer.text);
        let group =
            answer.at("/included").as_array().unwrap().iter().position(|one| one["type"] == "did_groups");
        let linkage = answer.at(&format!("/included/{}/relationships/{rest}", group.unwrap()));
        assert_eq!(keys(&linkage), ["data", "links"], "{rest}");
        let nothing = if rest == "stock_keeping_units" { json!([]) } else { Value::Null };
        assert_eq!(linkage["data"], nothing, "a type that is not served has no records");
    }
    let answer = world.api.get(&format!("{TRUNKS}/{trunk}?include=dids.did_group.bogus")).await;
    let detail = "bogus is not a valid relationship of did_groups";
    refused(&answer, &[error(400, "112", "Invalid field", detail)]);
}

#[tokio::test]
async fn an_include_without_a_match_has_linkage_and_no_included() {
    let world = World::start().await;
    let trunk = world.trunk("A").await;
    let answer = world.api.get(&format!("{TRUNKS}/{trunk}?include=dids")).await;
    assert_eq!(answer.at("/data/relationships/dids/data"), json!([]));
    assert_eq!(keys(&answer.json()), ["data", "meta"]);
}

#[tokio::test]
async fn an_include_works_on_writes_too() {
    let world = World::start().await;
    let did = world.did("37061498222").await;
    let body = linking(credentials("A"), "dids", dids(&[&did]));
    let created = world.api.post(&format!("{TRUNKS}?include=dids"), &body).await;
    assert_eq!((created.status, included(&created)), (201, vec![did.clone()]));
    let path = format!("{TRUNKS}/{}?include=dids&fields[dids]=number", created.id());
    let changed = world.api.patch(&path, &patch(&created.id(), json!({ "name": "B" }))).await;
    assert_eq!(
        (changed.status, changed.at("/included/0/attributes")),
        (200, json!({ "number": "37061498222" }))
    );
    let refusal = world.api.post(&format!("{TRUNKS}?include=bogus"), &credentials("C")).await;
    assert_eq!((refusal.status, refusal.at("/errors/0/code")), (400, json!("112")));
    assert_eq!(world.api.get(TRUNKS).await.at("/meta/total_records"), 1, "nothing was made");
}

#[tokio::test]
async fn the_default_did_is_included_first_as_recorded() {
    let feature = didww_types::Feature::ReplaceCli;
    let world = World::of(engine::builder().feature(feature)).await;
    let [one, two] = [world.did("46812111133").await, world.did("37061498222").await];
    let trunk = world.created(&linking(replacing("A", &two), "dids", dids(&[&one, &two]))).await.id();
    let answer = world.api.get(&format!("{TRUNKS}/{trunk}?include=dids,default_did")).await;
    assert_eq!(included(&answer), [two.clone(), one.clone()]);
    assert_eq!(answer.at("/data/relationships/default_did/data"), identifier("dids", &two));
    assert_eq!(answer.at("/data/relationships/dids/data"), dids(&[&one, &two]));
}

#[tokio::test]
async fn case_26_without_include_a_relationship_has_links_alone() {
    let (world, trunk, _) = linked().await;
    let answer = world.api.get(&format!("{TRUNKS}/{trunk}")).await;
    let base = format!("{}{TRUNKS}/{trunk}", world.api.base());
    let links = |name: &str| {
        format!(r#""{name}":{{"links":{{"self":"{base}/relationships/{name}","related":"{base}/{name}"}}}}"#)
    };
    let expected = format!(
        r#""relationships":{{{},{}}},"meta":{{"spent_amount":"0.0"}}}},"meta":{{"api_version":"2026-04-16"}}}}"#,
        links("dids"),
        links("emergency_dids")
    );
    assert!(answer.text.ends_with(&expected), "{}", answer.text);
    let old = world.api.at(Some(OLD)).get(&format!("{TRUNKS}/{trunk}")).await;
    assert_eq!(keys(&old.at("/data/relationships")), ["dids"]);
}

#[tokio::test]
async fn case_27_chosen_fields_are_all_that_is_shown() {
    let (world, trunk, [one, _]) = linked().await;
    let path = format!("{TRUNKS}/{trunk}?fields[voice_out_trunks]=name,status");
    let answer = world.api.get(&path).await;
    assert_eq!(answer.at("/data/attributes"), json!({ "name": "A", "status": "active" }));
    assert_eq!(keys(&answer.at("/data")), ["attributes", "id", "meta", "type"]);
    assert_eq!(answer.at("/data/meta"), json!({ "spent_amount": "0.0" }));
    let answer = world.api.get(&format!("{TRUNKS}/{trunk}?fields[voice_out_trunks]=dids")).await;
    assert_eq!(keys(&answer.at("/data")), ["id", "meta", "relationships", "type"]);
    assert_eq!(keys(&answer.at("/data/relationships")), ["dids"]);
    let answer = world
        .api
        .get(&format!(
            "{TRUNKS}/{trunk}?include=dids&fields[dids]=number,order&fields[voice_out_trunks]=name,dids"
        ))
        .await;
    assert_eq!(answer.at("/included/0/id"), one);
    assert_eq!(answer.at("/included/0/attributes"), json!({ "number": "37061498222" }));
    assert_eq!(keys(&answer.at("/included/0/relationships")), ["order"]);
}

#[tokio::test]
async fn case_28_an_unknown_field_is_refused_and_ends_the_reading() {
    let world = World::start().await;
    let of = |text: &str| error(400, "104", "Invalid field", text);
    for (query, detail) in [
        ("fields[voice_out_trunks]=bogus", "bogus is not a valid field for voice_out_trunks."),
        ("fields[voice_out_trunks]=name,bogus,x", "bogus is not a valid field for voice_out_trunks."),
        ("fields[voice_out_trunks]=", "nil is not a valid field for voice_out_trunks."),
        ("fields[dids]=name", "name is not a valid field for dids."),
        ("include=x&filter[y]=1&fields[dids]=bogus", "bogus is not a valid field for dids."),
    ] {
        refused(&world.api.get(&format!("{TRUNKS}?{query}")).await, &[of(detail)]);
    }
    let answer = world.api.at(Some(OLD)).get(&format!("{TRUNKS}?fields[voice_out_trunks]=rtp_timeout")).await;
    refused(&answer, &[of("rtp_timeout is not a valid field for voice_out_trunks.")]);
    let answer = world.api.get(&format!("{TRUNKS}?fields[voice_out_trunks]=username")).await;
    refused(&answer, &[of("username is not a valid field for voice_out_trunks.")]);
}

#[tokio::test]
async fn fields_of_no_type_or_of_an_unknown_type_are_refused() {
    let world = World::start().await;
    let answer = world.api.get(&format!("{TRUNKS}?fields=name")).await;
    refused(&answer, &[error(400, "119", "Invalid field format", "Fields must specify a type.")]);
    let answer = world.api.get(&format!("{TRUNKS}?fields[bogus]=name")).await;
    refused(&answer, &[error(400, "101", "Invalid resource", "bogus is not a valid resource.")]);
}

#[tokio::test]
async fn case_86_a_did_shows_the_one_field_that_was_chosen() {
    let world = World::start().await;
    let did = world.did("37061498222").await;
    let answer = world.api.get(&format!("{DIDS}?fields[dids]=terminated")).await;
    let start =
        format!(r#"{{"data":[{{"id":"{did}","type":"dids","attributes":{{"terminated":false}}}}],"meta":"#);
    assert!(answer.text.starts_with(&start), "{}", answer.text);
}
