//! Every attempt leaves a trace: the same sentence in the log, in the recent attempts, in the record, in the answer to
//! a caller that a trunk names, and in `explain`.

use serde_json::{Value, json};

use super::digest::Answer;
use super::edge::{
    ANSWERS_AT_ONCE, DEADLINE, Edge, FOREIGN_NUMBER, RINGS_THEN_ANSWERS, Trunk, credentials, until,
};
use super::message::Message;
use super::uac::{Call, Uac, unique};

/// The entries of recent attempts for a query, newest first.
async fn attempts(edge: &Edge, query: &str) -> Vec<Value> {
    let answer = edge.control.get(&format!("/attempts?{query}")).await;
    answer.at("/attempts").as_array().unwrap_or_else(|| panic!("{}", answer.text)).clone()
}

/// Waits for the only entry with this outcome for a query.
async fn attempt(edge: &Edge, query: &str, outcome: &str) -> Value {
    until(&format!("an attempt {outcome} of {query}"), async || {
        let mut found = attempts(edge, &format!("{query}&outcome={outcome}")).await;
        assert!(found.len() < 2, "{found:?}");
        found.pop()
    })
    .await
}

/// The sentence in a response's `X-Refusal`.
fn sentence_of(answer: &Message) -> String {
    let header = answer.header("X-Refusal").unwrap_or_else(|| panic!("{answer:?}"));
    let (_, why) = header.split_once(";why=\"").unwrap_or_else(|| panic!("{header}"));
    why.strip_suffix('"').unwrap().to_owned()
}

