//! Idempotency keys of a server that is restarted, or killed on each engine.
//!
//! `KILLS=200` makes the run long.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use rusqlite::Connection;
use serde_json::{Value, json};

use super::KEY;
use super::door::{Answered, Door, control, didww, voipbin};
use super::is_replay;
use crate::support::api::Api;
use crate::support::binary::Binary;
use crate::support::dump::{assert_same, dump};
use crate::support::place::Place;

/// Number of requests that are sent at once before a kill.
const PER_ROUND: usize = 40;

/// A server with a database in a file, and its three APIs.
struct Started {
    binary: Binary,
    doors: [Door; 3],
}

fn start(database: &str) -> Binary {
    Binary::start(&["--database", database, "--api-key", "good", "--voipbin-admin", "root:correct horse"])
}

async fn started(database: &str) -> Started {
    let binary = start(database);
    let base = binary.base.trim_end_matches("/v3").to_owned();
    let http = crate::support::api::http_client();
    let login = json!({ "username": "root", "password": "correct horse" }).to_string();
    let login = http.post(format!("{base}/auth/login")).body(login).send().await.unwrap();
    let login: Value = serde_json::from_str(&login.text().await.unwrap()).unwrap();
    let mut platform = voipbin(&format!("{base}/v1.0"), "");
    let cookie = format!("token={}", login["token"].as_str().unwrap());
    platform.headers.insert("cookie", cookie.parse().unwrap());
    let doors = [didww(&binary.base, "good"), platform, control(binary.control.as_ref().unwrap())];
    Started { binary, doors }
}

#[tokio::test]
async fn a_response_is_replayed_after_a_restart_and_no_secret_of_it_is_in_the_database() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("trunks.db");
    let Started { binary, doors } = started(database.to_str().unwrap()).await;
    let firsts = join_all(doors.iter().map(|door| door.post(KEY, &door.body))).await;
    // The key itself is in the database; the body that shows it is not.
    let shown = format!("\"api_key\":\"{}\"", firsts[2].json()["api_key"].as_str().unwrap());
    assert!(firsts[2].body.contains(&shown));
    assert_eq!(binary.terminate(), Some(0));
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(
            !bytes.windows(shown.len()).any(|text| text == shown.as_bytes()),
            "the response is in a file"
        );
    }
    let Started { binary, doors } = started(database.to_str().unwrap()).await;
    for (first, door) in firsts.iter().zip(&doors) {
        is_replay(first, &door.post(KEY, &door.body).await, door);
    }
    assert_eq!(binary.terminate(), Some(0));
}

#[tokio::test]
async fn a_repeated_request_leaves_the_database_as_it_was_row_by_row() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("trunks.db");
    let Started { binary, doors } = started(database.to_str().unwrap()).await;
    // Jobs that run later are not part of this test.
    let control = Api::new(binary.control.clone().unwrap(), "").with_key(None);
    assert_eq!(control.post("/clock/freeze", &json!({})).await.status, 200);
    let empty = dump(&database);
    let mut firsts = Vec::new();
    for door in &doors {
        let before = dump(&database);
        let first = door.post(KEY, &door.body).await;
        assert_eq!(first.status, door.created, "{}", first.body);
        let refused = door.post("\"refused\"", &door.wrong_body).await;
        assert!((400..500).contains(&refused.status), "{}", refused.body);
        let made = dump(&database);
        assert_ne!(made, before, "{}: a dump shows a request", door.name);
        for _ in 0..3 {
            is_replay(&first, &door.post(KEY, &door.body).await, door);
            is_replay(&refused, &door.post("\"refused\"", &door.wrong_body).await, door);
            door.is_error(&door.post(KEY, &door.other_body).await, 422, "has been used");
        }
        assert_same(&made, &dump(&database));
        firsts.push(first);
    }
    assert!(dump(&database).len() > empty.len());
    assert_eq!(binary.terminate(), Some(0));
    // The same after a restart, whose own writes come first.
    let Started { binary, doors } = started(database.to_str().unwrap()).await;
    let control = Api::new(binary.control.clone().unwrap(), "").with_key(None);
    assert_eq!(control.post("/clock/freeze", &json!({})).await.status, 200);
    let restarted = dump(&database);
    for (first, door) in firsts.iter().zip(&doors) {
        is_replay(first, &door.post(KEY, &door.body).await, door);
    }
    assert_same(&restarted, &dump(&database));
    assert_eq!(binary.terminate(), Some(0));
}

