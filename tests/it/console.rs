//! The console at the control listener: the page's headers, its access, and requests that only the console sends.

use std::time::Duration;

use http::Method;
use reqwest::Response;
use serde_json::{Value, json};
use trunk_server::config::Config;

use crate::sip::edge::{ANSWERS_AT_ONCE, DEADLINE, Edge, until};
use crate::sip::uac::Call;
use crate::support::api::{Answer, Api, http_client};
use crate::support::binary::Binary;
use crate::support::engine;

/// Subscribers of the events of a listener, as documented.
const MAX_SUBSCRIBERS: usize = 64;

/// A client of the console's files.
fn pages(control: &str) -> Api {
    Api::new(control.trim_end_matches("/control/v1"), "").with_key(None)
}

/// The events of a stream, one after the other.
struct Events {
    response: Response,
    text: String,
}

impl Events {
    async fn subscribe(control: &Api) -> Self {
        let response = control.request(Method::GET, "/events").send().await.unwrap();
        assert_eq!(response.status(), 200);
        let mut events = Self { response, text: String::new() };
        // The subscription has begun.
        assert_eq!(events.next().await.unwrap().0, "heartbeat");
        events
    }

    /// The name and the data of the next event; `None` at the end of the stream.
    async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let (name, data) = event.split_once("\ndata: ").unwrap();
                let event =
                    (name.strip_prefix("event: ").unwrap().to_owned(), serde_json::from_str(data).unwrap());
                let rest = rest.to_owned();
                self.text = rest;
                return Some(event);
            }
            let chunk = tokio::time::timeout(DEADLINE, self.response.chunk()).await.expect("an event comes");
            self.text.push_str(std::str::from_utf8(&chunk.unwrap()?).unwrap());
        }
    }

    /// The data of the next event with this name; others are skipped.
    async fn next_of(&mut self, name: &str) -> Value {
        loop {
            let (found, data) = self.next().await.expect("the stream goes on");
            if found == name {
                return data;
            }
        }
    }
}

#[tokio::test]
async fn the_page_is_served_without_the_token_and_the_data_with_it_alone() {
    let binary = Binary::start(&["--ephemeral", "--api-key", "good", "--control-token", "open"]);
    let control = Api::new(binary.control.clone().unwrap(), "").with_key(None);
    let pages = pages(control.base());
    assert!(
        binary.greeting.contains(&format!("  Console:  {}/console/\n", pages.base())),
        "{}",
        binary.greeting
    );
    for (path, kind) in [
        ("/console/", "text/html; charset=utf-8"),
        ("/console/app.js", "text/javascript; charset=utf-8"),
        ("/console/views/calls.js", "text/javascript; charset=utf-8"),
        ("/console/views/journal.js", "text/javascript; charset=utf-8"),
        ("/console/console.css", "text/css; charset=utf-8"),
        ("/console/icon.svg", "image/svg+xml"),
    ] {
        let answer = pages.get(path).await;
        assert_eq!((answer.status, answer.headers["content-type"].to_str().unwrap()), (200, kind), "{path}");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
        assert_eq!(answer.headers["cache-control"], "no-cache");
        let policy = answer.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("script-src 'self'") && !policy.contains("unsafe"), "{policy}");
        let request = pages.request(Method::GET, path).header("If-None-Match", &answer.headers["etag"]);
        let again = Answer::of(request.send().await.unwrap()).await;
        assert_eq!((again.status, again.text.as_str()), (304, ""), "{path}");
    }
    for path in ["/accounts", "/events", "/calls"] {
        assert_eq!(control.get(path).await.status, 401, "{path}");
    }
    for path in ["/console/nothing.js", "/console/../control/v1/accounts", "/console/control.json"] {
        let answer = pages.get(path).await;
        assert!(matches!(answer.status, 401 | 404), "{path}: {}", answer.status);
    }
    let moved = reqwest::Url::parse(&format!("{}/console", pages.base())).unwrap();
    let answer = http_client().get(moved).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.url().path()), (200, "/console/"));
    assert_eq!(pages.delete("/console/").await.status, 405);
}

#[tokio::test]
async fn a_page_of_another_host_gets_neither_the_console_nor_its_data() {
    let binary = Binary::start(&["--ephemeral", "--api-key", "good"]);
    let pages = pages(binary.control.as_deref().unwrap());
    for path in ["/console/", "/console/app.js", "/control/v1/events"] {
        for (name, value) in [("Host", "evil.example:8081"), ("Origin", "https://evil.example")] {
            let request = pages.request(Method::GET, path).header(name, value);
            let answer = Answer::of(request.send().await.unwrap()).await;
            assert_eq!(answer.status, 403, "{path} with {name}: {}", answer.text);
        }
    }
}

