//! A selection of the cases against the real binary, because the other tests use the server as a library.

use serde_json::json;

use crate::support::api::{Api, OLD};
use crate::support::binary::Binary;
use crate::support::world::*;

#[tokio::test]
async fn the_binary_answers_as_the_server_in_a_test_does() {
    let binary = Binary::start(&["--ephemeral", "--api-key", "good", "--demo"]);
    let api = Api::new(&binary.base, "good");
    refused(&api.with_key(None).get(TRUNKS).await, &[unauthorised()]);
    refused(&api.with_key(Some("bad")).get(TRUNKS).await, &[unauthorised()]);
    refused(&api.get(&format!("{TRUNKS}/{UNKNOWN}")).await, &[not_found(UNKNOWN)]);
    let answer = api.get(&format!("{TRUNKS}?filter[bogus]=1")).await;
    refused(&answer, &[error(400, "102", "Filter not allowed", "bogus is not allowed.")]);
    assert_eq!(api.at(None).get(TRUNKS).await.at("/meta/api_version"), OLD);

    let did = api.get(&format!("{DIDS}?page[size]=1")).await.at("/data/0/id").as_str().unwrap().to_owned();
    let body = linking(credentials("A"), "dids", dids(&[&did]));
    let created = api.post(TRUNKS, &body).await;
    assert_eq!(created.status, 201, "{}", created.text);
    let path = format!("{TRUNKS}/{}", created.id());
    assert_eq!(api.get(&path).await.text, created.text);
    assert_eq!(api.get(&format!("{path}/dids")).await.at("/data/0/id"), did);
    refused(&api.post(TRUNKS, &credentials("A")).await, &[attribute("name", "has already been taken")]);
    let changed = api.patch(&path, &patch(&created.id(), json!({ "status": "blocked" }))).await;
    assert_eq!(changed.at("/data/attributes/status"), "blocked");
    assert_eq!(api.post(ROTATION, &rotation(&created.id())).await.status, 201);
    let inner = "/data/attributes/authentication_method/attributes/password";
    assert_ne!(api.get(&path).await.at(inner), created.at(inner));
    assert_eq!(api.delete(&path).await.status, 204);
    refused(&api.get(&path).await, &[not_found(&created.id())]);
    assert_eq!(binary.terminate(), Some(0));
}
