//! The three ways to authenticate: access key, token and login.

use serde_json::json;
use voipbin_client::{Client, Error, Method};
use wiremock::matchers::{any, body_json, header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::support::{ID, builder, call, ok, received};

#[tokio::test]
async fn an_access_key_is_a_cookie_of_every_request_and_in_no_url() {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(ok(&json!({"result": [], "next_page_token": ""}))).mount(&server).await;
    let client = builder(&server.uri()).access_key("vb_a-B_9").build().unwrap();
    client.calls().list().await.unwrap();
    client.calls().list().page_size(2).await.unwrap();
    client.raw(Method::GET, "/flows").await.unwrap();
    let expected = ["GET /v1.0/calls", "GET /v1.0/calls?page_size=2", "GET /v1.0/flows"];
    assert_eq!(received(&server).await, expected);
    for request in server.received_requests().await.unwrap() {
        assert_eq!(request.headers["cookie"], "accesskey=vb_a-B_9");
        assert!(!request.headers.contains_key("authorization"));
    }
}

#[tokio::test]
async fn a_login_outside_the_versioned_path_obtains_the_token_of_the_requests() {
    let server = MockServer::start().await;
    for base in [format!("{}/v1.0", server.uri()), format!("{}/v1.0/", server.uri())] {
        server.reset().await;
        Mock::given(method("POST"))
            .and(path("/auth/login"))
            .and(body_json(json!({"username": "admin", "password": "pw"})))
            .respond_with(ok(&json!({"username": "admin", "token": "fresh"})))
            .mount(&server)
            .await;
        Mock::given(header("authorization", "Bearer fresh"))
            .respond_with(ok(&call("ringing")))
            .mount(&server)
            .await;
        let client = Client::builder().base_url(base).login("admin", "pw").await.unwrap();
        client.calls().get(ID).await.unwrap();
        let login = &server.received_requests().await.unwrap()[0];
        assert!(!login.headers.contains_key("authorization"));
        let expected = ["POST /auth/login".to_owned(), format!("GET /v1.0/calls/{ID}")];
        assert_eq!(received(&server).await, expected);
    }
}

#[tokio::test]
async fn a_refused_login_is_an_error_of_the_credentials() {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(ResponseTemplate::new(400)).mount(&server).await;
    let error = builder(&server.uri()).login("admin", "wrong").await.unwrap_err();
    assert!(matches!(error, Error::Unauthorized(_)), "{error}");
    assert_eq!(error.to_string(), "the credentials are not accepted: POST /auth/login: 400 Bad Request");
}