/// A check, the attributes of a trunk whose call it refuses, and how the call must differ from the default.
type Refused = (&'static str, Value, fn(&mut Call));

fn refusals() -> Vec<Refused> {
    fn nothing(_: &mut Call) {}
    fn no_contact(call: &mut Call) {
        call.contact.clear();
    }
    fn no_number(call: &mut Call) {
        "02079460018".clone_into(&mut call.to);
    }
    fn emergency(call: &mut Call) {
        "911".clone_into(&mut call.to);
    }
    fn unpriced(call: &mut Call) {
        "37061498222".clone_into(&mut call.to);
    }
    fn only_opus(call: &mut Call) {
        let offer = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
                     m=audio 40000 RTP/AVP 119\r\na=rtpmap:119 \"x\u{7}\\y/16000\r\n";
        offer.clone_into(&mut call.offer);
    }
    vec![
        ("request", json!({}), no_contact),
        ("status", json!({ "status": "blocked" }), nothing),
        ("number", json!({}), no_number),
        ("emergency", json!({}), emergency),
        ("destination", json!({ "default_dst_action": "reject_all" }), nothing),
        ("cli", json!({ "on_cli_mismatch_action": "reject_call" }), nothing),
        ("route", json!({}), unpriced),
        ("media", json!({}), only_opus),
        ("capacity", json!({ "capacity_limit": 0 }), nothing),
    ]
}

#[tokio::test]
async fn each_refusal_of_a_check_has_the_same_sentence_in_log_ring_record_and_answer() {
    let rates =
        "[[sip.rates]]\nprefix = \"44\"\nper_minute = \"0.01\"\ninitial_interval = 1\nnext_interval = 1\n";
    let edge = Edge::with_config(rates).await;
    for (check, attributes, change) in refusals() {
        let trunk = edge.trunk(attributes).await;
        let mut call = Call::new(&edge, RINGS_THEN_ANSWERS).await;
        change(&mut call);
        let answer = call.place(&trunk).await;
        assert!(answer.code() >= 400, "{check}: {answer:?}");
        the_same_everywhere(&edge, &trunk, &call, check, &answer).await;
    }
}

/// Checks the sentence of a refused call whose trunk is known.
async fn the_same_everywhere(edge: &Edge, trunk: &Trunk, call: &Call, check: &str, answer: &Message) {
    let entry = attempt(edge, &format!("call_id={}", call.id), "refused").await;
    let why = entry["explanation"].as_str().unwrap();
    assert!(!why.is_empty() && why.is_ascii(), "{entry}");
    assert_eq!((&entry["check"], &entry["code"]), (&json!(check), &json!(answer.code())), "{entry}");
    assert_eq!(entry["source"], call.uac.local.to_string(), "{entry}");
    assert_eq!((&entry["trunk_id"], &entry["transport"]), (&json!(trunk.id), &json!("udp")), "{entry}");
    assert!(entry["account"].is_string(), "{entry}");
    assert_eq!(sentence_of(answer), why);
    let record = edge.record(trunk, 1).await;
    assert_eq!((&record["explanation"], &record["check"]), (&json!(why), &json!(check)), "{record}");
    assert_eq!(record["disconnect_cause"], entry["cause"]);
    let line = edge.logs(&["refused", &call.id, &format!("check={check}"), &format!("why=\"{why}\"")]).await;
    assert!(line.contains(" INFO "), "{line}");
    for filter in [
        format!("trunk={}", trunk.id),
        format!("check={check}&call_id={}", call.id),
        format!("cause={}&source={}&call_id={}", entry["cause"], call.uac.local.ip(), call.id),
        format!(
            "account={}&call_id={}&since={}",
            entry["account"].as_str().unwrap(),
            call.id,
            "2020-01-01T00:00:00Z"
        ),
    ] {
        let found = attempts(edge, &format!("{filter}&outcome=refused")).await;
        assert_eq!(found, std::slice::from_ref(&entry), "{filter}");
    }
    for filter in [
        format!("call_id={}", call.id),
        format!("source={}&trunk={}", call.uac.local.ip(), trunk.id),
        format!("check={check}&trunk={}", trunk.id),
    ] {
        let listed = edge.control.get(&format!("/calls?{filter}")).await;
        assert_eq!(listed.at("/calls/0/id"), record["id"], "{filter}: {}", listed.text);
        assert_eq!(listed.at("/calls").as_array().unwrap().len(), 1, "{filter}: {}", listed.text);
    }
    assert!(attempts(edge, &format!("call_id={}&until=2020-01-01T00:00:00Z", call.id)).await.is_empty());
}

#[tokio::test]
async fn since_and_until_leave_out_what_is_before_and_after_them() {
    let edge = Edge::start().await;
    edge.freeze().await;
    let trunk = edge.trunk(json!({ "status": "blocked" })).await;
    let query = format!("trunk={}&outcome=refused", trunk.id);
    let mut entries = Vec::new();
    for _ in 0..3 {
        let mut call = Call::new(&edge, RINGS_THEN_ANSWERS).await;
        assert_eq!(call.place(&trunk).await.code(), 403);
        entries.push(attempt(&edge, &format!("call_id={}", call.id), "refused").await);
        edge.advance(10).await;
    }
    let [first, second, third] = entries.as_slice() else { panic!("{entries:?}") };
    let at = |entry: &Value| entry["time"].as_str().unwrap().to_owned();
    assert!(at(first) < at(second) && at(second) < at(third), "{entries:?}");
    // `since` includes events at its time, and `until` excludes them.
    for (bounds, selected) in [
        (format!("since={}", at(second)), vec![third, second]),
        (format!("until={}", at(second)), vec![first]),
        (format!("since={}&until={}", at(second), at(third)), vec![second]),
        (format!("since={}&until={}", at(first), at(third)), vec![second, first]),
    ] {
        let found = attempts(&edge, &format!("{query}&{bounds}")).await;
        assert_eq!(found.iter().collect::<Vec<_>>(), selected, "{bounds}");
    }
}

#[tokio::test]
async fn a_refusal_and_its_explanation_before_the_call_have_the_same_sentence() {
    let edge = Edge::start().await;
    for (check, attributes) in [
        ("status", json!({ "status": "blocked" })),
        ("destination", json!({ "default_dst_action": "reject_all" })),
        ("cli", json!({ "on_cli_mismatch_action": "reject_call" })),
        ("media", json!({ "media_encryption_mode": "srtp_sdes" })),
        ("capacity", json!({ "capacity_limit": 0 })),
    ] {
        let trunk = edge.trunk(attributes).await;
        let mut call = Call::new(&edge, RINGS_THEN_ANSWERS).await;
        let question = json!({
            "source": call.uac.local.ip(), "to": RINGS_THEN_ANSWERS, "from": FOREIGN_NUMBER, "username": trunk.username,
        });
        let explained = edge.explain(&question).await;
        let answer = call.place(&trunk).await;
        assert_eq!(
            (&explained["check"], &explained["explanation"]),
            (&json!(check), &json!(sentence_of(&answer)))
        );
    }
}

#[tokio::test]
async fn a_right_digest_from_an_address_that_only_another_trunk_allows_leaves_a_record_for_its_owner() {
    let edge = Edge::start().await;
    let _other = edge.trunk(json!({})).await;
    let narrow = json!({ "authentication_method": credentials(&["127.255.255.0/24"], None) });
    let trunk = edge.trunk(narrow).await;
    let mut call = Call::new(&edge, RINGS_THEN_ANSWERS).await;
    let answer = call.place(&trunk).await;
    assert_eq!(answer.code(), 403);
    the_same_everywhere(&edge, &trunk, &call, "trunk", &answer).await;
}

#[tokio::test]
async fn an_attempt_without_an_owner_is_in_the_other_ring_with_the_sentence_of_the_log() {
    let edge = Edge::start().await;
    let prefixed = json!({ "authentication_method": credentials(&["127.0.0.0/8"], Some("7#")) });
    let trunk = edge.trunk(prefixed).await;
    let mut call = Call::new(&edge, RINGS_THEN_ANSWERS).await;
    let answer = call.attempt().await;
    let entry = attempt(&edge, &format!("call_id={}", call.id), "refused").await;
    assert_eq!((&entry["check"], &entry["trunk_id"]), (&json!("tech_prefix"), &Value::Null));
    let why = entry["explanation"].as_str().unwrap();
    assert_eq!(sentence_of(&answer), why);
    edge.logs(&["refused", &call.id, "check=tech_prefix", &format!("why=\"{why}\"")]).await;

    edge.patch(&trunk, json!({ "authentication_method": credentials(&["127.255.255.0/24"], None) })).await;
    let mut call = Call::new(&edge, RINGS_THEN_ANSWERS).await;
    let query = format!("call_id={}&check=source", call.id);
    let entry = until("a refusal of the check source", async || {
        assert_eq!(call.attempt().await.code(), 403);
        attempts(&edge, &query).await.pop()
    })
    .await;
    assert_eq!((&entry["account"], &entry["code"]), (&Value::Null, &json!(403)), "{entry}");
    let why = entry["explanation"].as_str().unwrap();
    edge.logs(&["refused: unknown address", &call.id, "nearest=", &format!("why=\"{why}\"")]).await;
}

#[tokio::test]
async fn a_repeated_challenge_states_the_flaw_of_the_digest_to_a_caller_that_a_trunk_names() {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({})).await;
    let mut call = Call::new(&edge, RINGS_THEN_ANSWERS).await;
    let first = call.attempt().await;
    assert!(first.code() == 401 && first.header("X-Refusal").is_none(), "{first:?}");
    let mut wrong = Answer::to(&first, &trunk, &call.uri());
    wrong.password = "wrong".to_owned();
    call.invite(&[format!("Authorization: {}", wrong.value())]).await;
    let second = call.answer().await;
    assert_eq!(second.code(), 401);
    let why = sentence_of(&second);
    assert!(why.contains("the password is wrong"), "{why}");
    assert!(!second.header("X-Refusal").unwrap().contains(&trunk.id), "nothing proves the trunk");
    let entries = attempts(&edge, &format!("call_id={}&outcome=challenged", call.id)).await;
    assert_eq!(entries.len(), 2);
    assert_eq!((&entries[0]["explanation"], &entries[0]["trunk_id"]), (&json!(why), &json!(trunk.id)));
    edge.logs(&["challenged again", &call.id, &format!("why=\"{why}\"")]).await;
}

