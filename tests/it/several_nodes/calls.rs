//! Calls at either of two servers: what is provisioned at one is enforced at both, and each sees the calls of both.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::time::MissedTickBehavior;

use super::{Pair, admits, until_ready};
use crate::sip::digest::Answer;
use crate::sip::edge::{ANSWERS_AT_ONCE, Edge, Trunk, source, until};
use crate::sip::uac::{Call, Uac};
use crate::support::tcp_proxy::Way;

/// The time within which a trunk that was created at one server, or the wish to end a call, is known to the edges of
/// all.
const KNOWN_WITHIN: Duration = Duration::from_secs(1);
/// The time between two attempts, which stays below the limit of answers to sources that no trunk names.
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(50);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trunk_of_one_server_admits_calls_at_the_other_one_within_a_second() {
    let pair = Pair::start().await;
    let trunk = pair.one.trunk(json!({})).await;
    let created = Instant::now();
    let mut attempts = tokio::time::interval(BETWEEN_ATTEMPTS);
    attempts.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut call, challenge) = loop {
        attempts.tick().await;
        let mut call = Call::new(&pair.other, ANSWERS_AT_ONCE).await;
        let sent = created.elapsed();
        let first = call.attempt().await;
        if first.code() == 401 {
            break (call, first);
        }
        assert_eq!(first.code(), 403, "no trunk allows the address yet: {first:?}");
        assert!(sent < KNOWN_WITHIN, "refused {sent:?} after the trunk was created");
    };
    let right = Answer::to(&challenge, &trunk, &call.uri());
    call.invite(&[format!("Authorization: {}", right.value())]).await;
    let answer = call.answer().await;
    assert_eq!(answer.code(), 200, "{answer:?}");
    call.acknowledge().await;
    call.hang_up().await;
    let (at_other, at_one) = (pair.other.record(&trunk, 1).await, pair.one.record(&trunk, 1).await);
    assert_eq!((&at_other["call_id"], &at_other["success"]), (&json!(call.id), &json!(true)), "{at_other}");
    assert_eq!(at_other, at_one, "the record is the same at both");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trunk_that_is_changed_at_one_server_is_so_at_the_edge_of_the_other_one_within_a_second() {
    let pair = Pair::start().await;
    let trunk = pair.trunk(json!({})).await;
    for (changes, enforces) in [(&pair.one, &pair.other), (&pair.other, &pair.one)] {
        for (status, admitted) in [("blocked", false), ("active", true)] {
            changes.patch(&trunk, json!({ "status": status })).await;
            let changed = Instant::now();
            until(&format!("the other edge knows a trunk as {status}"), async || {
                (admits(enforces, &trunk).await == admitted).then_some(())
            })
            .await;
            let after = changed.elapsed();
            assert!(after < KNOWN_WITHIN, "{status} is known {after:?} after the answer");
        }
    }
}