#[tokio::test]
async fn a_subscriber_sees_a_call_while_it_happens_and_what_was_written() {
    let edge = Edge::start().await;
    let mut events = Events::subscribe(&edge.control).await;
    let trunk = edge.trunk(json!({})).await;
    while !events.next_of("changed").await["kinds"].as_array().unwrap().contains(&json!("voice_out_trunks")) {
    }
    let mut call = Call::up(&edge, &trunk, ANSWERS_AT_ONCE).await;
    let admitted = loop {
        let attempt = events.next_of("attempt").await;
        if attempt["outcome"] == "admitted" {
            break attempt;
        }
    };
    assert_eq!((&admitted["call_id"], &admitted["account"]), (&json!(call.id), &json!(edge.account)));
    call.hang_up().await;
    let record = events.next_of("call").await;
    assert_eq!((&record["call_id"], &record["success"]), (&json!(call.id), &json!(true)));

    edge.patch(&trunk, json!({ "status": "blocked" })).await;
    let mut refused = Call::new(&edge, ANSWERS_AT_ONCE).await;
    assert_eq!(refused.place(&trunk).await.code(), 403);
    let record = events.next_of("call").await;
    assert_eq!((&record["call_id"], &record["check"]), (&json!(refused.id), &json!("status")));
}

#[tokio::test]
async fn a_subscriber_learns_that_the_journal_and_a_fault_have_something_new() {
    let binary = Binary::start(&["--ephemeral", "--api-key", "good", "--journal", "10"]);
    let (api, control) =
        (Api::new(&binary.base, "good"), Api::new(binary.control.clone().unwrap(), "").with_key(None));
    let mut events = Events::subscribe(&control).await;
    assert_eq!(control.post("/faults", &json!({ "effect": "status", "status": 503 })).await.status, 201);
    assert_eq!(events.next_of("changed").await, json!({ "kinds": ["faults"] }));
    assert_eq!(api.get("/regions").await.status, 503);
    let mut kinds = std::collections::BTreeSet::new();
    while kinds.len() < 2 {
        let changed = events.next_of("changed").await;
        kinds.extend(
            changed["kinds"].as_array().unwrap().iter().map(|kind| kind.as_str().unwrap().to_owned()),
        );
    }
    assert!(kinds.contains("journal") && kinds.contains("faults"), "{kinds:?}");
}

#[tokio::test]
async fn the_requests_of_each_listener_are_counted_with_their_durations() {
    let binary = Binary::start(&["--ephemeral", "--api-key", "good"]);
    let (api, control) =
        (Api::new(&binary.base, "good"), Api::new(binary.control.clone().unwrap(), "").with_key(None));
    assert_eq!(api.get("/dids").await.status, 200);
    assert_eq!(api.with_key(None).get("/dids").await.status, 401);
    let counted = control.get("/request_counts").await.json();
    let bounds = counted["bounds_us"].as_array().unwrap().len();
    let listeners = counted["listeners"].as_array().unwrap();
    let of_api = listeners.iter().find(|one| one["listener"] == "api").unwrap();
    let dids = of_api["routes"].as_array().unwrap().iter().find(|one| one["route"] == "/v3/dids").unwrap();
    let durations: Vec<u64> =
        dids["durations"].as_array().unwrap().iter().map(|number| number.as_u64().unwrap()).collect();
    assert_eq!((durations.len(), durations.iter().sum::<u64>()), (bounds + 1, 2));
    let class = |status: &str| json!({ "method": "GET", "status": status, "count": 1 });
    assert_eq!(dids["requests"], json!([class("2xx"), class("4xx")]));
    assert!(dids["total_us"].as_u64().unwrap() > 0);
}

#[tokio::test]
async fn a_server_without_a_listener_that_shows_the_counts_counts_no_requests() {
    let server = engine::builder().start().await;
    let error = server.control().request_counts().unwrap_err();
    assert_eq!(error.to_string(), "there is no count of requests");
}

