//! Shared capacity groups: the channels that they take from a pool, their DIDs, and their deletion.

use http::Method;
use serde_json::{Value, json};
use trunk_server::control::RecordMembers;

use crate::support::api::{Answer, NEW, OLD, TOKENS};
use crate::support::world::*;

const SHARED: &str = "/shared_capacity_groups";

/// Stores a pool of this size. Returns its id.
async fn pool(world: &World, name: &str, total: i64) -> String {
    let members = RecordMembers::default().attribute("name", name).attribute("total_channels_count", total);
    let members = ["setup_price", "monthly_price", "metered_rate"]
        .into_iter()
        .fold(members, |members, price| members.attribute(price, "1"));
    let owner = Some(world.server.account());
    world.server.control().put_record(owner, "capacity_pools", None, members).await.unwrap().to_string()
}

fn group(name: &str, pool: &str, channels: i64) -> Value {
    let body = resource("shared_capacity_groups", json!({ "name": name, "shared_channels_count": channels }));
    linking(body, "capacity_pool", identifier("capacity_pools", pool))
}

async fn made(world: &World, body: &Value) -> String {
    let answer = world.api.post(SHARED, body).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    answer.id()
}

async fn resize(world: &World, id: &str, channels: i64) -> Answer {
    let body = update("shared_capacity_groups", id, json!({ "shared_channels_count": channels }));
    world.api.patch(&format!("{SHARED}/{id}"), &body).await
}

async fn assigned(world: &World, pool: &str) -> Value {
    world.api.get(&format!("/capacity_pools/{pool}")).await.at("/data/attributes/assigned_channels_count")
}

fn too_many(free: i64) -> Expected {
    attribute("shared_channels_count", &format!("must be less than or equal to {free}"))
}

#[tokio::test]
async fn the_channels_of_a_group_are_taken_from_those_that_its_pool_has_free() {
    let world = World::start().await;
    let [one, two] = [pool(&world, "One", 10).await, pool(&world, "Two", 3).await];
    refused(&world.api.post(SHARED, &group("A", &one, 11)).await, &[too_many(10)]);
    let a = made(&world, &group("A", &one, 6)).await;
    assert_eq!(assigned(&world, &one).await, 6);
    refused(&world.api.post(SHARED, &group("B", &one, 5)).await, &[too_many(4)]);
    let b = made(&world, &group("B", &one, 4)).await;
    refused(&resize(&world, &a, 7).await, &[too_many(6)]);
    assert_eq!(resize(&world, &b, 1).await.status, 200);
    assert_eq!((resize(&world, &a, 9).await.status, assigned(&world, &one).await), (200, json!(10)));
    let to = |pool: &str| json!({ "data": identifier("capacity_pools", pool) });
    let path = |id: &str| format!("{SHARED}/{id}/relationships/capacity_pool");
    refused(&world.api.patch(&path(&a), &to(&two)).await, &[too_many(3)]);
    assert_eq!(world.api.patch(&path(&b), &to(&two)).await.status, 204);
    assert_eq!((assigned(&world, &one).await, assigned(&world, &two).await), (json!(9), json!(1)));
    refused(
        &world.api.patch(&path(&b), &json!({ "data": null })).await,
        &[relationship("capacity_pool", "can't be blank")],
    );
    let included = world.api.get(&format!("/capacity_pools/{two}?include=shared_capacity_groups")).await;
    assert_eq!(included.at("/included/0/id"), json!(b));
}

#[tokio::test]
async fn two_groups_that_take_the_last_channels_at_once_do_not_share_them() {
    let world = World::start().await;
    let pool = pool(&world, "One", 10).await;
    let bodies: Vec<Value> = (0..6).map(|number| group(&format!("G{number}"), &pool, 4)).collect();
    let answers =
        futures_util::future::join_all(bodies.iter().map(|body| world.api.post(SHARED, body))).await;
    let accepted = answers.iter().filter(|answer| answer.status == 201).count();
    let answers: Vec<(u16, &str)> =
        answers.iter().map(|answer| (answer.status, answer.text.as_str())).collect();
    assert_eq!((accepted, assigned(&world, &pool).await), (2, json!(8)), "{answers:?}");
}

