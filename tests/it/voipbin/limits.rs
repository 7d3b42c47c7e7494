//! What a request may ask of the platform, and that one more is refused and changes nothing.

use serde_json::{Value, json};

use super::carrier::Carrier;
use super::refusal::*;
use super::stage::*;

/// A server whose super admin may call the United States, a carrier that says nothing, and a body that asks for calls.
async fn ready() -> (Stage, Carrier, Value) {
    let carrier = Carrier::start().await;
    let stage = Stage::hosting(&[("carrier.example.com", carrier.at)]).await;
    stage.allow().await;
    let provider = stage.provider("carrier.example.com").await;
    stage.route(BASIC, "all", &provider, 0).await;
    stage.number(stage.admin, US_TOO).await;
    let body = json!({ "provider_id": provider, "source": tel(US_TOO), "destinations": [tel(US)] });
    (stage, carrier, body)
}

#[tokio::test]
async fn a_request_calls_a_hundred_destinations_and_not_one_more() {
    let (stage, carrier, mut body) = ready().await;
    body["destinations"] = json!(vec![tel(US); 101]);
    for path in ["/providercalls", "/calls"] {
        let refused = invalid("At most 100 destinations can be called at once.");
        stage.sa.post(path, &body).await.refused(&refused);
        assert_eq!(stage.sa.get(path).await.rows(), Vec::<Value>::new());
    }
    assert_eq!(carrier.untaken(), 0);
    body["destinations"] = json!(vec![tel(US); 100]);
    for (path, made) in [("/providercalls", "call_ids"), ("/calls", "calls")] {
        let made = stage.sa.post(path, &body).await.ok()[made].as_array().unwrap().len();
        assert_eq!(made, 100, "{path}");
    }
}

#[tokio::test]
async fn a_flow_has_two_hundred_actions_and_not_one_more() {
    let (stage, carrier, mut body) = ready().await;
    body["actions"] = json!(vec![json!({ "type": "answer" }); 201]);
    for path in ["/providercalls", "/calls"] {
        stage.sa.post(path, &body).await.refused(&invalid("A flow has at most 200 actions."));
        assert_eq!(stage.sa.get(path).await.rows(), Vec::<Value>::new());
    }
    assert!(stage.flows(stage.admin).await.is_empty());
    assert_eq!(carrier.untaken(), 0);
    body["actions"] = json!(vec![json!({ "type": "answer" }); 200]);
    for path in ["/providercalls", "/calls"] {
        stage.sa.post(path, &body).await.ok();
    }
    let lengths = stage.flows(stage.admin).await;
    let lengths = lengths.iter().map(|flow| flow["actions"].as_array().unwrap().len());
    assert_eq!(lengths.collect::<Vec<_>>(), [200, 200]);
}

#[tokio::test]
async fn a_body_has_a_mebibyte_and_not_one_byte_more() {
    let stage = Stage::start().await;
    let body = |bytes: usize| {
        let (head, tail) = (r#"{"hostname":"h","bogus":""#, r#""}"#);
        format!("{head}{}{tail}", "x".repeat(bytes - head.len() - tail.len()))
    };
    stage.sa.send("POST", "/providers", &body(1 << 20)).await.ok();
    stage.sa.send("POST", "/providers", &body((1 << 20) + 1)).await.refused(&invalid_body());
    assert_eq!(stage.sa.get("/providers").await.rows().len(), 1);
}

#[tokio::test]
async fn what_is_nested_a_hundred_deep_is_a_body_and_what_is_nested_without_end_is_none() {
    let stage = Stage::start().await;
    let body =
        |depth: usize| format!(r#"{{"hostname":"h","bogus":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
    stage.sa.send("POST", "/providers", &body(100)).await.ok();
    for depth in [1_000, 500_000] {
        stage.sa.send("POST", "/providers", &body(depth)).await.refused(&invalid_body());
    }
    assert_eq!(stage.sa.get("/providers").await.rows().len(), 1);
}
