//! A server is killed, or stands still for longer than its leases: what it was doing is taken over, and one that wakes
//! up does not go on with it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use uuid::Uuid;
use voipbin_client::types::{CallStatus, EventKind};

use super::{Pair, number_of, until_acknowledged, until_alone};
use crate::outbound::durable::{ADMIN, Apis, EDGE};
use crate::outbound::stage::{long_call, webhook_event};
use crate::sip::edge::{ANSWERS_AT_ONCE, Edge, Trunk, until};
use crate::sip::uac::Call;
use crate::support::receiver::{Answer, Receiver};

const SECRET: &str = "cbsec-0123456789abcdef";
/// The time within which the events of a server that is away are sent by another one.
const TAKEN_OVER_WITHIN: Duration = Duration::from_secs(30);

/// The fault of the server.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    Killed,
    /// It is stopped until the other one has taken over, and continued then.
    Paused,
}

/// The path of the callback of a change.
fn path(trunk: &Trunk, change: usize) -> String {
    format!("/{}/{change}", trunk.id)
}

/// A trunk whose first event is on its way from the first server, which has no answer to it.
async fn trunk_with_event_at(pair: &Pair, receiver: &mut Receiver) -> Trunk {
    let own = number_of(&pair.one).await;
    for _ in 0..40 {
        let trunk = pair.one.trunk(json!({})).await;
        change(&pair.one, &trunk, &receiver.url(&path(&trunk, 1))).await;
        while receiver.next().await.path != path(&trunk, 1) {}
        let holder = format!("SELECT holder FROM outbox_queue WHERE subject = '{}'", trunk.id);
        if pair.database.ask(&holder) == own.to_string() {
            return trunk;
        }
    }
    panic!("the first server sends no events");
}

/// Changes the status of a trunk, which is an event that is sent to this URL.
async fn change(edge: &Edge, trunk: &Trunk, url: &str) {
    let is_blocked = edge.shown(trunk, "/attributes/status").await == "blocked";
    let status = if is_blocked { "active" } else { "blocked" };
    edge.patch(trunk, json!({ "status": status, "callback_url": url })).await;
}

/// Receives webhooks until a call has ended, in their order.
async fn ends(hooks: &mut Receiver, id: Uuid) {
    let mut last = None;
    loop {
        let (kind, call) = webhook_event(&hooks.next().await);
        if call.id != id {
            continue;
        }
        assert!(last.as_ref() <= Some(&call.tm_update), "{kind} came behind a later event");
        last = Some(call.tm_update);
        if kind == EventKind::CallHangup {
            return;
        }
    }
}

