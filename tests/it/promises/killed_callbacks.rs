//! Callbacks of a server that is killed while it works: each committed change is notified at least once, in the order
//! of its trunk, and nothing else is. On each engine.
//!
//! `KILLS=200` makes the run long.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use tokio::sync::watch;

use crate::support::api::Api;
use crate::support::binary::Binary;
use crate::support::place::Place;
use crate::support::receiver::{Answer, Receiver};
use crate::support::world::{TRUNKS, credentials, patch, with};

const KEY: &str = "killed";
const TRUNKS_AT_ONCE: usize = 6;

/// A trunk, and the number of its last change that is in the database.
#[derive(Debug, Clone)]
struct Changed {
    id: String,
    committed: usize,
}

/// The URL of a change: its own one, so that a callback names the change that it belongs to.
fn url(base: &str, trunk: usize, change: usize) -> String {
    format!("{base}/{trunk}/{change}")
}

/// The trunk and the change in the path of such a URL.
fn change_of(path: &str) -> (usize, usize) {
    let mut numbers = path.trim_start_matches('/').split('/').map(|number| number.parse().unwrap());
    (numbers.next().unwrap(), numbers.next().unwrap())
}

/// Blocks and activates each trunk in turn until the server is killed, after some answers. Returns for each trunk the
/// last change that was acknowledged.
async fn work_until_killed(binary: Binary, base: &str, trunks: &[Changed], after: usize) -> Vec<usize> {
    let api = Api::new(&binary.base, KEY);
    let answered = Arc::new(AtomicUsize::new(0));
    let (reached, mut progress) = watch::channel(false);
    let reached = Arc::new(reached);
    let writers: Vec<_> = trunks
        .iter()
        .cloned()
        .enumerate()
        .map(|(number, trunk)| {
            let (api, base) = (api.clone(), base.to_owned());
            let (answered, reached) = (Arc::clone(&answered), Arc::clone(&reached));
            tokio::spawn(async move {
                let mut acknowledged = trunk.committed;
                loop {
                    let change = acknowledged + 1;
                    let status = if change % 2 == 0 { "active" } else { "blocked" };
                    let attributes = json!({ "status": status, "callback_url": url(&base, number, change) });
                    let request = api.request(http::Method::PATCH, &format!("{TRUNKS}/{}", trunk.id));
                    let request = request.body(patch(&trunk.id, attributes).to_string());
                    // The writer stops at the first missing answer.
                    let Ok(answer) = request.send().await else { return acknowledged };
                    assert_eq!(answer.status(), 200, "change {change}");
                    acknowledged = change;
                    if answered.fetch_add(1, Ordering::SeqCst) + 1 == after {
                        reached.send_replace(true);
                    }
                }
            })
        })
        .collect();
    progress.wait_for(|reached| *reached).await.unwrap();
    binary.kill();
    let mut acknowledged = Vec::new();
    for writer in writers {
        acknowledged.push(writer.await.unwrap());
    }
    acknowledged
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_committed_change_is_notified_at_least_once_and_in_order_although_the_server_is_killed() {
    every_change_is_notified(&Place::file()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_change_on_postgresql_is_notified_at_least_once_and_in_order_although_its_server_is_killed() {
    every_change_is_notified(&Place::postgres()).await;
}

async fn every_change_is_notified(place: &Place) {
    let kills: usize = std::env::var("KILLS").map_or(4, |text| text.parse().unwrap());
    let mut receiver = Receiver::start(Answer::Status(200)).await;
    let base = receiver.url("");
    let url_of_place = place.url();
    let arguments = ["--database", url_of_place.as_str(), "--api-key", KEY, "--callback-secret", "secret"];
    let arguments = [&arguments[..], &["--allow-loopback-callbacks"]].concat();

    let mut binary = Binary::start(&arguments);
    let api = Api::new(&binary.base, KEY);
    let mut trunks = Vec::new();
    for number in 0..TRUNKS_AT_ONCE {
        let attributes = json!({ "callback_url": url(&base, number, 0) });
        let created = api.post(TRUNKS, &with(credentials(&number.to_string()), attributes)).await;
        assert_eq!(created.status, 201, "{}", created.text);
        trunks.push(Changed { id: created.id(), committed: 0 });
    }
    for round in 0..kills {
        let acknowledged = work_until_killed(binary, &base, &trunks, 20 + (round * 7) % 30).await;
        binary = Binary::start(&arguments);
        let api = Api::new(&binary.base, KEY);
        for (trunk, acknowledged) in trunks.iter_mut().zip(acknowledged) {
            let there = api.get(&format!("{TRUNKS}/{}", trunk.id)).await.at("/data/attributes/callback_url");
            let path = there.as_str().unwrap().strip_prefix(&base).unwrap().to_owned();
            trunk.committed = change_of(&path).1;
            // The write whose answer is missing happened or did not.
            assert!(
                [acknowledged, acknowledged + 1].contains(&trunk.committed),
                "after kill {round}: change {acknowledged} was acknowledged, and {} is there",
                trunk.committed
            );
        }
    }

    let changes: usize = trunks.iter().map(|trunk| trunk.committed).sum();
    let mut notified = BTreeMap::<usize, usize>::new();
    let (mut first, mut again) = (0, 0);
    while first < changes {
        let (trunk, change) = change_of(&receiver.next().await.path);
        assert!(change <= trunks[trunk].committed, "change {change} of trunk {trunk} was not committed");
        let last = notified.entry(trunk).or_default();
        if change <= *last {
            again += 1;
        } else {
            assert_eq!(change, *last + 1, "trunk {trunk} is notified in its order and of every change");
            (*last, first) = (change, first + 1);
        }
    }
    println!("{kills} kills, {changes} changes committed, {first} notified, {again} of them more than once");
    assert!(changes >= kills * 20, "the kills came while there was work");
    assert_eq!(binary.terminate(), Some(0));
}
