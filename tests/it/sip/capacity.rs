//! Many callers at once: exactly the limit is admitted, and no channel is ever lost.

use std::sync::Arc;

use rusqlite::Connection;
use serde_json::json;
use tokio::task::JoinSet;

use super::edge::{ANSWERS_AT_ONCE, Edge, Trunk, acknowledged, until};
use super::uac::Call;

/// Number of callers in a burst.
const CALLERS: usize = 200;
const LIMIT: usize = 20;

/// Places many calls at once. Returns the established calls, and the codes that refused the others.
async fn burst(edge: &Arc<Edge>, trunk: &Trunk, cancelling: usize) -> (Vec<Call>, Vec<u16>) {
    let mut callers = JoinSet::new();
    for at in 0..CALLERS {
        let (edge, trunk) = (Arc::clone(edge), trunk.clone());
        callers.spawn(async move {
            let gives_up = at % 10 < cancelling;
            let mut call = Call::new(&edge, if gives_up { "9990180" } else { ANSWERS_AT_ONCE }).await;
            let challenge = call.attempt().await;
            assert_eq!(challenge.code(), 401);
            let right = super::digest::Answer::to(&challenge, &trunk, &call.uri());
            call.invite(&[format!("Authorization: {}", right.value())]).await;
            if gives_up {
                call.cancel().await;
            }
            let code = call.answer().await.code();
            if code == 200 {
                call.acknowledge().await;
            }
            (call, code)
        });
    }
    let (mut up, mut refused) = (Vec::new(), Vec::new());
    while let Some(ended) = callers.join_next().await {
        match ended.unwrap() {
            (call, 200) => up.push(call),
            (_, code) => refused.push(code),
        }
    }
    (up, refused)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_200_callers_at_once_exactly_the_limit_is_let_through() {
    let edge = Arc::new(Edge::start().await);
    let trunk = edge.trunk(json!({ "capacity_limit": LIMIT })).await;
    for _ in 0..2 {
        let (mut up, refused) = burst(&edge, &trunk, 0).await;
        assert_eq!(up.len(), LIMIT);
        assert!(refused.iter().all(|code| *code == 480), "{refused:?}");
        assert_eq!(edge.active().await.len(), LIMIT);
        for call in &mut up {
            call.hang_up().await;
        }
        edge.calls_up(0).await;
    }
    let refused = 2 * (CALLERS - LIMIT);
    edge.record(&trunk, 2 * CALLERS).await;
    let records = edge.records(&trunk).await;
    assert_eq!(records.iter().filter(|record| record["check"] == "capacity").count(), refused);
    assert_eq!(edge.shown(&trunk, "/meta/spent_amount").await, "2.0", "40 calls of 5 cents");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_who_give_up_give_their_channels_back() {
    let edge = Arc::new(Edge::start().await);
    let trunk = edge.trunk(json!({ "capacity_limit": LIMIT })).await;
    let (mut up, refused) = burst(&edge, &trunk, 5).await;
    assert!(up.len() <= LIMIT, "{}", up.len());
    assert!(refused.iter().all(|code| matches!(code, 480 | 487)), "{refused:?}");
    edge.calls_up(up.len()).await;
    while up.len() < LIMIT {
        up.push(Call::up(&edge, &trunk, ANSWERS_AT_ONCE).await);
    }
    assert_eq!(
        Call::new(&edge, ANSWERS_AT_ONCE).await.place(&trunk).await.code(),
        480,
        "the limit is exact again"
    );
    for call in &mut up {
        call.hang_up().await;
    }
    edge.calls_up(0).await;
    let records = CALLERS + (LIMIT - (CALLERS - refused.len())) + 1;
    edge.record(&trunk, records).await;
    assert_eq!(edge.records(&trunk).await.len(), records, "one record an attempt");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_threshold_that_is_crossed_in_a_burst_blocks_later_calls_and_lets_paid_time_run_out() {
    let edge = Arc::new(Edge::start().await);
    let trunk = edge.trunk(json!({ "threshold_amount": "0.5", "capacity_limit": 40 })).await;
    let (mut up, _) = burst(&edge, &trunk, 0).await;
    assert_eq!(up.len(), 10, "as many as the threshold pays: what is up counts");
    let mut last = up.pop().unwrap();
    for call in &mut up {
        call.hang_up().await;
    }
    edge.calls_up(1).await;
    until("the trunk is blocked", async || {
        (edge.shown(&trunk, "/attributes/status").await == "blocked").then_some(())
    })
    .await;
    assert_eq!(edge.shown(&trunk, "/attributes/threshold_reached").await, true);
    let (more, refused) = burst(&edge, &trunk, 0).await;
    assert!(more.is_empty() && refused.iter().all(|code| *code == 403), "{refused:?}");
    assert_eq!(last.request("UPDATE", &[], "").await.code(), 200, "a call is up as long as it is paid for");
    last.hang_up().await;
    until("every call is in the sum", async || {
        (edge.shown(&trunk, "/meta/spent_amount").await == "0.5").then_some(())
    })
    .await;
    // The first minute of a call counts from its answer, so the sum is complete before the last record is written.
    until("every call that was up has its record", async || {
        let records = edge.records(&trunk).await;
        (records.iter().filter(|record| record["price"] == "0.05").count() == 10).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_that_end_together_at_a_stop_are_recorded_charged_and_remembered() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("calls.db");
    let arguments = ["--database", database.to_str().unwrap()];
    let mut edge = Arc::new(Edge::with_arguments(&arguments).await);
    let trunk = edge.trunk(json!({ "threshold_amount": "2.0", "capacity_limit": 40 })).await;
    let (up, _) = burst(&edge, &trunk, 0).await;
    assert_eq!(up.len(), 40);
    acknowledged(&database, 40).await;
    edge.binary.signal("TERM");
    drop(up);
    let stopped = Arc::get_mut(&mut edge).unwrap();
    until("the server ends", async || (!stopped.binary.runs()).then_some(())).await;

    let edge = Edge::with_arguments(&arguments).await;
    let charged = async |edge: &Edge| {
        let records = edge.records(&trunk).await;
        records.iter().filter(|record| record["price"] == "0.05").count()
    };
    assert_eq!(charged(&edge).await, 40);
    assert_eq!(edge.shown(&trunk, "/meta/spent_amount").await, "2.0");
    assert_eq!(edge.shown(&trunk, "/attributes/status").await, "blocked");
    assert_eq!(Call::new(&edge, ANSWERS_AT_ONCE).await.place(&trunk).await.code(), 403);
    drop(edge);

    // Two days without a server: at the next start the spending is older than 24 hours.
    let aged = Connection::open(&database).unwrap();
    aged.execute("UPDATE call SET ended_at = ended_at - 172800000", []).unwrap();
    drop(aged);
    let edge = Edge::with_arguments(&arguments).await;
    until("the trunk opens again", async || {
        (edge.shown(&trunk, "/attributes/status").await == "active").then_some(())
    })
    .await;
    assert_eq!(edge.shown(&trunk, "/meta/spent_amount").await, "0.0");
    assert_eq!(edge.shown(&trunk, "/attributes/threshold_reached").await, false);
    Call::up(&edge, &trunk, ANSWERS_AT_ONCE).await.hang_up().await;
    until("the call is recorded", async || (charged(&edge).await == 41).then_some(())).await;

    let reset = edge.control.post("/reset", &json!({})).await;
    assert_eq!((reset.status, edge.records(&trunk).await.len()), (200, 0), "a reset leaves no call");
}
