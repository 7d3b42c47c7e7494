//! The order of writes, flushes and answers, and a disk that reports flushes that it does not do.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use rusqlite::Connection;

use super::history::{Answer, create, names};
use super::opened;
use crate::support::api::Api;
use crate::support::binary::{self, Binary};
use crate::support::disk::{Disk, KEY};

/// The operation of a power cut without flushes: after several commits, and before a checkpoint of the log. The
/// engine may lose more than commits if the log that it copies into the database was not flushed.
const CUT_AT: u32 = 600;

/// The state of the newest commit in the write-ahead log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Log {
    /// The trace has no write of the commit yet.
    Unknown,
    Written,
    Flushed,
}

#[tokio::test]
async fn every_created_answer_comes_after_the_flush_of_its_commit() {
    let disk = Disk::new();
    let binary = disk.start();
    let api = Api::new(&binary.base, KEY);
    disk.set("trace");
    for n in 0..20 {
        assert_eq!(create(&api, &n.to_string()).await, Answer::Done);
    }
    let trace = disk.faults();
    let (mut log, mut is_durable, mut answers) = (Log::Unknown, false, 0);
    for line in trace.lines() {
        match line {
            "trace write faults.db-wal" => log = Log::Written,
            "trace sync faults.db-wal" if log == Log::Written => log = Log::Flushed,
            // A line is logged before its operation. The note of a commit is written once the flush has returned.
            "trace write faults.db-commits" if log != Log::Unknown => {
                assert_eq!(log, Log::Flushed, "a commit is noted before its flush:\n{trace}");
                is_durable = true;
            }
            "trace answer 201" => {
                assert!(is_durable, "answer {answers} comes before the flush of its commit:\n{trace}");
                (is_durable, answers) = (false, answers + 1);
            }
            _ => {}
        }
    }
    assert_eq!(answers, 20, "{trace}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn creates_at_once_need_no_more_flushes_than_they_have_answers() {
    const CREATES: usize = 64;
    let disk = Disk::new();
    let binary = disk.start();
    let api = Api::new(&binary.base, KEY);
    disk.set("trace");
    let creates = (0..CREATES).map(|n| {
        let api = api.clone();
        tokio::spawn(async move { create(&api, &n.to_string()).await })
    });
    for writer in creates.collect::<Vec<_>>() {
        assert_eq!(writer.await.unwrap(), Answer::Done);
    }
    let trace = disk.faults();
    let count = |wanted: &str| trace.lines().filter(|line| *line == wanted).count();
    let (flushes, answers) = (count("trace sync faults.db-wal"), count("trace answer 201"));
    assert_eq!(answers, CREATES, "{trace}");
    assert!((1..=answers).contains(&flushes), "{flushes} flushes of {answers} answers");
}

/// The flushes of a first start are most of its time. The log is flushed with the first commit after the schema.
#[test]
fn a_new_file_is_flushed_once_and_without_a_journal_before_its_log() {
    let disk = Disk::empty();
    disk.set("trace");
    let binary = disk.start();
    let trace = disk.faults();
    drop(binary);
    assert!(!trace.contains("faults.db-journal"), "{trace}");
    let first = |wanted: &str| trace.lines().position(|line| line == wanted);
    let flushed =
        first("trace sync faults.db").unwrap_or_else(|| panic!("the file is not flushed:\n{trace}"));
    let logged = first("trace write faults.db-wal").unwrap_or_else(|| panic!("nothing is logged:\n{trace}"));
    assert!(flushed < logged, "the log is written before the file is flushed:\n{trace}");
    assert_eq!(trace.lines().filter(|line| *line == "trace sync faults.db").count(), 1, "{trace}");
}

/// A server that is killed before it has flushed the first page leaves a page that looks like a flushed one.
#[test]
fn a_file_of_one_page_is_flushed_before_its_log_by_the_next_start() {
    let disk = Disk::empty();
    disk.start().kill();
    assert_eq!(fs::metadata(disk.database()).unwrap().len(), 4_096);
    disk.set("trace");
    let binary = disk.start();
    let trace = disk.faults();
    drop(binary);
    let first = |wanted: &str| trace.lines().position(|line| line == wanted);
    let flushed =
        first("trace sync faults.db").unwrap_or_else(|| panic!("the page is not flushed:\n{trace}"));
    assert!(first("trace write faults.db-wal").is_none_or(|logged| flushed < logged), "{trace}");
}

/// Runs a subcommand on a disk.
fn run(disk: &Disk, subcommand: &str, backup: &Path) {
    let served = disk.command();
    let mut command = binary::command();
    command.arg(subcommand).arg(backup).arg("--database").arg(disk.database());
    command.envs(served.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let ended = command.output().unwrap();
    assert!(ended.status.success(), "{subcommand}: {}", String::from_utf8_lossy(&ended.stderr));
}

/// A restore that is killed can be repeated at any time: a journal of an empty file would be in its way.
#[test]
fn a_new_file_of_a_restore_has_no_journal() {
    let folder = tempfile::tempdir().unwrap();
    let backup = folder.path().join("faults.backup");
    run(&Disk::new(), "backup", &backup);
    let disk = Disk::empty();
    disk.set("trace");
    run(&disk, "restore", &backup);
    let trace = disk.faults();
    assert!(trace.contains("trace sync faults.db-wal\n"), "{trace}");
    assert!(!trace.contains("faults.db-journal"), "{trace}");
    drop(opened(&disk.database(), "after the restore"));
}

/// The number of operations of a start on an empty folder up to the first flush of the log, which makes the schema
/// durable.
fn operations_of_a_creation() -> u32 {
    let disk = Disk::empty();
    disk.set("trace");
    drop(disk.start());
    let trace = disk.faults();
    let counted = |line: &&str| !line.ends_with("-shm") && !line.starts_with("trace answer");
    let before = trace.lines().filter(counted).position(|line| line == "trace sync faults.db-wal");
    let before = before.unwrap_or_else(|| panic!("the log is not flushed:\n{trace}"));
    u32::try_from(before).unwrap() + 1
}

#[test]
fn a_database_whose_creation_a_power_cut_ended_is_created_by_the_next_start() {
    // The first page is written and flushed by the first operations, and any of its sectors can be lost. Each page of the
    // schema is written by two.
    const FIRST: u32 = 3;
    let last = operations_of_a_creation();
    let is_tried =
        |operation: &u32| *operation <= FIRST || operation.is_multiple_of(10) || operation + 2 >= last;
    for operation in (1..=last).filter(is_tried) {
        let seeds = if operation <= FIRST { 12 } else { 1 };
        for seed in (1..=seeds).map(|seed| operation + 100 * seed) {
            let disk = Disk::empty();
            let control = format!("cut {operation} {seed}");
            disk.set(&control);
            let ended = disk.command().stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
            assert_eq!(ended.code(), Some(99), "{control}: the power failed");
            drop(opened(&disk.image(), &control));
        }
    }
}

/// The schema of a new file is flushed with the first commit after it. If that flush fails, the disk may have lost
/// parts of the schema, which nothing shows until a power cut: no commit may come behind them.
#[tokio::test]
async fn a_database_whose_first_flush_failed_is_created_by_the_next_start() {
    let disk = Disk::empty();
    disk.set("fail sync 1 1 EIO -wal");
    let ended = disk.command().stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    assert!(!ended.success(), "the account is not stored");
    assert_eq!(disk.faults(), "fail sync faults.db-wal\n");
    let log = fs::metadata(beside(&disk.database(), "-wal")).map_or(0, |log| log.len());
    assert_eq!(log, 0, "bytes of the log are left whose flush failed");
    disk.set("");
    let binary = disk.start();
    assert_eq!(create(&Api::new(&binary.base, KEY), "after").await, Answer::Done);
    assert_eq!(binary.terminate(), Some(0));
    drop(opened(&disk.database(), "after the first flush failed"));
}

/// Without flushes, a power cut loses acknowledged commits. The note of commits is not flushed either, so it can lose
/// its newest text too; where it still has more commits than the database, the start reports the difference.
#[tokio::test]
async fn commits_that_a_disk_acknowledged_and_lost_in_a_power_cut_are_reported_by_the_next_start() {
    let mut reported = 0;
    for seed in 1..=12 {
        reported += usize::from(lie_and_cut(seed).await);
    }
    println!("{reported} of 12 power cuts left a note of the commits that they lost");
    assert!(reported > 0);
}

/// Writes until the power cut on a disk that drops every flush of the write-ahead log. Returns whether acknowledged
/// trunks are missing and the next start reported it.
async fn lie_and_cut(seed: u32) -> bool {
    let disk = Disk::new();
    let binary = disk.start();
    let api = Api::new(&binary.base, KEY);
    // The first line that matches applies, so the power cut can also come at a dropped flush.
    disk.set(&format!("cut {CUT_AT} {seed}\nlie sync 1 0 -wal"));
    let mut acknowledged = 0;
    while acknowledged < 1_000 && create(&api, &format!("{acknowledged:03}")).await == Answer::Done {
        acknowledged += 1;
    }
    assert!((3..1_000).contains(&acknowledged), "the cut came after {acknowledged} creates");
    assert_eq!(binary.exit_code(), Some(99), "the power failed");
    assert!(disk.faults().starts_with("lie sync faults.db-wal\n"), "{}", disk.faults());

    let image = disk.image();
    let (noted, stored) = (noted(&image), stored(&image));
    let binary = Binary::start(&["--database", image.to_str().unwrap(), "--api-key", KEY]);
    let ready = Api::new(binary.base.trim_end_matches("/v3"), KEY).get("/readyz").await;
    assert_eq!(ready.status, 200, "{}", ready.text);
    let warning = ready.at("/warning");
    if noted > stored {
        let missing = format!("{} acknowledged commits are missing, made after ", noted - stored);
        assert!(warning.as_str().is_some_and(|text| text.starts_with(&missing)), "{missing}: {}", ready.text);
    } else {
        assert!(warning.is_null(), "{noted} commits are noted and {stored} stored: {}", ready.text);
    }
    let kept = names(&Api::new(&binary.base, KEY)).await.len();
    noted > stored && kept < acknowledged
}

/// The path of a file beside a database.
fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut path = OsString::from(database);
    path.push(suffix);
    PathBuf::from(path)
}

/// The number of commits in the note beside a database.
fn noted(database: &Path) -> i64 {
    let note = fs::read_to_string(beside(database, "-commits")).unwrap();
    note.split(' ').next().unwrap().parse().unwrap()
}

/// The number of commits in a database, read from a copy because opening the database changes its files.
fn stored(database: &Path) -> i64 {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.db");
    for suffix in ["", "-wal"] {
        let file = beside(database, suffix);
        if file.exists() {
            fs::copy(file, beside(&copy, suffix)).unwrap();
        }
    }
    let connection = Connection::open(&copy).unwrap();
    connection.query_row("SELECT made FROM commits", [], |row| row.get(0)).unwrap()
}
