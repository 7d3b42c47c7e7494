//! Callbacks from the change of a trunk to the receiver: signed, in order, at least once, and repeated when
//! due.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

mod cases;
mod secrets;
mod statuses;
mod webhooks;

use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

use didww_client::resources::VoiceOutTrunkStatus::{Active, Blocked};
use didww_types::Resource as _;
use didww_types::callback::TrunkEvent;
use didww_types::resources::{VoiceOutTrunk, VoiceOutTrunkStatus};
use serde_json::{Value, json};
use trunk_server::callbacks::Settings;
use trunk_server::config::{Config, Database};
use trunk_server::control::NewCallbackSecret;
use trunk_server::store::{
    Accounts as _, Change, Delivery, Engine as _, EventForm, NewEvent, Records as _, Scope, SqliteStore,
    StoredCall, Writes as _,
};
use trunk_server::{Clock, Control, Server, TestServer};
use uuid::Uuid;

use crate::support::api::{Api, NEW, TOKENS};
use crate::support::engine;
use crate::support::receiver::{Answer, Callback, Receiver};

const KEY: &str = "callbackkey";
/// The callback secret of the account.
const SECRET: &str = "cbsec-0123456789abcdef";
/// 2026-04-16T00:00:00Z, in milliseconds.
const START: i64 = 1_776_297_600_000;

/// Loopback is allowed. A manual block sends a callback, which is the shortest way to an event.
fn settings() -> Settings {
    let mut settings = Settings::default();
    settings.allow_loopback = true;
    settings
}

/// Starts a server in memory with a frozen clock.
async fn start(settings: Settings) -> (TestServer, Api) {
    let server = engine::builder()
        .api_key(KEY)
        .callback_secret(SECRET)
        .callbacks(settings)
        .clock(frozen())
        .start()
        .await;
    let api = Api::new(server.base_url(), KEY);
    (server, api)
}

fn frozen() -> Clock {
    let clock = Clock::system();
    clock.freeze(Some(didww_types::Timestamp::from_unix_millis(START)));
    clock
}

async fn trunk(api: &Api, name: &str, url: &str) -> String {
    let method =
        json!({ "type": "credentials_and_ip", "attributes": { "allowed_sip_ips": ["203.0.113.5"] } });
    let attributes = json!({
        "name": name, "on_cli_mismatch_action": "reject_call", "callback_url": url, "authentication_method": method,
    });
    let body = json!({ "data": { "type": "voice_out_trunks", "attributes": attributes } });
    api.post("/voice_out_trunks", &body).await.id()
}

async fn patch(api: &Api, id: &str, attributes: Value) -> u16 {
    let body = json!({ "data": { "id": id, "type": "voice_out_trunks", "attributes": attributes } });
    api.patch(&format!("/voice_out_trunks/{id}"), &body).await.status
}

async fn set(api: &Api, id: &str, status: &str) {
    assert_eq!(patch(api, id, json!({ "status": status })).await, 200);
}

fn states(events: &[TrunkEvent]) -> Vec<(VoiceOutTrunkStatus, bool)> {
    events.iter().map(|event| (event.status.clone(), event.threshold_reached)).collect()
}

/// An id that is unique in this process.
fn unique() -> Uuid {
    let ids = trunk_server::Ids::system();
    ids.request()
}

/// Repeats a question, letting other tasks run, until it has an answer.
async fn until<T, F: Future<Output = Option<T>>>(mut look: impl FnMut() -> F) -> T {
    let look = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), look).await.expect("it never held")
}

/// The attempts, oldest first, once there are at least `count`.
async fn deliveries(control: &Control, count: usize) -> Vec<Delivery> {
    until(async || {
        let mut deliveries = control.deliveries(None, 1_000).await.unwrap();
        deliveries.reverse();
        (deliveries.len() >= count).then_some(deliveries)
    })
    .await
}

