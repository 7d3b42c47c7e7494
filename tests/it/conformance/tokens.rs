//! Access tokens: the token service, and the refusals of requests at the version that needs tokens. The numbers are
//! those of the cases of 2026-11-19.

use std::time::Duration;

use didww_types::values::IpNetworks;
use didww_types::{ApiVersion, Feature, REGISTRY, ResourceSpec, Verb};
use http::{Method, header};
use serde_json::{Value, json};
use trunk_server::account::Environment;
use trunk_server::config::TokensConfig;
use trunk_server::control::{AccountPatch, NewKey};
use trunk_server::tokens::OldKeys;
use trunk_server::{Proxies, ProxyHeader};

use crate::support::api::{Answer, NEW, TOKENS, http_client};
use crate::support::engine;
use crate::support::world::*;

const INVALID_TOKEN: &str =
    r#"{"errors":[{"title":"Invalid token","detail":"Invalid token","code":"401","status":"401"}]}"#;
const INSUFFICIENT_SCOPE: &str = r#"{"errors":[{"title":"Insufficient scope","detail":"Insufficient scope","code":"403","status":"403"}]}"#;

/// The `WWW-Authenticate` header of an answer.
fn challenge(answer: &Answer) -> Option<&str> {
    answer.headers.get(header::WWW_AUTHENTICATE).map(|value| value.to_str().unwrap())
}

#[track_caller]
fn is_bare(answer: &Answer) {
    assert_eq!((answer.status, answer.text.as_str(), challenge(answer)), (401, "", None));
    assert_eq!(answer.headers.get(header::CONTENT_TYPE), None);
}

#[track_caller]
fn is_invalid(answer: &Answer) {
    let expected = (401, INVALID_TOKEN, Some("Bearer error=\"invalid_token\""));
    assert_eq!((answer.status, answer.text.as_str(), challenge(answer)), expected);
    refusal_headers(answer);
}

#[track_caller]
fn is_out_of_scope(answer: &Answer) {
    let expected = (403, INSUFFICIENT_SCOPE, Some("Bearer error=\"insufficient_scope\""));
    assert_eq!((answer.status, answer.text.as_str(), challenge(answer)), expected);
    refusal_headers(answer);
}

/// The error of the token service.
#[track_caller]
fn is_refused(answer: &Answer, status: u16, error: &str) {
    assert_eq!((answer.status, answer.at("/error")), (status, json!(error)), "{}", answer.text);
    assert!(answer.at("/error_description").is_string());
}

impl World {
    /// Sends a request with a token and without a key.
    async fn with_token(&self, method: Method, path: &str, token: &str, body: &str) -> Answer {
        let api = self.api.with_key(None).at(None);
        let request = api.request(method, path).bearer_auth(token).body(body.to_owned());
        Answer::of(request.send().await.unwrap()).await
    }

    async fn read(&self, token: &str) -> Answer {
        self.with_token(Method::GET, TRUNKS, token, "").await
    }
}

#[tokio::test]
async fn case_n1_a_token_has_defaults_and_no_cache_stores_it() {
    let world = World::start().await;
    let answer = world.api.mint(&json!({ "aud": "api.didww.com" })).await;
    assert_eq!(answer.status, 200);
    for (member, value) in [
        ("token_type", json!("Bearer")),
        ("expires_in", json!(900)),
        ("aud", json!("api.didww.com")),
        ("scope", json!("full")),
        ("api_version", json!("2021-12-15")),
    ] {
        assert_eq!(answer.json()[member], value);
    }
    assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store");
    assert_eq!(answer.headers[header::PRAGMA], "no-cache");
}

#[tokio::test]
async fn case_n2_a_token_can_be_for_several_services() {
    let world = World::start().await;
    let aud = json!(["api.didww.com", "api-vout.didww.com"]);
    let answer = world.api.mint(&json!({ "aud": aud, "scope": "read" })).await;
    assert_eq!((answer.status, answer.at("/scope"), answer.at("/aud")), (200, json!("read"), aud));
}

