//! Each refusal in the order of checks, as a peer sees it: the response, the header that names the check, and
//! whether there is a record.

use serde_json::{Value, json};

use super::edge::{ANSWERS_AT_ONCE, Edge, FOREIGN_NUMBER, RINGS_THEN_ANSWERS, Trunk, credentials};
use super::scenario::{Run, Scenario};
use super::uac::Call;

/// A call that a trunk must refuse after a right digest.
struct Refused {
    attributes: Value,
    call: Scenario,
    code: u16,
    check: &'static str,
    cause: u16,
}

impl Refused {
    fn new(attributes: Value, call: Scenario, (code, check, cause): (u16, &'static str, u16)) -> Self {
        Self { attributes, call, code, check, cause }
    }

    async fn holds(self, edge: &Edge) {
        let trunk = edge.trunk(self.attributes).await;
        let pattern = format!("check={};cause={};", self.check, self.cause);
        let call = self.call.for_trunk(&trunk).call().challenged();
        call.refused_saying(self.code, "X-Refusal", &pattern).passes(edge).await;
        is_recorded(edge, &trunk, (self.code, self.check, self.cause)).await;
    }
}

/// Checks that the only record of a trunk is that of a refusal, which cost nothing.
async fn is_recorded(edge: &Edge, trunk: &Trunk, (code, check, cause): (u16, &str, u16)) {
    let record = edge.record(trunk, 1).await;
    assert_eq!(record["disconnect_code"], code, "{record}");
    assert_eq!(record["disconnect_cause"], cause, "{record}");
    assert_eq!(record["check"], check, "{record}");
    assert_eq!((&record["success"], &record["price"]), (&json!(false), &json!("0")), "{record}");
    assert_eq!((&record["time_connect"], &record["duration"]), (&Value::Null, &json!(0)), "{record}");
    assert_eq!(edge.shown(trunk, "/meta/spent_amount").await, "0.0");
}

/// A call whose offer has these lines from its `m=` line on; `PORT` stands for the caller's.
async fn offering(edge: &Edge, to: &str, media: &str) -> Call {
    let mut call = Call::new(edge, to).await;
    let port = call.media.local_addr().unwrap().port().to_string();
    let head = call.offer.split("m=audio").next().unwrap().to_owned();
    call.offer = format!("{head}{}\r\n", media.replace("PORT", &port).replace('\n', "\r\n"));
    call
}

#[tokio::test]
async fn a_caller_from_an_unknown_address_is_refused_without_a_challenge_and_leaves_no_record() {
    let edge = Edge::start().await;
    let other = json!({ "authentication_method": credentials(&["127.255.255.0/24"], None) });
    let trunk = edge.trunk(other).await;
    let call = Scenario::to(RINGS_THEN_ANSWERS).for_trunk(&trunk).call();
    call.refused(403).passes(&edge).await;
    assert_eq!(edge.counts().await, [0, 0, 0], "it is no attempt of anybody");
    assert!(edge.records(&trunk).await.is_empty());
    edge.logs(&["unknown address", "nearest=\"127.255.255.0/24\""]).await;
}

#[tokio::test]
async fn a_trunk_is_chosen_by_the_address_that_the_packet_came_from() {
    let edge = Edge::start().await;
    let run = Run::default();
    let own = run.source.to_string();
    let trunk = edge.trunk(json!({ "authentication_method": credentials(&[&own], None) })).await;
    let call = || Scenario::to(ANSWERS_AT_ONCE).for_trunk(&trunk);
    call().call().challenged().answered().hang_up().passes_as(&edge, run).await;
    let headers =
        call().header(&format!("Via: SIP/2.0/UDP {own}")).header(&format!("X-Forwarded-For: {own}"));
    headers.call().refused(403).passes(&edge).await;
}

#[tokio::test]
async fn a_right_digest_from_an_address_that_only_another_trunk_allows_is_refused() {
    let edge = Edge::start().await;
    let _everybody = edge.trunk(json!({})).await;
    let narrow = json!({ "authentication_method": credentials(&["127.255.255.0/24"], None) });
    let trunk = edge.trunk(narrow).await;
    let call = Scenario::to(RINGS_THEN_ANSWERS).for_trunk(&trunk).call().challenged();
    call.refused_saying(403, "X-Refusal", "check=trunk;cause=110;").passes(&edge).await;
    let record = edge.record(&trunk, 1).await;
    assert_eq!((&record["check"], &record["disconnect_cause"]), (&json!("trunk"), &json!(110)), "{record}");
}

#[tokio::test]
async fn what_is_dialled_must_begin_with_the_tech_prefix() {
    let edge = Edge::start().await;
    let prefixed = json!({ "authentication_method": credentials(&["127.0.0.0/8"], Some("123#")) });
    let trunk = edge.trunk(prefixed).await;
    for dialled in [RINGS_THEN_ANSWERS, "124#442079460018", "123442079460018", "#442079460018"] {
        let call = Scenario::to(dialled).for_trunk(&trunk).call();
        call.refused_saying(403, "X-Refusal", "check=tech_prefix;").passes(&edge).await;
    }
    for dialled in ["123#9990200", "123%239990200", "123#+9990200", "123#009990200"] {
        let call = Scenario::to(dialled).for_trunk(&trunk).call().challenged();
        call.answered().hang_up().passes(&edge).await;
    }
    let records = edge.record(&trunk, 4).await;
    assert_eq!(records["dst_number"], "123#009990200", "records keep the prefix: {records}");
    let open = edge.trunk(json!({})).await;
    let call = Scenario::to(RINGS_THEN_ANSWERS).for_trunk(&trunk).call().challenged();
    call.refused_saying(403, "X-Refusal", "check=trunk;").passes(&edge).await;
    let call = Scenario::to("123#123#9990200").for_trunk(&trunk).call().challenged();
    call.refused_saying(484, "X-Refusal", "check=number;").passes(&edge).await;
    assert!(edge.records(&open).await.is_empty());
}

#[tokio::test]
async fn a_wrong_password_is_challenged_again_and_again() {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({})).await;
    let call = Scenario::to(RINGS_THEN_ANSWERS).with_password(&trunk, "wrong").call();
    call.challenged().challenged().challenged().refused(401).passes(&edge).await;
    assert_eq!(edge.counts().await, [4, 0, 0]);
    assert!(edge.records(&trunk).await.is_empty());
    edge.logs(&["challenged again", "the password is wrong"]).await;
    Scenario::to(ANSWERS_AT_ONCE)
        .for_trunk(&trunk)
        .call()
        .challenged()
        .answered()
        .hang_up()
        .passes(&edge)
        .await;
    assert!(!edge.binary.log().contains(&trunk.password), "a password is in the log");
}

