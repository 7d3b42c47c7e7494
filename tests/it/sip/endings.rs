//! The ends of admitted calls, over UDP and over TCP: the messages that the peer receives, and the record.

use serde_json::{Value, json};

use super::edge::{ANSWERS_AT_ONCE, Edge, RINGS_THEN_ANSWERS, Trunk};
use super::scenario::{Run, Scenario};
use super::sentences::assert_ended_with;
use super::uac::Call;
use crate::docs::why::assert_has_sentence;

async fn ends(edge: &Edge, trunk: &Trunk, scenario: Scenario, tcp: bool) -> Value {
    let count = edge.records(trunk).await.len() + 1;
    let run = Run { tcp, ..Run::default() };
    let source = run.source.to_string();
    scenario.passes_as(edge, run).await;
    let record = edge.record(trunk, count).await;
    assert_eq!(record["source_ip"], source);
    assert_eq!(record["source_protocol"], if tcp { "tcp" } else { "udp" });
    assert_eq!(record["trunk_id"], trunk.id.as_str());
    record
}

#[tokio::test]
async fn every_ending_is_seen_by_the_peer_and_recorded_over_udp_and_tcp() {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({})).await;
    for tcp in [false, true] {
        let call = |number: &str| Scenario::to(number).for_trunk(&trunk).call().challenged();
        for (scenario, code, reason, success, by) in [
            (call(RINGS_THEN_ANSWERS).progress(180).answered().hang_up(), 200, "Bye", true, "caller"),
            (call(ANSWERS_AT_ONCE).answered().hang_up(), 200, "Bye", true, "caller"),
            (call("9990201").answered().hung_up(), 200, "Bye", true, "far_end"),
            (call("9990183").progress(183).answered().hang_up(), 200, "Bye", true, "caller"),
            (call("9990486").refused(486), 486, "Busy Here", false, "far_end"),
            (call("9990603").refused(603), 603, "Decline", false, "far_end"),
            (call("9990404").refused(404), 404, "Not Found", false, "far_end"),
            (call("9990480").refused(480), 480, "Temporarily Unavailable", false, "far_end"),
            (call("9990503").refused(503), 503, "Service Unavailable", false, "far_end"),
            (call("9990180").progress(180).cancel(), 487, "Request terminated (Cancel)", false, "caller"),
        ] {
            let record = ends(&edge, &trunk, scenario, tcp).await;
            assert_eq!(record["disconnect_code"], code, "{record}");
            assert_eq!(record["disconnect_reason"], reason, "{record}");
            assert_eq!(record["success"], success, "{record}");
            assert_eq!(record["hung_up_by"], by, "{record}");
            assert_eq!(record["time_connect"].is_null(), !success, "{record}");
            assert_eq!(record["price"] != "0", success, "{record}");
        }
    }
    assert!(edge.active().await.is_empty());
}

#[tokio::test]
async fn a_call_is_billed_in_steps_and_its_price_is_the_trunks_spending() {
    let edge = Edge::start().await;
    edge.freeze().await;
    let trunk = edge.trunk(json!({ "rtp_timeout": 600 })).await;
    let mut call = Call::up(&edge, &trunk, "9990200").await;
    edge.advance(61).await;
    call.hang_up().await;
    let record = edge.record(&trunk, 1).await;
    assert_eq!(record["duration"], 61, "{record}");
    assert_eq!((&record["billing_duration"], &record["price"]), (&json!(120), &json!("0.1")), "{record}");
    assert_eq!((&record["initial_billing_interval"], &record["rate"]), (&json!(60), &json!("0.05")));
    assert_eq!(edge.shown(&trunk, "/meta/spent_amount").await, "0.1");
    assert_eq!(edge.shown(&trunk, "/attributes/threshold_reached").await, false);
}

