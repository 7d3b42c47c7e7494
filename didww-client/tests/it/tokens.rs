//! Access tokens: one for all requests, renewed without the caller's notice, and printed nowhere.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use didww_client::resources::VoiceOutTrunk;
use didww_client::{
    ApiVersion, Client, ClientBuilder, Error, ErrorCode, Method, Reason, RetryPolicy, TryStreamExt as _,
};
use futures_util::FutureExt as _;
use futures_util::future::join_all;
use serde_json::{Value, json};
use wiremock::matchers::{header, method, path};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use crate::canaries::Canaries;
use crate::support::{KEY, TRUNK, document, id, response, trunk};

const TOKEN: &str = "canary-token-1";

fn builder(server: &MockServer) -> ClientBuilder {
    let retry = RetryPolicy::default().base_wait(Duration::ZERO);
    Client::builder(format!("{}/v3", server.uri()), KEY).retry(retry)
}

fn client(server: &MockServer) -> Client {
    builder(server).build().unwrap()
}

/// Mints `canary-token-1`, `canary-token-2` and so on.
#[derive(Default)]
struct Mint(AtomicU32);

impl Respond for Mint {
    fn respond(&self, _: &Request) -> ResponseTemplate {
        let number = self.0.fetch_add(1, Ordering::Relaxed) + 1;
        ResponseTemplate::new(200).set_body_json(json!({
            "access_token": format!("canary-token-{number}"), "token_type": "Bearer", "expires_in": 900,
            "aud": "api.didww.com", "scope": "full", "api_version": "2026-11-19",
        }))
    }
}

/// A server that mints tokens, and has one trunk for the client with the token `TOKEN`.
async fn server() -> MockServer {
    let server = MockServer::start().await;
    Mock::given(method("POST")).and(path("/token")).respond_with(Mint::default()).mount(&server).await;
    Mock::given(method("GET"))
        .and(header("Authorization", format!("Bearer {TOKEN}")))
        .respond_with(response(200, &document(&trunk())))
        .mount(&server)
        .await;
    server
}

/// The requests to the token service.
async fn mints(server: &MockServer) -> Vec<Request> {
    let requests = server.received_requests().await.unwrap();
    requests.into_iter().filter(|request| request.url.path() == "/token").collect()
}

#[tokio::test]
async fn a_thousand_requests_of_clones_share_one_token_which_the_key_never_accompanies() {
    let server = server().await;
    let client = client(&server);
    let clones: Vec<Client> = (0..1_000).map(|_| client.clone()).collect();
    let reads = join_all(clones.iter().map(async |client| client.voice_out_trunks().get(&id(TRUNK)).await));
    assert!(reads.await.iter().all(Result::is_ok));
    let minted = mints(&server).await;
    assert_eq!(minted.len(), 1);
    assert_eq!(minted[0].headers["api-key"], KEY);
    assert_eq!(minted[0].headers["content-type"], "application/json");
    let body: Value = serde_json::from_slice(&minted[0].body).unwrap();
    assert_eq!(body, json!({ "aud": "api.didww.com", "scope": "full", "api_version": "2026-11-19" }));
    for request in server.received_requests().await.unwrap() {
        let has = |name: &str| request.headers.contains_key(name);
        let is_mint = request.url.path() == "/token";
        assert_eq!((has("api-key"), has("authorization")), (is_mint, !is_mint));
    }
}

#[tokio::test]
async fn a_request_that_is_left_half_way_keeps_no_other_one_waiting_for_the_token() {
    let server = server().await;
    let trunks = client(&server).voice_out_trunks();
    let mut left = Box::pin(trunks.get(&id(TRUNK)).send());
    assert!(left.as_mut().now_or_never().is_none());
    let other = tokio::time::timeout(Duration::from_secs(10), trunks.get(&id(TRUNK)).send()).await;
    assert!(other.unwrap().is_ok());
    assert!(left.await.is_ok());
    assert_eq!(mints(&server).await.len(), 1);
}