async fn another_server_takes_over(fault: Fault) {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("edge.toml");
    std::fs::write(&config, EDGE).unwrap();
    let arguments = ["--config", config.to_str().unwrap(), "--voipbin-admin", ADMIN];
    let arguments = [&arguments[..], &["--allow-loopback-callbacks", "--callback-secret", SECRET]].concat();
    let mut pair = Pair::start_with(&arguments).await;
    let (mut events, mut thresholds) =
        (Receiver::start(Answer::Hang).await, Receiver::start(Answer::Status(200)).await);
    let mut hooks = Receiver::start(Answer::Status(200)).await;

    // A call of the platform, and one of a trunk with one channel, at the first server.
    let apis = Apis::of(&pair.one.binary).await;
    apis.ready(&hooks).await;
    let provider = apis.provider().await;
    let placed = apis.platform.provider_calls().create(long_call(&provider)).await.unwrap().call_ids[0];
    until("the call is up", async || {
        let call = apis.platform.calls().get(placed).await.unwrap();
        (call.status == CallStatus::Progressing).then_some(())
    })
    .await;
    let channel = pair.trunk(json!({ "capacity_limit": 1 })).await;
    let mut held = Call::up(&pair.one, &channel, ANSWERS_AT_ONCE).await;
    // A threshold that two calls reach, one at each server.
    let url = thresholds.url("/reached");
    let metered = pair.trunk(json!({ "threshold_amount": "0.1", "callback_url": url })).await;
    let _at_one = Call::up(&pair.one, &metered, ANSWERS_AT_ONCE).await;
    let mut at_other = Call::up(&pair.other, &metered, ANSWERS_AT_ONCE).await;
    let trunk = trunk_with_event_at(&pair, &mut events).await;
    until_acknowledged(&pair.database, &channel).await;

    pair.one.binary.signal(if fault == Fault::Killed { "KILL" } else { "STOP" });
    let since = Instant::now();
    events.answers(Answer::Status(200));
    for number in 2..=4 {
        change(&pair.other, &trunk, &events.url(&path(&trunk, number))).await;
    }
    // A BYE that waits at a stopped server.
    let bye = tokio::spawn(async move {
        if fault == Fault::Paused {
            held.request("BYE", &[], "").await;
        }
    });
    // What was on its way is sent again, and what came later behind it.
    for number in 1..=4 {
        let callback = loop {
            let callback = events.next().await;
            if callback.path.starts_with(&format!("/{}", trunk.id)) {
                break callback;
            }
        };
        assert_eq!(callback.path, path(&trunk, number), "the events of a trunk are sent in their order");
        let sent = callback.verified(&events.url(&callback.path), SECRET);
        assert_eq!((sent.len(), sent[0].id.as_str()), (1, trunk.id.as_str()));
    }
    let events_after = since.elapsed();
    ends(&mut hooks, placed).await;
    let webhooks_after = since.elapsed();
    println!("{fault:?}: callbacks after {events_after:?}, webhooks after {webhooks_after:?}");
    assert!(events_after.max(webhooks_after) < TAKEN_OVER_WITHIN);
    until_alone(&pair.other).await;
    let mut next = Call::up(&pair.other, &channel, ANSWERS_AT_ONCE).await;

    if fault == Fault::Paused {
        pair.one.binary.signal("CONT");
    }
    until("it ends", async || (!pair.one.binary.runs()).then_some(())).await;
    bye.abort();
    while events.untaken() > 0 {
        let path = events.next().await.path;
        assert!(!path.contains(&trunk.id), "{path} is sent again by the server that woke up");
    }
    next.hang_up().await;
    pair.other.record(&channel, 2).await;
    let records = pair.other.records(&channel).await;
    assert_eq!(records.len(), 2, "one record a call: {records:?}");
    assert_eq!(records.iter().filter(|record| record["disconnect_cause"] == 9002).count(), 1, "{records:?}");
    let held = format!("SELECT coalesce(sum(held), 0) FROM channel WHERE trunk = '{}'", channel.id);
    until("the channels are free", async || (pair.database.ask(&held) == "0").then_some(())).await;

    // One block, and one event of it: a second copy at most, if the server that was sending it is away.
    assert_eq!(pair.other.shown(&metered, "/attributes/status").await, "blocked");
    assert_eq!(pair.other.shown(&metered, "/attributes/threshold_reached").await, true);
    at_other.request("BYE", &[], "").await;
    until("the calls of the threshold have ended", async || {
        (pair.other.records(&metered).await.len() == 2).then_some(())
    })
    .await;
    let mut reached = vec![thresholds.next().await];
    while thresholds.untaken() > 0 {
        reached.push(thresholds.next().await);
    }
    let bodies: Vec<Value> = reached.iter().map(|event| serde_json::from_str(&event.body).unwrap()).collect();
    assert!(bodies.iter().all(|body| *body == bodies[0]) && bodies.len() <= 2, "{bodies:?}");
    let waiting = format!("SELECT count(*) FROM outbox WHERE subject = '{}'", metered.id);
    assert_eq!(pair.database.ask(&waiting), "0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_events_calls_and_thresholds_of_a_killed_server_are_taken_over_in_time_and_in_order() {
    another_server_takes_over(Fault::Killed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_wakes_up_after_its_leases_does_nothing_that_was_taken_over() {
    another_server_takes_over(Fault::Paused).await;
}
