//! Lengths that DIDWW's own programs and its sandbox need.

use serde_json::json;
use trunk_server::control::NewDid;

use crate::support::world::*;

#[tokio::test]
async fn a_callback_url_has_up_to_2048_characters() {
    let world = World::start().await;
    let url = |characters: usize| {
        let start = "https://example.com/callbacks?token=";
        format!("{start}{}", "x".repeat(characters - start.len()))
    };
    for (index, characters) in [298, 2048].into_iter().enumerate() {
        let url = url(characters);
        let name = format!("T{index}");
        let created = world.created(&with(credentials(&name), json!({ "callback_url": url }))).await;
        assert_eq!(created.at("/data/attributes/callback_url"), url);
    }
    let body = with(credentials("T2"), json!({ "callback_url": url(2049) }));
    let expected = attribute("callback_url", "is too long (maximum is 2048 characters)");
    refused(&world.api.post(TRUNKS, &body).await, &[expected]);
}

#[tokio::test]
async fn a_did_has_up_to_20_digits() {
    let world = World::start().await;
    let long = "12345678901234567890";
    let id = world.did(long).await;
    assert_eq!(world.api.get(&format!("{DIDS}?filter[number]={long}")).await.at("/data/0/id"), id);
    let body = linking(credentials("A"), "dids", dids(&[&id]));
    assert_eq!(world.api.post(TRUNKS, &body).await.status, 201);
    let longer = NewDid::new(format!("{long}1"));
    let error = world.server.control().add_did(world.server.account(), longer).await.unwrap_err();
    assert!(error.to_string().contains("1 to 20 digits"), "{error}");
}
