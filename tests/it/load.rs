//! The real binary under load: stopped, stopped by two signals, and with a full disk.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::Method;
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::crash::check_file;
use crate::support::api::Api;
use crate::support::binary::{self, Binary};

/// Maximum time for every step of these tests; much shorter than the server's own limit for its end.
const DEADLINE: Duration = Duration::from_secs(8);

fn trunk(name: &str) -> Value {
    let method =
        json!({ "type": "credentials_and_ip", "attributes": { "allowed_sip_ips": ["203.0.113.5"] } });
    let attributes =
        json!({ "name": name, "on_cli_mismatch_action": "reject_call", "authentication_method": method });
    json!({ "data": { "type": "voice_out_trunks", "attributes": attributes } })
}

/// The names of the trunks in a file that no server has open.
fn names_in(database: &Path) -> BTreeSet<String> {
    let file = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let mut select = file.prepare("SELECT attributes ->> 'name' FROM record WHERE account <> 0").unwrap();
    select.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopping_server_finishes_every_accepted_request() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("end.db");
    let binary = Binary::start(&["--database", database.to_str().unwrap(), "--api-key", "end"]);
    let api = Api::new(&binary.base, "end");
    let answered = Arc::new(AtomicUsize::new(0));
    let (reached, mut progress) = watch::channel(false);
    let reached = Arc::new(reached);
    let writers: Vec<_> = (0..16)
        .map(|writer| {
            let (api, answered, reached) = (api.clone(), Arc::clone(&answered), Arc::clone(&reached));
            tokio::spawn(async move {
                let mut acknowledged = Vec::new();
                for n in 0.. {
                    let name = format!("{writer}-{n}");
                    let request =
                        api.request(Method::POST, "/voice_out_trunks").body(trunk(&name).to_string());
                    // A connection that was closed before the request was accepted has no answer.
                    let Ok(answer) = request.send().await else { break };
                    assert_eq!(answer.status(), 201);
                    // An answer that has begun is complete.
                    let made: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
                    assert_eq!(made["data"]["attributes"]["name"], name);
                    acknowledged.push(name);
                    if answered.fetch_add(1, Ordering::SeqCst) + 1 == 300 {
                        reached.send_replace(true);
                    }
                }
                acknowledged
            })
        })
        .collect();
    progress.wait_for(|reached| *reached).await.unwrap();
    assert_eq!(binary.terminate(), Some(0));
    assert!(!database.with_extension("db-wal").exists(), "the log is folded into the file");
    let there = names_in(&database);
    let mut acknowledged = 0;
    for writer in writers {
        for name in writer.await.unwrap() {
            assert!(there.contains(&name), "{name} was acknowledged");
            acknowledged += 1;
        }
    }
    assert!(acknowledged >= 300);
    assert_eq!(there.len(), acknowledged, "no answer was lost on the way out");
    check_file(&database, "after the load");
}

