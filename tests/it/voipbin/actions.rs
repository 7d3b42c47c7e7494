//! The actions of an answered call: each takes its time, by the server's clock.

use std::time::Duration;

use serde_json::{Value, json};

use super::caller::Caller;
use super::carrier::{Carrier, Incoming};
use super::stage::*;
use crate::sip::edge::until;

const FIRST: &str = "11111111-1111-4111-8111-111111111111";
const SECOND: &str = "22222222-2222-4222-8222-222222222222";

/// Starts a server with a frozen clock and a carrier, and places a call with these actions that is answered.
async fn answered(actions: Value) -> (Stage, Carrier, Incoming, String) {
    answered_for_at_most(Duration::from_hours(1), actions).await
}

/// The same with this maximum duration of calls.
async fn answered_for_at_most(longest: Duration, actions: Value) -> (Stage, Carrier, Incoming, String) {
    let mut carrier = Carrier::start().await;
    let stage = Stage::with(|config| {
        host(config, &[("carrier.example.com", carrier.at)]);
        config.voipbin.platform.longest_call = longest;
    })
    .await;
    stage.allow().await;
    stage.control().clock().freeze(None);
    let provider = stage.provider("carrier.example.com").await;
    let id = first_call(&stage.place_with(&provider, US, json!({ "actions": actions })).await);
    let mut incoming = carrier.call().await;
    incoming.answer().await;
    call_is(&stage.sa, &id, "progressing").await;
    (stage, carrier, incoming, id)
}

fn sleep(millis: u64) -> Value {
    json!({ "type": "sleep", "option": { "duration": millis } })
}

/// Waits until a call is at an action of this kind. Returns the action.
async fn at(caller: &Caller, id: &str, kind: &str) -> Value {
    until(&format!("the call's {kind}"), async || {
        Some(call(caller, id).await["action"].clone()).filter(|action| action["type"] == kind)
    })
    .await
}

#[tokio::test]
async fn an_action_that_takes_time_is_shown_until_it_is_over() {
    let actions = json!([
        { "type": "answer", "id": FIRST, "next_id": SECOND },
        { "type": "sleep", "id": SECOND, "option": { "duration": 60_000 } },
    ]);
    let (stage, _carrier, mut incoming, id) = answered(actions).await;
    let shown = at(&stage.sa, &id, "sleep").await;
    assert_eq!((&shown["id"], &shown["next_id"]), (&json!(SECOND), &json!(ZERO)));
    assert_eq!(shown["option"], json!({ "duration": 60_000 }));
    instant(&shown["tm_execute"]);
    stage.control().clock().advance(Duration::from_millis(59_999));
    assert_eq!(call(&stage.sa, &id).await["status"], "progressing");
    stage.control().clock().advance(Duration::from_millis(1));
    incoming.hears("BYE").await;
    assert_eq!(call_ends(&stage.sa, &id).await, ("normal".to_owned(), "local".to_owned()));
}

#[tokio::test]
async fn an_action_may_take_as_long_as_the_call_and_no_longer() {
    let actions = json!([{ "type": "answer" }, sleep(2 * 3_600_000), { "type": "echo", "option": { "duration": u64::MAX } }]);
    let (stage, _carrier, mut incoming, id) = answered_for_at_most(Duration::from_hours(4), actions).await;
    at(&stage.sa, &id, "sleep").await;
    stage.control().clock().advance(Duration::from_mins(119));
    assert_eq!(call(&stage.sa, &id).await["action"]["type"], "sleep");
    let due = stage.control().clock().advance(Duration::from_mins(1)).to_string();
    let begun = at(&stage.sa, &id, "echo").await["tm_execute"].clone();
    assert_eq!(instant(&begun)[..16], due[..16], "not before its time");
    stage.control().clock().advance(Duration::from_hours(2));
    incoming.hears("BYE").await;
    assert_eq!(call_ends(&stage.sa, &id).await, ("timeout".to_owned(), "remote".to_owned()));
}

