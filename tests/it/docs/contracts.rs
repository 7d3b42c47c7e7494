//! The `OpenAPI` documents of the control API and of `/v1.0`: the files match the declarations, and the answers of a
//! running server match the schemas.

use std::collections::BTreeSet;

use http::Method;
use serde_json::{Value, json};
use trunk_server::{TestServer, control, voipbin};

use super::pages::{hold, path, read};
use super::schema;
use super::shape::{check_document, operations};
use crate::sip::edge::{ANSWERS_AT_ONCE, Edge, until};
use crate::sip::uac::Call;
use crate::support::api::{Answer, Api};
use crate::support::engine;
use crate::voipbin::carrier::Carrier;
use crate::voipbin::stage::{ADMIN, BASIC, Stage, US, US_TOO, call_is, first_call, host, tel};

/// An id that nothing has.
const ABSENT: &str = "00000000-0000-4000-8000-000000000000";

#[test]
fn the_files_are_the_documents_of_the_declarations() {
    for (file, document) in [("control", control::openapi()), ("voipbin", voipbin::openapi())] {
        check_document(&document, file);
        let text = serde_json::to_string_pretty(&document).unwrap();
        hold(&format!("trunk-server/openapi/{file}.json"), &format!("{text}\n"));
    }
}

#[test]
fn every_endpoint_of_the_platform_is_described_once_and_no_other() {
    let document = voipbin::openapi();
    let described: Vec<(String, String)> =
        operations(&document).into_iter().map(|(method, path, _)| (method, path)).collect();
    // The path of the login is outside of the versioned paths.
    let declared: BTreeSet<(String, String)> = voipbin::ENDPOINTS
        .iter()
        .map(|endpoint| (endpoint.method, endpoint.path))
        .chain([("POST", "/auth/login")])
        .map(|(method, path)| (method.to_owned(), path.to_owned()))
        .collect();
    assert_eq!(described.len(), declared.len());
    assert_eq!(described.into_iter().collect::<BTreeSet<_>>(), declared);
}

#[test]
fn no_handler_is_routed_beside_the_declarations() {
    for (folder, router) in [("control-plane", "route.rs"), ("voipbin-platform", "api.rs")] {
        let files = std::fs::read_dir(path(&format!("crates/{folder}/src"))).unwrap();
        let routing: Vec<String> = files
            .map(|file| file.unwrap().path())
            .filter(|file| file.extension().is_some_and(|extension| extension == "rs"))
            .filter(|file| std::fs::read_to_string(file).unwrap().contains(".route("))
            .map(|file| file.file_name().unwrap().to_str().unwrap().to_owned())
            .collect();
        assert_eq!(routing, [router], "files of {folder} that build routes");
        let source = read(&format!("crates/{folder}/src/{router}"));
        assert_eq!(source.matches(".route(").count(), 1, "{router} routes its declarations alone");
    }
}

/// Requests whose answers are checked against a document, and which operations have succeeded.
struct Checked {
    document: Value,
    base: &'static str,
    succeeded: BTreeSet<(String, String)>,
}

impl Checked {
    fn new(document: Value) -> Self {
        let base = if document["servers"][0]["url"] == "/v1.0" { "/v1.0" } else { "/control/v1" };
        Self { document, base, succeeded: BTreeSet::new() }
    }

    /// The template of a path, the most literal one that matches.
    fn template(&self, method: &str, path: &str) -> String {
        let path = path.split('?').next().unwrap();
        let matches = |template: &str| {
            let (given, named) = (path.split('/'), template.split('/'));
            given.clone().count() == named.clone().count()
                && given.zip(named).all(|(given, named)| named.starts_with('{') || given == named)
        };
        let mut found: Vec<String> = operations(&self.document)
            .into_iter()
            .filter(|(described, template, _)| described == method && matches(template))
            .map(|(_, template, _)| template)
            .collect();
        found.sort_by_key(|template| template.matches('{').count());
        found.into_iter().next().unwrap_or_else(|| panic!("{method} {path} is not described"))
    }

