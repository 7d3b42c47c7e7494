//! Bodies as other languages write them, and texts that no name may have.

use http::Method;
use serde_json::{Value, json};

use crate::support::world::*;

#[tokio::test]
async fn an_empty_list_is_an_empty_object_as_php_writes_it() {
    let world = World::start().await;
    let id = world.trunk("A").await;
    let path = format!("{TRUNKS}/{id}");
    let before = world.api.get(&path).await.at("/data");
    for members in [
        json!({ "attributes": [] }),
        json!({ "relationships": [] }),
        json!({ "attributes": [], "relationships": [] }),
    ] {
        let mut body = json!({ "data": { "id": id, "type": "voice_out_trunks" } });
        body["data"].as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        let answer = world.api.patch(&path, &body).await;
        assert_eq!((answer.status, answer.at("/data")), (200, before.clone()), "{body}");
    }
    let created =
        world.api.post(TRUNKS, &json!({ "data": { "type": "voice_out_trunks", "attributes": [] } })).await;
    assert_eq!((created.status, created.error().0), (422, "100".to_owned()), "{}", created.text);
    let mut body = credentials("B");
    body["data"]["relationships"] = json!([]);
    assert_eq!(world.api.post(TRUNKS, &body).await.status, 201);
    let method = json!({ "authentication_method": { "type": "twilio", "attributes": [] } });
    let pointer = "/data/attributes/authentication_method/attributes/twilio_account_sid";
    refused(
        &world.api.post(TRUNKS, &with(credentials("C"), method)).await,
        &[invalid("twilio_account_sid", "can't be blank", pointer)],
    );
    for attributes in [json!([1]), json!("x"), json!([[]])] {
        let body = json!({ "data": { "id": id, "type": "voice_out_trunks", "attributes": attributes } });
        let expected = error(400, "122", "Invalid data format", "Data must be a hash.");
        refused(&world.api.patch(&path, &body).await, &[expected]);
    }
}

#[tokio::test]
async fn a_body_without_content_lacks_its_data() {
    let world = World::start().await;
    let id = world.trunk("A").await;
    let missing = || error(400, "106", "Missing Parameter", "The required parameter, data, is missing.");
    for (method, path) in [
        (Method::POST, TRUNKS.to_owned()),
        (Method::POST, ROTATION.to_owned()),
        (Method::PATCH, format!("{TRUNKS}/{id}")),
        (Method::PUT, format!("{TRUNKS}/{id}")),
        (Method::POST, format!("{TRUNKS}/{id}/relationships/dids")),
        (Method::PATCH, format!("{TRUNKS}/{id}/relationships/dids")),
        (Method::DELETE, format!("{TRUNKS}/{id}/relationships/dids")),
    ] {
        for body in ["", " \r\n\t", "{}"] {
            refused(&world.api.send(method.clone(), &path, body).await, &[missing()]);
        }
    }
    let clearing =
        world.api.send(Method::DELETE, &format!("{DIDS}/{UNKNOWN}/relationships/voice_in_trunk"), "").await;
    assert_eq!(clearing.status, 404, "a to-one relationship is cleared without a body");
}

#[tokio::test]
async fn a_name_is_one_line_of_printable_characters() {
    let world = World::start().await;
    let id = world.trunk("A").await;
    for name in ["a\0b", "\u{1}", "two\nlines", "tab\t", "\u{7f}", "\u{85}", "a\u{1b}[2J"] {
        let expected = || [attribute("name", "is invalid")];
        refused(&world.api.post(TRUNKS, &with(credentials("B"), json!({ "name": name }))).await, &expected());
        refused(
            &world.api.patch(&format!("{TRUNKS}/{id}"), &patch(&id, json!({ "name": name }))).await,
            &expected(),
        );
        let reference = json!({ "external_reference_id": name });
        refused(
            &world.api.patch(&format!("{TRUNKS}/{id}"), &patch(&id, reference)).await,
            &[attribute("external_reference_id", "is invalid")],
        );
    }
    let name = "Büro № 2, 东京 \u{1f4de}";
    let answer = world.api.patch(&format!("{TRUNKS}/{id}"), &patch(&id, json!({ "name": name }))).await;
    assert_eq!((answer.status, answer.at("/data/attributes/name")), (200, Value::from(name)));
}

#[tokio::test]
async fn a_note_may_have_lines_and_no_other_control_characters() {
    let world = World::start().await;
    let did = world.did("37061498222").await;
    let described = async |text: &str| {
        let body = update("dids", &did, json!({ "description": text }));
        world.api.patch(&format!("{DIDS}/{did}"), &body).await
    };
    for text in ["a\0", "\u{1b}[31m", "\u{8}"] {
        refused(&described(text).await, &[attribute("description", "is invalid")]);
    }
    assert_eq!(described("one\r\n\ttwo").await.at("/data/attributes/description"), "one\r\n\ttwo");
}
