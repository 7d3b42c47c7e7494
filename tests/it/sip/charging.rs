//! Charging: active calls cost money, their cost survives the server, and unacknowledged answers are not
//! charged.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use didww_types::resources::VoiceOutTrunkStatus;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use trunk_rules::carrier::{Cause, Check};

use super::edge::{ANSWERS_AT_ONCE, Edge, Trunk, acknowledged, scratch, until};
use super::sentences::is_stated;
use super::uac::{Call, Uac, unique};
use crate::support::binary::{self, Binary};
use crate::support::receiver::{Answer, Receiver};

/// A rate of one US dollar a second.
const BY_THE_SECOND: &str = "[[sip.rates]]\nprefix = \"999\"\nper_minute = \"60\"\n";
/// A rate of sixty US dollars for each minute that begins.
const SIXTY: &str =
    "[[sip.rates]]\nprefix = \"999\"\nper_minute = \"60\"\ninitial_interval = 60\nnext_interval = 60\n";

async fn spent(edge: &Edge, trunk: &Trunk) -> Decimal {
    edge.shown(trunk, "/meta/spent_amount").await.as_str().unwrap().parse().unwrap()
}

async fn spends(edge: &Edge, trunk: &Trunk, amount: &str) {
    let amount: Decimal = amount.parse().unwrap();
    until(&format!("{amount} are spent"), async || (spent(edge, trunk).await == amount).then_some(())).await;
}

#[tokio::test]
async fn a_call_costs_while_it_is_up_and_its_record_costs_no_more() {
    let edge = Edge::with_config(BY_THE_SECOND).await;
    edge.freeze().await;
    let trunk = edge.trunk(json!({ "threshold_amount": "1000.0", "rtp_timeout": 600 })).await;
    let mut call = Call::up(&edge, &trunk, ANSWERS_AT_ONCE).await;
    spends(&edge, &trunk, "1").await;
    for seconds in [10, 20, 30] {
        edge.advance(10).await;
        spends(&edge, &trunk, &seconds.to_string()).await;
    }
    edge.advance(5).await;
    call.hang_up().await;
    let record = edge.record(&trunk, 1).await;
    assert_eq!((&record["duration"], &record["price"]), (&json!(35), &json!("35")), "{record}");
    spends(&edge, &trunk, "35").await;
    edge.advance(86_400).await;
    spends(&edge, &trunk, "0").await;
}

#[tokio::test]
async fn a_call_whose_trunk_reaches_its_threshold_ends_when_its_paid_time_is_over() {
    let edge = Edge::with_config(SIXTY).await;
    edge.freeze().await;
    let trunk = edge.trunk(json!({ "threshold_amount": "100.0", "rtp_timeout": 600 })).await;
    let mut first = Call::up(&edge, &trunk, ANSWERS_AT_ONCE).await;
    spends(&edge, &trunk, "60").await;
    edge.advance(30).await;
    let mut second = Call::up(&edge, &trunk, ANSWERS_AT_ONCE).await;
    spends(&edge, &trunk, "120").await;
    assert_eq!(edge.shown(&trunk, "/attributes/status").await, "blocked");
    assert_eq!(Call::new(&edge, ANSWERS_AT_ONCE).await.place(&trunk).await.code(), 403);
    edge.advance(30).await;
    let bye = first.hung_up().await;
    assert!(bye.header("Reason").unwrap().contains("Threshold reached"), "{bye:?}");
    edge.calls_up(1).await;
    edge.advance(30).await;
    second.hung_up().await;
    edge.record(&trunk, 3).await;
    let records = edge.records(&trunk).await;
    let ended: Vec<&Value> = records.iter().filter(|record| record["success"] == true).collect();
    assert_eq!(ended.len(), 2);
    for record in ended {
        assert_eq!((&record["price"], &record["duration"]), (&json!("60"), &json!(60)), "{record}");
        assert_eq!(record["disconnect_reason"], "Threshold reached");
    }
    spends(&edge, &trunk, "120").await;
}

