//! Responses with a status outside 2xx.

use didww_client::resources::VoiceOutTrunk;
use didww_client::{ApiVersion, Client, Error, RetryPolicy};
use serde_json::json;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::support::{TRUNK, builder, client, error, id, response};

async fn refused(response: ResponseTemplate) -> Error {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(response).mount(&server).await;
    let client = builder(&server.uri()).retry(RetryPolicy::none()).build().unwrap();
    let patch = VoiceOutTrunk::patch().name("Berlin");
    client.voice_out_trunks().update(&id(TRUNK), patch).await.unwrap_err()
}

#[tokio::test]
async fn a_validation_error_is_found_by_its_field_and_names_the_request() {
    let error = refused(error(422, "name - has already been taken", Some("/data/attributes/name"))).await;
    assert!(matches!(error, Error::Validation(_)));
    assert_eq!(error.field("name").len(), 1);
    assert!(error.field("status").is_empty());
    assert_eq!(error.status().unwrap().as_u16(), 422);
    assert_eq!(
        error.to_string(),
        format!(
            "not valid: PATCH /v3/voice_out_trunks/{TRUNK} (request request-7): 422 Unprocessable Entity: \
             name - has already been taken"
        )
    );
}

#[tokio::test]
async fn each_status_has_its_error_variant() {
    let response = async |status| refused(error(status, "no", None)).await;
    assert!(matches!(response(401).await, Error::Unauthorized(_)));
    assert!(matches!(response(404).await, Error::NotFound(_)));
    assert!(matches!(response(429).await, Error::RateLimited { retry_after: None, .. }));
    for status in [400, 403, 500] {
        let error = response(status).await;
        assert!(matches!(error, Error::Api(_)), "{error}");
        assert_eq!(error.request_id(), Some("request-7"));
        assert_eq!(error.errors()[0].detail.as_deref(), Some("no"));
    }
}

#[tokio::test]
async fn a_404_below_a_base_url_without_v3_has_a_hint_and_that_of_a_record_has_none() {
    let server = MockServer::start().await;
    let text = async |base: String, answer: ResponseTemplate| {
        server.reset().await;
        Mock::given(any()).respond_with(answer).mount(&server).await;
        let client = Client::builder(base, "key").api_version(ApiVersion::V2026_04_16).build().unwrap();
        client.voice_out_trunks().get(&id(TRUNK)).await.unwrap_err().to_string()
    };
    let hint = "404 Not Found; the path has no /v3: the base URL looks like `https://api.didww.com/v3`";
    let nothing = || ResponseTemplate::new(404);
    for base in ["", "/", "/didww"] {
        let said = text(format!("{}{base}", server.uri()), nothing()).await;
        assert!(said.starts_with("not found: GET ") && said.ends_with(hint), "{said}");
    }
    let said = text(format!("{}/v3", server.uri()), nothing()).await;
    assert!(said.ends_with("404 Not Found"), "{said}");
    let record = json!({ "errors": [{ "title": "Record not found", "detail": "no such record" }] });
    let said = text(format!("{}/proxied", server.uri()), response(404, &record)).await;
    assert!(said.ends_with("404 Not Found: no such record"), "{said}");
}

#[tokio::test]
async fn a_refusal_without_a_json_api_document_keeps_its_status() {
    let error =
        refused(ResponseTemplate::new(502).set_body_raw("<html>Bad gateway</html>", "text/html")).await;
    assert_eq!(error.status().unwrap().as_u16(), 502);
    assert!(error.errors().is_empty());
    assert!(error.to_string().ends_with("502 Bad Gateway"), "{error}");
}

#[tokio::test]
async fn a_malformed_error_object_does_not_hide_the_others() {
    let body = json!({"errors": [{"code": [7]}, {"detail": "Insufficient balance", "meta": {"available_balance": "1.9"}}]});
    let error = refused(response(400, &body)).await;
    assert_eq!(error.errors()[0].detail.as_deref(), Some(r#"{"code":[7]}"#), "it is kept as text");
    assert_eq!(error.errors()[1].meta.as_ref().unwrap()["available_balance"], "1.9");
}

#[tokio::test]
async fn a_redirect_is_refused_and_not_followed() {
    let elsewhere = MockServer::start().await;
    let redirect = ResponseTemplate::new(307).insert_header("location", elsewhere.uri());
    let error = refused(redirect).await;
    assert_eq!(error.status().unwrap().as_u16(), 307);
    assert!(elsewhere.received_requests().await.unwrap().is_empty());
}

#[tokio::test]
async fn the_documented_error_of_the_rate_limit_has_neither_title_nor_code() {
    let server = MockServer::start().await;
    let body = json!({"errors": [{"status": "429", "detail": "Too Many Requests"}]});
    Mock::given(any()).respond_with(response(429, &body)).expect(4).mount(&server).await;
    let error = client(&server).dids().list().await.unwrap_err();
    assert!(matches!(error, Error::RateLimited { .. }));
    assert!(
        error.to_string().contains("after 4 attempts: 429 Too Many Requests: Too Many Requests"),
        "{error}"
    );
}
