//! The commands `backup`, `restore` and `move` of the real binary.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use futures_util::future::join_all;
use serde_json::json;

use crate::docs::pages::{blocks, read};
use crate::support::api::{Api, OLD};
use crate::support::binary::{self, Binary, command};

const KEY: &str = "a-key-of-transfers";

fn start(database: &Path) -> Binary {
    Binary::start(&["--database", database.to_str().unwrap(), "--api-key", KEY])
}

async fn create(api: &Api, number: usize) {
    let attributes = json!({
        "name": format!("trunk {number}"), "on_cli_mismatch_action": "reject_call",
        "allowed_sip_ips": ["203.0.113.5/32"],
    });
    let body = json!({ "data": { "type": "voice_out_trunks", "attributes": attributes } });
    let created = api.post("/voice_out_trunks", &body).await;
    assert_eq!(created.status, 201, "{}", created.text);
}

/// All trunks that a server lists, as it sends them.
async fn trunks(server: &Binary) -> Vec<serde_json::Value> {
    let api = Api::new(&server.base, KEY).at(Some(OLD));
    let mut listed = Vec::new();
    for page in 1.. {
        let answer = api.get(&format!("/voice_out_trunks?page[size]=1000&page[number]={page}")).await;
        // Links name the server, which has another port each time.
        let text = answer.at("/data").to_string().replace(&server.base, "");
        let data: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
        if data.is_empty() {
            break;
        }
        listed.extend(data);
    }
    listed
}

/// Runs a command to its end. Returns its output.
fn run(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_of_a_running_server_is_restored_although_the_restore_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let (running, backup, restored) =
        (folder.path().join("running.db"), folder.path().join("a.backup"), folder.path().join("restored.db"));
    let server = start(&running);
    let api = Api::new(&server.base, KEY).at(Some(OLD));
    for hundred in 0..30 {
        join_all((hundred * 100..(hundred + 1) * 100).map(|number| create(&api, number))).await;
    }
    let before = trunks(&server).await;
    assert_eq!(before.len(), 3_000);
    let printed = run(command().arg("backup").arg(&backup).arg("--database").arg(&running));
    assert!(printed.starts_with("backed up to ") && printed.contains("compared at both ends"), "{printed}");
    // A write after the backup is not in it.
    create(&api, 3_000).await;

    let mut restore = command();
    restore.arg("restore").arg(&backup).arg("--database").arg(&restored);
    let mut killed = restore.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(killed.stderr.take().unwrap()).lines();
    let copying = lines.find(|line| line.as_ref().unwrap().starts_with("copying: "));
    assert!(copying.is_some(), "the first rows are written");
    killed.kill().unwrap();
    assert_eq!(killed.wait().unwrap().code(), None, "it was killed before its end");
    let refused = command()
        .args(["--listen", "127.0.0.1:0", "--control-listen", "off", "--sip-listen", "off", "--database"])
        .arg(&restored)
        .output()
        .unwrap();
    let why = String::from_utf8_lossy(&refused.stderr);
    assert!(why.contains("is the target of a move or restore that did not end"), "{why}");

    let printed = run(command().arg("restore").arg(&backup).arg("--database").arg(&restored));
    assert!(printed.starts_with("restored to "), "{printed}");
    let server = start(&restored);
    assert_eq!(trunks(&server).await, before);
}

#[test]
fn a_backup_for_which_there_is_no_room_is_an_error_and_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let (database, backup) = (folder.path().join("a.db"), folder.path().join("a.backup"));
    // While it runs, the other files of the database exist: the limit is one of the backup alone.
    let _server = start(&database);
    let output = Command::new("sh")
        .args(["-c", "ulimit -f 1; exec \"$0\" backup \"$1\" --database \"$2\""])
        .args([binary::path(), backup.clone(), database])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let why = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{why}");
    assert!(why.contains("a.backup cannot be written: File too large"), "{why}");
    assert!(!backup.exists() && !folder.path().join("a.backup.partial").exists());
}

#[test]
fn a_backup_is_made_although_nothing_takes_its_progress() {
    let folder = tempfile::tempdir().unwrap();
    let (database, backup) = (folder.path().join("a.db"), folder.path().join("a.backup"));
    assert_eq!(start(&database).terminate(), Some(0));
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = command();
    command.arg("backup").arg(&backup).arg("--database").arg(&database).stderr(Stdio::from(full));
    let output = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let output = output.wait_with_output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{printed}");
    assert!(printed.starts_with("backed up to ") && backup.exists(), "{printed}");
}

#[test]
fn the_commands_of_the_page_on_operations_can_be_pasted() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(start(&folder.path().join("trunk-server.db")).terminate(), Some(0));
    let programs = binary::path().parent().unwrap().to_owned();
    let script = blocks(&read("docs/operations.md"), "sh").concat();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let printed = run(Command::new("sh")
        .args(["-ec", &script])
        .current_dir(folder.path())
        .env("PATH", path)
        .env_remove("TRUNK_SERVER_DATABASE"));
    for done in
        ["backed up to trunks.backup", "restored to restored.db", "moved from restored.db to moved.db"]
    {
        assert!(printed.contains(done), "{printed}");
    }
    let server = start(&folder.path().join("moved.db"));
    assert_eq!(server.terminate(), Some(0));
    let again = folder.path().join("again.db");
    let printed = run(command()
        .arg("move")
        .env("TRUNK_SERVER_MOVE_FROM", folder.path().join("moved.db"))
        .env("TRUNK_SERVER_MOVE_TO", &again));
    assert!(printed.contains("moved from ") && again.exists(), "a URL with a password is no argument");
}
