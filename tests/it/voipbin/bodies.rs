//! Bodies with members of the wrong JSON type.

use serde_json::{Value, json};

use super::refusal::*;
use super::stage::*;

/// A body with one member replaced by lists, which are valid for no object.
fn with_lists<'a>(body: &'a Value, pointer: &'a str) -> impl Iterator<Item = String> + 'a {
    [json!([]), json!([[]]), json!(["tel", "+12025550143", "", "", ""])].into_iter().map(move |list| {
        let mut body = body.clone();
        *body.pointer_mut(pointer).unwrap() = list;
        body.to_string()
    })
}

#[tokio::test]
async fn a_list_is_no_object_wherever_it_stands() {
    let stage = Stage::start().await;
    stage.allow().await;
    let provider = stage.provider("nowhere.invalid").await;
    let route = stage.route(BASIC, "+1", &provider, 0).await;
    let action = json!({ "type": "talk", "option": { "text": "Hello" } });
    let call = json!({ "source": tel(US_TOO), "destinations": [tel(US), tel(GB)], "actions": [action] });
    let mut provider_call = call.clone();
    provider_call["provider_id"] = json!(provider);
    let setup = json!({ "carrier": "didww", "name": "A", "credentials": { "api_key": "k" } });
    let of_a_call = ["", "/source", "/destinations/0", "/destinations/1", "/actions/0", "/actions/0/option"];
    let (one_provider, one_route) = (format!("/providers/{provider}"), format!("/routes/{route}"));
    for (method, path, body, objects) in [
        ("POST", "/providercalls", provider_call, &of_a_call[..]),
        ("POST", "/calls", call, &of_a_call),
        ("POST", "/providers/setup", setup, &["", "/credentials"]),
        ("POST", "/providers", json!({ "tech_headers": {} }), &["", "/tech_headers"]),
        ("PUT", &one_provider, json!({ "tech_headers": {} }), &["", "/tech_headers"]),
        ("POST", "/routes", json!({}), &[""]),
        ("PUT", &one_route, json!({}), &[""]),
        ("PUT", "/outbound_config", json!({}), &[""]),
        ("POST", "/outbound_configs", json!({}), &[""]),
    ] {
        for wrong in objects.iter().flat_map(|pointer| with_lists(&body, pointer)) {
            stage.sa.send(method, path, &wrong).await.refused(&invalid_body());
        }
    }
    assert!(stage.sa.get("/calls").await.rows().is_empty());
}

#[tokio::test]
async fn a_list_does_not_log_in() {
    let stage = Stage::start().await;
    let login = stage.anonymous().below("");
    assert_eq!(login.send("POST", "/auth/login", r#"["root","correct horse"]"#).await.status, 400);
    let body = r#"{"username":"root","password":"correct horse"}"#;
    assert_eq!(login.send("POST", "/auth/login", body).await.status, 200);
}

#[tokio::test]
async fn null_is_a_member_that_is_absent() {
    let stage = Stage::start().await;
    stage.allow().await;
    let provider = stage.provider("nowhere.invalid").await;
    let body = json!({
        "provider_id": provider, "source": null, "destinations": [null, tel(US)], "actions": null, "flow_id": null,
    });
    let record = stage.sa.post("/providercalls", &body).await.ok();
    assert_eq!(record["source"], Value::Null);
    // An address without a type cannot be called.
    assert_eq!(record["call_ids"].as_array().unwrap().len(), 1, "{record}");
    assert_eq!(record["destinations"], json!([{}, tel(US)]));
    stage.sa.send("PUT", "/outbound_config", "null").await.ok();
}
