use axum::response::IntoResponse as _;
use http::{HeaderMap, Method};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tower::ServiceExt as _;
use trunk_store::account::Environment;

use super::*;
use crate::TokenSettings;
use crate::service::tests::{HOME, KEY, service, service_of};

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn error(&self) -> String {
        let body: Value = serde_json::from_str(&self.body).unwrap();
        assert!(body["error_description"].is_string(), "{body}");
        assert_eq!(body.as_object().unwrap().len(), 2, "{body}");
        body["error"].as_str().unwrap().to_owned()
    }
}

async fn send(tokens: &Arc<TokenService>, method: Method, headers: &[(&str, &str)], body: &str) -> Answer {
    send_to("/token", tokens, method, headers, body).await
}

async fn send_to(
    path: &str,
    tokens: &Arc<TokenService>,
    method: Method,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut request = request.body(Body::from(body.to_owned())).unwrap();
    request.extensions_mut().insert(Client(HOME));
    let response = token_router(Arc::clone(tokens)).oneshot(request).await.into_response();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Answer {
        status: parts.status.as_u16(),
        headers: parts.headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
    }
}

async fn mint(tokens: &Arc<TokenService>, key: &str, body: &str) -> Answer {
    send(tokens, Method::POST, &[("api-key", key), ("content-type", "application/json")], body).await
}

