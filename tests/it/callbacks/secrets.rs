//! Callback secrets: the choice of the signing secret, and events without one.

use std::time::Duration;

use serde_json::Value;
use trunk_server::control::NewCallbackSecret;

use super::{
    Active, Answer, Api, Blocked, KEY, NEW, Receiver, SECRET, TOKENS, deliveries, frozen, set, settings,
    start, states, trunk,
};
use crate::support::engine;

#[tokio::test]
async fn without_an_enabled_secret_nothing_is_sent_and_nothing_is_sent_later() {
    let mut receiver = Receiver::start(Answer::Status(200)).await;
    let server = engine::builder().api_key(KEY).callbacks(settings()).clock(frozen()).start().await;
    let (api, control) = (Api::new(server.base_url(), KEY), server.control());
    let url = receiver.url("/");
    let id = trunk(&api, "Quiet", &url).await;
    set(&api.at(Some(NEW)), &id, "blocked").await;
    let new = NewCallbackSecret::of(SECRET).disabled();
    let secret = control.add_callback_secret(server.account(), new).await.unwrap().id;
    set(&api.at(Some(TOKENS)), &id, "active").await;
    assert_eq!(control.backlog(Some(server.account())).await.unwrap().dropped, 2);
    control.enable_callback_secret(server.account(), secret, true).await.unwrap();
    control.clock().advance(Duration::from_hours(24));
    set(&api, &id, "blocked").await;
    assert_eq!(states(&receiver.next().await.verified(&url, SECRET)), [(Blocked, false)]);
    deliveries(&control, 1).await;
    assert_eq!(receiver.untaken(), 0);
}

#[tokio::test]
async fn an_event_that_waits_is_signed_with_the_secret_of_its_next_attempt_and_dropped_without_one() {
    let mut receiver = Receiver::start(Answer::Status(500)).await;
    let (server, api) = start(settings()).await;
    let control = server.control();
    let url = receiver.url("/");
    let id = trunk(&api, "Rotated", &url).await;
    set(&api, &id, "blocked").await;
    receiver.next().await.verified(&url, SECRET);
    deliveries(&control, 1).await;
    let secret = control.callback_secrets(server.account()).await.unwrap()[0].id;
    let rotated = control.rotate_callback_secret(server.account(), secret, None).await.unwrap();
    control.clock().advance(Duration::from_mins(1));
    receiver.next().await.verified(&url, rotated.expose());
    deliveries(&control, 2).await;
    control.remove_callback_secret(server.account(), secret).await.unwrap();
    control.clock().advance(Duration::from_mins(10));
    let all = deliveries(&control, 3).await;
    let dropped = Some("the account has no enabled callback secret to sign with");
    assert_eq!((all[2].attempt, all[2].status, all[2].error.as_deref()), (3, None, dropped));
    // A secret that is made now does not bring the event back.
    control.add_callback_secret(server.account(), NewCallbackSecret::of("new")).await.unwrap();
    control.clock().advance(Duration::from_hours(200));
    receiver.answers(Answer::Status(298));
    set(&api.at(Some(TOKENS)), &id, "active").await;
    assert_eq!(states(&receiver.next().await.verified(&url, "new")), [(Active, false)]);
    let all = deliveries(&control, 4).await;
    assert_eq!((all.len(), all[3].events, all[3].status, &all[3].error), (4, 1, Some(298), &None));
}

#[tokio::test]
async fn secrets_are_managed_over_the_control_api_and_shown_once() {
    let server = engine::builder().api_key(KEY).control_listener().start().await;
    let control = format!("http://{}/control/v1", server.server().control_address().unwrap());
    let control = Api::new(control, "").with_key(None);
    let path = format!("/accounts/{}/callback_secrets", server.account());
    let post = async |path: &str, body: &str| control.send(http::Method::POST, path, body).await;
    let made = post(&path, "").await;
    assert_eq!((made.status, made.at("/secret").as_str().unwrap().len()), (201, 43), "{}", made.text);
    let second = post(&path, r#"{"secret":"mine","enabled":false}"#).await;
    assert_eq!((second.at("/secret"), second.at("/enabled")), ("mine".into(), false.into()));
    let listed = control.get(&path).await;
    assert!(!listed.text.contains("mine") && !listed.text.contains(made.at("/secret").as_str().unwrap()));
    let enabled = async || -> Vec<Value> {
        let listed = control.get(&path).await.at("/callback_secrets");
        let secrets = listed.as_array().unwrap().iter().filter(|secret| secret["enabled"] == true);
        secrets.map(|secret| secret["id"].clone()).collect()
    };
    let of = |answer: &crate::support::api::Answer| answer.at("/id");
    assert_eq!(enabled().await, vec![of(&made)]);
    let one = format!("{path}/{}", of(&second).as_str().unwrap());
    let patched = control.send(http::Method::PATCH, &one, r#"{"enabled":true}"#).await;
    assert_eq!((patched.status, patched.at("/secret")), (200, Value::Null));
    assert_eq!(enabled().await, vec![of(&second)]);
    let rotated = post(&format!("{one}/rotate"), r#"{"secret":"other"}"#).await;
    assert_eq!(
        (rotated.status, rotated.at("/secret"), rotated.at("/enabled")),
        (200, "other".into(), true.into())
    );
    for (path, body, status) in [
        (path.as_str(), r#"{"secret":""}"#, 422),
        (path.as_str(), r#"{"secret":"a b"}"#, 422),
        (path.as_str(), r#"{"key":"a"}"#, 422),
        (&format!("{path}/{}/rotate", server.account()), "", 404),
        ("/accounts/x/callback_secrets", "", 404),
    ] {
        assert_eq!(post(path, body).await.status, status, "{path} {body}");
    }
    assert_eq!(control.delete(&one).await.status, 200);
    assert_eq!(control.delete(&one).await.status, 404);
    assert!(enabled().await.is_empty());
}
