//! The upload of several files at once, as the versions before 2026-04-16 have it.

use didww_types::ApiVersion;
use serde_json::{Value, json};

use super::regulation::{FILE, FILES, FINGERPRINT, fingerprint, keys};
use crate::support::api::{FormPart, NEW};
use crate::support::engine;
use crate::support::world::*;

const FILE_OF_LIST: &str = "encrypted_files[items][][file]";
const DESCRIPTION_OF_LIST: &str = "encrypted_files[items][][description]";
const VERSIONS: [&str; 3] = ["2021-04-19", "2021-12-15", "2022-05-10"];

/// A server with two keys, whose account is at the oldest version, so that a request can select any; and their
/// fingerprint.
async fn open() -> (World, String) {
    let world = World::of(engine::builder().version(ApiVersion::V2017_09_18)).await;
    keys(&world).await;
    (world, fingerprint())
}

/// The request of the sandbox traffic of April 2021 in the official PHP SDK's test data: two files, of which the first
/// one has a description. It was answered with 201 and the ids alone.
#[tokio::test]
async fn several_files_are_answered_with_their_ids_as_recorded() {
    let (world, fingerprint) = open().await;
    for version in VERSIONS {
        let api = world.api.at(Some(version));
        let parts = [
            (FINGERPRINT, FormPart::Text(&fingerprint)),
            (DESCRIPTION_OF_LIST, FormPart::Text("some description")),
            (FILE_OF_LIST, FormPart::File(b"file-content-1")),
            (FILE_OF_LIST, FormPart::File(b"file-content-2")),
        ];
        let answer = api.upload(FILES, &parts).await;
        assert_eq!(answer.status, 201, "{version}: {}", answer.text);
        assert_eq!(answer.headers["content-type"], "application/vnd.api+json");
        let answer = answer.json();
        let members: Vec<&String> = answer.as_object().unwrap().keys().collect();
        assert_eq!(members, ["ids"], "{version}");
        let ids = answer["ids"].as_array().unwrap();
        assert_eq!(ids.len(), 2, "{version}");
        for (id, description) in ids.iter().zip([json!("some description"), Value::Null]) {
            let path = format!("{FILES}/{}", id.as_str().unwrap());
            let file = api.get(&path).await;
            assert_eq!(file.at("/data/attributes/description"), description, "{version}: {}", file.text);
            assert_eq!(api.delete(&path).await.status, 204);
        }
    }
}

/// The TypeScript SDK of these versions sends a description before each file.
#[tokio::test]
async fn a_member_that_the_last_file_has_already_begins_another_one() {
    let (world, fingerprint) = open().await;
    let api = world.api.at(Some("2022-05-10"));
    let parts = [
        (FINGERPRINT, FormPart::Text(&fingerprint)),
        (DESCRIPTION_OF_LIST, FormPart::Text("one")),
        (FILE_OF_LIST, FormPart::File(b"1")),
        (DESCRIPTION_OF_LIST, FormPart::Text("two")),
        (FILE_OF_LIST, FormPart::File(b"2")),
    ];
    let answer = api.upload(FILES, &parts).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    let files = api.get(&format!("{FILES}?sort=description")).await.at("/data");
    let texts = |file: &Value| file["attributes"]["description"].clone();
    let descriptions: Vec<Value> = files.as_array().unwrap().iter().map(texts).collect();
    assert_eq!(descriptions, ["one", "two"]);
}

#[tokio::test]
async fn an_upload_of_several_files_has_at_most_five_and_none_without_content() {
    let (world, fingerprint) = open().await;
    let api = world.api.at(Some("2022-05-10"));
    let present = (FINGERPRINT, FormPart::Text(&fingerprint));
    let file = (FILE_OF_LIST, FormPart::File(b"x"));
    let description = (DESCRIPTION_OF_LIST, FormPart::Text("a"));
    let invalid = || error(400, "400", "invalid params", "invalid params");
    refused(&api.upload(FILES, &[present, file, file, file, file, file, file]).await, &[invalid()]);
    refused(&api.upload(FILES, &[present, file, (FILE, FormPart::File(b"x"))]).await, &[invalid()]);
    let colour = ("encrypted_files[items][][colour]", FormPart::Text("red"));
    refused(&api.upload(FILES, &[present, file, colour]).await, &[invalid()]);
    let blank = attribute("file", "can't be blank");
    refused(&api.upload(FILES, &[present, description, description, file]).await, &[blank]);
    let outdated = attribute("encryption_fingerprint", "outdated fingerprint");
    refused(&api.upload(FILES, &[(FINGERPRINT, FormPart::Text("other")), file]).await, &[outdated]);
    assert_eq!(api.get(FILES).await.at("/data"), json!([]), "nothing was stored");
    let parts = [present, file, file, file, file, file];
    assert_eq!(api.upload(FILES, &parts).await.json()["ids"].as_array().unwrap().len(), 5);
    let newer = world.api.at(Some(NEW)).upload(FILES, &parts).await;
    refused(&newer, &[invalid()]);
}
