//! The real binary is killed while calls are up: what was acknowledged is there, and nothing is left dangling.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use tokio::net::UdpSocket;

use super::caller::Caller;
use super::carrier::Carrier;
use super::stage::*;
use crate::support::api::Api;
use crate::support::binary::Binary;
use crate::support::receiver::{Answer, Receiver};

/// Starts the binary on a database in this folder, with a carrier, and logs in.
async fn start(folder: &Path, carrier: SocketAddr) -> (Binary, Caller) {
    let config = folder.join("config.toml");
    let text = format!(
        "[voipbin]\nsip_bind = \"127.0.0.1\"\nprobe_interval = 0\n[voipbin.hosts]\n\"carrier.example.com\" = \"{carrier}\"\n"
    );
    std::fs::write(&config, text).unwrap();
    let database = folder.join("calls.db");
    let binary = Binary::start(&[
        "--database",
        database.to_str().unwrap(),
        "--config",
        config.to_str().unwrap(),
        "--api-key",
        "good",
        "--voipbin-admin",
        "root:correct horse",
        "--allow-loopback-callbacks",
    ]);
    let at = binary.base.trim_start_matches("http://").trim_end_matches("/v3").parse().unwrap();
    let token = log_in(at, "root", "correct horse").await;
    (binary, Caller::nobody(at).token(&token))
}

fn body(provider: &str) -> Value {
    json!({
        "provider_id": provider, "source": tel(US_TOO), "destinations": [tel(US)],
        "actions": [{ "type": "answer" }, { "type": "sleep", "option": { "duration": 3_600_000 } }],
    })
}

/// Every row of a list.
async fn all(caller: &Caller, list: &str) -> Vec<Value> {
    let (mut rows, mut token) = (Vec::new(), String::new());
    loop {
        let page = caller.get(&format!("{list}?page_token={token}")).await;
        page.at("/next_page_token").as_str().unwrap().clone_into(&mut token);
        if token.is_empty() {
            return rows;
        }
        rows.extend(page.rows());
    }
}

#[tokio::test]
async fn calls_that_were_up_are_over_after_a_restart_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let mut carrier = Carrier::start().await;
    let (binary, caller) = start(folder.path(), carrier.at).await;
    allow(&caller).await;
    let provider = caller.post("/providers", &json!({ "hostname": "carrier.example.com" })).await.id();
    let mut receiver = Receiver::start(Answer::Status(200)).await;
    let control = Api::new(binary.control.clone().unwrap(), "").with_key(None);
    let customer = control.get("/customers").await.at("/customers/0/id").as_str().unwrap().to_owned();
    let hook = json!({ "webhook_uri": receiver.url("/") });
    assert_eq!(control.patch(&format!("/customers/{customer}"), &hook).await.status, 200);
    let mut ids = Vec::new();
    for status in ["dialing", "ringing", "progressing"] {
        let id = first_call(&caller.post("/providercalls", &body(&provider)).await.ok());
        let mut incoming = carrier.call().await;
        match status {
            "ringing" => incoming.respond("180 Ringing").await,
            "progressing" => incoming.answer().await,
            _ => {}
        }
        call_is(&caller, &id, status).await;
        ids.push(id);
    }
    binary.kill();
    let (binary, caller) = start(folder.path(), carrier.at).await;
    for id in &ids {
        let call = call(&caller, id).await;
        assert_eq!(call["status"], "hangup", "{call}");
        assert!(call["hangup_reason"].is_string() && call["hangup_by"].is_string(), "{call}");
        instant(&call["tm_hangup"]);
    }
    let records = all(&caller, "/providercalls").await;
    let mut kept: Vec<String> = records.iter().map(first_call).collect();
    kept.reverse();
    assert_eq!(kept, ids);
    // Each end is told, by the server that ran or by the one that runs.
    let mut ended = BTreeSet::new();
    while ended.len() < ids.len() {
        let event: Value = serde_json::from_str(&receiver.next().await.body).unwrap();
        if event["type"] == "call_hangup" {
            ended.insert(event["data"]["id"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(ended, ids.into_iter().collect());
    // The old token, the providers and the configs are as they were, and calls can be placed.
    let id = first_call(&caller.post("/providercalls", &body(&provider)).await.ok());
    carrier.call().await.refuse(486).await;
    assert_eq!(call_ends(&caller, &id).await.0, "busy");
    assert_eq!(binary.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_leaves_no_call_without_its_record_and_no_record_without_its_call() {
    const ROUNDS: usize = 4;
    let folder = tempfile::tempdir().unwrap();
    // A carrier that never says anything: what is not written stays unwritten.
    let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let at = silent.local_addr().unwrap();
    let mut acknowledged: BTreeSet<String> = BTreeSet::new();
    let mut provider = String::new();
    for round in 0..=ROUNDS {
        let (binary, caller) = start(folder.path(), at).await;
        if round == 0 {
            allow(&caller).await;
            provider = caller.post("/providers", &json!({ "hostname": "carrier.example.com" })).await.id();
        }
        let records = all(&caller, "/providercalls").await;
        let named: BTreeSet<String> = records.iter().map(first_call).collect();
        let calls = all(&caller, "/calls").await;
        let there: BTreeSet<String> =
            calls.iter().map(|call| call["id"].as_str().unwrap().to_owned()).collect();
        assert_eq!(named, there, "each call has its record, and each record its call");
        assert!(acknowledged.is_subset(&there), "round {round}");
        assert!(calls.iter().all(|call| call["status"] == "hangup"), "nothing is dangling");
        if round == ROUNDS {
            break;
        }
        let answers = Arc::new(AtomicUsize::new(0));
        let text = Arc::new(body(&provider).to_string());
        let writers: Vec<_> = (0..8)
            .map(|_| {
                let (caller, text, answers) = (caller.clone(), Arc::clone(&text), Arc::clone(&answers));
                tokio::spawn(async move {
                    let mut ids = Vec::new();
                    while let Some(answer) = caller.attempt("POST", "/providercalls", &text).await {
                        ids.push(first_call(&answer.ok()));
                        answers.fetch_add(1, Ordering::SeqCst);
                    }
                    ids
                })
            })
            .collect();
        crate::sip::edge::until("some answers", async || {
            (answers.load(Ordering::SeqCst) >= 10 + 7 * round).then_some(())
        })
        .await;
        binary.kill();
        for writer in writers {
            acknowledged.extend(writer.await.unwrap());
        }
    }
    assert!(acknowledged.len() >= 10 * ROUNDS);
}
