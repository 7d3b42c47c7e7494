//! The journal: its entries, their hidden secrets, its bounds, and its stream.

use clap::Parser as _;
use http::Method;
use serde_json::{Value, json};
use trunk_server::cli::Cli;

use super::{Lab, trunk};
use crate::support::api::{Api, TOKENS, http_client};
use crate::support::binary::Binary;

#[tokio::test]
async fn a_request_is_there_with_its_answer_as_soon_as_the_client_has_it() {
    let lab = Lab::start().await;
    let made = lab.create("A").await;
    let entry = lab.server.received_requests().pop().unwrap();
    assert_eq!((entry.method.as_str(), entry.path.as_str()), ("POST", "/v3/voice_out_trunks"));
    assert_eq!((entry.status, entry.account), (Some(201), Some(lab.server.account())));
    assert_eq!(entry.request_headers["x-didww-api-version"], "2026-04-16");
    assert_eq!(entry.response_headers["content-type"], "application/vnd.api+json");
    assert_eq!(entry.response_headers["x-request-id"], made.headers["x-request-id"]);
    let body: Value = serde_json::from_str(&entry.request_body.text.unwrap()).unwrap();
    assert_eq!(body["data"]["attributes"]["name"], "A");
    let answer: Value = serde_json::from_str(&entry.response_body.text.unwrap()).unwrap();
    assert_eq!(answer["data"]["id"], made.id());
    assert_eq!(entry.response_body.bytes, made.text.len() as u64);
    assert_eq!(lab.api.with_key(Some("wrong")).get("/dids").await.status, 401);
    let refused = lab.server.received_requests().pop().unwrap();
    assert_eq!((refused.status, refused.account), (Some(401), None));
}

#[tokio::test]
async fn no_planted_secret_is_in_the_journal() {
    let lab = Lab::start().await;
    let url = json!({ "callback_url": "https://ann:planted-password@example.com/hook" });
    let made = lab.api.post("/voice_out_trunks", &trunk("A", &url)).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let password = made.at("/data/attributes/authentication_method/attributes/password");
    let username = made.at("/data/attributes/authentication_method/attributes/username");
    let token = lab.api.token(&json!({})).await;
    assert_eq!(lab.api.at(Some(TOKENS)).get("/voice_out_trunks").await.status, 200);
    let body = r#"{"data":{"pass\u0077ord":"planted-escaped","secret":["planted-list",{"a":"planted-deep"}]"#;
    lab.api.send(Method::POST, "/voice_out_trunks", body).await;
    lab.api.get("/dids?filter[token]=planted-parameter").await;
    let login = json!({ "username": "ann", "password": "planted-login" });
    let url = format!("{}/auth/login", lab.server.voipbin_url().trim_end_matches("/v1.0"));
    http_client().post(url).json_body(&login).send().await.unwrap();

    let entries = lab.server.received_requests();
    assert!(entries.len() >= 6, "{}", entries.len());
    let texts = [
        format!("{entries:?}"),
        lab.control.get("/journal?limit=1000").await.text,
        lab.control
            .post("/journal/verify", &json!({ "requests": [{ "path": "/v3/*", "body": { "data": 1 } }] }))
            .await
            .text,
    ];
    let secrets = ["planted", password.as_str().unwrap(), &token, lab.server.api_key()];
    for text in &texts {
        for secret in secrets {
            assert!(!text.contains(secret), "{secret} is in {text}");
        }
    }
    assert!(texts[1].contains(username.as_str().unwrap()), "what is no secret is there");
}

/// Sends JSON without the client's own feature for it.
trait JsonBody {
    fn json_body(self, body: &Value) -> Self;
}

impl JsonBody for reqwest::RequestBuilder {
    fn json_body(self, body: &Value) -> Self {
        self.header("content-type", "application/json").body(body.to_string())
    }
}

