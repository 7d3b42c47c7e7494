//! One of two servers is cut off from the database, for a short time and for so long that the other one inherits.

use std::time::{Duration, Instant};

use serde_json::json;

use super::ledger::{ADMIN, Ledger};
use super::{Pair, is_away, listed, nodes, until_acknowledged, until_alone, until_ready};
use crate::sip::edge::{ANSWERS_AT_ONCE, Edge, Trunk, until};
use crate::sip::uac::Call;
use crate::support::tcp_proxy::Way;

/// The time in which a server serves again when the database is back.
const BACK_WITHIN: Duration = Duration::from_secs(2);

/// Asserts that a call is refused because the database is away.
async fn is_refused_as_unrecorded(edge: &Edge, trunk: &Trunk) {
    let refused = Call::new(edge, ANSWERS_AT_ONCE).await.attempt_as(trunk, |_| {}).await;
    assert_eq!(refused.code(), 503, "{refused:?}");
    let why = refused.header("X-Refusal").unwrap_or_default();
    assert!(why.contains("check=recording;cause=9003;"), "{refused:?}");
}

/// The records of a trunk at a server that belong to a call.
async fn records_of(edge: &Edge, trunk: &Trunk, call: &Call) -> Vec<serde_json::Value> {
    let records = edge.records(trunk).await;
    records.into_iter().filter(|record| record["call_id"] == call.id.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_cut_off_says_so_and_serves_again_within_two_seconds_of_the_return() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("short.toml");
    std::fs::write(&config, "[sip]\nunrecorded_seconds = 2\n").unwrap();
    let (mut pair, proxy) = Pair::start_behind_proxy(&["--config", config.to_str().unwrap()]).await;
    let plain = pair.trunk(json!({})).await;
    // Since 2026-04-16 every trunk that is created has a threshold.
    let path = format!("/voice_out_trunks/{}", plain.id);
    let attributes = json!({ "threshold_amount": null });
    let body = json!({ "data": { "type": "voice_out_trunks", "id": plain.id, "attributes": attributes } });
    let answer = pair.one.api.at(Some("2022-05-10")).patch(&path, &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let metered = pair.trunk(json!({ "threshold_amount": "100.0" })).await;

    proxy.set(Way::Shut);
    proxy.cut();
    let cut = Instant::now();
    until_ready(&pair.one, 503).await;
    // A call that came before this was refused when its charge could not be stored.
    pair.one.logs(&["the store takes no writes"]).await;
    is_refused_as_unrecorded(&pair.one, &metered).await;
    let mut known = Call::up(&pair.one, &plain, ANSWERS_AT_ONCE).await;
    assert!(cut.elapsed() < Duration::from_secs(2), "calls are decided at once: {:?}", cut.elapsed());
    let answers = [
        pair.one.api.get(&path).await,
        pair.one.api.get("/voice_out_trunks").await,
        pair.one.api.post("/voice_out_trunks", &super::body("refused")).await,
    ];
    for answer in &answers {
        assert!(is_away(answer), "{} {:?} {}", answer.status, answer.headers, answer.text);
    }
    // The other one continues.
    until_ready(&pair.other, 200).await;
    let fresh = pair.other.trunk(json!({})).await;
    let mut call = Call::up(&pair.other, &metered, ANSWERS_AT_ONCE).await;
    call.hang_up().await;
    // When the set time is over, nothing is admitted any more, and the call ends.
    known.hung_up().await;
    is_refused_as_unrecorded(&pair.one, &plain).await;

    proxy.set(Way::Open);
    let returned = Instant::now();
    until_ready(&pair.one, 200).await;
    let written = pair.one.trunk(json!({})).await;
    assert_eq!(pair.one.shown(&fresh, "/id").await, fresh.id.as_str());
    let after = returned.elapsed();
    assert!(after < BACK_WITHIN, "it serves again after {after:?}");
    println!("serves again {after:?} after the return of the database");
    assert_eq!(pair.other.shown(&written, "/id").await, written.id.as_str());
    assert_eq!(listed(&pair.other).await.len(), 4, "what was refused is not there");
    for (trunk, edge) in [(&plain, &pair.one), (&metered, &pair.other)] {
        until("calls are admitted", async || super::admits(edge, trunk).await.then_some(())).await;
    }
    until("the call has its record", async || records_of(&pair.other, &plain, &known).await.pop()).await;
    assert_eq!(records_of(&pair.one, &plain, &known).await.len(), 1);
    assert_eq!(nodes(&pair.one).await, 2, "nobody was found dead");
    assert!(pair.one.binary.runs() && pair.other.binary.runs());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_server_did_that_is_cut_off_for_long_is_inherited_and_nothing_is_lost_or_done_twice() {
    let (mut pair, proxy) = Pair::start_behind_proxy(&["--voipbin-admin", ADMIN]).await;
    let trunk = pair.trunk(json!({ "capacity_limit": 1 })).await;
    let mut call = Call::up(&pair.one, &trunk, ANSWERS_AT_ONCE).await;
    until_acknowledged(&pair.database, &trunk).await;
    let ledger = Ledger::start(&[&pair.one, &pair.other]).await;
    ledger.grows_by(40).await;

    proxy.set(Way::Shut);
    proxy.cut();
    // Writers continue at the other one, with the keys of the requests without a response.
    ledger.grows_by(40).await;
    until_alone(&pair.other).await;
    until("the call has its record", async || records_of(&pair.other, &trunk, &call).await.pop()).await;
    let mut next = Call::up(&pair.other, &trunk, ANSWERS_AT_ONCE).await;
    assert!(pair.one.binary.runs(), "it does not know yet");

    proxy.set(Way::Open);
    // It learns that its calls have an heir, ends them, and has to be started again.
    call.hung_up().await;
    until("it ends", async || (!pair.one.binary.runs()).then_some(())).await;
    ledger.grows_by(20).await;
    next.hang_up().await;
    pair.other.record(&trunk, 2).await;
    let records = records_of(&pair.other, &trunk, &call).await;
    assert_eq!(records.len(), 1, "{records:?}");
    assert_eq!((&records[0]["disconnect_cause"], &records[0]["price"]), (&json!(9002), &json!("0.05")));
    assert_eq!(pair.other.records(&trunk).await.len(), 2, "one record a call");
    assert_eq!(pair.database.ask("SELECT coalesce(sum(held), 0) FROM channel"), "0");
    ledger.compare(|sql| pair.database.ask(sql)).await;
}