#[tokio::test]
async fn a_request_whose_response_was_lost_is_refused_and_not_repeated() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("trunks.db");
    let Started { binary, doors } = started(database.to_str().unwrap()).await;
    for door in &doors {
        assert_eq!(door.post(KEY, &door.body).await.status, door.created);
    }
    assert_eq!(binary.terminate(), Some(0));
    // As a kill leaves it between the write of a request and the storing of its response.
    let file = Connection::open(&database).unwrap();
    file.execute("UPDATE idempotency_key SET status = NULL, content_type = NULL, body = NULL", []).unwrap();
    drop(file);
    let Started { binary, doors } = started(database.to_str().unwrap()).await;
    for door in &doors {
        let before = door.count().await;
        let refused = door.post(KEY, &door.body).await;
        door.is_error(&refused, 409, "its response was not kept");
        assert_eq!(refused.header("retry-after"), None, "to repeat it does not help");
        door.is_error(&door.post(KEY, &door.other_body).await, 422, "has been used");
        assert_eq!(door.count().await, before, "{}", door.name);
    }
    assert_eq!(binary.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_are_repeated_after_a_kill_have_one_effect() {
    repeated_after_a_kill(&Place::file()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_on_postgresql_that_are_repeated_after_a_kill_have_one_effect() {
    repeated_after_a_kill(&Place::postgres()).await;
}

async fn repeated_after_a_kill(place: &Place) {
    let kills: usize = std::env::var("KILLS").map_or(4, |text| text.parse().unwrap());
    let (mut lost, mut unanswered) = (0, 0);
    for round in 0..kills {
        let Started { binary, doors: [_, door, _] } = started(&place.url()).await;
        // Names of providers are not unique: a second effect would be a second record.
        let names: Vec<String> = (0..PER_ROUND).map(|n| format!("{round}-{n}")).collect();
        let body = |name: &str| json!({ "hostname": "a.test", "name": name });
        let key = |name: &str| format!("\"key of {name}\"");
        let (sender, mut answers) = tokio::sync::mpsc::unbounded_channel();
        for name in names.clone() {
            let (door, sender, key, body) = (door.clone(), sender.clone(), key(&name), body(&name));
            tokio::spawn(async move {
                let answer = door.try_post(&key, &body).await;
                let _ended = sender.send((name, answer));
            });
        }
        drop(sender);
        let mut before: BTreeMap<String, Option<Answered>> = BTreeMap::new();
        // The kill comes while the other requests are on their way.
        for _ in 0..=(round * 7) % (PER_ROUND / 2) {
            let (name, answer) = answers.recv().await.unwrap();
            before.insert(name, answer);
        }
        binary.kill();
        while let Some((name, answer)) = answers.recv().await {
            before.insert(name, answer);
        }
        let Started { binary, doors: [_, door, _] } = started(&place.url()).await;
        for name in &names {
            let repeated = door.post(&key(name), &body(name)).await;
            match (&before[name], repeated.status) {
                (Some(first), _) => is_replay(first, &repeated, &door),
                (None, 200) => unanswered += 1,
                (None, _) => {
                    door.is_error(&repeated, 409, "its response was not kept");
                    (unanswered, lost) = (unanswered + 1, lost + 1);
                }
            }
        }
        assert_eq!(binary.terminate(), Some(0));
        let sql = format!("SELECT body FROM document WHERE body LIKE '%\"name\":\"{round}-%'");
        let bodies = place.ask(&sql);
        for name in &names {
            let records = bodies.iter().filter(|body| body.contains(&format!("\"name\":\"{name}\""))).count();
            assert_eq!(records, 1, "{name} after kill {round}");
        }
    }
    println!(
        "{kills} kills, {unanswered} requests without an answer, {lost} of them carried out without a response"
    );
    assert!(unanswered > 0, "the kills came while there were requests");
}
