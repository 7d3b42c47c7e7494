//! Exports: their types and filters in each version, the files, and the access to them.

use std::io::Read as _;
use std::time::Duration;

use flate2::read::MultiGzDecoder;
use http::{Method, header};
use reqwest::Response;
use serde_json::{Value, json};
use trunk_server::control::NewAccount;

use crate::support::api::{Answer, Api, NEW, OLD, TOKENS};
use crate::support::world::*;

const EXPORTS: &str = "/exports";
const DAY: Duration = Duration::from_hours(24);
const INVALID_TOKEN: &str =
    r#"{"errors":[{"title":"Invalid token","detail":"Invalid token","code":"401","status":"401"}]}"#;

/// A server with a frozen clock, and a client at the newest version.
async fn start() -> (World, Api) {
    let world = World::start().await;
    world.server.control().clock().freeze(Some("2026-11-29T12:00:00.000Z".parse().unwrap()));
    let api = world.api.at(Some(TOKENS));
    (world, api)
}

fn export(kind: &str, further: Value) -> Value {
    let mut filters = json!({ "from": "2026-11-01 00:00:00", "to": "2026-11-29 12:00:00" });
    filters.as_object_mut().unwrap().extend(further.as_object().unwrap().clone());
    resource("exports", json!({ "export_type": kind, "filters": filters }))
}

async fn made(api: &Api, body: &Value) -> String {
    let answer = api.post(EXPORTS, body).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    assert_eq!(
        (answer.at("/data/attributes/status"), answer.at("/data/attributes/url")),
        (json!("pending"), Value::Null)
    );
    answer.id()
}

/// Lets time pass, and waits for the file. Returns the path of the file below the address of the API.
async fn completed(world: &World, api: &Api, id: &str) -> String {
    world.server.control().clock().advance(Duration::from_secs(5));
    let path = format!("{EXPORTS}/{id}");
    let done = async {
        loop {
            let shown = api.get(&path).await.at("/data/attributes");
            if shown["status"] == "completed" {
                return shown["url"].as_str().unwrap().to_owned();
            }
            tokio::task::yield_now().await;
        }
    };
    let url = tokio::time::timeout(Duration::from_secs(30), done).await.unwrap();
    let file = url.strip_prefix(api.base()).unwrap_or_else(|| panic!("{url} is elsewhere")).to_owned();
    assert!(file.ends_with(".csv.gz") && !file.contains(id), "{file}");
    file
}

async fn download(api: &Api, path: &str) -> Response {
    api.request(Method::GET, path).send().await.unwrap()
}

async fn text(response: Response) -> String {
    assert_eq!(response.status(), 200);
    let headers = response.headers().clone();
    assert_eq!(headers[header::CONTENT_TYPE], "application/gzip");
    assert!(headers[header::CONTENT_DISPOSITION].to_str().unwrap().starts_with("attachment; filename=\""));
    let mut text = String::new();
    MultiGzDecoder::new(response.bytes().await.unwrap().as_ref()).read_to_string(&mut text).unwrap();
    text
}

fn of_filters(message: &str) -> Expected {
    attribute("filters", message)
}

#[tokio::test]
async fn n28_a_file_is_downloaded_with_either_credential() {
    let (world, api) = start().await;
    let file = completed(&world, &api, &made(&api, &export("cdr_in", json!({}))).await).await;
    // The key alone, at the version that has tokens, and at one before.
    for version in [Some(TOKENS), Some(NEW), None] {
        let text = text(download(&api.at(version), &file).await).await;
        assert_eq!((text.lines().count(), text.split(',').count()), (1, 25), "{version:?}");
        assert!(text.starts_with("Date/Time Start (UTC),") && text.ends_with(",Call ID\n"), "{text}");
        assert!(text.contains(",Source Number,Source Number Out,Source Name,Source Country,"), "{text}");
    }
    // A header that a gateway adds takes nothing from the key, also at the version that has tokens.
    for version in [Some(TOKENS), Some(NEW), None] {
        let request = api.at(version).request(Method::GET, &file).bearer_auth("of-a-gateway");
        assert_eq!(text(request.send().await.unwrap()).await.lines().count(), 1, "{version:?}");
    }
    let request = api.with_key(Some("wrong")).request(Method::GET, &file).bearer_auth("garbage");
    let answer = Answer::of(request.send().await.unwrap()).await;
    assert_eq!((answer.status, answer.text.as_str()), (401, INVALID_TOKEN));
    let token = api.token(&json!({ "scope": "read" })).await;
    let request = api.with_key(None).at(None).request(Method::GET, &file).bearer_auth(token);
    assert_eq!(text(request.send().await.unwrap()).await.lines().count(), 1);
    let head = api.request(Method::HEAD, &file).send().await.unwrap();
    assert_eq!(head.status(), 200);
    assert_eq!(head.headers()[header::CONTENT_TYPE], "application/gzip");
}

