//! The primary of a cluster of PostgreSQL dies or stands still under load, and a synchronous standby takes over.
//!
//! `FAILOVERS=20` makes the run long, and `TTL=30` sets the seconds for which a primary has its lease, which are 30 by
//! default of Patroni. `HAPROXY=yes` puts HAProxy before the cluster.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::event_stream::{EventStream, SECRET};
use super::ledger::{ADMIN, Ledger};
use super::{body, callers, nodes, until_admitted, until_ready};
use crate::sip::edge::{Edge, until};
use crate::support::cluster::Cluster;

/// The time between two requests of one who waits for the end of a failover.
const BETWEEN_REQUESTS: Duration = Duration::from_millis(50);
/// Maximum time from the loss of a primary to the next write, in addition to its lease.
const FAILED_OVER_WITHIN: Duration = Duration::from_secs(15);

/// Sends writes to a server, each without waiting for those before it, until one succeeds. Returns the id of what it
/// created, and the time until it was answered; `None` if that takes longer than `limit`.
async fn first_write(edge: &Edge, of: &str, limit: Duration) -> Option<(String, Duration)> {
    let (since, mut writes) = (Instant::now(), JoinSet::new());
    for number in 0.. {
        if since.elapsed() > limit {
            break;
        }
        let (api, name) = (edge.api.clone(), format!("{of} {number}"));
        writes.spawn(async move { api.post("/voice_out_trunks", &body(&name)).await });
        let next = tokio::time::sleep(BETWEEN_REQUESTS);
        tokio::pin!(next);
        loop {
            tokio::select! {
                () = &mut next => break,
                Some(answer) = writes.join_next() => match answer.unwrap() {
                    answer if answer.status == 201 => return Some((answer.id(), since.elapsed())),
                    answer => assert_eq!(answer.status, 503, "{}", answer.text),
                },
            }
        }
    }
    None
}

/// A time in which a primary that was would answer reads after it wakes up, until it learns of the new one.
const ANSWERS_FOR: Duration = Duration::from_secs(5);

/// Reads a trunk at a server. Returns the number of answers that a primary that was gave: it has no such trunk.
async fn stale_reads(edge: &Edge, id: &str) -> usize {
    let mut stale = 0;
    let mut reads = JoinSet::new();
    // More than a server has connections, so that each is used.
    for _ in 0..48 {
        let (api, path) = (edge.api.clone(), format!("/voice_out_trunks/{id}"));
        reads.spawn(async move { api.get(&path).await });
    }
    while let Some(answer) = reads.join_next().await {
        let answer = answer.unwrap();
        assert!(matches!(answer.status, 200 | 404 | 503), "{id}: {} {}", answer.status, answer.text);
        stale += usize::from(answer.status == 404);
    }
    stale
}

/// The longest time until a server that was the primary replicates again. It is a bound, not a promise: Patroni acts
/// once in a fifth of the lease, rewinds or copies the data, and shares the processors with all that runs beside it.
const JOINED_WITHIN: Duration = Duration::from_mins(10);
/// The longest time without a change of what Patroni says of the servers, in addition to two leases.
const UNCHANGED_FOR: Duration = Duration::from_mins(2);

/// Panics, and prints what Patroni says of the servers and the ends of all logs before.
fn fail(why: &str, state: &Value) -> ! {
    for (log, end) in state["logs"].as_object().unwrap() {
        println!("{log}:\n{}", end.as_str().unwrap());
    }
    panic!("{why}: {}", state["servers"]);
}

