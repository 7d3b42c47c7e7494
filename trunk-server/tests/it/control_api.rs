//! The control API over HTTP: every endpoint, its refusals, and requests that are not authorized.

use http::Method;
use serde_json::{Value, json};
use trunk_server::TestServer;
use trunk_server::config::{Config, Database};
use trunk_server::{Server, StartError};

use crate::support::wire::{Wire, request};

const UNKNOWN_ID: &str = "00000000-0000-4000-8000-000000000000";

/// A client of the control API.
struct Staff {
    server: TestServer,
}

impl Staff {
    async fn new() -> Self {
        let server = TestServer::builder().api_key("key").control_listener().start().await;
        Self { server }
    }

    async fn send(&self, method: Method, path: &str, body: &str) -> (u16, Value) {
        let address = self.server.server().control_address().unwrap();
        let length = body.len();
        let head =
            format!("{method} /control/v1{path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: {length}");
        let mut wire = Wire::open(address).await;
        // The answer to a body that is too long can arrive before the complete body is sent.
        wire.send(format!("{head}\r\n\r\n{body}")).await;
        let answer = wire.answer().await;
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        (answer.status, serde_json::from_slice(&answer.body).unwrap())
    }

    async fn get(&self, path: &str) -> Value {
        let (status, body) = self.send(Method::GET, path, "").await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.send(Method::POST, path, &body.to_string()).await
    }

    async fn patch(&self, path: &str, body: &Value) -> (u16, Value) {
        self.send(Method::PATCH, path, &body.to_string()).await
    }

    /// Checks that a request is refused with this status and an error that contains all of these words.
    async fn refused(&self, method: Method, path: &str, body: &str, status: u16, words: &[&str]) {
        let (actual, answer) = self.send(method.clone(), path, body).await;
        let error = answer["error"].as_str().unwrap_or_else(|| panic!("no error in {answer}"));
        assert_eq!(actual, status, "{method} {path} {body}: {error}");
        for word in words {
            assert!(error.contains(word), "{method} {path} {body}: {word} is not in {error}");
        }
    }

    fn account(&self) -> String {
        format!("/accounts/{}", self.server.account())
    }

    /// Sends a request to the public API, with a key, at the newest version.
    async fn api(&self, key: &str, method: Method, path: &str, body: Option<&Value>) -> (u16, Value) {
        let body = body.map(Value::to_string).unwrap_or_default();
        let request = request(method.as_str(), &format!("/v3{path}"), key, "", &body);
        let answer = Wire::open(self.server.server().address()).await.ask(request).await;
        (answer.status, serde_json::from_slice(&answer.body).unwrap_or(Value::Null))
    }

