//! Servers whose responses are malformed, too large, too late or missing.

use std::time::Duration;

use serde_json::json;
use voipbin_client::{Client, Error, RetryPolicy, TransportKind};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::raw_server::{raw_response, raw_server, unreachable_url};
use crate::support::{ID, builder, ok};

async fn read(client: &Client) -> Error {
    client.providers().get(ID).await.unwrap_err()
}

async fn serving(response: ResponseTemplate) -> (MockServer, Client) {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(response).mount(&server).await;
    let client = builder(&server.uri()).max_answer_bytes(4096).build().unwrap();
    (server, client)
}

fn kind(error: Error) -> TransportKind {
    let Error::Transport(error) = error else { panic!("{error}") };
    error.kind
}

#[tokio::test]
async fn the_error_of_a_value_of_the_wrong_type_has_its_path() {
    let cases = [
        (json!({"id": ID, "tm_create": 7}), "tm_create"),
        (json!({"id": ID, "name": 7}), "name"),
        (json!({"id": "x"}), "id"),
        (json!({}), "."),
        (json!([1]), "."),
    ];
    for (body, path) in cases {
        let (_server, client) = serving(ok(&body)).await;
        let Error::Decode(unreadable) = read(&client).await else { panic!("{body} was decoded") };
        assert_eq!(unreadable.exchange.path, format!("/v1.0/providers/{ID}"));
        assert_eq!(unreadable.error.path(), path, "{body}: {unreadable}");
    }
    let (_server, client) =
        serving(ok(&json!({"result": [{"id": ID, "status": "dialing"}, {"id": 7}]}))).await;
    let Err(Error::Decode(unreadable)) = client.calls().list().await else { panic!("it was decoded") };
    assert_eq!(unreadable.error.path(), "result[1].id");
}

#[tokio::test]
async fn html_or_nothing_instead_of_json_is_a_decode_error() {
    for response in [ResponseTemplate::new(200).set_body_string("<html></html>"), ResponseTemplate::new(204)]
    {
        let (_server, client) = serving(response).await;
        assert!(matches!(read(&client).await, Error::Decode(_)));
    }
}

#[tokio::test]
async fn a_truncated_response_is_an_interruption_and_not_a_partial_record() {
    let base = raw_server(vec![raw_response("200 OK", 60, &format!(r#"{{"id":"{ID}"}}"#))]).await;
    let client = builder(&base).retry(RetryPolicy::none()).build().unwrap();
    assert_eq!(kind(read(&client).await), TransportKind::Interrupted);
}

#[tokio::test]
async fn an_oversized_response_is_not_read_and_not_retried() {
    let (server, client) = serving(ResponseTemplate::new(200).set_body_string("x".repeat(4097))).await;
    assert_eq!(kind(read(&client).await), TransportKind::TooLarge { limit: 4096 });
    assert_eq!(server.received_requests().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_missing_response_is_a_timeout() {
    let base = raw_server(Vec::new()).await;
    let client =
        builder(&base).timeout(Duration::from_millis(20)).retry(RetryPolicy::none()).build().unwrap();
    assert_eq!(kind(read(&client).await), TransportKind::Timeout);
}

#[tokio::test]
async fn a_refused_connection_has_its_kind_and_does_not_name_the_url() {
    let client = builder(&unreachable_url().await).retry(RetryPolicy::none()).build().unwrap();
    let error = read(&client).await;
    let text = error.to_string();
    let expected = format!("GET /v1.0/providers/{ID}: no connection could be established (127.0.0.1:");
    assert!(text.starts_with(&expected) && text.contains("refused"), "host and cause: {text}");
    assert!(!format!("{error:?}").contains("http://"), "{error:?}");
    assert_eq!(kind(error), TransportKind::Connect);
}