#[tokio::test]
async fn the_older_versions_send_the_key() {
    let server = MockServer::start().await;
    Mock::given(header("Api-Key", KEY)).respond_with(response(200, &document(&trunk()))).mount(&server).await;
    let client = builder(&server).api_version(ApiVersion::V2026_04_16).build().unwrap();
    client.voice_out_trunks().get(&id(TRUNK)).await.unwrap();
    assert!(mints(&server).await.is_empty());
}

#[tokio::test]
async fn a_token_that_the_api_refuses_is_renewed_once_for_all_requests() {
    let server = server().await;
    let client = client(&server);
    client.voice_out_trunks().get(&id(TRUNK)).await.unwrap();
    server.reset().await;
    // From now on the second token is accepted.
    let renewed = json!({ "access_token": "canary-token-2", "token_type": "Bearer", "expires_in": 900 });
    Mock::given(path("/token"))
        .respond_with(ResponseTemplate::new(200).set_body_json(renewed))
        .mount(&server)
        .await;
    Mock::given(header("Authorization", "Bearer canary-token-2"))
        .respond_with(response(200, &document(&trunk())))
        .mount(&server)
        .await;
    let invalid = || {
        let document = json!({"errors": [{"title": "Invalid token", "code": "401", "status": "401"}]});
        response(401, &document).insert_header("www-authenticate", "Bearer error=\"invalid_token\"")
    };
    Mock::given(header("Authorization", format!("Bearer {TOKEN}")))
        .respond_with(invalid())
        .mount(&server)
        .await;
    let trunks = client.voice_out_trunks();
    let reads = join_all((0..100).map(async |_| {
        // A POST too: a request that was refused had no effect.
        trunks.update(&id(TRUNK), VoiceOutTrunk::patch().name("x")).await
    }));
    assert!(reads.await.iter().all(Result::is_ok));
    assert_eq!(mints(&server).await.len(), 1);
}

#[tokio::test]
async fn a_new_token_that_is_refused_is_an_error_with_its_reason() {
    let server = MockServer::start().await;
    Mock::given(path("/token")).respond_with(Mint::default()).mount(&server).await;
    let document =
        json!({"errors": [{"title": "Invalid token", "detail": "d", "code": "401", "status": "401"}]});
    let refusal =
        response(401, &document).insert_header("www-authenticate", "Bearer error=\"invalid_token\"");
    Mock::given(method("GET")).respond_with(refusal).mount(&server).await;
    let client = client(&server);
    let Err(Error::Unauthorized(refusal)) = client.voice_out_trunks().get(&id(TRUNK)).await.map(|_| ())
    else {
        panic!("no 401");
    };
    assert!(refusal.is_invalid_token() && !refusal.is_insufficient_scope());
    assert_eq!(refusal.errors[0].known_code(), Some(ErrorCode::Unauthorized));
    assert_eq!(mints(&server).await.len(), 1, "it was minted for this request");
    assert!(client.voice_out_trunks().get(&id(TRUNK)).await.is_err());
    assert_eq!(mints(&server).await.len(), 2, "it was not minted for this one");
}

