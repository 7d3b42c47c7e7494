//! Numbers in stock, and their reservations: who sees them, who holds them, and until when.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use trunk_server::control::{NewAccount, RecordMembers};
use uuid::Uuid;

use crate::support::api::{Answer, Api, NEW};
use crate::support::world::*;

const STOCK: &str = "/available_dids";
const RESERVATIONS: &str = "/did_reservations";

/// A DID group with this many numbers in stock, which begin with a prefix. Returns its id and theirs.
async fn stock(world: &World, prefix: &str, numbers: usize) -> (String, Vec<String>) {
    let control = world.server.control();
    let group = RecordMembers::default()
        .attribute("area_name", format!("Area {prefix}"))
        .meta("available_dids_enabled", true)
        .meta("is_available", true)
        .meta("total_count", numbers);
    let group = control.put_record(None, "did_groups", None, group).await.unwrap();
    let mut ids = Vec::new();
    for index in 0..numbers {
        let number = RecordMembers::default()
            .attribute("number", format!("{prefix}{index:04}"))
            .relationship("did_group", [group]);
        ids.push(control.put_record(None, "available_dids", None, number).await.unwrap().to_string());
    }
    (group.to_string(), ids)
}

async fn listed(api: &Api, query: &str) -> BTreeSet<String> {
    let answer = api.get(&format!("{STOCK}?{query}")).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let data = answer.at("/data");
    data.as_array().unwrap().iter().map(|number| number["id"].as_str().unwrap().to_owned()).collect()
}

fn holding(number: &str) -> Value {
    let body = resource("did_reservations", json!({ "description": "For the shop" }));
    linking(body, "available_did", identifier("available_dids", number))
}

async fn reserve(api: &Api, number: &str) -> Answer {
    api.post(RESERVATIONS, &holding(number)).await
}

/// A client of another account of the server, and the account's id.
async fn neighbour(world: &World) -> (Api, Uuid) {
    let (account, key) = world.server.control().create_account(NewAccount::named("other")).await.unwrap();
    (world.api.with_key(Some(key.expose())), account.id)
}

/// Waits until a record is gone.
async fn until_gone(api: &Api, path: &str) {
    let gone = async {
        while api.get(path).await.status != 404 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), gone).await.unwrap();
}

#[tokio::test]
async fn a_list_of_numbers_is_a_sample_in_random_order_with_the_number_of_all() {
    let world = World::start().await;
    let (_, ids) = stock(&world, "3706149", 60).await;
    let first = world.api.get(STOCK).await;
    assert_eq!((first.at("/meta/total_count"), first.at("/links")), (json!(60), Value::Null));
    assert_eq!(first.at("/meta/total_records"), Value::Null);
    assert_eq!(first.at("/data").as_array().unwrap().len(), 50);
    let mut orders = BTreeSet::from([first.at("/data").to_string()]);
    let mut seen = listed(&world.api, "").await;
    // A sample begins at one of eleven places, and the first number and the last are in one of them alone.
    for _ in 0..500 {
        if seen.len() == ids.len() && orders.len() > 1 {
            break;
        }
        let answer = world.api.get(STOCK).await;
        orders.insert(answer.at("/data").to_string());
        seen.extend(listed(&world.api, "").await);
    }
    assert!(orders.len() > 1, "every list has the same order");
    assert_eq!(seen, ids.into_iter().collect(), "every number is in some sample");
    let sorted = world.api.get(&format!("{STOCK}?sort=number")).await;
    assert_eq!((sorted.status, sorted.at("/errors/0/code")), (400, json!("114")));
}

#[tokio::test]
async fn a_part_of_a_number_has_three_digits_or_stands_beside_a_filter_of_a_place() {
    let world = World::start().await;
    let (group, ids) = stock(&world, "3706149", 3).await;
    stock(&world, "4420", 2).await;
    assert_eq!(listed(&world.api, "filter[number_contains]=490001").await, [ids[1].clone()].into());
    let beside = format!("filter[number_contains]=2&filter[did_group.id]={group}");
    assert_eq!(listed(&world.api, &beside).await, [ids[2].clone()].into());
    for short in ["37", ""] {
        let answer = world.api.get(&format!("{STOCK}?filter[number_contains]={short}")).await;
        assert_eq!((answer.status, answer.at("/errors/0/code")), (400, json!("107")), "{}", answer.text);
        let beside = format!("{STOCK}?filter[number_contains]={short}&filter[nanpa_prefix.id]={UNKNOWN}");
        assert_eq!(world.api.get(&beside).await.status, 400, "a prefix is no place");
    }
    for place in ["country.id", "region.id", "city.id"] {
        let beside = format!("filter[number_contains]=2&filter[{place}]={UNKNOWN}");
        assert_eq!(listed(&world.api, &beside).await, BTreeSet::new());
    }
}

