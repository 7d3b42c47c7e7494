//! Media types with parameters and in any letter case.

use http::Method;
use serde_json::json;

use super::send_fixture;
use crate::support::api::Answer;
use crate::support::world::*;

#[tokio::test]
async fn the_requests_of_dotnet_and_okhttp_create_a_trunk() {
    for name in ["dotnet_http_client.http", "dotnet_json_content.http", "okhttp_string_body.http"] {
        let world = World::start().await;
        let (status, answer) = send_fixture(&world, name).await;
        assert_eq!(status, 201, "{name}: {answer}");
        assert_eq!(world.api.get(TRUNKS).await.at("/data/0/attributes/name"), "My Outbound Trunk", "{name}");
    }
}

async fn created_as(world: &World, media_type: &str, name: &str) -> Answer {
    let request = world.api.request(Method::POST, TRUNKS).body(credentials(name).to_string());
    let mut request = request.build().unwrap();
    request.headers_mut().insert("content-type", media_type.parse().unwrap());
    world.api.execute(request).await
}

#[tokio::test]
async fn parameters_and_letter_case_of_the_content_type_do_not_matter() {
    let world = World::start().await;
    for (index, media_type) in [
        "application/vnd.api+json; charset=utf-8",
        "application/vnd.api+json;charset=UTF-8",
        "APPLICATION/VND.API+JSON",
        "Application/Vnd.Api+Json ; Charset=\"utf-8\"",
        "application/vnd.api+json; ext=\"https://jsonapi.org/ext/atomic\"",
        " application/vnd.api+json ",
    ]
    .into_iter()
    .enumerate()
    {
        let answer = created_as(&world, media_type, &format!("T{index}")).await;
        assert_eq!(answer.status, 201, "{media_type}: {}", answer.text);
    }
}

#[tokio::test]
async fn another_type_is_refused_whatever_its_parameters() {
    let world = World::start().await;
    for (sent, named) in [
        ("application/json; charset=utf-8", "application/json"),
        ("application/vnd.api+jsonx", "application/vnd.api+jsonx"),
        ("text/plain; x=application/vnd.api+json", "text/plain"),
        ("multipart/form-data; boundary=x", "multipart/form-data"),
        ("", ""),
    ] {
        let answer = created_as(&world, sent, "A").await;
        let detail = format!(
            "All requests that create or update must use the 'application/vnd.api+json' Content-Type. \
             This request specified '{named}.'"
        );
        refused(&answer, &[error(415, "415", "Unsupported media type", &detail)]);
    }
    assert_eq!(world.api.get(TRUNKS).await.at("/data"), json!([]));
}

#[tokio::test]
async fn an_accept_with_a_weight_or_a_charset_is_served() {
    let world = World::start().await;
    for (sent, status) in [
        ("application/vnd.api+json; charset=utf-8", 200),
        ("APPLICATION/Vnd.Api+Json", 200),
        ("application/vnd.api+json;q=0.9, text/html", 200),
        ("application/json, application/vnd.api+json; q=0.5", 200),
        ("application/vnd.api+json; profile=\"https://example.com\"", 406),
        ("application/json; charset=utf-8", 406),
    ] {
        let mut request = world.api.request(Method::GET, TRUNKS).build().unwrap();
        request.headers_mut().insert("accept", sent.parse().unwrap());
        assert_eq!(world.api.execute(request).await.status, status, "{sent}");
    }
}