#[tokio::test]
async fn the_response_has_the_published_members_in_their_order_and_no_cache_stores_it() {
    let tokens = Arc::new(service(None).await);
    let asked = r#"{"aud":["api.didww.com","api-vout.didww.com"],"scope":"read:dids","api_version":"2026-04-16","expires_in":600}"#;
    let answer = mint(&tokens, KEY, asked).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let token = answer.body.strip_prefix(r#"{"access_token":""#).and_then(|rest| rest.split('"').next());
    let rest = answer.body.replace(token.unwrap(), "T");
    assert_eq!(
        rest,
        r#"{"access_token":"T","token_type":"Bearer","expires_in":600,"aud":["api.didww.com","api-vout.didww.com"],"scope":"read","api_version":"2026-04-16"}"#
    );
    assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store");
    assert_eq!(answer.headers[header::PRAGMA], "no-cache");
    assert_eq!(answer.headers[header::CONTENT_TYPE], "application/json");
    assert!(answer.headers.contains_key("x-request-id"));
    let one = mint(&tokens, KEY, r#"{"aud":"api.didww.com"}"#).await;
    assert!(one.body.contains(r#""expires_in":900,"aud":"api.didww.com","scope":"full""#), "{}", one.body);
}

#[tokio::test]
async fn each_error_has_its_code_and_no_text_of_the_client() {
    let tokens = Arc::new(service(None).await);
    for (key, body, status, error) in [
        (KEY, "canary", 400, "invalid_request"),
        (KEY, "{}", 400, "invalid_request"),
        (KEY, r#"{"aud":"canary"}"#, 400, "invalid_request"),
        (KEY, r#"{"aud":"api.didww.com","scope":"canary"}"#, 400, "invalid_scope"),
        ("canary", r#"{"aud":"api.didww.com"}"#, 401, "invalid_client"),
        ("canary", "canary", 401, "invalid_client"),
    ] {
        let answer = mint(&tokens, key, body).await;
        assert_eq!((answer.status, answer.error().as_str()), (status, error), "{body}");
        assert!(!answer.body.contains("canary"), "{}", answer.body);
        assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store");
    }
    let without_key = send(&tokens, Method::POST, &[], r#"{"aud":"api.didww.com"}"#).await;
    assert_eq!((without_key.status, without_key.error().as_str()), (401, "invalid_client"));
    let get = send(&tokens, Method::GET, &[("api-key", KEY)], "").await;
    assert_eq!((get.status, &get.headers[header::ALLOW]), (405, &http::HeaderValue::from_static("POST")));
}

#[tokio::test]
async fn a_key_mints_nothing_in_another_environment_or_from_an_address_that_it_does_not_allow() {
    let tokens = service(Some("198.51.100.7")).await;
    let sandbox = service_of(Environment::Sandbox, Arc::clone(&tokens.core.store)).await;
    for tokens in [tokens, sandbox] {
        let answer = mint(&Arc::new(tokens), KEY, r#"{"aud":"api.didww.com"}"#).await;
        assert_eq!((answer.status, answer.error().as_str()), (401, "invalid_client"));
    }
}

#[tokio::test]
async fn an_account_above_its_limit_is_asked_to_wait() {
    let tokens = Arc::new(service(None).await);
    for _ in 0..50 {
        assert_eq!(mint(&tokens, KEY, r#"{"aud":"api.didww.com"}"#).await.status, 200);
    }
    let answer = mint(&tokens, KEY, r#"{"aud":"api.didww.com"}"#).await;
    assert_eq!((answer.status, answer.error().as_str()), (429, "rate_limit_exceeded"));
    assert_eq!(answer.headers[header::RETRY_AFTER], "1");
}

#[tokio::test]
async fn guesses_of_keys_are_limited_and_the_wait_is_stated() {
    let tokens = Arc::new(service(None).await);
    let mut last = None;
    for guess in 0..70 {
        last = Some(mint(&tokens, &format!("guess-{guess}"), r#"{"aud":"api.didww.com"}"#).await);
    }
    let last = last.unwrap();
    assert_eq!((last.status, last.error().as_str()), (429, "rate_limit_exceeded"));
    assert!(last.headers[header::RETRY_AFTER].to_str().unwrap().parse::<u64>().unwrap() >= 1);
}

#[tokio::test]
async fn with_a_host_name_of_its_own_it_serves_that_name_alone() {
    let mut tokens = service(None).await;
    tokens.settings = TokenSettings { host: Some("auth.example.com".to_owned()), ..tokens.settings };
    let tokens = Arc::new(tokens);
    for (host, status) in [
        ("auth.example.com", 200),
        ("AUTH.example.com:8080", 200),
        ("auth.example.com.", 200),
        ("api.example.com", 404),
        ("auth.example.com.evil", 404),
    ] {
        let headers = [("api-key", KEY), ("host", host)];
        let answer = send(&tokens, Method::POST, &headers, r#"{"aud":"api.didww.com"}"#).await;
        assert_eq!(answer.status, status, "{host}");
    }
}

#[tokio::test]
async fn repeated_slashes_and_one_at_the_end_make_no_difference() {
    let tokens = Arc::new(service(None).await);
    for (path, status) in [
        ("/token/", 200),
        ("//token", 200),
        ("///token//", 200),
        ("/", 404),
        ("/Token", 404),
        ("/token/token", 404),
        ("/v3/token", 404),
    ] {
        let body = r#"{"aud":"api.didww.com"}"#;
        let answer = send_to(path, &tokens, Method::POST, &[("api-key", KEY)], body).await;
        assert_eq!(answer.status, status, "{path}");
    }
}

#[tokio::test]
async fn a_preflight_is_answered_without_a_key_and_a_page_may_read_the_responses() {
    let tokens = Arc::new(service(None).await);
    let page = ("origin", "https://console.example");
    let asked = [page, ("access-control-request-method", "POST")];
    let preflight = send(&tokens, Method::OPTIONS, &asked, "").await;
    assert_eq!((preflight.status, preflight.body.as_str()), (200, ""));
    assert_eq!(preflight.headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], page.1);
    assert_eq!(preflight.headers[header::ACCESS_CONTROL_ALLOW_METHODS], "POST");
    let allowed = preflight.headers[header::ACCESS_CONTROL_ALLOW_HEADERS].to_str().unwrap();
    assert!(["api-key", "Content-Type"].iter().all(|name| allowed.split(", ").any(|one| one == *name)));
    for (key, status) in [(KEY, 200), ("wrong", 401)] {
        let headers = [page, ("api-key", key)];
        let answer = send(&tokens, Method::POST, &headers, r#"{"aud":"api.didww.com"}"#).await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], page.1);
    }
    let without_page = mint(&tokens, KEY, r#"{"aud":"api.didww.com"}"#).await;
    assert!(!without_page.headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN));
    let no_preflight = send(&tokens, Method::OPTIONS, &[page], "").await;
    assert_eq!(no_preflight.status, 405);
}