#[tokio::test]
async fn a_group_has_a_name_a_pool_and_whole_numbers_of_channels() {
    let world = World::start().await;
    let pool = pool(&world, "One", 10).await;
    made(&world, &group("A", &pool, 1)).await;
    refused(
        &world.api.post(SHARED, &group("A", &pool, 1)).await,
        &[attribute("name", "has already been taken")],
    );
    let none = resource("shared_capacity_groups", json!({ "name": "B" }));
    refused(&world.api.post(SHARED, &none).await, &[relationship("capacity_pool", "can't be blank")]);
    refused(
        &world.api.post(SHARED, &group("B", UNKNOWN, 1)).await,
        &[relationship("capacity_pool", "is invalid")],
    );
    let metered = |value: Value| with(group("B", &pool, 1), json!({ "metered_channels_count": value }));
    for (sent, message) in
        [(json!(null), "is not a number"), (json!(-1), "must be greater than or equal to 0")]
    {
        refused(
            &world.api.post(SHARED, &metered(sent)).await,
            &[attribute("metered_channels_count", message)],
        );
    }
    let older = world.api.at(Some(OLD)).post(SHARED, &metered(json!(null))).await;
    assert_eq!((older.status, older.at("/data/attributes/metered_channels_count")), (201, Value::Null));
    let unnamed = world.api.at(Some(OLD)).post(SHARED, &group("C", &pool, 1)).await;
    assert_eq!((unnamed.status, unnamed.at("/data/attributes/metered_channels_count")), (201, json!(0)));
}

#[tokio::test]
async fn a_number_that_joins_a_group_leaves_its_pool_and_its_former_group() {
    let world = World::start().await;
    let pool = pool(&world, "One", 30).await;
    let [first, second] = [world.did("37061498222").await, world.did("37061498223").await];
    let own = update("dids", &first, json!({ "dedicated_channels_count": 4 }));
    let own = linking(own, "capacity_pool", identifier("capacity_pools", &pool));
    assert_eq!(world.api.patch(&format!("{DIDS}/{first}"), &own).await.status, 200);
    assert_eq!(assigned(&world, &pool).await, 4);

    let body = linking(group("A", &pool, 5), "dids", dids(&[&first, &second]));
    let answer = world.api.post(&format!("{SHARED}?include=dids,capacity_pool"), &body).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    assert_eq!(answer.at("/data/relationships/dids/data"), dids(&[&first, &second]));
    let a = answer.id();
    assert_eq!(assigned(&world, &pool).await, 5);
    let of_first =
        world.api.get(&format!("{DIDS}/{first}?include=capacity_pool,shared_capacity_group")).await;
    assert_eq!(of_first.at("/data/relationships/capacity_pool/data"), Value::Null);
    assert_eq!(of_first.at("/data/relationships/shared_capacity_group/data/id"), json!(a));

    let b = made(&world, &linking(group("B", &pool, 1), "dids", dids(&[&second]))).await;
    let members =
        async |id: &str| world.api.get(&format!("{SHARED}/{id}/relationships/dids")).await.at("/data");
    assert_eq!((members(&a).await, members(&b).await), (dids(&[&first]), dids(&[&second])));
    let path = format!("{SHARED}/{b}/relationships/dids");
    let both = json!({ "data": dids(&[&first]) }).to_string();
    assert_eq!(world.api.send(Method::POST, &path, &both).await.status, 204);
    assert_eq!((members(&a).await, members(&b).await), (json!([]), dids(&[&first, &second])));
    let listed = world.api.get(&format!("{DIDS}?filter[shared_capacity_group.id]={b}")).await;
    assert_eq!(listed.at("/meta/total_records"), 2);
}

#[tokio::test]
async fn a_number_that_is_blocked_or_terminated_joins_no_group() {
    let world = World::start().await;
    let pool = pool(&world, "One", 30).await;
    let did = world.did("37061498222").await;
    let path = format!("{DIDS}/{did}");
    let ended = update("dids", &did, json!({ "terminated": true }));
    assert_eq!(world.api.patch(&path, &ended).await.status, 200);
    let message = "cannot be applied to shared capacity group";
    let body = linking(group("A", &pool, 5), "dids", dids(&[&did]));
    refused(&world.api.post(SHARED, &body).await, &[relationship("dids/0", message)]);
    let id = made(&world, &group("A", &pool, 5)).await;
    let to = |body| linking(body, "shared_capacity_group", identifier("shared_capacity_groups", &id));
    let answer = world.api.patch(&path, &to(update("dids", &did, json!({})))).await;
    refused(&answer, &[relationship("shared_capacity_group", message)]);
    let restored = to(update("dids", &did, json!({ "terminated": false })));
    assert_eq!(world.api.patch(&path, &restored).await.status, 200);
}

#[tokio::test]
async fn a_group_with_numbers_is_not_deleted_and_one_without_gives_its_channels_back() {
    let world = World::start().await;
    let pool = pool(&world, "One", 30).await;
    let did = world.did("37061498222").await;
    for (name, version) in [("A", OLD), ("B", NEW), ("C", TOKENS)] {
        let api = world.api.at(Some(version));
        let id = made(&world, &linking(group(name, &pool, 5), "dids", dids(&[&did]))).await;
        let path = format!("{SHARED}/{id}");
        let in_use = "The capacity group cannot be removed while active numbers are assigned to it";
        refused(&api.delete(&path).await, &[Expected::record(in_use)]);
        let clear = json!({ "data": null });
        let of_did = format!("{DIDS}/{did}/relationships/shared_capacity_group");
        assert_eq!(api.patch(&of_did, &clear).await.status, 204);
        assert_eq!((api.delete(&path).await.status, assigned(&world, &pool).await), (204, json!(0)));
    }
}

