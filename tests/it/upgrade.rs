//! A database of an earlier release is migrated when it is opened, and keeps its records.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::api::Api;
use crate::support::binary::Binary;
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
    }
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
    assert_eq!(texts(&second, DIDS, "number").await, ["37061498222", "14155550100", "14155550100"]);

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