/// Asserts that a call is refused because the trunk's channels are in use.
async fn is_refused_as_full(edge: &Edge, trunk: &Trunk) {
    let mut call = Call::new(edge, ANSWERS_AT_ONCE).await;
    let refused = call.place(trunk).await;
    assert_eq!(refused.code(), 480, "{refused:?}");
    let why = refused.header("X-Refusal").unwrap_or_default();
    assert!(why.contains("check=capacity;cause=1507;"), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_channel_is_one_call_at_both_servers_together() {
    let pair = Pair::start().await;
    let trunk = pair.trunk(json!({ "capacity_limit": 1 })).await;
    let mut refusals = 0;
    for (first, second) in [(&pair.one, &pair.other), (&pair.other, &pair.one)] {
        // The channel of the call before travels behind the end of that call.
        let mut call = until("the channel is free", async || {
            let mut call = Call::new(first, ANSWERS_AT_ONCE).await;
            (call.place(&trunk).await.code() == 200).then_some(call)
        })
        .await;
        is_refused_as_full(second, &trunk).await;
        is_refused_as_full(first, &trunk).await;
        refusals += 2;
        call.hang_up().await;
    }
    let mut last = until("the channel is free at the end", async || {
        let mut call = Call::new(&pair.one, ANSWERS_AT_ONCE).await;
        (call.place(&trunk).await.code() == 200).then_some(call)
    })
    .await;
    last.hang_up().await;
    until("the calls and the refusals have records at both", async || {
        for edge in [&pair.one, &pair.other] {
            let records = edge.records(&trunk).await;
            let succeeded = records.iter().filter(|record| record["success"] == true).count();
            let full = records.iter().filter(|record| record["check"] == "capacity").count();
            if succeeded != 3 || full < refusals {
                return None;
            }
        }
        Some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_both_servers_charge_reaches_one_threshold() {
    let pair = Pair::start().await;
    let trunk = pair.trunk(json!({ "threshold_amount": "0.1" })).await;
    // So short that neither server knows of the other's call when its own one ends.
    for edge in [&pair.one, &pair.other] {
        Call::up(edge, &trunk, ANSWERS_AT_ONCE).await.hang_up().await;
    }
    pair.one.record(&trunk, 2).await;
    for edge in [&pair.one, &pair.other] {
        until("the edge refuses calls", async || (!admits(edge, &trunk).await).then_some(())).await;
        assert_eq!(Call::new(edge, ANSWERS_AT_ONCE).await.place(&trunk).await.code(), 403);
    }
    for edge in [&pair.one, &pair.other] {
        let is_blocked = async || (edge.shown(&trunk, "/attributes/status").await == "blocked").then_some(());
        until("the trunk is blocked", is_blocked).await;
        assert_eq!(edge.shown(&trunk, "/attributes/threshold_reached").await, true);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn either_server_ends_a_call_of_the_other_one() {
    let pair = Pair::start().await;
    let trunk = pair.trunk(json!({})).await;
    for (runs, ends) in [(&pair.one, &pair.other), (&pair.other, &pair.one)] {
        let mut call = Call::up(runs, &trunk, ANSWERS_AT_ONCE).await;
        let active = until("the other server lists the call", async || ends.active().await.pop()).await;
        assert_eq!((&active["call_id"], &active["trunk_id"]), (&json!(call.id), &json!(trunk.id)));
        let path = format!("/calls/active/{}", active["id"].as_str().unwrap());
        let ended = ends.control.delete(&path).await;
        assert_eq!(ended.status, 200, "{}", ended.text);
        let asked = Instant::now();
        call.hung_up().await;
        assert!(asked.elapsed() < KNOWN_WITHIN, "it ended {:?} after the answer", asked.elapsed());
        for edge in [runs, ends] {
            edge.calls_up(0).await;
        }
        let again = ends.control.delete(&path).await;
        assert_eq!(again.status, 404, "{}", again.text);
    }
    for edge in [&pair.one, &pair.other] {
        edge.record(&trunk, 2).await;
        assert_eq!(edge.records(&trunk).await.len(), 2, "one record a call");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_is_ended_while_its_server_is_cut_off_ends_when_that_is_back() {
    let (mut pair, proxy) = Pair::start_behind_proxy(&[]).await;
    let trunk = pair.trunk(json!({})).await;
    let mut call = Call::up(&pair.one, &trunk, ANSWERS_AT_ONCE).await;
    let active = until("the other server lists the call", async || pair.other.active().await.pop()).await;
    proxy.set(Way::Shut);
    proxy.cut();
    until_ready(&pair.one, 503).await;
    let path = format!("/calls/active/{}", active["id"].as_str().unwrap());
    let ended = pair.other.control.delete(&path).await;
    assert_eq!(ended.status, 200, "{}", ended.text);
    proxy.set(Way::Open);
    call.hung_up().await;
    for edge in [&pair.one, &pair.other] {
        edge.record(&trunk, 1).await;
    }
    assert!(pair.one.binary.runs(), "it was not found dead");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_challenge_of_one_server_is_answered_at_the_other_one() {
    let pair = Pair::start().await;
    let trunk = pair.trunk(json!({})).await;
    for (asks, admits) in [(&pair.one, &pair.other), (&pair.other, &pair.one)] {
        // A nonce belongs to the address that it was issued to.
        let address = source();
        let mut first = Call::over(Uac::udp_from(asks, address).await, asks, ANSWERS_AT_ONCE).await;
        let challenge = first.attempt().await;
        assert_eq!(challenge.code(), 401, "{challenge:?}");
        let [before, ..] = admits.counts().await;
        let mut call = Call::over(Uac::udp_from(admits, address).await, admits, ANSWERS_AT_ONCE).await;
        let right = Answer::to(&challenge, &trunk, &call.uri());
        call.invite(&[format!("Authorization: {}", right.value())]).await;
        let answer = call.answer().await;
        assert_eq!(answer.code(), 200, "{answer:?}");
        call.acknowledge().await;
        call.hang_up().await;
        let [after, ..] = admits.counts().await;
        assert_eq!(after, before, "the digest was right at once");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_with_texts_that_the_database_would_refuse_is_recorded() {
    let pair = Pair::start().await;
    let trunk = pair.trunk(json!({})).await;
    let mut call = Call::new(&pair.one, ANSWERS_AT_ONCE).await;
    // Some 6,000 characters that hardly can be compressed: too many for an index.
    let words = (1..400_u64).map(|number| format!("{:x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
    call.id = words.collect::<Vec<_>>().concat();
    call.from = "<sip:a%00b@pbx.example.com>".to_owned();
    assert_eq!(call.place(&trunk).await.code(), 200);
    call.hang_up().await;
    let record = pair.one.record(&trunk, 1).await;
    assert_eq!(record["call_id"], call.id[..256], "{record}");
    assert_eq!(
        (&record["original_src_number"], &record["success"]),
        (&json!("a\u{fffd}b"), &json!(true)),
        "{record}"
    );
}