#[tokio::test]
async fn case_n3_the_life_of_a_token_is_changed_to_the_nearest_permitted_one() {
    let world = World::start().await;
    for (asked, granted) in [(5, 60), (999_999, 3_600)] {
        let answer = world.api.mint(&json!({ "aud": "api.didww.com", "expires_in": asked })).await;
        assert_eq!((answer.status, answer.at("/expires_in")), (200, json!(granted)));
    }
}

#[tokio::test]
async fn case_n4_the_version_is_echoed() {
    let world = World::start().await;
    for version in ApiVersion::ALL {
        let answer =
            world.api.mint(&json!({ "aud": "api.didww.com", "api_version": version.as_str() })).await;
        assert_eq!((answer.status, answer.at("/api_version")), (200, json!(version.as_str())));
    }
}

#[tokio::test]
async fn case_n5_a_token_needs_an_audience() {
    is_refused(&World::start().await.api.mint(&json!({})).await, 400, "invalid_request");
}

#[tokio::test]
async fn case_n6_an_unknown_audience_is_refused() {
    let world = World::start().await;
    is_refused(&world.api.mint(&json!({ "aud": "example.com" })).await, 400, "invalid_request");
}

#[tokio::test]
async fn case_n7_an_unknown_scope_is_refused() {
    let world = World::start().await;
    let answer = world.api.mint(&json!({ "aud": "api.didww.com", "scope": "write" })).await;
    is_refused(&answer, 400, "invalid_scope");
}

#[tokio::test]
async fn case_n8_an_unknown_scope_below_read_is_granted_as_read() {
    let world = World::start().await;
    let answer = world.api.mint(&json!({ "aud": "api.didww.com", "scope": "read:nonsense" })).await;
    assert_eq!((answer.status, answer.at("/scope")), (200, json!("read")));
}

#[tokio::test]
async fn case_n9_a_token_needs_a_key() {
    let world = World::start().await;
    for key in [None, Some("wrong"), Some("")] {
        let answer = world.api.with_key(key).mint(&json!({ "aud": "api.didww.com" })).await;
        is_refused(&answer, 401, "invalid_client");
    }
}

#[tokio::test]
async fn case_n10_a_key_of_the_sandbox_mints_nothing_in_production() {
    let world = World::start().await;
    let key = NewKey::named("sandbox-key").environment(Environment::Sandbox);
    world.server.control().add_key_with(world.server.account(), key).await.unwrap();
    let api = world.api.with_key(Some("sandbox-key"));
    is_refused(&api.mint(&json!({ "aud": "api.didww.com" })).await, 401, "invalid_client");
    refused(&api.get(TRUNKS).await, &[unauthorised()]);
}

#[tokio::test]
async fn case_n11_an_account_that_mints_too_often_is_asked_to_wait() {
    let world = World::start().await;
    world.server.control().clock().freeze(None);
    let mut limit = AccountPatch::default();
    limit.rate_limit = Some(5).into();
    world.server.control().update_account(world.server.account(), limit).await.unwrap();
    for _ in 0..5 {
        assert_eq!(world.api.mint(&json!({ "aud": "api.didww.com" })).await.status, 200);
    }
    let answer = world.api.mint(&json!({ "aud": "api.didww.com" })).await;
    is_refused(&answer, 429, "rate_limit_exceeded");
    assert_eq!(answer.headers[header::RETRY_AFTER], "1");
    assert_eq!(world.api.get(TRUNKS).await.status, 200, "requests to the API have a budget of their own");
}

#[tokio::test]
async fn case_n12_a_body_that_is_not_json_is_refused() {
    let world = World::start().await;
    for body in ["aud=api.didww.com", "", "[]", "\"api.didww.com\""] {
        let request = crate::support::api::http_client().post(world.server.token_url());
        let request = request.header("Api-Key", world.server.api_key()).body(body);
        is_refused(&Answer::of(request.send().await.unwrap()).await, 400, "invalid_request");
    }
}

#[tokio::test]
async fn case_n13_a_token_is_accepted_and_its_version_serves() {
    let world = World::start().await;
    let token = world.api.token(&json!({})).await;
    let answer = world.read(&token).await;
    assert_eq!((answer.status, answer.at("/meta/api_version")), (200, json!(TOKENS)));
}