#[tokio::test]
async fn a_blocked_trunk_refuses_after_the_digest_and_not_before() {
    let edge = Edge::start().await;
    let blocked = json!({ "status": "blocked" });
    let refused = Refused::new(blocked.clone(), Scenario::to(RINGS_THEN_ANSWERS), (403, "status", 8004));
    refused.holds(&edge).await;
    let trunk = edge.trunk(blocked).await;
    let wrong = Scenario::to(RINGS_THEN_ANSWERS).with_password(&trunk, "wrong").call();
    wrong.challenged().refused(401).passes(&edge).await;
    let nothing = json!({ "threshold_amount": "0.0" });
    Refused::new(nothing, Scenario::to(RINGS_THEN_ANSWERS), (403, "status", 8004)).holds(&edge).await;
}

#[tokio::test]
async fn what_is_dialled_must_be_a_number_with_country_code() {
    let edge = Edge::start().await;
    let numbers =
        ["02079460018", "sales", "4420-7946-0018", "1234567890123456", "+", "0114420794600", "+0442"];
    for dialled in numbers {
        Refused::new(json!({}), Scenario::to(dialled), (484, "number", 8007)).holds(&edge).await;
    }
}

#[tokio::test]
async fn destination_prefixes_are_exceptions_to_the_default_action() {
    let edge = Edge::start().await;
    let rule =
        |action: &str, prefixes: &[&str]| json!({ "default_dst_action": action, "dst_prefixes": prefixes });
    let refused = (403, "destination", 8001);
    for (attributes, dialled) in [
        (rule("allow_all", &["4420"]), RINGS_THEN_ANSWERS),
        (rule("allow_all", &["1", "44"]), "+442079460018"),
        (rule("reject_all", &["447", "1"]), RINGS_THEN_ANSWERS),
        (rule("reject_all", &[]), RINGS_THEN_ANSWERS),
    ] {
        Refused::new(attributes, Scenario::to(dialled), refused).holds(&edge).await;
    }
    for attributes in
        [rule("allow_all", &["4420"]), rule("allow_all", &[]), rule("reject_all", &["99902", "1"])]
    {
        let trunk = edge.trunk(attributes).await;
        let call = Scenario::to(ANSWERS_AT_ONCE).for_trunk(&trunk).call().challenged().answered().hang_up();
        call.passes(&edge).await;
    }
}