    /// Checks an answer against the schema of its operation, status and media type. Returns its JSON; null for another
    /// media type.
    fn check(&mut self, method: &str, path: &str, (status, content_type, text): (u16, &str, &str)) -> Value {
        let media_type = content_type.split(';').next().unwrap();
        let template = self.template(method, path);
        let operation = &self.document["paths"][&template][method.to_lowercase()];
        let response = &operation["responses"][status.to_string()];
        assert!(response.is_object(), "{method} {path}: {status} is not described: {text}");
        let described = &response["content"][media_type]["schema"];
        assert!(described.is_object(), "{method} {path}: {media_type} is not described");
        if status < 300 {
            self.succeeded.insert((method.to_owned(), template));
        }
        if media_type != "application/json" {
            return Value::Null;
        }
        let body =
            serde_json::from_str(text).unwrap_or_else(|error| panic!("{method} {path}: {error}: {text}"));
        if let Err(wrong) = schema::check(&self.document, described, &body) {
            panic!("{method} {path} {status}: {wrong}\nin {text}");
        }
        body
    }

    /// Fails if an operation has not succeeded, except for these.
    fn all_succeeded(&self, except: &[(&str, &str)]) {
        let missing: Vec<(String, String)> = operations(&self.document)
            .into_iter()
            .map(|(method, path, _)| (method, path))
            .filter(|operation| !self.succeeded.contains(operation))
            .filter(|(method, path)| !except.contains(&(method.as_str(), path.as_str())))
            .collect();
        assert_eq!(missing, [], "operations of {} without a checked answer", self.base);
    }
}

/// The control API of a running server.
struct ControlApi {
    api: Api,
    checked: Checked,
}

impl ControlApi {
    async fn send(&mut self, method: Method, path: &str, body: Value) -> Value {
        let text = if body.is_null() { String::new() } else { body.to_string() };
        let answer: Answer = self.api.send(method.clone(), path, &text).await;
        let content_type = answer.headers["content-type"].to_str().unwrap();
        self.checked.check(method.as_str(), path, (answer.status, content_type, &answer.text))
    }

    async fn get(&mut self, path: &str) -> Value {
        self.send(Method::GET, path, Value::Null).await
    }

    async fn post(&mut self, path: &str, body: Value) -> Value {
        self.send(Method::POST, path, body).await
    }

    async fn put(&mut self, path: &str, body: Value) -> Value {
        self.send(Method::PUT, path, body).await
    }

    async fn patch(&mut self, path: &str, body: Value) -> Value {
        self.send(Method::PATCH, path, body).await
    }

    async fn delete(&mut self, path: &str) -> Value {
        self.send(Method::DELETE, path, Value::Null).await
    }
}

fn id(value: &Value) -> String {
    value["id"].as_str().unwrap_or_else(|| panic!("no id in {value}")).to_owned()
}

async fn ask_about_calls(control: &mut ControlApi) {
    control.get("/calls?limit=10").await;
    control.get("/calls/active").await;
    control.get("/calls/counts").await;
    control.get("/attempts?limit=10&outcome=refused").await;
    control.get("/calls/none/messages").await;
    control.get("/messages?limit=5&line=INVITE").await;
    control.get("/messages?peer=none").await;
    control.delete(&format!("/calls/active/{ABSENT}")).await;
    control.post("/explain", json!({ "source": "198.51.100.9", "from": US, "to": "442079460018" })).await;
    let call = control.post("/inbound_calls", json!({ "from": US, "to": "442079460018" })).await;
    control.get("/inbound_calls?limit=10&live=false").await;
    control.get(&format!("/inbound_calls/{}", id(&call))).await;
    control.delete(&format!("/inbound_calls/{}", id(&call))).await;
    control.post("/inbound_calls", json!({ "from": US, "to": "nowhere" })).await;
    control.post("/explain", json!({ "source": "203.0.113.7", "to": "442079460018" })).await;
}

async fn ask_about_the_lab(control: &mut ControlApi) {
    let fault =
        json!({ "effect": "delay", "delay_ms": 1, "probability": 0.5, "account": ABSENT, "method": "GET" });
    let set = control.post("/faults", fault).await;
    control.get("/faults").await;
    control.get(&format!("/faults/{}", set["id"])).await;
    control.delete(&format!("/faults/{}", set["id"])).await;
    control.get("/faults/1000").await;
    control.post("/faults", json!({ "effect": "status" })).await;
    control.delete("/faults").await;
    let listed = control.get("/journal?method=POST").await;
    assert_ne!(listed["requests"], json!([]));
    control.get("/journal?brief=true").await;
    control.get(&format!("/journal/{}", listed["requests"][0]["number"])).await;
    control.get("/journal/none").await;
    let requests =
        json!([{ "method": "DELETE", "path": "/v3/*", "query": { "a": "b" }, "body": { "c": 1 } }]);
    let report = control.post("/journal/verify", json!({ "requests": requests, "in_order": true })).await;
    assert_eq!(report["passed"], false);
    control.post("/journal/wait", json!({ "requests": requests, "timeout_ms": 1 })).await;
    control.post("/journal/verify", json!({ "requests": [] })).await;
    control.delete("/journal").await;
}