#[tokio::test]
async fn a_challenge_that_is_never_answered_is_reported_once() {
    let edge = Edge::start().await;
    edge.freeze().await;
    let trunk = edge.trunk(json!({})).await;
    let mut silent = Call::new(&edge, ANSWERS_AT_ONCE).await;
    assert_eq!(silent.attempt().await.code(), 401);
    let mut answering = Call::up(&edge, &trunk, ANSWERS_AT_ONCE).await;
    assert!(attempts(&edge, "outcome=challenge_unanswered").await.is_empty());
    edge.advance(5).await;
    let entry = attempt(&edge, &format!("call_id={}", silent.id), "challenge_unanswered").await;
    let why = entry["explanation"].as_str().unwrap();
    let line = edge.logs(&["challenge not answered", &silent.id, &format!("why=\"{why}\"")]).await;
    assert!(line.contains(" INFO "), "{line}");
    // A call without RTP does not live as long as the challenge is waited for.
    answering.hang_up().await;
    edge.advance(60).await;
    let all = attempts(&edge, "outcome=challenge_unanswered").await;
    assert_eq!(all, [entry], "neither twice, nor for a call that was repeated with a digest");
}

#[tokio::test]
async fn an_admission_and_an_end_are_traced_with_their_sentences() {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({})).await;
    for (to, ended, code) in
        [(ANSWERS_AT_ONCE, "the caller hung up", 200), ("9990486", "the callee answered 486 Busy Here", 486)]
    {
        let mut call = Call::new(&edge, to).await;
        let question = json!({
            "source": call.uac.local.ip(), "to": to, "from": FOREIGN_NUMBER, "username": trunk.username,
        });
        let explained = edge.explain(&question).await;
        if call.place(&trunk).await.code() == 200 {
            call.hang_up().await;
        }
        let query = format!("call_id={}", call.id);
        let admitted = attempt(&edge, &query, "admitted").await;
        assert_eq!(admitted["explanation"], explained["explanation"], "{explained}");
        let far_end = explained["far_end"].as_str().unwrap();
        assert!(admitted["explanation"].as_str().unwrap().ends_with(far_end), "{explained}");
        let line = edge.logs(&[" admitted ", &call.id, far_end]).await;
        assert!(line.contains(" INFO "), "{line}");
        let entry = attempt(&edge, &query, "ended").await;
        assert_eq!((&entry["explanation"], &entry["code"]), (&json!(ended), &json!(code)), "{entry}");
        edge.logs(&[" ended ", &call.id, &format!("why=\"{ended}\"")]).await;
        let record = until("the record", async || {
            let listed = edge.control.get(&format!("/calls?{query}")).await;
            Some(listed.at("/calls/0")).filter(Value::is_object)
        });
        let record = record.await;
        assert_eq!(record["explanation"], ended, "{record}");
    }
}

