//! Requests for endpoints that the crate does not declare.

use serde_json::{Value, json};
use voipbin_client::types::{ErrorReason, Page};
use voipbin_client::{Error, Method, Reason};
use wiremock::matchers::{any, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::support::{client, error, last_body, ok, received};

#[tokio::test]
async fn a_raw_request_has_the_path_query_body_and_credentials_that_were_set() {
    let server = MockServer::start().await;
    let page = json!({"result": [{"id": 1, "name": "greeting"}], "next_page_token": ""});
    Mock::given(method("GET"))
        .and(path("/v1.0/flows"))
        .and(query_param("page_size", "10"))
        .and(query_param("page_token", "2026-04-21 23:15:00.000000&x"))
        .respond_with(ok(&page).insert_header("x-request-id", "req_1"))
        .mount(&server)
        .await;
    Mock::given(method("POST")).respond_with(ok(&json!({"id": 2}))).mount(&server).await;
    let client = client(&server);
    let flows = client
        .raw(Method::GET, "/flows")
        .query("page_size", "10")
        .query("page_token", "2026-04-21 23:15:00.000000&x")
        .await
        .unwrap();
    assert_eq!((flows.status().as_u16(), flows.exchange().request_id.as_deref()), (200, Some("req_1")));
    assert_eq!(flows.json().unwrap()["result"][0]["name"], "greeting");
    assert_eq!(flows.decode::<Page<Value>>().unwrap().result.len(), 1);
    let body = json!({"name": "n", "actions": [{"type": "answer"}]});
    client.raw(Method::POST, "/flows").body(&body).send().await.unwrap();
    assert_eq!(last_body(&server).await, body);
    for request in server.received_requests().await.unwrap() {
        assert_eq!(request.headers["authorization"], "Bearer canary-token");
    }
}

#[tokio::test]
async fn a_raw_request_has_the_retries_and_errors_of_the_client() {
    let server = MockServer::start().await;
    let busy = ResponseTemplate::new(503);
    Mock::given(method("GET")).respond_with(busy).up_to_n_times(1).with_priority(1).mount(&server).await;
    Mock::given(method("GET")).respond_with(error(404, "FLOW_NOT_FOUND", "no")).mount(&server).await;
    Mock::given(method("POST")).respond_with(ResponseTemplate::new(502)).expect(1).mount(&server).await;
    let client = client(&server);
    let refused = client.raw(Method::GET, "/flows/7").await.unwrap_err();
    assert!(matches!(refused, Error::NotFound(_)), "{refused}");
    assert_eq!(refused.reason(), Some(&ErrorReason::FlowNotFound));
    assert_eq!(received(&server).await.len(), 2);
    client.raw(Method::POST, "/flows").await.unwrap_err();
}

#[tokio::test]
async fn an_empty_answer_is_one_and_has_no_json() {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(ResponseTemplate::new(200)).mount(&server).await;
    let answer = client(&server).raw(Method::POST, "/calls/7/talk").await.unwrap();
    assert!(answer.bytes().is_empty());
    assert!(matches!(answer.json(), Err(Error::Decode(_))));
}

#[tokio::test]
async fn a_raw_path_stays_below_the_base() {
    let server = MockServer::start().await;
    let client = client(&server);
    for path in ["flows", "/../auth/login", "/flows//7", "/flows?x=1", "//evil.example/", ""] {
        let Err(Error::NotSent(refused)) = client.raw(Method::GET, path).await else { panic!("{path}") };
        assert!(matches!(refused.reason, Reason::Path), "{path}");
    }
    assert_eq!(received(&server).await, [""; 0]);
}
