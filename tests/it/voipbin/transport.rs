//! Common properties of all answers: paths, request ids, the envelope, redirects, CORS and limits.

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use trunk_server::control::customers::TokenKind;

use super::refusal::*;
use super::stage::*;

#[tokio::test]
async fn case_6_what_is_not_served_is_not_there_for_anybody() {
    let stage = Stage::start().await;
    for (method, path) in [
        ("GET", "/nosuch"),
        ("GET", "/nosuch/and/more"),
        ("PATCH", "/providers"),
        ("DELETE", "/providers"),
        ("HEAD", "/providers/1/2"),
        ("POST", "/providers/c3947e93-4a3b-4080-b9d3-cbcc633ab808"),
        ("PUT", "/providercalls/c3947e93-4a3b-4080-b9d3-cbcc633ab808"),
        ("GET", "/calls/c3947e93-4a3b-4080-b9d3-cbcc633ab808/hangup"),
        ("POST", "/outbound_config"),
        ("PUT", "/calls"),
    ] {
        let answer = stage.anonymous().send(method, path, "").await;
        if method == "HEAD" {
            assert_eq!((answer.status, answer.text.as_str()), (404, ""));
        } else {
            answer.refused(&no_endpoint());
        }
        assert_eq!(stage.sa.send(method, path, "").await.status, 404, "{method} {path}");
    }
}

#[tokio::test]
async fn what_the_documents_have_and_the_server_does_not_serve_is_not_found() {
    let stage = Stage::start().await;
    let key = stage.key(stage.admin, None).await;
    for (method, path) in [
        ("GET", "/ws"),
        ("GET", "/groupcalls"),
        ("POST", "/groupcalls"),
        ("GET", "/billings"),
        ("GET", "/me"),
        ("GET", "/agents"),
        ("GET", "/customers"),
        ("POST", "/customers"),
        ("PUT", "/customer/billing_account_id"),
        ("GET", "/activeflows"),
        ("GET", "/available_numbers?type=virtual"),
        ("POST", "/numbers"),
        ("POST", "/numbers/renew"),
        ("DELETE", "/numbers/c3947e93-4a3b-4080-b9d3-cbcc633ab808"),
        ("POST", "/calls/c3947e93-4a3b-4080-b9d3-cbcc633ab808/talk"),
        ("POST", "/calls/c3947e93-4a3b-4080-b9d3-cbcc633ab808/mute"),
        ("DELETE", "/calls/c3947e93-4a3b-4080-b9d3-cbcc633ab808/hold"),
        ("POST", "/calls/c3947e93-4a3b-4080-b9d3-cbcc633ab808/recording_start"),
        ("GET", "/providers/c3947e93-4a3b-4080-b9d3-cbcc633ab808/credentials"),
    ] {
        let body = if method == "POST" || method == "PUT" { "{}" } else { "" };
        for caller in [&stage.anonymous(), &key, &stage.sa] {
            caller.send(method, path, body).await.refused(&no_endpoint());
        }
    }
}

#[tokio::test]
async fn case_7_a_request_id_is_echoed_or_made() {
    let stage = Stage::start().await;
    let longest = "x".repeat(64);
    for id in ["abc-1", "A_b-9", "x", longest.as_str()] {
        let answer = stage.anonymous().header(format!("X-Request-Id: {id}")).get("/providers").await;
        answer.refused(&authentication_required());
        assert_eq!(answer.header("x-request-id"), Some(id));
        assert_eq!(answer.at("/error/request_id"), id);
        let answer = stage.sa.header(format!("X-Request-Id: {id}")).get("/providers").await;
        assert_eq!((answer.status, answer.header("x-request-id")), (200, Some(id)));
    }
    let too_long = "x".repeat(65);
    let mut made = std::collections::BTreeSet::new();
    for id in ["a b", "", "ä", "a.b", too_long.as_str()] {
        let answer = stage.anonymous().header(format!("X-Request-Id: {id}")).get("/providers").await;
        answer.refused(&authentication_required());
        let id = answer.header("x-request-id").unwrap();
        let random = id.strip_prefix("req_").unwrap();
        let base32 = |byte: u8| byte.is_ascii_uppercase() || (b'2'..=b'7').contains(&byte);
        assert!(random.len() == 26 && random.bytes().all(base32), "{id}");
        assert_eq!(answer.at("/error/request_id"), id);
        made.insert(id.to_owned());
    }
    assert_eq!(made.len(), 5, "no two requests have one id");
    assert!(stage.anonymous().get("/nosuch").await.header("x-request-id").is_some());
}

