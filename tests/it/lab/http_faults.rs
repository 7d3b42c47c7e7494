//! Faults that a client sees in an answer.

use std::time::{Duration, Instant};

use http::Method;
use serde_json::{Value, json};
use trunk_server::control::NewAccount;
use trunk_server::lab::Fault;

use super::Lab;
use crate::support::api::{Answer, Api, NEW, TOKENS, http_client};

#[tokio::test]
async fn a_status_has_the_error_of_the_api_of_its_path() {
    let lab = Lab::start().await;
    let answer = async |status: u16, version: &str| {
        lab.server.control().remove_faults();
        lab.server.fault(Fault::status(status).path("/v3/dids"));
        lab.api.at(Some(version)).get("/dids").await
    };
    let busy = answer(503, NEW).await;
    assert_eq!((busy.status, busy.at("/errors/0/status")), (503, json!("503")));
    assert_eq!(busy.headers["content-type"], "application/vnd.api+json");
    assert_eq!(busy.headers["retry-after"], "1");
    assert!(busy.headers.contains_key("x-request-id"));
    let limited = answer(429, NEW).await;
    assert_eq!(limited.text, r#"{"errors":[{"status":"429","detail":"Too Many Requests"}]}"#);
    assert_eq!(answer(404, NEW).await.at("/errors/0/detail"), "Not Found");
    let gateway = answer(502, NEW).await;
    assert_eq!(
        (gateway.at("/errors/0/title"), gateway.at("/errors/0/code")),
        (json!("Bad Gateway"), Value::Null)
    );

    lab.server.control().remove_faults();
    lab.server.fault(Fault::status(503).path("/token"));
    let token = lab.api.mint(&json!({ "aud": "api.didww.com" })).await;
    assert_eq!((token.status, token.at("/error")), (503, json!("temporarily_unavailable")));

    lab.server.fault(Fault::status(429).path("/v1.0/*"));
    let sent = http_client().get(format!("{}/calls", lab.server.voipbin_url())).send().await;
    let platform = Answer::of(sent.unwrap()).await;
    assert_eq!((platform.status, platform.at("/error/status")), (429, json!("RESOURCE_EXHAUSTED")));
    assert_eq!(platform.headers["x-request-id"], platform.at("/error/request_id").as_str().unwrap());
}

#[tokio::test]
async fn a_status_can_have_a_body_of_the_testers_own() {
    let lab = Lab::start().await;
    lab.fault(
        json!({ "effect": "status", "status": 502, "body": "<h1>Bad</h1>", "content_type": "text/html" }),
    )
    .await;
    let answer = lab.api.get("/dids").await;
    assert_eq!((answer.status, answer.text.as_str()), (502, "<h1>Bad</h1>"));
    assert_eq!(answer.headers["content-type"], "text/html");
}

#[tokio::test]
async fn a_request_that_a_fault_takes_has_no_effect_unless_it_is_served() {
    let lab = Lab::start().await;
    lab.server.fault(Fault::status(500).method("POST").resource("voice_out_trunks").nth(1));
    assert_eq!(lab.create("unserved").await.status, 500);
    assert!(lab.names().await.is_empty());
    lab.server.fault(Fault::status(500).method("POST").after_serving().nth(1));
    assert_eq!(lab.create("served").await.status, 500);
    assert_eq!(lab.names().await, ["served"]);
}

#[tokio::test]
async fn a_delayed_answer_is_late_and_a_client_that_left_is_in_the_journal() {
    let lab = Lab::start().await;
    let delay = Duration::from_millis(150);
    lab.server.fault(Fault::delay(delay).path("/v3/dids").times(1));
    let began = Instant::now();
    assert_eq!(lab.api.get("/dids").await.status, 200);
    assert!(began.elapsed() >= delay);
    lab.server.fault(Fault::delay(Duration::from_mins(1)).path("/v3/regions"));
    let request = lab.api.request(Method::GET, "/regions").timeout(Duration::from_millis(50));
    assert!(request.send().await.unwrap_err().is_timeout());
    let wait = json!({ "requests": [{ "path": "/v3/regions" }], "timeout_ms": 20_000 });
    assert_eq!(lab.control.post("/journal/wait", &wait).await.at("/passed"), true);
    let entry = lab.server.received_requests().pop().unwrap();
    assert_eq!((entry.path.as_str(), entry.status), ("/v3/regions", None));
}

#[tokio::test]
async fn a_random_delay_is_at_least_its_lower_bound() {
    let lab = Lab::start().await;
    let (from, to) = (Duration::from_millis(20), Duration::from_millis(40));
    lab.server.fault(Fault::delay(from).late_between(from, to).probability(1.0, 3));
    for _ in 0..5 {
        let began = Instant::now();
        assert_eq!(lab.api.get("/dids").await.status, 200);
        assert!(began.elapsed() >= from);
    }
}

#[tokio::test]
async fn an_answer_can_name_a_wrong_media_type_and_keeps_its_body() {
    let lab = Lab::start().await;
    let right = lab.api.get("/regions").await;
    lab.server.fault(Fault::content_type("text/html"));
    let wrong = lab.api.get("/regions").await;
    assert_eq!(right.headers["content-type"], "application/vnd.api+json");
    assert_eq!(wrong.headers["content-type"], "text/html");
    assert_eq!((wrong.status, wrong.text), (200, right.text));
}

#[tokio::test]
async fn the_nth_request_and_a_seeded_share_of_requests_are_taken() {
    let lab = Lab::start().await;
    let statuses = async |fault: Fault, requests: usize| {
        lab.server.control().remove_faults();
        let fault = lab.server.fault(fault);
        let mut statuses = Vec::new();
        for _ in 0..requests {
            statuses.push(lab.api.get("/dids").await.status);
        }
        (statuses, lab.server.hits(fault))
    };
    assert_eq!(statuses(Fault::status(503).nth(2), 3).await, (vec![200, 503, 200], 1));
    assert_eq!(statuses(Fault::status(503).times(2), 3).await, (vec![503, 503, 200], 2));
    let (first, hits) = statuses(Fault::status(503).probability(0.5, 11), 40).await;
    assert!((5..35).contains(&hits), "{hits}");
    assert_eq!(statuses(Fault::status(503).probability(0.5, 11), 40).await, (first, hits));
}

#[tokio::test]
async fn a_fault_of_an_account_takes_its_key_and_its_tokens_and_no_other() {
    let lab = Lab::start().await;
    let mut new = NewAccount::default();
    new.name = "Other".to_owned();
    let (account, key) = lab.server.control().create_account(new).await.unwrap();
    let other = Api::new(lab.server.base_url(), key.expose());
    let fault = lab
        .fault(
            json!({ "effect": "status", "status": 500, "path": "/v3/*", "account": account.id.to_string() }),
        )
        .await;
    assert_eq!((lab.api.get("/dids").await.status, lab.hits(fault).await), (200, 0));
    assert_eq!(other.get("/dids").await.status, 500);
    assert_eq!(other.at(Some(TOKENS)).get("/dids").await.status, 500);
    assert_eq!(lab.api.at(Some(TOKENS)).get("/dids").await.status, 200);
    assert_eq!(other.with_key(Some("no key of anyone")).get("/dids").await.status, 401);
    assert_eq!(lab.hits(fault).await, 2);
}

#[tokio::test]
async fn the_health_endpoints_and_the_control_api_have_no_faults() {
    let lab = Lab::start().await;
    lab.server.fault(Fault::status(503));
    assert_eq!(lab.api.get("/dids").await.status, 503);
    let base = lab.server.base_url();
    for path in ["/livez", "/readyz"] {
        let url = format!("{}{path}", base.trim_end_matches("/v3"));
        assert_eq!(http_client().get(url).send().await.unwrap().status(), 200);
    }
    assert_eq!(lab.control.get("/clock").await.status, 200);
    let records = format!("/accounts/{}/records/dids", lab.server.account());
    assert_eq!(
        lab.control.get(&records).await.status,
        200,
        "requests for an owner's records are the server's own"
    );
}
