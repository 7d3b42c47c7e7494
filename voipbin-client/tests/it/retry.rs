//! Which requests are retried over the wire, and which are not.

use std::time::Duration;

use serde_json::json;
use voipbin_client::types::{CallCreate, ProviderBody, ProviderCallCreate};
use voipbin_client::{Error, TransportKind};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::raw_server::{raw_response, raw_server, unreachable_url};
use crate::support::{ID, builder, call, client, error, ok, received};

async fn first_then_record(first: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(first).up_to_n_times(1).mount(&server).await;
    Mock::given(any()).respond_with(ok(&call("terminating"))).mount(&server).await;
    server
}

#[tokio::test]
async fn idempotent_requests_are_retried_after_each_temporary_refusal() {
    for status in [429, 502, 503, 504] {
        let server = first_then_record(ResponseTemplate::new(status)).await;
        client(&server).calls().get(ID).await.unwrap();
        let server = first_then_record(ResponseTemplate::new(status)).await;
        client(&server).providers().update(ID, ProviderBody::default()).await.unwrap();
        let server = first_then_record(ResponseTemplate::new(status)).await;
        client(&server).calls().hangup(ID).await.unwrap();
        assert_eq!(received(&server).await.len(), 2, "{status}");
    }
}

#[tokio::test]
async fn a_call_is_placed_again_only_when_it_cannot_have_been_placed() {
    let wait = |status| ResponseTemplate::new(status).insert_header("retry-after", "0");
    let timed_out = error(503, "REQUEST_TIMEOUT", "The request timed out.");
    let cases =
        [(ResponseTemplate::new(429), 2), (wait(503), 2), (timed_out, 1), (wait(502), 1), (wait(504), 1)];
    for (first, requests) in cases {
        let server = first_then_record(first.clone()).await;
        let _ = client(&server).provider_calls().create(ProviderCallCreate::new(ID, [])).await;
        assert_eq!(received(&server).await.len(), requests);
        let server = first_then_record(first).await;
        let _ = client(&server).calls().create(CallCreate::default()).await;
        assert_eq!(received(&server).await.len(), requests);
    }
}

#[tokio::test]
async fn a_call_whose_response_was_lost_is_not_placed_again() {
    let truncated = raw_response("200 OK", 100, "{");
    let base = raw_server(vec![truncated.clone(), truncated]).await;
    let error =
        builder(&base).build().unwrap().provider_calls().create(ProviderCallCreate::new(ID, [])).await;
    let Err(Error::Transport(error)) = error else { panic!("{error:?}") };
    assert_eq!((error.kind, error.exchange.attempts), (TransportKind::Interrupted, 1));
    let base = unreachable_url().await;
    let error =
        builder(&base).build().unwrap().provider_calls().create(ProviderCallCreate::new(ID, [])).await;
    let Err(Error::Transport(error)) = error else { panic!("{error:?}") };
    assert_eq!((error.kind, error.exchange.attempts), (TransportKind::Connect, 4));
}

#[tokio::test]
async fn a_permanent_refusal_is_not_retried() {
    for status in [400, 401, 402, 403, 404, 409, 500] {
        let server = MockServer::start().await;
        Mock::given(any()).respond_with(error(status, "X", "no")).expect(1).mount(&server).await;
        client(&server).calls().get(ID).await.unwrap_err();
    }
}

#[tokio::test]
async fn a_retry_after_that_is_too_long_is_returned_to_the_caller() {
    let server = MockServer::start().await;
    let body = json!({"error": {"details": [{"limited_by": "customer"}], "reason": "RATE_LIMIT_EXCEEDED"}});
    let busy = ResponseTemplate::new(429).set_body_json(body).insert_header("retry-after", "3600");
    Mock::given(any()).respond_with(busy).expect(1).mount(&server).await;
    let error = client(&server).calls().get(ID).await.unwrap_err();
    assert_eq!(error.details()[0]["limited_by"], "customer");
    let Error::RateLimited { retry_after, .. } = error else { panic!("{error}") };
    assert_eq!(retry_after, Some(Duration::from_hours(1)));
}
