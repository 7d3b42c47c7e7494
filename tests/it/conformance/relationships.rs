//! The endpoints of relationships: linkage, and related records.

use didww_types::Feature;
use http::Method;
use serde_json::{Value, json};

use crate::support::api::OLD;
use crate::support::engine;
use crate::support::world::*;

async fn linked(relationship: &str) -> (World, String, [String; 3]) {
    let world = World::start().await;
    let ids = [
        world.emergency_did("37061498222").await,
        world.emergency_did("12025550143").await,
        world.emergency_did("442079460018").await,
    ];
    let body = linking(credentials("A"), relationship, dids(&[&ids[0], &ids[1]]));
    let trunk = world.created(&body).await.id();
    (world, trunk, ids)
}

fn linkage(ids: &[&str]) -> String {
    json!({ "data": dids(ids) }).to_string()
}

async fn members(world: &World, trunk: &str, relationship: &str) -> Value {
    world.api.get(&format!("{TRUNKS}/{trunk}/relationships/{relationship}")).await.at("/data")
}

#[tokio::test]
async fn case_76_linkage_is_identifiers_and_links() {
    for relationship in ["dids", "emergency_dids"] {
        let (world, trunk, [one, two, _]) = linked(relationship).await;
        let answer = world.api.get(&format!("{TRUNKS}/{trunk}/relationships/{relationship}")).await;
        let base = format!("{}{TRUNKS}/{trunk}", world.api.base());
        assert_eq!(
            (answer.status, answer.text),
            (
                200,
                format!(
                    r#"{{"data":[{{"type":"dids","id":"{one}"}},{{"type":"dids","id":"{two}"}}],"links":{{"self":"{base}/relationships/{relationship}","related":"{base}/{relationship}"}},"meta":{{"api_version":"2026-04-16"}}}}"#
                )
            )
        );
    }
}

#[tokio::test]
async fn case_77_members_that_come_twice_are_there_once() {
    for relationship in ["dids", "emergency_dids"] {
        let (world, trunk, [one, two, three]) = linked(relationship).await;
        let path = format!("{TRUNKS}/{trunk}/relationships/{relationship}");
        for _ in 0..2 {
            let answer = world.api.send(Method::POST, &path, &linkage(&[&three, &one])).await;
            assert_eq!((answer.status, answer.text.as_str()), (204, ""));
            assert!(answer.headers.get("content-type").is_none());
            assert_eq!(members(&world, &trunk, relationship).await, dids(&[&one, &two, &three]));
        }
    }
}

#[tokio::test]
async fn case_78_members_are_replaced_and_cleared() {
    for method in [Method::PATCH, Method::PUT] {
        let (world, trunk, [one, two, three]) = linked("dids").await;
        let path = format!("{TRUNKS}/{trunk}/relationships/dids");
        assert_eq!(world.api.send(method.clone(), &path, &linkage(&[&three, &one])).await.status, 204);
        assert_eq!(members(&world, &trunk, "dids").await, dids(&[&three, &one]), "without {two}");
        assert_eq!(world.api.send(method, &path, &linkage(&[])).await.status, 204);
        assert_eq!(members(&world, &trunk, "dids").await, json!([]));
    }
}

#[tokio::test]
async fn members_are_removed_and_absent_ones_passed_over() {
    let (world, trunk, [one, two, three]) = linked("dids").await;
    let path = format!("{TRUNKS}/{trunk}/relationships/dids");
    let answer = world.api.send(Method::DELETE, &path, &linkage(&[&one, &three, UNKNOWN])).await;
    assert_eq!((answer.status, answer.text.as_str()), (204, ""));
    assert_eq!(members(&world, &trunk, "dids").await, dids(&[&two]));
}