#[tokio::test]
async fn a_file_keeps_the_columns_of_the_version_of_its_export() {
    let (world, api) = start().await;
    for (version, columns) in [(NEW, 22), (TOKENS, 25)] {
        let made_at = api.at(Some(version));
        let file = completed(&world, &made_at, &made(&made_at, &export("cdr_in", json!({}))).await).await;
        for read_at in [NEW, TOKENS] {
            let text = text(download(&api.at(Some(read_at)), &file).await).await;
            assert_eq!(text.split(',').count(), columns, "made at {version}, read at {read_at}: {text}");
        }
    }
}

#[tokio::test]
async fn n29_and_n30_a_refused_key_has_no_body_and_a_refused_token_has_a_document() {
    let (world, api) = start().await;
    let file = completed(&world, &api, &made(&api, &export("cdr_in", json!({}))).await).await;
    for wrong in [api.with_key(Some("wrong")), api.with_key(None)] {
        for version in [Some(TOKENS), None] {
            let answer = Answer::of(download(&wrong.at(version), &file).await).await;
            assert_eq!((answer.status, answer.text.as_str()), (401, ""), "{version:?}");
            assert_eq!(answer.headers.get(header::WWW_AUTHENTICATE), None);
        }
    }
    let request = api.with_key(None).at(Some(TOKENS)).request(Method::GET, &file).bearer_auth("garbage");
    let answer = Answer::of(request.send().await.unwrap()).await;
    assert_eq!((answer.status, answer.text.as_str()), (401, INVALID_TOKEN));
    assert_eq!(answer.headers[header::WWW_AUTHENTICATE], "Bearer error=\"invalid_token\"");
}

#[tokio::test]
async fn n31_a_file_that_is_none_of_the_accounts_is_not_found() {
    let (world, api) = start().await;
    let id = made(&api, &export("cdr_in", json!({}))).await;
    let file = completed(&world, &api, &id).await;
    let (_, key) = world.server.control().create_account(NewAccount::named("other")).await.unwrap();
    let other = api.with_key(Some(key.expose())).at(Some(TOKENS));
    let (_, name) = file.rsplit_once('/').unwrap();
    let unknown = format!("{UNKNOWN}.csv.gz");
    for (api, name) in [(&other, name), (&api, unknown.as_str()), (&api, "x.csv.gz")] {
        let answer = Answer::of(download(api, &format!("{EXPORTS}/{name}")).await).await;
        refused(&answer, &[not_found(name)]);
    }
    refused(&other.get(&format!("{EXPORTS}/{id}")).await, &[not_found(&id)]);
    refused(&api.delete(&format!("{EXPORTS}/{id}")).await, &[no_route()]);
}

#[tokio::test]
async fn a_file_is_gone_with_its_export_30_days_after_it_was_made() {
    let (world, api) = start().await;
    let id = made(&api, &export("cdr_out", json!({}))).await;
    let file = completed(&world, &api, &id).await;
    let clock = world.server.control().clock().clone();
    clock.advance(29 * DAY);
    assert_eq!(text(download(&api, &file).await).await.split(',').count(), 19);
    clock.advance(DAY);
    let gone = async {
        while api.get(&format!("{EXPORTS}/{id}")).await.status != 404
            || download(&api, &file).await.status() != 404
        {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), gone).await.unwrap();
}

#[tokio::test]
async fn each_type_has_its_filters_from_its_version_on() {
    let (_world, api) = start().await;
    let id = "1dd7a68b-e235-402b-8912-fe73ee14243a";
    let old = api.at(Some(NEW));
    for (kind, filters, is_old) in [
        ("cdr_in", json!({ "did_number": "12025550143" }), true),
        (
            "cdr_in",
            json!({ "source_number": "1", "source_number_out": "2", "source_country_iso": "US" }),
            false,
        ),
        ("cdr_out", json!({ "voice_out_trunk.id": id }), true),
        ("cdr_out", json!({ "source": "1", "cli": "2", "destination": "3" }), false),
        (
            "sms_in",
            json!({ "status": "Queued", "trunk_type": ["Email", "HTTP IN"], "sms_trunk.id": [id] }),
            false,
        ),
        ("sms_out", json!({ "service_type": "a2P", "sender_id_verification.id": id, "sms_id": "7" }), false),
    ] {
        let body = export(kind, filters.clone());
        let shown = api.get(&format!("{EXPORTS}/{}", made(&api, &body).await)).await;
        assert_eq!(
            shown.at("/data/attributes/filters"),
            body["data"]["attributes"]["filters"],
            "kept as sent"
        );
        assert_eq!(old.post(EXPORTS, &body).await.status, if is_old { 201 } else { 422 }, "{kind} {filters}");
    }
    for (kind, filters, broken) in [
        ("cdr_in", json!({ "voice_out_trunk.id": id }), "voice_out_trunk.id not valid"),
        ("cdr_out", json!({ "voice_out_trunk.id": "x" }), "voice_out_trunk.id not valid"),
        ("cdr_out", json!({ "year": 2026 }), "year not valid"),
        ("sms_in", json!({ "status": "In Progress" }), "status not valid"),
        ("sms_out", json!({ "service_type": "otp" }), "service_type not valid"),
        (
            "cdr_in",
            json!({ "from": "2026-08-31 23:59:59" }),
            "from must be within the current and 2 previous months",
        ),
        ("cdr_in", json!({ "from": "2026-11-29" }), "from not valid"),
        ("cdr_in", json!({ "from": "2026-11-29 12:00:00" }), "from not valid"),
        ("cdr_in", json!({ "to": "2026-11-29 12:00:01" }), "to not valid"),
    ] {
        refused(&api.post(EXPORTS, &export(kind, filters)).await, &[of_filters(broken)]);
    }
    let wrong = old.post(EXPORTS, &export("sms_in", json!({}))).await;
    refused(&wrong, &[attribute("export_type", "is not included in the list")]);
    let none = api.post(EXPORTS, &resource("exports", json!({ "export_type": "cdr_in" }))).await;
    refused(&none, &[attribute("filters", "can't be blank")]);
}

