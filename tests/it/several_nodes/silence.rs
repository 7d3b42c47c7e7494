//! The way to the database swallows everything without an error, or is slow, or ends in one direction: it is found out
//! in bounded time, and left.

use std::time::{Duration, Instant};

use serde_json::json;

use super::ledger::{ADMIN, Ledger};
use super::{Pair, body, callers, is_away, nodes, until_ready};
use crate::sip::edge::ANSWERS_AT_ONCE;
use crate::sip::uac::Call;
use crate::support::tcp_proxy::{Side, Way};

/// The time within which silence is found out.
const FOUND_OUT_WITHIN: Duration = Duration::from_secs(3);
/// The longest time until a request is answered while the database is silent.
const ANSWERED_WITHIN: Duration = Duration::from_secs(8);
/// The time in which a server serves again when the database speaks on new connections alone: an attempt to connect
/// that began before takes as long as it may.
const BACK_WITHIN: Duration = Duration::from_secs(4);
/// Longer than a commit is waited for, whose outcome is unknown then.
const COMMITTED_WITHIN: Duration = Duration::from_secs(15);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_silent_is_found_out_in_time_and_its_connections_are_left() {
    let (mut pair, proxy) = Pair::start_behind_proxy(&["--voipbin-admin", ADMIN]).await;
    let metered = pair.trunk(json!({ "threshold_amount": "100.0" })).await;
    let path = format!("/voice_out_trunks/{}", metered.id);
    let ledger = Ledger::start(&[&pair.one, &pair.other]).await;
    ledger.grows_by(40).await;

    proxy.set(Way::Silent);
    let silent = Instant::now();
    let api = pair.one.api.clone();
    let write = tokio::spawn(async move {
        let answer = api.post("/voice_out_trunks", &body("unanswered")).await;
        (answer, silent.elapsed())
    });
    // At once, so that the server is not found dead meanwhile.
    let found_out = async {
        until_ready(&pair.one, 503).await;
        silent.elapsed()
    };
    let (read, found) = tokio::join!(pair.one.api.get(&path), found_out);
    println!("silence: found out after {found:?}, a read answered after {:?}", silent.elapsed());
    assert!(found < FOUND_OUT_WITHIN, "found out after {found:?}");
    assert!(silent.elapsed() < ANSWERED_WITHIN, "answered after {:?}", silent.elapsed());
    assert!(is_away(&read), "{} {:?} {}", read.status, read.headers, read.text);
    let refused = Call::new(&pair.one, ANSWERS_AT_ONCE).await.attempt_as(&metered, |_| {}).await;
    assert_eq!(refused.code(), 503, "{refused:?}");
    // As when the machine of the database was replaced: nothing ends the connections to the old one.
    proxy.lose();
    proxy.set(Way::Open);
    let returned = Instant::now();
    until_ready(&pair.one, 200).await;
    for _ in 0..20 {
        let read = pair.one.api.get(&path).await;
        assert_eq!(read.status, 200, "no request is answered from a lost connection: {}", read.text);
    }
    let written = pair.one.api.post("/voice_out_trunks", &body("written")).await;
    assert_eq!(written.status, 201, "{}", written.text);
    let after = returned.elapsed();
    println!("serves again {after:?} after the return of the database");
    assert!(after < BACK_WITHIN, "it serves again after {after:?}");
    // A write that was on its way on such a connection is given up.
    let (answer, took) = write.await.unwrap();
    println!("a write was answered after {took:?}");
    assert!(is_away(&answer), "{} {:?} {}", answer.status, answer.headers, answer.text);
    assert!(took < ANSWERED_WITHIN, "answered after {took:?}");
    assert_eq!(nodes(&pair.one).await, 2, "nobody was found dead");
    ledger.grows_by(20).await;
    assert!(ledger.longest() < COMMITTED_WITHIN, "an answer took {:?}", ledger.longest());
    ledger.compare(|sql| pair.database.ask(sql)).await;
    assert!(pair.one.binary.runs() && pair.other.binary.runs());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_delays_and_half_closed_connections_capacity_and_money_hold_and_nothing_is_done_twice() {
    const CALLS: usize = 24;
    let (mut pair, proxy) = Pair::start_behind_proxy(&["--voipbin-admin", ADMIN]).await;
    let trunk = pair.trunk(json!({ "capacity_limit": callers::CHANNELS })).await;
    let ledger = Ledger::start(&[&pair.one, &pair.other]).await;
    proxy.set(Way::Slow(Duration::from_millis(20)));
    let disturb = async {
        for side in [Side::Server, Side::Database].into_iter().cycle().take(8) {
            ledger.grows_by(10).await;
            proxy.half_close(side);
        }
    };
    let edges = [&pair.one, &pair.other];
    let (answered, ()) = tokio::join!(callers::call(edges, &trunk, |number| number < CALLS), disturb);
    proxy.set(Way::Open);
    assert!(answered > 2, "{answered} calls were answered");
    callers::are_charged_once(answered, |sql| pair.database.ask(sql)).await;
    println!("{answered} of {CALLS} calls answered and charged once");
    ledger.compare(|sql| pair.database.ask(sql)).await;
    assert_eq!(nodes(&pair.one).await, 2);
    assert!(pair.one.binary.runs() && pair.other.binary.runs());
}