#[tokio::test]
async fn a_call_costs_no_more_than_until_its_latest_end_however_late_that_is_noticed() {
    const DAY: u64 = 86_400;
    let edge = Edge::start().await;
    edge.freeze().await;
    let trunk = edge.trunk(json!({ "threshold_amount": "100.0", "rtp_timeout": 600 })).await;
    for (count, number, seconds, price) in [(1, "9990260", 60, "0.05"), (2, "9990200", DAY, "72")] {
        let mut call = Call::up(&edge, &trunk, number).await;
        edge.advance(10 * DAY).await;
        call.hung_up().await;
        let record = edge.record(&trunk, count).await;
        assert_eq!((&record["duration"], &record["price"]), (&json!(seconds), &json!(price)), "{record}");
        assert_eq!(edge.shown(&trunk, "/attributes/threshold_reached").await, false);
    }
}

#[tokio::test]
async fn nobody_answers_until_the_ringing_times_out() {
    let edge = Edge::start().await;
    edge.freeze().await;
    let trunk = edge.trunk(json!({ "capacity_limit": 1 })).await;
    let mut call = Call::new(&edge, "9990180").await;
    let rings = async {
        edge.calls_up(1).await;
        edge.advance(60).await;
    };
    let (answer, ()) = tokio::join!(call.attempt_as(&trunk, |_| {}), rings);
    assert_eq!(answer.start, "SIP/2.0 487 Request Terminated");
    assert_eq!(call.provisional.iter().map(super::message::Message::code).max(), Some(180));
    let record = edge.record(&trunk, 1).await;
    assert_eq!(
        (&record["disconnect_code"], &record["disconnect_reason"]),
        (&json!(487), &json!("Ringing timeout"))
    );
    Call::up(&edge, &trunk, ANSWERS_AT_ONCE).await.hang_up().await;
}

#[tokio::test]
async fn a_cancel_right_behind_the_invite_ends_the_call() {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({ "capacity_limit": 1 })).await;
    for count in 1..=5 {
        let mut call = Call::new(&edge, "9990180").await;
        let challenge = call.attempt().await;
        let right = super::digest::Answer::to(&challenge, &trunk, &call.uri());
        call.invite(&[format!("Authorization: {}", right.value())]).await;
        let (cancelled, answer) = (call.cancel().await, call.answer().await);
        assert_eq!((cancelled.code(), answer.code()), (200, 487));
        let record = edge.record(&trunk, count).await;
        assert_eq!(record["disconnect_reason"], "Request terminated (Cancel)", "{record}");
        // An end that the caller decided needs no reason in the response.
        assert!(answer.header("X-Refusal").is_none(), "{answer:?}");
        let why = "the caller cancelled the call before it was answered";
        assert_ended_with(&edge, &call, why, None).await;
    }
    edge.calls_up(0).await;
}

#[tokio::test]
async fn a_bye_before_the_answer_ends_the_ringing() {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({})).await;
    let mut call = Call::new(&edge, "9990183").await;
    call.headers.push("Supported: 100rel".to_owned());
    let challenge = call.attempt().await;
    let right = super::digest::Answer::to(&challenge, &trunk, &call.uri());
    call.invite(&[format!("Authorization: {}", right.value())]).await;
    call.ringing(183).await;
    assert_eq!(call.request("BYE", &[], "").await.code(), 200);
    let record = edge.record(&trunk, 1).await;
    assert_eq!((&record["disconnect_code"], &record["success"]), (&json!(487), &json!(false)), "{record}");
}

