//! Secrets are printed nowhere.

use didww_client::resources::{VoiceOutTrunk, VoiceOutTrunkInclude};
use didww_client::{ApiVersion, Client, Error, Method};
use serde_json::json;
use wiremock::matchers::{any, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::canaries::Canaries;
use crate::raw_server::unreachable_url;
use crate::support::{TRUNK, builder, client, document, error, id, response, trunk, trunk_with};
use crate::trace_log::Log;

/// Texts that no output may contain.
const CANARIES: Canaries<5> =
    Canaries(["canary-api-key", "canary-password", "canary-passkey", "canary-token", "4711471147"]);

async fn exercise(server: &MockServer, client: &Client) {
    let trunks = client.voice_out_trunks();
    let trunk = trunks.get(&id(TRUNK)).include([VoiceOutTrunkInclude::Dids]).await.unwrap();
    CANARIES.assert_absent_from(&format!("{trunk:?} {trunk:#?}"));
    let page = trunks.list().await;
    CANARIES.assert_absent_from(&format!("{page:?} {client:?} {trunks:?} {:?}", trunks.list()));
    let _ = trunks.regenerate_credentials(&id(TRUNK)).await;
    let raw = client.raw(Method::GET, "/me").query("token", "canary-passkey").await.unwrap();
    CANARIES.assert_absent_from(&format!("{raw:?}"));
    assert!(!server.received_requests().await.unwrap().is_empty());
}

#[tokio::test]
async fn no_secret_is_in_a_debug_text_or_a_trace() {
    let log = Log::begin();
    let server = MockServer::start().await;
    let mut body = document(&trunk());
    // Included records have credentials as well.
    body["included"] = json!([trunk_with(&json!({"name": "other"}))]);
    Mock::given(any()).respond_with(ResponseTemplate::new(503)).up_to_n_times(1).mount(&server).await;
    let token = json!({"access_token": "canary-token", "token_type": "Bearer", "expires_in": 900});
    Mock::given(path("/token"))
        .respond_with(ResponseTemplate::new(200).set_body_json(token))
        .mount(&server)
        .await;
    Mock::given(method("POST")).respond_with(error(422, "no", None)).mount(&server).await;
    Mock::given(any())
        .respond_with(response(200, &body).insert_header("x-request-id", "request-7"))
        .mount(&server)
        .await;
    let client = client(&server);
    client.voice_out_trunks().get(&id("traced")).await.unwrap();
    exercise(&server, &client).await;
    let with_tokens = builder(&server.uri()).api_version(ApiVersion::NEWEST).build().unwrap();
    exercise(&server, &with_tokens).await;
    let text = log.text();
    assert!(text.contains("url.path=\"/token\""));
    CANARIES.assert_absent_from(&text);
    let closed =
        |line: &&str| line.contains("url.path=\"/voice_out_trunks/traced\"") && line.contains("close");
    let span = text.lines().find(closed).unwrap();
    for field in [
        "http.request.method=\"GET\"",
        "url.template=\"/voice_out_trunks/{id}\"",
        "http.response.status_code=200",
        "didww.attempts=2",
        "didww.request_id=\"request-7\"",
    ] {
        assert!(span.contains(field), "`{field}` is not in {span}");
    }
}

#[tokio::test]
async fn no_secret_is_in_an_error() {
    let server = MockServer::start().await;
    let wrong = json!({"authentication_method": {"type": "credentials_and_ip", "attributes": {
        "allowed_sip_ips": ["192.0.2.1"], "username": "u", "password": 4_711_471_147_u64}}});
    Mock::given(method("GET"))
        .respond_with(response(200, &document(&trunk_with(&wrong))))
        .mount(&server)
        .await;
    Mock::given(any()).respond_with(error(422, "no", None)).mount(&server).await;
    let client = client(&server);
    let trunks = client.voice_out_trunks();
    let decode = trunks.get(&id(TRUNK)).await.unwrap_err();
    assert!(matches!(decode, Error::Decode(_)));
    CANARIES.assert_absent_from_error(&decode);
    CANARIES.assert_absent_from_error(
        &trunks.update(&id(TRUNK), VoiceOutTrunk::patch().name("x")).await.unwrap_err(),
    );
    let unreachable = builder(&unreachable_url().await).build().unwrap();
    let raw = unreachable.raw(Method::GET, "/me").query("token", "canary-passkey");
    CANARIES.assert_absent_from(&format!("{raw:?}"));
    CANARIES.assert_absent_from_error(&raw.await.unwrap_err());
    let refused = Client::builder("http://user:canary-password@127.0.0.1/v3", "canary-api-key");
    CANARIES.assert_absent_from_error(&refused.build().unwrap_err());
}

#[test]
fn a_builder_hides_the_key() {
    CANARIES.assert_absent_from(&format!("{:?}", Client::builder("http://127.0.0.1/v3", "canary-api-key")));
}
