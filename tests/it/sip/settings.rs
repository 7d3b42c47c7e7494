//! Every behaviour that no source documents is a setting in the configuration file, tested by its effect on
//! the network.

use serde_json::{Value, json};

use super::digest;
use super::edge::{ANSWERS_AT_ONCE, Edge, FOREIGN_NUMBER, RINGS_THEN_ANSWERS, credentials};
use super::scenario::Scenario;
use super::uac::Call;

#[tokio::test]
async fn the_codes_of_refusals_are_settings() {
    let edge = Edge::with_config(
        "[sip]\nchallenge_code = 407\nip_reject_code = 503\nblocked_code = 402\ncli_reject_code = 433\n\
         dst_reject_code = 603\nbad_number_code = 404\nno_route_code = 503\ncapacity_reject_code = 503\n\
         media_profile_reject_code = 500\ncodec_reject_code = 415\nsdp_reject_code = 400\n\
         [[sip.rates]]\nprefix = \"999\"\nper_minute = \"0\"\n",
    )
    .await;
    let trunk = |attributes: Value| edge.trunk(attributes);
    for (attributes, call, code) in [
        (json!({ "status": "blocked" }), Scenario::to(ANSWERS_AT_ONCE), 402),
        (json!({ "on_cli_mismatch_action": "reject_call" }), Scenario::to(ANSWERS_AT_ONCE), 433),
        (json!({ "default_dst_action": "reject_all" }), Scenario::to(ANSWERS_AT_ONCE), 603),
        (json!({}), Scenario::to("nobody"), 404),
        (json!({}), Scenario::to(RINGS_THEN_ANSWERS), 503),
        (json!({ "capacity_limit": 0 }), Scenario::to(ANSWERS_AT_ONCE), 503),
        (json!({ "media_encryption_mode": "srtp_sdes" }), Scenario::to(ANSWERS_AT_ONCE), 500),
        (json!({}), Scenario::to(ANSWERS_AT_ONCE).offering("m=audio [media_port] RTP/AVP 97"), 415),
        (json!({}), Scenario::to(ANSWERS_AT_ONCE).offering("m=audio"), 400),
    ] {
        let trunk = trunk(attributes).await;
        call.for_trunk(&trunk).call().challenged_by(407).refused(code).passes(&edge).await;
        assert_eq!(edge.record(&trunk, 1).await["disconnect_code"], code);
    }
    let far = json!({ "authentication_method": credentials(&["127.0.0.0/8"], Some("99")) });
    let edge = Edge::with_config("[sip]\nip_reject_code = 404\n").await;
    let trunk = edge.trunk(far).await;
    Scenario::to(RINGS_THEN_ANSWERS).for_trunk(&trunk).call().refused(404).passes(&edge).await;
}

#[tokio::test]
async fn the_former_names_of_three_codes_still_set_them() {
    let edge = Edge::with_config(
        "[sip]\nchallenge_code = 407\nmedia_profile_reject = 500\ncodec_reject = 415\nsdp_reject = 400\n",
    )
    .await;
    for (attributes, offer, code) in [
        (json!({ "media_encryption_mode": "srtp_sdes" }), "m=audio [media_port] RTP/AVP 8", 500),
        (json!({}), "m=audio [media_port] RTP/AVP 97", 415),
        (json!({}), "m=audio", 400),
    ] {
        let trunk = edge.trunk(attributes).await;
        let call = Scenario::to(ANSWERS_AT_ONCE).offering(offer);
        call.for_trunk(&trunk).call().challenged_by(407).refused(code).passes(&edge).await;
    }
}

#[tokio::test]
async fn a_destination_that_the_rate_card_lacks_has_no_route() {
    let edge = Edge::with_config("[[sip.rates]]\nprefix = \"999\"\nper_minute = \"0.6\"\n").await;
    let trunk = edge.trunk(json!({})).await;
    let call = Scenario::to(RINGS_THEN_ANSWERS).for_trunk(&trunk).call().challenged();
    call.refused_saying(404, "X-Refusal", "check=route;cause=111;").passes(&edge).await;
    assert_eq!(edge.record(&trunk, 1).await["check"], "route");
    Scenario::to(ANSWERS_AT_ONCE)
        .for_trunk(&trunk)
        .call()
        .challenged()
        .answered()
        .hang_up()
        .passes(&edge)
        .await;
    let record = edge.record(&trunk, 2).await;
    assert_eq!((&record["rate"], &record["price"]), (&json!("0.6"), &json!("0.01")), "{record}");
}

#[tokio::test]
async fn realm_server_name_phrases_and_diagnostic_headers_are_settings() {
    let edge = Edge::with_config(
        "[sip]\nrealm = \"example.net\"\nserver_name = \"node 7\"\nengine_reason_phrase = true\n\
         diagnostic_headers = false\nalgorithms = [\"SHA-256\", \"MD5\"]\n",
    )
    .await;
    let trunk = edge.trunk(json!({ "status": "blocked" })).await;
    let mut call = Call::new(&edge, RINGS_THEN_ANSWERS).await;
    let challenge = call.attempt().await;
    assert_eq!(challenge.header("Server"), Some("node 7"));
    let offered: Vec<&str> = challenge.headers("WWW-Authenticate").collect();
    assert!(offered.iter().all(|value| value.contains("realm=\"example.net\"")), "{offered:?}");
    assert!(offered[0].contains("algorithm=SHA-256") && offered[1].contains("algorithm=MD5"), "{offered:?}");
    let refusal = call.attempt_as(&trunk, |_| {}).await;
    assert_eq!(refusal.start, "SIP/2.0 403 Rejected by Auth record");
    assert_eq!((refusal.header("X-Refusal"), refusal.header("Reason")), (None, None));
}