    async fn trunk(&self) -> String {
        let method =
            json!({ "type": "credentials_and_ip", "attributes": { "allowed_sip_ips": ["203.0.113.5"] } });
        let attributes =
            json!({ "name": "a", "on_cli_mismatch_action": "reject_call", "authentication_method": method });
        let body = json!({ "data": { "type": "voice_out_trunks", "attributes": attributes } });
        let (status, made) = self.api("key", Method::POST, "/voice_out_trunks", Some(&body)).await;
        assert_eq!(status, 201, "{made}");
        made["data"]["id"].as_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn accounts_are_made_shown_changed_and_deleted() {
    let staff = Staff::new().await;
    let new = json!({ "name": "other", "version": "2026-04-16", "features": ["outbound", "replace_cli"],
        "rate_limit": 10, "api_key": "other-key" });
    let (status, made) = staff.post("/accounts", &new).await;
    assert_eq!((status, &made["api_key"], &made["rate_limit"]), (201, &json!("other-key"), &json!(10)));
    assert_eq!(made["features"], json!(["outbound", "replace_cli"]));
    let path = format!("/accounts/{}", made["id"].as_str().unwrap());

    let listed = staff.get("/accounts").await;
    let names: Vec<&Value> = listed["accounts"].as_array().unwrap().iter().map(|a| &a["name"]).collect();
    assert_eq!(names, ["default", "other"]);
    assert!(!listed.to_string().contains("other-key"), "a key is shown once");
    assert_eq!(staff.get(&path).await["version"], "2026-04-16");
    assert_eq!(staff.api("other-key", Method::GET, "/dids", None).await.0, 200);

    let (status, changed) =
        staff.patch(&path, &json!({ "name": "renamed", "rate_limit": null, "features": [] })).await;
    assert_eq!((status, &changed["name"], &changed["rate_limit"]), (200, &json!("renamed"), &Value::Null));
    assert_eq!((&changed["features"], &changed["version"]), (&json!([]), &json!("2026-04-16")));
    assert_eq!(
        staff.patch(&path, &json!({})).await.1,
        changed,
        "an absent member leaves its value unchanged"
    );
    assert_eq!(staff.api("other-key", Method::GET, "/voice_out_trunks", None).await.0, 403);

    assert_eq!(staff.send(Method::DELETE, &path, "").await.0, 200);
    assert_eq!(staff.api("other-key", Method::GET, "/dids", None).await.0, 401);
    staff.refused(Method::GET, &path, "", 404, &["there is no account"]).await;

    let (status, made) = staff.send(Method::POST, "/accounts", "").await;
    assert_eq!(
        (status, &made["version"], &made["features"]),
        (201, &json!("2021-12-15"), &json!(["outbound"]))
    );
    assert_eq!(made["api_key"].as_str().unwrap().len(), 32, "a key is generated if the request has none");
}

#[tokio::test]
async fn keys_are_added_listed_without_their_text_and_taken_away() {
    let staff = Staff::new().await;
    let keys = format!("{}/keys", staff.account());
    let (status, made) = staff.post(&keys, &json!({ "api_key": "second" })).await;
    assert_eq!((status, &made["api_key"]), (201, &json!("second")));
    let (_, random) = staff.send(Method::POST, &keys, "").await;
    let random = random["api_key"].as_str().unwrap().to_owned();
    for key in ["key", "second", &random] {
        assert_eq!(staff.api(key, Method::GET, "/dids", None).await.0, 200);
    }
    let listed = staff.get(&keys).await;
    assert_eq!(listed["keys"].as_array().unwrap().len(), 3);
    assert!(!listed.to_string().contains("second") && !listed.to_string().contains(&random));

    let second = format!("{keys}/{}", made["id"].as_str().unwrap());
    assert_eq!(staff.send(Method::DELETE, &second, "").await.0, 200);
    assert_eq!(staff.api("second", Method::GET, "/dids", None).await.0, 401);
    staff.refused(Method::DELETE, &second, "", 404, &["there is no key"]).await;
}

#[tokio::test]
async fn dids_are_added_one_or_many_and_changed() {
    let staff = Staff::new().await;
    let dids = format!("{}/dids", staff.account());
    let (status, one) = staff.post(&dids, &json!({ "number": "+12025550143", "description": "first" })).await;
    assert_eq!((status, &one["dids"][0]["number"]), (201, &json!("12025550143")));
    let many = json!({ "dids": [
        { "number": "442079460018", "emergency_enabled": true },
        { "number": "442079460019", "expires_at": "2030-01-01T00:00:00Z" },
    ] });
    let (status, made) = staff.post(&dids, &many).await;
    assert_eq!((status, made["dids"].as_array().unwrap().len()), (201, 2));
    let id = made["dids"][1]["id"].as_str().unwrap();
    let shown = async || staff.api("key", Method::GET, &format!("/dids/{id}"), None).await.1;
    assert_eq!(shown().await["data"]["attributes"]["expires_at"], "2030-01-01T00:00:00.000Z");

    let change = json!({ "emergency_enabled": true, "blocked": true, "awaiting_registration": true,
        "expires_at": "2031-01-01T00:00:00Z" });
    assert_eq!(staff.patch(&format!("{dids}/{id}"), &change).await.0, 200);
    let attributes = shown().await["data"]["attributes"].clone();
    for name in ["emergency_enabled", "blocked", "awaiting_registration"] {
        assert_eq!(attributes[name], true, "{name}");
    }
    assert_eq!(attributes["expires_at"], "2031-01-01T00:00:00.000Z");
    assert_eq!(attributes["number"], "442079460019");
}

#[tokio::test]
async fn a_trunk_is_made_ip_only() {
    let staff = Staff::new().await;
    let trunk = staff.trunk().await;
    let path = format!("{}/trunks/{trunk}/ip_only", staff.account());
    assert_eq!(staff.post(&path, &json!({ "allowed_sip_ips": ["198.51.100.1"] })).await.0, 200);
    let (_, shown) = staff.api("key", Method::GET, &format!("/voice_out_trunks/{trunk}"), None).await;
    let method = &shown["data"]["attributes"]["authentication_method"];
    assert_eq!(method["type"], "ip_only");
    assert_eq!(method["attributes"]["allowed_sip_ips"], json!(["198.51.100.1/32"]));
    staff
        .refused(Method::POST, &path, r#"{"allowed_sip_ips": []}"#, 422, &["allowed_sip_ips", "at least one"])
        .await;
    staff
        .refused(
            Method::POST,
            &path,
            r#"{"allowed_sip_ips": ["nowhere"]}"#,
            422,
            &["allowed_sip_ips", "nowhere"],
        )
        .await;
    staff.refused(Method::POST, &path, "{}", 422, &["allowed_sip_ips"]).await;
    let nothing = format!("{}/trunks/{UNKNOWN_ID}/ip_only", staff.account());
    staff
        .refused(Method::POST, &nothing, r#"{"allowed_sip_ips": ["198.51.100.1"]}"#, 404, &[UNKNOWN_ID])
        .await;
}

#[tokio::test]
async fn a_reset_takes_records_and_leaves_accounts() {
    let staff = Staff::new().await;
    let total = async || {
        staff.api("key", Method::GET, "/voice_out_trunks", None).await.1["meta"]["total_records"].clone()
    };
    staff.trunk().await;
    let (status, _) = staff.post("/reset", &json!({ "account": staff.server.account().to_string() })).await;
    assert_eq!((status, total().await), (200, json!(0)));
    staff.trunk().await;
    staff
        .refused(Method::POST, "/reset", &json!({ "account": UNKNOWN_ID }).to_string(), 404, &[UNKNOWN_ID])
        .await;
    assert_eq!(total().await, 1, "a reset of an unknown account resets no other one");
    assert_eq!(staff.send(Method::POST, "/reset", "").await, (200, json!({ "reset": "all" })));
    assert_eq!(total().await, 0);
}

#[tokio::test]
async fn the_clock_is_shown_frozen_advanced_and_resumed() {
    let staff = Staff::new().await;
    assert_eq!(staff.get("/clock").await["frozen"], false);
    let frozen = staff.post("/clock/freeze", &json!({ "at": "2026-04-08T06:57:33.304Z" })).await;
    assert_eq!(frozen, (200, json!({ "now": "2026-04-08T06:57:33.304Z", "frozen": true })));
    let later = staff.post("/clock/advance", &json!({ "seconds": 86_400 })).await;
    assert_eq!(later, (200, json!({ "now": "2026-04-09T06:57:33.304Z", "frozen": true })));
    assert_eq!(staff.get("/clock").await, later.1);
    let (status, resumed) = staff.send(Method::POST, "/clock/resume", "").await;
    assert_eq!((status, &resumed["frozen"]), (200, &json!(false)));
    assert!(resumed["now"].as_str().unwrap() >= "2026-04-09T06:57:33.304Z");
    let (status, frozen) = staff.send(Method::POST, "/clock/freeze", "").await;
    assert_eq!((status, &frozen["frozen"]), (200, &json!(true)));
}

#[tokio::test]
async fn a_refused_request_names_its_error_and_changes_nothing() {
    let staff = Staff::new().await;
    let account = staff.account();
    let (keys, dids) = (format!("{account}/keys"), format!("{account}/dids"));
    staff.post(&dids, &json!({ "number": "12025550143" })).await;
    staff.post("/accounts", &json!({ "name": "second" })).await;
    staff.post("/clock/freeze", &json!({ "at": "2026-04-08T06:57:33.304Z" })).await;
    let state = async || {
        let dids = staff.api("key", Method::GET, "/dids", None).await.1;
        [staff.get("/accounts").await, staff.get(&keys).await, staff.get("/clock").await, dids]
    };
    let before = state().await;
    let long = format!(r#"{{"api_key":"{}"}}"#, "x".repeat(256));
    let long_name = format!(r#"{{"name":"{}"}}"#, "x".repeat(2_049));
    let too_many = format!(r#"{{"dids":[{}]}}"#, vec![r#"{"number":"1"}"#; 10_001].join(","));
    let cases: Vec<(Method, &str, &str, u16, &[&str])> = vec![
        (Method::POST, "/accounts", r#"{"nme":"x"}"#, 422, &["nme", "name", "rate_limit"]),
        (Method::POST, "/accounts", r#"{"name":"second"}"#, 422, &["`name`", "taken"]),
        (Method::POST, "/accounts", r#"{"name":"a\u0000b"}"#, 422, &["`name`", "NUL"]),
        (Method::POST, "/accounts", &long_name, 422, &["`name`", "2048 bytes"]),
        (Method::POST, "/accounts", r#"{"version":"2026"}"#, 422, &["`version`", "2026-04-16"]),
        (Method::POST, "/accounts", r#"{"features":["fly"]}"#, 422, &["fly", "replace_cli"]),
        (Method::POST, "/accounts", r#"{"rate_limit":100001}"#, 422, &["rate_limit", "at most 100000"]),
        (Method::POST, "/accounts", r#"{"record_quota":-1}"#, 422, &["-1"]),
        (Method::POST, "/accounts", r#"{"rate_limit":-1}"#, 422, &["-1"]),
        (Method::POST, "/accounts", r#"{"rate_limit":4294967296}"#, 422, &["4294967296"]),
        (Method::POST, "/accounts", r#"{"api_key":"key"}"#, 422, &["api_key", "taken"]),
        (Method::POST, "/accounts", r#"{"api_key":"two words"}"#, 422, &["api_key", "1 to 255"]),
        (Method::POST, "/accounts", r#"{"api_key":""}"#, 422, &["api_key", "1 to 255"]),
        (Method::POST, "/accounts", r#"{"api_key":7}"#, 422, &["body"]),
        (Method::POST, "/accounts", &long, 422, &["api_key", "1 to 255"]),
        (Method::POST, "/accounts", "[]", 422, &["body"]),
        (Method::POST, "/accounts", "{", 422, &["body", "line 1"]),
        (Method::POST, "/accounts", "\u{0}", 422, &["body"]),
        (Method::PATCH, &account, r#"{"name":"second"}"#, 422, &["`name`", "taken"]),
        (Method::PATCH, &account, r#"{"name":"a\u0000b"}"#, 422, &["`name`", "NUL"]),
        (Method::PATCH, &account, r#"{"name":" "}"#, 422, &["`name`", "empty"]),
        (Method::PATCH, &account, r#"{"api_key":"x"}"#, 422, &["api_key", "keys"]),
        (Method::PATCH, &account, r#"{"rate":1}"#, 422, &["rate", "rate_limit"]),
        (Method::PATCH, &account, r#"{"rate_limit":100001}"#, 422, &["rate_limit"]),
        (Method::PATCH, "/accounts/7", "{}", 404, &["account 7"]),
        (Method::DELETE, "/accounts/7", "", 404, &["account 7"]),
        (Method::POST, &keys, r#"{"key":"x"}"#, 422, &["key", "api_key"]),
        (Method::POST, &keys, r#"{"api_key":"key"}"#, 422, &["api_key", "taken"]),
        (Method::POST, &dids, r#"{"number":"12ab"}"#, 422, &["12ab", "37061498222"]),
        (Method::POST, &dids, r#"{"number":"123456789012345678901"}"#, 422, &["20 digits"]),
        (Method::POST, &dids, r#"{"dids":[{"number":"1"},{"number":""}]}"#, 422, &["number"]),
        (Method::POST, &dids, r#"{"dids":[{"number":"1","color":"red"}]}"#, 422, &["color", "description"]),
        (Method::POST, &dids, r#"{"number":"1","dids":[]}"#, 422, &["number", "dids"]),
        (Method::POST, &dids, r#"{"number":"1","expires_at":"soon"}"#, 422, &["soon"]),
        (Method::POST, &dids, "{}", 422, &["number"]),
        (Method::POST, &dids, &too_many, 422, &["10000"]),
        (Method::POST, "/clock/freeze", r#"{"at":"noon"}"#, 422, &["noon"]),
        (Method::POST, "/clock/freeze", r#"{"when":"2026-04-08T06:57:33.304Z"}"#, 422, &["when", "at"]),
        (Method::POST, "/clock/advance", r#"{"seconds":-5}"#, 422, &["-5"]),
        (
            Method::POST,
            "/clock/advance",
            r#"{"seconds":18446744073709551615}"#,
            422,
            &["seconds", "100 years"],
        ),
        (Method::POST, "/clock/advance", "{}", 422, &["seconds"]),
        (Method::POST, "/reset", r#"{"acount":"x"}"#, 422, &["acount", "account"]),
        (Method::GET, "/nothing", "", 404, &["no such path"]),
        (Method::DELETE, "/accounts", "", 405, &["other methods"]),
        (Method::PUT, &account, "{}", 405, &["other methods"]),
    ];
    for (method, path, body, status, words) in cases {
        staff.refused(method, path, body, status, words).await;
    }
    let did = format!("{dids}/{UNKNOWN_ID}");
    staff.refused(Method::PATCH, &did, r#"{"blocked":true}"#, 404, &[UNKNOWN_ID]).await;
    staff.refused(Method::PATCH, &did, r#"{"blocked":"yes"}"#, 422, &["yes"]).await;
    let huge = "x".repeat((4 << 20) + 1);
    staff.refused(Method::POST, "/accounts", &huge, 413, &["4194304 bytes"]).await;
    assert_eq!(state().await, before);
}

#[tokio::test]
async fn no_page_in_a_browser_can_drive_the_server() {
    let staff = Staff::new().await;
    let address = staff.server.server().control_address().unwrap();
    let ask = async |lines: &str| {
        let request = format!("POST /control/v1/reset HTTP/1.1\r\n{lines}Content-Length: 0\r\n\r\n");
        let answer = Wire::open(address).await.ask(request).await;
        (answer.status, answer.header("access-control-allow-origin").map(str::to_owned))
    };
    staff.trunk().await;
    let refused = [
        "Host: evil.example\r\n".to_owned(),
        format!("Host: evil.example:{}\r\n", address.port()),
        format!("Host: {address}\r\nOrigin: https://evil.example\r\n"),
        format!("Host: {address}\r\nOrigin: null\r\n"),
        format!("Host: {address}\r\nOrigin: http://localhost:1\r\n"),
        format!("Host: {address}\r\nOrigin: file://\r\n"),
        String::new(),
    ];
    for lines in &refused {
        assert_eq!(ask(lines).await, (403, None), "{lines}");
    }
    let trunks = staff.api("key", Method::GET, "/voice_out_trunks", None).await.1;
    assert_eq!(trunks["meta"]["total_records"], 1, "nothing happened");
    assert_eq!(ask(&format!("Host: {address}\r\nOrigin: http://{address}\r\n")).await.0, 200);
    assert_eq!(ask(&format!("Host: localhost:{}\r\n", address.port())).await.0, 200);
}

#[tokio::test]
async fn the_public_listener_does_not_serve_the_control_api() {
    let staff = Staff::new().await;
    for path in
        ["/control/v1/accounts", "/v3/control/v1/accounts", "/v3/accounts", "/v3/../control/v1/accounts"]
    {
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nApi-Key: key\r\n\r\n");
        let answer = Wire::open(staff.server.server().address()).await.ask(request).await;
        assert_eq!(answer.status, 404, "{path}");
    }
}

#[tokio::test]
async fn the_control_listener_serves_the_health_endpoints() {
    let staff = Staff::new().await;
    let address = staff.server.server().control_address().unwrap();
    for path in ["/livez", "/readyz"] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n");
        let answer = Wire::open(address).await.ask(request).await;
        assert_eq!((answer.status, answer.text().as_str()), (200, r#"{"status":"ok"}"#));
    }
}

fn config(folder: &std::path::Path) -> Config {
    let mut config = Config::default();
    config.listen = "127.0.0.1:0".into();
    config.control_listen = Some("0.0.0.0:0".to_owned());
    config.database = Database::File(folder.join("control.db"));
    config
}

#[tokio::test]
async fn a_control_listener_for_other_machines_requires_a_token() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let error = Server::builder(config.clone()).start().await.unwrap_err();
    assert!(matches!(error, StartError::OpenControl(_)), "{error}");
    assert!(error.to_string().contains("--control-token"), "{error}");

    let mut guarded = config;
    guarded.control_token = Some("open sesame".into());
    let server = Server::builder(guarded).start().await.unwrap();
    assert!(server.new_key().is_some(), "the failed start created no account, whose key would be lost");
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], server.control_address().unwrap().port()));
    let ask = async |host: &str, headers: &str| {
        let request = format!("GET /control/v1/accounts HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n");
        Wire::open(address).await.ask(request).await.status
    };
    let token = "Authorization: Bearer open sesame\r\n";
    assert_eq!(ask("localhost", "").await, 401);
    assert_eq!(ask("localhost", "Authorization: Bearer open sesam\r\n").await, 401);
    assert_eq!(ask("localhost", "Authorization: open sesame\r\n").await, 401);
    assert_eq!(ask("localhost", token).await, 200);
    assert_eq!(ask("trunks.internal:8081", token).await, 200, "the name that other machines call it by");
    assert_eq!(ask("localhost", &format!("{token}Origin: https://evil.example\r\n")).await, 403);
}
