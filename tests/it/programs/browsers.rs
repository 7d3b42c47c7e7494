//! Web pages: preflights, and headers by which a browser passes a response on.

use http::Method;

use crate::support::api::{Answer, http_client};
use crate::support::world::*;

const ORIGIN: &str = "https://console.example";

async fn preflight(world: &World, path: &str) -> Answer {
    let api = world.api.with_key(None);
    let request = api.request(Method::OPTIONS, path).header("Origin", ORIGIN);
    let request = request
        .header("Access-Control-Request-Method", "PATCH")
        .header("Access-Control-Request-Headers", "api-key,content-type,x-didww-api-version");
    Answer::of(request.send().await.unwrap()).await
}

fn text<'a>(answer: &'a Answer, name: &str) -> &'a str {
    answer.headers.get(name).map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn a_preflight_is_answered_without_a_key_for_the_apis_paths() {
    let world = World::start().await;
    for path in [TRUNKS, "/dids/1", "/voice_out_trunks/1/relationships/dids", "//dids/", ROTATION] {
        let answer = preflight(&world, path).await;
        assert_eq!((answer.status, answer.text.as_str()), (200, ""), "{path}");
        assert_eq!(text(&answer, "access-control-allow-origin"), ORIGIN);
        assert!(text(&answer, "access-control-allow-methods").contains("PATCH"));
        let allowed = text(&answer, "access-control-allow-headers").to_ascii_lowercase();
        for header in ["api-key", "content-type", "x-didww-api-version", "authorization"] {
            assert!(allowed.split(", ").any(|name| name == header), "{header} in {allowed}");
        }
        assert!(answer.headers.get_all("vary").iter().any(|value| value == "Origin"));
    }
    assert_eq!(preflight(&world, "/nothing").await.status, 404);
}

#[tokio::test]
async fn what_is_no_preflight_needs_a_key() {
    let world = World::start().await;
    let api = world.api.with_key(None);
    refused(&api.send(Method::OPTIONS, TRUNKS, "").await, &[unauthorised()]);
    let with_origin = api.request(Method::OPTIONS, TRUNKS).header("Origin", ORIGIN);
    refused(&Answer::of(with_origin.send().await.unwrap()).await, &[unauthorised()]);
}

#[tokio::test]
async fn a_page_may_read_the_responses_and_the_refusals() {
    let world = World::start().await;
    for (api, status) in [(world.api.clone(), 200), (world.api.with_key(None), 401)] {
        let request = api.request(Method::GET, TRUNKS).header("Origin", ORIGIN);
        let answer = Answer::of(request.send().await.unwrap()).await;
        assert_eq!((answer.status, text(&answer, "access-control-allow-origin")), (status, ORIGIN));
    }
    let answer = world.api.get(TRUNKS).await;
    assert!(answer.headers.get("access-control-allow-origin").is_none(), "without an origin as recorded");
    assert_eq!(text(&answer, "vary"), "Accept");
}

#[tokio::test]
async fn a_page_can_ask_for_a_token_and_repeated_slashes_are_one() {
    let world = World::start().await;
    let host = world.api.base().trim_end_matches("/v3");
    for path in ["/token", "//token", "/token/"] {
        let request =
            |method: Method| http_client().request(method, format!("{host}{path}")).header("Origin", ORIGIN);
        let preflight = request(Method::OPTIONS)
            .header("Access-Control-Request-Method", "POST")
            .header("Access-Control-Request-Headers", "api-key,content-type");
        let answer = Answer::of(preflight.send().await.unwrap()).await;
        assert_eq!((answer.status, answer.text.as_str()), (200, ""), "{path}");
        assert_eq!(text(&answer, "access-control-allow-origin"), ORIGIN);
        assert_eq!(text(&answer, "access-control-allow-methods"), "POST");
        assert!(text(&answer, "access-control-allow-headers").split(", ").any(|name| name == "api-key"));
        for (key, status) in [(world.server.api_key(), 200), ("wrong", 401)] {
            let mint = request(Method::POST).header("Api-Key", key).body(r#"{"aud":"api.didww.com"}"#);
            let answer = Answer::of(mint.send().await.unwrap()).await;
            assert_eq!(
                (answer.status, text(&answer, "access-control-allow-origin")),
                (status, ORIGIN),
                "{path}"
            );
        }
    }
}