#[tokio::test]
async fn case_n14_without_a_credential_the_version_answers_without_a_body() {
    let world = World::start().await;
    is_bare(&world.api.with_key(None).at(Some(TOKENS)).get(TRUNKS).await);
    // Nothing names the version.
    refused(&world.api.with_key(None).at(None).get(TRUNKS).await, &[unauthorised()]);
}

/// Sends a request with the server's key alone.
async fn with_key(world: &World, version: Option<&str>) -> Answer {
    let request = world.api.at(version).request(Method::GET, TRUNKS);
    Answer::of(request.send().await.unwrap()).await
}

#[tokio::test]
async fn case_n15_a_key_alone_is_refused_where_the_header_names_the_version() {
    let world = World::start().await;
    is_bare(&with_key(&world, Some(TOKENS)).await);
    let wrong = world.api.with_key(Some("wrong")).at(Some(TOKENS)).request(Method::GET, TRUNKS);
    is_bare(&Answer::of(wrong.send().await.unwrap()).await);
}

#[tokio::test]
async fn case_n16_a_key_is_accepted_at_the_versions_before() {
    let world = World::start().await;
    let answer = with_key(&world, Some(NEW)).await;
    assert_eq!((answer.status, answer.at("/meta/api_version")), (200, json!(NEW)));
}

#[tokio::test]
async fn case_n17_a_key_alone_is_refused_where_the_account_has_the_version() {
    let world = World::of(engine::builder().version(ApiVersion::V2026_11_19)).await;
    for version in [None, Some(NEW), Some("banana")] {
        is_bare(&with_key(&world, version).await);
    }
    let token = world.api.token(&json!({})).await;
    assert_eq!(world.read(&token).await.status, 200);
}

#[tokio::test]
async fn case_n18_a_malformed_token_is_refused_with_a_challenge() {
    let world = World::start().await;
    for token in ["garbage", "", "a.b.c", world.server.api_key()] {
        is_invalid(&world.read(token).await);
    }
}

#[tokio::test]
async fn case_n19_an_expired_token_is_refused_to_the_second() {
    let world = World::start().await;
    let clock = world.server.control();
    clock.clock().freeze(Some("2026-11-28T12:00:00.000Z".parse().unwrap()));
    let token = world.api.token(&json!({ "expires_in": 60 })).await;
    clock.clock().advance(Duration::from_secs(59));
    assert_eq!(world.read(&token).await.status, 200);
    clock.clock().advance(Duration::from_secs(1));
    is_invalid(&world.read(&token).await);
}

#[tokio::test]
async fn case_n20_a_token_for_other_services_is_refused() {
    let world = World::start().await;
    for aud in [json!("api-vout.didww.com"), json!(["api-vin.didww.com", "api-sms.didww.com"])] {
        is_invalid(&world.read(&world.api.token(&json!({ "aud": aud })).await).await);
    }
}

#[tokio::test]
async fn case_n21_a_token_of_the_sandbox_is_refused_in_production() {
    let mut sandbox = TokensConfig::default();
    sandbox.environment = Some(Environment::Sandbox);
    let sandbox = World::of(engine::builder().tokens(sandbox)).await;
    let production = World::start().await;
    let token = sandbox.api.token(&json!({})).await;
    assert_eq!(sandbox.read(&token).await.status, 200);
    is_invalid(&production.read(&token).await);
}

