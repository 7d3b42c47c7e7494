//! Call records: their retention, floods of refusals, the stream of new records, and records that survive a
//! kill.

use std::time::Duration;

use serde_json::{Value, json};
use trunk_rules::carrier::Cause;

use super::edge::{ANSWERS_AT_ONCE, DEADLINE, Edge, acknowledged, until};
use super::sentences::is_stated;
use super::uac::Call;

const DAY: u64 = 86_400;

#[tokio::test]
async fn of_what_a_caller_sends_records_have_short_texts_without_control_characters() {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({})).await;
    edge.ip_only(&trunk, &["127.0.0.0/8"]).await;
    let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
    call.id = format!("{}-{}", call.id, "i".repeat(4_000));
    call.from = "<sip:a%00b@pbx.example.com>".to_owned();
    let long = "x".repeat(9_000);
    call.headers = ["User-Agent", "P-Charge-Info"].map(|name| format!("{name}: {long}")).into();
    assert_eq!(call.attempt().await.code(), 200);
    call.acknowledge().await;
    call.hang_up().await;
    let record = edge.record(&trunk, 1).await;
    assert_eq!(record["call_id"], call.id[..256], "{record}");
    for name in ["user_agent", "p_charge_info"] {
        assert_eq!(record[name], "x".repeat(256), "{name}");
    }
    for name in ["src_number", "original_src_number"] {
        assert_eq!(record[name], "a\u{fffd}b", "{name}");
    }
    let mut call = Call::new(&edge, &"4".repeat(7_000)).await;
    assert_eq!(call.attempt().await.code(), 484);
    let record = edge.record(&trunk, 2).await;
    for name in ["dst_number", "received"] {
        assert_eq!(record[name], "4".repeat(256), "{name}");
    }
}

#[tokio::test]
async fn records_of_this_month_and_two_before_are_kept_and_older_ones_are_forgotten() {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({})).await;
    // Deleting them takes more than one write.
    let blocked = edge.trunk(json!({ "status": "blocked" })).await;
    Call::up(&edge, &trunk, ANSWERS_AT_ONCE).await.hang_up().await;
    edge.record(&trunk, 1).await;
    for _ in 0..130 {
        assert_eq!(Call::new(&edge, ANSWERS_AT_ONCE).await.place(&blocked).await.code(), 403);
    }
    edge.record(&blocked, 130).await;
    edge.advance(60 * DAY).await;
    Call::up(&edge, &trunk, ANSWERS_AT_ONCE).await.hang_up().await;
    let later = edge.record(&trunk, 2).await["id"].clone();

    // A hundred days are longer than any three consecutive months.
    edge.advance(40 * DAY).await;
    until("what is old is forgotten", async || {
        let records = edge.records(&trunk).await;
        let left: Vec<&Value> = records.iter().map(|record| &record["id"]).collect();
        (left == [&later] && edge.records(&blocked).await.is_empty()).then_some(())
    })
    .await;
    edge.advance(100 * DAY).await;
    until("nothing is left", async || edge.records(&trunk).await.is_empty().then_some(())).await;
    assert_eq!(edge.shown(&trunk, "/meta/spent_amount").await, "0.0");
}

#[tokio::test]
async fn months_that_records_are_kept_are_a_setting() {
    let edge = Edge::with_config("[sip]\nkeep_months = 12\n").await;
    let trunk = edge.trunk(json!({})).await;
    Call::up(&edge, &trunk, ANSWERS_AT_ONCE).await.hang_up().await;
    let old = edge.record(&trunk, 1).await;
    edge.advance(300 * DAY).await;
    Call::up(&edge, &trunk, ANSWERS_AT_ONCE).await.hang_up().await;
    edge.record(&trunk, 2).await;
    assert_eq!(edge.records(&trunk).await[1], old);
    edge.advance(100 * DAY).await;
    until("what is old is forgotten", async || (edge.records(&trunk).await.len() == 1).then_some(())).await;
}

