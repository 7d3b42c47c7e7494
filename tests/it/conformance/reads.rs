//! Single records, and absent records.

use serde_json::json;

use crate::support::world::*;

#[tokio::test]
async fn case_29_an_unknown_record_is_not_found() {
    let world = World::start().await;
    let answer = world.api.get(&format!("{TRUNKS}/{UNKNOWN}")).await;
    assert_eq!(
        answer.text,
        r#"{"errors":[{"title":"Record not found","detail":"The record identified by c3947e93-4a3b-4080-b9d3-cbcc633ab808 could not be found.","code":"404","status":"404"}]}"#
    );
    refused(&answer, &[not_found(UNKNOWN)]);
    refused(&world.api.get(&format!("{DIDS}/{UNKNOWN}")).await, &[not_found(UNKNOWN)]);
}

#[tokio::test]
async fn case_30_an_id_that_is_none_is_not_found_under_its_own_name() {
    let world = World::start().await;
    let trunk = world.trunk("A").await;
    for id in ["123", "4e057223-2a0a-4707-8b35-4e6ef96c9dd", &trunk.replace('-', ""), "%22x%22", "a%2Fb", "*"]
    {
        let decoded = id.replace("%22", "\"").replace("%2F", "/");
        refused(&world.api.get(&format!("{TRUNKS}/{id}")).await, &[not_found(&decoded)]);
        refused(&world.api.delete(&format!("{TRUNKS}/{id}")).await, &[not_found(&decoded)]);
        refused(&world.api.get(&format!("{TRUNKS}/{id}/dids")).await, &[not_found(&decoded)]);
    }
}

#[tokio::test]
async fn an_id_belongs_to_its_type() {
    let world = World::start().await;
    let (trunk, did) = (world.trunk("A").await, world.did("37061498222").await);
    refused(&world.api.get(&format!("{DIDS}/{trunk}")).await, &[not_found(&trunk)]);
    refused(&world.api.get(&format!("{TRUNKS}/{did}")).await, &[not_found(&did)]);
    refused(&world.api.delete(&format!("{TRUNKS}/{did}")).await, &[not_found(&did)]);
    assert_eq!(world.api.get(&format!("{DIDS}/{did}")).await.status, 200);
}

#[tokio::test]
async fn a_record_is_read_as_it_was_answered_when_it_was_made() {
    let world = World::start().await;
    let created = world.created(&credentials("Ä \"quoted\" \\ \u{1F4DE}")).await;
    let read = world.api.get(&format!("{TRUNKS}/{}", created.id())).await;
    assert_eq!(read.text, created.text);
    let listed = world.api.get(TRUNKS).await;
    assert_eq!(listed.at("/data/0"), created.at("/data"));
}

#[tokio::test]
async fn a_query_that_a_single_record_has_not_is_passed_over() {
    let world = World::start().await;
    let trunk = world.trunk("A").await;
    let path = format!("{TRUNKS}/{trunk}?page[size]=0&sort=bogus&filter[bogus]=1&whatever=2&debug");
    let answer = world.api.get(&path).await;
    assert_eq!((answer.status, answer.at("/data/id")), (200, json!(trunk)));
}