#[tokio::test]
async fn a_change_sends_one_callback_signed_with_the_enabled_secret() {
    let mut receiver = Receiver::start(Answer::Status(204)).await;
    let (server, api) = start(settings()).await;
    server.control().clock().advance(Duration::from_millis(1));
    let second = NewCallbackSecret::of("another").disabled();
    server.control().add_callback_secret(server.account(), second).await.unwrap();
    let url = receiver.url("/didww_callbacks?opaque=123#top");
    let id = trunk(&api, "Told", &url).await;
    set(&api.at(Some(NEW)), &id, "blocked").await;
    let callback = receiver.next().await;
    let events = callback.verified(&url, SECRET);
    assert_eq!(states(&events), [(Blocked, false)]);
    assert_eq!((events[0].id.as_str(), events[0].created_at.as_unix_millis()), (id.as_str(), START + 1));
    assert_eq!(callback.path, "/didww_callbacks?opaque=123");
    assert_eq!(callback.header("content-type").as_deref(), Some("application/json"));
    let delivered = deliveries(&server.control(), 1).await;
    assert_eq!(
        (delivered.len(), delivered[0].attempt, delivered[0].status, &delivered[0].error),
        (1, 1, Some(204), &None)
    );
    set(&api.at(Some(TOKENS)), &id, "active").await;
    assert_eq!(states(&receiver.next().await.verified(&url, SECRET)), [(Active, false)]);
}

#[tokio::test]
async fn n50_a_url_without_a_scheme_is_called_and_signed_with_http() {
    let mut receiver = Receiver::start(Answer::Status(200)).await;
    let (_server, api) = start(settings()).await;
    let url = receiver.url("/cb?x=1");
    for version in [NEW, TOKENS] {
        let api = api.at(Some(version));
        let id = trunk(&api, version, url.strip_prefix("http://").unwrap()).await;
        set(&api, &id, "blocked").await;
        let callback = receiver.next().await;
        assert_eq!(callback.path, "/cb?x=1");
        assert_eq!(states(&callback.verified(&url, SECRET)), [(Blocked, false)], "{version}");
    }
}