#[tokio::test]
async fn case_8_an_error_is_these_bytes() {
    let stage = Stage::start().await;
    let answer = stage.anonymous().header("X-Request-Id: abc-1").get("/providers").await;
    assert_eq!(
        answer.text,
        r#"{"error":{"message":"Authentication is required.","reason":"AUTHENTICATION_REQUIRED","request_id":"abc-1","status":"UNAUTHENTICATED"}}"#
    );
    assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
}

#[tokio::test]
async fn case_60_a_customer_over_its_rate_is_told_when_to_come_back() {
    let stage = Stage::with(|config| config.voipbin.platform.customer_rate = (1, 3)).await;
    stage.control().clock().freeze(None);
    let customer = stage.customer("eager").await;
    let agent = stage.agent(customer, ADMIN).await;
    let key = stage.key(customer, None).await;
    // An agent and an access key of a customer share the customer's limit.
    for caller in [&agent, &key, &agent] {
        caller.get("/outbound_config").await.ok();
    }
    for caller in [&agent, &key] {
        let answer = caller.get("/outbound_config").await;
        answer.refused(&too_many("customer"));
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
    // A client without a credential belongs to no customer, and another customer has its own limit.
    stage.anonymous().get("/outbound_config").await.refused(&authentication_required());
    stage.sa.get("/outbound_config").await.ok();
    stage.control().clock().advance(std::time::Duration::from_secs(1));
    agent.get("/outbound_config").await.ok();
    agent.get("/outbound_config").await.refused(&too_many("customer"));
}

#[tokio::test]
async fn tokens_that_a_customer_hands_out_do_not_use_up_its_own_requests() {
    let stage = Stage::with(|config| config.voipbin.platform.customer_rate = (1, 1)).await;
    stage.control().clock().freeze(None);
    let customer = stage.customer("generous").await;
    let direct = stage.holder(customer, TokenKind::Direct);
    direct.get("/outbound_config").await.refused(&direct_access());
    direct.get("/outbound_config").await.refused(&too_many("customer"));
    let delegate = stage.holder(customer, TokenKind::Delegate);
    delegate.get("/outbound_config").await.ok();
    delegate.get("/outbound_config").await.refused(&too_many("customer"));
    let key = stage.key(customer, None).await;
    key.get("/outbound_config").await.ok();
    key.get("/outbound_config").await.refused(&too_many("customer"));
}

#[tokio::test]
async fn an_address_over_its_rate_is_refused_before_it_is_known() {
    let stage = Stage::with(|config| {
        // Logins have a separate limit.
        config.voipbin.platform.ip_rate = (1, 2);
    })
    .await;
    stage.control().clock().freeze(None);
    stage.anonymous().get("/providers").await.refused(&authentication_required());
    stage.sa.get("/providers").await.ok();
    let answer = stage.anonymous().get("/providers").await;
    answer.refused(&too_many("ip"));
    assert_eq!(answer.header("retry-after"), Some("1"));
    stage.sa.get("/providers").await.refused(&too_many("ip"));
}

#[tokio::test]
async fn logging_in_too_often_is_refused() {
    let stage = Stage::with(|config| config.voipbin.platform.login_rate = (1, 2)).await;
    stage.control().clock().freeze(None);
    // A name that logged in from there before, such as the super admin, is not counted.
    let body = json!({ "username": "guest", "password": "wrong" });
    let base = stage.anonymous().below("");
    let mut last = base.post("/auth/login", &body).await;
    for _ in 0..2 {
        last = base.post("/auth/login", &body).await;
    }
    assert_eq!((last.status, last.header("retry-after")), (429, Some("1")));
    stage.sa.get("/providers").await.ok();
    base.post("/auth/login", &json!({ "username": "root", "password": "correct horse" })).await.ok();
}

#[tokio::test]
async fn the_older_path_is_an_alias() {
    let stage = Stage::start().await;
    let id = stage.provider("carrier.example.com").await;
    let old = stage.sa.below("/v1");
    assert_eq!(old.get(&format!("/providers/{id}")).await.id(), id);
    old.post("/providers", &json!({})).await.ok();
    stage.anonymous().below("/v1").get("/providers").await.refused(&authentication_required());
    stage.anonymous().below("/v1").get("/nosuch").await.refused(&no_endpoint());
}

#[tokio::test]
async fn a_ping_is_answered_to_anybody() {
    let stage = Stage::start().await;
    assert_eq!(stage.anonymous().below("").get("/ping").await.status, 200);
}

#[tokio::test]
async fn a_slash_at_the_end_leads_to_the_path_without() {
    let stage = Stage::start().await;
    let answer = stage.anonymous().get("/providers/").await;
    assert_eq!((answer.status, answer.header("location")), (301, Some("/v1.0/providers")));
    let answer = stage.anonymous().post("/providers/", &json!({})).await;
    assert_eq!((answer.status, answer.header("location")), (307, Some("/v1.0/providers")));
    let answer = stage.anonymous().get("/providers/?page_size=2").await;
    assert_eq!((answer.status, answer.header("location")), (301, Some("/v1.0/providers?page_size=2")));
    stage.anonymous().get("/nosuch/").await.refused(&no_endpoint());
}

#[tokio::test]
async fn pages_of_any_origin_may_ask() {
    let stage = Stage::start().await;
    let page = stage.sa.header("Origin: https://app.example.com");
    let answer = page.get("/providers").await;
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert_eq!(answer.header("access-control-allow-credentials"), None);
    let exposed = answer.header("access-control-expose-headers").unwrap_or_default();
    assert_eq!(exposed.to_ascii_lowercase(), "content-length");
    let preflight = stage
        .anonymous()
        .header("Origin: https://app.example.com")
        .header("Access-Control-Request-Method: PUT")
        .header("Access-Control-Request-Headers: authorization")
        .send("OPTIONS", "/providers", "")
        .await;
    assert_eq!((preflight.status, preflight.text.as_str()), (204, ""));
    let list = |name: &str| {
        let words = preflight.header(name).unwrap_or_default().to_ascii_lowercase();
        words.split(',').map(|word| word.trim().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(preflight.header("access-control-allow-origin"), Some("*"));
    assert_eq!(preflight.header("access-control-max-age"), Some("43200"));
    assert_eq!(
        list("access-control-allow-methods"),
        ["post", "get", "put", "delete", "patch", "head", "options"]
    );
    assert_eq!(
        list("access-control-allow-headers"),
        ["origin", "x-requested-with", "content-type", "accept", "authorization"]
    );
}

#[tokio::test]
async fn texts_are_escaped_as_the_platforms_language_does() {
    let stage = Stage::start().await;
    let answer = stage.sa.post("/providers", &json!({ "name": "<a & b>", "detail": "ü\u{2028}\"\\" })).await;
    assert!(answer.text.contains(r#""name":"\u003ca \u0026 b\u003e""#), "{}", answer.text);
    assert!(answer.text.contains(r#""detail":"ü\u2028\"\\""#), "{}", answer.text);
    assert!(!answer.text.ends_with('\n'));
    assert_eq!(answer.ok()["name"], "<a & b>");
    let read = stage.sa.get(&format!("/providers/{}", answer.id())).await;
    assert_eq!(read.text, answer.text);
}

#[tokio::test]
async fn what_a_body_says_beyond_what_is_known_is_ignored() {
    let stage = Stage::start().await;
    let body = json!({ "name": "a", "bogus": { "deep": [1] }, "id": UNKNOWN, "tm_create": 5 });
    let made = stage.sa.post("/providers", &body).await.ok();
    assert_ne!(made["id"], UNKNOWN);
    instant(&made["tm_create"]);
    assert_eq!(made.get("bogus"), None);
}

#[tokio::test]
async fn a_body_is_needed_and_must_be_an_object() {
    let stage = Stage::start().await;
    for path in ["/providers", "/routes", "/providercalls", "/outbound_configs", "/calls"] {
        for text in ["", "x", "{", "[]", "\"a\"", "5"] {
            let answer = stage.sa.send("POST", path, text).await;
            assert_eq!(answer.status, 400, "{path} {text:?}: {}", answer.text);
            assert_eq!(answer.at("/error/reason"), "INVALID_JSON_BODY", "{path} {text:?}: {}", answer.text);
            answer.refused(&invalid_body());
        }
    }
}

/// One answer on a connection that may continue: its status, and its body.
async fn answer(stream: &mut TcpStream) -> (u16, String) {
    let mut read = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&read).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
            if length == Some(body.len()) {
                return (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned());
            }
        }
        assert_ne!(stream.read_buf(&mut read).await.unwrap(), 0, "the connection ended after {text:?}");
    }
}

#[tokio::test]
async fn a_refusal_is_read_whole_after_a_large_body_and_its_connection_is_used_again() {
    let stage = Stage::start().await;
    let mut stream = TcpStream::connect(stage.at).await.unwrap();
    let body = "x".repeat(900_000);
    for (path, status) in [
        ("/v1.0/providers", 401),
        ("/v1.0/nosuch", 404),
        ("/v1.0/providers/", 307),
        ("/v3/voice_out_trunks", 401),
    ] {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer wrong\r\nApi-Key: wrong\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(body.as_bytes()).await.unwrap();
        let (code, text) = answer(&mut stream).await;
        assert_eq!(code, status, "{path}: {text}");
    }
    stream.write_all(b"GET /ping HTTP/1.1\r\nHost: test\r\n\r\n").await.unwrap();
    assert_eq!(answer(&mut stream).await, (200, r#"{"message":"pong"}"#.to_owned()));
}
