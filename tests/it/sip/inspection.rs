//! General checks of every request: version, sequence, scheme, extensions, contact.

use serde_json::json;

use super::edge::{ANSWERS_AT_ONCE, Edge, Trunk};
use super::message::Message;
use super::sentences::{assert_ended_with, assert_states_why};
use super::uac::{Call, Uac};

async fn open_trunk(edge: &Edge) -> Trunk {
    let trunk = edge.trunk(json!({})).await;
    edge.ip_only(&trunk, &["127.0.0.0/8"]).await;
    trunk
}

/// The answer to a request that is modified before it is sent.
async fn changed(edge: &Edge, method: &str, change: impl FnOnce(String) -> String) -> Message {
    changed_call(edge, method, change).await.1
}

/// As [`changed`], with the call that the request belongs to.
async fn changed_call(edge: &Edge, method: &str, change: impl FnOnce(String) -> String) -> (Call, Message) {
    let mut call = Call::new(edge, ANSWERS_AT_ONCE).await;
    let text = change(call.text(method));
    call.uac.send(&text).await;
    let final_one = |message: &Message| message.code() >= 200;
    let answer = call.uac.expect("an answer", Some(&text), final_one).await;
    (call, answer)
}

#[tokio::test]
async fn an_extension_that_is_required_and_not_supported_is_refused_with_420() {
    let edge = Edge::start().await;
    let trunk = open_trunk(&edge).await;
    for (line, unsupported) in [
        ("Require: replaces", "replaces"),
        ("Require: 100rel, Some-Thing, timer", "Some-Thing"),
        ("Proxy-Require: sec-agree", "sec-agree"),
    ] {
        let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
        call.headers.push(line.to_owned());
        let answer = call.attempt().await;
        assert_eq!((answer.code(), answer.header("Unsupported")), (420, Some(unsupported)), "{answer:?}");
        let with_line = |text: String| text.replace("Max-Forwards", &format!("{line}\r\nMax-Forwards"));
        let options = changed(&edge, "OPTIONS", with_line).await;
        assert_eq!((options.code(), options.header("Unsupported")), (420, Some(unsupported)), "{options:?}");
    }
    assert_eq!(edge.record(&trunk, 3).await["check"], "request");

    let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
    call.headers.push("Require: timer".to_owned());
    call.headers.push("Proxy-Require: privacy".to_owned());
    assert_eq!(call.attempt().await.code(), 200);
    call.acknowledge().await;
    for method in ["INVITE", "UPDATE", "PRACK", "BYE"] {
        let answer = call.request(method, &["Require: x, y"], "").await;
        assert_eq!(
            (answer.code(), answer.header("Unsupported")),
            (420, Some("x, y")),
            "{method}: {answer:?}"
        );
    }
    call.hang_up().await;
}

#[tokio::test]
async fn an_extension_is_looked_at_when_the_trunk_is_known_and_not_before() {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({})).await;
    let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
    call.headers.push("Require: replaces".to_owned());
    assert_eq!(call.attempt_as(&trunk, |_| {}).await.code(), 420, "after the challenge");
}

#[tokio::test]
async fn an_invite_without_one_contact_that_can_be_used_is_refused_and_leaves_no_call() {
    let edge = Edge::start().await;
    let trunk = open_trunk(&edge).await;
    let all: [&[&str]; 6] = [
        &[],
        &["Contact: *"],
        &["Contact: <tel:+12025550143>"],
        &["Contact: <sip:a@127.0.0.1>, <sip:b@127.0.0.1>"],
        &["Contact: <sip:a@127.0.0.1>", "m: <sip:b@127.0.0.1>"],
        &["Contact: <mailto:a@b>"],
    ];
    for contact in all {
        let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
        call.contact = contact.iter().map(|line| (*line).to_owned()).collect();
        let answer = call.attempt().await;
        assert_eq!(answer.code(), 400, "{contact:?}: {answer:?}");
    }
    assert!(edge.active().await.is_empty());
    let record = edge.record(&trunk, all.len()).await;
    assert_eq!((&record["check"], &record["disconnect_code"]), (&json!("request"), &json!(400)), "{record}");
    for contact in ["Contact: \"A, B\" <sips:a@127.0.0.1>;expires=5", "m: sip:a@127.0.0.1;x=y"] {
        let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
        call.contact = vec![contact.to_owned()];
        assert_eq!(call.attempt().await.code(), 200, "{contact}");
        call.acknowledge().await;
        let id = edge.active().await[0]["id"].as_str().unwrap().to_owned();
        edge.control.delete(&format!("/calls/active/{id}")).await;
        let bye = call.hung_up().await;
        assert!(bye.start.contains("a@127.0.0.1"), "the BYE is sent to the contact: {bye:?}");
    }
}

