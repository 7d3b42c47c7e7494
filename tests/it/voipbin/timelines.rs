//! Timelines: the events of calls, their SIP messages, and what they tried. The numbers of the cases are those of the
//! second part of the platform's specification.

use serde_json::{Value, json};
use uuid::Uuid;

use super::caller::{Answer, Caller};
use super::carrier::Carrier;
use super::refusal::*;
use super::stage::*;
use crate::sip::edge::until;

/// A server with a provider at a carrier.
async fn with_provider() -> (Stage, Carrier, String) {
    let carrier = Carrier::start().await;
    let stage = Stage::hosting(&[("carrier.example.com", carrier.at)]).await;
    stage.allow().await;
    let provider = stage.provider("carrier.example.com").await;
    (stage, carrier, provider)
}

/// Places a call that the carrier answers, and that ends with its flow. Returns its id.
async fn finished(stage: &Stage, carrier: &mut Carrier, provider: &str) -> String {
    let actions = json!({ "actions": [{ "type": "answer" }, { "type": "hangup" }] });
    let id = first_call(&stage.place_with(provider, US, actions).await);
    let mut incoming = carrier.call().await;
    incoming.respond("180 Ringing").await;
    call_is(&stage.sa, &id, "ringing").await;
    incoming.answer().await;
    assert_eq!(call_ends(&stage.sa, &id).await, ("normal".to_owned(), "local".to_owned()));
    id
}

/// Places a call that the carrier refuses. Returns its id.
async fn refused(stage: &Stage, carrier: &mut Carrier, provider: &str, code: u16) -> String {
    let id = first_call(&stage.place(provider, US).await);
    carrier.call().await.refuse(code).await;
    call_ends(&stage.sa, &id).await;
    id
}

async fn events(caller: &Caller, id: &str, query: &str) -> Answer {
    caller.get(&format!("/timelines/calls/{id}/events{query}")).await
}

fn kinds(page: &Value) -> Vec<&str> {
    page["result"].as_array().unwrap().iter().map(|event| event["event_type"].as_str().unwrap()).collect()
}

async fn tries(stage: &Stage, customer: Uuid, id: &str) -> Vec<Value> {
    let tries = stage.control().call_tries(customer, id.parse().unwrap()).await.unwrap();
    tries.iter().map(|tried| json!(tried)).collect()
}

#[tokio::test]
async fn case_139_the_events_of_a_call_are_listed_newest_first() {
    let (stage, mut carrier, provider) = with_provider().await;
    let id = finished(&stage, &mut carrier, &provider).await;
    let key = stage.key(stage.admin, None).await;
    let page = events(&key, &id, "").await.ok();
    assert_eq!(
        kinds(&page),
        [
            "call_hangup",
            "call_terminating",
            "call_updated",
            "call_updated",
            "call_progressing",
            "call_ringing",
            "call_created"
        ]
    );
    assert_eq!(page.as_object().unwrap().len(), 1, "no token on the last page");
    let listed = page["result"].as_array().unwrap();
    for event in listed {
        let at = event["timestamp"].as_str().unwrap();
        assert_eq!((at.len(), &at[19..20], &at[23..]), (24, ".", "Z"), "{at}");
        let mut members: Vec<&String> = event.as_object().unwrap().keys().collect();
        members.sort_unstable();
        assert_eq!(members, ["data", "event_type", "timestamp"]);
    }
    assert!(listed.iter().map(|event| event["timestamp"].as_str()).rev().is_sorted());
    let shown = call(&stage.sa, &id).await;
    assert_eq!(listed[0]["data"], shown, "the last event has the call as it is");
    let statuses: Vec<&str> = listed.iter().map(|event| event["data"]["status"].as_str().unwrap()).collect();
    let expected =
        ["hangup", "terminating", "progressing", "progressing", "progressing", "ringing", "dialing"];
    assert_eq!(statuses, expected);
    assert_eq!(listed[2]["data"]["action"]["type"], "hangup");
    assert_eq!(listed[3]["data"]["action"]["type"], "answer");
    assert_eq!((listed[5]["data"].get("tm_progressing"), listed[6]["data"].get("tm_update")), (None, None));
}