#[tokio::test]
async fn a_number_takes_channels_only_of_a_pool_that_has_its_country() {
    let world = World::start().await;
    let (control, owner) = (world.server.control(), Some(world.server.account()));
    let (mut countries, mut numbers) = (Vec::new(), Vec::new());
    for (name, iso, number) in [("Lithuania", "LT", "37061498222"), ("Latvia", "LV", "37161498222")] {
        let country = RecordMembers::default().attribute("name", name).attribute("iso", iso);
        let country = control.put_record(None, "countries", None, country).await.unwrap();
        let area = RecordMembers::default().attribute("area_name", name).relationship("country", [country]);
        let area = control.put_record(None, "did_groups", None, area).await.unwrap();
        let did = RecordMembers::default().attribute("number", number).relationship("did_group", [area]);
        numbers.push(control.put_record(owner, "dids", None, did).await.unwrap().to_string());
        countries.push(country);
    }
    let [here, abroad] = [numbers[0].as_str(), numbers[1].as_str()];
    let local = RecordMembers::default().attribute("name", "Local").attribute("total_channels_count", 30);
    let local = local.relationship("countries", [countries[0]]);
    let local = control.put_record(owner, "capacity_pools", None, local).await.unwrap().to_string();
    let anywhere = pool(&world, "Anywhere", 30).await;
    let of_local = made(&world, &group("Of local", &local, 1)).await;
    let of_anywhere = made(&world, &group("Of anywhere", &anywhere, 1)).await;
    for (country, total) in [(countries[0], 1), (countries[1], 0)] {
        let found = world.api.get(&format!("/capacity_pools?filter[country.id]={country}")).await;
        assert_eq!(found.at("/meta/total_records"), total);
    }

    let into = |did: &str, name: &str, kind: &str, id: &str| {
        linking(update("dids", did, json!({})), name, identifier(kind, id))
    };
    let to_pool = |did: &str, id: &str| into(did, "capacity_pool", "capacity_pools", id);
    let to_group = |did: &str, id: &str| into(did, "shared_capacity_group", "shared_capacity_groups", id);
    let path = |did: &str| format!("{DIDS}/{did}");
    let of_column = |name: &str| attribute(name, "is not allowed for DID country");
    let at_place =
        |place: &str| relationship(&format!("dids/{place}"), "cannot be applied to shared capacity group");
    for version in [OLD, NEW, TOKENS] {
        let api = world.api.at(Some(version));
        let answer = api.patch(&path(abroad), &to_pool(abroad, &local)).await;
        refused(&answer, &[of_column("capacity_pool_id")]);
        let answer = api.patch(&path(abroad), &to_group(abroad, &of_local)).await;
        refused(&answer, &[of_column("shared_capacity_group_id")]);
        let linkage = json!({ "data": identifier("shared_capacity_groups", &of_local) });
        let endpoint = format!("{}/relationships/shared_capacity_group", path(abroad));
        refused(&api.patch(&endpoint, &linkage).await, &[of_column("shared_capacity_group_id")]);

        let new = linking(group("New", &local, 1), "dids", dids(&[here, abroad]));
        refused(&api.post(SHARED, &new).await, &[at_place("1")]);
        let of_stored = update("shared_capacity_groups", &of_local, json!({}));
        let all = linking(of_stored, "dids", dids(&[abroad, here]));
        refused(&api.patch(&format!("{SHARED}/{of_local}"), &all).await, &[at_place("0")]);
        let endpoint = format!("{SHARED}/{of_local}/relationships/dids");
        refused(&api.post(&endpoint, &json!({ "data": dids(&[abroad]) })).await, &[at_place("0")]);

        // What is not known is no obstacle: a pool without countries, and a number without a group.
        for (did, pool) in [(here, &local), (abroad, &anywhere)] {
            assert_eq!(api.patch(&path(did), &to_pool(did, pool)).await.status, 200, "{version}");
        }
        for (did, id) in [(here, &of_local), (abroad, &of_anywhere)] {
            assert_eq!(api.patch(&path(did), &to_group(did, id)).await.status, 200, "{version}");
        }
    }
    let unknown = world.did("12125550143").await;
    assert_eq!(world.api.patch(&path(&unknown), &to_group(&unknown, &of_local)).await.status, 200);
}