#[tokio::test]
async fn a_new_contact_is_where_the_next_request_goes() {
    let edge = Edge::start().await;
    open_trunk(&edge).await;
    let mut call = Call::new(&edge, "9990201").await;
    call.headers.push("Record-Route: <sip:127.0.0.1:5999;lr>, <sip:127.0.0.2:5999;lr>".to_owned());
    assert_eq!(call.attempt().await.code(), 200);
    call.acknowledge().await;
    call.contact = vec!["Contact: <sip:elsewhere@127.0.0.7>".to_owned()];
    assert_eq!(call.request("UPDATE", &[], "").await.code(), 200);
    let bye = call.hung_up().await;
    assert_eq!(bye.start, "BYE sip:elsewhere@127.0.0.7 SIP/2.0");
    let routes: Vec<&str> = bye.headers("Route").collect();
    assert_eq!(routes, ["<sip:127.0.0.1:5999;lr>", "<sip:127.0.0.2:5999;lr>"]);
}

#[tokio::test]
async fn a_100_has_the_timestamp_of_its_invite_over_udp_and_tcp() {
    let edge = Edge::start().await;
    open_trunk(&edge).await;
    for uac in [Uac::udp(&edge).await, Uac::tcp(&edge).await] {
        let mut call = Call::over(uac, &edge, ANSWERS_AT_ONCE).await;
        call.headers.push("Timestamp: 54.25".to_owned());
        let answer = call.attempt().await;
        assert_eq!(answer.code(), 200, "{answer:?}");
        let trying = call.provisional.iter().find(|message| message.code() == 100).expect("a 100");
        let stamps: Vec<&str> = trying.headers("Timestamp").collect();
        assert_eq!(stamps, ["54.25"], "{trying:?}");
        assert!(trying.header("CSeq").is_some() && trying.header("Via").is_some(), "{trying:?}");
        call.acknowledge().await;
        call.hang_up().await;
    }
}

#[tokio::test]
async fn what_is_no_request_of_this_version_is_refused() {
    let edge = Edge::start().await;
    open_trunk(&edge).await;
    let far = format!("Record-Route: <sip:{}@proxy;lr>\r\nMax-Forwards: 70", "p".repeat(17_000));
    for (method, from, to, code) in [
        ("INVITE", "Max-Forwards: 70", far.as_str(), 513),
        ("INVITE", " SIP/2.0\r\nVia", " SIP/7.0\r\nVia", 505),
        ("OPTIONS", "CSeq: 1 OPTIONS", "CSeq: 1 INVITE", 400),
        ("INVITE", "Max-Forwards: 70", "Max-Forwards: 70\r\nMax-Forwards: 70", 400),
        ("INVITE", "INVITE sip:9990200@127.0.0.1", "INVITE http:9990200@127.0.0.1", 416),
    ] {
        let (call, answer) = changed_call(&edge, method, |text| text.replacen(from, to, 1)).await;
        assert_eq!(answer.code(), code, "{to}: {answer:?}");
        // Another version is refused before the message is parsed.
        if method == "INVITE" && code != 505 {
            assert_states_why(&edge, &call, &answer).await;
        }
    }
    let info = changed(&edge, "INFO", |text| text).await;
    assert_eq!(info.code(), 481, "it belongs to a call: {info:?}");
    for method in ["MESSAGE", "REFER"] {
        let answer = changed(&edge, method, |text| text).await;
        assert_eq!((answer.code(), answer.header("Allow").is_some()), (405, true), "{answer:?}");
    }
    assert_eq!(edge.counts().await[2], 0);
}

#[tokio::test]
async fn an_invite_is_good_for_as_long_as_it_says() {
    let edge = Edge::start().await;
    edge.freeze().await;
    let trunk = open_trunk(&edge).await;
    let mut call = Call::new(&edge, "9990180").await;
    call.headers.push("Expires: 20".to_owned());
    let rings = async {
        edge.calls_up(1).await;
        edge.advance(20).await;
    };
    let (answer, ()) = tokio::join!(call.attempt(), rings);
    assert_eq!(answer.code(), 487);
    assert_eq!(edge.record(&trunk, 1).await["disconnect_reason"], "Request expired");
    let why = "the call rang for longer than the Expires of its INVITE";
    assert_ended_with(&edge, &call, why, Some(&answer)).await;
}

#[tokio::test]
async fn a_refusal_of_the_far_end_has_the_header_that_it_must_have() {
    let edge = Edge::start().await;
    open_trunk(&edge).await;
    for (number, header) in [("9990422", "Min-SE"), ("9990401", "WWW-Authenticate"), ("9990405", "Allow")] {
        let answer = Call::new(&edge, number).await.attempt().await;
        assert!(answer.header(header).is_some(), "{answer:?}");
    }
}

#[tokio::test]
async fn options_says_what_is_understood() {
    let edge = Edge::start().await;
    let answer = Uac::udp(&edge).await.options().await;
    assert_eq!(answer.header("Accept"), Some("application/sdp, multipart/mixed"));
    assert_eq!(answer.header("Supported"), Some("timer, 100rel"));
}
