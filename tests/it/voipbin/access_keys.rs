//! Access keys that a customer's admin makes: they work at once, and end at once.

use std::time::Duration;

use serde_json::{Value, json};
use uuid::Uuid;

use super::caller::Caller;
use super::refusal::*;
use super::stage::*;

const PATH: &str = "/accesskeys";
const DAY: u64 = 86_400;

/// A server with a customer, and its admin.
async fn ready() -> (Stage, Uuid, Caller) {
    let stage = Stage::start().await;
    let customer = stage.customer("c").await;
    let caller = stage.agent(customer, ADMIN).await;
    (stage, customer, caller)
}

/// A new key: its record with the key itself, and its path.
async fn made(caller: &Caller) -> (Value, String) {
    let record = caller.post(PATH, &json!({ "name": "k", "detail": "d", "expire": DAY })).await.ok();
    let path = format!("{PATH}/{}", record["id"].as_str().unwrap());
    (record, path)
}

fn token(record: &Value) -> &str {
    record["token"].as_str().unwrap()
}

#[tokio::test]
async fn case_127_a_new_key_is_shown_once() {
    let (stage, customer, caller) = ready().await;
    stage.control().clock().freeze(Some("2026-04-21T23:15:00Z".parse().unwrap()));
    let answer = caller.post(PATH, &json!({ "name": "k", "expire": DAY })).await;
    let record = answer.ok();
    let members = [
        "id",
        "customer_id",
        "name",
        "token",
        "token_prefix",
        "tm_expire",
        "tm_create",
        "tm_update",
        "tm_delete",
    ];
    let at = members.map(|member| answer.text.find(&format!("\"{member}\":")).expect(member));
    assert!(at.is_sorted() && record.as_object().unwrap().len() == members.len(), "{}", answer.text);
    assert_eq!((&record["customer_id"], &record["name"]), (&json!(customer), &json!("k")));
    let rest = token(&record).strip_prefix("vb_").unwrap();
    assert!(
        rest.len() == 32 && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    );
    assert_eq!(record["token_prefix"], token(&record)[..11]);
    assert_eq!((&record["tm_update"], &record["tm_delete"]), (&Value::Null, &Value::Null));
    assert_eq!(instant(&record["tm_expire"])[..19], *"2026-04-22T23:15:00");
    // It works at once, as an admin of the customer, and ends when it expires.
    let key = stage.anonymous().key(token(&record));
    key.get("/outbound_config").await.ok();
    key.get("/providers").await.refused(&permission_denied());
    stage.control().clock().advance(Duration::from_secs(DAY + 1));
    key.get("/outbound_config").await.refused(&invalid_credentials());
    assert_eq!(caller.get(PATH).await.column("name"), ["k"], "an expired key is listed");
}

#[tokio::test]
async fn case_128_a_key_is_not_shown_again() {
    let (stage, customer, caller) = ready().await;
    let (record, path) = made(&caller).await;
    let mut expected = record.clone();
    expected.as_object_mut().unwrap().remove("token");
    assert_eq!(caller.get(&path).await.ok(), expected);
    assert_eq!(caller.get(PATH).await.rows(), [expected]);
    let control = json!(stage.control().access_keys(customer).await.unwrap());
    assert!(!control.to_string().contains(token(&record)), "{control}");
}

#[tokio::test]
async fn case_129_a_key_lives_for_a_day_at_least() {
    let (_stage, _, caller) = ready().await;
    for body in [json!({}), json!({ "expire": DAY - 1 }), json!({ "expire": -1 }), json!({ "expire": null })]
    {
        caller.post(PATH, &body).await.refused(&invalid_request());
    }
    let endless = caller.post(PATH, &json!({ "expire": i64::MAX })).await.ok();
    assert_eq!(endless["tm_expire"].as_str().unwrap()[..4], *"9999");
}

#[tokio::test]
async fn case_130_the_life_of_a_key_is_a_number() {
    let (_stage, _, caller) = ready().await;
    for body in [r#"{"expire":"86400"}"#, "", "[]", r#"{"expire":86400,"name":1}"#] {
        caller.send("POST", PATH, body).await.refused(&invalid_body());
    }
    assert!(caller.get(PATH).await.rows().is_empty());
}

#[tokio::test]
async fn case_131_keys_are_for_the_admin() {
    let (stage, customer, caller) = ready().await;
    let (_, path) = made(&caller).await;
    for permission in [MANAGER, AGENT] {
        let agent = stage.agent(customer, permission).await;
        let body = json!({ "expire": DAY }).to_string();
        for (method, path, body) in [
            ("GET", PATH, ""),
            ("POST", PATH, body.as_str()),
            ("GET", &path, ""),
            ("PUT", &path, "{}"),
            ("DELETE", &path, ""),
        ] {
            agent.send(method, path, body).await.refused(&permission_denied());
        }
    }
}

