//! A database of an earlier release is migrated when it is opened, and keeps its records.

use std::path::{Path, PathBuf};

use rusqlite::types::Value as Sql;
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};

use crate::support::api::Api;
use crate::support::binary::Binary;
use crate::support::dump::{assert_same, dump};
use crate::support::world::{DIDS, TRUNKS};

/// A copy of the database of release 0.1.0, whose keys are `release-key` and `second-key`.
fn copied(folder: &tempfile::TempDir) -> PathBuf {
    let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/databases/0.1.0.sqlite");
    let file = folder.path().join("trunks.db");
    std::fs::copy(fixture, &file).unwrap();
    file
}

async fn texts(api: &Api, path: &str, attribute: &str) -> Vec<String> {
    let answer = api.get(path).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let Value::Array(records) = answer.at("/data") else { panic!("{}", answer.text) };
    let text = |record: &Value| record["attributes"][attribute].as_str().unwrap().to_owned();
    records.iter().map(text).collect()
}

#[tokio::test]
async fn a_database_of_release_0_1_0_keeps_its_accounts_and_records() {
    let folder = tempfile::tempdir().unwrap();
    let file = copied(&folder);
    let mut dumps = Vec::new();
    for round in ["upgraded", "opened again"] {
        let server = Binary::start(&["--database", file.to_str().unwrap()]);
        let first = Api::new(&server.base, "release-key");
        let second = Api::new(&server.base, "second-key");
        assert_eq!(texts(&first, TRUNKS, "name").await, ["Main", "Sales, North"], "{round}");
        assert_eq!(
            texts(&first, &format!("{TRUNKS}?filter[name]=%22Sales,%20North%22"), "name").await,
            ["Sales, North"]
        );
        assert_eq!(texts(&second, TRUNKS, "name").await, ["Main"]);
        assert_eq!(texts(&first, DIDS, "number").await.len(), 6);
        assert_eq!(server.terminate(), Some(0));
        dumps.push(dump(&file));
    }
    assert_same(&dumps[0], &dumps[1]);
}

/// The accounts, keys, records of accounts and links in a file, one a line. The first start adds reference data.
fn stored(file: &Path) -> Vec<String> {
    let file = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let mut lines = Vec::new();
    for sql in [
        "SELECT number, id, name, version, features FROM account ORDER BY number",
        "SELECT id, account, created_at, NULL, NULL FROM api_key ORDER BY id",
        "SELECT r.number, r.account, s.name, r.id, r.created_at FROM record r JOIN symbol s ON s.number = r.kind WHERE r.account <> 0 ORDER BY r.number",
        "SELECT number, attributes, meta, revision, NULL FROM record WHERE account <> 0 ORDER BY number",
        "SELECT owner, relationship, target, NULL, NULL FROM link ORDER BY number",
    ] {
        let mut select = file.prepare(sql).unwrap();
        let mut rows = select.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let values: Vec<Sql> = (0..5).map(|column| row.get(column).unwrap()).collect();
            lines.push(format!("{values:?}"));
        }
    }
    lines
}

#[tokio::test]
async fn what_a_database_of_release_0_1_0_holds_is_the_same_value_for_value_after_the_upgrade() {
    let folder = tempfile::tempdir().unwrap();
    let file = copied(&folder);
    let before = stored(&file);
    assert!(before.len() > 20, "{before:#?}");
    let server = Binary::start(&["--database", file.to_str().unwrap()]);
    assert_eq!(server.terminate(), Some(0));
    assert_same(&before, &stored(&file));
}