#[tokio::test]
async fn times_are_read_as_the_official_sdks_send_them_and_shown_by_the_second_in_utc() {
    let (_world, api) = start().await;
    for version in [NEW, TOKENS] {
        let api = api.at(Some(version));
        for (from, to) in [
            ("2026-11-01T00:00:00.000Z", "2026-11-29T11:59:59.000Z"),
            ("2026-11-01T00:00:00Z", "2026-11-29T11:59:59Z"),
            ("2026-11-01T00:00:00", "2026-11-29T11:59:59.900"),
            ("2026-11-01T02:00:00+02:00", "2026-11-29 11:59:59"),
        ] {
            let body = export("cdr_in", json!({ "from": from, "to": to }));
            let shown = api.get(&format!("{EXPORTS}/{}", made(&api, &body).await)).await;
            let kept = json!({ "from": "2026-11-01 00:00:00", "to": "2026-11-29 11:59:59" });
            assert_eq!(shown.at("/data/attributes/filters"), kept, "{version}: {from} to {to}");
        }
    }
    let late = export("cdr_in", json!({ "to": "2026-11-29T12:00:00-01:00" }));
    refused(&api.post(EXPORTS, &late).await, &[of_filters("to not valid")]);
}

#[tokio::test]
async fn an_export_of_an_older_version_shows_its_filters_from_2026_04_16_on() {
    let (_world, api) = start().await;
    for version in [OLD, "2022-05-10"] {
        let members = json!({ "export_type": "cdr_in", "filters": { "year": "2026", "month": "11" } });
        let made = api.at(Some(version)).post(EXPORTS, &resource("exports", members)).await;
        assert_eq!(made.status, 201, "{}", made.text);
        assert!(!made.text.contains("\"filters\""), "{}", made.text);
        let newer = api.at(Some(NEW)).get(&format!("{EXPORTS}/{}", made.id())).await;
        assert_eq!(newer.at("/data/attributes/filters/month"), "11", "{}", newer.text);
    }
}

#[tokio::test]
async fn a_callback_url_and_its_method_are_sent_together_and_only_the_reference_is_changed() {
    let (_world, api) = start().await;
    let both = json!({ "callback_url": "https://example.com/exports", "callback_method": "get" });
    for (name, missing) in [("callback_url", "callback_method"), ("callback_method", "callback_url")] {
        let body = with(export("cdr_in", json!({})), json!({ name: both[name] }));
        refused(&api.post(EXPORTS, &body).await, &[attribute(missing, "can't be blank")]);
    }
    let id = made(&api, &with(export("cdr_in", json!({})), both)).await;
    let path = format!("{EXPORTS}/{id}");
    let patched = api.patch(&path, &update("exports", &id, json!({ "external_reference_id": "x" }))).await;
    assert_eq!(patched.at("/data/attributes/external_reference_id"), "x", "{}", patched.text);
    let status = update("exports", &id, json!({ "status": "completed" }));
    refused(&api.patch(&path, &status).await, &[not_allowed("status")]);
    for (filter, found) in
        [("export_type=cdr_in,sms_in", 1), ("status=completed", 0), ("created_at_gteq=2026-11-30", 0)]
    {
        let (name, value) = filter.split_once('=').unwrap();
        let list = api.get(&format!("{EXPORTS}?filter[{name}]={value}")).await;
        assert_eq!(list.at("/meta/total_records"), found, "{filter}: {}", list.text);
        let before = api.at(Some(NEW)).get(&format!("{EXPORTS}?filter[{name}]={value}")).await;
        refused(&before, &[error(400, "102", "Filter not allowed", &format!("{name} is not allowed."))]);
    }
}
