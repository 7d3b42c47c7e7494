//! A server is killed repeatedly under a mixed load of its API, calls at its edge, calls of the platform, and
//! callbacks. On each engine.
//!
//! `KILLS=200` makes the run long.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::json;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::crash::{Heard, all_end, nothing_dangles, three};
use super::durable::{ADMIN, Apis, EDGE};
use crate::idempotency::door::{Door, didww};
use crate::sip::edge::{ANSWERS_AT_ONCE, Edge, Trunk, until};
use crate::sip::uac::Call;
use crate::support::place::Place;
use crate::support::receiver::{Answer, Receiver};
use crate::support::world::credentials;

const SECRET: &str = "cbsec-0123456789abcdef";
/// The price of each call at the edge.
const PRICE: &str = "0.05";

/// The writes that were acknowledged, or were in progress when the server was killed.
#[derive(Default)]
struct Acknowledged {
    /// Names of trunks.
    written: Mutex<BTreeSet<String>>,
    /// `Call-ID`s of calls that were answered.
    answered: Mutex<BTreeSet<String>>,
    /// Records of platform calls, with the ids of their calls.
    placed: Mutex<BTreeMap<Uuid, Vec<Uuid>>>,
    /// The number of the last change of the trunk with callbacks.
    changed: AtomicUsize,
    /// Everything that was acknowledged since the start of the server.
    count: AtomicUsize,
    /// Something was acknowledged.
    more: Notify,
}

impl Acknowledged {
    fn one_more(&self) {
        self.count.fetch_add(1, Ordering::SeqCst);
        self.more.notify_one();
    }
}

/// Creates a trunk with its name as the key. Returns true if it was acknowledged.
async fn write(door: &Door, name: &str, acknowledged: &Acknowledged) -> bool {
    let Some(answer) = door.try_post(&format!("\"{name}\""), &credentials(name)).await else { return false };
    let is_repeated = answer.status == 409 && answer.body.contains("its response was not kept");
    assert!(answer.status == door.created || is_repeated, "{name}: {} {}", answer.status, answer.body);
    acknowledged.written.lock().unwrap().insert(name.to_owned());
    acknowledged.one_more();
    true
}

/// The path of the callback of a change.
fn path(change: usize) -> String {
    format!("/changes/{change}")
}

/// The trunks that the load uses, and the provider of the platform's calls.
struct Stage {
    called: Trunk,
    changing: Trunk,
    provider: voipbin_client::types::Provider,
}

/// Starts everything that works at a server until it is killed, but the caller, whose socket would fail then.
fn work(
    edge: &Edge,
    apis: &Apis,
    stage: &Stage,
    round: usize,
    base: &str,
    shared: &Arc<Acknowledged>,
) -> JoinSet<()> {
    let mut work = JoinSet::new();
    for writer in 0..3 {
        let (door, shared) = (didww(&edge.binary.base, "good"), Arc::clone(shared));
        work.spawn(async move {
            for number in 0.. {
                if !write(&door, &format!("{round}-{writer}-{number}"), &shared).await {
                    return;
                }
            }
        });
    }
    let (platform, body, of_platform) = (apis.platform.clone(), three(&stage.provider), Arc::clone(shared));
    work.spawn(async move {
        while let Ok(placed) = platform.provider_calls().create(body.clone()).await {
            of_platform.placed.lock().unwrap().insert(placed.id, placed.call_ids);
            of_platform.one_more();
        }
    });
    let (api, trunk, base, shared) =
        (edge.api.clone(), stage.changing.id.clone(), base.to_owned(), Arc::clone(shared));
    work.spawn(async move {
        loop {
            let change = shared.changed.load(Ordering::SeqCst) + 1;
            let status = if change % 2 == 0 { "active" } else { "blocked" };
            let attributes = json!({ "status": status, "callback_url": format!("{base}{}", path(change)) });
            let data = json!({ "type": "voice_out_trunks", "id": trunk, "attributes": attributes });
            let request = api.request(http::Method::PATCH, &format!("/voice_out_trunks/{trunk}"));
            let Ok(answer) = request.body(json!({ "data": data }).to_string()).send().await else { return };
            assert_eq!(answer.status(), 200, "change {change}");
            shared.changed.store(change, Ordering::SeqCst);
            shared.one_more();
        }
    });
    work
}

/// Places one call after the other.
async fn call(edge: &Edge, trunk: &Trunk, shared: &Acknowledged) {
    loop {
        let mut call = Call::new(edge, ANSWERS_AT_ONCE).await;
        let answer = call.place(trunk).await;
        assert_eq!(answer.code(), 200, "{answer:?}");
        shared.answered.lock().unwrap().insert(call.id.clone());
        shared.one_more();
        call.hang_up().await;
    }
}

/// The change of the trunk that is stored. The one whose answer is missing happened or did not.
async fn stored_change(edge: &Edge, stage: &Stage, base: &str, acknowledged: usize) -> usize {
    let url = edge.shown(&stage.changing, "/attributes/callback_url").await;
    let stored = (acknowledged..=acknowledged + 1).find(|change| url == format!("{base}{}", path(*change)));
    stored.unwrap_or_else(|| panic!("change {acknowledged} was acknowledged, and {url} is there"))
}

