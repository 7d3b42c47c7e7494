//! A write at one server is visible to the next read at the other one, and no acknowledged write depends on one server.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use http::Method;
use serde_json::{Value, json};

use super::{Pair, body, kill, listed};
use crate::sip::edge::until;
use crate::support::api::Api;

/// Number of writers at each server.
const WRITERS: usize = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_read_at_one_server_has_what_the_other_one_wrote() {
    let pair = Pair::start().await;
    for round in 1..=50_i32 {
        let (writer, reader) =
            if round % 2 == 0 { (&pair.one, &pair.other) } else { (&pair.other, &pair.one) };
        let trunk = writer.trunk(json!({ "name": format!("Round {round}") })).await;
        assert_eq!(reader.shown(&trunk, "/attributes/name").await, format!("Round {round}"));
        assert_eq!(listed(reader).await, [trunk.id.as_str()], "round {round}");

        reader.patch(&trunk, json!({ "capacity_limit": round })).await;
        assert_eq!(writer.shown(&trunk, "/attributes/capacity_limit").await, round);
        writer.patch(&trunk, json!({ "name": "Again" })).await;
        let shown = reader.shown(&trunk, "/attributes").await;
        assert_eq!((&shown["name"], &shown["capacity_limit"]), (&json!("Again"), &json!(round)));

        let path = format!("/voice_out_trunks/{}", trunk.id);
        assert_eq!(writer.api.delete(&path).await.status, 204);
        assert_eq!(reader.api.get(&path).await.status, 404, "round {round}");
        assert!(listed(reader).await.is_empty(), "round {round}");
    }
}

/// Trunks whose creation was acknowledged: the id and the name of each.
type Ledger = Mutex<Vec<(String, String)>>;

/// Creates trunks until an answer is missing, or until it is enough.
async fn create(api: &Api, writer: &str, ledger: &Ledger, enough: &AtomicBool) {
    for number in 0.. {
        if enough.load(Ordering::SeqCst) {
            return;
        }
        let name = format!("{writer} {number}");
        let request = api.request(Method::POST, "/voice_out_trunks").body(body(&name).to_string());
        let Ok(answer) = request.send().await else { return };
        let status = answer.status();
        let Ok(text) = answer.text().await else { return };
        assert_eq!(status, 201, "{text}");
        let created: Value = serde_json::from_str(&text).unwrap();
        let id = created["data"]["id"].as_str().unwrap().to_owned();
        ledger.lock().unwrap().push((id, name));
    }
}

/// Waits until writers whose names begin with this have this many acknowledged trunks.
async fn acknowledged(ledger: &Ledger, of: &str, number: usize) {
    let count = || ledger.lock().unwrap().iter().filter(|(_, name)| name.starts_with(of)).count();
    until("trunks are acknowledged", async || (count() >= number).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_acknowledged_trunk_is_lost_or_doubled_when_one_of_two_servers_is_killed() {
    let mut pair = Pair::start().await;
    let (ledger, enough) = (Arc::new(Ledger::default()), Arc::new(AtomicBool::new(false)));
    let mut writers = Vec::new();
    for (api, of) in [(&pair.one.api, "killed"), (&pair.other.api, "survivor")] {
        for number in 0..WRITERS {
            let (api, ledger, enough) = (api.clone(), Arc::clone(&ledger), Arc::clone(&enough));
            writers.push(tokio::spawn(async move {
                create(&api, &format!("{of} {number}"), &ledger, &enough).await;
            }));
        }
    }
    acknowledged(&ledger, "killed", 40).await;
    acknowledged(&ledger, "survivor", 40).await;
    kill(&mut pair.one).await;
    let so_far = ledger.lock().unwrap().iter().filter(|(_, name)| name.starts_with("survivor")).count();
    // The survivor works on, whatever the other one was doing.
    acknowledged(&ledger, "survivor", so_far + 40).await;
    enough.store(true, Ordering::SeqCst);
    for writer in writers {
        writer.await.unwrap();
    }

    let there = trunks(&pair.other.api).await;
    compare(&there, &ledger.lock().unwrap());
}

/// The ids and names of all trunks, read page by page.
async fn trunks(api: &Api) -> BTreeSet<(String, String)> {
    let mut there = BTreeSet::new();
    for page in 1.. {
        let answer = api.get(&format!("/voice_out_trunks?page[size]=1000&page[number]={page}")).await;
        let listed = answer.at("/data");
        let listed = listed.as_array().unwrap_or_else(|| panic!("{}", answer.text));
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        there.extend(listed.iter().map(|trunk| (text(&trunk["id"]), text(&trunk["attributes"]["name"]))));
        if listed.len() < 1_000 {
            break;
        }
    }
    there
}

fn compare(there: &BTreeSet<(String, String)>, acknowledged: &[(String, String)]) {
    let lost: Vec<_> = acknowledged.iter().filter(|trunk| !there.contains(*trunk)).collect();
    assert!(lost.is_empty(), "acknowledged by either server, and lost: {lost:?}");
    let names: BTreeSet<&String> = there.iter().map(|(_, name)| name).collect();
    assert_eq!(names.len(), there.len(), "no name is there twice");
    // At the moment of the kill each writer of the killed server waited for one answer at most.
    let limit = acknowledged.len() + WRITERS;
    assert!(there.len() <= limit, "{} trunks, {} acknowledged", there.len(), acknowledged.len());
}