/// Adds three DIDs to an account, and creates a trunk that is linked to two of them.
async fn with_dids(edge: &Edge, attributes: Value, default: bool) -> Trunk {
    let first = edge.did("37061498222", false).await;
    let second = edge.did("37061498333", false).await;
    edge.did("37061498444", false).await;
    let mut links = json!({ "dids": [first, second] });
    if default {
        links["default_did"] = json!(second);
    }
    edge.linked_trunk(attributes, links).await
}

#[tokio::test]
async fn a_caller_number_of_the_trunk_passes_as_it_is_whatever_the_mismatch_action_is() {
    let edge = Edge::start().await;
    let trunk = with_dids(&edge, json!({ "on_cli_mismatch_action": "reject_call" }), false).await;
    for caller in ["37061498222", "+37061498222", "0037061498333"] {
        let call = Scenario::to(ANSWERS_AT_ONCE).from(caller).for_trunk(&trunk);
        call.call().challenged().answered().hang_up().passes(&edge).await;
    }
    let record = edge.record(&trunk, 3).await;
    assert_eq!(record["original_src_number"], "0037061498333");
    assert_eq!(record["src_number"], "37061498333");
    for caller in [FOREIGN_NUMBER, "37061498444", "3706149822", "sip-user"] {
        let call = Scenario::to(ANSWERS_AT_ONCE).from(caller).for_trunk(&trunk).call().challenged();
        call.refused_saying(403, "X-Refusal", "check=cli;cause=8002;").passes(&edge).await;
    }
    edge.patch(&trunk, json!({ "allow_any_did_as_cli": true })).await;
    let any = Scenario::to(ANSWERS_AT_ONCE).from("37061498444").for_trunk(&trunk);
    any.call().challenged().answered().hang_up().passes(&edge).await;
}

#[tokio::test]
async fn a_foreign_caller_number_is_refused_replaced_drawn_or_sent_on_as_the_trunk_says() {
    let own = ["37061498222", "37061498333"];
    for (action, default, shown) in [
        ("send_original_cli", false, &[FOREIGN_NUMBER][..]),
        ("replace_cli", true, &["37061498333"][..]),
        ("replace_cli", false, &["37061498222"][..]),
        ("randomize_cli", false, &own[..]),
    ] {
        // A number can be a DID only once on a server, so each case has its own.
        let edge = Edge::start().await;
        let trunk = with_dids(&edge, json!({ "on_cli_mismatch_action": action }), default).await;
        let call = Scenario::to(ANSWERS_AT_ONCE).for_trunk(&trunk);
        call.call().challenged().answered().hang_up().passes(&edge).await;
        let record = edge.record(&trunk, 1).await;
        assert!(shown.contains(&record["src_number"].as_str().unwrap()), "{action}: {record}");
        assert_eq!(record["original_src_number"], FOREIGN_NUMBER);
    }
    let edge = Edge::start().await;
    for action in ["reject_call", "replace_cli", "randomize_cli"] {
        let attributes = json!({ "on_cli_mismatch_action": action });
        Refused::new(attributes, Scenario::to(RINGS_THEN_ANSWERS), (403, "cli", 8002)).holds(&edge).await;
    }
}