#[tokio::test]
async fn case_n22_a_token_is_refused_from_an_address_that_its_key_does_not_allow() {
    // Behind a proxy on this machine, so that the test can be any client.
    let proxies = Proxies::new(&IpNetworks::parse(["127.0.0.1"]).unwrap(), ProxyHeader::Either);
    let world = World::of(engine::builder().proxies(proxies)).await;
    let bound = NewKey::named("bound").addresses(IpNetworks::parse(["192.0.2.1"]).unwrap());
    world.server.control().add_key_with(world.server.account(), bound).await.unwrap();
    let minted_from = async |address: &str| {
        let body = json!({ "aud": "api.didww.com", "api_version": TOKENS }).to_string();
        let request = http_client().post(world.server.token_url()).header("Api-Key", "bound");
        Answer::of(request.header("X-Forwarded-For", address).body(body).send().await.unwrap()).await
    };
    let read_from = async |address: &str, token: &str| {
        let request = world.api.with_key(None).at(None).request(Method::GET, TRUNKS).bearer_auth(token);
        Answer::of(request.header("X-Forwarded-For", address).send().await.unwrap()).await
    };
    is_refused(&minted_from("192.0.2.2").await, 401, "invalid_client");
    let token = minted_from("192.0.2.1").await.at("/access_token").as_str().unwrap().to_owned();
    assert_eq!(read_from("192.0.2.1", &token).await.status, 200);
    for elsewhere in ["192.0.2.2", "2001:db8::1", "198.51.100.7"] {
        is_invalid(&read_from(elsewhere, &token).await);
    }
    // The token was checked before, and is refused when it is sent without the header, from the proxy itself.
    is_invalid(&world.read(&token).await);
    assert_eq!(read_from("192.0.2.1", &token).await.status, 200);
}

#[tokio::test]
async fn case_n23_a_token_keeps_the_addresses_that_its_key_had_when_it_was_minted() {
    let world = World::start().await;
    let control = world.server.control();
    let (id, _) = control
        .add_key_with(
            world.server.account(),
            NewKey::named("bound").addresses(IpNetworks::parse(["127.0.0.0/8"]).unwrap()),
        )
        .await
        .unwrap();
    let api = world.api.with_key(Some("bound"));
    let token = api.token(&json!({})).await;
    assert_eq!(world.read(&token).await.status, 200);
    assert_eq!(api.get(TRUNKS).await.status, 200);
    let elsewhere = Some(IpNetworks::parse(["192.0.2.1"]).unwrap());
    control.set_key_addresses(world.server.account(), id, elsewhere).await.unwrap();
    is_refused(&api.mint(&json!({ "aud": "api.didww.com" })).await, 401, "invalid_client");
    refused(&api.get(TRUNKS).await, &[unauthorised()]);
    assert_eq!(world.read(&token).await.status, 200);
}