#[tokio::test]
async fn echoes_and_speech_take_their_time() {
    let duration = json!({ "duration": 60_000 });
    let speech = json!({ "text": "Some words to be said.", "language": "en-US" });
    for (kind, option) in [
        ("echo", duration.clone()),
        ("stream_echo", duration),
        ("talk", speech),
        ("play", json!({ "stream_urls": ["https://example.com/a.wav"] })),
        ("beep", json!({ "detail": "none is known" })),
    ] {
        let actions = json!([{ "type": "answer" }, { "type": kind, "option": option }, sleep(3_600_000)]);
        let (stage, _carrier, _incoming, id) = answered(actions).await;
        assert_eq!(at(&stage.sa, &id, kind).await["option"], option);
        stage.control().clock().advance(Duration::from_mins(2));
        at(&stage.sa, &id, "sleep").await;
    }
}

#[tokio::test]
async fn a_goto_leads_back_as_often_as_it_says() {
    let actions = json!([
        { "type": "answer" },
        { "type": "sleep", "id": FIRST, "option": { "duration": 1000 } },
        { "type": "goto", "option": { "target_id": FIRST, "loop_count": 2 } },
        { "type": "hangup" },
    ]);
    let (stage, _carrier, mut incoming, id) = answered(actions).await;
    let mut begun = at(&stage.sa, &id, "sleep").await["tm_execute"].clone();
    for _ in 0..2 {
        stage.control().clock().advance(Duration::from_secs(1));
        begun = until("the next round", async || {
            Some(call(&stage.sa, &id).await["action"]["tm_execute"].clone()).filter(|at| *at != begun)
        })
        .await;
    }
    assert_eq!(call(&stage.sa, &id).await["status"], "progressing");
    stage.control().clock().advance(Duration::from_secs(1));
    incoming.hears("BYE").await;
    assert_eq!(call_ends(&stage.sa, &id).await.0, "normal");
}

#[tokio::test]
async fn nothing_follows_a_hangup_or_a_stop() {
    for last in ["hangup", "stop"] {
        let actions =
            json!([{ "type": "answer" }, { "type": last, "option": { "reason": "busy" } }, sleep(3_600_000)]);
        let (stage, _carrier, mut incoming, id) = answered_shortly(actions).await;
        incoming.hears("BYE").await;
        // The action's reason is ignored: the call ended normally, from this side.
        assert_eq!(call_ends(&stage.sa, &id).await, ("normal".to_owned(), "local".to_owned()), "{last}");
    }
}

/// The same as [`answered`], for a call that may end before its state can be observed.
async fn answered_shortly(actions: Value) -> (Stage, Carrier, Incoming, String) {
    let mut carrier = Carrier::start().await;
    let stage = Stage::hosting(&[("carrier.example.com", carrier.at)]).await;
    stage.allow().await;
    let provider = stage.provider("carrier.example.com").await;
    let id = first_call(&stage.place_with(&provider, US, json!({ "actions": actions })).await);
    let mut incoming = carrier.call().await;
    incoming.answer().await;
    (stage, carrier, incoming, id)
}

#[tokio::test]
async fn what_needs_another_platform_passes_at_once() {
    let kinds = ["queue_join", "ai_talk", "recording_start", "conversation_send", "variable_set", "amd"];
    let mut actions: Vec<Value> = kinds.iter().map(|kind| json!({ "type": kind })).collect();
    actions.push(sleep(3_600_000));
    let (stage, _carrier, _incoming, id) = answered(json!(actions)).await;
    at(&stage.sa, &id, "sleep").await;
    stage.sa.send("POST", &format!("/calls/{id}/hangup"), "").await.ok();
    assert_eq!(call_ends(&stage.sa, &id).await.1, "local");
}

#[tokio::test]
async fn a_flow_without_an_end_is_ended() {
    let actions = json!([
        { "type": "answer", "id": FIRST },
        { "type": "goto", "option": { "target_id": FIRST, "loop_count": 4_000_000_000_u64 } },
    ]);
    let (stage, _carrier, mut incoming, id) = answered_shortly(actions).await;
    // The call is hung up by the platform's own limit, or from here; the server still answers in both cases.
    stage.sa.get("/providers").await.ok();
    stage.sa.send("POST", &format!("/calls/{id}/hangup"), "").await.ok();
    incoming.hears("BYE").await;
    assert_eq!(call_ends(&stage.sa, &id).await, ("normal".to_owned(), "local".to_owned()));
}
