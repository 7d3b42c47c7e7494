//! `cdr_exports`, as exports are called up to 2021-04-19: files of inbound calls alone, without a type.

use std::time::Duration;

use didww_types::ApiVersion;
use http::{Method, header};
use reqwest::Response;
use serde_json::{Value, json};
use trunk_server::Clock;

use crate::support::api::{Answer, Api, NEW, OLD};
use crate::support::engine;
use crate::support::world::*;

const CDR_EXPORTS: &str = "/cdr_exports";
const VERSIONS: [&str; 2] = ["2017-09-18", "2021-04-19"];

/// The recorded traffic of this time, in the official PHP SDK's test data.
const REQUEST: &str = include_str!("../../../fixtures/2017-09-18/cdr_exports.create.request.json");
const CREATED: &str = include_str!("../../../fixtures/2017-09-18/cdr_exports.create.response.json");
const LISTED: &str = include_str!("../../../fixtures/2017-09-18/cdr_exports.list.response.json");
const RECORDED_AT: &str = "2019-01-02T10:23:00.897Z";

/// A server whose clock stands at the time of the recordings, and whose account is at the oldest version, so that a
/// request can select any.
async fn open() -> World {
    let clock = Clock::system();
    clock.freeze(Some(RECORDED_AT.parse().unwrap()));
    World::of(engine::builder().version(ApiVersion::V2017_09_18).clock(clock)).await
}

fn recorded(text: &str, place: &str) -> Value {
    let document: Value = serde_json::from_str(text).unwrap();
    document.pointer(place).unwrap().clone()
}

fn export(filters: Value) -> Value {
    resource("cdr_exports", json!({ "filters": filters }))
}

async fn made(api: &Api, body: &Value) -> String {
    let answer = api.post(CDR_EXPORTS, body).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    answer.id()
}

/// Lets time pass, and waits for the file. Returns what the export shows.
async fn completed(world: &World, api: &Api, id: &str) -> Value {
    world.server.control().clock().advance(Duration::from_secs(5));
    let path = format!("{CDR_EXPORTS}/{id}");
    let done = async {
        loop {
            let shown = api.get(&path).await.at("/data/attributes");
            if shown["status"] == "Completed" {
                return shown;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), done).await.unwrap()
}

/// The path of the file below the address of the API.
fn file(api: &Api, shown: &Value) -> String {
    let url = shown["url"].as_str().unwrap();
    url.strip_prefix(api.base()).unwrap_or_else(|| panic!("{url} is elsewhere")).to_owned()
}

async fn download(api: &Api, path: &str) -> Response {
    api.request(Method::GET, path).send().await.unwrap()
}

#[tokio::test]
async fn an_export_is_created_and_listed_as_recorded() {
    for version in VERSIONS {
        let world = open().await;
        let api = world.api.at(Some(version));
        let created = api.send(Method::POST, CDR_EXPORTS, REQUEST).await;
        assert_eq!((created.status, created.at("/data/type")), (201, json!("cdr_exports")));
        let mut expected = recorded(CREATED, "/data/attributes");
        let mut listed = recorded(LISTED, "/data/0/attributes");
        if version == "2021-04-19" {
            // The callback of an export begins with this version.
            for attributes in [&mut expected, &mut listed] {
                attributes["callback_url"] = Value::Null;
                attributes["callback_method"] = Value::Null;
            }
        }
        assert_eq!(created.at("/data/attributes"), expected, "{version}");
        let shown = completed(&world, &api, &created.id()).await;
        listed["url"] = shown["url"].clone();
        let list = api.get(&format!("{CDR_EXPORTS}?sort=-created_at,status")).await;
        assert_eq!((list.at("/meta/total_records"), list.at("/data/0/attributes")), (json!(1), listed));
        assert_eq!(list.at("/meta/api_version"), version);
    }
}

#[tokio::test]
async fn a_file_is_plain_text_with_the_recorded_columns_below_the_path_of_then() {
    let world = open().await;
    for version in VERSIONS {
        let api = world.api.at(Some(version));
        let shown =
            completed(&world, &api, &made(&api, &export(json!({ "year": 2019, "month": 1 }))).await).await;
        assert_eq!(shown["filters"], json!({ "year": "2019", "month": "1" }), "numbers are shown as texts");
        let path = file(&api, &shown);
        let id = path.strip_prefix("/cdr_exports/").unwrap().strip_suffix(".csv").unwrap();
        // A version has no part in a download.
        for api in [api.clone(), world.api.at(Some(NEW)), world.api.at(None)] {
            let request = api.request(Method::GET, &path).header("Accept", "text/csv");
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), 200);
            assert_eq!(answer.headers()[header::CONTENT_TYPE], "application/octet-stream");
            let disposition = answer.headers()[header::CONTENT_DISPOSITION].to_str().unwrap().to_owned();
            assert_eq!(disposition, format!("attachment; filename=\"{id}.csv\""));
            let text = answer.text().await.unwrap();
            assert_eq!((text.lines().count(), text.split(',').count()), (1, 13), "{text}");
            assert!(text.starts_with("Date/Time (UTC),Source,DID,Destination,Duration (secs),"), "{text}");
        }
        // The same file has no other form.
        let compressed = format!("/exports/{id}.csv.gz");
        refused(&Answer::of(download(&api, &compressed).await).await, &[not_found(&format!("{id}.csv.gz"))]);
        let anonymous = Answer::of(download(&api.with_key(None), &path).await).await;
        refused(&anonymous, &[unauthorised()]);
    }
}

