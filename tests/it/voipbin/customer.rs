//! The caller's own customer: its descriptive members, its webhook, and the webhook's secret.

use serde_json::{Value, json};
use uuid::Uuid;

use super::caller::Caller;
use super::refusal::*;
use super::stage::*;
use super::webhooks::hmac;
use crate::support::receiver::{Answer, Receiver};

const PATH: &str = "/customer";

async fn ready() -> (Stage, Uuid, Caller) {
    let stage = Stage::start().await;
    let customer = stage.customer("Acme").await;
    let caller = stage.key(customer, None).await;
    (stage, customer, caller)
}

#[tokio::test]
async fn case_115_the_customer_is_shown_with_the_secret_of_its_webhooks() {
    let (stage, customer, caller) = ready().await;
    let answer = caller.get(PATH).await;
    let shown = answer.ok();
    assert_eq!(
        (&shown["id"], &shown["name"], shown.get("customer_id")),
        (&json!(customer), &json!("Acme"), None)
    );
    let members = [
        "id",
        "name",
        "webhook_method",
        "billing_account_id",
        "metadata",
        "email_verified",
        "status",
        "identity_verification_status",
        "tm_deletion_scheduled",
        "tm_create",
        "tm_update",
        "tm_delete",
        "webhook_secret",
    ];
    let at = members.map(|member| answer.text.find(&format!("\"{member}\":")).expect(member));
    assert!(at.is_sorted() && shown.as_object().unwrap().len() == members.len(), "{}", answer.text);
    assert_eq!(
        (&shown["status"], &shown["identity_verification_status"]),
        (&json!("active"), &json!("verified"))
    );
    let secret = shown["webhook_secret"].as_str().unwrap();
    assert!(
        secret.len() == 32
            && secret.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    );
    assert_eq!(stage.agent(customer, MANAGER).await.get(PATH).await.text, answer.text);
    stage.agent(customer, AGENT).await.get(PATH).await.refused(&permission_denied());
    // Each customer has another one.
    assert_ne!(stage.sa.get(PATH).await.at("/webhook_secret"), shown["webhook_secret"]);
}

#[tokio::test]
async fn case_116_an_admin_changes_the_customer() {
    let (stage, customer, caller) = ready().await;
    let body = json!({
        "name": "n", "detail": "d", "email": "a@example.com", "phone_number": "+1", "address": "a",
        "webhook_method": "PUT", "webhook_uri": "https://hooks.example.com/h",
    });
    let shown = caller.put(PATH, &body).await.ok();
    for (member, value) in body.as_object().unwrap() {
        assert_eq!(shown[member], *value, "{member}");
    }
    assert_eq!(shown.get("webhook_secret"), None);
    instant(&shown["tm_update"]);
    stage.agent(customer, MANAGER).await.put(PATH, &body).await.refused(&permission_denied());
    // The control API shows the same.
    let kept = json!(stage.control().customer(customer).unwrap());
    assert_eq!((&kept["name"], &kept["webhook_uri"]), (&json!("n"), &body["webhook_uri"]));
}

#[tokio::test]
async fn case_117_what_an_update_leaves_out_becomes_empty() {
    let (_stage, _, caller) = ready().await;
    let shown = caller.put(PATH, &json!({ "webhook_uri": "https://x.example/h" })).await.ok();
    assert_eq!(shown["webhook_uri"], "https://x.example/h");
    for member in ["name", "detail", "email", "phone_number", "address", "webhook_method"] {
        assert_eq!(shown.get(member), None, "{member}");
    }
}

#[tokio::test]
async fn case_118_the_texts_of_a_customer_are_not_validated() {
    let (_stage, _, caller) = ready().await;
    let body = json!({ "webhook_method": "FOO", "email": "nope" });
    let shown = caller.put(PATH, &body).await.ok();
    assert_eq!((&shown["webhook_method"], &shown["email"]), (&json!("FOO"), &json!("nope")));
    // They have lengths.
    let long = json!({ "name": "x".repeat(256) });
    caller.put(PATH, &long).await.refused_because("name has more than 255 characters");
}

#[tokio::test]
async fn case_119_a_customers_body_has_its_shape() {
    let (_stage, _, caller) = ready().await;
    for body in ["", "[]", r#"{"name":5}"#] {
        caller.send("PUT", PATH, body).await.refused(&invalid_body());
    }
}

#[tokio::test]
async fn case_120_nobody_sets_the_secret() {
    let (_stage, _, caller) = ready().await;
    let before = caller.get(PATH).await.at("/webhook_secret");
    assert!(before.is_string());
    caller.put(PATH, &json!({ "webhook_secret": "x", "webhook_uri": "https://x.example/h" })).await.ok();
    assert_eq!(caller.get(PATH).await.at("/webhook_secret"), before);
}

#[tokio::test]
async fn case_121_a_webhook_is_signed_with_the_secret_that_the_customer_reads() {
    let (stage, customer, caller) = ready().await;
    let mut receiver = Receiver::start(Answer::Status(200)).await;
    let secret = caller.get(PATH).await.at("/webhook_secret");
    caller.put(PATH, &json!({ "webhook_uri": receiver.url("/h") })).await.ok();
    let number = format!("/numbers/{}", stage.number(customer, US).await);
    let changed = caller.put(&format!("{number}/metadata"), &json!({ "rtp_debug": true })).await;
    let callback = receiver.next().await;
    assert!(callback.head.starts_with("POST /h HTTP/1.1\r\n"), "{}", callback.head);
    assert_eq!(callback.body, format!(r#"{{"type":"number_updated","data":{}}}"#, changed.text));
    let signature = format!("sha256={}", hmac(secret.as_str().unwrap(), &callback.body));
    assert_eq!(callback.header("x-voipbin-signature"), Some(signature));
    // Without an address no event is sent, and to a new one they are at once.
    let mut other = Receiver::start(Answer::Status(200)).await;
    caller.put(PATH, &json!({})).await.ok();
    caller.put(&format!("{number}/metadata"), &json!({})).await.ok();
    caller.put(PATH, &json!({ "webhook_uri": other.url("/o"), "webhook_method": "PUT" })).await.ok();
    let changed = caller.put(&number, &json!({ "name": "n" })).await;
    let callback = other.next().await;
    assert!(callback.head.starts_with("PUT /o HTTP/1.1\r\n"), "{}", callback.head);
    assert_eq!(callback.body, format!(r#"{{"type":"number_updated","data":{}}}"#, changed.text));
    assert_eq!(receiver.untaken(), 0);
}

#[tokio::test]
async fn case_126_the_media_of_new_calls_is_recorded_when_the_customer_asks_for_it() {
    let (stage, _, caller) = ready().await;
    let path = "/customer/metadata";
    let shown = caller.put(path, &json!({ "rtp_debug": true })).await.ok();
    assert_eq!(shown["metadata"], json!({ "rtp_debug": true }));
    let peer = super::carrier::Carrier::start().await;
    let body = json!({ "source": tel(US), "destinations": [sip("bob", peer.at)] });
    let placed = caller.post("/calls", &body).await.ok();
    assert_eq!(placed["calls"][0]["metadata"]["rtp_debug"], true);
    assert_eq!(caller.put(path, &json!({})).await.ok()["metadata"], json!({ "rtp_debug": false }));
    let placed = caller.post("/calls", &body).await.ok();
    assert_eq!(placed["calls"][0].pointer("/metadata/rtp_debug"), None::<&Value>);
    drop((stage, peer));
}
