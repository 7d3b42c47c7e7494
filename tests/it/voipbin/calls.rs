//! Calls: their states, the results of a carrier's responses, and the next provider.

use std::time::Duration;

use serde_json::{Value, json};
use trunk_server::control::customers::CustomerPatch;

use super::caller::Caller;
use super::carrier::Carrier;
use super::refusal::*;
use super::stage::*;

/// A carrier behind two hosts, a server with a provider at each, and the providers' ids.
async fn two_hosts(change: impl FnOnce(&mut trunk_server::config::Config)) -> (Stage, Carrier, [String; 2]) {
    let carrier = Carrier::start().await;
    let hosts = [("p1.example.com", carrier.at), ("p2.example.com", carrier.at)];
    let stage = Stage::with(|config| {
        host(config, &hosts);
        change(config);
    })
    .await;
    stage.allow().await;
    let providers = [stage.provider("p1.example.com").await, stage.provider("p2.example.com").await];
    (stage, carrier, providers)
}

/// The same, with routes of all customers: the first provider for `+1`, the second for all targets.
async fn routed() -> (Stage, Carrier) {
    let (stage, carrier, [first, second]) = two_hosts(|_| {}).await;
    stage.route(BASIC, "+1", &first, 1).await;
    stage.route(BASIC, "all", &second, 0).await;
    stage.number(stage.admin, US_TOO).await;
    (stage, carrier)
}

/// The body of a call from `US_TOO` to a number.
fn body(number: &str) -> Value {
    json!({ "source": tel(US_TOO), "destinations": [tel(number)] })
}

/// Places a call to a number. Returns its id.
async fn ordinary(caller: &Caller, number: &str) -> String {
    let answer = caller.post("/calls", &body(number)).await.ok();
    assert_eq!((answer["calls"].as_array().unwrap().len(), &answer["groupcalls"]), (1, &json!([])));
    first_call(&answer)
}

fn over(reason: &str, by: &str) -> (String, String) {
    (reason.to_owned(), by.to_owned())
}