#[tokio::test]
async fn one_subscriber_too_many_is_asked_to_come_back() {
    let binary = Binary::start(&["--ephemeral", "--api-key", "good"]);
    let control = Api::new(binary.control.clone().unwrap(), "").with_key(None);
    let mut subscribers = Vec::new();
    for _ in 0..MAX_SUBSCRIBERS {
        subscribers.push(Events::subscribe(&control).await);
    }
    let refused = control.get("/events").await;
    assert_eq!(
        (refused.status, refused.headers["retry-after"].to_str().unwrap()),
        (503, "5"),
        "{}",
        refused.text
    );
    assert!(refused.text.contains("64 subscribers"), "{}", refused.text);
    subscribers.pop();
    until("a place is free again", async || {
        let response = control.request(Method::GET, "/events").send().await.unwrap();
        (response.status() == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_subscription_ends_when_the_server_stops() {
    let binary = Binary::start(&["--ephemeral", "--api-key", "good"]);
    let control = Api::new(binary.control.clone().unwrap(), "").with_key(None);
    let mut events = Events::subscribe(&control).await;
    binary.signal("TERM");
    while events.next().await.is_some() {}
    let stopped = tokio::task::spawn_blocking(move || binary.exit_code());
    // The deadline of the requests in progress would be ten seconds.
    let stopped =
        tokio::time::timeout(Duration::from_secs(8), stopped).await.expect("nothing holds up the stop");
    assert_eq!(stopped.unwrap(), Some(0));
}

#[tokio::test]
async fn the_records_of_an_account_are_read_and_changed_under_the_rules_of_its_owner() {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({ "name": "Berlin" })).await;
    let other = edge.control.post("/accounts", &json!({ "name": "Other", "version": "2021-12-15" })).await;
    let of = |account: &str| format!("/accounts/{account}/records/voice_out_trunks");
    let (own, at) = (of(&edge.account), format!("{}/{}", of(&edge.account), trunk.id));

    let list = edge.control.get(&format!("{own}?include=dids&page[size]=5")).await;
    assert_eq!((list.status, list.headers["content-type"].to_str().unwrap()), (200, "application/json"));
    assert_eq!(
        (list.at("/data/0/attributes/name"), list.at("/meta/total_records")),
        (json!("Berlin"), json!(1))
    );
    assert!(list.at("/links/first").as_str().unwrap().starts_with(&*edge.binary.base), "{}", list.text);
    let mut owners = edge.api.get(&format!("/voice_out_trunks/{}", trunk.id)).await.at("/data/attributes");
    let method = owners["authentication_method"]["attributes"].as_object_mut().unwrap();
    assert!(method.remove("password").is_some(), "the owner reads it, and staff does not");
    assert_eq!(edge.control.get(&at).await.at("/data/attributes"), owners);

    let changed = edge.control.patch(&at, &json!({ "attributes": { "capacity_limit": 7 } })).await;
    assert_eq!((changed.status, changed.at("/data/attributes/capacity_limit")), (200, json!(7)));
    assert_eq!(edge.shown(&trunk, "/attributes/capacity_limit").await, json!(7));
    for (attributes, words) in [
        (json!({ "capacity_limit": 0 }), "capacity_limit"),
        (json!({ "name": "" }), "name"),
        (json!({ "colour": "red" }), "colour is not allowed"),
    ] {
        let refused = edge.control.patch(&at, &json!({ "attributes": attributes })).await;
        assert_eq!(refused.status, 422, "{}", refused.text);
        assert!(refused.at("/error").as_str().unwrap().contains(words), "{}", refused.text);
    }
    assert_eq!(edge.control.patch(&at, &json!({ "name": "Paris" })).await.status, 422, "an unknown member");

    let others = of(other.at("/id").as_str().unwrap());
    assert_eq!(edge.control.get(&others).await.at("/data"), json!([]), "the accounts stay apart");
    assert_eq!(edge.control.get(&format!("{others}/{}", trunk.id)).await.status, 404);
    let change = json!({ "attributes": { "name": "Paris" } });
    assert_eq!(edge.control.patch(&format!("{others}/{}", trunk.id), &change).await.status, 404);
    assert_eq!(edge.control.get(&format!("/accounts/{}/records/trunks", edge.account)).await.status, 404);
    assert_eq!(edge.control.get(&of("00000000-0000-4000-8000-000000000000")).await.status, 404);
}

#[tokio::test]
async fn the_records_of_an_account_are_read_also_where_the_address_of_the_api_is_the_host_of_prices() {
    let prices = Config::from_toml("[prices]\nvoice_in_host = \"127.0.0.1\"\n").unwrap().prices;
    let server = engine::builder().control_listener().prices(prices).start().await;
    let address = server.server().control_address().unwrap();
    let control = Api::new(format!("http://{address}/control/v1"), "").with_key(None);
    let records = control.get(&format!("/accounts/{}/records/dids", server.account())).await;
    assert_eq!((records.status, records.at("/data")), (200, json!([])), "{}", records.text);
}
