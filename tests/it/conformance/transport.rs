//! Methods, paths, and the headers of every answer.

use http::{HeaderMap, Method};
use serde_json::json;

use crate::support::api::Answer;
use crate::support::world::*;

const ALWAYS: [(&str, &str); 9] = [
    ("x-frame-options", "SAMEORIGIN"),
    ("x-xss-protection", "0"),
    ("x-content-type-options", "nosniff"),
    ("x-permitted-cross-domain-policies", "none"),
    ("referrer-policy", "strict-origin-when-cross-origin"),
    ("access-control-allow-methods", "GET, POST, DELETE, PUT, PATCH, OPTIONS"),
    ("access-control-allow-credentials", "true"),
    ("access-control-expose-headers", "Date, X-Request-Id, Content-Disposition"),
    (
        "access-control-allow-headers",
        "Origin, X-Requested-With, Content-Type, Accept, auth-key, x-api-key, api-key, x-api-token",
    ),
];

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).unwrap_or_else(|| panic!("{name} is missing")).to_str().unwrap()
}

fn check_always(answer: &Answer) {
    for (name, value) in ALWAYS {
        assert_eq!(text(&answer.headers, name), value);
    }
    let id = text(&answer.headers, "x-request-id");
    assert!(uuid::Uuid::try_parse(id).is_ok_and(|uuid| uuid.to_string() == id), "{id}");
    let (whole, decimals) = text(&answer.headers, "x-runtime").split_once('.').unwrap();
    assert!(whole.parse::<u32>().is_ok() && decimals.len() == 6);
    assert!(answer.headers.contains_key("date"));
}

#[tokio::test]
async fn every_answer_carries_the_recorded_headers() {
    let world = World::start().await;
    let created = world.created(&credentials("A")).await;
    let one = format!("{TRUNKS}/{}", created.id());
    for answer in [
        world.api.get(TRUNKS).await,
        world.api.get("/nothing").await,
        world.api.get(&format!("{TRUNKS}/1")).await,
        world.api.post(ROTATION, &rotation(&created.id())).await,
        world.api.delete(&one).await,
        created,
    ] {
        check_always(&answer);
    }
}

#[tokio::test]
async fn an_answer_with_a_document_may_be_kept_and_asked_after() {
    let world = World::start().await;
    let created = world.created(&credentials("A")).await;
    let one = format!("{TRUNKS}/{}", created.id());
    let changed = world.api.patch(&one, &patch(&created.id(), json!({ "rtp_ping": true }))).await;
    for answer in [world.api.get(TRUNKS).await, world.api.get(&one).await, changed, created] {
        assert_eq!(text(&answer.headers, "content-type"), "application/vnd.api+json");
        assert_eq!(text(&answer.headers, "cache-control"), "max-age=0, private, must-revalidate");
        assert_eq!(text(&answer.headers, "vary"), "Accept");
        let tag = text(&answer.headers, "etag");
        let digits = tag.strip_prefix("W/\"").and_then(|tag| tag.strip_suffix('"')).unwrap();
        assert!(digits.len() == 32 && digits.bytes().all(|b| b.is_ascii_hexdigit()), "{tag}");
        assert!(answer.headers.get("location").is_none());
    }
}

async fn asked_after(world: &World, method: Method, path: &str, tag: &str, body: String) -> Answer {
    let request = world.api.request(method, path).header("If-None-Match", tag).body(body);
    Answer::of(request.send().await.unwrap()).await
}

#[tokio::test]
async fn a_document_that_is_known_is_not_sent_again() {
    let world = World::start().await;
    let id = world.trunk("A").await;
    let path = format!("{TRUNKS}/{id}");
    let tag = text(&world.api.get(&path).await.headers, "etag").to_owned();
    let same = asked_after(&world, Method::GET, &path, &tag, String::new()).await;
    assert_eq!((same.status, same.text.as_str()), (304, ""));
    assert_eq!(text(&same.headers, "etag"), tag);
    assert!(same.headers.get("content-type").is_none());
    let body = patch(&id, json!({ "name": "B" }));
    assert_eq!(world.api.patch(&path, &body).await.status, 200);
    let other = asked_after(&world, Method::GET, &path, &tag, String::new()).await;
    assert_eq!((other.status, other.at("/data/attributes/name")), (200, json!("B")));
}

