//! Responses with a status outside 2xx.

use voipbin_client::types::{ErrorReason, ErrorStatus};
use voipbin_client::{Client, Error, StatusCode};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::support::{ID, client, response};

async fn refused(response: ResponseTemplate) -> Error {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(response).mount(&server).await;
    client(&server).providers().get(ID).await.unwrap_err()
}

#[tokio::test]
async fn an_error_has_all_members_of_the_services_envelope() {
    let body = serde_json::json!({"error": {"message": "The provider was not found.",
        "reason": "PROVIDER_NOT_FOUND", "request_id": "req_BODY", "status": "NOT_FOUND"}});
    let error = refused(response(404, &body).insert_header("x-request-id", "req_HEADER")).await;
    assert_eq!(error.status(), Some(StatusCode::NOT_FOUND));
    assert_eq!(error.reason(), Some(&ErrorReason::ProviderNotFound));
    assert_eq!(error.refusal().unwrap().kind, Some(ErrorStatus::NotFound));
    assert_eq!(error.message(), Some("The provider was not found."));
    assert_eq!(error.request_id(), Some("req_HEADER"));
    assert_eq!(refused(response(404, &body)).await.request_id(), Some("req_BODY"));
    assert!(matches!(error, Error::NotFound(_)));
}

#[tokio::test]
async fn a_404_below_a_base_url_without_v1_has_a_hint_and_that_of_a_record_has_none() {
    let server = MockServer::start().await;
    let text = async |base: &str, answer: ResponseTemplate| {
        server.reset().await;
        Mock::given(any()).respond_with(answer).mount(&server).await;
        let client =
            Client::builder().base_url(format!("{}{base}", server.uri())).token("t").build().unwrap();
        client.providers().get(ID).await.unwrap_err().to_string()
    };
    let hint = "404 Not Found; the path has no /v1.0: the base URL looks like `https://api.voipbin.net/v1.0`";
    for base in ["", "/voipbin"] {
        let said = text(base, ResponseTemplate::new(404)).await;
        assert!(said.starts_with("not found: GET ") && said.ends_with(hint), "{said}");
    }
    for base in ["/v1.0", "/v1"] {
        let said = text(base, ResponseTemplate::new(404)).await;
        assert!(said.ends_with("404 Not Found"), "{said}");
    }
    let record = serde_json::json!({"error": {"reason": "PROVIDER_NOT_FOUND", "message": "none"}});
    let said = text("/proxied", response(404, &record)).await;
    assert!(said.ends_with("404 Not Found: PROVIDER_NOT_FOUND: none"), "{said}");
    let builder = Client::builder().base_url(format!("{}/v1.0", server.uri()));
    let said = builder.login("a", "b").await.unwrap_err().to_string();
    assert!(!said.contains("no /v1.0"), "{said}");
}

#[tokio::test]
async fn a_balance_that_does_not_suffice_has_an_error_of_its_own() {
    let body = serde_json::json!({"error": {"reason": "INSUFFICIENT_BALANCE", "status": "PAYMENT_REQUIRED",
        "message": "Customer balance is below the minimum required for this operation."}});
    let error = refused(response(402, &body)).await;
    assert!(matches!(error, Error::PaymentRequired(_)), "{error}");
    assert_eq!(error.reason(), Some(&ErrorReason::InsufficientBalance));
    assert!(error.to_string().starts_with("the balance does not suffice: GET /v1.0/providers/"), "{error}");
}

#[tokio::test]
async fn an_error_without_an_envelope_has_its_status() {
    let error = refused(ResponseTemplate::new(502).set_body_string("<html>bad gateway</html>")).await;
    assert!(matches!(error, Error::Api(_)));
    assert_eq!((error.reason(), error.message(), error.details().len()), (None, None, 0));
    assert_eq!(
        error.to_string(),
        format!("refused: GET /v1.0/providers/{ID} after 4 attempts: 502 Bad Gateway")
    );
}

#[tokio::test]
async fn a_redirect_is_refused_and_not_followed() {
    let error = refused(ResponseTemplate::new(301).insert_header("location", "https://evil.example/")).await;
    assert_eq!(error.status(), Some(StatusCode::MOVED_PERMANENTLY));
}
