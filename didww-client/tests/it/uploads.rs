//! The form in which encrypted files are sent, part by part, and the answers to it.

use didww_client::{ApiVersion, Client, EncryptedUpload, Error, Id};
use serde_json::{Value, json};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::support::{DID, builder};

fn at(server: &MockServer, version: ApiVersion) -> Client {
    builder(&server.uri()).api_version(version).build().unwrap()
}

/// A server that answers uploads with this body, and has one file.
async fn answering(version: ApiVersion, answer: &Value) -> MockServer {
    let server = MockServer::start().await;
    let answer = ResponseTemplate::new(201).set_body_raw(answer.to_string(), "application/json");
    Mock::given(method("POST")).and(path("/v3/encrypted_files")).respond_with(answer).mount(&server).await;
    let file = ResponseTemplate::new(200).set_body_raw(file(version).to_string(), "application/vnd.api+json");
    Mock::given(method("GET"))
        .and(path(format!("/v3/encrypted_files/{DID}")))
        .respond_with(file)
        .mount(&server)
        .await;
    server
}

fn file(version: ApiVersion) -> Value {
    let expires = if version <= ApiVersion::V2022_05_10 { "expire_at" } else { "expires_at" };
    let attributes = json!({ "description": "one", expires: "2026-04-09T06:57:33.304Z" });
    let data = json!({ "id": DID, "type": "encrypted_files", "attributes": attributes });
    json!({ "data": data, "meta": { "api_version": version.as_str() } })
}

/// The names of the parts of the first request, in their order.
async fn parts(server: &MockServer) -> Vec<String> {
    let requests = server.received_requests().await.unwrap();
    let body = String::from_utf8(requests[0].body.clone()).unwrap();
    let names =
        body.split("form-data; name=\"").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned());
    names.collect()
}

#[tokio::test]
async fn one_file_is_sent_in_the_form_of_the_version_and_returned_in_each() {
    for version in [ApiVersion::V2021_04_19, ApiVersion::V2022_05_10] {
        let server = answering(version, &json!({ "ids": [DID] })).await;
        let upload = EncryptedUpload::new("abc", "x").description("one");
        let sent = at(&server, version).encrypted_files().upload(upload).await.unwrap();
        assert_eq!((sent.id.as_str(), sent.description.as_deref()), (DID, Some("one")));
        let [file, description] =
            ["file", "description"].map(|name| format!("encrypted_files[items][][{name}]"));
        assert_eq!(parts(&server).await, ["encrypted_files[encryption_fingerprint]", &file, &description]);
    }
    let version = ApiVersion::V2026_04_16;
    let server = answering(version, &file(version)).await;
    let upload = EncryptedUpload::new("abc", "x").description("one");
    let sent = at(&server, version).encrypted_files().upload(upload).await.unwrap();
    assert_eq!(sent.id.as_str(), DID);
    let [fingerprint, description, file] =
        ["encryption_fingerprint", "description", "file"].map(|name| format!("encrypted_files[{name}]"));
    assert_eq!(parts(&server).await, [fingerprint, description, file]);
    assert_eq!(server.received_requests().await.unwrap().len(), 1, "the answer has the file");
}

#[tokio::test]
async fn each_of_several_files_begins_with_its_content() {
    let version = ApiVersion::V2022_05_10;
    let server = answering(version, &json!({ "ids": ["1", "2", "3"] })).await;
    let uploads = EncryptedUpload::new("abc", "x").and("y").description("second").and("z");
    let ids = at(&server, version).encrypted_files().upload_several(uploads).await.unwrap();
    assert_eq!(ids.iter().map(Id::as_str).collect::<Vec<_>>(), ["1", "2", "3"]);
    let [file, description] = ["file", "description"].map(|name| format!("encrypted_files[items][][{name}]"));
    let expected = ["encrypted_files[encryption_fingerprint]", &file, &file, &description, &file];
    assert_eq!(parts(&server).await, expected);
}

#[tokio::test]
async fn an_answer_without_an_id_for_each_file_is_an_error() {
    let version = ApiVersion::V2022_05_10;
    for answer in
        [json!({}), json!({ "ids": ["1", "2"] }), json!({ "ids": "1" }), file(ApiVersion::V2026_04_16)]
    {
        let server = answering(version, &answer).await;
        let one = at(&server, version).encrypted_files().upload(EncryptedUpload::new("abc", "x")).await;
        assert!(matches!(one, Err(Error::Decode(_))), "{answer}: {one:?}");
        let three = EncryptedUpload::new("abc", "x").and("y").and("z");
        let three = at(&server, version).encrypted_files().upload_several(three).await;
        assert!(matches!(three, Err(Error::Decode(_))), "{answer}: {three:?}");
    }
}