/// Sends the head of a request, waits until the server asks for the body, and does not send it.
fn request_in_flight(base: &str) -> TcpStream {
    let address = base.strip_prefix("http://").unwrap().strip_suffix("/v3").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let types = "Content-Type: application/vnd.api+json\r\nExpect: 100-continue\r\nContent-Length: 10";
    let head =
        format!("POST /v3/voice_out_trunks HTTP/1.1\r\nHost: {address}\r\nApi-Key: end\r\n{types}\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let mut asked = [0; 25];
    stream.read_exact(&mut asked).unwrap();
    assert_eq!(&asked, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream
}

/// Waits until the API's port is closed.
fn refused(base: &str) {
    let address = base.strip_prefix("http://").unwrap().strip_suffix("/v3").unwrap();
    while TcpStream::connect(address).is_ok() {
        std::thread::yield_now();
    }
}

#[test]
fn a_second_signal_ends_it_at_once() {
    for signal in ["TERM", "INT"] {
        let binary = Binary::start(&["--ephemeral", "--api-key", "end"]);
        let mut in_flight = request_in_flight(&binary.base);
        binary.signal(signal);
        refused(&binary.base);
        binary.signal(signal);
        // The server's own deadline for the request would be longer than this test waits.
        let mut rest = Vec::new();
        assert!(
            in_flight.read_to_end(&mut rest).is_ok_and(|_| rest.is_empty()),
            "it hangs up without an answer"
        );
        assert_eq!(binary.exit_code(), Some(1));
    }
}

#[test]
fn half_a_head_does_not_hold_it_up() {
    let binary = Binary::start(&["--ephemeral", "--api-key", "end"]);
    let address = binary.base.strip_prefix("http://").unwrap().strip_suffix("/v3").unwrap();
    let mut half = TcpStream::connect(address).unwrap();
    half.set_read_timeout(Some(DEADLINE)).unwrap();
    half.write_all(b"GET /v3/dids HTTP/1.1\r\nHost: loc").unwrap();
    binary.signal("TERM");
    let mut rest = Vec::new();
    let _reset_or_closed = half.read_to_end(&mut rest);
    assert_eq!(binary.exit_code(), Some(0));
    assert!(rest.is_empty());
}

/// Starts a server whose files may grow to this size; a write beyond it fails as on a full disk. The limit is
/// the process's own, so this works for every user and on every file system.
fn start_in_little_room(database: &Path, bytes: u64, log: &Path) -> Binary {
    let mut command = Command::new("sh");
    // Without the trap the limit's signal would end the process instead of failing its write.
    command
        .args(["-c", r#"trap "" XFSZ; exec prlimit --fsize="$0": "$@""#, &bytes.to_string()])
        .arg(binary::path())
        .args([
            "--listen",
            "127.0.0.1:0",
            "--control-listen",
            "off",
            "--sip-listen",
            "off",
            "--api-key",
            "full",
        ])
        .arg("--database")
        .arg(database)
        .stderr(Stdio::from(std::fs::File::create(log).unwrap()));
    Binary::launch(command)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_writes_keeps_reads_and_is_forgotten_when_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let (database, log) = (folder.path().join("full.db"), folder.path().join("log"));
    let binary = start_in_little_room(&database, 600_000, &log);
    let api = Api::new(&binary.base, "full");
    let mut stored = BTreeSet::new();
    let refused = loop {
        assert!(stored.len() < 5_000, "the disk is never full");
        let name = stored.len().to_string();
        let answer = api.post("/voice_out_trunks", &trunk(&name)).await;
        if answer.status != 201 {
            break answer;
        }
        stored.insert(name);
    };
    assert_eq!(refused.status, 503, "{}", refused.text);
    assert_eq!(refused.headers["retry-after"], "1");
    assert!(!refused.text.contains("disk"), "the client does not see the cause, the operator does");
    let logged = std::fs::read_to_string(&log).unwrap();
    assert!(logged.contains("ERROR") && logged.contains("is full"), "{logged}");

    let many = futures_util::future::join_all((0..32).map(|n| {
        let api = api.clone();
        async move { api.post("/voice_out_trunks", &trunk(&format!("refused {n}"))).await }
    }));
    for answer in many.await {
        assert_eq!(answer.status, 503, "{}", answer.text);
    }
    assert_eq!(api.get("/voice_out_trunks").await.at("/meta/total_records"), stored.len(), "reads go on");

    let raised =
        Command::new("prlimit").args(["--fsize=unlimited:", "--pid", &binary.id().to_string()]).status();
    assert!(raised.is_ok_and(|status| status.success()), "prlimit makes room");
    for n in 0..50 {
        let name = format!("after {n}");
        let answer = api.post("/voice_out_trunks", &trunk(&name)).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        stored.insert(name);
    }
    assert_eq!(binary.terminate(), Some(0));
    assert_eq!(names_in(&database), stored, "nothing is lost, and nothing that was refused is there");
    check_file(&database, "after the load");
}