/// Waits until all servers of the cluster replicate, as long as Patroni works on it.
async fn until_whole(command: impl Fn(&str) -> String, lease: Duration) {
    let state = || serde_json::from_str::<Value>(&command("state")).unwrap();
    // Without the positions in the log, which grow as the writes go on.
    let steps = |state: &Value| -> Vec<String> {
        let servers = state["servers"].as_object().unwrap().values();
        let members = |server: &Value| {
            ["state", "role", "timeline", "patroni", "replication_state"]
                .map(|member| server[member].to_string())
                .join(" ")
        };
        servers.map(members).collect()
    };
    let (since, mut changed, mut last) = (Instant::now(), Instant::now(), Vec::new());
    while command("whole") != "yes" {
        let found = state();
        let now = steps(&found);
        if now != last {
            (changed, last) = (Instant::now(), now);
        }
        if changed.elapsed() > UNCHANGED_FOR + 2 * lease || since.elapsed() > JOINED_WITHIN {
            fail(&format!("not all servers replicate after {:?}", since.elapsed()), &found);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Starts two servers on the cluster, and lets its primary fail several times under writes, calls and callbacks.
async fn fail_over(cluster: Cluster, url: &str, failovers: usize, lease: Duration) {
    let arguments = ["--database", url, "--voipbin-admin", ADMIN];
    let callbacks = ["--allow-loopback-callbacks", "--callback-secret", SECRET];
    let arguments = [&arguments[..], &callbacks[..]].concat();
    let (mut one, mut other) =
        (Edge::with_arguments(&arguments).await, Edge::with_arguments(&arguments).await);
    let trunk = one.trunk(json!({ "capacity_limit": callers::CHANNELS })).await;
    for edge in [&one, &other] {
        until_admitted(edge, &trunk).await;
    }
    let notified = one.trunk(json!({})).await;
    let events = EventStream::start([one.api.clone(), other.api.clone()], &notified.id).await;
    let ledger = Ledger::start(&[&one, &other]).await;
    let (cluster, enough, mut times) = (Mutex::new(cluster), AtomicBool::new(false), Vec::new());
    let command = |text: &str| tokio::task::block_in_place(|| cluster.lock().unwrap().command(text));
    let faults = async {
        for number in 0..failovers {
            ledger.grows_by(40).await;
            let primary = command("primary");
            let (fault, end) = if number % 2 == 0 { ("pause", "wake") } else { ("kill", "start") };
            assert_eq!(command(&format!("{fault} {primary}")), "done");
            let limit = lease + FAILED_OVER_WITHIN;
            let names = [format!("one {number}"), format!("other {number}")];
            let written =
                tokio::join!(first_write(&one, &names[0], limit), first_write(&other, &names[1], limit));
            let (Some((at_one, one_after)), Some((at_other, other_after))) = written else {
                let state = serde_json::from_str(&command("state")).unwrap();
                fail(&format!("no write succeeds after {fault} of {primary}: {written:?}"), &state)
            };
            println!("{fault} of the primary: writes again after {one_after:?} and {other_after:?}");
            times.extend([one_after, other_after]);
            // When the old primary is back, it takes itself for the primary for a moment.
            for edge in [&one, &other] {
                until_ready(edge, 200).await;
            }
            assert_eq!(command(&format!("{end} {primary}")), "done");
            // Each reads what the other one wrote after the failover, which the old primary does not have.
            let woken = Instant::now();
            for round in 0.. {
                if round >= 20 && woken.elapsed() >= ANSWERS_FOR {
                    break;
                }
                let stale = stale_reads(&one, &at_other).await + stale_reads(&other, &at_one).await;
                assert_eq!(
                    stale,
                    0,
                    "reads were answered by the old primary, {:?} after it woke up",
                    woken.elapsed()
                );
            }
            if number + 1 == failovers {
                break;
            }
            until_whole(command, lease).await;
        }
        ledger.grows_by(20).await;
        enough.store(true, Ordering::SeqCst);
    };
    let edges = [&one, &other];
    let call = callers::call(edges, &trunk, |_| !enough.load(Ordering::SeqCst));
    let (answered, ()) = tokio::join!(call, faults);
    let ask = |sql: &str| cluster.lock().unwrap().ask(sql);
    callers::are_charged_once(answered, ask).await;
    ledger.compare(ask).await;
    let (changes, longest) = events.end(ask).await;
    println!("{changes} changes notified in their order, the longest {longest:?} after its answer");
    times.sort();
    println!(
        "{failovers} failovers with a lease of {lease:?}, {answered} calls charged once; writes again after {:?} to {:?}, median {:?}",
        times[0],
        times[times.len() - 1],
        times[times.len() / 2]
    );
    until("both are listed", async || (nodes(&one).await == 2).then_some(())).await;
    assert!(one.binary.runs() && other.binary.runs(), "no server has to be started again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_or_done_twice_when_the_primary_of_a_cluster_fails() {
    let from_environment = |name: &str| std::env::var(name).ok().map(|text| text.parse::<usize>().unwrap());
    let failovers = from_environment("FAILOVERS").unwrap_or(2);
    let ttl = from_environment("TTL").unwrap_or(5);
    let with_haproxy = std::env::var_os("HAPROXY").is_some();
    let mut arguments = vec!["--ttl".to_owned(), ttl.to_string()];
    arguments.extend(with_haproxy.then(|| "--haproxy".to_owned()));
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let cluster = Cluster::start(&arguments);
    let url = if with_haproxy { cluster.haproxy() } else { cluster.url() }.to_owned();
    fail_over(cluster, &url, failovers, Duration::from_secs(ttl as u64)).await;
}
