//! A server that is killed, and one that ends in order.

use serde_json::{Value, json};

use super::ledger::{ADMIN, Ledger};
use super::{Pair, kill, nodes, until_acknowledged, until_alone};
use crate::sip::edge::{ANSWERS_AT_ONCE, Edge, until};
use crate::sip::uac::Call;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_call_of_a_killed_server_has_one_record_and_its_channel_is_free_again() {
    let mut pair = Pair::start().await;
    let trunk = pair.trunk(json!({ "capacity_limit": 1 })).await;
    let call = Call::up(&pair.one, &trunk, ANSWERS_AT_ONCE).await;
    until_acknowledged(&pair.database, &trunk).await;
    assert_eq!(pair.other.active().await.len(), 1, "the other server lists the call");
    assert_eq!(nodes(&pair.other).await, 2);
    kill(&mut pair.one).await;
    let refused = Call::new(&pair.other, ANSWERS_AT_ONCE).await.place(&trunk).await;
    assert_eq!(refused.code(), 480, "the channel is held until its server is found dead: {refused:?}");

    until_alone(&pair.other).await;
    let mut next = Call::up(&pair.other, &trunk, ANSWERS_AT_ONCE).await;
    let of_the_dead = async || -> Vec<Value> {
        let records = pair.other.records(&trunk).await;
        records.into_iter().filter(|record| record["call_id"] == call.id.as_str()).collect()
    };
    until("the call has a record", async || (!of_the_dead().await.is_empty()).then_some(())).await;
    next.hang_up().await;
    // The refused call, the one of the dead server, and the one after it.
    pair.other.record(&trunk, 3).await;
    let records = of_the_dead().await;
    assert_eq!(records.len(), 1, "{records:?}");
    let lost = &records[0];
    assert_eq!((&lost["disconnect_cause"], &lost["price"]), (&json!(9002), &json!("0.05")), "{lost}");
    assert_eq!(pair.other.records(&trunk).await.len(), 3);
    pair.other.calls_up(0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_done_twice_when_two_of_three_servers_are_killed_one_after_the_other() {
    let mut pair = Pair::start_with(&["--voipbin-admin", ADMIN]).await;
    let url = pair.database.url();
    let third = Edge::with_arguments(&["--database", &url, "--voipbin-admin", ADMIN]).await;
    assert_eq!(nodes(&third).await, 3);
    let ledger = Ledger::start(&[&pair.one, &pair.other, &third]).await;
    ledger.grows_by(60).await;
    kill(&mut pair.one).await;
    ledger.grows_by(40).await;
    kill(&mut pair.other).await;
    ledger.grows_by(20).await;
    until_alone(&third).await;
    ledger.compare(|sql| pair.database.ask(sql)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_ends_in_order_is_no_node_any_more() {
    let mut pair = Pair::start().await;
    let trunk = pair.trunk(json!({ "capacity_limit": 1 })).await;
    for edge in [&pair.one, &pair.other] {
        assert_eq!(nodes(edge).await, 2);
    }
    let _call = Call::up(&pair.one, &trunk, ANSWERS_AT_ONCE).await;
    pair.one.binary.signal("TERM");
    let ended = async || (!pair.one.binary.runs()).then_some(());
    until("the server ends", ended).await;
    let listed = pair.other.control.get("/nodes").await;
    assert_eq!((listed.at("/nodes/0/own"), listed.at("/nodes/1")), (json!(true), Value::Null));
    // Its call ended with it, so the channel is free at once.
    let mut next = Call::up(&pair.other, &trunk, ANSWERS_AT_ONCE).await;
    next.hang_up().await;
    pair.other.record(&trunk, 2).await;
    assert_eq!(pair.other.records(&trunk).await.len(), 2, "one record a call");
}
