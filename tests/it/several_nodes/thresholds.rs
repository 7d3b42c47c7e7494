//! What the calls of a trunk at two servers spend beyond its threshold.

use rust_decimal::Decimal;
use serde_json::json;

use super::{Pair, admits};
use crate::sip::edge::{ANSWERS_AT_ONCE, until};
use crate::sip::uac::Call;

/// A rate of one US dollar for each second that begins.
const BY_THE_SECOND: &str = "[[sip.rates]]\nprefix = \"999\"\nper_minute = \"60\"\n";
/// Number of calls at each server.
const CALLS: usize = 3;
/// What all of them spend in five seconds, and those of one server in ten.
const THRESHOLD: usize = 30;
/// The seconds until a server knows what the others know, and until it looks at what its calls cost.
const NOT_KNOWN: usize = 2;
/// The second that a call has paid for when it ends.
const PAID: usize = 1;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_at_both_servers_spend_no_more_beyond_a_threshold_than_documented() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("rates.toml");
    std::fs::write(&config, BY_THE_SECOND).unwrap();
    let pair = Pair::start_with(&["--config", config.to_str().unwrap()]).await;
    let trunk = pair.trunk(json!({ "threshold_amount": THRESHOLD.to_string() })).await;
    let mut calls = Vec::new();
    for _ in 0..CALLS {
        for edge in [&pair.one, &pair.other] {
            calls.push(Call::up(edge, &trunk, ANSWERS_AT_ONCE).await);
        }
    }
    for call in &mut calls {
        call.hung_up().await;
    }
    pair.one.record(&trunk, calls.len()).await;
    let records = pair.one.records(&trunk).await;
    assert_eq!(records.len(), calls.len(), "one record a call: {records:?}");
    let prices = records.iter().map(|record| record["price"].as_str().unwrap().parse::<Decimal>().unwrap());
    let spent: Decimal = prices.sum();
    println!("{spent} of {THRESHOLD} were spent by {} calls", calls.len());
    let most = THRESHOLD + calls.len() * (NOT_KNOWN + PAID);
    assert!(spent >= Decimal::from(THRESHOLD), "the calls ended before the threshold: {spent}");
    assert!(spent <= Decimal::from(most), "{spent} were spent, and {most} are the most");
    for edge in [&pair.one, &pair.other] {
        until("the edge refuses calls", async || (!admits(edge, &trunk).await).then_some(())).await;
        assert_eq!(edge.shown(&trunk, "/attributes/threshold_reached").await, true);
    }
}