#[tokio::test]
async fn from_is_what_is_checked_even_of_an_anonymous_call_that_asserts_a_did() {
    let edge = Edge::start().await;
    let trunk = with_dids(&edge, json!({ "on_cli_mismatch_action": "reject_call" }), false).await;
    let anonymous = || {
        Scenario::to(ANSWERS_AT_ONCE)
            .with_from("\"Anonymous\" <sip:anonymous@anonymous.invalid>")
            .header("P-Asserted-Identity: <tel:+37061498222>")
            .header("Privacy: id")
            .for_trunk(&trunk)
            .call()
            .challenged()
    };
    anonymous().refused_saying(403, "X-Refusal", "check=cli;").passes(&edge).await;
    edge.logs(&["From is what is checked", "P-Asserted-Identity has 37061498222"]).await;
    edge.patch(&trunk, json!({ "on_cli_mismatch_action": "send_original_cli" })).await;
    anonymous().answered().hang_up().passes(&edge).await;
    assert_eq!(edge.record(&trunk, 2).await["src_number"], "anonymous");
}

#[tokio::test]
async fn an_emergency_call_needs_a_did_that_may_make_one_and_skips_destination_rule_threshold_and_capacity() {
    let edge = Edge::start().await;
    let did = edge.did("442079460000", true).await;
    let closed = json!({
        "default_dst_action": "reject_all",
        "capacity_limit": 0,
        "threshold_amount": "0.0",
        "authentication_method": credentials(&["127.0.0.0/8"], Some("7#")),
    });
    let trunk = edge.linked_trunk(closed, json!({ "emergency_dids": [did] })).await;
    let call = |caller: &str, dialled: &str| Scenario::to(dialled).from(caller).for_trunk(&trunk).call();
    call("442079460000", "999").refused(403).passes(&edge).await;
    call("442079460000", "7#999").challenged().answered().hang_up().passes(&edge).await;
    let record = edge.record(&trunk, 1).await;
    assert_eq!((&record["call_type"], &record["price"]), (&json!("emergency"), &json!("0")), "{record}");
    let stranger = call(FOREIGN_NUMBER, "7#911").challenged();
    stranger.refused_saying(403, "X-Refusal", "check=emergency;").passes(&edge).await;
    edge.patch(&trunk, json!({ "status": "blocked" })).await;
    call("442079460000", "7#999").challenged().refused(403).passes(&edge).await;

    let every = edge.trunk(json!({ "emergency_enable_all": true, "capacity_limit": 0 })).await;
    let call = || Scenario::to("112").from("442079460000").for_trunk(&every).call().challenged();
    call().answered().hang_up().passes(&edge).await;
    edge.change_did(&did, &json!({ "emergency_enabled": false })).await;
    call().refused_saying(403, "X-Refusal", "check=emergency;").passes(&edge).await;
}

#[tokio::test]
async fn media_must_fit_the_encryption_mode_and_a_codec() {
    // Not with sipp, whose processes have time limits of their own and abort on a response out of its order.
    let edge = Edge::start().await;
    let crypto = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj";
    let sdes = format!("m=audio PORT RTP/SAVP 8\n{crypto}");
    let dtls = "m=audio PORT UDP/TLS/RTP/SAVP 8\na=setup:actpass\na=fingerprint:sha-256 4A:AD:B9:B1";
    let plain = "m=audio PORT RTP/AVP 8";
    let mode = |mode: &str| json!({ "media_encryption_mode": mode });
    let profile = (488, "media", 142);
    for (attributes, offer, refused) in [
        (mode("disabled"), sdes.as_str(), profile),
        (mode("disabled"), dtls, profile),
        (mode("srtp_sdes"), plain, profile),
        (mode("srtp_sdes"), "m=audio PORT RTP/SAVP 8", profile),
        (mode("srtp_dtls"), dtls, (488, "media", 9142)),
        (mode("zrtp"), sdes.as_str(), profile),
        (mode("disabled"), "m=audio PORT RTP/AVP 96\na=rtpmap:96 EVS/16000", (488, "media", 140)),
        (mode("disabled"), "m=video PORT RTP/AVP 31", profile),
        (mode("disabled"), "m=audio many RTP/AVP 8", (500, "media", 1500)),
    ] {
        let trunk = edge.trunk(attributes).await;
        let answer = offering(&edge, RINGS_THEN_ANSWERS, offer).await.place(&trunk).await;
        let (code, check, cause) = refused;
        let said = answer.header("X-Refusal").unwrap_or_default();
        assert!(said.contains(&format!("check={check};cause={cause};")), "{offer}: {answer:?}");
        assert_eq!(answer.code(), code, "{offer}: {answer:?}");
        is_recorded(&edge, &trunk, refused).await;
    }
    for (attributes, offer) in [
        (mode("disabled"), plain),
        (mode("disabled"), "m=audio PORT RTP/AVP 18 97\na=rtpmap:97 GSM/8000"),
        (mode("srtp_sdes"), sdes.as_str()),
        (mode("zrtp"), plain),
    ] {
        let trunk = edge.trunk(attributes).await;
        let mut call = offering(&edge, ANSWERS_AT_ONCE, offer).await;
        let answer = call.place(&trunk).await;
        assert_eq!(answer.code(), 200, "{offer}: {answer:?}");
        call.hang_up().await;
    }
}