#[tokio::test]
async fn of_a_flood_of_refusals_so_many_a_minute_and_trunk_are_recorded_and_the_others_counted() {
    let edge = Edge::with_config("[sip]\nrefusals_recorded = 3\n").await;
    edge.freeze().await;
    let blocked = edge.trunk(json!({ "status": "blocked" })).await;
    let other = edge.trunk(json!({ "status": "blocked" })).await;
    let refused = async |trunk, count| {
        for _ in 0..count {
            assert_eq!(Call::new(&edge, ANSWERS_AT_ONCE).await.place(trunk).await.code(), 403);
        }
    };
    refused(&blocked, 5).await;
    refused(&other, 1).await;
    edge.record(&other, 1).await;
    edge.record(&blocked, 3).await;
    assert_eq!(edge.records(&blocked).await.len(), 3);
    let counts = edge.control.get("/calls/counts").await.json();
    assert_eq!((&counts["refused"], &counts["unrecorded"]), (&json!(6), &json!(2)), "{counts}");
    edge.logs(&["no more refusals", "most=3"]).await;
    edge.advance(60).await;
    refused(&blocked, 1).await;
    edge.record(&blocked, 4).await;
}

#[tokio::test]
async fn a_follower_receives_each_record_when_its_call_ends() {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({})).await;
    let request = edge.control.request(http::Method::GET, "/calls/follow");
    let mut stream = request.send().await.unwrap();
    assert_eq!(stream.headers()["Content-Type"], "application/x-ndjson");
    let mut text = String::new();
    let mut next = async || {
        loop {
            if let Some((line, rest)) = text.split_once('\n') {
                let record: Value = serde_json::from_str(line).unwrap();
                text = rest.to_owned();
                return record;
            }
            let chunk = tokio::time::timeout(DEADLINE, stream.chunk()).await.expect("a record comes");
            text.push_str(std::str::from_utf8(&chunk.unwrap().expect("the stream goes on")).unwrap());
        }
    };
    for _ in 0..2 {
        let mut call = Call::up(&edge, &trunk, ANSWERS_AT_ONCE).await;
        call.hang_up().await;
        let record = next().await;
        assert_eq!((&record["call_id"], &record["success"]), (&json!(call.id), &json!(true)));
        assert_eq!(edge.record(&trunk, 1).await["trunk_id"], record["trunk_id"]);
    }
    edge.patch(&trunk, json!({ "status": "blocked" })).await;
    let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
    assert_eq!(call.place(&trunk).await.code(), 403);
    let record = next().await;
    assert_eq!((&record["call_id"], &record["check"]), (&json!(call.id), &json!("status")));
}

#[tokio::test]
async fn what_a_trunk_spent_outlives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("spending.db");
    let arguments = ["--database", database.to_str().unwrap()];
    let mut edge = Edge::with_arguments(&arguments).await;
    let trunk = edge.trunk(json!({ "threshold_amount": "0.15" })).await;
    for count in 1..=2 {
        Call::up(&edge, &trunk, ANSWERS_AT_ONCE).await.hang_up().await;
        edge.record(&trunk, count).await;
    }
    let unfinished = Call::up(&edge, &trunk, ANSWERS_AT_ONCE).await;
    acknowledged(&database, 1).await;
    edge.binary.signal("KILL");
    until("the server is gone", async || (!edge.binary.runs()).then_some(())).await;
    drop(edge);

    let edge = Edge::with_arguments(&arguments).await;
    let lost = edge.record(&trunk, 3).await;
    assert_eq!(
        (&lost["disconnect_reason"], &lost["price"]),
        (&json!("Server lost"), &json!("0.05")),
        "{lost}"
    );
    let why = is_stated(&edge, &unfinished, (None, Cause::ServerLost), None).await;
    assert_eq!(lost["explanation"], why, "{lost}");
    until("what was spent before counts", async || {
        (edge.shown(&trunk, "/attributes/threshold_reached").await == true).then_some(())
    })
    .await;
    assert_eq!(edge.shown(&trunk, "/meta/spent_amount").await, "0.15");
    assert_eq!(Call::new(&edge, ANSWERS_AT_ONCE).await.place(&trunk).await.code(), 403);
}

#[tokio::test]
async fn calls_that_end_together_share_writes_and_every_one_of_them_is_recorded_and_charged() {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({})).await;
    let mut calls = Vec::new();
    for _ in 0..60 {
        calls.push(Call::up(&edge, &trunk, ANSWERS_AT_ONCE).await);
    }
    futures_util::future::join_all(calls.iter_mut().map(Call::hang_up)).await;
    edge.record(&trunk, 60).await;
    until("all is charged", async || (edge.shown(&trunk, "/meta/spent_amount").await == "3.0").then_some(()))
        .await;
    let answered = tokio::time::timeout(Duration::from_secs(1), edge.active()).await;
    assert!(answered.is_ok_and(|calls| calls.is_empty()));
}