/// Reads and changes a trunk as its owner would.
async fn ask_for_an_owner(control: &mut ControlApi, records: &str, trunk: &str) {
    let trunks = format!("{records}/voice_out_trunks");
    control.get(&format!("{trunks}?include=dids&page[size]=10")).await;
    control.get(&format!("{trunks}?sort=colour")).await;
    control.get(&format!("{records}/trunks")).await;
    control.get(&format!("{trunks}/{trunk}")).await;
    control.patch(&format!("{trunks}/{trunk}"), json!({ "attributes": { "capacity_limit": 7 } })).await;
    control.patch(&format!("{trunks}/{trunk}"), json!({ "attributes": { "capacity_limit": 0 } })).await;
}

async fn change_a_key(control: &mut ControlApi, keys: &str, key: &str) {
    control.get(keys).await;
    let addresses = json!({ "allowed_addresses": ["203.0.113.0/24"] });
    control.patch(&format!("{keys}/{key}"), addresses).await;
    control.delete(&format!("{keys}/{key}")).await;
}

async fn save_and_load_a_world(control: &mut ControlApi) {
    control.get("/scenarios").await;
    control.get("/world").await;
    control.get("/world?account=x").await;
    control.post("/world?scenario=one-trunk", Value::Null).await;
    control.post("/world", json!({ "format": 1, "colour": "red" })).await;
    control.get("/audit?type=voice_out_trunks&limit=1").await;
}

async fn set_and_remove_rates(control: &mut ControlApi, rates: &str) {
    control.get(rates).await;
    let by_the_minute =
        json!({ "prefix": "1", "per_minute": "0.01", "initial_interval": 60, "next_interval": 6 });
    control.put(rates, json!({ "rates": [{ "prefix": "44", "per_minute": "0.02" }, by_the_minute] })).await;
    control.put(rates, json!({ "rates": [] })).await;
    control.get(rates).await;
    control.delete(rates).await;
}

async fn move_the_clock(control: &mut ControlApi) {
    control.get("/clock").await;
    control.post("/clock/freeze", json!({ "at": "2026-04-08T06:57:33.304Z" })).await;
    control.post("/clock/advance", json!({ "seconds": 86400 })).await;
    control.post("/clock/resume", Value::Null).await;
}