#[tokio::test]
async fn case_132_a_key_is_unknown_or_its_id_is_none() {
    let (_stage, _, caller) = ready().await;
    for (method, body) in [("GET", ""), ("PUT", "{}"), ("DELETE", "")] {
        caller.send(method, &format!("{PATH}/{UNKNOWN}"), body).await.refused(&no_access_key());
        caller.send(method, &format!("{PATH}/xyz"), body).await.refused(&invalid_id());
    }
}

#[tokio::test]
async fn case_133_anothers_key_does_not_exist() {
    let (stage, _, caller) = ready().await;
    let (theirs, path) = made(&stage.agent(stage.customer("other").await, ADMIN).await).await;
    for caller in [&caller, &stage.sa] {
        for (method, body) in [("GET", ""), ("PUT", "{}"), ("DELETE", "")] {
            caller.send(method, &path, body).await.refused(&not_found());
        }
    }
    stage.anonymous().key(token(&theirs)).get("/outbound_config").await.ok();
}

#[tokio::test]
async fn case_134_an_update_replaces_name_and_note_and_the_key_works_on() {
    let (stage, _, caller) = ready().await;
    let (record, path) = made(&caller).await;
    let changed = caller.put(&path, &json!({ "name": "n", "expire": 1 })).await.ok();
    assert_eq!((&changed["name"], changed.get("detail"), changed.get("token")), (&json!("n"), None, None));
    instant(&changed["tm_update"]);
    assert_eq!(
        (&changed["tm_expire"], &changed["token_prefix"]),
        (&record["tm_expire"], &record["token_prefix"])
    );
    stage.anonymous().key(token(&record)).get("/outbound_config").await.ok();
}

#[tokio::test]
async fn case_135_a_deleted_key_ends_at_once() {
    let (stage, _, caller) = ready().await;
    let (record, path) = made(&caller).await;
    let key = stage.anonymous().key(token(&record));
    key.get("/outbound_config").await.ok();
    let deleted = caller.delete(&path).await.ok();
    instant(&deleted["tm_delete"]);
    assert_eq!((&deleted["tm_delete"], deleted.get("token")), (&deleted["tm_update"], None));
    key.get("/outbound_config").await.refused(&invalid_credentials());
    caller.get(&path).await.refused(&wrong_state());
    caller.put(&path, &json!({})).await.refused(&wrong_state());
    caller.delete(&path).await.refused(&wrong_state());
    assert!(caller.get(PATH).await.rows().is_empty());
}

#[tokio::test]
async fn case_136_a_key_is_taken_from_the_cookie_and_the_query_and_from_no_other_place() {
    let (stage, _, caller) = ready().await;
    let (record, _) = made(&caller).await;
    let key = token(&record);
    stage.anonymous().header(format!("Cookie: accesskey={key}")).get(PATH).await.ok();
    stage.anonymous().key(key).get(PATH).await.ok();
    let bearer = stage.anonymous().header(format!("Authorization: Bearer {key}"));
    bearer.get(PATH).await.refused(&invalid_credentials());
}

#[tokio::test]
async fn case_137_the_key_in_the_cookie_counts() {
    let (stage, _, caller) = ready().await;
    let (record, _) = made(&caller).await;
    let (good, bad) = (token(&record), "vb_bad");
    stage.anonymous().header(format!("Cookie: accesskey={good}")).key(bad).get(PATH).await.ok();
    let other = stage.anonymous().header(format!("Cookie: accesskey={bad}")).key(good);
    other.get(PATH).await.refused(&invalid_credentials());
}

#[tokio::test]
async fn case_138_a_key_can_end_itself() {
    let (stage, _, caller) = ready().await;
    let (record, path) = made(&caller).await;
    let key = stage.anonymous().key(token(&record));
    key.delete(&path).await.ok();
    key.get(PATH).await.refused(&invalid_credentials());
}

#[tokio::test]
async fn a_super_admins_key_makes_no_super_admin() {
    let (stage, ..) = ready().await;
    let (record, _) = made(&stage.key(stage.admin, Some(SUPER_ADMIN | ADMIN)).await).await;
    stage.anonymous().key(token(&record)).get("/providers").await.refused(&permission_denied());
}

#[tokio::test]
async fn a_customer_has_a_thousand_keys_and_not_one_more() {
    let (stage, _, caller) = ready().await;
    let mut path = String::new();
    for _ in 0..1_000 {
        path = made(&caller).await.1;
    }
    let body = json!({ "expire": DAY });
    let answer = caller.post(PATH, &body).await;
    answer.refused_somehow("RESOURCE_EXHAUSTED", "RESOURCE_LIMIT_EXCEEDED");
    // Another customer has its own, and a deleted one makes room.
    stage.sa.post(PATH, &body).await.ok();
    caller.delete(&path).await.ok();
    caller.post(PATH, &body).await.ok();
}