#[tokio::test]
async fn what_is_no_linkage_is_refused_and_changes_nothing() {
    let (world, trunk, _) = linked("dids").await;
    let path = format!("{TRUNKS}/{trunk}/relationships/dids");
    let before = world.dump().await;
    let missing = || error(400, "106", "Missing Parameter", "The required parameter, data, is missing.");
    let links = || error(400, "115", "Invalid Links Object", "Data is not a valid Links Object.");
    for method in [Method::POST, Method::PATCH, Method::DELETE] {
        for (body, expected) in [
            ("{}", missing()),
            (r#"{"data":null}"#, links()),
            (r#"{"data":{"type":"dids","id":"1"}}"#, links()),
            (r#"{"data":["x"]}"#, links()),
            (
                r#"{"data":[{"type":"orders","id":"1"}]}"#,
                error(400, "116", "Type Mismatch", " is not a valid type for this operation."),
            ),
            ("[]", error(400, "400", "Bad Request", "Request must be a hash")),
        ] {
            refused(&world.api.send(method.clone(), &path, body).await, &[expected]);
        }
    }
    assert_eq!(world.dump().await, before);
}

#[tokio::test]
async fn an_unknown_member_is_invalid_at_the_endpoint_as_in_a_body() {
    let (world, trunk, [one, ..]) = linked("dids").await;
    let path = format!("{TRUNKS}/{trunk}/relationships/dids");
    let before = world.dump().await;
    for method in [Method::POST, Method::PATCH] {
        let answer = world.api.send(method, &path, &linkage(&[&one, UNKNOWN])).await;
        refused(&answer, &[relationship("dids", "is invalid")]);
    }
    assert_eq!(world.dump().await, before);
}

#[tokio::test]
async fn an_unknown_trunk_has_no_relationships() {
    let world = World::start().await;
    for method in [Method::GET, Method::POST, Method::PATCH, Method::DELETE] {
        for name in ["dids", "emergency_dids"] {
            let path = format!("{TRUNKS}/{UNKNOWN}/relationships/{name}");
            refused(&world.api.send(method.clone(), &path, &linkage(&[])).await, &[not_found(UNKNOWN)]);
        }
    }
    refused(&world.api.get(&format!("{TRUNKS}/{UNKNOWN}/dids")).await, &[not_found(UNKNOWN)]);
}

#[tokio::test]
async fn the_endpoints_keep_the_rules_of_the_trunk() {
    let world = World::start().await;
    let [able, plain] = [world.emergency_did("37061498222").await, world.did("12025550143").await];
    let switches = json!({ "allow_any_did_as_cli": true, "emergency_enable_all": true });
    let kept = world.created(&with(credentials("A"), switches)).await.id();
    for method in [Method::POST, Method::PATCH] {
        for name in ["dids", "emergency_dids"] {
            let path = format!("{TRUNKS}/{kept}/relationships/{name}");
            let answer = world.api.send(method.clone(), &path, &linkage(&[&able])).await;
            refused(&answer, &[relationship(name, "must be blank")]);
        }
        let free = world.trunk(method.as_str()).await;
        let path = format!("{TRUNKS}/{free}/relationships/emergency_dids");
        let answer = world.api.send(method, &path, &linkage(&[&plain])).await;
        let member = format!("emergency_dids/{plain}");
        refused(&answer, &[relationship(&member, "does not support Emergency feature")]);
    }
}

#[tokio::test]
async fn case_79_the_related_dids_are_a_list_of_their_own() {
    for relationship in ["dids", "emergency_dids"] {
        let (world, trunk, [one, two, three]) = linked(relationship).await;
        let path = format!("{TRUNKS}/{trunk}/{relationship}");
        let answer = world.api.get(&path).await;
        assert_eq!((answer.status, answer.at("/meta/total_records")), (200, json!(2)));
        // From 2026-04-16 on they are ordered by number, and before by creation.
        assert_eq!(answer.at("/data/0"), world.api.get(&format!("{DIDS}/{two}")).await.at("/data"));
        if relationship == "dids" {
            assert_eq!(world.api.at(Some(OLD)).get(&path).await.at("/data/0/id"), one);
        }
        let page = format!("{}{path}?page%5Bnumber%5D=1&page%5Bsize%5D=50", world.api.base());
        assert_eq!(answer.at("/links"), json!({ "first": page, "last": page }));
        let query = "sort=number&page[size]=1&page[number]=2&fields[dids]=number";
        let second = world.api.get(&format!("{path}?{query}")).await;
        assert_eq!(second.at("/data/0/id"), one, "12025550143 is the first");
        assert_eq!(second.at("/data/0/attributes"), json!({ "number": "37061498222" }));
        let first = format!(
            "{}{path}?fields%5Bdids%5D=number&page%5Bnumber%5D=1&page%5Bsize%5D=1&sort=number",
            world.api.base()
        );
        assert_eq!((second.at("/links/prev"), second.at("/links/next")), (json!(first), Value::Null));
        let filtered = world.api.get(&format!("{path}?filter[id]={two},{three}")).await;
        assert_eq!((filtered.at("/data/0/id"), filtered.at("/meta/total_records")), (json!(two), json!(1)));
        let wrong = world.api.get(&format!("{path}?sort=name&include=dids&filter[name]=x")).await;
        assert_eq!((wrong.status, wrong.at("/errors/0/code")), (400, json!("112")));
    }
}

#[tokio::test]
async fn case_80_the_default_did_exists_only_with_its_feature() {
    let world = World::start().await;
    let did = world.did("37061498222").await;
    let body = || linking(credentials("A"), "default_did", identifier("dids", &did));
    refused(&world.api.post(TRUNKS, &body()).await, &[not_allowed("default_did")]);
    let trunk = world.trunk("A").await;
    let paths =
        [format!("{TRUNKS}/{trunk}/relationships/default_did"), format!("{TRUNKS}/{trunk}/default_did")];
    for path in &paths {
        refused(&world.api.get(path).await, &[no_route()]);
    }
    let answer = world.api.get(&format!("{TRUNKS}?include=default_did")).await;
    let detail = "default_did is not a valid relationship of voice_out_trunks";
    refused(&answer, &[error(400, "112", "Invalid field", detail)]);

    let world = World::of(engine::builder().feature(Feature::ReplaceCli)).await;
    let did = world.did("37061498222").await;
    for (name, version, expected) in [
        ("A", "2026-04-16", vec!["default_did", "dids", "emergency_dids"]),
        ("B", OLD, vec!["default_did", "dids"]),
    ] {
        let body = if version == OLD {
            linking(flat(name), "default_did", identifier("dids", &did))
        } else {
            replacing(name, &did)
        };
        let answer = world.api.at(Some(version)).post(TRUNKS, &body).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        let relationships = answer.at("/data/relationships");
        assert_eq!(relationships.as_object().unwrap().keys().collect::<Vec<_>>(), expected);
        let place = |name: &str| answer.text.find(&format!("\"{name}\":{{\"links\"")).unwrap();
        assert!(place("default_did") < place("dids"), "in the recorded order");
    }
}

#[tokio::test]
async fn the_default_did_is_read_set_and_cleared_at_its_endpoints() {
    let world = World::of(engine::builder().feature(Feature::ReplaceCli)).await;
    let did = world.did("37061498222").await;
    let body = with(flat("A"), json!({ "on_cli_mismatch_action": "replace_cli" }));
    // An older version needs no default DID.
    let trunk = world.api.at(Some(OLD)).post(TRUNKS, &body).await.id();
    let one = format!("{TRUNKS}/{trunk}");
    let path = format!("{one}/relationships/default_did");
    let links = format!(
        r#""links":{{"self":"{0}{path}","related":"{0}{one}/default_did"}},"meta":{{"api_version":"2026-04-16"}}}}"#,
        world.api.base()
    );
    assert_eq!(world.api.get(&path).await.text, format!(r#"{{"data":null,{links}"#));
    let related = world.api.get(&format!("{one}/default_did")).await;
    assert_eq!(
        (related.status, related.text.as_str()),
        (200, r#"{"data":null,"meta":{"api_version":"2026-04-16"}}"#)
    );
    let set = json!({ "data": identifier("dids", &did) });
    assert_eq!(world.api.patch(&path, &set).await.status, 204);
    assert_eq!(
        world.api.get(&path).await.text,
        format!(r#"{{"data":{{"type":"dids","id":"{did}"}},{links}"#)
    );
    let related = world.api.get(&format!("{one}/default_did")).await;
    assert_eq!(related.text, world.api.get(&format!("{DIDS}/{did}")).await.text);
    for (data, expected) in [
        (identifier("dids", UNKNOWN), relationship("default_did", "is invalid")),
        (json!([]), error(400, "115", "Invalid Links Object", "Data is not a valid Links Object.")),
        (
            identifier("orders", &did),
            error(400, "116", "Type Mismatch", "orders is not a valid type for this operation."),
        ),
    ] {
        refused(&world.api.patch(&path, &json!({ "data": data })).await, &[expected]);
    }
    refused(&world.api.send(Method::POST, &path, &set.to_string()).await, &[no_route()]);
    let nothing = json!({ "data": null });
    refused(&world.api.patch(&path, &nothing).await, &[relationship("default_did", "can't be blank")]);
    assert_eq!(world.api.at(Some(OLD)).patch(&path, &nothing).await.status, 204);
    assert_eq!(world.api.get(&path).await.at("/data"), Value::Null);
}

#[tokio::test]
async fn emergency_dids_have_no_endpoints_before_2026_04_16() {
    let (world, trunk, _) = linked("emergency_dids").await;
    for version in [OLD, "2022-05-10"] {
        let api = world.api.at(Some(version));
        for path in ["relationships/emergency_dids", "emergency_dids", "relationships/bogus", "bogus"] {
            refused(&api.get(&format!("{TRUNKS}/{trunk}/{path}")).await, &[no_route()]);
        }
        assert_eq!(api.get(&format!("{TRUNKS}/{trunk}/relationships/dids")).await.status, 200);
    }
}

#[tokio::test]
async fn a_query_does_not_keep_linkage_from_being_read_or_written() {
    let (world, trunk, [.., three]) = linked("dids").await;
    let path = format!("{TRUNKS}/{trunk}/relationships/dids?include=bogus&fields[bogus]=x");
    assert_eq!(world.api.get(&path).await.status, 200);
    assert_eq!(world.api.send(Method::POST, &path, &linkage(&[&three])).await.status, 204);
}

#[tokio::test]
async fn the_relationships_of_a_did_but_its_group_are_empty() {
    let world = World::start().await;
    let did = world.did("37061498222").await;
    for name in ["order", "capacity_pool", "voice_in_trunk", "identity"] {
        let answer = world.api.get(&format!("{DIDS}/{did}/relationships/{name}")).await;
        assert_eq!((answer.status, answer.at("/data")), (200, Value::Null), "{name}");
        let answer = world.api.get(&format!("{DIDS}/{did}/{name}")).await;
        assert_eq!((answer.status, answer.at("/data")), (200, Value::Null), "{name}");
    }
    let path = format!("{DIDS}/{did}/relationships/did_group");
    refused(&world.api.patch(&path, &json!({ "data": null })).await, &[not_allowed("did_group")]);
    let path = format!("{DIDS}/{did}/relationships/voice_in_trunk");
    assert_eq!(world.api.patch(&path, &json!({ "data": null })).await.status, 204);
    let answer = world.api.patch(&path, &json!({ "data": identifier("voice_in_trunks", UNKNOWN) })).await;
    refused(&answer, &[invalid("voice_in_trunk", "is invalid", "/data/attributes/voice_in_trunk_id")]);
}