#[tokio::test]
async fn case_n24_a_read_token_reads() {
    let world = World::start().await;
    let trunk = world.trunk("A").await;
    let token = world.api.token(&json!({ "scope": "read" })).await;
    for path in [TRUNKS.to_owned(), format!("{TRUNKS}/{trunk}"), format!("{TRUNKS}/{trunk}/dids")] {
        assert_eq!(world.with_token(Method::GET, &path, &token, "").await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn case_n25_a_read_token_writes_nothing() {
    let world = World::start().await;
    let trunk = world.trunk("A").await;
    let before = world.dump().await;
    let token = world.api.token(&json!({ "scope": "read:trunks" })).await;
    let one = format!("{TRUNKS}/{trunk}");
    let changed = patch(&trunk, json!({ "name": "B" })).to_string();
    for (method, path, body) in [
        (Method::POST, TRUNKS, credentials("B").to_string()),
        (Method::POST, TRUNKS, "not JSON".to_owned()),
        (Method::PATCH, &one, changed.clone()),
        (Method::PUT, &one, changed),
        (Method::DELETE, &one, String::new()),
    ] {
        is_out_of_scope(&world.with_token(method, path, &token, &body).await);
    }
    assert_eq!(world.dump().await, before);
}

#[tokio::test]
async fn case_n26_a_read_token_rotates_no_credentials() {
    let world = World::start().await;
    let trunk = world.trunk("A").await;
    let before = world.dump().await;
    let token = world.api.token(&json!({ "scope": "read" })).await;
    let body = rotation(&trunk).to_string();
    is_out_of_scope(&world.with_token(Method::POST, ROTATION, &token, &body).await);
    assert_eq!(world.dump().await, before);
    let full = world.api.token(&json!({})).await;
    assert_eq!(world.with_token(Method::POST, ROTATION, &full, &body).await.status, 201);
}

#[tokio::test]
async fn case_n32_a_good_token_counts_and_a_wrong_key_beside_it_does_not() {
    let world = World::start().await;
    let token = world.api.token(&json!({})).await;
    let request = world.api.with_key(Some("wrong")).request(Method::GET, TRUNKS).bearer_auth(token);
    assert_eq!(Answer::of(request.send().await.unwrap()).await.status, 200);
    // The other way round, a program for an older version keeps its key.
    let request = world.api.request(Method::GET, TRUNKS).bearer_auth("of-a-gateway");
    assert_eq!(Answer::of(request.send().await.unwrap()).await.status, 200);
    let request = world.api.at(Some(TOKENS)).request(Method::GET, TRUNKS).bearer_auth("of-a-gateway");
    is_invalid(&Answer::of(request.send().await.unwrap()).await);
}

#[tokio::test]
async fn case_n33_the_version_of_the_token_counts_and_the_header_does_not() {
    let world = World::start().await;
    let token = world.api.token(&json!({})).await;
    let request = world.api.with_key(None).at(Some(NEW)).request(Method::GET, TRUNKS).bearer_auth(token);
    let answer = Answer::of(request.send().await.unwrap()).await;
    assert_eq!((answer.status, answer.at("/meta/api_version")), (200, json!(TOKENS)));
}

#[tokio::test]
async fn case_n34_a_token_of_an_older_version_is_served_in_it() {
    let world = World::of(engine::builder().version(ApiVersion::V2026_11_19)).await;
    for version in TRUNK_VERSIONS {
        let token = world.api.token(&json!({ "api_version": version })).await;
        let answer = world.read(&token).await;
        assert_eq!((answer.status, answer.at("/meta/api_version")), (200, json!(version)));
    }
}

#[tokio::test]
async fn case_n35_an_account_above_its_budget_is_asked_to_wait() {
    let world = World::start().await;
    world.server.control().clock().freeze(None);
    let (first, second) = (world.api.token(&json!({})).await, world.api.token(&json!({})).await);
    let mut limit = AccountPatch::default();
    limit.rate_limit = Some(4).into();
    world.server.control().update_account(world.server.account(), limit).await.unwrap();
    for token in [&first, &second, &first, &second] {
        assert_eq!(world.read(token).await.status, 200);
    }
    for token in [&first, &second] {
        let answer = world.read(token).await;
        refused(&answer, &[error(429, "too_many_requests", "Too Many Requests", "Too Many Requests")]);
        assert_eq!(answer.headers[header::RETRY_AFTER], "1");
    }
    // The versions before count by key, and answer as they did.
    let answer = with_key(&world, Some(NEW)).await;
    assert_eq!(answer.status, 200);
    for _ in 0..3 {
        with_key(&world, Some(NEW)).await;
    }
    let answer = with_key(&world, Some(NEW)).await;
    assert_eq!(answer.text, r#"{"errors":[{"status":"429","detail":"Too Many Requests"}]}"#);
    assert_eq!((answer.status, answer.headers.get(header::RETRY_AFTER)), (429, None));
    world.server.control().clock().advance(Duration::from_secs(1));
    assert_eq!(world.read(&first).await.status, 200);
}

#[tokio::test]
async fn case_n36_without_the_outbound_api_no_operation_on_trunks_is_served() {
    let world = World::start().await;
    let trunk = world.trunk("A").await;
    let mut none = AccountPatch::default();
    none.features = Some(Vec::new());
    world.server.control().update_account(world.server.account(), none).await.unwrap();
    let one = format!("{TRUNKS}/{trunk}");
    let forbidden = || [error(403, "403", "Forbidden", "Forbidden")];
    for version in [NEW, TOKENS] {
        let api = world.api.at(Some(version));
        refused(&api.get(TRUNKS).await, &forbidden());
        refused(&api.get(&one).await, &forbidden());
        refused(&api.post(TRUNKS, &credentials("B")).await, &forbidden());
        refused(&api.patch(&one, &patch(&trunk, json!({ "name": "B" }))).await, &forbidden());
        refused(&api.delete(&one).await, &forbidden());
        refused(&api.post(ROTATION, &rotation(&trunk)).await, &forbidden());
        assert_eq!(api.get(DIDS).await.status, 200);
    }
    // Before, the list alone needs it.
    for version in ["2021-12-15", "2022-05-10"] {
        let api = world.api.at(Some(version));
        refused(&api.get(TRUNKS).await, &forbidden());
        assert_eq!(api.get(&one).await.status, 200);
        assert_eq!(api.post(TRUNKS, &flat(version)).await.status, 201);
    }
}

#[tokio::test]
async fn case_n37_nothing_but_the_outbound_api_is_needed_to_create_a_trunk() {
    let world = World::start().await;
    let api = world.api.at(Some(TOKENS));
    assert_eq!(api.post(TRUNKS, &credentials("A")).await.status, 201);
}

#[tokio::test]
async fn case_n95_no_error_has_a_meta_member_and_code_and_status_are_texts() {
    let world = World::start().await;
    let api = world.api.at(Some(TOKENS));
    for answer in [
        api.get(&format!("{TRUNKS}/{UNKNOWN}")).await,
        api.get(&format!("{TRUNKS}?filter[bogus]=1")).await,
        api.post(TRUNKS, &json!({})).await,
        api.post(TRUNKS, &with(credentials("A"), json!({ "name": "" }))).await,
        api.get("/nothing").await,
        world.read("garbage").await,
    ] {
        assert_eq!(answer.at("/meta"), Value::Null, "{}", answer.text);
        assert_eq!(answer.at("/errors/0/status"), json!(answer.status.to_string()));
        assert!(answer.at("/errors/0/code").is_string());
    }
}

/// Every path and method of the registry at the version with tokens, and whether it writes.
fn endpoints() -> Vec<(Method, String, bool)> {
    let mut endpoints = Vec::new();
    let is_closed = |spec: &&&ResourceSpec| spec.exists_in(ApiVersion::V2026_11_19) && !spec.open;
    for spec in REGISTRY.iter().filter(is_closed) {
        let path = spec.path_at(ApiVersion::V2026_11_19);
        let (many, one) = (format!("/{path}"), format!("/{path}/{UNKNOWN}"));
        for verb in spec.verbs {
            match verb {
                Verb::Get if spec.singleton.is_some() => endpoints.push((Method::GET, many.clone(), false)),
                Verb::List => endpoints.push((Method::GET, many.clone(), false)),
                Verb::Get => endpoints.push((Method::GET, one.clone(), false)),
                Verb::Create => endpoints.push((Method::POST, many.clone(), true)),
                Verb::Update => {
                    endpoints.extend([Method::PATCH, Method::PUT].map(|method| (method, one.clone(), true)));
                }
                Verb::Delete => endpoints.push((Method::DELETE, one.clone(), true)),
            }
        }
        for relationship in spec.relationships_at(ApiVersion::V2026_11_19).filter(|_| !spec.unrouted) {
            if spec.has(Verb::Get) {
                endpoints.push((Method::GET, format!("{one}/{}", relationship.name), false));
                endpoints.push((Method::GET, format!("{one}/relationships/{}", relationship.name), false));
            }
            if spec.has(Verb::Update) {
                let linkage = format!("{one}/relationships/{}", relationship.name);
                endpoints.push((Method::PATCH, linkage.clone(), true));
                endpoints.push((Method::DELETE, linkage.clone(), true));
                if relationship.many {
                    endpoints.push((Method::POST, linkage, true));
                }
            }
        }
    }
    endpoints
}

#[tokio::test]
async fn every_endpoint_of_the_registry_refuses_what_is_no_valid_token() {
    // Without the first feature, one of the relationships does not exist, and without the second one some types
    // are 403.
    let builder = engine::builder().feature(Feature::ReplaceCli).feature(Feature::Emergency);
    let builder = builder.limits(unlimited_guesses());
    let world = World::of(builder).await;
    let control = world.server.control();
    control.clock().freeze(None);
    let expired = world.api.token(&json!({ "expires_in": 60 })).await;
    // A part of a second is rounded up.
    control.clock().advance(Duration::from_secs(61));
    let (id, _) = control.add_key_with(world.server.account(), NewKey::named("gone")).await.unwrap();
    let revoked = world.api.with_key(Some("gone")).token(&json!({})).await;
    control.remove_key(world.server.account(), id).await.unwrap();
    let elsewhere = world.api.token(&json!({ "aud": "api-vin.didww.com" })).await;
    let unsigned = world.api.token(&json!({})).await;
    let unsigned = unsigned.rsplit_once('.').unwrap().0.to_owned() + ".";
    let read = world.api.token(&json!({ "scope": "read" })).await;
    let endpoints = endpoints();
    assert!(endpoints.len() > 40, "{}", endpoints.len());
    for (method, path, writes) in &endpoints {
        for key in [None, Some("wrong"), Some(world.server.api_key())] {
            let api = world.api.with_key(key).at(Some(TOKENS));
            let request = api.request(method.clone(), path).body("{}");
            is_bare(&Answer::of(request.send().await.unwrap()).await);
        }
        for token in ["garbage", &expired, &revoked, &elsewhere, &unsigned] {
            is_invalid(&world.with_token(method.clone(), path, token, "{}").await);
        }
        let answer = world.with_token(method.clone(), path, &read, "{}").await;
        if *writes {
            is_out_of_scope(&answer);
        } else {
            assert!([200, 404].contains(&answer.status), "{method} {path}: {}", answer.text);
        }
    }
}

/// The refusals of a test are no guesses.
fn unlimited_guesses() -> trunk_server::serve::Limits {
    let mut limits = trunk_server::serve::Limits::default();
    limits.guesses.of_source = 0;
    limits
}

#[tokio::test]
async fn forged_tokens_are_limited_as_wrong_keys_are_and_a_known_client_is_served_on() {
    let world = World::start().await;
    world.server.control().clock().freeze(None);
    let token = world.api.token(&json!({})).await;
    assert_eq!(world.read(&token).await.status, 200);
    for guess in 0..60 {
        is_invalid(&world.read(&format!("guess-{guess}")).await);
    }
    let answer = world.read("one more").await;
    refused(&answer, &[error(429, "too_many_requests", "Too Many Requests", "Too Many Requests")]);
    assert!(answer.headers.contains_key(header::RETRY_AFTER));
    assert_eq!(world.read(&token).await.status, 200);
    let renewed = world.api.token(&json!({})).await;
    assert_eq!(world.read(&renewed).await.status, 200, "a new token of a known key");
}

#[tokio::test]
async fn a_forged_token_beside_a_key_that_the_version_does_not_take_is_a_guess_too() {
    let world = World::start().await;
    world.server.control().clock().freeze(None);
    let forged = async |guess: u32| {
        let request = world.api.at(Some(TOKENS)).request(Method::GET, TRUNKS);
        Answer::of(request.bearer_auth(format!("guess-{guess}")).send().await.unwrap()).await
    };
    for guess in 0..60 {
        is_invalid(&forged(guess).await);
    }
    assert_eq!(forged(60).await.status, 429);
}

#[tokio::test]
async fn an_operator_can_end_every_token() {
    let world = World::start().await;
    let token = world.api.token(&json!({})).await;
    world.server.control().rotate_token_keys(OldKeys::Keep).await.unwrap();
    assert_eq!(world.read(&token).await.status, 200);
    world.server.control().rotate_token_keys(OldKeys::Remove).await.unwrap();
    is_invalid(&world.read(&token).await);
    assert_eq!(world.read(&world.api.token(&json!({})).await).await.status, 200);
}

#[tokio::test]
async fn a_token_service_with_a_listener_of_its_own_is_served_there_alone() {
    let mut config = TokensConfig::default();
    config.listen = Some("127.0.0.1:0".to_owned());
    let world = World::of(engine::builder().tokens(config)).await;
    let mint = async |url: String| {
        let request = crate::support::api::http_client().post(url).header("Api-Key", world.server.api_key());
        let body = json!({ "aud": "api.didww.com", "api_version": TOKENS }).to_string();
        Answer::of(request.body(body).send().await.unwrap()).await
    };
    let minted = mint(world.server.token_url()).await;
    assert_eq!(minted.status, 200);
    assert_eq!(world.read(minted.at("/access_token").as_str().unwrap()).await.status, 200);
    assert_eq!(mint(world.server.base_url().replace("/v3", "/token")).await.status, 404);
    let other = world.server.token_url().replace("/token", "/v3/dids");
    assert_eq!(crate::support::api::http_client().get(other).send().await.unwrap().status(), 404);
}
