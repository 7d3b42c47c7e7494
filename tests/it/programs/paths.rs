//! Spellings of a path that name the same URL.

use serde_json::{Value, json};

use super::{address, answer_until_closed};
use crate::support::world::*;

/// Requests a path as it is written, which HTTP libraries would normalise. Returns the status and the body.
async fn get(world: &World, path: &str) -> (u16, String) {
    let host = address(world.api.base());
    let key = world.server.api_key();
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nApi-Key: {key}\r\nX-DIDWW-API-Version: 2026-04-16\r\n\
         Connection: close\r\n\r\n"
    );
    let answer = answer_until_closed(world.api.base(), request.as_bytes()).await;
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    (answer[9..12].parse().unwrap(), body.to_owned())
}

#[tokio::test]
async fn paths_are_compared_as_urls_are() {
    let world = World::start().await;
    let id = world.trunk("A").await;
    let list = get(&world, "/v3/voice_out_trunks").await;
    assert_eq!(list.0, 200);
    for path in [
        "/v3//voice_out_trunks",
        "//v3/voice_out_trunks",
        "/v3/voice_out_trunks//",
        "/v3/%76oice%5Fout_trunks",
        "/v3/./voice_out_trunks",
        "/v3/dids/../voice_out_trunks",
    ] {
        assert_eq!(get(&world, path).await, list, "{path}");
    }
    let record = get(&world, &format!("/v3/voice_out_trunks/{id}")).await;
    for path in [
        format!("/v3/voice_out_trunks//{id}"),
        format!("/v3//voice_out_trunks/%{:x}{}/", id.as_bytes()[0], &id[1..]),
    ] {
        assert_eq!(get(&world, &path).await, record, "{path}");
    }
    let linkage = get(&world, &format!("/v3/voice_out_trunks/{id}/relationships/dids")).await;
    assert_eq!(get(&world, &format!("/v3/voice_out_trunks/{id}//relationships//dids/")).await, linkage);
    for path in ["/v3", "/V3/dids", "/v3/Dids", "/v3/dids%2F", "/v3/../dids", "/dids", "/v3/dids/%zz"] {
        assert_eq!(get(&world, path).await.0, 404, "{path}");
    }
}

#[tokio::test]
async fn every_method_reaches_a_record_with_repeated_slashes() {
    let world = World::start().await;
    let created = world.api.post(&format!("/{TRUNKS}//"), &credentials("A")).await;
    let path = format!("/{TRUNKS}//{}/", created.id());
    let changed = world.api.patch(&path, &patch(&created.id(), json!({ "name": "B" }))).await;
    assert_eq!((created.status, changed.status), (201, 200));
    assert_eq!(changed.at("/data/attributes/name"), "B");
    assert_eq!(world.api.delete(&path).await.status, 204);
}

/// RFC 9112, section 3.2.2: a server takes the host of such a target, and not that of the header `Host`.
#[tokio::test]
async fn links_have_the_host_of_a_target_that_is_a_whole_uri() {
    let world = World::start().await;
    let path = "/v3/voice_out_trunks?page[size]=1&page[number]=1";
    let host = address(world.api.base());
    for (target, host) in [(path.to_owned(), host), (format!("http://api.test:81{path}"), "api.test:81")] {
        let (status, body) = get(&world, &target).await;
        assert_eq!(status, 200, "{target}: {body}");
        let body: Value = serde_json::from_str(&body).unwrap();
        let first = body["links"]["first"].as_str().unwrap();
        assert!(first.starts_with(&format!("http://{host}/v3/")), "{first}");
    }
}