#[tokio::test]
async fn a_401_without_a_body_and_a_scope_that_is_too_narrow_are_errors_to_match_on() {
    let server = server().await;
    Mock::given(method("DELETE")).respond_with(ResponseTemplate::new(401)).mount(&server).await;
    let document =
        json!({"errors": [{"title": "Insufficient scope", "detail": "d", "code": "403", "status": "403"}]});
    let narrow =
        response(403, &document).insert_header("www-authenticate", "Bearer error=\"insufficient_scope\"");
    Mock::given(method("PATCH")).respond_with(narrow).mount(&server).await;
    let spent =
        json!({"errors": [{"title": "t", "detail": "d", "code": "too_many_requests", "status": "429"}]});
    let spent = response(429, &spent).insert_header("retry-after", "31");
    Mock::given(method("POST")).and(path("/v3/voice_out_trunks")).respond_with(spent).mount(&server).await;
    let client = client(&server);
    let trunks = client.voice_out_trunks();
    match trunks.delete(&id(TRUNK)).await {
        Err(Error::Unauthorized(refusal)) => {
            assert!(refusal.errors.is_empty() && refusal.challenge.is_none());
        }
        other => panic!("{other:?}"),
    }
    let refused = trunks.update(&id(TRUNK), VoiceOutTrunk::patch().name("x")).await.unwrap_err();
    assert!(refused.refusal().unwrap().is_insufficient_scope());
    let spent = client.raw(Method::POST, "/voice_out_trunks").body(&json!({})).await.unwrap_err();
    assert_eq!(spent.errors()[0].known_code(), Some(ErrorCode::TooManyRequests));
    assert_eq!(spent.refusal().unwrap().retry_after, Some(Duration::from_secs(31)));
    assert!(matches!(spent, Error::RateLimited { retry_after: Some(wait), .. } if wait.as_secs() == 31));
}

#[tokio::test]
async fn a_read_only_client_mints_a_read_token_and_sends_no_write() {
    let server = server().await;
    for version in [ApiVersion::V2026_04_16, ApiVersion::V2026_11_19] {
        let client = builder(&server).api_version(version).read_only().build().unwrap();
        let trunks = client.voice_out_trunks();
        for refused in [
            trunks.delete(&id(TRUNK)).await.unwrap_err(),
            trunks.regenerate_credentials(&id(TRUNK)).await.unwrap_err(),
            trunks.update(&id(TRUNK), VoiceOutTrunk::patch().name("x")).await.unwrap_err(),
            trunks.to_many(&id(TRUNK), VoiceOutTrunk::DIDS).replace([TRUNK]).await.unwrap_err(),
            client.raw(Method::POST, "/orders").body(&json!({})).await.unwrap_err(),
        ] {
            assert!(
                matches!(&refused, Error::NotSent(error) if matches!(error.reason, Reason::ReadOnlyClient))
            );
            assert!(refused.exchange().is_some(), "{refused}");
        }
        assert!(server.received_requests().await.unwrap().is_empty());
    }
    let client = builder(&server).read_only().build().unwrap();
    client.voice_out_trunks().get(&id(TRUNK)).await.unwrap();
    let body: Value = serde_json::from_slice(&mints(&server).await[0].body).unwrap();
    assert_eq!(body["scope"], "read");
}

#[tokio::test]
async fn the_errors_of_the_token_service_are_those_of_the_request_and_are_shared() {
    let server = MockServer::start().await;
    let refused = json!({ "error": "invalid_client", "error_description": "the API key is not valid" });
    Mock::given(path("/token"))
        .respond_with(ResponseTemplate::new(401).set_body_json(refused).set_delay(Duration::from_millis(100)))
        .up_to_n_times(1)
        .mount(&server)
        .await;
    let busy = json!({ "error": "rate_limit_exceeded", "error_description": "d" });
    Mock::given(path("/token"))
        .respond_with(ResponseTemplate::new(429).set_body_json(busy).insert_header("retry-after", "40"))
        .mount(&server)
        .await;
    let client = client(&server);
    let trunks = client.voice_out_trunks();
    let reads = join_all((0..50).map(async |_| trunks.get(&id(TRUNK)).await)).await;
    for read in reads {
        let error = read.unwrap_err();
        assert!(matches!(error, Error::Unauthorized(_)), "{error}");
        assert!(
            error.to_string().contains("POST /token") && error.to_string().contains("not valid"),
            "{error}"
        );
        assert_eq!(error.errors()[0].code.as_deref(), Some("invalid_client"));
    }
    assert_eq!(mints(&server).await.len(), 1);
    let error = trunks.get(&id(TRUNK)).await.unwrap_err();
    assert!(matches!(error, Error::RateLimited { retry_after: Some(wait), .. } if wait.as_secs() == 40));
}

