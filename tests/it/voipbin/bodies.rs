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
async fn of_a_member_that_occurs_twice_the_last_one_counts() {
    let stage = Stage::start().await;
    stage.allow().await;
    let provider = stage.provider("nowhere.invalid").await;
    let body = format!(
        r#"{{"provider_id":"{UNKNOWN}","provider_id":"{provider}","destinations":[],
            "destinations":[{{"type":"sip","type":"tel","target":"{US}"}}],"anonymous":"yes","anonymous":"no"}}"#
    );
    let record = stage.sa.send("POST", "/providercalls", &body).await.ok();
    assert_eq!((&record["provider_id"], &record["anonymous"]), (&json!(provider), &json!("no")));
    assert_eq!(record["destinations"], json!([tel(US)]));
    let route = stage.sa.send("POST", "/routes", r#"{"priority":1,"target":"all","priority":2}"#).await.ok();
    assert_eq!((&route["priority"], &route["target"]), (&json!(2), &json!("all")));
    let config = r#"{"destination_whitelist":["us"],"destination_whitelist":["gb"]}"#;
    let config = stage.sa.send("PUT", "/outbound_config", config).await.ok();
    assert_eq!(config["destination_whitelist"], json!(["gb"]));
    let wrong = r#"{"destination_whitelist":[],"destination_whitelist":5}"#;
    stage.sa.send("PUT", "/outbound_config", wrong).await.refused(&invalid_body());
}

#[tokio::test]
async fn the_names_of_members_are_read_in_any_case() {
    let stage = Stage::start().await;
    stage.allow().await;
    let provider = json!({ "Name": "p", "Hostname": "nowhere.invalid", "Tech_Headers": { "X-A": "1" } });
    let provider = stage.sa.post("/providers", &provider).await.ok();
    assert_eq!((&provider["name"], &provider["hostname"]), (&json!("p"), &json!("nowhere.invalid")));
    assert_eq!(provider["tech_headers"], json!({ "X-A": "1" }));
    let route = json!({ "Customer_ID": BASIC, "Target": "all", "Priority": 2 });
    let route = stage.sa.post("/routes", &route).await.ok();
    assert_eq!((&route["customer_id"], &route["priority"]), (&json!(BASIC), &json!(2)));
    let config = stage.sa.put("/outbound_config", &json!({ "Codecs": "PCMA" })).await.ok();
    assert_eq!(config["codecs"], "PCMA");
    let talk = json!({ "Type": "talk", "Option": { "Text": "Hello" } });
    let flow = stage.sa.post("/flows", &json!({ "Name": "f", "Actions": [talk] })).await.ok();
    assert_eq!((&flow["name"], &flow["actions"][0]["type"]), (&json!("f"), &json!("talk")));
    // The names in an option are the client's own.
    assert_eq!(flow["actions"][0]["option"], json!({ "Text": "Hello" }));
    let number = json!({ "Type": "tel", "Target": US });
    let call = json!({ "Provider_ID": provider["id"], "Source": number, "Destinations": [number] });
    let record = stage.sa.post("/providercalls", &call).await.ok();
    assert_eq!((&record["source"], &record["destinations"]), (&tel(US), &json!([tel(US)])));
}

#[tokio::test]
async fn half_of_a_surrogate_pair_is_replaced() {
    let stage = Stage::start().await;
    // A text that a client cut in the middle of a character.
    let route = stage.sa.send("POST", "/routes", r#"{"name":"a\ud83d","detail":"\ud83d\ude00"}"#).await.ok();
    assert_eq!((&route["name"], &route["detail"]), (&json!("a\u{fffd}"), &json!("\u{1f600}")));
}

#[tokio::test]
async fn an_action_whose_type_is_null_has_none() {
    let stage = Stage::start().await;
    let refused = error("INVALID_ARGUMENT", "INVALID_ACTION_TYPE", "not supported action type: ");
    for actions in [json!([{ "type": null }]), json!([null])] {
        stage.sa.post("/flows", &json!({ "actions": actions })).await.refused(&refused);
    }
    assert!(stage.sa.get("/flows").await.rows().is_empty());
}

#[tokio::test]
async fn a_text_that_the_database_has_no_room_for_is_refused_and_names_its_member() {
    let stage = Stage::start().await;
    let provider = stage.provider("nowhere.invalid").await;
    let route = stage.route(BASIC, "+1", &provider, 0).await;
    let (one_provider, one_route) = (format!("/providers/{provider}"), format!("/routes/{route}"));
    let setup = json!({ "carrier": "didww", "name": "A", "credentials": { "api_key": "k" } });
    let call = json!({ "provider_id": provider, "destinations": [tel(US)] });
    for (method, path, body, members) in [
        (
            "POST",
            "/providers",
            json!({}),
            &[
                ("type", 255_usize),
                ("tech_prefix", 255),
                ("tech_postfix", 255),
                ("name", 255),
                ("detail", 65_535),
            ][..],
        ),
        ("PUT", &one_provider, json!({}), &[("name", 255), ("detail", 65_535)]),
        ("POST", "/providers/setup", setup, &[("name", 255), ("detail", 65_535)]),
        ("POST", "/routes", json!({}), &[("name", 255), ("target", 255), ("detail", 65_535)]),
        ("PUT", &one_route, json!({}), &[("name", 255), ("target", 255), ("detail", 65_535)]),
        ("PUT", "/outbound_config", json!({}), &[("name", 255), ("detail", 65_535)]),
        ("POST", "/providercalls", call, &[("anonymous", 16)]),
    ] {
        for (member, most) in members {
            let unit = if *most > 255 { "bytes" } else { "characters" };
            let too_long = format!("{member} has more than {most} {unit}");
            let nul = format!("{member} contains a NUL character");
            for (text, why) in [("x".repeat(most + 1), too_long), ("a\0b".to_owned(), nul)] {
                let mut body = body.clone();
                body[*member] = json!(text);
                let refused = invalid(format!("The request contains invalid data: {why}."));
                stage.sa.send(method, path, &body.to_string()).await.refused(&refused);
            }
        }
    }
    // A name has as many characters in every script.
    let longest = json!({ "name": "가".repeat(255), "detail": "x".repeat(65_535) });
    stage.sa.put(&one_provider, &longest).await.ok();
    stage.sa.put("/outbound_config", &longest).await.ok();
}

#[tokio::test]
async fn a_nul_names_nobody() {
    let stage = Stage::start().await;
    let login = stage.anonymous().below("");
    let body = json!({ "username": "root\0", "password": "correct horse" });
    assert_eq!(login.post("/auth/login", &body).await.status, 400);
    stage.allow().await;
    let sent = json!({ "source": tel("+1\0"), "destinations": [tel(US)] });
    stage.sa.post("/calls", &sent).await.refused_because("no route leads to the destination");
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
    // In a list or map it is an empty text: a program sends it for what its user left out.
    let call = json!({ "destinations": [at("sip:bob@elsewhere.invalid")], "variables": { "name": null } });
    stage.sa.post("/calls", &call).await.ok();
    let config = stage.sa.put("/outbound_config", &json!({ "destination_whitelist": ["us", null] })).await;
    config.refused(&invalid("destination_whitelist entry cannot be empty"));
}