#[tokio::test]
async fn a_manual_block_sends_no_callback_if_it_is_configured_so() {
    let mut receiver = Receiver::start(Answer::Status(200)).await;
    let mut usual = settings();
    usual.on_manual_block = false;
    let database = File::new();
    let server = database.start(usual, frozen()).await;
    let api = Api::new(server.base_url(), KEY);
    let quiet = trunk(&api, "Quiet", &receiver.url("/quiet")).await;
    let spent = trunk(&api, "Spent", &receiver.url("/spent")).await;
    set(&api, &quiet, "blocked").await;
    set(&api, &quiet, "active").await;
    server.stop().await.unwrap();

    // The trunk spent 12 US dollars of its 10, written as the carrier edge would: the sum and the call that
    // caused it.
    let store = SqliteStore::open(&database.0).unwrap();
    let account = store.accounts().await.unwrap()[0].number;
    let scope = Scope { account, spec: VoiceOutTrunk::SPEC };
    let before = store.find(scope, spent.parse().unwrap()).await.unwrap().unwrap();
    let mut attributes = before.attributes().unwrap();
    for (name, value) in [
        ("status", json!("blocked")),
        ("threshold_reached", json!(true)),
        ("threshold_amount", json!("10.0")),
    ] {
        attributes.insert(name.to_owned(), value);
    }
    let meta = Some(r#"{"spent_amount":"12.0"}"#.to_owned());
    let call = StoredCall {
        id: unique(),
        account,
        trunk: spent.parse().unwrap(),
        ended_at: didww_types::Timestamp::from_unix_millis(START),
        cause: 200,
        code: 200,
        source: "37282720000".to_owned(),
        destination: "12025550100".to_owned(),
        price: "12.0".to_owned(),
        call_id: None,
        attributes: "{}".to_owned(),
    };
    let replace = Change::Replace { scope, before, attributes, links: Vec::new(), meta };
    store.commit(vec![replace, Change::Call(call.into())]).await.unwrap();
    store.close().await.unwrap();
    drop(store);

    let mut usual = settings();
    usual.on_manual_block = false;
    let server = database.start(usual, frozen()).await;
    let api = Api::new(server.base_url(), KEY);
    let url = receiver.url("/spent");
    for (attributes, state) in [
        (json!({ "status": "active" }), (Active, false)),
        (json!({ "threshold_amount": "12.0" }), (Blocked, true)),
        (json!({ "threshold_amount": "12.01" }), (Active, false)),
        (json!({ "threshold_amount": 1 }), (Blocked, true)),
        (json!({ "threshold_amount": null }), (Active, false)),
    ] {
        // From 2026-04-16 on, null is refused.
        let version = if attributes["threshold_amount"].is_null() { "2022-05-10" } else { NEW };
        let api = api.at(Some(version));
        assert_eq!(patch(&api, &spent, attributes.clone()).await, 200, "{attributes}");
        let callback = receiver.next().await;
        assert_eq!(callback.path, "/spent", "the manual block sent a callback");
        assert_eq!(states(&callback.verified(&url, SECRET)), [state], "{attributes}");
    }
    assert_eq!(receiver.untaken(), 0);
}

#[tokio::test]
async fn a_clock_that_is_set_back_keeps_no_callback_waiting() {
    let mut receiver = Receiver::start(Answer::Status(500)).await;
    let (server, api) = start(settings()).await;
    let url = receiver.url("/late");
    let id = trunk(&api, "Late", &url).await;
    set(&api, &id, "blocked").await;
    receiver.next().await;
    deliveries(&server.control(), 1).await;
    // The second attempt is due in a minute; the clock is set back by an hour.
    let clock = server.control().clock().clone();
    clock.freeze(Some(didww_types::Timestamp::from_unix_millis(START - 3_600_000)));
    until(async || {
        clock.advance(Duration::from_secs(1));
        let passed = clock.now().as_unix_millis() - (START - 3_600_000);
        assert!(passed < 1_800_000, "it was not repeated within half an hour");
        // Lets the delivery task run before the clock advances.
        tokio::time::sleep(Duration::from_millis(2)).await;
        (control_attempts(&server).await >= 2).then_some(())
    })
    .await;
    receiver.next().await;
}

async fn control_attempts(server: &TestServer) -> usize {
    server.control().deliveries(None, 1_000).await.unwrap().len()
}

#[tokio::test]
async fn failed_attempts_are_repeated_exactly_when_documented_and_given_up_after_the_tenth() {
    let mut receiver = Receiver::start(Answer::Status(500)).await;
    let mut witness = Receiver::start(Answer::Status(200)).await;
    let (server, api) = start(settings()).await;
    let control = server.control();
    let id = trunk(&api, "Failing", &receiver.url("/")).await;
    let other = trunk(&api, "Witness", &witness.url("/")).await;
    set(&api, &id, "blocked").await;
    receiver.next().await;
    let (mut at, mut attempts, mut witnessed) = (vec![START], 1, 0);
    for minutes in [1, 10, 30, 60, 180, 360, 720, 1_440, 2_880] {
        deliveries(&control, attempts + witnessed).await;
        control.clock().advance(Duration::from_millis(minutes * 60_000 - 1));
        // Another trunk's event is delivered now. If the first one were due, it would be delivered before.
        set(&api, &other, if witnessed % 2 == 0 { "blocked" } else { "active" }).await;
        witness.next().await;
        witnessed += 1;
        deliveries(&control, attempts + witnessed).await;
        assert_eq!(receiver.untaken(), 0, "an attempt came before its time");
        control.clock().advance(Duration::from_millis(1));
        receiver.next().await;
        attempts += 1;
        at.push(control.clock().now().as_unix_millis());
    }
    let all = deliveries(&control, attempts + witnessed).await;
    let failed: Vec<&Delivery> = all.iter().filter(|delivery| delivery.subject.to_string() == id).collect();
    assert_eq!(failed.iter().map(|delivery| delivery.at.as_unix_millis()).collect::<Vec<_>>(), at);
    assert_eq!(
        failed.iter().map(|delivery| delivery.attempt).collect::<Vec<_>>(),
        (1..=10).collect::<Vec<_>>()
    );
    assert!(failed.iter().all(|delivery| delivery.error.as_deref() == Some("answered 500")));

    // The event is abandoned: a year later only the next event is delivered.
    control.clock().advance(Duration::from_hours(24 * 365));
    receiver.answers(Answer::Status(200));
    set(&api, &id, "active").await;
    assert_eq!(states(&receiver.next().await.verified(&receiver.url("/"), SECRET)), [(Active, false)]);
}

#[tokio::test]
async fn events_behind_a_failed_one_wait_and_go_with_it_in_their_order() {
    let mut receiver = Receiver::start(Answer::Status(503)).await;
    let (server, api) = start(settings()).await;
    let control = server.control();
    let url = receiver.url("/");
    let id = trunk(&api, "Ordered", &url).await;
    set(&api, &id, "blocked").await;
    receiver.next().await;
    deliveries(&control, 1).await;
    for (status, version) in [("active", NEW), ("blocked", TOKENS), ("active", TOKENS)] {
        control.clock().advance(Duration::from_secs(1));
        set(&api.at(Some(version)), &id, status).await;
    }
    receiver.answers(Answer::Status(200));
    control.clock().advance(Duration::from_mins(1));
    let events = receiver.next().await.verified(&url, SECRET);
    assert_eq!(states(&events), [(Blocked, false), (Active, false), (Blocked, false), (Active, false)]);
    assert!(events.is_sorted_by_key(|event| event.created_at.as_unix_millis()));
    let delivered = deliveries(&control, 2).await;
    assert_eq!((delivered[1].events, delivered[1].attempt, delivered[1].status), (4, 2, Some(200)));
}

#[tokio::test]
async fn another_url_does_not_let_a_later_event_overtake() {
    let (mut first, mut second) =
        (Receiver::start(Answer::Status(500)).await, Receiver::start(Answer::Status(200)).await);
    let (server, api) = start(settings()).await;
    let id = trunk(&api, "Moved", &first.url("/")).await;
    set(&api, &id, "blocked").await;
    first.next().await;
    deliveries(&server.control(), 1).await;
    assert_eq!(patch(&api, &id, json!({ "status": "active", "callback_url": second.url("/") })).await, 200);
    first.answers(Answer::Status(200));
    server.control().clock().advance(Duration::from_mins(1));
    assert_eq!(states(&first.next().await.verified(&first.url("/"), SECRET)), [(Blocked, false)]);
    assert_eq!(states(&second.next().await.verified(&second.url("/"), SECRET)), [(Active, false)]);
    let delivered = deliveries(&server.control(), 3).await;
    assert!(delivered[1].url == first.url("/") && delivered[2].url == second.url("/"));
}

#[tokio::test]
async fn a_receiver_that_hangs_delays_nobody_else() {
    let mut hanging = Receiver::start(Answer::Hang).await;
    let mut quick = Receiver::start(Answer::Status(200)).await;
    let (_server, api) = start(settings()).await;
    for number in 0..4 {
        let id = trunk(&api, &format!("Hanging {number}"), &hanging.url("/")).await;
        set(&api, &id, "blocked").await;
        hanging.next().await;
    }
    let id = trunk(&api, "Quick", &quick.url("/")).await;
    set(&api, &id, "blocked").await;
    quick.next().await;
    // Events of other trunks do not repeat a delivery in progress either.
    assert_eq!(hanging.untaken(), 0);
}

#[tokio::test]
async fn hanging_receivers_of_one_account_take_only_its_own_share() {
    let mut hanging = Receiver::start(Answer::Hang).await;
    let mut quick = Receiver::start(Answer::Status(200)).await;
    let mut tight = settings();
    (tight.parallel, tight.parallel_per_owner) = (2, 1);
    let (server, api) = start(tight).await;
    for number in 0..3 {
        let id = trunk(&api, &format!("Hanging {number}"), &hanging.url("/")).await;
        set(&api, &id, "blocked").await;
    }
    hanging.next().await;
    let new = trunk_server::control::NewAccount::named("Other").api_key("otherkey");
    let (other, _) = server.control().create_account(new).await.unwrap();
    server.control().add_callback_secret(other.id, NewCallbackSecret::default()).await.unwrap();
    let other = api.with_key(Some("otherkey"));
    let id = trunk(&other, "Quick", &quick.url("/")).await;
    set(&other, &id, "blocked").await;
    quick.next().await;
    assert_eq!(hanging.untaken(), 0);
}

#[tokio::test]
async fn a_receiver_that_hangs_beyond_the_deadline_has_failed() {
    let mut receiver = Receiver::start(Answer::Hang).await;
    let mut short = settings();
    short.timeout = Duration::from_millis(500);
    let (server, api) = start(short).await;
    let id = trunk(&api, "Hanging", &receiver.url("/")).await;
    set(&api, &id, "blocked").await;
    receiver.next().await;
    let failed = deliveries(&server.control(), 1).await;
    assert_eq!((failed[0].status, failed[0].error.as_deref()), (None, Some("no answer within 500 ms")));
    receiver.answers(Answer::Status(200));
    server.control().clock().advance(Duration::from_mins(1));
    receiver.next().await;
}

#[tokio::test]
async fn a_redirect_is_a_failure_and_is_not_followed() {
    let target = Receiver::start(Answer::Status(200)).await;
    let mut receiver = Receiver::start(Answer::Redirect(target.url("/"))).await;
    let (server, api) = start(settings()).await;
    let id = trunk(&api, "Redirected", &receiver.url("/")).await;
    set(&api, &id, "blocked").await;
    receiver.next().await;
    let failed = deliveries(&server.control(), 1).await;
    assert_eq!((failed[0].status, failed[0].error.as_deref()), (Some(302), Some("answered 302")));
    assert_eq!(target.untaken(), 0);
}

#[tokio::test]
async fn a_receiver_that_was_down_is_notified_when_it_is_back() {
    let receiver = Receiver::start(Answer::Status(200)).await;
    let (address, url) = (receiver.address(), receiver.url("/"));
    drop(receiver);
    let (server, api) = start(settings()).await;
    let id = trunk(&api, "Down", &url).await;
    set(&api, &id, "blocked").await;
    let failed = deliveries(&server.control(), 1).await;
    let error = failed[0].error.as_deref().unwrap();
    assert!(failed[0].status.is_none() && error.starts_with("no connection"), "{error}");
    let mut receiver = Receiver::at(address, Answer::Status(200)).await;
    server.control().clock().advance(Duration::from_mins(1));
    assert_eq!(states(&receiver.next().await.verified(&url, SECRET)), [(Blocked, false)]);
}

#[tokio::test]
async fn a_change_that_was_rolled_back_or_refused_sends_no_callback() {
    let mut receiver = Receiver::start(Answer::Status(200)).await;
    let (_server, api) = start(settings()).await;
    let id = trunk(&api, "First", &receiver.url("/first")).await;
    let other = trunk(&api, "Second", &receiver.url("/second")).await;
    // Only the store detects this one, inside the transaction that would have written the event.
    assert_eq!(patch(&api, &id, json!({ "status": "blocked", "name": "Second" })).await, 422);
    // The rules detect this one.
    assert_eq!(patch(&api, &id, json!({ "status": "blocked", "capacity_limit": -1 })).await, 422);
    set(&api, &other, "blocked").await;
    assert_eq!(receiver.next().await.path, "/second");
    set(&api, &id, "blocked").await;
    let url = receiver.url("/first");
    assert_eq!(states(&receiver.next().await.verified(&url, SECRET)), [(Blocked, false)]);
    assert_eq!(receiver.untaken(), 0);
}

#[tokio::test]
async fn loopback_is_refused_without_the_flag() {
    let receiver = Receiver::start(Answer::Status(200)).await;
    let (server, api) = start(Settings::default()).await;
    let id = trunk(&api, "Inside", &receiver.url("/")).await;
    set(&api, &id, "blocked").await;
    let failed = deliveries(&server.control(), 1).await;
    assert_eq!(failed[0].error.as_deref(), Some("127.0.0.1 is not allowed: it is loopback"));
    assert_eq!(receiver.untaken(), 0);
}

#[tokio::test]
async fn attempts_are_listed_on_the_control_api_without_passwords() {
    let mut receiver = Receiver::start(Answer::Status(418)).await;
    let server = engine::builder()
        .api_key(KEY)
        .callback_secret(SECRET)
        .callbacks(settings())
        .control_listener()
        .start()
        .await;
    let api = Api::new(server.base_url(), KEY);
    let url = format!("http://user:hunter2@{}/", receiver.address());
    let id = trunk(&api, "Listed", &url).await;
    set(&api, &id, "blocked").await;
    let callback = receiver.next().await;
    assert_eq!(states(&callback.verified(&url, SECRET)), [(Blocked, false)]);
    assert_eq!(callback.header("authorization").as_deref(), Some("Basic dXNlcjpodW50ZXIy"));
    deliveries(&server.control(), 1).await;
    let control = format!("http://{}/control/v1", server.server().control_address().unwrap());
    let listed = Api::new(control, "");
    let answer = listed.get(&format!("/deliveries?account={}&limit=5", server.account())).await;
    let first = answer.at("/deliveries/0");
    assert_eq!(first["trunk"], json!(id));
    assert_eq!(first["account"], json!(server.account().to_string()));
    assert_eq!((&first["events"], &first["attempt"], &first["status"]), (&json!(1), &json!(1), &json!(418)));
    assert_eq!((&first["url"], &first["error"]), (&json!(receiver.url("/")), &json!("answered 418")));
    assert!(!answer.text.contains("hunter2"));
    assert_eq!(listed.get(&format!("/deliveries?account={}", Uuid::nil())).await.status, 404);
    assert_eq!(listed.get("/deliveries?limit=many").await.status, 422);
    assert_eq!(listed.get("/deliveries?page=2").await.status, 422);
    assert_eq!(listed.get("/deliveries?limit=0").await.at("/deliveries"), json!([]));
}

/// A database file that is deleted with the test.
struct File(PathBuf);

impl File {
    fn new() -> Self {
        Self(std::env::temp_dir().join(format!("trunk-callbacks-{}.db", unique())))
    }

    fn config(&self) -> Config {
        let mut config = Config::default();
        "127.0.0.1:0".clone_into(&mut config.listen);
        config.control_listen = None;
        config.database = Database::File(self.0.clone());
        config.api_key = Some(KEY.into());
        config.callback_secret = Some(SECRET.into());
        config
    }

    async fn start(&self, settings: Settings, clock: Clock) -> Server {
        Server::builder(self.config()).callbacks(settings).clock(clock).start().await.unwrap()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        for end in ["", "-wal", "-shm", ".lock"] {
            let mut name = self.0.clone().into_os_string();
            name.push(end);
            let _absent = std::fs::remove_file(name);
        }
    }
}

#[tokio::test]
async fn what_waits_and_what_was_under_way_survive_a_restart() {
    let (database, clock) = (File::new(), frozen());
    let mut hanging = Receiver::start(Answer::Hang).await;
    let mut failing = Receiver::start(Answer::Status(500)).await;
    let server = database.start(settings(), clock.clone()).await;
    let api = Api::new(server.base_url(), KEY);
    let waits = trunk(&api, "Waits", &failing.url("/")).await;
    set(&api, &waits, "blocked").await;
    failing.next().await;
    deliveries(&server.control(), 1).await;
    let cut = trunk(&api, "Cut short", &hanging.url("/")).await;
    set(&api, &cut, "blocked").await;
    hanging.next().await;
    server.stop().await.unwrap();

    hanging.answers(Answer::Status(200));
    failing.answers(Answer::Status(200));
    let server = database.start(settings(), clock.clone()).await;
    // The interrupted attempt was not recorded, so it is repeated at once; the failed one waits for its
    // minute.
    assert_eq!(states(&hanging.next().await.verified(&hanging.url("/"), SECRET)), [(Blocked, false)]);
    deliveries(&server.control(), 2).await;
    assert_eq!(failing.untaken(), 0);
    clock.advance(Duration::from_mins(1));
    assert_eq!(states(&failing.next().await.verified(&failing.url("/"), SECRET)), [(Blocked, false)]);
    let delivered = deliveries(&server.control(), 3).await;
    assert_eq!(delivered.iter().map(|delivery| delivery.attempt).collect::<Vec<_>>(), [1, 1, 2]);
    server.stop().await.unwrap();
}

#[tokio::test]
async fn an_event_whose_server_died_right_after_the_commit_is_sent_after_the_restart() {
    let database = File::new();
    let mut receiver = Receiver::start(Answer::Status(200)).await;
    let url = receiver.url("/");
    let server = database.start(settings(), frozen()).await;
    server.stop().await.unwrap();
    let store = SqliteStore::open(&database.0).unwrap();
    let account = store.accounts().await.unwrap()[0].number;
    let subject = unique();
    let events = [("blocked", true), ("active", false)].map(|(status, reached)| {
        let created_at = didww_types::Timestamp::from_unix_millis(START);
        let body = json!({
            "id": subject.to_string(), "type": "voice_out_trunks", "status": status, "threshold_reached": reached,
            "created_at": created_at,
        });
        let (form, url) = (EventForm::Trunk { account }, url.clone());
        Change::Emit(Box::new(NewEvent { form, subject, url, body: body.to_string(), created_at }))
    });
    store.commit(events.into()).await.unwrap();
    store.close().await.unwrap();
    drop(store);
    let server = database.start(settings(), frozen()).await;
    let events = receiver.next().await.verified(&url, SECRET);
    assert_eq!(states(&events), [(Blocked, true), (Active, false)]);
    deliveries(&server.control(), 1).await;
    server.stop().await.unwrap();
    // Delivered once: after another start nothing is left to deliver.
    let server = database.start(settings(), frozen()).await;
    let marker = trunk(&Api::new(server.base_url(), KEY), "Marker", &receiver.url("/marker")).await;
    set(&Api::new(server.base_url(), KEY), &marker, "blocked").await;
    assert_eq!(receiver.next().await.path, "/marker");
}