#[tokio::test]
async fn the_token_service_can_have_any_url() {
    let (api, tokens) = (server().await, server().await);
    let client = builder(&api).token_url(format!("{}/token", tokens.uri())).build().unwrap();
    client.voice_out_trunks().get(&id(TRUNK)).await.unwrap();
    assert_eq!((mints(&api).await.len(), mints(&tokens).await.len()), (0, 1));
    assert!(builder(&api).token_url("no url").build().is_err());
}

#[tokio::test]
async fn no_token_and_no_key_is_in_a_debug_text_or_an_error() {
    const CANARIES: Canaries<2> = Canaries(["canary-api-key", "canary-token"]);
    let server = server().await;
    let client = client(&server);
    let trunk = client.voice_out_trunks().get(&id(TRUNK)).await.unwrap();
    let refused = client.voice_out_trunks().list().stream().try_next().await;
    CANARIES.assert_absent_from(&format!("{client:?} {trunk:?} {refused:?}"));
    for (status, body) in [
        (200, "{\"access_token\": \"canary-token\\n\", \"expires_in\": 1}"),
        (200, "canary-token"),
        (200, "{\"access_token\": {\"canary-token\": 1}}"),
        (400, "{\"error\": \"invalid_request\"}"),
    ] {
        let server = MockServer::start().await;
        Mock::given(path("/token"))
            .respond_with(ResponseTemplate::new(status).set_body_string(body))
            .mount(&server)
            .await;
        let error = builder(&server).build().unwrap().voice_out_trunks().get(&id(TRUNK)).await.unwrap_err();
        CANARIES.assert_absent_from_error(&error);
    }
}

#[tokio::test]
async fn a_post_that_is_sent_again_with_another_token_keeps_its_idempotency_key() {
    let server = MockServer::start().await;
    Mock::given(method("POST")).and(path("/token")).respond_with(Mint::default()).mount(&server).await;
    let trunks = || Mock::given(method("POST")).and(path("/v3/voice_out_trunks"));
    // The first attempt may have taken effect, and the second one has a token that ended.
    trunks().respond_with(ResponseTemplate::new(503)).up_to_n_times(1).mount(&server).await;
    let expired =
        ResponseTemplate::new(401).insert_header("WWW-Authenticate", "Bearer error=\"invalid_token\"");
    trunks().respond_with(expired).up_to_n_times(1).mount(&server).await;
    trunks().respond_with(response(201, &document(&trunk()))).mount(&server).await;
    let client = builder(&server).idempotency_keys().build().unwrap();
    // A token from before the request.
    client.voice_out_trunks().get(&id(TRUNK)).await.unwrap_err();
    let method = didww_client::resources::AuthenticationMethod::credentials_and_ip(
        didww_client::values::IpNetworks::parse(["203.0.113.5"]).unwrap(),
    );
    let action = didww_client::resources::OnCliMismatchAction::RejectCall;
    client.voice_out_trunks().create(VoiceOutTrunk::create("Once", action, method)).await.unwrap();
    let requests = server.received_requests().await.unwrap();
    let keys: Vec<&str> = requests
        .iter()
        .filter(|request| request.url.path() == "/v3/voice_out_trunks")
        .map(|request| request.headers["idempotency-key"].to_str().unwrap())
        .collect();
    assert_eq!(keys.len(), 3);
    assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
}

#[tokio::test]
async fn a_404_of_the_token_service_is_not_that_of_the_record() {
    let server = MockServer::start().await;
    for status in [404, 422] {
        server.reset().await;
        Mock::given(path("/token")).respond_with(ResponseTemplate::new(status)).mount(&server).await;
        let error = client(&server).voice_out_trunks().get(&id(TRUNK)).await.unwrap_err();
        assert!(matches!(&error, Error::Api(refusal) if refusal.status == status), "{error:?}");
    }
}