#[tokio::test]
async fn the_answers_of_the_control_api_match_its_document() {
    let server = engine::builder().control_listener().sip().start().await;
    let address = server.server().control_address().unwrap();
    let api = Api::new(format!("http://{address}/control/v1"), "").with_key(None);
    let mut control = ControlApi { api, checked: Checked::new(control::openapi()) };
    assert_eq!(control.get("/openapi.json").await, control::openapi());

    let made =
        control.post("/accounts", json!({ "name": "Acme", "rate_limit": 5, "record_quota": null })).await;
    let account = format!("/accounts/{}", id(&made));
    control.get("/accounts").await;
    control.get(&account).await;
    control.patch(&account, json!({ "name": "Acme Inc.", "features": ["outbound"] })).await;
    let key = id(&control.post(&format!("{account}/keys"), Value::Null).await);
    change_a_key(&mut control, &format!("{account}/keys"), &key).await;
    control.get("/token-keys").await;
    control.post("/token-keys/rotate", json!({})).await;
    let secrets = format!("{account}/callback_secrets");
    let secret = id(&control.post(&secrets, Value::Null).await);
    control.get(&secrets).await;
    control.patch(&format!("{secrets}/{secret}"), json!({ "enabled": false })).await;
    control.post(&format!("{secrets}/{secret}/rotate"), Value::Null).await;
    control.delete(&format!("{secrets}/{secret}")).await;
    set_and_remove_rates(&mut control, &format!("{account}/rates")).await;
    let dids = json!({ "dids": [{ "number": "12025550144" }, { "number": "+12025550145" }] });
    let did = id(&control.post(&format!("{account}/dids"), dids).await["dids"][0]);
    control
        .post(&format!("{account}/dids"), json!({ "number": "12025550146", "emergency_enabled": true }))
        .await;
    control.patch(&format!("{account}/dids/{did}"), json!({ "blocked": true })).await;
    let trunk = trunk(&server, made["api_key"].as_str().unwrap()).await;
    let networks = json!({ "allowed_sip_ips": ["203.0.113.0/24"] });
    control.post(&format!("{account}/trunks/{trunk}/ip_only"), networks).await;
    let pool = json!({ "id": ABSENT, "attributes": { "name": "Standard" } });
    control.post(&format!("{account}/records/capacity_pools"), pool.clone()).await;
    control.post(&format!("{account}/records/capacity_pools"), pool).await;
    control.post("/records/capacity_pools", json!({})).await;
    let customer = Api::new(server.base_url(), made["api_key"].as_str().unwrap());
    let channel = json!({ "type": "capacity_order_items", "attributes": { "capacity_pool_id": ABSENT } });
    let order = json!({ "data": { "type": "orders", "attributes": { "items": [channel] } } });
    for act in ["complete", "cancel"] {
        let order = customer.post("/orders", &order).await.id();
        control.post(&format!("{account}/orders/{order}/{act}"), Value::Null).await;
    }
    control
        .post(&format!("{account}/trunks/{trunk}/ip_only"), json!({ "allowed_sip_ips": ["0.0.0.0/0"] }))
        .await;
    control.get("/trunks/open").await;
    ask_for_an_owner(&mut control, &format!("{account}/records"), &trunk).await;
    control.get("/nodes").await;
    control.get("/request_counts").await;
    control.get("/deliveries?limit=10").await;
    control.get(&format!("/deliveries?account={}", id(&made))).await;

    ask_about_calls(&mut control).await;
    let customer = control.post("/customers", json!({ "name": "Acme", "webhook_secret": "s" })).await;
    let customer = format!("/customers/{}", id(&customer));
    control.get("/customers").await;
    control.get(&customer).await;
    control.patch(&customer, json!({ "balance": "25.5", "status": "frozen" })).await;
    control.post(&format!("{customer}/agents"), json!({ "username": "ann", "password": "a long one" })).await;
    control.get(&format!("{customer}/agents")).await;
    let key = id(&control.post(&format!("{customer}/accesskeys"), json!({ "name": "scripts" })).await);
    control.get(&format!("{customer}/accesskeys")).await;
    control.delete(&format!("{customer}/accesskeys/{key}")).await;
    let number = id(&control.post(&format!("{customer}/numbers"), json!({ "number": US })).await);
    control.get(&format!("{customer}/numbers")).await;
    control.delete(&format!("{customer}/numbers/{number}")).await;
    control.post(&format!("{customer}/tokens"), json!({ "type": "delegate" })).await;
    control.get(&format!("{customer}/flows")).await;
    control.get(&format!("/deliveries?customer={}", customer.rsplit('/').next().unwrap())).await;
    control.get("/providers").await;
    control.get("/providers/open").await;
    control.post("/providers/probe", Value::Null).await;
    control.delete(&customer).await;

    ask_about_the_lab(&mut control).await;
    save_and_load_a_world(&mut control).await;
    move_the_clock(&mut control).await;
    control.post("/reset", json!({ "account": id(&made) })).await;
    control.delete(&account).await;
    // Refusals of every kind are described too.
    control.get(&account).await;
    control.get("/calls?cause=x").await;
    control.post("/accounts", json!({ "colour": "red" })).await;
    control.post("/clock/advance", json!({ "seconds": u64::MAX })).await;
    // A stream has no end. Calls and reviews have tests of their own, and no type has records without an account.
    let unseen = [
        ("GET", "/calls/follow"),
        ("GET", "/events"),
        ("GET", "/attempts/stream"),
        ("GET", "/journal/stream"),
        ("GET", "/calls/{call_id}/messages"),
        ("DELETE", "/calls/active/{id}"),
        ("DELETE", "/inbound_calls/{id}"),
        ("POST", "/records/{type}"),
        ("POST", "/accounts/{id}/address_verifications/{verification}/approve"),
        ("POST", "/accounts/{id}/address_verifications/{verification}/reject"),
        ("POST", "/accounts/{id}/emergency_verifications/{verification}/approve"),
        ("POST", "/accounts/{id}/emergency_verifications/{verification}/reject"),
        ("GET", "/customers/{id}/calls/{call}/tries"),
    ];
    control.checked.all_succeeded(&unseen);
}

