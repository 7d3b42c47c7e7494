//! Webhooks: the events of a call that its customer receives, and their signatures.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use trunk_server::control::customers::NewCustomer;
use uuid::Uuid;

use super::caller::Caller;
use super::carrier::Carrier;
use super::stage::*;
use crate::support::receiver::{Answer, Callback, Receiver};

const SECRET: &str = "whsec-7c0e";

/// HMAC-SHA256 in hexadecimal, computed here independently of the server's code.
pub fn hmac(secret: &str, body: &str) -> String {
    let mut key = secret.as_bytes().to_vec();
    key.resize(64, 0);
    let pad = |with: u8| key.iter().map(|byte| byte ^ with).collect::<Vec<u8>>();
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(body).finalize();
    let outer = Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize();
    outer
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|half| char::from(b"0123456789abcdef"[usize::from(half)]))
        .collect()
}

/// The event of a webhook: its name and its data.
fn event(callback: &Callback) -> (String, Value) {
    let body: Value = serde_json::from_str(&callback.body).unwrap();
    assert_eq!(callback.header("content-type").as_deref(), Some("application/json"));
    (body["type"].as_str().unwrap().to_owned(), body["data"].clone())
}

/// All events up to the first one with this name.
async fn until_event(receiver: &mut Receiver, last: &str) -> Vec<(String, Value)> {
    let mut events = Vec::new();
    loop {
        let (name, data) = event(&receiver.next().await);
        let over = name == last;
        events.push((name, data));
        if over {
            return events;
        }
    }
}

fn names(events: &[(String, Value)]) -> Vec<&str> {
    events.iter().map(|(name, _)| name.as_str()).collect()
}

/// A receiver, a server, a carrier with a route of all customers, and an admin of a customer with webhooks.
struct Notified {
    receiver: Receiver,
    carrier: Carrier,
    stage: Stage,
    caller: Caller,
    customer: Uuid,
}

impl Notified {
    async fn start() -> Self {
        let receiver = Receiver::start(Answer::Status(200)).await;
        let carrier = Carrier::start().await;
        let hosts = [("p1.example.com", carrier.at), ("p2.example.com", carrier.at)];
        let stage = Stage::hosting(&hosts).await;
        let new = NewCustomer::named("told").webhook(receiver.url("/hooks"), Some(SECRET.to_owned().into()));
        let customer = stage.control().create_customer(new).await.unwrap().id;
        let caller = stage.agent(customer, ADMIN).await;
        allow(&caller).await;
        stage.number(customer, US_TOO).await;
        for (host, target) in [("p1.example.com", "+1"), ("p2.example.com", "all")] {
            let provider = stage.provider(host).await;
            stage.route(BASIC, target, &provider, 0).await;
        }
        Self { receiver, carrier, stage, caller, customer }
    }

    /// Places a call with these actions.
    async fn place(&self, actions: Value) -> String {
        let body = json!({ "source": tel(US_TOO), "destinations": [tel(US)], "actions": actions });
        first_call(&self.caller.post("/calls", &body).await.ok())
    }
}