#[tokio::test]
async fn a_full_trunk_refuses_one_call_more_and_takes_one_when_another_has_ended() {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({ "capacity_limit": 3 })).await;
    let held = Scenario::to("9990209").for_trunk(&trunk).call().challenged().answered().hung_up();
    let holder = held.passes_as(&edge, Run { calls: 3, ..Run::default() });
    let prober = async {
        edge.calls_up(3).await;
        let probe = || Scenario::to(ANSWERS_AT_ONCE).for_trunk(&trunk).call().challenged();
        probe().refused_saying(480, "X-Refusal", "check=capacity;cause=1507;").passes(&edge).await;
        let held = edge.active().await;
        let path = format!("/calls/active/{}", held[0]["id"].as_str().unwrap());
        assert_eq!(edge.control.delete(&path).await.status, 200);
        edge.calls_up(2).await;
        probe().answered().hang_up().passes(&edge).await;
        for call in &held[1..] {
            edge.control.delete(&format!("/calls/active/{}", call["id"].as_str().unwrap())).await;
        }
    };
    tokio::join!(holder, prober);
    edge.calls_up(0).await;
    let none = json!({ "capacity_limit": 0 });
    Refused::new(none, Scenario::to(RINGS_THEN_ANSWERS), (480, "capacity", 1507)).holds(&edge).await;
}

#[tokio::test]
async fn the_destination_is_checked_before_the_caller_number_and_the_capacity_last() {
    let edge = Edge::start().await;
    let everything_wrong = json!({
        "status": "blocked",
        "default_dst_action": "reject_all",
        "on_cli_mismatch_action": "reject_call",
        "media_encryption_mode": "srtp_sdes",
        "capacity_limit": 0,
    });
    let trunk = edge.trunk(everything_wrong).await;
    let mut dialled = "0";
    for (check, right) in [
        ("status", json!({ "status": "active" })),
        ("number", Value::Null),
        ("destination", json!({ "default_dst_action": "allow_all" })),
        ("cli", json!({ "on_cli_mismatch_action": "send_original_cli" })),
        ("media", json!({ "media_encryption_mode": "disabled" })),
        ("capacity", json!({ "capacity_limit": null })),
    ] {
        let call = Scenario::to(dialled).for_trunk(&trunk).call().challenged();
        let code = match check {
            "number" => 484,
            "media" => 488,
            "capacity" => 480,
            _ => 403,
        };
        call.refused_saying(code, "X-Refusal", &format!("check={check};")).passes(&edge).await;
        if right.is_null() {
            dialled = ANSWERS_AT_ONCE;
        } else {
            edge.patch(&trunk, right).await;
        }
    }
    Scenario::to(ANSWERS_AT_ONCE)
        .for_trunk(&trunk)
        .call()
        .challenged()
        .answered()
        .hang_up()
        .passes(&edge)
        .await;
}

#[tokio::test]
async fn a_password_in_the_uri_of_a_refused_caller_is_not_in_the_log() {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({ "on_cli_mismatch_action": "reject_call" })).await;
    let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
    call.from = "<sip:caller:swordfish@pbx.example.com>".to_owned();
    assert_eq!(call.place(&trunk).await.code(), 403);
    let line = edge.logs(&["refused", &call.id, "from="]).await;
    assert!(line.contains("caller:000000000@pbx") && !edge.binary.log().contains("swordfish"), "{line}");
}