#[tokio::test]
async fn the_operator_ends_a_call_that_is_up_and_one_that_rings() {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({})).await;
    let mut call = Call::up(&edge, &trunk, ANSWERS_AT_ONCE).await;
    let id = edge.active().await[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(edge.control.delete(&format!("/calls/active/{id}")).await.status, 200);
    let bye = call.hung_up().await;
    assert!(bye.header("Reason").is_some_and(|reason| reason.contains("cause=200")), "{bye:?}");
    assert_eq!(edge.record(&trunk, 1).await["disconnect_reason"], "Bye");
    assert_eq!(edge.record(&trunk, 1).await["id"], id.as_str());
    assert_eq!(edge.record(&trunk, 1).await["hung_up_by"], "operator");
    assert_ended_with(&edge, &call, "an operator ended the call", None).await;
    assert_eq!(edge.control.delete(&format!("/calls/active/{id}")).await.status, 404);

    let mut call = Call::new(&edge, "9990180").await;
    let ends = async {
        edge.calls_up(1).await;
        let id = edge.active().await[0]["id"].as_str().unwrap().to_owned();
        edge.control.delete(&format!("/calls/active/{id}")).await;
    };
    let (answer, ()) = tokio::join!(call.attempt_as(&trunk, |_| {}), ends);
    assert_eq!(answer.code(), 503);
    let record = edge.record(&trunk, 2).await;
    assert_eq!(
        (&record["disconnect_reason"], &record["hung_up_by"]),
        (&json!("Ended by the operator"), &json!("operator"))
    );
    let why = "an operator ended the call before it was answered";
    assert_ended_with(&edge, &call, why, Some(&answer)).await;
}

#[tokio::test]
async fn calls_end_when_the_server_is_asked_to_stop() {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({})).await;
    let mut call = Call::up(&edge, &trunk, ANSWERS_AT_ONCE).await;
    let mut ringing = rings(&edge, &trunk, "9990180").await;
    let Ok(pid) = i32::try_from(edge.binary.id()) else { unreachable!("ids of processes are small") };
    std::process::Command::new("kill").args(["-TERM", &pid.to_string()]).status().unwrap();
    call.hung_up().await;
    let answer = ringing.answer().await;
    assert_eq!(answer.code(), 503, "{answer:?}");
    // The control API has stopped, so only the log can be read.
    for (call, why) in [
        (&call, "the server stopped, which ended the call"),
        (&ringing, "the server stopped before the call was answered"),
    ] {
        edge.logs(&[" ended ", &call.id, &format!("why=\"{why}\"")]).await;
        assert_has_sentence(why);
    }
    assert!(
        answer.header("X-Refusal").is_some_and(|why| why.contains("the server stopped before")),
        "{answer:?}"
    );
}

/// A call that rings.
async fn rings(edge: &Edge, trunk: &Trunk, to: &str) -> Call {
    let mut call = Call::new(edge, to).await;
    let challenge = call.attempt().await;
    let right = super::digest::Answer::to(&challenge, trunk, &call.uri());
    call.invite(&[format!("Authorization: {}", right.value())]).await;
    call.ringing(180).await;
    call
}

#[tokio::test]
async fn a_call_whose_trunk_is_blocked_while_it_rings_is_refused_instead_of_answered() {
    let edge = Edge::with_config("[[sip.far_end]]\nprefix = \"44\"\nring = 10\n").await;
    edge.freeze().await;
    let trunk = edge.trunk(json!({ "threshold_amount": "0.05", "rtp_timeout": 600 })).await;
    let mut ringing = rings(&edge, &trunk, RINGS_THEN_ANSWERS).await;
    let mut other = Call::up(&edge, &trunk, ANSWERS_AT_ONCE).await;
    edge.advance(10).await;
    let answer = ringing.answer().await;
    assert_eq!(answer.code(), 403, "{answer:?}");
    let why = "the trunk was blocked before the call was answered";
    assert_ended_with(&edge, &ringing, why, Some(&answer)).await;
    other.hang_up().await;
}

#[tokio::test]
async fn requests_for_an_unknown_dialog_are_answered_481() {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({})).await;
    let mut call = Call::up(&edge, &trunk, ANSWERS_AT_ONCE).await;
    assert_eq!(call.request("OPTIONS", &[], "").await.code(), 200, "the call is there");
    call.hang_up().await;
    for method in ["BYE", "UPDATE", "OPTIONS"] {
        let answer = call.request(method, &[], "").await;
        assert_eq!(answer.start, "SIP/2.0 481 Call/Transaction Does Not Exist", "{method}");
    }
    let body = call.offer.clone();
    assert_eq!(call.request("INVITE", &[], &body).await.code(), 481);
    edge.record(&trunk, 1).await;
    assert_eq!(edge.records(&trunk).await.len(), 1);
}