#[tokio::test]
async fn unreadable_and_oversized_messages_are_traced_and_summed_when_there_are_many() {
    let edge = Edge::start().await;
    let _trunk = edge.trunk(json!({})).await;
    let mut garbler = Uac::udp(&edge).await;
    let call_id = unique();
    for _ in 0..30 {
        garbler.send(format!("INVITE sip:1@x SIP/2.0\r\nCall-ID: {call_id}\r\nVia: nonsense\r\n\r\n")).await;
    }
    let entry = until("an unreadable message", async || {
        attempts(&edge, &format!("call_id={call_id}&outcome=unreadable")).await.pop()
    })
    .await;
    assert_eq!(
        (&entry["source"], &entry["code"]),
        (&json!(garbler.local.to_string()), &json!(400)),
        "{entry}"
    );
    let why = format!("why=\"{}\"", entry["explanation"].as_str().unwrap());
    let words = ["an unreadable message was received", &call_id, &why];
    edge.logs(&words).await;

    let mut large = Uac::tcp(&edge).await;
    let call_id = unique();
    large
        .send(format!("INVITE sip:1@x SIP/2.0\r\nCall-ID: {call_id}\r\nContent-Length: 999999\r\n\r\n"))
        .await;
    let entry = attempt(&edge, &format!("call_id={call_id}"), "oversized").await;
    assert!(entry["explanation"].as_str().unwrap().contains("65535 bytes"), "{entry}");
    edge.logs(&["an oversized message was received", &call_id]).await;
    let log = edge.binary.log();
    let lines = log.lines().filter(|line| words.iter().all(|word| line.contains(word))).count();
    assert!(lines <= 3, "{lines} lines about one source");
}

#[tokio::test]
async fn no_peer_can_forge_a_line_of_the_log_or_an_entry() {
    cannot_forge(&Edge::start().await, |line| {
        assert!(!line.chars().any(char::is_control), "{line:?}");
        assert!(!line.starts_with("2026-01-01T00:00:00Z"), "{line:?}");
    })
    .await;
}

