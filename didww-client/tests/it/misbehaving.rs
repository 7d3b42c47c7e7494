//! Servers whose responses are malformed, too large, too late or missing.

use std::time::Duration;

use didww_client::resources::VoiceOutTrunk;
use didww_client::{Client, DecodeError, Error, RetryPolicy, TransportKind};
use serde_json::{Value, json};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::raw_server::{raw_response, raw_server, read_head, unreachable_url};
use crate::support::{TRUNK, builder, document, id, response, trunk, trunk_with};

async fn read(client: &Client) -> Error {
    client.voice_out_trunks().get(&id(TRUNK)).await.unwrap_err()
}

async fn serving(response: ResponseTemplate) -> (MockServer, Client) {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(response).mount(&server).await;
    let client = builder(&server.uri()).max_answer_bytes(4096).build().unwrap();
    (server, client)
}

async fn unreadable(body: &Value) -> DecodeError {
    let (_server, client) = serving(response(200, body)).await;
    let error = read(&client).await;
    let Error::Decode(unreadable) = error else { panic!("{error}") };
    assert_eq!(unreadable.exchange.path, format!("/v3/voice_out_trunks/{TRUNK}"));
    unreadable.error
}

fn kind(error: Error) -> TransportKind {
    let Error::Transport(error) = error else { panic!("{error}") };
    error.kind
}

#[tokio::test]
async fn the_error_of_a_value_of_the_wrong_type_has_its_path() {
    let cases = [
        (json!({"created_at": 7}), "data.attributes.created_at"),
        (json!({"name": null}), "data.attributes.name"),
        (json!({"dst_prefixes": ["1", {}]}), "data.attributes.dst_prefixes[1]"),
    ];
    for (attributes, path) in cases {
        assert_eq!(unreadable(&document(&trunk_with(&attributes))).await.path(), path);
    }
    assert_eq!(unreadable(&json!({"data": "x"})).await.path(), "data");
    assert_eq!(unreadable(&json!({"data": {"id": 7}})).await.path(), "data.id");
    let mut other = trunk();
    other["type"] = json!("voice_in_trunks");
    let error = unreadable(&document(&other)).await;
    assert_eq!(error.to_string(), "at `data.type`: expected `voice_out_trunks`, found `voice_in_trunks`");
}

#[tokio::test]
async fn the_error_of_a_record_of_a_list_has_its_index() {
    let body = json!({"data": [trunk(), trunk_with(&json!({"rtp_ping": "perhaps"}))]});
    let (_server, client) = serving(response(200, &body)).await;
    let Err(Error::Decode(unreadable)) = client.voice_out_trunks().list().await else {
        panic!("it was decoded")
    };
    assert_eq!(unreadable.error.path(), "data[1].attributes.rtp_ping");
}

#[tokio::test]
async fn html_instead_of_json_is_a_decode_error() {
    let (_server, client) =
        serving(ResponseTemplate::new(200).set_body_raw("<html></html>", "text/html")).await;
    assert!(matches!(read(&client).await, Error::Decode(_)));
    let (_server, client) = serving(ResponseTemplate::new(204)).await;
    assert!(matches!(read(&client).await, Error::Decode(_)));
}

#[tokio::test]
async fn a_truncated_response_is_an_interruption_and_not_a_partial_record() {
    let body = document(&trunk()).to_string();
    let base = raw_server(vec![raw_response("200 OK", body.len(), &body[..body.len() - 1])]).await;
    let client = builder(&base).retry(RetryPolicy::none()).build().unwrap();
    assert_eq!(kind(read(&client).await), TransportKind::Interrupted);
}

#[tokio::test]
async fn an_oversized_response_is_not_read_and_not_retried() {
    let limit = TransportKind::TooLarge { limit: 4096 };
    let (server, client) =
        serving(ResponseTemplate::new(200).set_body_raw("x".repeat(4097), "text/plain")).await;
    assert_eq!(kind(read(&client).await), limit);
    assert_eq!(server.received_requests().await.unwrap().len(), 1);

    // Without a `Content-Length`, the client counts the bytes.
    let chunk = format!("1000\r\n{}\r\n", "x".repeat(4096));
    let endless = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{chunk}{chunk}0\r\n\r\n");
    let client = builder(&raw_server(vec![endless]).await).max_answer_bytes(4096).build().unwrap();
    assert_eq!(kind(read(&client).await), limit);
}

#[tokio::test]
async fn a_missing_response_is_a_timeout() {
    let base = raw_server(Vec::new()).await;
    let with_timeout = |builder: didww_client::ClientBuilder| {
        builder.timeout(Duration::from_millis(20)).retry(RetryPolicy::none()).build().unwrap()
    };
    assert_eq!(kind(read(&with_timeout(builder(&base))).await), TransportKind::Timeout);
    // The timeout also applies to an HTTP client that the user supplies.
    let own = builder(&base).http_client(reqwest::Client::builder().tls_certs_only([]).build().unwrap());
    assert_eq!(kind(read(&with_timeout(own)).await), TransportKind::Timeout);
}

#[tokio::test]
async fn a_body_that_stalls_is_a_timeout() {
    use tokio::io::AsyncWriteExt as _;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_head(&mut stream).await;
        stream.write_all(raw_response("200 OK", 100, "{").as_bytes()).await.unwrap();
        stream
    });
    let client =
        builder(&base).timeout(Duration::from_millis(50)).retry(RetryPolicy::none()).build().unwrap();
    assert_eq!(kind(read(&client).await), TransportKind::Timeout);
    server.await.unwrap();
}

#[tokio::test]
async fn a_refused_connection_has_its_kind_and_does_not_name_the_url() {
    let client = builder(&unreachable_url().await).retry(RetryPolicy::none()).build().unwrap();
    let error = client.voice_out_trunks().update(&id(TRUNK), VoiceOutTrunk::patch()).await.unwrap_err();
    let text = error.to_string();
    let expected =
        format!("PATCH /v3/voice_out_trunks/{TRUNK}: no connection could be established (127.0.0.1:");
    assert!(text.starts_with(&expected) && text.contains("refused"), "host and cause: {text}");
    assert!(!format!("{error:?}").contains("http://"), "{error:?}");
    assert_eq!(kind(error), TransportKind::Connect);
}