#[tokio::test]
async fn case_140_events_are_paged_until_a_page_has_no_token() {
    let (stage, mut carrier, provider) = with_provider().await;
    let id = refused(&stage, &mut carrier, &provider, 486).await;
    let first = events(&stage.sa, &id, "?page_size=1").await.ok();
    assert_eq!(kinds(&first), ["call_hangup"]);
    let token = first["next_page_token"].as_str().unwrap();
    assert_eq!(token, cursor(&call(&stage.sa, &id).await["tm_hangup"]));
    let last = events(&stage.sa, &id, &format!("?page_size=1&page_token={token}")).await.ok();
    assert_eq!((kinds(&last), last.get("next_page_token")), (vec!["call_created"], None));
    let created = cursor(&call(&stage.sa, &id).await["tm_create"]);
    let after = events(&stage.sa, &id, &format!("?page_token={created}")).await;
    assert_eq!(after.text, r#"{"result":[]}"#);
}

#[tokio::test]
async fn case_141_a_page_size_outside_of_1_to_1000_counts_as_100() {
    let (stage, mut carrier, provider) = with_provider().await;
    let id = refused(&stage, &mut carrier, &provider, 486).await;
    for size in ["0", "1001", "1000", "-1"] {
        let page = events(&stage.sa, &id, &format!("?page_size={size}")).await.ok();
        assert_eq!(kinds(&page), ["call_hangup", "call_created"], "{size}");
    }
    events(&stage.sa, &id, "?page_size=abc").await.refused(&invalid_parameter("page_size"));
}

#[tokio::test]
async fn case_142_other_types_of_resources_are_refused() {
    let stage = Stage::start().await;
    let unsupported =
        error("INVALID_ARGUMENT", "INVALID_RESOURCE_TYPE", "The provided resource_type is not supported.");
    stage.sa.get(&format!("/timelines/numbers/{UNKNOWN}/events")).await.refused(&unsupported);
    events(&stage.sa, "abc", "").await.refused(&invalid_parameter("resource_id"));
    stage.sa.get("/timelines/numbers/abc/events").await.refused(&invalid_parameter("resource_id"));
}

#[tokio::test]
async fn case_143_an_unknown_call_is_not_found() {
    let stage = Stage::start().await;
    events(&stage.sa, UNKNOWN, "").await.refused(&no_call());
    for what in ["sip-analysis", "pcap"] {
        stage.sa.get(&format!("/timelines/calls/{UNKNOWN}/{what}")).await.refused(&not_found());
    }
}

#[tokio::test]
async fn case_144_a_deleted_call_has_no_timeline() {
    let (stage, mut carrier, provider) = with_provider().await;
    let id = refused(&stage, &mut carrier, &provider, 486).await;
    stage.sa.delete(&format!("/calls/{id}")).await.ok();
    events(&stage.sa, &id, "").await.refused(&wrong_state());
    stage.sa.get(&format!("/timelines/calls/{id}/sip-analysis")).await.refused(&not_found());
    stage.sa.get(&format!("/timelines/calls/{id}/pcap")).await.refused(&not_found());
    // Operators still see what it tried.
    assert_eq!(tries(&stage, stage.admin, &id).await.len(), 1);
}

#[tokio::test]
async fn case_145_an_agent_and_another_customers_admin_are_refused() {
    let (stage, mut carrier, provider) = with_provider().await;
    let id = refused(&stage, &mut carrier, &provider, 486).await;
    let other = stage.customer("other").await;
    for caller in [stage.agent(stage.admin, AGENT).await, stage.agent(other, ADMIN).await] {
        for what in ["events", "sip-analysis", "pcap"] {
            caller.get(&format!("/timelines/calls/{id}/{what}")).await.refused(&permission_denied());
        }
    }
    let manager = stage.agent(stage.admin, MANAGER).await;
    assert_eq!(kinds(&events(&manager, &id, "").await.ok()), ["call_hangup", "call_created"]);
}

#[tokio::test]
async fn case_149_a_call_that_was_never_dialled_has_no_messages() {
    let stage = Stage::start().await;
    stage.allow().await;
    let provider = stage.provider("").await;
    let id = first_call(&stage.place(&provider, US).await);
    assert_eq!(call_ends(&stage.sa, &id).await, ("failed".to_owned(), "remote".to_owned()));
    for what in ["sip-analysis", "pcap"] {
        stage.sa.get(&format!("/timelines/calls/{id}/{what}")).await.refused(&not_found());
    }
    let tried = &tries(&stage, stage.admin, &id).await[0];
    let outcome = tried["outcome"].as_str().unwrap();
    assert!(outcome.starts_with("the provider's hostname is empty"), "{outcome}");
    assert_eq!((&tried["target"], &tried["next"]), (&Value::Null, &json!("no route was left")));
}

#[tokio::test]
async fn case_151_an_id_that_is_no_uuid_is_refused() {
    let stage = Stage::start().await;
    for what in ["sip-analysis", "pcap"] {
        stage.sa.get(&format!("/timelines/calls/abc/{what}")).await.refused(&invalid_parameter("call_id"));
    }
}

#[tokio::test]
async fn each_try_has_its_provider_its_route_the_carriers_answer_and_why_the_next_was_taken() {
    let mut carrier = Carrier::start().await;
    let hosts = [("p1.example.com", carrier.at), ("p2.example.com", carrier.at)];
    let stage = Stage::hosting(&hosts).await;
    stage.allow().await;
    stage.number(stage.admin, US_TOO).await;
    let providers = [stage.provider("p1.example.com").await, stage.provider("p2.example.com").await];
    let routes =
        [stage.route(BASIC, "+1", &providers[0], 1).await, stage.route(BASIC, "all", &providers[1], 0).await];
    let body = json!({ "source": tel(US_TOO), "destinations": [tel(US)] });
    let id = first_call(&stage.sa.post("/calls", &body).await.ok());
    let mut first = carrier.call().await;
    first.respond("180 Ringing").await;
    first.refuse(503).await;
    let mut second = carrier.call().await;
    // The call is in progress: what it tried so far is visible.
    let so_far = tries(&stage, stage.admin, &id).await;
    assert_eq!((so_far.len(), &so_far[1]["outcome"], &so_far[1]["code"]), (2, &Value::Null, &Value::Null));
    assert_eq!(so_far[1]["call_id"], second.invite.header("Call-ID").unwrap());
    second.refuse(486).await;
    assert_eq!(call_ends(&stage.sa, &id).await, ("busy".to_owned(), "remote".to_owned()));
    let tries = tries(&stage, stage.admin, &id).await;
    assert_eq!(tries.len(), 2);
    for (number, tried) in tries.iter().enumerate() {
        assert_eq!(tried["provider_id"], providers[number]);
        assert_eq!(tried["route_id"], routes[number]);
        assert_eq!(tried["host"], format!("p{}.example.com", number + 1));
        assert_eq!((&tried["target"], &tried["transport"]), (&json!(carrier.at.to_string()), &json!("udp")));
        assert!(cursor(&tried["sent_at"]) <= cursor(&tried["final_at"]), "{tried}");
    }
    assert_eq!(tries[0]["call_id"], first.invite.header("Call-ID").unwrap());
    assert_ne!(tries[0]["call_id"], tries[1]["call_id"]);
    let answer = |number: usize| {
        let tried: &Value = &tries[number];
        (tried["code"].clone(), tried["outcome"].clone(), tried["next"].clone())
    };
    let refused = |code: u16| json!(format!("the carrier refused the call with {code}"));
    assert_eq!(answer(0), (json!(503), refused(503), json!("the next route was tried")));
    let busy = json!("no other route was tried: the callee is busy");
    assert_eq!(answer(1), (json!(486), refused(486), busy));
    instant(&tries[0]["first_provisional_at"]);
    assert_eq!(tries[1]["first_provisional_at"], Value::Null);
    // The failover is an event.
    let page = events(&stage.sa, &id, "").await.ok();
    assert_eq!(kinds(&page), ["call_hangup", "call_updated", "call_ringing", "call_created"]);
}

#[tokio::test]
async fn a_try_through_a_named_provider_has_no_route() {
    let (stage, mut carrier, provider) = with_provider().await;
    let id = refused(&stage, &mut carrier, &provider, 401).await;
    let tried = &tries(&stage, stage.admin, &id).await[0];
    assert_eq!((&tried["provider_id"], &tried["route_id"]), (&json!(provider), &Value::Null));
    assert_eq!(tried["outcome"], "the carrier answered 401 without a digest challenge that is supported");
    // Another customer has no such call.
    let other = stage.customer("other").await;
    assert!(stage.control().call_tries(other, id.parse().unwrap()).await.is_err());
}

#[tokio::test]
async fn an_answer_without_usable_media_is_stated_and_the_next_route_is_tried() {
    let mut carrier = Carrier::start().await;
    let hosts = [("p1.example.com", carrier.at), ("p2.example.com", carrier.at)];
    let stage = Stage::hosting(&hosts).await;
    stage.allow().await;
    stage.number(stage.admin, US_TOO).await;
    for (target, host) in [("+1", "p1.example.com"), ("all", "p2.example.com")] {
        let provider = stage.provider(host).await;
        stage.route(BASIC, target, &provider, 0).await;
    }
    let body = json!({ "source": tel(US_TOO), "destinations": [tel(US)] });
    let id = first_call(&stage.sa.post("/calls", &body).await.ok());
    carrier.call().await.respond("200 OK").await;
    carrier.call().await.respond("200 OK").await;
    assert_eq!(call_ends(&stage.sa, &id).await, ("failed".to_owned(), "remote".to_owned()));
    let tries = tries(&stage, stage.admin, &id).await;
    assert_eq!(tries.len(), 2);
    for tried in &tries {
        let outcome = tried["outcome"].as_str().unwrap();
        assert_eq!(tried["code"], 200);
        assert!(
            outcome.contains("without usable media") && outcome.contains("no session description"),
            "{outcome}"
        );
    }
    assert_eq!(tries[1]["next"], "no route was left");
}

#[tokio::test]
async fn an_answered_try_states_where_media_go() {
    let (stage, mut carrier, provider) = with_provider().await;
    let id = finished(&stage, &mut carrier, &provider).await;
    let tried = &tries(&stage, stage.admin, &id).await[0];
    let media = tried["media"].as_str().unwrap();
    assert!(media.starts_with("no media are sent: 127.0.0.1:9 is "), "the port is reserved: {media}");
    assert_eq!((&tried["code"], &tried["reason_phrase"]), (&json!(200), &json!("OK")));
    assert_eq!(tried["outcome"], "the carrier answered the call");
    assert_eq!(tried["next"], "no other route was tried: the call was hung up here");
}

#[tokio::test]
async fn a_call_that_is_being_placed_shows_its_try() {
    let (stage, mut carrier, provider) = with_provider().await;
    let id = first_call(&stage.place(&provider, US).await);
    let incoming = carrier.call().await;
    let tried =
        until("the try is visible", async || tries(&stage, stage.admin, &id).await.into_iter().next()).await;
    assert_eq!(tried["call_id"], incoming.invite.header("Call-ID").unwrap());
}
