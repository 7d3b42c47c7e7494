//! Customers' webhooks from the stored event to the receiver. The events are written into the database before
//! the server starts, as the call engine would write them.

use didww_types::{Secret, Timestamp};
use trunk_server::callbacks::Webhook;
use trunk_server::store::{Backlog, Owner};

use super::*;

/// The customer of most events, and the call of these events.
const CUSTOMER: Uuid = Uuid::from_u128(0x5c3d_2c80_7f6a_4e0b_9a53_0d3f_1f0f_2b61);
const CALL: Uuid = Uuid::from_u128(0x1dd7_a68b_e235_402b_8912_fe73_ee14_243a);

/// An event of a customer's call, `millis` milliseconds after the start.
fn event(customer: Uuid, call: Uuid, url: &str, kind: &str, millis: i64) -> NewEvent {
    let webhook = Webhook { customer, uri: url, method: "POST", secret: None };
    webhook.event(kind, call, "{}", Timestamp::from_unix_millis(START + millis))
}

fn call(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

/// Writes events into a database that no server has open.
async fn write(database: &File, events: impl IntoIterator<Item = NewEvent>) {
    let store = SqliteStore::open(&database.0).unwrap();
    store.commit(events.into_iter().map(|event| Change::Emit(Box::new(event))).collect()).await.unwrap();
    store.close().await.unwrap();
}

/// Starts a server with these events to deliver and a frozen clock.
async fn telling(database: &File, events: impl IntoIterator<Item = NewEvent>) -> Server {
    write(database, events).await;
    database.start(settings(), frozen()).await
}

/// The attempts for one customer, oldest first, once there are at least `count`.
async fn attempts(server: &Server, customer: Uuid, count: usize) -> Vec<Delivery> {
    until(async || {
        let mut attempts = server.control().webhook_deliveries(customer, 1_000).await.unwrap();
        attempts.reverse();
        (attempts.len() >= count).then_some(attempts)
    })
    .await
}

/// The type of the event in a request.
fn kind(callback: &Callback) -> String {
    let body: Value = serde_json::from_str(&callback.body).unwrap();
    body["type"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn case_61_a_webhook_is_one_event_signed_with_the_customers_secret() {
    let mut receiver = Receiver::start(Answer::Status(200)).await;
    let (database, secret) = (File::new(), Secret::new("whsec-4f1c"));
    let url = receiver.url("/hooks?tenant=1#top");
    let signed = Webhook { customer: CUSTOMER, uri: &url, method: "POST", secret: Some(&secret) };
    let data = r#"{"id":"5c3d2c80-7f6a-4e0b-9a53-0d3f1f0f2b61","status":"hangup","hangup_reason":"normal"}"#;
    let event = signed.event("call_hangup", CALL, data, Timestamp::from_unix_millis(START));
    let server = telling(&database, [event]).await;
    let callback = receiver.next().await;
    assert!(callback.head.starts_with("POST /hooks?tenant=1 HTTP/1.1\r\n"), "{}", callback.head);
    assert_eq!(callback.header("content-type").as_deref(), Some("application/json"));
    assert_eq!(callback.body, format!(r#"{{"type":"call_hangup","data":{data}}}"#));
    // Computed by another program from the secret and these bytes.
    assert_eq!(
        callback.header("x-voipbin-signature").as_deref(),
        Some("sha256=be9c378eb7256bc089d2136015b9e6bdfecf5567b767123d387c566abb9e6129")
    );
    assert_eq!(callback.header("x-didww-signature"), None);
    let delivered = attempts(&server, CUSTOMER, 1).await;
    assert_eq!((delivered[0].owner, delivered[0].subject), (Owner::Customer(CUSTOMER), CALL));
    assert_eq!((delivered[0].events, delivered[0].attempt, delivered[0].status), (1, 1, Some(200)));
    server.stop().await.unwrap();
    // A delivered event is kept for a while; its secret is never stored with it.
    let kept = std::fs::read(&database.0).unwrap();
    let holds = |text: &str| kept.windows(text.len()).any(|bytes| bytes == text.as_bytes());
    assert!(holds("be9c378eb7256bc0") && holds("call_hangup") && !holds(secret.expose()));
}

#[tokio::test]
async fn a_webhook_is_sent_with_the_customers_method_and_unsigned_without_a_secret() {
    let mut receiver = Receiver::start(Answer::Status(200)).await;
    let (database, url) = (File::new(), receiver.url("/"));
    let methods = ["PUT", "GET", "DELETE", ""];
    let events = methods.map(|method| {
        let webhook = Webhook { customer: CUSTOMER, uri: &url, method, secret: None };
        webhook.event("call_created", CALL, "{}", Timestamp::from_unix_millis(START))
    });
    let _server = telling(&database, events).await;
    for method in ["PUT", "GET", "DELETE", "POST"] {
        let callback = receiver.next().await;
        assert!(callback.head.starts_with(&format!("{method} / ")), "{}", callback.head);
        assert_eq!(callback.body, r#"{"type":"call_created","data":{}}"#);
        assert_eq!(callback.header("x-voipbin-signature"), None);
    }
}

#[tokio::test]
async fn the_events_of_a_call_are_sent_one_by_one_in_order() {
    let mut receiver = Receiver::start(Answer::Status(204)).await;
    let (database, url) = (File::new(), receiver.url("/"));
    let kinds = ["call_created", "call_ringing", "call_progressing", "call_updated", "call_hangup"];
    let server = telling(&database, kinds.map(|kind| event(CUSTOMER, CALL, &url, kind, 0))).await;
    for expected in kinds {
        assert_eq!(kind(&receiver.next().await), expected);
    }
    let delivered = attempts(&server, CUSTOMER, kinds.len()).await;
    assert!(delivered.iter().all(|delivery| delivery.events == 1 && delivery.attempt == 1));
    assert_eq!((delivered.len(), receiver.untaken()), (kinds.len(), 0));
}

#[tokio::test]
async fn a_failing_receiver_is_tried_three_times_a_second_apart_and_then_receives_later_events() {
    let mut receiver = Receiver::start(Answer::Status(500)).await;
    let mut witness = Receiver::start(Answer::Status(200)).await;
    let (database, other) = (File::new(), call(2));
    let (url, witness_url) = (receiver.url("/"), witness.url("/"));
    let server = telling(
        &database,
        [
            event(CUSTOMER, CALL, &url, "call_created", 0),
            event(CUSTOMER, CALL, &url, "call_ringing", 0),
            // Due just before a second has passed. If a first event were due by then, it would be delivered
            // before.
            event(other, other, &witness_url, "call_created", 999),
            event(other, other, &witness_url, "call_ringing", 1_999),
        ],
    )
    .await;
    let control = server.control();
    for attempt in 1..=2 {
        assert_eq!(kind(&receiver.next().await), "call_created");
        attempts(&server, CUSTOMER, attempt).await;
        control.clock().advance(Duration::from_millis(999));
        witness.next().await;
        attempts(&server, other, attempt).await;
        assert_eq!(receiver.untaken(), 0, "an attempt came before its time");
        control.clock().advance(Duration::from_millis(1));
    }
    assert_eq!(kind(&receiver.next().await), "call_created");
    receiver.answers(Answer::Status(200));
    assert_eq!(kind(&receiver.next().await), "call_ringing");
    let all = attempts(&server, CUSTOMER, 4).await;
    let seen =
        |delivery: &Delivery| (delivery.attempt, delivery.at.as_unix_millis() - START, delivery.status);
    assert_eq!(
        all.iter().map(seen).collect::<Vec<_>>(),
        [(1, 0, Some(500)), (2, 1_000, Some(500)), (3, 2_000, Some(500)), (1, 2_000, Some(200))]
    );
    assert!(all[..3].iter().all(|delivery| delivery.error.as_deref() == Some("answered 500")));
    assert_eq!(receiver.untaken(), 0);
}

#[tokio::test]
async fn an_answer_that_is_no_servers_error_counts_as_delivered() {
    let mut receiver = Receiver::start(Answer::Status(404)).await;
    let (database, url) = (File::new(), receiver.url("/"));
    let kinds = ["call_created", "call_hangup"];
    let server = telling(&database, kinds.map(|kind| event(CUSTOMER, CALL, &url, kind, 0))).await;
    for expected in kinds {
        assert_eq!(kind(&receiver.next().await), expected);
    }
    let delivered = attempts(&server, CUSTOMER, 2).await;
    assert!(delivered.iter().all(|delivery| delivery.status == Some(404) && delivery.error.is_none()));
    assert!(delivered.iter().all(|delivery| delivery.attempt == 1));
    assert_eq!(receiver.untaken(), 0);
}

#[tokio::test]
async fn a_receiver_that_is_down_is_tried_again_after_a_second() {
    let receiver = Receiver::start(Answer::Status(200)).await;
    let (database, address, url) = (File::new(), receiver.address(), receiver.url("/"));
    drop(receiver);
    let server = telling(&database, [event(CUSTOMER, CALL, &url, "call_created", 0)]).await;
    let failed = attempts(&server, CUSTOMER, 1).await;
    let error = failed[0].error.as_deref().unwrap();
    assert!(failed[0].status.is_none() && error.starts_with("no connection"), "{error}");
    let mut receiver = Receiver::at(address, Answer::Status(200)).await;
    server.control().clock().advance(Duration::from_secs(1));
    assert_eq!(kind(&receiver.next().await), "call_created");
}

#[tokio::test]
async fn a_redirect_is_followed() {
    let mut target = Receiver::start(Answer::Status(200)).await;
    let mut receiver = Receiver::start(Answer::Redirect(target.url("/moved"))).await;
    let (database, url) = (File::new(), receiver.url("/"));
    let server = telling(&database, [event(CUSTOMER, CALL, &url, "call_created", 0)]).await;
    receiver.next().await;
    assert!(target.next().await.head.starts_with("GET /moved "));
    let delivered = attempts(&server, CUSTOMER, 1).await;
    assert_eq!((delivered[0].status, &delivered[0].error, &delivered[0].url), (Some(200), &None, &url));
}

#[tokio::test]
async fn redirects_without_end_are_a_failure_after_the_third() {
    let mut receiver = Receiver::start(Answer::Status(200)).await;
    let (database, url) = (File::new(), receiver.url("/round"));
    receiver.answers(Answer::Redirect(url.clone()));
    let server = telling(&database, [event(CUSTOMER, CALL, &url, "call_created", 0)]).await;
    let failed = attempts(&server, CUSTOMER, 1).await;
    assert_eq!((failed[0].status, failed[0].error.as_deref()), (None, Some("redirected more than 3 times")));
    assert_eq!(receiver.untaken(), 4);
    receiver.answers(Answer::Status(200));
    server.control().clock().advance(Duration::from_secs(1));
    let delivered = attempts(&server, CUSTOMER, 2).await;
    assert_eq!((delivered[1].attempt, delivered[1].status), (2, Some(200)));
    for _ in 0..5 {
        receiver.next().await;
    }
}

#[tokio::test]
async fn a_redirect_to_a_private_address_is_refused_at_every_attempt() {
    let receiver = Receiver::start(Answer::Redirect("http://10.0.0.1/admin".to_owned())).await;
    let (database, url) = (File::new(), receiver.url("/"));
    let server = telling(&database, [event(CUSTOMER, CALL, &url, "call_created", 0)]).await;
    for attempt in 1..=3 {
        let failed = attempts(&server, CUSTOMER, attempt).await;
        let last = failed.last().unwrap();
        assert_eq!(last.attempt, u32::try_from(attempt).unwrap());
        assert_eq!(last.error.as_deref(), Some("redirected: 10.0.0.1 is not allowed: it is private"));
        server.control().clock().advance(Duration::from_secs(1));
    }
    assert_eq!(receiver.untaken(), 3);
}

#[tokio::test]
async fn loopback_is_refused_to_customers_without_the_flag() {
    let receiver = Receiver::start(Answer::Status(200)).await;
    let (database, url) = (File::new(), receiver.url("/"));
    write(&database, [event(CUSTOMER, CALL, &url, "call_created", 0)]).await;
    let server = database.start(Settings::default(), frozen()).await;
    let failed = attempts(&server, CUSTOMER, 1).await;
    assert_eq!(failed[0].error.as_deref(), Some("127.0.0.1 is not allowed: it is loopback"));
    assert_eq!(receiver.untaken(), 0);
}

#[tokio::test]
async fn webhooks_that_wait_and_that_were_under_way_survive_a_restart() {
    let (database, clock) = (File::new(), frozen());
    let mut hanging = Receiver::start(Answer::Hang).await;
    let mut failing = Receiver::start(Answer::Status(503)).await;
    let (hanging_url, failing_url) = (hanging.url("/"), failing.url("/"));
    write(
        &database,
        [
            event(CUSTOMER, call(1), &failing_url, "call_created", 0),
            event(CUSTOMER, call(1), &failing_url, "call_hangup", 0),
            event(CUSTOMER, call(2), &hanging_url, "call_created", 0),
        ],
    )
    .await;
    let server = database.start(settings(), clock.clone()).await;
    failing.next().await;
    hanging.next().await;
    attempts(&server, CUSTOMER, 1).await;
    server.stop().await.unwrap();

    hanging.answers(Answer::Status(200));
    failing.answers(Answer::Status(200));
    let server = database.start(settings(), clock.clone()).await;
    // The interrupted attempt was not recorded, so it is repeated at once; the failed one waits for its
    // second.
    assert_eq!(kind(&hanging.next().await), "call_created");
    attempts(&server, CUSTOMER, 2).await;
    assert_eq!(failing.untaken(), 0);
    clock.advance(Duration::from_secs(1));
    assert_eq!(kind(&failing.next().await), "call_created");
    assert_eq!(kind(&failing.next().await), "call_hangup");
    let delivered = attempts(&server, CUSTOMER, 4).await;
    assert_eq!(delivered.iter().map(|delivery| delivery.attempt).collect::<Vec<_>>(), [1, 1, 2, 1]);
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_customer_whose_receiver_hangs_delays_neither_customers_nor_accounts() {
    let mut hanging = Receiver::start(Answer::Hang).await;
    let mut quick = Receiver::start(Answer::Status(200)).await;
    let (database, other) = (File::new(), call(99));
    let (hanging_url, quick_url) = (hanging.url("/"), quick.url("/"));
    let queue = (1..=50).map(|number| event(CUSTOMER, call(number), &hanging_url, "call_created", 0));
    write(&database, queue.chain([event(other, call(100), &quick_url, "call_created", 0)])).await;
    let mut tight = settings();
    (tight.parallel, tight.parallel_per_owner) = (2, 1);
    let server = database.start(tight, frozen()).await;
    hanging.next().await;
    assert_eq!(kind(&quick.next().await), "call_created");
    attempts(&server, other, 1).await;
    let api = Api::new(server.base_url(), KEY);
    let id = trunk(&api, "Quick", &quick_url).await;
    set(&api, &id, "blocked").await;
    assert_eq!(states(&quick.next().await.verified(&quick_url, SECRET)), [(Blocked, false)]);
    // Events of other customers do not repeat a delivery in progress either.
    assert_eq!(hanging.untaken(), 0);
}

#[tokio::test]
async fn webhooks_and_trunks_callbacks_go_each_in_their_own_form() {
    let mut receiver = Receiver::start(Answer::Status(200)).await;
    let (database, url, subject) = (File::new(), receiver.url("/"), unique());
    let server = database.start(settings(), frozen()).await;
    let account = server.control().accounts().await.unwrap()[0].number;
    server.stop().await.unwrap();
    let of_trunk = |status: &str| {
        let created_at = Timestamp::from_unix_millis(START);
        let body = json!({
            "id": subject.to_string(), "type": "voice_out_trunks", "status": status, "threshold_reached": false,
            "created_at": created_at,
        });
        let (form, url) = (EventForm::Trunk { account }, url.clone());
        NewEvent { form, subject, url, body: body.to_string(), created_at }
    };
    let events = [
        event(CUSTOMER, CALL, &url, "call_created", 0),
        of_trunk("blocked"),
        event(CUSTOMER, CALL, &url, "call_ringing", 0),
        of_trunk("active"),
        event(CUSTOMER, CALL, &url, "call_hangup", 0),
    ];
    let server = telling(&database, events).await;
    let (mut kinds, mut batches) = (Vec::new(), Vec::new());
    for _ in 0..4 {
        let callback = receiver.next().await;
        if callback.header("x-didww-signature").is_some() {
            batches.push(states(&callback.verified(&url, SECRET)));
        } else {
            kinds.push(kind(&callback));
        }
    }
    assert_eq!(kinds, ["call_created", "call_ringing", "call_hangup"]);
    assert_eq!(batches, [[(Blocked, false), (Active, false)]]);
    let delivered = deliveries(&server.control(), 4).await;
    assert_eq!((delivered.len(), receiver.untaken()), (4, 0));
    let of_account = delivered.iter().filter(|delivery| delivery.owner == Owner::Account(account));
    assert_eq!(of_account.map(|delivery| delivery.events).collect::<Vec<_>>(), [2]);
}

/// Waits until a customer has this many waiting and dropped events.
async fn backlog(server: &Server, customer: Uuid, waiting: u64, dropped: u64) {
    let expected = Backlog { waiting, dropped };
    until(async || (server.control().webhook_backlog(customer).await.unwrap() == expected).then_some(()))
        .await;
}

#[tokio::test]
async fn of_more_events_than_may_wait_the_oldest_are_dropped_and_the_rest_is_sent_in_order() {
    let mut receiver = Receiver::start(Answer::Status(200)).await;
    let (database, other) = (File::new(), call(9));
    let url = receiver.url("/");
    let kinds = ["call_created", "call_ringing", "call_progressing", "call_terminating", "call_hangup"];
    let events = kinds.map(|kind| event(CUSTOMER, CALL, &url, kind, 0));
    write(&database, events.into_iter().chain([event(other, other, &url, "call_deleted", 0)])).await;
    let mut config = database.config();
    config.control_listen = Some("127.0.0.1:0".to_owned());
    config.voipbin.platform.webhooks_waiting = Some(3);
    let server = Server::builder(config).callbacks(settings()).clock(frozen()).start().await.unwrap();
    let mut delivered = Vec::new();
    for _ in 0..4 {
        delivered.push(kind(&receiver.next().await));
    }
    // Events of another customer have no order relative to these.
    delivered.retain(|kind| kind != "call_deleted");
    assert_eq!(delivered, kinds[2..]);
    backlog(&server, CUSTOMER, 0, 2).await;
    backlog(&server, other, 0, 0).await;
    assert_eq!(receiver.untaken(), 0);
    let api = Api::new(format!("http://{}/control/v1", server.control_address().unwrap()), "");
    for (whose, dropped) in [(format!("?customer={CUSTOMER}"), 2), (format!("?customer={other}"), 0)] {
        let listed = api.get(&format!("/deliveries{whose}")).await;
        assert_eq!((listed.at("/waiting"), listed.at("/dropped")), (json!(0), json!(dropped)), "{whose}");
    }
    assert_eq!(api.get("/deliveries").await.at("/dropped"), json!(2));
}

#[tokio::test]
async fn while_a_receiver_hangs_no_more_waits_than_may() {
    let mut hanging = Receiver::start(Answer::Hang).await;
    let database = File::new();
    let url = hanging.url("/");
    let mut tight = settings();
    (tight.webhooks_waiting, tight.parallel_per_owner) = (250, 1);
    // Dropping them takes more than one write.
    let queue = (1..=801).map(|number| event(CUSTOMER, call(number), &url, "call_created", 0));
    write(&database, queue).await;
    let server = database.start(tight, frozen()).await;
    hanging.next().await;
    backlog(&server, CUSTOMER, 250, 551).await;
}

#[tokio::test]
async fn an_event_that_waited_too_long_is_dropped_within_a_minute_and_later_ones_are_sent() {
    let mut hanging = Receiver::start(Answer::Hang).await;
    let mut receiver = Receiver::start(Answer::Status(200)).await;
    let database = File::new();
    let (down, up) = (hanging.url("/"), receiver.url("/"));
    let hour = 3_600_000;
    let mut short = settings();
    short.webhook_age = Duration::from_hours(1);
    short.parallel_per_owner = 1;
    let events = [
        event(CUSTOMER, call(1), &down, "call_created", 0),
        event(CUSTOMER, call(2), &up, "call_created", 0),
        event(CUSTOMER, call(2), &up, "call_hangup", 1),
    ];
    write(&database, events).await;
    let server = database.start(short, frozen()).await;
    hanging.next().await;
    let clock = server.control().clock().clone();
    clock.advance(Duration::from_millis(hour));
    backlog(&server, CUSTOMER, 3, 0).await;
    clock.advance(Duration::from_mins(1));
    backlog(&server, CUSTOMER, 0, 3).await;
    assert_eq!(receiver.untaken(), 0);
    drop(server);

    // The same at a start without any request.
    let database = File::new();
    let events =
        [event(CUSTOMER, CALL, &up, "call_created", 0), event(CUSTOMER, CALL, &up, "call_hangup", 1)];
    write(&database, events).await;
    let clock = frozen();
    clock.advance(Duration::from_hours(24) + Duration::from_millis(1));
    let server = database.start(settings(), clock).await;
    assert_eq!(kind(&receiver.next().await), "call_hangup");
    backlog(&server, CUSTOMER, 0, 1).await;
}

#[tokio::test]
async fn attempts_are_listed_on_the_control_api_with_their_customer_and_call() {
    let receiver = Receiver::start(Answer::Status(418)).await;
    let (database, other) = (File::new(), call(9));
    let url = format!("http://user:hunter2@{}/", receiver.address());
    write(
        &database,
        [event(CUSTOMER, CALL, &url, "call_created", 0), event(other, call(8), &url, "call_created", 0)],
    )
    .await;
    let mut config = database.config();
    config.control_listen = Some("127.0.0.1:0".to_owned());
    let server = Server::builder(config).callbacks(settings()).clock(frozen()).start().await.unwrap();
    deliveries(&server.control(), 2).await;
    let api = Api::new(format!("http://{}/control/v1", server.control_address().unwrap()), "");
    let listed = api.get(&format!("/deliveries?customer={CUSTOMER}&limit=5")).await;
    let expected = json!([{
        "customer": CUSTOMER.to_string(), "call": CALL.to_string(), "url": receiver.url("/"), "events": 1,
        "attempt": 1, "at": Timestamp::from_unix_millis(START), "status": 418, "error": null,
    }]);
    assert_eq!(listed.at("/deliveries"), expected);
    assert_eq!(api.get("/deliveries").await.at("/deliveries").as_array().unwrap().len(), 2);
    let account = server.control().accounts().await.unwrap()[0].id;
    assert_eq!(api.get(&format!("/deliveries?account={account}")).await.at("/deliveries"), json!([]));
    let none = api.get(&format!("/deliveries?customer={}", Uuid::nil())).await;
    assert_eq!((none.status, none.at("/deliveries")), (200, json!([])));
    assert_eq!(api.get(&format!("/deliveries?account={account}&customer={CUSTOMER}")).await.status, 422);
    assert_eq!(api.get("/deliveries?customer=nobody").await.status, 422);

    // Resetting an account removes its events; resetting everything removes those of customers.
    server.control().reset(Some(account)).await.unwrap();
    assert_eq!(server.control().deliveries(None, 9).await.unwrap().len(), 2);
    server.control().reset(None).await.unwrap();
    assert!(server.control().deliveries(None, 9).await.unwrap().is_empty());
}
