//! All connections to the database are cut, again and again: nothing is left of them.
//!
//! `DB_CUTS=1000` makes the run long.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{Pair, body, nodes, until_ready};
use crate::sip::edge::{Edge, until};

/// Most connections of a server: of the pool, for its heartbeat, for the changes of others, and one that listens.
const MOST_CONNECTIONS: usize = 16 + 2 + 1 + 1;
/// How much the memory of a server may grow, in KiB.
const MOST_GROWTH: usize = 24 * 1_024;
/// The longest time until a server serves after a cut.
const BACK_WITHIN: Duration = Duration::from_secs(2);

/// The resources of a process: open files, threads, and its memory in KiB.
#[derive(Debug, Clone, Copy)]
struct Held {
    files: usize,
    threads: usize,
    memory: usize,
}

fn held(edge: &Edge) -> Held {
    let of = format!("/proc/{}", edge.binary.id());
    let status = std::fs::read_to_string(format!("{of}/status")).unwrap();
    let member = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    };
    let files = std::fs::read_dir(format!("{of}/fd")).unwrap().count();
    Held { files, threads: member("Threads:"), memory: member("VmRSS:") }
}

/// Reads and writes at a server, several requests at once, until all succeed.
async fn serve_again(edge: &Edge, round: usize) -> Duration {
    let since = Instant::now();
    until("the server serves again", async || {
        let reads = (0..4).map(|_| edge.api.get("/voice_out_trunks?page[size]=1"));
        let answers = futures_util::future::join_all(reads).await;
        for answer in &answers {
            assert!(matches!(answer.status, 200 | 503), "{} {}", answer.status, answer.text);
        }
        answers.iter().all(|answer| answer.status == 200).then_some(())
    })
    .await;
    // A name is taken if the answer to its creation was lost.
    let (mut attempt, mut status) = (0, 0);
    while status != 201 {
        attempt += 1;
        assert!(since.elapsed() < 5 * BACK_WITHIN, "a write is answered {status}");
        status = edge.api.post("/voice_out_trunks", &body(&format!("{round} {attempt}"))).await.status;
    }
    since.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_left_of_connections_that_are_cut() {
    let cuts: usize = std::env::var("DB_CUTS").map_or(100, |text| text.parse().unwrap());
    let (mut pair, proxy) = {
        let postgres = crate::support::postgres::Server::shared();
        let proxy = crate::support::tcp_proxy::Proxy::start(postgres.socket());
        let database = postgres.database();
        let urls = [database.url_through(&proxy), database.url()];
        let listen = ["--database-listen", urls[0].as_str()];
        (Pair::start_at(database, [&urls[0], &urls[1]], &listen).await, proxy)
    };
    pair.trunk(json!({})).await;
    let (mut warm, mut longest) = (None, Duration::ZERO);
    for round in 0..cuts {
        proxy.cut();
        let took = serve_again(&pair.one, round).await;
        longest = longest.max(took);
        assert!(took < BACK_WITHIN, "after cut {round} it serves again after {took:?}");
        // Memory that is allocated once is allocated after some rounds.
        if round == cuts / 4 {
            until_ready(&pair.one, 200).await;
            warm = Some(held(&pair.one));
        }
    }
    until_ready(&pair.one, 200).await;
    let before = warm.unwrap();
    let left = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() \
                AND application_name = 'trunk-server'";
    // Both servers have connections of their own.
    until("connections that were cut are gone", async || {
        (pair.database.ask(left).parse::<usize>().unwrap() <= 2 * MOST_CONNECTIONS).then_some(())
    })
    .await;
    assert!(proxy.open() <= 2 * MOST_CONNECTIONS, "{} connections are open", proxy.open());
    let after = held(&pair.one);
    println!(
        "{cuts} cuts, {} connections in all, {before:?} and {after:?}, serves again after at most {longest:?}",
        proxy.accepted()
    );
    assert!(proxy.accepted() > cuts as u64, "each cut led to new connections");
    assert!(after.files <= before.files + MOST_CONNECTIONS, "{before:?}, {after:?}");
    assert!(after.threads <= before.threads + 2, "{before:?}, {after:?}");
    assert!(after.memory <= before.memory + MOST_GROWTH, "{before:?}, {after:?}");
    assert_eq!(nodes(&pair.one).await, 2);
    assert!(pair.one.binary.runs() && pair.other.binary.runs());
}