#[tokio::test]
async fn what_a_call_leaves_behind_matches_the_document_of_the_control_api() {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({})).await;
    let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
    assert_eq!(call.place(&trunk).await.code(), 200);
    let mut control = ControlApi { api: edge.control.clone(), checked: Checked::new(control::openapi()) };
    let messages = format!("/calls/{}/messages", call.id);
    let stored = control.get(&messages).await;
    assert!(stored["messages"].as_array().unwrap().len() >= 4, "{stored}");
    for format in ["text", "ladder", "pcap"] {
        assert_eq!(control.get(&format!("{messages}?format={format}")).await, Value::Null);
    }
    let attempts = control.get(&format!("/attempts?call_id={}", call.id)).await;
    assert_eq!(attempts["attempts"].as_array().unwrap().len(), 2, "{attempts}");
    let active = control.get("/calls/active").await["calls"][0].clone();
    control.delete(&format!("/calls/active/{}", id(&active))).await;
    let records = format!("/calls?call_id={}", call.id);
    until("the record of the call", async || {
        let found = edge.control.get(&records).await;
        found.at("/calls/0").is_object().then_some(())
    })
    .await;
    control.get(&records).await;
}

#[tokio::test]
async fn what_a_call_tried_matches_the_document_of_the_control_api() {
    let mut carrier = Carrier::start().await;
    let stage = Stage::with(|config| {
        config.control_listen = Some("127.0.0.1:0".to_owned());
        host(config, &[("p1.example.com", carrier.at), ("p2.example.com", carrier.at)]);
    })
    .await;
    stage.allow().await;
    stage.number(stage.admin, US_TOO).await;
    for (name, target, priority) in [("p1.example.com", "+1", 1), ("p2.example.com", "all", 0)] {
        let provider = stage.provider(name).await;
        stage.route(BASIC, target, &provider, priority).await;
    }
    let api = Api::new(format!("http://{}/control/v1", stage.server.control_address().unwrap()), "");
    let mut control = ControlApi { api: api.with_key(None), checked: Checked::new(control::openapi()) };
    let actions = json!([{ "type": "sleep", "option": { "duration": 60_000 } }]);
    let body = json!({ "source": tel(US_TOO), "destinations": [tel(US)], "actions": actions });
    let call = first_call(&stage.sa.post("/calls", &body).await.ok());
    let path = format!("/customers/{}/calls/{call}/tries", stage.admin);
    carrier.call().await.refuse(503).await;
    let mut second = carrier.call().await;
    // In progress, much of an attempt is null.
    let tried = control.get(&path).await;
    assert_eq!((tried["tries"].as_array().unwrap().len(), &tried["tries"][1]["outcome"]), (2, &Value::Null));
    second.respond("180 Ringing").await;
    second.answer().await;
    second.hang_up().await;
    call_is(&stage.sa, &call, "hangup").await;
    let tried = control.get(&path).await;
    let answered = &tried["tries"][1];
    assert!(answered["media"].is_string() && answered["next"].is_string(), "{tried}");
    control.get(&format!("/customers/{}/calls/{ABSENT}/tries", stage.admin)).await;
    let described = ("GET".to_owned(), "/customers/{id}/calls/{call}/tries".to_owned());
    assert!(control.checked.succeeded.contains(&described));
}

/// Creates a trunk over the public API. Returns its id.
async fn trunk(server: &TestServer, key: &str) -> String {
    let method =
        json!({ "type": "credentials_and_ip", "attributes": { "allowed_sip_ips": ["203.0.113.7"] } });
    let body = json!({ "data": { "type": "voice_out_trunks", "attributes": {
        "name": "Main", "on_cli_mismatch_action": "reject_call", "authentication_method": method } } });
    Api::new(server.base_url(), key).post("/voice_out_trunks", &body).await.id()
}

