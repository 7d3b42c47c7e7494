//! Which requests are retried over the wire, and which are not.

use std::time::Duration;

use didww_client::resources::VoiceOutTrunk;
use didww_client::{Error, TransportKind};
use serde_json::json;
use wiremock::matchers::{any, method};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::raw_server::{raw_response, raw_server, unreachable_url};
use crate::support::{TRUNK, builder, client, document, error, id, received, response, trunk};

async fn first_then(server: &MockServer, first: ResponseTemplate, then: ResponseTemplate) {
    Mock::given(any()).respond_with(first).up_to_n_times(1).mount(server).await;
    Mock::given(any()).respond_with(then).mount(server).await;
}

#[tokio::test]
async fn a_read_is_retried_after_each_temporary_refusal() {
    for status in [429, 502, 503, 504] {
        let server = MockServer::start().await;
        first_then(&server, ResponseTemplate::new(status), response(200, &document(&trunk()))).await;
        assert!(client(&server).voice_out_trunks().get(&id(TRUNK)).await.is_ok(), "{status}");
        assert_eq!(received(&server).await.len(), 2, "{status}");
    }
}

#[tokio::test]
async fn a_read_is_not_retried_after_a_permanent_refusal() {
    for status in [400, 401, 404, 422, 500] {
        let server = MockServer::start().await;
        Mock::given(any()).respond_with(error(status, "no", None)).expect(1).mount(&server).await;
        assert!(client(&server).voice_out_trunks().get(&id(TRUNK)).await.is_err());
    }
}

#[tokio::test]
async fn a_create_is_retried_only_when_it_cannot_have_taken_effect() {
    let wait = |status| ResponseTemplate::new(status).insert_header("retry-after", "0");
    let cases = [
        (ResponseTemplate::new(429), 2),
        (wait(429), 2),
        (wait(503), 2),
        (ResponseTemplate::new(503), 1),
        (ResponseTemplate::new(502), 1),
        (wait(504), 1),
    ];
    for (first, requests) in cases {
        let server = MockServer::start().await;
        let created = json!({"id": TRUNK, "type": "voice_out_trunk_regenerate_credentials"});
        first_then(&server, first, response(201, &document(&created))).await;
        let rotation = didww_client::resources::VoiceOutTrunkRegenerateCredentials::create(TRUNK);
        let _ = client(&server).voice_out_trunk_regenerate_credentials().create(rotation).await;
        assert_eq!(received(&server).await.len(), requests);
    }
}

#[tokio::test]
async fn a_retry_after_that_is_too_long_is_returned_to_the_caller() {
    let server = MockServer::start().await;
    let busy = error(429, "Too Many Requests", None).insert_header("retry-after", "3600");
    Mock::given(any()).respond_with(busy).expect(1).mount(&server).await;
    let error = client(&server).dids().list().await.unwrap_err();
    let Error::RateLimited { retry_after, .. } = error else { panic!("{error}") };
    assert_eq!(retry_after, Some(Duration::from_hours(1)));
}

#[tokio::test]
async fn a_date_in_retry_after_is_compared_with_the_date_of_the_response() {
    let server = MockServer::start().await;
    let busy = ResponseTemplate::new(503)
        .insert_header("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT")
        .insert_header("date", "Sun, 06 Nov 1994 08:49:37 GMT");
    first_then(&server, busy, response(200, &document(&trunk()))).await;
    assert!(client(&server).voice_out_trunks().get(&id(TRUNK)).await.is_ok());
}

#[tokio::test]
async fn a_delete_answered_404_after_an_unclear_failure_has_succeeded() {
    let server = MockServer::start().await;
    first_then(&server, ResponseTemplate::new(504), error(404, "Record not found", None)).await;
    client(&server).voice_out_trunks().delete(&id(TRUNK)).await.unwrap();
    assert_eq!(received(&server).await.len(), 2);
}

#[tokio::test]
async fn a_delete_answered_404_at_once_or_after_a_clear_refusal_has_failed() {
    let server = MockServer::start().await;
    Mock::given(method("DELETE")).respond_with(error(404, "Record not found", None)).mount(&server).await;
    assert!(matches!(client(&server).voice_out_trunks().delete(&id(TRUNK)).await, Err(Error::NotFound(_))));
    let server = MockServer::start().await;
    first_then(&server, ResponseTemplate::new(429), error(404, "Record not found", None)).await;
    assert!(matches!(client(&server).voice_out_trunks().delete(&id(TRUNK)).await, Err(Error::NotFound(_))));
}

#[tokio::test]
async fn a_truncated_response_is_retried_unless_the_request_creates() {
    let body = document(&trunk()).to_string();
    let broken = || raw_response("200 OK", body.len(), &body[..40]);
    let complete = || raw_response("200 OK", body.len(), &body);
    let client = |base: String| builder(&base).build().unwrap().voice_out_trunks();

    let trunks = client(raw_server(vec![broken(), complete()]).await);
    assert_eq!(trunks.get(&id(TRUNK)).await.unwrap().name, "Berlin");

    let trunks = client(raw_server(vec![broken(), complete()]).await);
    let patch = VoiceOutTrunk::patch().name("Berlin");
    assert_eq!(trunks.update(&id(TRUNK), patch).await.unwrap().name, "Berlin");

    let trunks = client(raw_server(vec![broken(), complete()]).await);
    let error = trunks.regenerate_credentials(&id(TRUNK)).await.unwrap_err();
    let Error::Transport(error) = error else { panic!("{error}") };
    assert_eq!((error.kind, error.exchange.attempts), (TransportKind::Interrupted, 1));
}

#[tokio::test]
async fn even_a_create_is_retried_when_no_connection_can_be_established() {
    let client = builder(&unreachable_url().await).build().unwrap();
    let error = client.voice_out_trunks().regenerate_credentials(&id(TRUNK)).await.unwrap_err();
    let Error::Transport(error) = error else { panic!("{error}") };
    assert_eq!((error.kind, error.exchange.attempts), (TransportKind::Connect, 4));
}