#[tokio::test]
async fn a_threshold_that_calls_reach_is_sent_to_the_callback_url() {
    let secret = "cbsec-0123456789abcdef";
    let edge = Edge::with_config(&format!(
        "allow_loopback_callbacks = true\ncallback_secret = \"{secret}\"\n{SIXTY}"
    ))
    .await;
    edge.freeze().await;
    let mut receiver = Receiver::start(Answer::Status(200)).await;
    let url = receiver.url("/trunks?a=1");
    let trunk = edge.trunk(json!({ "threshold_amount": "100.0", "callback_url": url })).await;
    let mut first = Call::up(&edge, &trunk, ANSWERS_AT_ONCE).await;
    spends(&edge, &trunk, "60").await;
    let mut second = Call::up(&edge, &trunk, ANSWERS_AT_ONCE).await;
    let callback = receiver.next().await;
    let document: Value = serde_json::from_str(&callback.body).unwrap();
    assert_eq!(document[0]["type"], "voice_out_trunks", "a list of events: {document}");
    let events = callback.verified(&url, secret);
    assert_eq!(events.len(), 1);
    let told = (events[0].id.as_str(), &events[0].status, events[0].threshold_reached);
    assert_eq!(told, (trunk.id.as_str(), &VoiceOutTrunkStatus::Blocked, true));
    assert_eq!(edge.shown(&trunk, "/attributes/status").await, "blocked");
    assert_eq!(edge.shown(&trunk, "/attributes/threshold_reached").await, true);
    first.hang_up().await;
    second.hang_up().await;
    assert_eq!(receiver.untaken(), 0, "reached once, sent once");
}

#[tokio::test]
async fn calls_go_on_past_the_threshold_where_the_setting_says_so() {
    let edge = Edge::with_config(&format!("[sip]\nthreshold_ends_calls = false\n{SIXTY}")).await;
    edge.freeze().await;
    let trunk = edge.trunk(json!({ "threshold_amount": "100.0", "rtp_timeout": 600 })).await;
    let mut call = Call::up(&edge, &trunk, ANSWERS_AT_ONCE).await;
    spends(&edge, &trunk, "60").await;
    for sum in ["120", "180"] {
        edge.advance(60).await;
        edge.advance(1).await;
        spends(&edge, &trunk, sum).await;
    }
    assert_eq!(edge.shown(&trunk, "/attributes/status").await, "blocked");
    call.hang_up().await;
}

/// Number of simultaneous callers.
const CALLERS: usize = 200;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_calls_at_once_as_many_are_answered_as_the_threshold_pays() {
    let edge = Arc::new(Edge::with_config(BY_THE_SECOND).await);
    let trunk = edge.trunk(json!({ "threshold_amount": "5.0" })).await;
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let (edge, trunk) = (Arc::clone(&edge), trunk.clone());
        callers.spawn(async move {
            let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
            let code = call.place(&trunk).await.code();
            (call, code)
        });
    }
    let (mut up, mut refused) = (Vec::new(), 0);
    while let Some(placed) = callers.join_next().await {
        match placed.unwrap() {
            (call, 200) => up.push(call),
            (_, code) => {
                assert_eq!(code, 403);
                refused += 1;
            }
        }
    }
    assert!((1..=5).contains(&up.len()), "{} were answered", up.len());
    assert_eq!(up.len() + refused, CALLERS);
    edge.calls_up(0).await;
    edge.record(&trunk, CALLERS).await;
    let records = edge.records(&trunk).await;
    let prices = records.iter().map(|record| record["price"].as_str().unwrap().parse::<Decimal>().unwrap());
    let sum: Decimal = prices.sum();
    // More seconds may have begun before all calls were answered.
    assert!(sum >= Decimal::from(5) && sum <= Decimal::from(5 + 2 * up.len()), "{sum} of {} calls", up.len());
    until("all is shown", async || (spent(&edge, &trunk).await == sum).then_some(())).await;
    assert_eq!(edge.shown(&trunk, "/attributes/threshold_reached").await, true);
}

fn file(text: &str) -> std::path::PathBuf {
    let file = scratch(&format!("charging-{}.toml", unique()));
    std::fs::write(&file, text).unwrap();
    file
}