#[tokio::test]
async fn a_body_of_the_control_api_may_hold_the_members_of_its_schema_and_no_others() {
    let server = engine::builder().control_listener().sip().start().await;
    let address = server.server().control_address().unwrap();
    let api = Api::new(format!("http://{address}/control/v1"), "").with_key(None);
    let document = control::openapi();
    let mut bodies = 0;
    for (method, path, operation) in operations(&document) {
        let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
        let alternatives = schema["anyOf"].as_array().cloned().unwrap_or_else(|| vec![schema.clone()]);
        for properties in alternatives.iter().filter_map(|schema| schema["properties"].as_object()) {
            bodies += 1;
            let path = path.replace("{type}", "dids").replace("{id}", ABSENT).replace("{did}", ABSENT);
            let path = path.replace("{trunk}", ABSENT).replace("{secret}", ABSENT).replace("{key}", ABSENT);
            for name in properties.keys().map(String::as_str).chain(["bogus"]) {
                // A list has this member and no other, so the body is wrong by its value and not by its name.
                let body = json!({ name: { "wrong": true } }).to_string();
                let verb = Method::from_bytes(method.as_bytes()).unwrap();
                let answer = api.send(verb, &path, &body).await;
                let error = answer.at("/error").as_str().unwrap_or_default().to_owned();
                let unknown = error.contains(&format!("unknown field `{name}`"));
                assert_eq!(unknown, name == "bogus", "{method} {path} {name}: {error}");
            }
        }
    }
    assert!(bodies > 15, "{bodies}");
}

/// The platform's API of a running server, as its super admin.
struct PlatformApi {
    stage: Stage,
    checked: Checked,
}

impl PlatformApi {
    async fn send(&mut self, method: &str, path: &str, body: Value) -> Value {
        let text = if body.is_null() { String::new() } else { body.to_string() };
        let answer = self.stage.sa.send(method, path, &text).await;
        let content_type = answer.header("content-type").unwrap();
        self.checked.check(method, path, (answer.status, content_type, &answer.text))
    }

    async fn get(&mut self, path: &str) -> Value {
        self.send("GET", path, Value::Null).await
    }

    async fn post(&mut self, path: &str, body: Value) -> Value {
        self.send("POST", path, body).await
    }

    async fn put(&mut self, path: &str, body: Value) -> Value {
        self.send("PUT", path, body).await
    }

    async fn delete(&mut self, path: &str) -> Value {
        self.send("DELETE", path, Value::Null).await
    }
}

#[tokio::test]
async fn the_answers_of_the_platforms_api_match_its_document() {
    let mut carrier = Carrier::start().await;
    let stage = Stage::hosting(&[("carrier.example.com", carrier.at)]).await;
    let served = stage.anonymous().below("").get("/openapi.json").await;
    assert_eq!(serde_json::from_str::<Value>(&served.text).unwrap(), voipbin::openapi());
    let mut platform = PlatformApi { stage, checked: Checked::new(voipbin::openapi()) };

    login(&mut platform).await;
    platform.get("/outbound_config").await;
    platform.put("/outbound_config", json!({ "destination_whitelist": ["us"], "name": "n" })).await;
    let customer = platform.stage.customer("other").await;
    let configs = platform.get("/outbound_configs?page_size=1").await;
    platform.get(&format!("/outbound_configs?customer_id={customer}")).await;
    let config = format!("/outbound_configs/{}", id(&configs["result"][0]));
    platform.get(&config).await;
    platform.put(&config, json!({ "codecs": "PCMU" })).await;
    platform.post("/outbound_configs", json!({ "customer_id": customer })).await;

    let body = json!({ "type": "sip", "hostname": "carrier.example.com", "tech_headers": { "X-A": "1" } });
    let provider = id(&platform.post("/providers", body.clone()).await);
    platform.get("/providers").await;
    platform.get(&format!("/providers/{provider}")).await;
    platform.put(&format!("/providers/{provider}"), body).await;
    platform.post("/providers/setup", json!({ "carrier": "acme" })).await;
    let login = json!({ "username": "u", "password": "p" });
    platform.put(&format!("/providers/{provider}/credentials"), login).await;
    platform.delete(&format!("/providers/{provider}/credentials")).await;
    let admin = platform.stage.admin;
    let body = json!({ "customer_id": admin, "provider_id": provider, "target": "all", "priority": 1 });
    let route = format!("/routes/{}", id(&platform.post("/routes", body.clone()).await));
    platform.get("/routes").await;
    platform.get(&route).await;
    platform.put(&route, body).await;

    flows(&mut platform).await;
    numbers(&mut platform).await;
    customer_and_keys(&mut platform).await;

    let sent = json!({ "provider_id": provider, "source": tel(US_TOO), "destinations": [tel(US)],
        "actions": [{ "type": "sleep", "option": { "duration": 60_000 } }] });
    let placed = platform.post("/providercalls", sent).await;
    let mut incoming = carrier.call().await;
    incoming.respond("180 Ringing").await;
    incoming.answer().await;
    let call = first_call(&placed);
    call_is(&platform.stage.sa, &call, "progressing").await;
    platform.get(&format!("/calls/{call}")).await;
    platform.post(&format!("/calls/{call}/hangup"), Value::Null).await;
    for what in ["events", "sip-analysis", "pcap"] {
        platform.get(&format!("/timelines/calls/{call}/{what}")).await;
    }
    platform.get(&format!("/aggregated-events?call_id={call}")).await;
    platform.get("/calls").await;
    platform.get("/providercalls").await;
    let record = format!("/providercalls/{}", id(&placed));
    platform.get(&record).await;
    platform.delete(&record).await;
    let made = platform.post("/calls", json!({ "source": tel(US_TOO), "destinations": [tel(US)] })).await;
    platform.delete(&format!("/calls/{}", first_call(&made))).await;

    platform.delete(&route).await;
    platform.delete(&format!("/providers/{provider}")).await;
    platform.delete(&config).await;
    // Refusals of every kind are described too.
    platform.get("/providers/x").await;
    platform.get(&format!("/providers/{ABSENT}")).await;
    platform.get("/calls?page_size=x").await;
    platform.post("/providers", json!({ "name": 5 })).await;
    platform.post("/calls", json!({ "destinations": [] })).await;
    platform.stage.sa = platform.stage.agent(customer, ADMIN).await;
    platform.get("/providers").await;
    platform.stage.sa = platform.stage.anonymous();
    platform.get("/providers").await;
    platform.checked.all_succeeded(&[("POST", "/providers/setup"), ("POST", "/outbound_configs")]);
}

