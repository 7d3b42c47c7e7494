//! A failing disk: acknowledged writes are there, refused ones are not, and the server reports its state.
//!
//! `FAULTS=all` fails every operation of the history in turn (default: two of three writes); `CUTS=200` sets
//! the number of power cuts; `SEED=1234` changes them.

mod flushes;
mod history;

use std::time::Duration;

use http::Method;
use trunk_server::store::SqliteStore;

use crate::crash::check_file;
use crate::support::api::Api;
use crate::support::binary::Binary;
use crate::support::disk::{Disk, KEY};
use history::{Answer, Ledger, create, names};

/// Requests `/readyz` until it has this status, a bounded number of times.
async fn until_ready(binary: &Binary, status: u16) -> String {
    let root = Api::new(binary.base.trim_end_matches("/v3"), KEY);
    for _ in 0..400 {
        let ready = root.get("/readyz").await;
        if ready.status == status {
            return ready.text;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("/readyz does not answer {status}");
}

#[tokio::test]
async fn a_failed_flush_ends_writing_and_nothing_that_was_refused_comes_back() {
    let disk = Disk::new();
    let binary = disk.start();
    let api = Api::new(&binary.base, KEY);
    assert_eq!(create(&api, "before").await, Answer::Done);
    disk.set("fail sync 1 1 EIO -wal");
    let (status, retry, text) = history::post(&api, "refused").await.unwrap();
    assert_eq!((status, retry), (503, None), "{text}");
    assert!(text.contains("No writes are taken until the server is started again."), "{text}");
    for n in 0..50 {
        assert_eq!(create(&api, &format!("late {n}")).await, Answer::Refused);
    }
    assert_eq!(disk.faults(), "fail sync faults.db-wal\n");
    let ready = until_ready(&binary, 503).await;
    assert!(ready.contains("writes have ended") && ready.contains("a commit failed"), "{ready}");
    let control = Api::new(binary.control.clone().unwrap(), KEY);
    let refused = control.request(Method::POST, "/accounts").body(r#"{"name":"late"}"#).send().await.unwrap();
    assert_eq!(refused.status(), 503);
    assert_eq!(names(&api).await, ["before"], "reads go on from what is durable");
    let log = binary.log();
    assert_eq!(log.matches("writes have ended").count(), 1, "{log}");
    assert!(log.lines().count() < 20, "{log}");
    binary.kill();
    disk.set("");
    let binary = disk.start();
    let api = Api::new(&binary.base, KEY);
    assert_eq!(names(&api).await, ["before"], "nothing that was refused comes back");
    assert_eq!(create(&api, "after").await, Answer::Done);
    assert!(until_ready(&binary, 200).await.contains("ok"));
    assert_eq!(binary.terminate(), Some(0));
}

#[tokio::test]
async fn what_a_failed_flush_left_is_called_unknown_where_it_cannot_be_taken_back() {
    for control in ["fail sync 1 0 EIO -wal", "fail sync 1 0 EIO -wal\nfail truncate 1 0 EIO -wal"] {
        let disk = Disk::new();
        let binary = disk.start();
        let api = Api::new(&binary.base, KEY);
        disk.set(control);
        let (status, retry, text) = history::post(&api, "unknown").await.unwrap();
        assert_eq!((status, retry), (503, None), "{text}");
        assert!(text.contains("is not known") && text.contains("Read before you repeat it."), "{text}");
        assert_eq!(create(&api, "late").await, Answer::Refused);
        assert_eq!(names(&api).await, Vec::<String>::new());
        binary.kill();
    }
}

#[tokio::test]
async fn a_failed_flush_of_the_database_ends_writing_and_loses_nothing() {
    let disk = Disk::new();
    let binary = disk.start();
    let api = Api::new(&binary.base, KEY);
    disk.set("fail sync 1 1 EIO .db");
    let mut ledger = Ledger::default();
    // Enough writes that the log is checkpointed into the database.
    for n in 0..400 {
        let name = format!("{n:03}");
        let answer = create(&api, &name).await;
        let ended = answer == Answer::Refused;
        ledger.note(&name, Some("active"), answer);
        if ended {
            break;
        }
    }
    assert_eq!(disk.faults(), "fail sync faults.db\n");
    let ready = until_ready(&binary, 503).await;
    assert!(ready.contains("could not be folded"), "{ready}");
    binary.kill();
    history::compare(&disk.database(), &ledger, "the flush of the database").await;
}

#[tokio::test]
async fn a_full_disk_refuses_writes_until_there_is_room_and_says_so() {
    // 30 is EROFS: the kernel has made the file system read-only after an error.
    for error in ["ENOSPC", "EDQUOT", "EFBIG", "30"] {
        let disk = Disk::new();
        let binary = disk.start();
        let api = Api::new(&binary.base, KEY);
        assert_eq!(create(&api, "before").await, Answer::Done);
        disk.set(&format!("half write 1 0 {error}"));
        let (status, retry, text) = history::post(&api, "refused").await.unwrap();
        assert_eq!((status, retry.as_deref()), (503, Some("1")), "{text}");
        for n in 0..50 {
            assert_eq!(create(&api, &format!("late {n}")).await, Answer::Refused);
        }
        let ready = until_ready(&binary, 503).await;
        assert!(ready.contains("is full, or the disk cannot be written"), "{ready}");
        assert_eq!(names(&api).await, ["before"]);
        disk.set("");
        // Detected without a request that writes.
        until_ready(&binary, 200).await;
        let log = binary.log();
        assert_eq!(log.matches("the disk is full").count(), 1, "{log}");
        assert!(log.lines().count() < 20, "{log}");
        assert_eq!(create(&api, "after").await, Answer::Done);
        binary.kill();
        let mut ledger = Ledger::default();
        ledger.note("before", Some("active"), Answer::Done);
        ledger.note("after", Some("active"), Answer::Done);
        history::compare(&disk.database(), &ledger, error).await;
    }
}

#[tokio::test]
async fn a_limit_on_file_sizes_is_a_full_disk_and_no_end() {
    let disk = Disk::new();
    let command = disk.command();
    // Half a mebibyte, in units of 512 bytes.
    let mut limited = std::process::Command::new("sh");
    limited
        .args(["-c", "ulimit -f 1024 && exec \"$0\" \"$@\""])
        .arg(command.get_program())
        .args(command.get_args());
    limited.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    limited
        .env_remove("LD_PRELOAD")
        .env("PATH", std::env::var_os("PATH").unwrap())
        .stderr(std::process::Stdio::piped());
    let mut binary = Binary::launch(limited);
    let api = Api::new(&binary.base, KEY);
    let mut made = 0;
    while made < 1_000 && create(&api, &made.to_string()).await == Answer::Done {
        made += 1;
    }
    assert!((1..1_000).contains(&made), "{made} trunks were made");
    assert!(binary.runs(), "{}", binary.log());
    assert!(until_ready(&binary, 503).await.contains("is full"));
    assert_eq!(names(&api).await.len(), made);
    assert!(binary.runs());
}

/// Every operation of a history fails once, in each possible way.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whatever_fails_once_nothing_acknowledged_is_lost_and_nothing_refused_is_there() {
    let all = std::env::var("FAULTS").is_ok_and(|which| which == "all");
    let ways: [(&str, &str, usize); 7] = [
        ("fail sync", "EIO", 1),
        ("late sync", "EIO", 1),
        ("fail truncate", "EIO", 1),
        ("fail write", "EIO", 3),
        ("late write", "EIO", 3),
        ("half write", "ENOSPC", 3),
        // Every operation from the n-th on.
        ("fail any", "EIO", 3),
    ];
    let mut fired = 0;
    for (way, error, step) in ways {
        let step = if all { 1 } else { step };
        let mut n = 1;
        loop {
            let four = (0..4).map(|k| {
                let (way, n) = (way.to_owned(), n + k * step);
                tokio::spawn(async move { fail_once(&way, n, error).await })
            });
            let mut any = false;
            for one in four.collect::<Vec<_>>() {
                let did = one.await.unwrap();
                any |= did;
                fired += usize::from(did);
            }
            if !any {
                break;
            }
            n += 4 * step;
            assert!(n < 1_000, "the history has an end");
        }
    }
    println!("{fired} operations failed");
    assert!(fired > 60, "{fired}");
}

/// Runs the history with one fault. Returns true if the fault occurred.
async fn fail_once(way: &str, n: usize, error: &str) -> bool {
    let disk = Disk::new();
    let binary = disk.start();
    let last = if way == "fail any" { 0 } else { n };
    let control = format!("{way} {n} {last} {error}");
    disk.set(&control);
    let ledger = history::fixed(&Api::new(&binary.base, KEY)).await;
    binary.kill();
    history::compare(&disk.database(), &ledger, &control).await;
    !disk.faults().is_empty()
}

/// Power cuts at random operations, with several writers and occasional checkpoints of the log.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_was_acknowledged_outlives_every_power_cut() {
    let number = |name: &str, default: u64| {
        std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text}")))
    };
    let (cuts, seed) = (number("CUTS", 24), number("SEED", 20_261_128));
    println!("CUTS={cuts} SEED={seed}");
    let mut acknowledged = 0;
    for first in (0..cuts).step_by(4) {
        let four = (first..cuts.min(first + 4)).map(|round| tokio::spawn(cut(seed.wrapping_add(round))));
        for one in four.collect::<Vec<_>>() {
            acknowledged += one.await.unwrap();
        }
    }
    println!("{cuts} power cuts, {acknowledged} writes acknowledged, 0 lost");
    assert!(acknowledged as u64 > cuts * 5, "the cuts came while there was work");
}