#[tokio::test]
async fn only_a_read_is_answered_with_not_modified() {
    let world = World::start().await;
    let id = world.trunk("A").await;
    let path = format!("{TRUNKS}/{id}");
    let tag = text(&world.api.get(&path).await.headers, "etag").to_owned();
    let body = patch(&id, json!({ "name": "A" })).to_string();
    let answer = asked_after(&world, Method::PATCH, &path, &tag, body).await;
    assert_eq!((answer.status, answer.id()), (200, id));
}

#[tokio::test]
async fn head_is_get_without_a_body() {
    let world = World::start().await;
    let id = world.trunk("A").await;
    for path in
        [TRUNKS.to_owned(), format!("{TRUNKS}/{id}"), format!("{TRUNKS}/{id}/dids"), format!("{TRUNKS}/1")]
    {
        let get = world.api.get(&path).await;
        let head = world.api.send(Method::HEAD, &path, "").await;
        assert_eq!((head.status, head.text.as_str()), (get.status, ""));
        for name in ["content-type", "cache-control"] {
            assert_eq!(head.headers.get(name), get.headers.get(name), "{path} {name}");
        }
        assert_eq!(head.headers.get("etag"), get.headers.get("etag"), "{path}");
    }
}

#[tokio::test]
async fn a_trailing_slash_changes_nothing() {
    let world = World::start().await;
    let id = world.trunk("A").await;
    for path in [TRUNKS.to_owned(), format!("{TRUNKS}/{id}"), format!("{TRUNKS}/{id}/relationships/dids")] {
        let (with, without) = (world.api.get(&format!("{path}/")).await, world.api.get(&path).await);
        assert_eq!((with.status, with.text), (200, without.text));
    }
    assert_eq!(world.api.post(&format!("{TRUNKS}/"), &credentials("B")).await.status, 201);
}

#[tokio::test]
async fn what_is_not_served_is_not_found() {
    let world = World::start().await;
    let id = world.trunk("A").await;
    let one = format!("{TRUNKS}/{id}");
    for (method, path) in [
        (Method::GET, String::new()),
        (Method::GET, "/".to_owned()),
        (Method::GET, "/nothing".to_owned()),
        (Method::POST, "/nothing".to_owned()),
        (Method::GET, "/Voice_out_trunks".to_owned()),
        (Method::GET, "/voice_out_trunks.json".to_owned()),
        (Method::GET, format!("{one}/relationships")),
        (Method::GET, format!("{one}/relationships/bogus")),
        (Method::GET, format!("{one}/bogus")),
        (Method::GET, format!("{one}/dids/1")),
        (Method::PATCH, TRUNKS.to_owned()),
        (Method::PUT, TRUNKS.to_owned()),
        (Method::DELETE, TRUNKS.to_owned()),
        (Method::POST, one.clone()),
        (Method::OPTIONS, one.clone()),
        (Method::TRACE, one.clone()),
        (Method::from_bytes(b"BREW").unwrap(), one.clone()),
        (Method::POST, format!("{one}/dids")),
        (Method::PATCH, format!("{one}/dids")),
        (Method::OPTIONS, format!("{one}/relationships/dids")),
    ] {
        let answer = world.api.send(method.clone(), &path, "").await;
        assert_eq!(answer.status, 404, "{method} {path}");
        refused(&answer, &[no_route()]);
    }
    assert_eq!(world.api.get(&one).await.status, 200, "nothing of it did anything");
}

#[tokio::test]
async fn a_request_keeps_the_id_that_its_sender_gave_it() {
    let world = World::start().await;
    let with_id = async |id: &str| {
        let request = world.api.request(Method::GET, TRUNKS).header("X-Request-Id", id);
        Answer::of(request.send().await.unwrap()).await
    };
    assert_eq!(text(&with_id("trace-1_2@3").await.headers, "x-request-id"), "trace-1_2@3");
    for odd in ["a b", "<script>", &"x".repeat(256)] {
        assert_ne!(text(&with_id(odd).await.headers, "x-request-id"), odd);
    }
}

#[tokio::test]
async fn links_begin_with_the_host_that_was_asked() {
    let world = World::start().await;
    let id = world.trunk("A").await;
    let path = format!("{TRUNKS}/{id}");
    let request = world.api.request(Method::GET, &path).header("Host", "sandbox-api.example:8443");
    let answer = Answer::of(request.send().await.unwrap()).await;
    let expected = format!("http://sandbox-api.example:8443/v3{path}/dids");
    assert_eq!(answer.at("/data/relationships/dids/links/related"), expected);
}