#[tokio::test]
async fn an_ordinary_call_leaves_by_its_routes() {
    let (stage, mut carrier) = routed().await;
    let mut sent = body(US);
    sent["metadata"] = json!({ "skip_source_validation": true });
    sent["actions"] = json!([{ "type": "answer" }]);
    let answer = stage.sa.post("/calls", &sent).await;
    assert!(answer.text.starts_with(r#"{"calls":[{"id":""#), "{}", answer.text);
    assert!(answer.text.ends_with(r#"],"groupcalls":[]}"#), "{}", answer.text);
    let call = answer.at("/calls/0");
    assert_eq!((&call["status"], &call["direction"]), (&json!("dialing"), &json!("outgoing")));
    assert_eq!(call.get("metadata"), None, "what a body says of it is ignored");
    let flows = stage.flows(stage.admin).await;
    assert_eq!(call["flow_id"], flows[0]["id"]);
    let incoming = carrier.call().await;
    assert_eq!(incoming.uri(), format!("sip:{US}@p1.example.com;transport=udp"));
    let shown = stage.sa.get("/calls").await;
    assert_eq!(shown.column("id"), [call["id"].as_str().unwrap()]);
}

#[tokio::test]
async fn case_46_a_source_must_be_the_customers_own_or_there_must_be_a_default() {
    let (stage, mut carrier) = routed().await;
    let customer = stage.customer("c").await;
    let caller = stage.agent(customer, ADMIN).await;
    allow(&caller).await;
    // Of two destinations, only the one that needs no source is called.
    let bob = sip("bob", carrier.at);
    let mixed = |source: Value| json!({ "source": source, "destinations": [tel(US), bob] });
    let asleep = stage.control().add_phone_number(customer, GB, "normal", "suspended").await.unwrap();
    let unreal = "+12125550188";
    stage.control().add_phone_number(customer, unreal, "virtual", "active").await.unwrap();
    // The super admin's number, an unassigned one, one that is suspended or virtual, and one without its
    // plus.
    for source in [US_TOO, "+12125550199", asleep.number.as_str(), unreal, "12125550187", ""] {
        let answer = caller.post("/calls", &mixed(tel(source))).await.ok();
        assert_eq!(answer["calls"].as_array().unwrap().len(), 1, "{source}");
        let incoming = carrier.call().await;
        assert!(incoming.uri().starts_with("sip:bob@"), "{}", incoming.uri());
    }
    let before = caller.get("/calls").await.rows().len();
    let alone = json!({ "source": tel("+12125550199"), "destinations": [tel(US)] });
    caller.post("/calls", &alone).await.refused_because("source");
    assert_eq!(caller.get("/calls").await.rows().len(), before);
    // With a default in the outbound config, that number is the source.
    let own = "+12025550111";
    let number = stage.number(customer, own).await;
    let config = json!({ "default_outgoing_source_number_id": number });
    caller.put("/outbound_config", &config).await.ok();
    let answer = caller.post("/calls", &alone).await.ok();
    let shown = call(&caller, &first_call(&answer)).await;
    assert_eq!(shown["source"], json!({ "type": "tel", "target": own, "target_name": own }));
    let incoming = carrier.call().await;
    assert!(incoming.invite.header("From").unwrap().contains(&format!("<sip:{own}@")));
    // It is checked again for each call.
    stage.control().remove_phone_number(customer, number.parse().unwrap()).await.unwrap();
    caller.post("/calls", &alone).await.refused_because("source");
    assert_eq!(carrier.untaken(), 0);
}

/// Final responses, the hangup reason, and whether the next provider is tried.
const CAUSES: [(&[u16], &str, bool); 8] = [
    (&[300, 302, 380, 401, 403, 407], "failed", false),
    (&[603], "noanswer", false),
    (&[480, 483], "noanswer", false),
    (&[486, 600], "busy", false),
    (&[404, 485, 604, 408, 409, 410, 420, 484, 488, 606], "failed", true),
    (&[500, 501, 502, 503, 504, 513, 580], "failed", true),
    (&[405, 411, 413, 414, 415, 481, 482, 487, 491, 493, 505], "failed", true),
    (&[402, 400, 406, 416, 421, 423, 489, 494, 607, 699], "failed", true),
];

#[tokio::test]
async fn case_50_a_carriers_answer_decides_why_a_call_ended() {
    let (stage, mut carrier, [provider, _]) = two_hosts(|_| {}).await;
    for (codes, reason, _) in CAUSES {
        for code in codes {
            let id = first_call(&stage.place(&provider, US).await);
            let mut incoming = carrier.call().await;
            incoming.refuse(*code).await;
            assert_eq!(call_ends(&stage.sa, &id).await, over(reason, "remote"), "{code}");
        }
    }
    // The same after ringing.
    for (code, reason) in [(486, "busy"), (480, "noanswer"), (503, "failed")] {
        let id = first_call(&stage.place(&provider, US).await);
        let mut incoming = carrier.call().await;
        incoming.respond("180 Ringing").await;
        call_is(&stage.sa, &id, "ringing").await;
        incoming.refuse(code).await;
        assert_eq!(call_ends(&stage.sa, &id).await, over(reason, "remote"), "{code}");
    }
    assert_eq!(carrier.untaken(), 0, "a provider call is tried once");
}

#[tokio::test]
async fn case_51_the_next_provider_is_asked_when_that_can_help() {
    let (stage, mut carrier) = routed().await;
    for (codes, reason, next) in CAUSES {
        for code in codes {
            let id = ordinary(&stage.sa, US).await;
            let mut incoming = carrier.call().await;
            assert!(incoming.uri().contains("@p1."), "{}", incoming.uri());
            incoming.refuse(*code).await;
            if !next {
                assert_eq!(call_ends(&stage.sa, &id).await, over(reason, "remote"), "{code}");
                continue;
            }
            let mut incoming = carrier.call().await;
            assert!(incoming.uri().contains("@p2."), "after {code}: {}", incoming.uri());
            assert_eq!(call(&stage.sa, &id).await["status"], "dialing");
            incoming.refuse(486).await;
            assert_eq!(call_ends(&stage.sa, &id).await, over("busy", "remote"));
        }
    }
    // The second provider answers the call, which was ringing at the first.
    let id = ordinary(&stage.sa, US).await;
    let mut incoming = carrier.call().await;
    incoming.respond("180 Ringing").await;
    let rang = call_is(&stage.sa, &id, "ringing").await["tm_ringing"].clone();
    incoming.refuse(503).await;
    let mut incoming = carrier.call().await;
    let between = call(&stage.sa, &id).await;
    assert_eq!((&between["status"], &between["tm_ringing"]), (&json!("ringing"), &rang));
    incoming.answer().await;
    assert_eq!(call_ends(&stage.sa, &id).await, over("normal", "local"));
    assert_eq!(carrier.untaken(), 0);
}

#[tokio::test]
async fn the_last_refusal_counts_when_every_provider_refuses() {
    let (stage, mut carrier) = routed().await;
    let id = ordinary(&stage.sa, US).await;
    carrier.call().await.refuse(503).await;
    carrier.call().await.refuse(403).await;
    assert_eq!(call_ends(&stage.sa, &id).await, over("failed", "remote"));
}

#[tokio::test]
async fn a_number_without_any_route_is_not_called() {
    let (stage, carrier, [first, _]) = two_hosts(|_| {}).await;
    stage.route(BASIC, "+44", &first, 0).await;
    stage.number(stage.admin, US_TOO).await;
    stage.sa.post("/calls", &body(US)).await.refused(&invalid("no route leads to the destination"));
    let both = json!({ "source": tel(US_TOO), "destinations": [tel(US), tel(GB)] });
    let answer = stage.sa.post("/calls", &both).await.ok();
    assert_eq!(answer["calls"].as_array().unwrap().len(), 1);
    assert_eq!(answer["calls"][0]["destination"], tel(GB));
    assert_eq!(stage.sa.get("/calls").await.rows().len(), 1);
    drop(carrier);
}

#[tokio::test]
async fn an_ordinary_call_to_a_country_that_is_not_allowed_is_refused_with_the_documented_words() {
    let (stage, carrier) = routed().await;
    let answer = stage.sa.post("/calls", &body("+821012345678")).await;
    answer.refused(&invalid("outbound destination country not whitelisted"));
    assert_eq!(carrier.untaken(), 0);
    assert!(stage.sa.get("/calls").await.rows().is_empty());
}

#[tokio::test]
async fn case_94_a_customer_that_is_not_verified_calls_no_number() {
    let (stage, mut carrier) = routed().await;
    let customer = stage.customer("c").await;
    let caller = stage.agent(customer, ADMIN).await;
    allow(&caller).await;
    stage.number(customer, "+12125550155").await;
    let mut patch = CustomerPatch::default();
    patch.identity_verified = Some(false);
    stage.control().update_customer(customer, patch).await.unwrap();
    let source = tel("+12125550155");
    let sent = json!({ "source": source, "destinations": [tel(US)] });
    caller.post("/calls", &sent).await.refused(&identity_required());
    // It is checked before the flow.
    let unknown = json!({ "source": source, "destinations": [tel(US)], "flow_id": UNKNOWN });
    caller.post("/calls", &unknown).await.refused(&identity_required());
    assert_eq!(carrier.untaken(), 0);
    let sent = json!({ "source": source, "destinations": [sip("bob", carrier.at)] });
    caller.post("/calls", &sent).await.ok();
    carrier.call().await;
}

#[tokio::test]
async fn a_call_to_a_host_that_does_not_resolve_fails() {
    let (stage, _carrier, _) = two_hosts(|_| {}).await;
    let provider = stage.provider("nowhere.invalid").await;
    let id = first_call(&stage.place(&provider, US).await);
    assert_eq!(call_ends(&stage.sa, &id).await, over("failed", "remote"));
}

#[tokio::test]
async fn a_call_that_rings_too_long_is_given_up_and_the_next_provider_asked() {
    let second = |config: &mut trunk_server::config::Config| {
        config.voipbin.platform.ring_timeout = Duration::from_secs(1);
    };
    let (stage, mut carrier, [first, other]) = two_hosts(second).await;
    let id = first_call(&stage.place(&first, US).await);
    let mut incoming = carrier.call().await;
    incoming.respond("180 Ringing").await;
    incoming.hears("CANCEL").await;
    assert_eq!(call_ends(&stage.sa, &id).await, over("dialout", "remote"));
    stage.route(BASIC, "+1", &first, 0).await;
    stage.route(BASIC, "all", &other, 0).await;
    stage.number(stage.admin, US_TOO).await;
    let id = ordinary(&stage.sa, US).await;
    let mut incoming = carrier.call().await;
    incoming.respond("183 Session Progress").await;
    incoming.hears("CANCEL").await;
    let mut incoming = carrier.call().await;
    assert!(incoming.uri().contains("@p2."), "{}", incoming.uri());
    assert_eq!(call(&stage.sa, &id).await["status"], "dialing", "183 is no ringing");
    incoming.refuse(486).await;
    assert_eq!(call_ends(&stage.sa, &id).await, over("busy", "remote"));
}

#[tokio::test]
async fn a_call_that_takes_too_long_is_ended() {
    let short = |config: &mut trunk_server::config::Config| {
        config.voipbin.platform.longest_call = Duration::from_secs(1);
    };
    let (stage, mut carrier, [provider, _]) = two_hosts(short).await;
    let sleep = json!([{ "type": "answer" }, { "type": "sleep", "option": { "duration": 3_600_000 } }]);
    let id = first_call(&stage.place_with(&provider, US, json!({ "actions": sleep })).await);
    let mut incoming = carrier.call().await;
    incoming.answer().await;
    incoming.hears("BYE").await;
    assert_eq!(call_ends(&stage.sa, &id).await, over("timeout", "remote"));
}

/// Actions that keep a call up.
fn staying() -> Value {
    json!({ "actions": [{ "type": "answer" }, { "type": "sleep", "option": { "duration": 3_600_000 } }] })
}

#[tokio::test]
async fn case_52_a_hangup_cancels_a_ringing_call_and_ends_an_answered_one() {
    let (stage, mut carrier, [provider, _]) = two_hosts(|_| {}).await;
    let hang_up = async |id: &str| stage.sa.send("POST", &format!("/calls/{id}/hangup"), "").await;
    // A ringing call.
    let id = first_call(&stage.place_with(&provider, US, staying()).await);
    let mut incoming = carrier.call().await;
    incoming.respond("180 Ringing").await;
    call_is(&stage.sa, &id, "ringing").await;
    let canceling = hang_up(&id).await.ok();
    assert!(["canceling", "hangup"].contains(&canceling["status"].as_str().unwrap()), "{canceling}");
    incoming.hears("CANCEL").await;
    assert_eq!(call_ends(&stage.sa, &id).await, over("cancel", "local"));
    let last = call(&stage.sa, &id).await;
    assert_eq!(hang_up(&id).await.ok(), last, "it is over");
    // An answered call.
    let id = first_call(&stage.place_with(&provider, US, staying()).await);
    let mut incoming = carrier.call().await;
    incoming.answer().await;
    call_is(&stage.sa, &id, "progressing").await;
    let terminating = hang_up(&id).await.ok();
    assert!(["terminating", "hangup"].contains(&terminating["status"].as_str().unwrap()), "{terminating}");
    incoming.hears("BYE").await;
    assert_eq!(call_ends(&stage.sa, &id).await, over("normal", "local"));
    let last = call(&stage.sa, &id).await;
    assert_eq!(hang_up(&id).await.ok(), last);
}

#[tokio::test]
async fn a_hangup_before_anything_was_heard_cancels_too() {
    let (stage, mut carrier, [provider, _]) = two_hosts(|_| {}).await;
    let id = first_call(&stage.place(&provider, US).await);
    let incoming = carrier.call().await;
    let canceling = stage.sa.post(&format!("/calls/{id}/hangup"), &json!({})).await.ok();
    assert_eq!(canceling["status"], "canceling");
    let again = stage.sa.post(&format!("/calls/{id}/hangup"), &json!({})).await.ok();
    assert_eq!(again, canceling, "it is being canceled already");
    // A CANCEL may not be sent before a provisional response.
    incoming.respond("180 Ringing").await;
    assert_eq!(call_ends(&stage.sa, &id).await, over("cancel", "local"));
    let last = call(&stage.sa, &id).await;
    assert_eq!(last.get("tm_progressing"), None);
}

#[tokio::test]
async fn a_call_that_the_far_end_hangs_up_ended_normally() {
    let (stage, mut carrier, [provider, _]) = two_hosts(|_| {}).await;
    let id = first_call(&stage.place_with(&provider, US, staying()).await);
    let mut incoming = carrier.call().await;
    incoming.answer().await;
    let up = call_is(&stage.sa, &id, "progressing").await;
    instant(&up["tm_progressing"]);
    assert_eq!(up.get("tm_ringing"), None, "it never rang");
    incoming.hang_up().await;
    assert_eq!(call_ends(&stage.sa, &id).await, over("normal", "remote"));
}

#[tokio::test]
async fn case_53_a_call_is_unknown_or_anothers_or_deleted() {
    let (stage, mut carrier, [provider, _]) = two_hosts(|_| {}).await;
    let unknown = format!("/calls/{UNKNOWN}");
    stage.sa.get(&unknown).await.refused(&no_call());
    stage.sa.delete(&unknown).await.refused(&no_call());
    stage.sa.send("POST", &format!("{unknown}/hangup"), "").await.refused(&no_call());
    for id in ["xyz", ZERO] {
        stage.sa.get(&format!("/calls/{id}")).await.refused(&invalid_id());
        stage.sa.delete(&format!("/calls/{id}")).await.refused(&invalid_id());
        stage.sa.send("POST", &format!("/calls/{id}/hangup"), "").await.refused(&invalid_id());
    }
    let record = stage.place_with(&provider, US, staying()).await;
    let id = first_call(&record);
    let path = format!("/calls/{id}");
    let mut incoming = carrier.call().await;
    incoming.answer().await;
    call_is(&stage.sa, &id, "progressing").await;
    let other = stage.customer("other").await;
    let other = stage.agent(other, ADMIN).await;
    other.get(&path).await.refused(&permission_denied());
    // Whether the call exists is checked first.
    other.get(&unknown).await.refused(&no_call());
    let deleted = stage.sa.delete(&path).await.ok();
    instant(&deleted["tm_delete"]);
    incoming.hears("BYE").await;
    stage.sa.get(&path).await.refused(&wrong_state());
    stage.sa.delete(&path).await.refused(&wrong_state());
    assert!(stage.sa.get("/calls").await.rows().is_empty());
    let kept = stage.sa.get(&format!("/providercalls/{}", record["id"].as_str().unwrap())).await.ok();
    assert_eq!(kept["call_ids"], json!([id]));
}

#[tokio::test]
async fn an_ordinary_calls_body_is_checked() {
    let (stage, carrier) = routed().await;
    for text in [r#"{"destinations":"x"}"#, r#"{"flow_id":5}"#, r#"{"actions":{}}"#, r#"{"source":"x"}"#] {
        let answer = stage.sa.send("POST", "/calls", text).await;
        assert_eq!(answer.at("/error/reason"), "INVALID_JSON_BODY", "{text}: {}", answer.text);
        answer.refused(&invalid_body());
    }
    let mut sent = body(US);
    sent["actions"] = json!([{ "type": "bogus" }]);
    let refusal = error("INVALID_ARGUMENT", "INVALID_ACTION_TYPE", "not supported action type: bogus");
    stage.sa.post("/calls", &sent).await.refused(&refusal);
    assert_eq!(carrier.untaken(), 0);
    assert!(stage.sa.get("/calls").await.rows().is_empty());
}

#[tokio::test]
async fn case_93_a_customer_without_balance_is_refused() {
    let (stage, carrier) = routed().await;
    let mut patch = CustomerPatch::default();
    patch.balance = Some(serde_json::from_str("0").unwrap());
    stage.control().update_customer(stage.admin, patch).await.unwrap();
    stage.sa.post("/calls", &body(US)).await.refused(&insufficient_balance());
    assert_eq!(carrier.untaken(), 0);
}

#[tokio::test]
async fn case_81_a_call_with_an_unknown_flow_is_refused_and_nothing_is_dialled() {
    let (stage, carrier) = routed().await;
    let mut sent = body(US);
    sent["flow_id"] = json!("7c1f0c1e-0000-4000-8000-000000000001");
    stage.sa.post("/calls", &sent).await.refused(&flow_not_found());
    sent["actions"] = json!([{ "type": "answer" }]);
    stage.sa.post("/calls", &sent).await.refused(&flow_not_found());
    assert!(stage.sa.get("/calls").await.rows().is_empty());
    assert_eq!(carrier.untaken(), 0);
}

/// The body of a call with these variables.
fn with_variables(variables: Value) -> Value {
    let mut sent = body(US);
    sent["variables"] = variables;
    sent
}

/// This many variables without values.
fn many_variables(count: usize) -> Value {
    Value::Object((0..count).map(|n| (format!("v{n}"), json!(""))).collect())
}

/// Calls with the variables that are permitted, and not with those that are too many or too long.
async fn limited(permitted: Value, exceeding: Value, message: &str) {
    let (stage, mut carrier) = routed().await;
    let refused = stage.sa.post("/calls", &with_variables(exceeding)).await;
    refused.refused(&invalid_variables(message));
    assert_eq!(carrier.untaken(), 0);
    stage.sa.post("/calls", &with_variables(permitted)).await.ok();
    carrier.call().await.refuse(486).await;
}

#[tokio::test]
async fn case_87_a_call_has_a_hundred_variables_and_not_one_more() {
    limited(many_variables(100), many_variables(101), "too many variables (max 100)").await;
}

#[tokio::test]
async fn case_88_a_value_has_32_kilobytes_and_not_one_byte_more() {
    let value = |bytes: usize| json!({ "a": "x".repeat(bytes) });
    limited(value(32_768), value(32_769), "variable value exceeds 32KB").await;
}

#[tokio::test]
async fn case_89_names_and_values_have_64_kilobytes_and_not_one_byte_more() {
    let values = |bytes: usize| json!({ "a": "x".repeat(32_768), "b": "x".repeat(bytes) });
    limited(values(32_766), values(32_767), "variables total size exceeds 64KB").await;
}

#[tokio::test]
async fn case_90_variables_are_an_object_of_texts() {
    let (stage, mut carrier) = routed().await;
    for wrong in [json!({ "a": 1 }), json!([]), json!("a")] {
        stage.sa.post("/calls", &with_variables(wrong)).await.refused(&invalid_body());
    }
    assert_eq!(carrier.untaken(), 0);
    stage.sa.post("/calls", &with_variables(Value::Null)).await.ok();
    carrier.call().await.refuse(486).await;
}

#[tokio::test]
async fn case_91_a_variable_with_a_reserved_name_is_no_error() {
    let (stage, mut carrier) = routed().await;
    let variables = json!({ "voipbin.x": "1", "VoIPBin.y": "2", " k ": "v" });
    stage.sa.post("/calls", &with_variables(variables)).await.ok();
    carrier.call().await.refuse(486).await;
}

#[tokio::test]
async fn case_92_variables_are_checked_before_the_permission() {
    let (stage, _carrier) = routed().await;
    let agent = stage.agent(stage.admin, AGENT).await;
    let refused = agent.post("/calls", &with_variables(many_variables(101))).await;
    refused.refused(&invalid_variables("too many variables (max 100)"));
    agent.post("/calls", &with_variables(many_variables(1))).await.refused(&permission_denied());
}

#[tokio::test]
async fn case_95_a_call_to_nowhere_is_refused_with_the_reason() {
    let (stage, carrier) = routed().await;
    let to = |destinations: Value| json!({ "source": tel(US_TOO), "destinations": destinations });
    stage.sa.post("/calls", &to(json!([]))).await.refused_because("destinations is empty");
    let email = json!({ "type": "email", "target": "a@example.com" });
    stage.sa.post("/calls", &to(json!([email]))).await.refused_because("not \"email\"");
    // Different reasons are all named, each once.
    let mixed = to(json!([email, tel("+821012345678"), tel("+821012345678")]));
    stage.sa.post("/calls", &mixed).await.refused(&invalid(
        "the destination type must be sip or tel, not \"email\"; outbound destination country not whitelisted",
    ));
    assert_eq!(carrier.untaken(), 0);
}

#[tokio::test]
async fn case_97_hanging_up_a_call_that_has_ended_changes_nothing() {
    let (stage, mut carrier) = routed().await;
    let id = ordinary(&stage.sa, US).await;
    carrier.call().await.refuse(486).await;
    let ended = call_is(&stage.sa, &id, "hangup").await;
    let again = stage.sa.send("POST", &format!("/calls/{id}/hangup"), "").await.ok();
    assert_eq!(again, ended);
}

#[tokio::test]
async fn a_carrier_that_answers_with_media_that_was_not_offered_is_hung_up() {
    let (stage, mut carrier) = routed().await;
    let id = ordinary(&stage.sa, US).await;
    let mut first = carrier.call().await;
    first.answer_with("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 18\r\n").await;
    first.hears("ACK").await;
    first.hears("BYE").await;
    // The next provider is tried, as after any other rejection of the offer.
    let mut second = carrier.call().await;
    second.answer_with("").await;
    second.hears("BYE").await;
    assert_eq!(call_ends(&stage.sa, &id).await, over("failed", "remote"));
    let ended = call(&stage.sa, &id).await;
    assert_eq!(ended.get("tm_progressing"), None, "{ended}");
}

#[tokio::test]
async fn a_stored_number_is_cleaned_and_the_record_of_the_request_is_not() {
    let (stage, mut carrier, [provider, _]) = two_hosts(|_| {}).await;
    let source = json!({ "type": "tel", "target": " +1 (212) 555-0187 " });
    let record = stage.place_with(&provider, US, json!({ "source": source })).await;
    assert_eq!(record["source"], source);
    assert_eq!(call(&stage.sa, &first_call(&record)).await["source"], tel(US_TOO));
    carrier.call().await;
}
