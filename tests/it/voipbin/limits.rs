//! Limits of a request to the platform: one more item is refused and changes nothing.

use serde_json::{Value, json};

use super::caller::Caller;
use super::carrier::Carrier;
use super::refusal::*;
use super::stage::*;
use crate::sip::edge::until;
use crate::support::binary::Binary;

/// A server that may call the United States, a carrier that does not respond, and a body that places calls.
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
async fn the_texts_of_addresses_have_limits_because_each_call_has_a_copy() {
    let (stage, mut carrier, body) = ready().await;
    for (member, most, unit) in [
        ("type", 255, "characters"),
        ("target", 2_048, "characters"),
        ("target_name", 255, "characters"),
        ("name", 255, "characters"),
        ("detail", 65_535, "bytes"),
    ] {
        for (whose, pointer) in [("source", "/source"), ("destinations", "/destinations/0")] {
            let mut body = body.clone();
            body.pointer_mut(pointer).unwrap()[member] = json!("x".repeat(most + 1));
            let flaw =
                format!("The request contains invalid data: {whose}.{member} has more than {most} {unit}.");
            for path in ["/providercalls", "/calls"] {
                stage.sa.post(path, &body).await.refused(&invalid(flaw.clone()));
                assert_eq!(stage.sa.get(path).await.rows(), Vec::<Value>::new());
            }
        }
    }
    assert_eq!(carrier.untaken(), 0);
    let mut longest = body;
    for pointer in ["/source", "/destinations/0"] {
        let address = longest.pointer_mut(pointer).unwrap();
        (address["name"], address["detail"]) = (json!("가".repeat(255)), json!("x".repeat(65_535)));
    }
    let record = stage.sa.post("/providercalls", &longest).await.ok();
    assert_eq!(record["source"], longest["source"]);
    carrier.call().await.refuse(486).await;
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
async fn the_options_of_an_action_and_of_a_flow_have_limits() {
    let (stage, carrier, mut body) = ready().await;
    let talk = |bytes: usize| {
        let text = "x".repeat(bytes - r#"{"text":""}"#.len());
        json!({ "type": "talk", "option": { "text": text } })
    };
    let message = "The options of an action have at most 65535 bytes, and those of a flow 262144.";
    // Four bytes less than a flow may have.
    let longest = [talk(65_535), talk(65_535), talk(65_535), talk(65_535)];
    let too_many: Vec<Value> = longest.iter().cloned().chain([talk(11)]).collect();
    for actions in [json!([talk(65_536)]), json!(too_many)] {
        body["actions"] = actions;
        for path in ["/flows", "/providercalls", "/calls"] {
            stage.sa.post(path, &body).await.refused(&invalid(message));
            assert_eq!(stage.sa.get(path).await.rows(), Vec::<Value>::new());
        }
    }
    assert!(stage.flows(stage.admin).await.is_empty());
    assert_eq!(carrier.untaken(), 0);
    body["actions"] = json!(longest);
    for path in ["/flows", "/providercalls", "/calls"] {
        stage.sa.post(path, &body).await.ok();
    }
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
async fn a_refusal_has_a_short_line_in_the_log_however_long_the_text_is_that_it_quotes() {
    let arguments = ["--ephemeral", "--api-key", "good", "--voipbin-admin", "root:correct horse"];
    let binary = Binary::start(&arguments);
    let at = binary.base.trim_start_matches("http://").trim_end_matches("/v3").parse().unwrap();
    let caller = Caller::anonymous(at).token(&log_in(at, "root", "correct horse").await);
    let long = "x".repeat(100_000);
    let message = format!("not supported action type: {long}");
    let refused = error("INVALID_ARGUMENT", "INVALID_ACTION_TYPE", message);
    caller.post("/flows", &json!({ "actions": [{ "type": long }] })).await.refused(&refused);
    let body = format!(r#"{{"variables":{{"{long}":1}}}}"#);
    caller.send("POST", "/calls", &body).await.refused(&invalid_body());
    let is_logged = |log: &str| log.matches("request refused").count() == 2;
    until("both lines", async || is_logged(&binary.log()).then_some(())).await;
    let lengths: Vec<usize> = binary.log().lines().map(str::len).collect();
    assert!(lengths.iter().all(|length| *length < 2_000), "{lengths:?}");
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

#[tokio::test]
async fn a_customer_has_so_many_calls_at_once_and_leaves_the_others_theirs() {
    let carrier = Carrier::start().await;
    let stage = Stage::with(|config| {
        host(config, &[("carrier.example.com", carrier.at)]);
        config.voipbin.platform.calls_per_customer = Some(3);
    })
    .await;
    stage.allow().await;
    let provider = stage.provider("carrier.example.com").await;
    stage.route(BASIC, "all", &provider, 0).await;
    stage.number(stage.admin, US_TOO).await;
    let body = |count| json!({ "source": tel(US_TOO), "destinations": vec![tel(US); count] });
    let message = "At most 3 calls of a customer can be up or under way at once.";
    let full = error("RESOURCE_EXHAUSTED", "RESOURCE_LIMIT_EXCEEDED", message);
    stage.sa.post("/calls", &body(4)).await.refused(&full);
    assert_eq!(stage.sa.get("/calls").await.rows(), Vec::<Value>::new(), "all of them or none");
    let placed = stage.sa.post("/calls", &body(3)).await.ok();
    let refused = stage.sa.post("/calls", &body(1)).await;
    refused.refused(&full);
    assert_eq!(refused.header("retry-after"), Some("1"));
    let mut one = body(1);
    one["provider_id"] = json!(provider);
    stage.sa.post("/providercalls", &one).await.refused(&full);

    let other = stage.customer("other").await;
    let other_admin = stage.agent(other, ADMIN).await;
    allow(&other_admin).await;
    stage.number(other, "+12125550188").await;
    let theirs = json!({ "source": tel("+12125550188"), "destinations": [tel(US)] });
    other_admin.post("/calls", &theirs).await.ok();

    let id = placed["calls"][0]["id"].as_str().unwrap();
    stage.sa.post(&format!("/calls/{id}/hangup"), &json!({})).await.ok();
    let again = until("a place", async || {
        Some(stage.sa.post("/calls", &body(1)).await).filter(|answer| answer.status == 200)
    });
    again.await.ok();
}