#[tokio::test]
async fn no_peer_can_forge_a_line_of_a_log_in_json() {
    let edge = Edge::with_arguments(&["--log-format", "json"]).await;
    cannot_forge(&edge, |line| {
        assert!(!line.chars().any(|character| character.is_ascii_control()), "{line:?}");
        let read: Value = serde_json::from_str(line).unwrap_or_else(|why| panic!("{why}: {line:?}"));
        assert!(read.is_object() && read["timestamp"] != "2026-01-01T00:00:00Z", "{line:?}");
    })
    .await;
    assert!(edge.binary.log().contains("forged"), "what is forged is in the log, as a value");
}

/// Sends texts that would be lines of the log if they were written as they are, and checks each line of it.
async fn cannot_forge(edge: &Edge, is_own: impl Fn(&str)) {
    let trunk = edge
        .trunk(json!({
            "name": "Trunk\u{2028}2026-01-01T00:00:00Z  INFO forged: by the name\u{202e}[2J",
            "on_cli_mismatch_action": "reject_call",
        }))
        .await;
    let mut call = Call::new(edge, RINGS_THEN_ANSWERS).await;
    call.id = format!("{}\u{1b}[31mINFO forged: by the call\u{85}", unique());
    call.from = String::from("<sip:\u{7}\u{1b}]0;forged%0d%0aINFO@x>");
    call.invite(&[]).await;
    let mut named = Call::new(edge, RINGS_THEN_ANSWERS).await;
    named.from = String::from("<sip:\u{1b}]0;forged%0d%0aINFO@x>");
    assert_eq!(named.place(&trunk).await.code(), 403);
    let mut stranger = Uac::udp(edge).await;
    stranger.send("INVITE \u{1b}[31mforged SIP/2.0\r\nCall-ID: a\u{1b}[31mforged\rb\r\n\r\n").await;
    until("both are traced", async || (attempts(edge, "limit=10").await.len() >= 4).then_some(())).await;
    edge.binary.log().lines().for_each(is_own);
    for entry in attempts(edge, "limit=100").await {
        assert!(!entry["call_id"].as_str().unwrap().chars().any(char::is_control), "{entry}");
    }
}

#[tokio::test]
async fn a_stream_of_attempts_has_what_its_filter_selects() {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({ "status": "blocked" })).await;
    let other = edge.trunk(json!({ "status": "blocked" })).await;
    let path = format!("/attempts/stream?trunk={}&outcome=refused", trunk.id);
    let mut stream = edge.control.request(http::Method::GET, &path).send().await.unwrap();
    assert_eq!(stream.headers()["Content-Type"], "application/x-ndjson");
    let mut calls = Vec::new();
    for trunk in [&other, &trunk, &other, &trunk] {
        let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
        assert_eq!(call.place(trunk).await.code(), 403);
        calls.push(call.id);
    }
    let mut text = String::new();
    while text.matches('\n').count() < 2 {
        let chunk = tokio::time::timeout(DEADLINE, stream.chunk()).await.expect("an entry comes");
        text.push_str(std::str::from_utf8(&chunk.unwrap().expect("the stream goes on")).unwrap());
    }
    let ids: Vec<String> = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["call_id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(ids, [calls[1].clone(), calls[3].clone()]);
}

#[tokio::test]
async fn a_wrong_filter_is_named_and_an_unknown_check_is_answered_with_the_known_ones() {
    let edge = Edge::start().await;
    for (query, named) in [
        ("check=nonsense", "destination"),
        ("source=x", "IP address"),
        ("colour=red", "colour"),
        ("outcome=x", "refused"),
    ] {
        for path in ["/attempts", "/attempts/stream"] {
            let answer = edge.control.get(&format!("{path}?{query}")).await;
            assert_eq!(answer.status, 422, "{path} {query}: {}", answer.text);
            assert!(answer.text.contains(named), "{path} {query}: {}", answer.text);
        }
    }
    let answer = edge.control.get("/calls?check=nonsense").await;
    assert_eq!(answer.status, 422, "{}", answer.text);
}