#[tokio::test]
async fn case_61_a_webhook_is_signed_and_shows_the_call_as_it_is() {
    let Notified { mut receiver, mut carrier, stage: _stage, caller, customer } = Notified::start().await;
    let body = json!({ "source": tel(US_TOO), "destinations": [tel(US)], "actions": [{ "type": "answer" }] });
    let id = first_call(&caller.post("/calls", &body).await.ok());
    carrier.call().await.refuse(486).await;
    call_ends(&caller, &id).await;
    let shown = caller.get(&format!("/calls/{id}")).await;
    loop {
        let callback = receiver.next().await;
        assert!(callback.head.starts_with("POST /hooks HTTP/1.1\r\n"), "{}", callback.head);
        let signature = format!("sha256={}", hmac(SECRET, &callback.body));
        assert_eq!(callback.header("x-voipbin-signature"), Some(signature));
        let (name, data) = event(&callback);
        assert_eq!((&data["id"], &data["customer_id"]), (&json!(id), &json!(customer)));
        if name == "call_hangup" {
            assert_eq!(callback.body, format!(r#"{{"type":"call_hangup","data":{}}}"#, shown.text));
            break;
        }
    }
}

#[tokio::test]
async fn the_events_of_an_unanswered_call_come_in_their_order() {
    let mut notified = Notified::start().await;
    let id = notified.place(json!([{ "type": "answer" }])).await;
    let mut incoming = notified.carrier.call().await;
    incoming.respond("180 Ringing").await;
    call_is(&notified.caller, &id, "ringing").await;
    incoming.refuse(480).await;
    let events = until_event(&mut notified.receiver, "call_hangup").await;
    assert_eq!(names(&events), ["call_created", "call_ringing", "call_hangup"]);
    let statuses: Vec<&Value> = events.iter().map(|(_, data)| &data["status"]).collect();
    assert_eq!(statuses, ["dialing", "ringing", "hangup"]);
    assert_eq!(events[2].1["hangup_reason"], "noanswer");
    assert_eq!(events[0].1.get("hangup_reason"), None);
}

#[tokio::test]
async fn the_events_of_an_answered_call_follow_its_actions() {
    let mut notified = Notified::start().await;
    let talk = json!({ "type": "talk", "option": { "text": "Hi", "language": "en-US" } });
    let id = notified.place(json!([{ "type": "answer" }, talk, { "type": "hangup" }])).await;
    let mut incoming = notified.carrier.call().await;
    incoming.respond("180 Ringing").await;
    call_is(&notified.caller, &id, "ringing").await;
    incoming.answer().await;
    incoming.hears("BYE").await;
    let events = until_event(&mut notified.receiver, "call_hangup").await;
    let names = names(&events);
    assert_eq!(names[..3], ["call_created", "call_ringing", "call_progressing"]);
    assert_eq!(names[names.len() - 2..], ["call_terminating", "call_hangup"]);
    let steps = &events[3..events.len() - 2];
    assert!(!steps.is_empty() && steps.iter().all(|(name, _)| name == "call_updated"), "{names:?}");
    let kinds: Vec<&Value> = steps.iter().map(|(_, data)| &data["action"]["type"]).collect();
    assert_eq!(kinds, ["answer", "talk", "hangup"]);
    assert_eq!(events.last().unwrap().1["action"]["type"], "hangup");
}

#[tokio::test]
async fn a_failover_is_an_update_of_the_same_call() {
    let mut notified = Notified::start().await;
    let id = notified.place(json!([{ "type": "answer" }])).await;
    notified.carrier.call().await.refuse(503).await;
    let mut second = notified.carrier.call().await;
    assert!(second.uri().contains("@p2."), "{}", second.uri());
    second.answer().await;
    let events = until_event(&mut notified.receiver, "call_hangup").await;
    assert_eq!(names(&events)[..3], ["call_created", "call_updated", "call_progressing"]);
    assert_eq!(events[1].1["status"], "dialing");
    assert!(events.iter().all(|(_, data)| data["id"] == json!(id)));
}

#[tokio::test]
async fn a_hangup_and_a_deletion_send_events() {
    let mut notified = Notified::start().await;
    let id = notified.place(json!([{ "type": "answer" }])).await;
    let incoming = notified.carrier.call().await;
    incoming.respond("180 Ringing").await;
    call_is(&notified.caller, &id, "ringing").await;
    notified.caller.post(&format!("/calls/{id}/hangup"), &json!({})).await.ok();
    call_ends(&notified.caller, &id).await;
    let deleted = notified.caller.delete(&format!("/calls/{id}")).await.ok();
    let events = until_event(&mut notified.receiver, "call_deleted").await;
    assert_eq!(
        names(&events),
        ["call_created", "call_ringing", "call_canceling", "call_hangup", "call_deleted"]
    );
    assert_eq!(events[4].1, deleted);
    assert_eq!(events[3].1["hangup_reason"], "cancel");
}

#[tokio::test]
async fn only_calls_send_webhooks_and_only_to_their_customer() {
    let mut notified = Notified::start().await;
    let mut others = Receiver::start(Answer::Status(200)).await;
    let other = NewCustomer::named("other").webhook(others.url("/"), Some(String::new().into()));
    let other = notified.stage.control().create_customer(other).await.unwrap().id;
    // Changes by the platform and by the customer send no event.
    notified.caller.put("/outbound_config", &json!({ "name": "n" })).await.ok();
    let provider = notified.stage.provider("h").await;
    notified.stage.sa.delete(&format!("/providers/{provider}")).await.ok();
    notified.caller.post("/calls", &json!({ "destinations": [tel("+821012345678")] })).await;
    let id = notified.place(json!([{ "type": "answer" }])).await;
    notified.carrier.call().await.refuse(404).await;
    notified.carrier.call().await.refuse(404).await;
    let events = until_event(&mut notified.receiver, "call_hangup").await;
    assert!(events.iter().all(|(_, data)| data["id"] == json!(id)));
    // The other customer's first event is of its own call, and not signed.
    let caller = notified.stage.agent(other, ADMIN).await;
    let body = json!({ "source": tel(US), "destinations": [sip("bob", notified.carrier.at)] });
    let own = first_call(&caller.post("/calls", &body).await.ok());
    let callback = others.next().await;
    assert_eq!(callback.header("x-voipbin-signature"), None);
    let (name, data) = event(&callback);
    assert_eq!((name.as_str(), &data["id"]), ("call_created", &json!(own)));
    assert_eq!(notified.receiver.untaken(), 0);
}