#[tokio::test]
async fn the_far_end_plays_what_the_file_says() {
    let edge = Edge::with_config(
        "[sip]\nring_timeout = 1\n\
         [[sip.far_end]]\nprefix = \"44\"\nthen = \"busy\"\n\
         [[sip.far_end]]\nprefix = \"442\"\nthen = \"decline\"\n\
         [[sip.far_end]]\nprefix = \"33\"\nring = 0.1\nthen = \"410\"\n\
         [[sip.far_end]]\nprefix = \"49\"\nthen = \"no_answer\"\n\
         [[sip.far_end]]\nprefix = \"39\"\nring = 0.1\nearly_media = true\nhang_up_after = 0.3\n",
    )
    .await;
    let trunk = edge.trunk(json!({})).await;
    let call = |number: &str| Scenario::to(number).for_trunk(&trunk).call().challenged();
    call("447700900123").refused(486).passes(&edge).await;
    call("442079460018").refused(603).passes(&edge).await;
    call("33123456789").progress(180).refused(410).passes(&edge).await;
    call("4930123456").progress(180).refused(487).passes(&edge).await;
    call("390612345").progress(183).answered().hung_up().passes(&edge).await;
}

#[tokio::test]
async fn with_strict_nc_a_nonce_counts_up_and_without_it_may_be_used_again() {
    for (strict, again) in [(false, 200), (true, 401)] {
        let edge = Edge::with_config(&format!("[sip]\nstrict_nc = {strict}\n")).await;
        let trunk = edge.trunk(json!({})).await;
        let mut first = Call::new(&edge, ANSWERS_AT_ONCE).await;
        let mut used = None;
        let answer = first.attempt_as(&trunk, |answer| used = Some(answer.clone())).await;
        assert_eq!(answer.code(), 200, "{answer:?}");
        first.acknowledge().await;
        let used = used.unwrap();
        for (nc, code) in [("00000001", again), ("00000002", 200), ("00000002", again), ("0000000a", 200)] {
            let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
            let answer = digest::Answer { nc: nc.to_owned(), uri: call.uri(), ..used.clone() };
            call.invite(&[format!("Authorization: {}", answer.value())]).await;
            let response = call.answer().await;
            assert_eq!(response.code(), code, "strict_nc = {strict}, nc = {nc}: {response:?}");
            if code == 200 {
                call.acknowledge().await;
            }
        }
    }
}

#[tokio::test]
async fn the_header_that_holds_the_caller_number_is_a_setting() {
    let edge = Edge::with_config("[sip]\ncli_header = \"identity\"\n").await;
    let did = edge.did("37061498222", false).await;
    let attributes = json!({ "on_cli_mismatch_action": "reject_call" });
    let trunk = edge.linked_trunk(attributes, json!({ "dids": [did] })).await;
    let call = |headers: &[&str]| {
        let call = Scenario::to(ANSWERS_AT_ONCE).for_trunk(&trunk);
        headers.iter().fold(call, |call, header| call.header(header)).call().challenged()
    };
    let (asserted, preferred) =
        ("P-Asserted-Identity: <tel:+37061498222>", "P-Preferred-Identity: <tel:+15550100>");
    call(&[asserted]).answered().hang_up().passes(&edge).await;
    assert_eq!(edge.record(&trunk, 1).await["src_number"], "37061498222");
    call(&[asserted, preferred]).refused_saying(403, "X-Refusal", "check=cli;").passes(&edge).await;
    call(&[]).refused_saying(403, "X-Refusal", "check=cli;").passes(&edge).await;
}

#[tokio::test]
async fn a_did_in_diversion_satisfies_the_check_only_where_that_is_set() {
    for (setting, admitted) in [("", false), ("[sip]\ndiversion_satisfies_cli = true\n", true)] {
        let edge = Edge::with_config(setting).await;
        let did = edge.did("37061498222", false).await;
        let attributes = json!({ "on_cli_mismatch_action": "reject_call" });
        let trunk = edge.linked_trunk(attributes, json!({ "dids": [did] })).await;
        let forwarded = |from: &str| {
            let call = Scenario::to(ANSWERS_AT_ONCE)
                .header(&format!("Diversion: <sip:{from}@127.0.0.1>;reason=unconditional"));
            call.for_trunk(&trunk).call().challenged()
        };
        if admitted {
            forwarded("37061498222").answered().hang_up().passes(&edge).await;
            assert_eq!(edge.record(&trunk, 1).await["src_number"], FOREIGN_NUMBER);
        } else {
            forwarded("37061498222").refused_saying(403, "X-Refusal", "check=cli;").passes(&edge).await;
        }
        forwarded("15550100").refused_saying(403, "X-Refusal", "check=cli;").passes(&edge).await;
    }
}

#[tokio::test]
async fn without_emergency_bypass_an_emergency_call_meets_the_capacity_like_any_other() {
    for (setting, admitted) in [("", true), ("[sip]\nemergency_bypass = false\n", false)] {
        let edge = Edge::with_config(setting).await;
        let did = edge.did("442079460000", true).await;
        let attributes = json!({ "capacity_limit": 0 });
        let trunk = edge.linked_trunk(attributes, json!({ "emergency_dids": [did] })).await;
        let call = Scenario::to("999").from("442079460000").for_trunk(&trunk).call().challenged();
        if admitted {
            call.answered().hang_up().passes(&edge).await;
        } else {
            call.refused_saying(480, "X-Refusal", "check=capacity;").passes(&edge).await;
        }
    }
}