#[tokio::test]
async fn a_list_is_filtered_and_its_newest_come_first() {
    let lab = Lab::start().await;
    lab.api.get("/dids").await;
    let since = lab.server.control().clock().now();
    lab.api.get("/regions?page[size]=2").await;
    lab.api.with_key(None).get("/dids").await;
    let paths = async |query: &str| {
        let listed = lab.control.get(&format!("/journal?{query}")).await;
        assert_eq!(listed.status, 200, "{}", listed.text);
        let listed = listed.json()["requests"].as_array().unwrap().clone();
        listed.iter().map(|entry| entry["path"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(paths("").await, ["/v3/dids", "/v3/regions", "/v3/dids"]);
    assert_eq!(paths("limit=1").await, ["/v3/dids"]);
    assert_eq!(paths("status=401").await, ["/v3/dids"]);
    assert_eq!(paths("resource=regions&method=get").await, ["/v3/regions"]);
    assert_eq!(paths("path=/v3/reg*").await, ["/v3/regions"]);
    assert_eq!(paths("method=POST").await, [""; 0]);
    assert_eq!(paths(&format!("account={}", lab.server.account())).await, ["/v3/regions", "/v3/dids"]);
    assert!(paths(&format!("since={since}")).await.len() >= 2);
    assert_eq!(paths("since=2126-01-01T00:00:00.000Z").await, [""; 0]);
    assert_eq!(paths("after=2").await, ["/v3/dids"]);
    for wrong in ["colour=red", "status=x", "account=none"] {
        assert_eq!(lab.control.get(&format!("/journal?{wrong}")).await.status, 422, "{wrong}");
    }
    assert_eq!(lab.control.delete("/journal").await.json(), json!({ "cleared": 3 }));
    assert_eq!(lab.control.get("/journal").await.json(), json!({ "requests": [], "first": 4, "last": 3 }));
}

#[tokio::test]
async fn a_list_has_a_hundred_requests_unless_more_are_asked_for_and_a_thousand_at_most() {
    let lab = Lab::start().await;
    for _ in 0..1_001 {
        assert_eq!(lab.api.get("/dids").await.status, 200);
    }
    for (query, listed) in [("", 100), ("?limit=1000", 1_000), ("?limit=1001", 1_000)] {
        let answer = lab.control.get(&format!("/journal{query}")).await.json();
        assert_eq!(answer["requests"].as_array().map(Vec::len), Some(listed), "{query}");
        assert_eq!(answer["requests"][0]["number"], 1_001, "{query}");
    }
}

#[tokio::test]
async fn an_entry_is_read_by_its_number_and_a_brief_list_has_neither_headers_nor_texts() {
    let lab = Lab::start().await;
    lab.create("A").await;
    lab.api.get("/dids?filter[token]=planted").await;
    let listed = lab.control.get("/journal?brief=true").await;
    let first = listed.at("/requests/1");
    assert_eq!((&first["method"], &first["status"]), (&json!("POST"), &json!(201)));
    assert_eq!((&first["request_headers"], &first["response_headers"]), (&json!({}), &json!({})));
    assert_eq!(first["request_body"]["text"], Value::Null);
    assert!(first["request_body"]["bytes"].as_u64().unwrap() > 10);
    assert!(!listed.text.contains("planted"), "{}", listed.text);
    let entry = lab.control.get(&format!("/journal/{}", first["number"])).await.json();
    assert_eq!((&entry["number"], &entry["time"]), (&first["number"], &first["time"]));
    assert_eq!(entry["request_headers"]["api-key"], "(hidden)");
    assert!(entry["request_body"]["text"].as_str().unwrap().contains("\"A\""), "{entry}");
    for absent in ["0", "1000", "x", "-1"] {
        assert_eq!(lab.control.get(&format!("/journal/{absent}")).await.status, 404, "{absent}");
    }
}

/// The next line of a stream, which is waited for half a minute.
async fn next_line(stream: &mut reqwest::Response) -> Value {
    let line = tokio::time::timeout(std::time::Duration::from_secs(30), stream.chunk()).await;
    let line = line.expect("no line came").unwrap().unwrap();
    serde_json::from_slice(&line).unwrap()
}

#[tokio::test]
async fn a_follower_has_each_request_as_a_line_and_the_65th_has_to_wait() {
    let lab = Lab::start().await;
    lab.api.get("/dids").await;
    let follow = async |query: &str| {
        lab.control.request(Method::GET, &format!("/journal/stream?{query}")).send().await.unwrap()
    };
    let mut first = follow("after=0").await;
    assert_eq!(first.headers()["content-type"], "application/x-ndjson");
    let entry = next_line(&mut first).await;
    assert_eq!((&entry["path"], &entry["number"]), (&json!("/v3/dids"), &json!(1)));
    let mut of_regions = follow("path=/v3/regions").await;
    lab.api.get("/dids").await;
    lab.api.get("/regions").await;
    let entry = next_line(&mut of_regions).await;
    assert_eq!(entry["path"], "/v3/regions");
    let mut followers = Vec::new();
    for _ in 2..64 {
        followers.push(follow("").await);
    }
    assert!(followers.iter().all(|follower| follower.status() == 200));
    let refused = follow("").await;
    assert_eq!((refused.status().as_u16(), &refused.headers()["retry-after"]), (503, &"5".parse().unwrap()));
    let wait = lab.control.post("/journal/wait", &json!({ "requests": [{}], "timeout_ms": 1 })).await;
    assert_eq!(wait.status, 503);
    drop(followers);
    let place = async {
        while follow("").await.status() != 200 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), place).await.expect("no place was free again");
}

#[tokio::test]
async fn the_program_keeps_a_journal_if_it_is_asked_to_and_no_more_entries_than_that() {
    let without = Binary::start(&["--ephemeral", "--api-key", "good"]);
    let control = Api::new(without.control.clone().unwrap(), "").with_key(None);
    let absent = control.get("/journal").await;
    assert!(absent.status == 404 && absent.text.contains("--journal"), "{}", absent.text);
    let question = json!({ "requests": [{}] });
    for path in ["/journal/verify", "/journal/wait"] {
        assert_eq!(control.post(path, &question).await.status, 404, "{path}");
    }
    assert_eq!(control.get("/journal/stream").await.status, 404);
    assert_eq!(control.delete("/journal").await.status, 404);

    let with = Binary::start(&["--ephemeral", "--api-key", "good", "--journal", "2"]);
    let (api, control) = (Api::new(&with.base, "good"), Api::new(with.control.clone().unwrap(), ""));
    for _ in 0..3 {
        assert_eq!(api.get("/dids").await.status, 200);
    }
    let control = control.with_key(None);
    let listed = control.get("/journal").await.json();
    let numbers: Vec<_> =
        listed["requests"].as_array().unwrap().iter().map(|entry| &entry["number"]).collect();
    assert_eq!(numbers, [&json!(3), &json!(2)]);
    assert_eq!(control.post("/journal/verify", &question).await.at("/dropped"), 1);

    let config = |entries| Cli::try_parse_from(["trunk-server", "--journal", entries]).unwrap().into_config();
    assert_eq!(config("100000").unwrap().journal, 100_000);
    let error = config("100001").unwrap_err().to_string();
    assert!(error.contains("journal is `100001`") && error.contains("at most 100000"), "{error}");
}