/// Writes until the power cut; one of three rounds has a failed flush before. Returns the number of
/// acknowledged writes.
async fn cut(seed: u64) -> usize {
    let mut dice = history::Dice(seed);
    let disk = Disk::new();
    let mut binary = disk.start();
    // Most cuts come early, some after a checkpoint of the log.
    let most = if dice.roll(4) == 0 { 4_000 } else { 600 };
    let mut control = format!("cut {} {seed}", 1 + dice.roll(most));
    let fails = dice.roll(3) == 0;
    if fails {
        let n = 1 + dice.roll(20);
        control = format!("fail sync {n} {n} EIO\n{control}");
    }
    disk.set(&control);
    let (ledger, acknowledged) = history::work(&Api::new(&binary.base, KEY), seed).await;
    if fails && binary.runs() {
        // The server stopped writing before the power cut.
        binary.kill();
        history::compare(&disk.database(), &ledger, &control).await;
    } else {
        assert_eq!(binary.exit_code(), Some(99), "{control}: the power failed");
        history::compare(&disk.image(), &ledger, &control).await;
    }
    acknowledged
}

/// Opens the remaining files as the server would, and checks the database.
fn opened(database: &std::path::Path, what: &str) -> SqliteStore {
    let store = SqliteStore::open(database).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(trunk_server::store::Engine::missing_commits(&store), None, "{what}");
    check_file(database, what);
    store
}
