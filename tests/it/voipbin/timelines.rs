//! Timelines: the events of calls, their SIP messages, and what they tried. The numbers of the cases are those of the
//! second part of the platform's specification.

use serde_json::{Value, json};
use uuid::Uuid;

use super::caller::{Answer, Caller};
use super::carrier::Carrier;
use super::refusal::*;
use super::stage::*;
use crate::sip::edge::until;
use crate::sip::messages::tshark;
use crate::support::api::http_client;

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
    // Operators still see its attempts.
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

/// The analysis of a call's SIP messages: the methods and codes, and the whole.
async fn analysis(stage: &Stage, id: &str) -> (Vec<String>, Value) {
    let analysis = stage.sa.get(&format!("/timelines/calls/{id}/sip-analysis")).await.ok();
    let messages = analysis["sip_messages"].as_array().unwrap();
    (messages.iter().map(|message| message["method"].as_str().unwrap().to_owned()).collect(), analysis)
}

#[tokio::test]
async fn case_146_the_sip_messages_of_a_refused_call_are_in_its_analysis() {
    let (stage, mut carrier, provider) = with_provider().await;
    let id = refused(&stage, &mut carrier, &provider, 486).await;
    let (methods, analysis) = analysis(&stage, &id).await;
    assert_eq!(methods, ["INVITE", "486", "ACK"]);
    let messages = analysis["sip_messages"].as_array().unwrap();
    let raw = |number: usize| messages[number]["raw"].as_str().unwrap();
    assert!(raw(0).starts_with("INVITE sip:") && raw(0).contains("\r\nm=audio "), "{}", raw(0));
    assert!(raw(1).starts_with("SIP/2.0 486 "), "{}", raw(1));
    let at = |number: usize| cursor(&messages[number]["timestamp"]);
    assert!(at(0) <= at(1) && at(1) <= at(2), "{analysis}");
    let end = |number: usize, name: &str| {
        let message: &Value = &messages[number];
        format!("{}:{}", message[format!("{name}_ip")].as_str().unwrap(), message[format!("{name}_port")])
    };
    assert_eq!((end(0, "dst"), end(1, "src")), (carrier.at.to_string(), carrier.at.to_string()));
    assert_eq!((end(0, "src"), end(2, "src")), (end(1, "dst"), end(1, "dst")));
    assert_eq!(analysis["rtcp_stats"], Value::Null);
    assert_eq!(analysis.as_object().unwrap().len(), 2);
}

#[tokio::test]
async fn case_147_an_analysis_has_the_fifty_oldest_messages() {
    let (stage, mut carrier, provider) = with_provider().await;
    let id = first_call(&stage.place(&provider, US).await);
    let mut incoming = carrier.call().await;
    // With the INVITE and the end of the call, 60 messages.
    for _ in 0..57 {
        incoming.respond("180 Ringing").await;
    }
    incoming.refuse(486).await;
    call_ends(&stage.sa, &id).await;
    let call_id = incoming.invite.header("Call-ID").unwrap();
    assert_eq!(stage.control().messages(call_id).unwrap().messages.len(), 60);
    let (methods, _) = analysis(&stage, &id).await;
    assert_eq!((methods.len(), methods[0].as_str()), (50, "INVITE"));
    assert!(methods[1..].iter().all(|method| method == "180"), "{methods:?}");
}

#[tokio::test]
async fn case_148_an_analysis_has_the_messages_of_the_last_attempt() {
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
    carrier.call().await.refuse(503).await;
    carrier.call().await.refuse(486).await;
    call_ends(&stage.sa, &id).await;
    let (methods, analysis) = analysis(&stage, &id).await;
    assert_eq!(methods, ["INVITE", "486", "ACK"], "{analysis}");
    // An operator finds those of the other attempt by its Call-ID.
    let first = tries(&stage, stage.admin, &id).await[0]["call_id"].as_str().unwrap().to_owned();
    let ladder = stage.control().messages(&first).unwrap().ladder();
    assert!(ladder.contains("503 As Told"), "{ladder}");
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
async fn case_150_the_sip_messages_of_a_call_are_a_capture_file_that_tshark_reads() {
    let (stage, mut carrier, provider) = with_provider().await;
    let id = refused(&stage, &mut carrier, &provider, 486).await;
    let response =
        http_client().get(stage.sa.url(&format!("/timelines/calls/{id}/pcap"))).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "application/vnd.tcpdump.pcap");
    assert_eq!(header("content-disposition"), format!("attachment; filename=\"call-{id}.pcap\""));
    let file = response.bytes().await.unwrap();
    assert_eq!(file[..4], [0xd4, 0xc3, 0xb2, 0xa1], "the magic number of pcap, little-endian");
    let fields = ["sip.Method", "sip.Status-Code", "sdp.media", "udp.checksum.status", "ip.checksum.status"];
    let rows = tshark(&file, &[carrier.at.port()], &[&fields[..], &["frame.time_epoch"]].concat());
    let column = |number: usize| rows.iter().map(|row| row[number].as_str()).collect::<Vec<_>>();
    assert_eq!((column(0), column(1)), (vec!["INVITE", "", "ACK"], vec!["", "486", ""]), "{rows:?}");
    assert!(column(2)[0].starts_with("audio "), "{rows:?}");
    assert_eq!((column(3), column(4)), (vec!["1"; 3], vec!["1"; 3]), "{rows:?}");
    let sent = tries(&stage, stage.admin, &id).await[0]["sent_at"].as_str().unwrap().to_owned();
    let at = sent.parse::<trunk_server::voipbin::Timestamp>().unwrap().as_unix_micros() / 1_000_000;
    let captured: f64 = column(5)[0].parse().unwrap();
    #[expect(clippy::cast_precision_loss, reason = "seconds are far below the limit")]
    let apart = (captured - at as f64).abs();
    assert!(apart < 3.0, "{captured} and {sent}");
}