#[tokio::test]
async fn calls_that_are_up_when_their_server_is_killed_are_charged_up_to_the_last_step() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("killed.db");
    let config = file(&format!("[sip]\ncost_step_seconds = 1\n{BY_THE_SECOND}"));
    let arguments = ["--database", database.to_str().unwrap(), "--config", config.to_str().unwrap()];
    let mut edge = Edge::with_arguments(&arguments).await;
    let trunk = edge.trunk(json!({ "threshold_amount": "1000.0" })).await;
    let free = edge.trunk(json!({})).await;
    let (_up, _other) =
        (Call::up(&edge, &trunk, ANSWERS_AT_ONCE).await, Call::up(&edge, &free, ANSWERS_AT_ONCE).await);
    until("a few steps are written", async || (spent(&edge, &trunk).await >= Decimal::from(3)).then_some(()))
        .await;
    // Possible again once they are acknowledged.
    let _late = Call::up(&edge, &trunk, ANSWERS_AT_ONCE).await;
    acknowledged(&database, 3).await;
    let least = spent(&edge, &trunk).await;
    edge.binary.signal("KILL");
    until("the server is gone", async || (!edge.binary.runs()).then_some(())).await;
    drop(edge);

    for _ in 0..2 {
        let edge = Edge::with_arguments(&arguments).await;
        edge.record(&trunk, 2).await;
        let mut sum = Decimal::ZERO;
        for record in edge.records(&trunk).await.iter().chain(&edge.records(&free).await) {
            assert_eq!(record["disconnect_reason"], "Server lost", "{record}");
            assert_eq!((&record["disconnect_cause"], &record["success"]), (&json!(9002), &json!(true)));
            assert_eq!(record["price"].as_str().unwrap(), record["billing_duration"].to_string(), "{record}");
            if record["trunk_id"] == trunk.id.as_str() {
                sum += record["price"].as_str().unwrap().parse::<Decimal>().unwrap();
            }
        }
        assert_eq!((edge.records(&trunk).await.len(), edge.records(&free).await.len()), (2, 1), "each once");
        // A step was written after the amount was read, or together with it.
        assert!(sum + Decimal::ONE >= least && sum >= Decimal::from(2), "{sum} of {least}");
        until("all is shown", async || (spent(&edge, &trunk).await == sum).then_some(())).await;
        assert!(edge.active().await.is_empty());
    }
    std::fs::remove_file(config).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_whose_bye_was_answered_is_charged_although_the_server_is_killed_at_once() {
    const CALLS: usize = 40;
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("killed.db");
    let config = file(&format!("[sip]\ncost_step_seconds = 60\n{BY_THE_SECOND}"));
    let arguments = ["--database", database.to_str().unwrap(), "--config", config.to_str().unwrap()];
    let edge = Arc::new(Edge::with_arguments(&arguments).await);
    let trunks = [edge.trunk(json!({ "threshold_amount": "1000.0" })).await, edge.trunk(json!({})).await];
    let mut callers = JoinSet::new();
    for number in 0..CALLS {
        let (edge, trunk) = (Arc::clone(&edge), trunks[number % 2].clone());
        callers.spawn(async move { Call::up(&edge, &trunk, ANSWERS_AT_ONCE).await.hang_up().await });
    }
    // The last answer to a BYE is a moment old when the server dies.
    while let Some(ended) = callers.join_next().await {
        ended.unwrap();
    }
    let mut edge = Arc::into_inner(edge).unwrap();
    edge.binary.signal("KILL");
    until("the server is gone", async || (!edge.binary.runs()).then_some(())).await;
    drop(edge);

    let edge = Edge::with_arguments(&arguments).await;
    for trunk in &trunks {
        edge.record(trunk, CALLS / 2).await;
        let records = edge.records(trunk).await;
        assert_eq!(records.len(), CALLS / 2);
        for record in records {
            assert_eq!(record["price"], "1", "{record}");
            // Which of the two depends on whether its own record or only its row was written before the end.
            let reason = record["disconnect_reason"].as_str().unwrap();
            assert!(["Bye", "Server lost"].contains(&reason), "{record}");
        }
    }
    std::fs::remove_file(config).unwrap();
}

/// A caller that a trunk identifies by its address, and that places several calls from it.
async fn from(edge: &Edge, source: std::net::Ipv4Addr) -> Call {
    Call::over(Uac::udp_from(edge, source).await, edge, ANSWERS_AT_ONCE).await
}

