//! Capacity pools: their readable and writable members, and the channels that DIDs take from them.

use serde_json::{Value, json};
use trunk_server::control::{ControlError, RecordMembers};

use crate::support::api::{Api, OLD, TOKENS};
use crate::support::engine;
use crate::support::world::*;

const POOLS: &str = "/capacity_pools";

/// Stores a pool of this size. Returns its id.
async fn pool(world: &World, name: &str, total: i64, minimum: i64) -> String {
    let members = RecordMembers::default()
        .attribute("name", name)
        .attribute("renew_date", "2026-12-01")
        .attribute("total_channels_count", total)
        .attribute("minimum_limit", minimum)
        .attribute("monthly_price", "15");
    let owner = Some(world.server.account());
    world.server.control().put_record(owner, "capacity_pools", None, members).await.unwrap().to_string()
}

/// Gives a DID channels of a pool.
async fn assign(world: &World, did: &str, pool: &str, channels: i64) {
    let body = update("dids", did, json!({ "dedicated_channels_count": channels }));
    let body = linking(body, "capacity_pool", identifier("capacity_pools", pool));
    let answer = world.api.patch(&format!("{DIDS}/{did}"), &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
}

async fn assigned(world: &World, pool: &str) -> Value {
    world.api.get(&format!("{POOLS}/{pool}")).await.at("/data/attributes/assigned_channels_count")
}

async fn names(world: &World, query: &str) -> Vec<String> {
    let list = world.api.get(&format!("{POOLS}?{query}")).await;
    assert_eq!(list.status, 200, "{}", list.text);
    let data = list.at("/data");
    data.as_array()
        .unwrap()
        .iter()
        .map(|pool| pool["attributes"]["name"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_pool_has_the_documented_attributes_in_their_order() {
    let world = World::start().await;
    let id = pool(&world, "Standard", 30, 2).await;
    let answer = world.api.get(&format!("{POOLS}/{id}")).await;
    let attributes = r#""attributes":{"name":"Standard","renew_date":"2026-12-01","total_channels_count":30,"assigned_channels_count":0,"minimum_limit":2,"minimum_qty_per_order":0,"setup_price":"0.0","monthly_price":"15.0","metered_rate":"0.0"}"#;
    assert!(answer.text.contains(attributes), "{}", answer.text);
    for name in ["countries", "shared_capacity_groups", "qty_based_pricings"] {
        let linkage = world.api.get(&format!("{POOLS}/{id}/relationships/{name}")).await;
        assert_eq!(linkage.at("/data"), json!([]), "{name}");
        let related = world.api.get(&format!("{POOLS}/{id}/{name}")).await;
        // Countries have no pages, and so no total.
        let total = if name == "countries" { Value::Null } else { json!(0) };
        assert_eq!((related.at("/data"), related.at("/meta/total_records")), (json!([]), total), "{name}");
    }
}

#[tokio::test]
async fn the_assigned_channels_are_those_of_the_dids_in_the_pool_after_each_change() {
    let world = World::start().await;
    let [one, two] = [pool(&world, "One", 30, 0).await, pool(&world, "Two", 30, 0).await];
    let [first, second] = [world.did("37061498222").await, world.did("37061498223").await];
    assign(&world, &first, &one, 4).await;
    assign(&world, &second, &one, 3).await;
    assert_eq!((assigned(&world, &one).await, assigned(&world, &two).await), (json!(7), json!(0)));
    assign(&world, &first, &one, 1).await;
    assert_eq!(assigned(&world, &one).await, json!(4));
    assign(&world, &first, &two, 1).await;
    assert_eq!((assigned(&world, &one).await, assigned(&world, &two).await), (json!(3), json!(1)));
    let path = format!("{DIDS}/{second}/relationships/capacity_pool");
    assert_eq!(world.api.patch(&path, &json!({ "data": null })).await.status, 204);
    assert_eq!(assigned(&world, &one).await, json!(0));
    let listed = world.api.get(&format!("{DIDS}?filter[capacity_pool.id]={two}")).await;
    assert_eq!((listed.at("/meta/total_records"), listed.at("/data/0/id")), (json!(1), json!(first)));
    let included = world.api.get(&format!("{DIDS}/{first}?include=capacity_pool")).await;
    assert_eq!(included.at("/included/0/attributes/assigned_channels_count"), json!(1));
    let trunk = linking(credentials("A"), "dids", dids(&[&first]));
    let deep = world.api.post(&format!("{TRUNKS}?include=dids.capacity_pool"), &trunk).await;
    assert_eq!((deep.status, deep.at("/included/1/id")), (201, json!(two)));
}

#[tokio::test]
async fn the_channels_of_a_did_change_without_the_pool_that_it_is_in() {
    let world = World::start().await;
    let pool = pool(&world, "One", 30, 0).await;
    let did = world.did("37061498222").await;
    assign(&world, &did, &pool, 4).await;
    let path = format!("{DIDS}/{did}");
    let channels = |count: i64| update("dids", &did, json!({ "dedicated_channels_count": count }));
    let answer = world.api.patch(&path, &channels(5)).await;
    assert_eq!((answer.status, assigned(&world, &pool).await), (200, json!(5)), "{}", answer.text);

    // Values of the request take precedence over stored ones.
    let blank = [relationship("capacity_pool", "can't be blank")];
    refused(&world.api.patch(&path, &linking(channels(6), "capacity_pool", Value::Null)).await, &blank);
    let cleared = linking(channels(0), "capacity_pool", Value::Null);
    assert_eq!(world.api.patch(&path, &cleared).await.status, 200);
    refused(&world.api.patch(&path, &channels(5)).await, &blank);
}

#[tokio::test]
async fn the_channels_of_a_did_are_taken_from_those_that_its_pool_has_free() {
    let world = World::start().await;
    let [one, two] = [pool(&world, "One", 10, 0).await, pool(&world, "Two", 3, 0).await];
    let [first, second] = [world.did("37061498222").await, world.did("37061498223").await];
    assign(&world, &first, &one, 6).await;
    let too_many =
        |free: i64| [attribute("dedicated_channels_count", &format!("must be less than or equal to {free}"))];
    let channels = |did: &str, count: i64| update("dids", did, json!({ "dedicated_channels_count": count }));
    let to = |body: Value, pool: &str| linking(body, "capacity_pool", identifier("capacity_pools", pool));
    let path = |did: &str| format!("{DIDS}/{did}");
    for version in [OLD, TOKENS] {
        let api = world.api.at(Some(version));
        refused(&api.patch(&path(&second), &to(channels(&second, 5), &one)).await, &too_many(4));
        refused(&api.patch(&path(&first), &channels(&first, 11)).await, &too_many(10));
        let moved = to(update("dids", &first, json!({})), &two);
        refused(&api.patch(&path(&first), &moved).await, &too_many(3));
    }
    assign(&world, &second, &one, 4).await;
    refused(&world.api.patch(&path(&first), &channels(&first, 7)).await, &too_many(6));
    assign(&world, &first, &two, 3).await;
    assert_eq!((assigned(&world, &one).await, assigned(&world, &two).await), (json!(4), json!(3)));
}

#[tokio::test]
async fn two_dids_that_take_the_last_channels_at_once_do_not_share_them() {
    let world = World::start().await;
    let pool = pool(&world, "One", 10, 0).await;
    let mut bodies = Vec::new();
    for number in 0..6 {
        let did = world.did(&format!("3706149822{number}")).await;
        let body = update("dids", &did, json!({ "dedicated_channels_count": 4 }));
        bodies.push((
            format!("{DIDS}/{did}"),
            linking(body, "capacity_pool", identifier("capacity_pools", &pool)),
        ));
    }
    let requests = bodies.iter().map(|(path, body)| world.api.patch(path, body));
    let answers = futures_util::future::join_all(requests).await;
    let accepted = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!((accepted, assigned(&world, &pool).await), (2, json!(8)));
}

#[tokio::test]
async fn a_did_keeps_its_channels_when_its_pool_is_cleared() {
    let world = World::start().await;
    let pool = pool(&world, "One", 30, 0).await;
    let did = world.did("37061498222").await;
    assign(&world, &did, &pool, 4).await;
    let path = format!("{DIDS}/{did}");
    let cleared = linking(update("dids", &did, json!({})), "capacity_pool", Value::Null);
    let answer = world.api.patch(&path, &cleared).await;
    assert_eq!((answer.status, answer.at("/data/attributes/dedicated_channels_count")), (200, json!(4)));
    assert_eq!(assigned(&world, &pool).await, json!(0));
}

#[tokio::test]
async fn pools_are_filtered_and_sorted_by_their_channels() {
    let world = World::start().await;
    let full = pool(&world, "Full", 2, 0).await;
    pool(&world, "Free", 10, 0).await;
    pool(&world, "None", 0, 0).await;
    let did = world.did("37061498222").await;
    assign(&world, &did, &full, 2).await;
    assert_eq!(names(&world, "filter[has_unassigned_channels]=true").await, ["Free"]);
    assert_eq!(names(&world, "filter[has_unassigned_channels]=false").await, ["Full", "None"]);
    assert_eq!(names(&world, "filter[name]=None,Full&sort=name").await, ["Full", "None"]);
    assert_eq!(names(&world, "sort=-assigned_channels_count").await[0], "Full");
    assert_eq!(names(&world, "sort=total_channels_count").await, ["None", "Full", "Free"]);
    assert_eq!(names(&world, &format!("filter[country.id]={UNKNOWN}")).await, [""; 0]);
    let wrong = world.api.get(&format!("{POOLS}?filter[has_unassigned_channels]=maybe")).await;
    assert_eq!((wrong.status, wrong.at("/errors/0/code")), (400, json!("107")));
    pool(&world, "None,Full", 1, 0).await;
    let newest = world.api.at(Some(TOKENS)).get(&format!("{POOLS}?filter[name]=None,Full")).await;
    assert_eq!(newest.at("/data/0/attributes/name"), "None,Full");
    assert_eq!(newest.at("/meta/total_records"), 1, "since 2026-11-19 the value is one name");
}

#[tokio::test]
async fn an_owner_can_only_lower_the_total_and_not_below_what_is_used_or_the_smallest_size() {
    let world = World::start().await;
    let id = pool(&world, "Standard", 10, 2).await;
    let did = world.did("37061498222").await;
    assign(&world, &did, &id, 4).await;
    let path = format!("{POOLS}/{id}");
    let set_total = async |total: Value| {
        world.api.patch(&path, &update("capacity_pools", &id, json!({ "total_channels_count": total }))).await
    };
    refused(&set_total(json!(3)).await, &[attribute("total_channels_count", "should be at least 4")]);
    refused(
        &set_total(json!(11)).await,
        &[attribute("total_channels_count", "must be less than or equal to 10")],
    );
    assert_eq!(set_total(json!(4)).await.at("/data/attributes/total_channels_count"), json!(4));
    assign(&world, &did, &id, 0).await;
    refused(&set_total(json!(1)).await, &[attribute("total_channels_count", "should be at least 2")]);
    assert_eq!(set_total(json!(4)).await.status, 200, "a pool that is sent back unchanged");
    for (name, value) in
        [("name", json!("X")), ("assigned_channels_count", json!(0)), ("setup_price", json!("1.0"))]
    {
        refused(
            &world.api.patch(&path, &update("capacity_pools", &id, json!({ name: value }))).await,
            &[not_allowed(name)],
        );
    }
    refused(&world.api.post(POOLS, &resource("capacity_pools", json!({ "name": "X" }))).await, &[no_route()]);
    refused(&world.api.delete(&path).await, &[no_route()]);
}

#[tokio::test]
async fn control_stores_records_of_types_that_no_request_creates_and_validates_each_value() {
    let world = World::start().await;
    let id = pool(&world, "Standard", 10, 2).await;
    let (control, owner) = (world.server.control(), Some(world.server.account()));
    let members = RecordMembers::default().attribute("total_channels_count", 40);
    let again =
        control.put_record(owner, "capacity_pools", Some(id.parse().unwrap()), members).await.unwrap();
    assert_eq!(again.to_string(), id);
    let shown = world.api.get(&format!("{POOLS}/{id}")).await;
    assert_eq!(shown.at("/data/attributes/total_channels_count"), json!(40));
    assert_eq!(shown.at("/data/attributes/minimum_limit"), json!(2), "what is not named stays");
    let named = || RecordMembers::default().attribute("name", "X");
    let wrong = [
        ("capacity_pools", RecordMembers::default(), "`name` is missing in a new record"),
        ("capacity_pools", named().attribute("bogus", 1), "`bogus` is not an attribute of capacity_pools"),
        ("capacity_pools", named().attribute("renew_date", "soon"), "`renew_date` is invalid"),
        (
            "capacity_pools",
            named().attribute("assigned_channels_count", 1),
            "`assigned_channels_count` is computed and cannot be set",
        ),
        (
            "capacity_pools",
            named().attribute("created_at", "2020-01-01T00:00:00.000Z"),
            "`created_at` is not an attribute of capacity_pools",
        ),
        (
            "dids",
            RecordMembers::default()
                .attribute("number", "37061498222")
                .attribute("created_at", "2020-01-01T00:00:00.000Z"),
            "`created_at` is set by the server: lists are in the order of creation",
        ),
        ("dids", RecordMembers::default().attribute("number", "abc"), "`number` is invalid"),
        ("dids", RecordMembers::default().attribute("number", ""), "`number` is invalid"),
        (
            "dids",
            RecordMembers::default().attribute("number", "123456789012345678901"),
            "`number` is invalid",
        ),
        ("voice_out_trunks", named(), "`type` voice_out_trunks are created with POST /v3/voice_out_trunks"),
    ];
    for (kind, members, message) in wrong {
        let error = control.put_record(owner, kind, None, members).await.unwrap_err();
        assert_eq!(error.to_string(), message);
    }
    let unowned = control.put_record(None, "capacity_pools", None, named()).await.unwrap_err();
    assert_eq!(unowned.to_string(), "`type` belongs to an account");
    let unknown = control.put_record(owner, "pigeons", None, named()).await.unwrap_err();
    assert!(matches!(unknown, ControlError::NotFound(_)), "{unknown}");
    let foreign = RecordMembers::default()
        .attribute("number", "37061498222")
        .relationship("capacity_pool", [uuid::Uuid::nil()]);
    let error = control.put_record(owner, "dids", None, foreign).await.unwrap_err();
    assert!(error.to_string().contains("is not one of its capacity_pools"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn simultaneous_puts_of_one_new_id_all_succeed_and_store_one_record() {
    const IDS: u128 = 20;
    let world = World::start().await;
    let owner = Some(world.server.account());
    for id in (1..=IDS).map(uuid::Uuid::from_u128) {
        let puts = (0..4).map(|n: i64| {
            let control = world.server.control();
            let members = RecordMembers::default().attribute("name", "X").attribute("minimum_limit", n);
            tokio::spawn(async move { control.put_record(owner, "capacity_pools", Some(id), members).await })
        });
        for stored in futures_util::future::join_all(puts).await {
            assert_eq!(stored.unwrap(), Ok(id));
        }
    }
    let listed = world.api.get(POOLS).await;
    assert_eq!(listed.at("/meta/total_records"), json!(IDS));
}

#[tokio::test]
async fn a_put_of_a_did_leaves_what_is_not_named_at_its_default() {
    let world = World::start().await;
    let members = RecordMembers::default().attribute("number", "37061498222");
    let owner = Some(world.server.account());
    let put = world.server.control().put_record(owner, "dids", None, members).await.unwrap();
    let shown = world.api.get(&format!("{DIDS}/{put}")).await;
    assert_eq!(shown.at("/data/attributes/expires_at"), Value::Null);
    assert_eq!(shown.at("/data/attributes/dedicated_channels_count"), json!(0));
}

#[tokio::test]
async fn the_control_listener_answers_201_for_a_new_record_and_200_for_a_changed_one() {
    let server = engine::builder().control_listener().start().await;
    let control = server.server().control_address().unwrap();
    let control = Api::new(format!("http://{control}/control/v1"), "").with_key(None).at(None);
    let path = format!("/accounts/{}/records/capacity_pools", server.account());
    let put = |id: Option<&str>| json!({ "id": id, "attributes": { "name": "Standard" } });
    assert_eq!(control.post(&path, &put(None)).await.status, 201);
    assert_eq!(control.post(&path, &put(Some(UNKNOWN))).await.status, 201);
    assert_eq!(control.post(&path, &put(Some(UNKNOWN))).await.status, 200);
}