#[tokio::test]
async fn case_151_an_id_that_is_no_uuid_is_refused() {
    let stage = Stage::start().await;
    for what in ["sip-analysis", "pcap"] {
        stage.sa.get(&format!("/timelines/calls/abc/{what}")).await.refused(&invalid_parameter("call_id"));
    }
}

#[tokio::test]
async fn case_152_the_events_of_an_activeflow_are_found_by_its_id_and_by_its_call() {
    let (stage, mut carrier, provider) = with_provider().await;
    let id = finished(&stage, &mut carrier, &provider).await;
    let other = refused(&stage, &mut carrier, &provider, 486).await;
    let shown = call(&stage.sa, &id).await;
    let activeflow = shown["activeflow_id"].as_str().unwrap();
    let aggregated = async |query: &str| stage.sa.get(&format!("/aggregated-events{query}")).await;
    let expected = events(&stage.sa, &id, "").await.text;
    for query in [format!("?call_id={id}"), format!("?activeflow_id={activeflow}")] {
        assert_eq!(aggregated(&query).await.text, expected, "{query}");
    }
    let first = aggregated(&format!("?activeflow_id={activeflow}&page_size=1")).await.ok();
    assert_eq!((kinds(&first), first.get("next_page_token").is_some()), (vec!["call_hangup"], true));
    for query in [String::new(), format!("?call_id={id}&activeflow_id={activeflow}")] {
        aggregated(&query).await.refused(&invalid_request());
    }
    for name in ["call_id", "activeflow_id"] {
        aggregated(&format!("?{name}=abc")).await.refused(&invalid_parameter(name));
        aggregated(&format!("?{name}={UNKNOWN}")).await.refused(&not_found());
    }
    let foreign = stage.agent(stage.customer("other").await, ADMIN).await;
    foreign.get(&format!("/aggregated-events?call_id={id}")).await.refused(&permission_denied());
    stage.sa.delete(&format!("/calls/{other}")).await.ok();
    aggregated(&format!("?call_id={other}")).await.refused(&not_found());
}

#[tokio::test]
async fn case_153_the_events_of_a_flow_have_the_flow_as_it_was() {
    let stage = Stage::start().await;
    let key = stage.key(stage.admin, None).await;
    let body = json!({ "name": "first", "actions": [{ "type": "answer" }] });
    let created = key.post("/flows", &body).await.ok();
    let id = created["id"].as_str().unwrap();
    let updated = key.put(&format!("/flows/{id}"), &json!({ "name": "second" })).await.ok();
    let path = format!("/timelines/flows/{id}/events");
    let page = key.get(&path).await.ok();
    assert_eq!(kinds(&page), ["flow_updated", "flow_created"]);
    assert_eq!((&page["result"][0]["data"], &page["result"][1]["data"]), (&updated, &created));
    assert_eq!(page.get("next_page_token"), None);
    let at = |number: usize| page["result"][number]["timestamp"].as_str().unwrap().trim_end_matches('Z');
    assert!(
        cursor(&updated["tm_update"]).starts_with(at(0)) && cursor(&created["tm_create"]).starts_with(at(1))
    );
    // A replaced direct hash is a change too.
    let hashed = key.post(&format!("/flows/{id}/direct-hash-regenerate"), &json!({})).await.ok();
    let page = key.get(&format!("{path}?page_size=1")).await.ok();
    assert_eq!((kinds(&page), &page["result"][0]["data"]), (vec!["flow_updated"], &hashed));
    let token = page["next_page_token"].as_str().unwrap();
    let page = key.get(&format!("{path}?page_token={token}")).await.ok();
    assert_eq!(kinds(&page), ["flow_updated", "flow_created"]);
    assert_eq!(page["result"][0]["data"], updated);
    stage.sa.delete(&format!("/flows/{id}")).await.ok();
    key.get(&path).await.refused(&not_found());
    stage.sa.get(&format!("/timelines/flows/{UNKNOWN}/events")).await.refused(&flow_not_found());
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
    // The call is in progress: its attempts so far are visible.
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
    let response_of = |number: usize| {
        let attempt: &Value = &tries[number];
        (attempt["code"].clone(), attempt["outcome"].clone(), attempt["next"].clone())
    };
    let refused = |code: u16| json!(format!("the carrier refused the call with {code}"));
    assert_eq!(response_of(0), (json!(503), refused(503), json!("the next route was tried")));
    let busy = json!("no other route was tried: the callee is busy");
    assert_eq!(response_of(1), (json!(486), refused(486), busy));
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