/// Receives callbacks until each change was notified, in their order.
async fn each_is_notified(changes: usize, receiver: &mut Receiver) {
    let mut last = 0;
    while last < changes {
        let came = receiver.next().await.path;
        let change: usize = came.rsplit('/').next().unwrap().parse().unwrap();
        assert!((1..=last + 1).contains(&change), "change {change} is notified behind change {last}");
        last = last.max(change);
    }
}

async fn survives_kills(place: &Place, kills: usize) {
    let mut hooks = Receiver::start(Answer::Status(200)).await;
    let mut receiver = Receiver::start(Answer::Status(200)).await;
    let base = receiver.url("");
    let config = place.folder().join("mixed.toml");
    std::fs::write(&config, EDGE).unwrap();
    let url = place.url();
    let arguments =
        ["--database", url.as_str(), "--config", config.to_str().unwrap(), "--voipbin-admin", ADMIN];
    let arguments = [&arguments[..], &["--allow-loopback-callbacks", "--callback-secret", SECRET]].concat();

    let mut edge = Edge::with_arguments(&arguments).await;
    let mut apis = Apis::of(&edge.binary).await;
    apis.ready(&hooks).await;
    let stage = Stage {
        called: edge.trunk(json!({})).await,
        changing: edge.trunk(json!({ "callback_url": format!("{base}{}", path(0)) })).await,
        provider: apis.provider().await,
    };
    let shared = Arc::new(Acknowledged::default());
    for round in 0..kills {
        shared.count.store(0, Ordering::SeqCst);
        let mut work = work(&edge, &apis, &stage, round, &base, &shared);
        let enough = async {
            while shared.count.load(Ordering::SeqCst) < 30 + round * 17 % 60 {
                shared.more.notified().await;
            }
        };
        tokio::select! {
            () = call(&edge, &stage.called, &shared) => {}
            () = enough => {}
        }
        edge.binary.signal("KILL");
        while let Some(ended) = work.join_next().await {
            ended.unwrap();
        }
        drop(edge);
        place.check(&format!("after kill {round}"));
        edge = Edge::with_arguments(&arguments).await;
        apis = Apis::of(&edge.binary).await;
        // Requests without a response are repeated with their keys.
        let door = didww(&edge.binary.base, "good");
        for writer in 0..3 {
            let prefix = format!("{round}-{writer}-");
            let done = shared.written.lock().unwrap().iter().filter(|name| name.starts_with(&prefix)).count();
            assert!(write(&door, &format!("{prefix}{done}"), &shared).await);
        }
        let acknowledged = shared.changed.load(Ordering::SeqCst);
        let stored = stored_change(&edge, &stage, &base, acknowledged).await;
        shared.changed.store(stored, Ordering::SeqCst);
    }

    all_end(&apis.platform, place).await;
    let placed = shared.placed.lock().unwrap().clone();
    let calls = nothing_dangles(&apis.platform, &placed).await;
    Heard::default().ends_of(&calls, &mut hooks).await;
    let changes = shared.changed.load(Ordering::SeqCst);
    each_is_notified(changes, &mut receiver).await;
    until("no call of a killed server is left", async || {
        (place.ask("SELECT count(*) FROM running_call") == ["0"]).then_some(())
    })
    .await;
    let answered = shared.answered.lock().unwrap().clone();
    let mut recorded = BTreeSet::new();
    for record in edge.records(&stage.called).await {
        let id = record["call_id"].as_str().unwrap().to_owned();
        // Of a call whose answer was on its way, or was not acknowledged yet, nothing need be paid.
        assert!(
            record["price"] == PRICE || !answered.contains(&id) || record["disconnect_cause"] == 9002,
            "{record}"
        );
        assert!(recorded.insert(id), "a second record of one call: {record}");
    }
    let lost: Vec<_> = answered.difference(&recorded).collect();
    assert!(lost.is_empty(), "answered, and without a record: {lost:?}");
    let written = shared.written.lock().unwrap().clone();
    let listed = place.ask("SELECT attributes FROM record WHERE attributes LIKE '%\"192.168.1.1%'");
    for name in &written {
        let found = listed.iter().filter(|text| text.contains(&format!("\"name\":\"{name}\""))).count();
        assert_eq!(found, 1, "{name}");
    }
    assert_eq!(listed.len(), written.len(), "what has a key was done once, and nothing else");
    place.check("in the end");
    println!(
        "{kills} kills: {} keyed writes, {} calls at the edge, {} of the platform, {changes} changes with callbacks",
        written.len(),
        answered.len(),
        calls.len(),
    );
    assert!(edge.binary.runs());
}

fn kills(default: usize) -> usize {
    std::env::var("KILLS").map_or(default, |text| text.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_under_mixed_load_loses_and_doubles_nothing_when_it_is_killed() {
    survives_kills(&Place::file(), kills(3)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_on_postgresql_under_mixed_load_loses_and_doubles_nothing_when_it_is_killed() {
    survives_kills(&Place::postgres(), kills(3)).await;
}