#[tokio::test]
async fn a_reserved_number_is_neither_listed_nor_reserved_again_until_it_is_given_back() {
    let world = World::start().await;
    let (other, _) = neighbour(&world).await;
    let (_, ids) = stock(&world, "3706149", 2).await;
    let made = reserve(&world.api, &ids[0]).await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert_eq!(made.at("/data/attributes/description"), "For the shop");
    assert_eq!(made.at("/meta"), json!({ "api_version": NEW }));
    for api in [&world.api, &other] {
        assert_eq!(listed(api, "").await, [ids[1].clone()].into());
        assert_eq!(listed(api, &format!("filter[id]={}", ids[0])).await, BTreeSet::new());
        refused(&reserve(api, &ids[0]).await, &[relationship("available_did", "is invalid")]);
    }
    let path = format!("{RESERVATIONS}/{}", made.id());
    let shown = world.api.get(&format!("{path}?include=available_did.did_group")).await;
    assert_eq!(shown.at("/data/relationships/available_did/data/id"), ids[0]);
    assert_eq!(shown.at("/included").as_array().unwrap().len(), 2, "{}", shown.text);
    refused(&other.get(&path).await, &[not_found(&made.id())]);
    refused(&other.delete(&path).await, &[not_found(&made.id())]);
    assert_eq!(world.api.delete(&path).await.status, 204);
    assert_eq!(listed(&other, "").await, ids.iter().cloned().collect());
    assert_eq!(reserve(&other, &ids[0]).await.status, 201);
}

#[tokio::test]
async fn a_reservation_ends_ten_minutes_later_on_the_servers_clock() {
    let world = World::start().await;
    let control = world.server.control();
    let clock = control.clock();
    clock.freeze(None);
    let (_, ids) = stock(&world, "3706149", 1).await;
    let made = reserve(&world.api, &ids[0]).await;
    let path = format!("{RESERVATIONS}/{}", made.id());
    let time = |name: &str| -> didww_types::Timestamp {
        made.at(&format!("/data/attributes/{name}")).as_str().unwrap().parse().unwrap()
    };
    assert_eq!(time("created_at").after(Duration::from_mins(10)), time("expires_at"));
    clock.advance(Duration::from_millis(10 * 60_000 - 1));
    assert_eq!(world.api.get(&path).await.status, 200);
    assert_eq!(listed(&world.api, "").await, BTreeSet::new());
    clock.advance(Duration::from_millis(1));
    until_gone(&world.api, &path).await;
    assert_eq!(listed(&world.api, "").await, [ids[0].clone()].into());
    assert_eq!(reserve(&world.api, &ids[0]).await.status, 201);
}

#[tokio::test]
async fn an_account_holds_ten_numbers_at_most_and_sees_how_many_are_left() {
    let world = World::start().await;
    let (_, ids) = stock(&world, "3706149", 11).await;
    assert_eq!(world.api.get(RESERVATIONS).await.at("/meta/available_count"), 10);
    let mut last = String::new();
    for (held, id) in (1..=10).zip(&ids) {
        last = reserve(&world.api, id).await.id();
        let page = world.api.get(&format!("{RESERVATIONS}?filter[description]=shop&page[size]=1")).await;
        let counts = (page.at("/meta/available_count"), page.at("/meta/total_records"));
        assert_eq!(counts, (json!(10 - held), json!(held)));
    }
    let one = world.api.get(&format!("{RESERVATIONS}/{last}")).await;
    assert_eq!(one.at("/meta"), json!({ "available_count": 0, "api_version": NEW }));
    let refusal = reserve(&world.api, &ids[10]).await;
    assert_eq!((refusal.status, refusal.at("/errors/0/code")), (422, json!("100")), "{}", refusal.text);
    assert_eq!(world.api.delete(&format!("{RESERVATIONS}/{last}")).await.status, 204);
    assert_eq!(reserve(&world.api, &ids[10]).await.status, 201);
}

#[tokio::test]
async fn a_reservation_of_an_older_version_ends_with_expire_at() {
    let world = World::start().await;
    let (_, ids) = stock(&world, "3706149", 1).await;
    let made = reserve(&world.api.at(Some("2022-05-10")), &ids[0]).await;
    let names: Vec<String> = made.at("/data/attributes").as_object().unwrap().keys().cloned().collect();
    assert_eq!(names, ["created_at", "description", "expire_at"], "{}", made.text);
    let newer = world.api.get(&format!("{RESERVATIONS}/{}", made.id())).await;
    assert_eq!(newer.at("/data/attributes/expires_at"), made.at("/data/attributes/expire_at"));
    for version in ["2022-05-10", NEW] {
        let sorted = world.api.at(Some(version)).get(&format!("{RESERVATIONS}?sort=-expire_at")).await;
        assert_eq!(sorted.status, 200, "{}", sorted.text);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_simultaneous_reservations_of_a_number_one_succeeds() {
    let world = World::start().await;
    let (other, _) = neighbour(&world).await;
    let (_, ids) = stock(&world, "3706149", 8).await;
    for id in ids {
        let attempts = (0..6).map(|index| {
            let (api, id) = (if index % 2 == 0 { world.api.clone() } else { other.clone() }, id.clone());
            tokio::spawn(async move { reserve(&api, &id).await })
        });
        let answers = futures_util::future::join_all(attempts).await;
        let mut statuses: Vec<u16> = answers.into_iter().map(|answer| answer.unwrap().status).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 422, 422, 422, 422, 422]);
    }
}

#[tokio::test]
async fn a_deleted_account_gives_its_numbers_back() {
    let world = World::start().await;
    let (other, account) = neighbour(&world).await;
    let (_, ids) = stock(&world, "3706149", 1).await;
    assert_eq!(reserve(&other, &ids[0]).await.status, 201);
    assert_eq!(listed(&world.api, "").await, BTreeSet::new());
    world.server.control().delete_account(account).await.unwrap();
    assert_eq!(listed(&world.api, "").await, [ids[0].clone()].into());
    assert_eq!(reserve(&world.api, &ids[0]).await.status, 201);
}