#[tokio::test]
async fn numbers_that_several_dids_have_stay_and_are_named_and_new_ones_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let server = Binary::start(&["--database", copied(&folder).to_str().unwrap()]);
    let log = server.log();
    assert!(
        log.contains("values=2") && log.contains("dids/number 14155550100, dids/number 37061498222"),
        "{log}"
    );
    let second = Api::new(&server.base, "second-key");
    assert_eq!(texts(&second, DIDS, "number").await, ["14155550100", "14155550100", "37061498222"]);

    let control = Api::new(server.control.clone().unwrap(), "").with_key(None);
    let accounts = control.get("/accounts").await;
    let account = accounts.at("/accounts/0/id").as_str().unwrap().to_owned();
    let add = async |number: &str| {
        control.post(&format!("/accounts/{account}/dids"), &json!({ "number": number })).await
    };
    for number in ["14155550100", "37061498222", "12025550143", "+12025550143"] {
        let refused = add(number).await;
        assert!((400..500).contains(&refused.status), "{number}: {}", refused.text);
        assert!(refused.text.contains("is a DID already"), "{}", refused.text);
    }
    assert!(add("14155550199").await.status < 300);
    assert!((400..500).contains(&add("14155550199").await.status));
}

/// The bytes of the database and of its log of writes.
fn bytes(file: &std::path::Path) -> Vec<u8> {
    let log = file.with_file_name("trunks.db-wal");
    [std::fs::read(file).unwrap(), std::fs::read(log).unwrap_or_default()].concat()
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[tokio::test]
async fn no_api_key_is_in_the_database_file_also_after_an_upgrade() {
    let folder = tempfile::tempdir().unwrap();
    let file = copied(&folder);
    assert!(contains(&bytes(&file), "release-key"), "the release stored keys in clear text");
    let server = Binary::start(&["--database", file.to_str().unwrap(), "--api-key", "a-key-of-this-release"]);
    let control = Api::new(server.control.clone().unwrap(), "").with_key(None);
    let account = control.get("/accounts").await.at("/accounts/0/id").as_str().unwrap().to_owned();
    let made = control.post(&format!("/accounts/{account}/keys"), &json!({})).await;
    let made = made.at("/api_key").as_str().unwrap().to_owned();
    assert_eq!(texts(&Api::new(&server.base, &made), TRUNKS, "name").await.len(), 2);
    let keys = ["release-key", "second-key", "a-key-of-this-release", made.as_str()];
    for key in keys {
        assert!(!contains(&bytes(&file), key), "{key} is in the file of the running server");
    }
    assert_eq!(server.terminate(), Some(0));
    for key in keys {
        assert!(!contains(&bytes(&file), key), "{key} is in the file");
    }
    assert!(contains(&bytes(&file), "Sales, North"), "what is stored is found in this way");
}

#[tokio::test]
async fn an_account_that_had_callbacks_is_named_at_the_start_with_the_command_that_makes_a_secret() {
    let folder = tempfile::tempdir().unwrap();
    let file = copied(&folder);
    let server = Binary::start(&["--database", file.to_str().unwrap()]);
    let control = Api::new(server.control.clone().unwrap(), "").with_key(None);
    let accounts = control.get("/accounts").await;
    // The second account has no trunk with a callback URL.
    let [first, second] = [0, 1].map(|index| {
        let id = accounts.at(&format!("/accounts/{index}/id"));
        id.as_str().unwrap().to_owned()
    });
    let path = format!("/accounts/{first}/callback_secrets");
    let command = format!("curl -s -X POST {}{path}", control.base());
    assert!(server.greeting.contains(&command), "{}", server.greeting);
    let log = server.log();
    let warning = log.lines().find(|line| line.contains("no enabled callback secret")).unwrap();
    assert!(warning.contains(&first) && warning.contains("/callback_secrets makes one"), "{warning}");
    assert!(!server.greeting.contains(&second) && !warning.contains(&second), "{warning}");
    assert_eq!(control.post(&path, &json!({})).await.status, 201);
    assert_eq!(server.terminate(), Some(0));
    let server = Binary::start(&["--database", file.to_str().unwrap()]);
    assert!(!server.greeting.contains("callback_secrets") && !server.log().contains("callback secret"));
}