#[tokio::test]
async fn an_unacknowledged_answer_costs_nothing_and_blocks_nothing() {
    let edge = Edge::with_config(SIXTY).await;
    let trunk = edge.trunk(json!({ "threshold_amount": "200.0" })).await;
    let source = super::edge::source();
    edge.ip_only(&trunk, &[&source.to_string()]).await;
    let mut calls = Vec::new();
    // A minute of each may be spent while they are up; a fourth one would exceed the threshold.
    for _ in 0..3 {
        let mut call = from(&edge, source).await;
        assert_eq!(call.attempt().await.code(), 200);
        // The sender of a forged INVITE knows its branch, but not the tag of the answer.
        let (head, _) = call.sent.split_once("\r\n\r\n").unwrap();
        let blind = head.replacen("INVITE", "ACK", 1).replace(" INVITE\r\n", " ACK\r\n");
        let blind =
            blind.lines().filter(|line| !line.starts_with("Content-")).collect::<Vec<_>>().join("\r\n");
        call.uac.send(format!("{blind}\r\nContent-Length: 0\r\n\r\n")).await;
        assert_eq!(call.answer().await.code(), 200, "the answer is repeated");
        calls.push(call);
    }
    for call in &mut calls {
        call.hung_up().await;
    }
    edge.record(&trunk, calls.len()).await;
    for record in edge.records(&trunk).await {
        assert_eq!(
            (&record["disconnect_code"], &record["disconnect_reason"]),
            (&json!(200), &json!("NoAck"))
        );
        assert_eq!((&record["success"], &record["price"]), (&json!(false), &json!("0")), "{record}");
        assert_eq!((&record["duration"], &record["time_connect"]), (&json!(0), &Value::Null), "{record}");
    }
    assert_eq!(spent(&edge, &trunk).await, Decimal::ZERO);
    assert_eq!(edge.shown(&trunk, "/attributes/status").await, "active");
    let mut call = from(&edge, source).await;
    assert_eq!(call.attempt().await.code(), 200);
    call.acknowledge().await;
    spends(&edge, &trunk, "60").await;
    call.hang_up().await;
}

#[tokio::test]
async fn a_source_of_datagrams_has_a_few_answers_until_it_acknowledges_one() {
    let edge = Edge::with_config("[sip]\nunacknowledged_answers = 2\n").await;
    let trunk = edge.trunk(json!({})).await;
    let source = super::edge::source();
    edge.ip_only(&trunk, &[&source.to_string()]).await;
    let mut waiting = Vec::new();
    for code in [200, 200, 503] {
        let mut call = from(&edge, source).await;
        assert_eq!(call.attempt().await.code(), code);
        waiting.push(call);
    }
    let record = edge.record(&trunk, 1).await;
    assert_eq!(
        (&record["disconnect_code"], &record["disconnect_cause"]),
        (&json!(503), &json!(9004)),
        "{record}"
    );
    waiting[0].acknowledge().await;
    until("the source is known to hear", async || {
        let mut call = from(&edge, source).await;
        let answer = call.attempt().await.code();
        waiting.push(call);
        (answer == 200).then_some(())
    })
    .await;
    for _ in 0..3 {
        assert_eq!(from(&edge, source).await.attempt().await.code(), 200);
    }
}