#[tokio::test]
async fn a_compressed_file_is_not_below_the_path_of_plain_ones() {
    let world = open().await;
    let api = world.api.at(Some(OLD));
    let body =
        resource("exports", json!({ "export_type": "cdr_in", "filters": { "year": 2019, "month": 1 } }));
    let answer = api.post("/exports", &body).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    let oldest = world.api.at(None);
    let shown = completed(&world, &oldest, &answer.id()).await;
    let path = file(&oldest, &shown);
    let id = path.strip_prefix("/exports/").unwrap().strip_suffix(".csv.gz").unwrap();
    let plain = Answer::of(download(&oldest, &format!("{CDR_EXPORTS}/{id}.csv")).await).await;
    refused(&plain, &[not_found(&format!("{id}.csv"))]);
    assert_eq!(download(&oldest, &path).await.status(), 200);
}

#[tokio::test]
async fn an_export_has_one_name_in_each_version_and_is_one_of_inbound_calls() {
    let world = open().await;
    let oldest = world.api.at(None);
    let id = made(&oldest, &export(json!({ "year": "2019", "month": "01" }))).await;
    for version in ["2021-12-15", "2022-05-10", "2026-04-16"] {
        let api = world.api.at(Some(version));
        let shown = api.get(&format!("/exports/{id}")).await;
        assert_eq!(shown.at("/data/attributes/export_type"), "cdr_in", "{version}: {}", shown.text);
        refused(&api.get(&format!("{CDR_EXPORTS}/{id}")).await, &[no_route()]);
    }
    let body = export(json!({ "year": 2019, "month": 1 }));
    let answer = world.api.at(Some(NEW)).post("/exports", &body).await;
    assert_eq!(answer.at("/errors/0/detail"), "cdr_exports is not a valid resource.", "{}", answer.text);
    for version in VERSIONS {
        let api = world.api.at(Some(version));
        refused(&api.get(&format!("/exports/{id}")).await, &[no_route()]);
        let present = resource("exports", json!({ "filters": { "year": 2019, "month": 1 } }));
        let answer = api.post(CDR_EXPORTS, &present).await;
        assert_eq!(answer.at("/errors/0/detail"), "exports is not a valid resource.", "{}", answer.text);
        let path = format!("{CDR_EXPORTS}/{id}");
        refused(&api.patch(&path, &update("cdr_exports", &id, json!({}))).await, &[no_route()]);
        refused(&api.delete(&path).await, &[no_route()]);
    }
    // An export of a newer version is shown with the filters that it has.
    let filters = json!({ "from": "2019-01-01 00:00:00", "to": "2019-01-02 00:00:00" });
    let newer = resource("exports", json!({ "export_type": "cdr_out", "filters": filters }));
    let newer = world.api.at(Some(NEW)).post("/exports", &newer).await;
    let shown = oldest.get(&format!("{CDR_EXPORTS}/{}", newer.id())).await;
    assert_eq!(shown.at("/data/attributes/filters"), filters, "{}", shown.text);
    assert!(!shown.text.contains("export_type"), "{}", shown.text);
}

#[tokio::test]
async fn an_export_has_a_month_a_number_and_from_2021_04_19_on_a_callback() {
    let world = open().await;
    let month = || json!({ "year": "2019", "month": "01" });
    let with_filter = |name: &str, value: Value| {
        let mut filters = month();
        filters[name] = value;
        export(filters)
    };
    for version in VERSIONS {
        let api = world.api.at(Some(version));
        for (body, message) in [
            (export(json!({ "month": "01" })), "year not valid"),
            (with_filter("month", json!("10")), "month must be within the current and 2 previous months"),
            (with_filter("day", json!(2)), "day not valid"),
            (with_filter("voice_out_trunk.id", json!(UNKNOWN)), "voice_out_trunk.id not valid"),
        ] {
            refused(&api.post(CDR_EXPORTS, &body).await, &[attribute("filters", message)]);
        }
        let none = api.post(CDR_EXPORTS, &resource("cdr_exports", json!({ "url": null }))).await;
        refused(&none, &[not_allowed("url")]);
        let none = api.post(CDR_EXPORTS, &resource("cdr_exports", json!({}))).await;
        refused(&none, &[attribute("filters", "can't be blank")]);
        let typed = with(export(month()), json!({ "export_type": "cdr_in" }));
        refused(&api.post(CDR_EXPORTS, &typed).await, &[not_allowed("export_type")]);
        assert_eq!(api.get(CDR_EXPORTS).await.at("/meta/total_records"), 0, "{version}");
    }
    let callback = json!({ "callback_url": "http://example.com", "callback_method": "GET" });
    let [oldest, later] = VERSIONS.map(|version| world.api.at(Some(version)));
    for name in ["callback_url", "callback_method"] {
        let body = with(export(month()), json!({ name: callback[name] }));
        refused(&oldest.post(CDR_EXPORTS, &body).await, &[not_allowed(name)]);
    }
    let body = with(export(month()), callback);
    let shown = later.get(&format!("{CDR_EXPORTS}/{}", made(&later, &body).await)).await;
    assert_eq!(shown.at("/data/attributes/callback_url"), "http://example.com");
    assert_eq!(shown.at("/data/attributes/callback_method"), "GET");
    let alone = without(body, "callback_method");
    refused(&later.post(CDR_EXPORTS, &alone).await, &[attribute("callback_method", "can't be blank")]);
}