/// The login is described at its path outside of the base of the other paths, without credentials.
async fn login(platform: &mut PlatformApi) {
    let described = platform.checked.document["paths"]["/auth/login"]["post"].clone();
    assert_eq!((&described["servers"], &described["security"]), (&json!([{ "url": "/" }]), &json!([])));
    let anonymous = platform.stage.anonymous().below("");
    let right = json!({ "username": "root", "password": "correct horse" });
    let answer = anonymous.post("/auth/login", &right).await;
    let content_type = answer.header("content-type").unwrap();
    platform.checked.check("POST", "/auth/login", (answer.status, content_type, &answer.text));
    for body in [json!({ "username": "root", "password": "wrong" }), json!({ "username": "root" }), json!(7)]
    {
        let refused = anonymous.post("/auth/login", &body).await;
        assert_eq!((refused.status, refused.text.as_str()), (400, ""), "{body}");
        assert_eq!(described["responses"]["400"], json!({ "description": "Bad Request." }));
    }
}

async fn flows(platform: &mut PlatformApi) {
    let body = json!({ "name": "n", "actions": [{ "type": "answer" }] });
    let flow = format!("/flows/{}", id(&platform.post("/flows", body.clone()).await));
    platform.get("/flows").await;
    platform.get(&flow).await;
    platform.put(&flow, body).await;
    platform.post(&format!("{flow}/direct-hash-regenerate"), Value::Null).await;
    platform.get(&format!("/timelines{flow}/events")).await;
    platform.delete(&flow).await;
    platform.get(&flow).await;
}

async fn numbers(platform: &mut PlatformApi) {
    platform.stage.number(platform.stage.admin, US_TOO).await;
    let number = format!("/numbers/{}", id(&platform.get("/numbers").await["result"][0]));
    platform.get(&number).await;
    platform.put(&number, json!({ "name": "n" })).await;
    platform.put(&format!("{number}/flow_ids"), json!({})).await;
    platform.put(&format!("{number}/metadata"), json!({ "rtp_debug": true })).await;
}

async fn customer_and_keys(platform: &mut PlatformApi) {
    platform.get("/customer").await;
    platform.put("/customer", json!({ "name": "n", "webhook_uri": "https://example.com/" })).await;
    platform.put("/customer/metadata", json!({ "rtp_debug": true })).await;
    let body = json!({ "name": "n", "expire": 86_400 });
    let key = format!("/accesskeys/{}", id(&platform.post("/accesskeys", body).await));
    platform.get("/accesskeys").await;
    platform.get(&key).await;
    platform.put(&key, json!({ "detail": "d" })).await;
    platform.delete(&key).await;
    platform.get(&key).await;
}