/// Starts the binary with the trap that a limit on the size of files needs: without it the signal would end
/// the process.
async fn started(database: &Path, config: &Path) -> Edge {
    let mut command = Command::new("sh");
    command
        .args(["-c", r#"trap "" XFSZ; exec "$0" "$@""#])
        .arg(binary::path())
        .args(["--listen", "127.0.0.1:0", "--control-listen", "127.0.0.1:0", "--sip-listen", "127.0.0.1:0"])
        .args(["--api-key", "good"])
        .arg("--database")
        .arg(database)
        .arg("--config")
        .arg(config)
        .env("NO_COLOR", "1")
        .stderr(Stdio::piped());
    Edge::of(Binary::launch(command), None).await
}

fn limit(edge: &Edge, bytes: &str) {
    let pid = edge.binary.id().to_string();
    let set = Command::new("prlimit").args([&format!("--fsize={bytes}:"), "--pid", &pid]).status();
    assert!(set.is_ok_and(|status| status.success()), "prlimit limits what files grow to");
}

/// Whether the server accepts a write.
async fn takes_writes(edge: &Edge) -> bool {
    let account = json!({ "name": format!("Account {}", unique()) });
    edge.control.post("/accounts", &account).await.status == 201
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_full_disk_no_call_of_a_trunk_with_a_threshold_comes_in_and_every_other_is_charged_in_the_end()
{
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("full.db");
    let config = file(&format!("[sip]\nunrecorded_seconds = 600\n{SIXTY}"));
    let mut edge = started(&database, &config).await;
    let trunk = edge.trunk(json!({ "threshold_amount": "100.0" })).await;
    let free = edge.trunk(json!({})).await;
    let body = json!({ "data": { "type": "voice_out_trunks", "id": free.id, "attributes": { "threshold_amount": null } } });
    let old = edge.api.at(Some("2022-05-10"));
    assert_eq!(old.patch(&format!("/voice_out_trunks/{}", free.id), &body).await.status, 200);
    // This call is already active: it continues, and is charged.
    let mut before = Call::up(&edge, &trunk, ANSWERS_AT_ONCE).await;
    spends(&edge, &trunk, "60").await;

    let sizes = std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().metadata().unwrap().len());
    limit(&edge, &sizes.max().unwrap().to_string());
    until("the disk is full", async || (!takes_writes(&edge).await).then_some(())).await;
    for _ in 0..8 {
        let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
        let refusal = call.place(&trunk).await;
        assert_eq!(refusal.code(), 503, "{refusal:?}");
        is_stated(&edge, &call, (Some(Check::Recording), Cause::NotRecorded), Some(&refusal)).await;
    }
    before.hang_up().await;
    for _ in 0..3 {
        Call::up(&edge, &free, ANSWERS_AT_ONCE).await.hang_up().await;
    }
    edge.calls_up(0).await;
    limit(&edge, "unlimited");
    until("there is room again", async || takes_writes(&edge).await.then_some(())).await;
    edge.record(&free, 3).await;
    spends(&edge, &free, "180").await;
    spends(&edge, &trunk, "60").await;
    until("calls are taken again", async || {
        let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
        let code = call.place(&trunk).await.code();
        (code == 200).then_some(())
    })
    .await;
    acknowledged(&database, 1).await;
    edge.binary.signal("KILL");
    until("the server is gone", async || (!edge.binary.runs()).then_some(())).await;
    drop(edge);

    let edge = started(&database, &config).await;
    spends(&edge, &trunk, "120").await;
    spends(&edge, &free, "180").await;
    let charged = |records: Vec<Value>| records.iter().filter(|record| record["price"] == "60").count();
    until("every call has its record", async || {
        let all = (charged(edge.records(&trunk).await), charged(edge.records(&free).await));
        (all == (2, 3)).then_some(())
    })
    .await;
    assert_eq!(edge.shown(&trunk, "/attributes/status").await, "blocked");
    std::fs::remove_file(config).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_nothing_can_be_written_for_too_long_calls_end() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("full.db");
    let config = file(&format!("[sip]\nunrecorded_seconds = 1\n{SIXTY}"));
    let edge = started(&database, &config).await;
    let trunk = edge.trunk(json!({ "threshold_amount": "1000.0" })).await;
    let mut call = Call::up(&edge, &trunk, ANSWERS_AT_ONCE).await;
    spends(&edge, &trunk, "60").await;
    let sizes = std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().metadata().unwrap().len());
    limit(&edge, &sizes.max().unwrap().to_string());
    until("the disk is full", async || (!takes_writes(&edge).await).then_some(())).await;
    let bye = tokio::time::timeout(Duration::from_secs(20), call.hung_up()).await.unwrap();
    assert!(bye.header("Reason").unwrap().contains("Calls cannot be recorded"), "{bye:?}");
    limit(&edge, "unlimited");
    let record = edge.record(&trunk, 1).await;
    assert_eq!((&record["disconnect_cause"], &record["price"]), (&json!(9003), &json!("60")), "{record}");
    std::fs::remove_file(config).unwrap();
}
