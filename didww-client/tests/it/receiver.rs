//! Callbacks in an axum handler.

use axum::Router;
use axum::body::Body;
use axum::routing::post;
use didww_client::callback::{Callback, Payload, sign};
use didww_client::{CallbackReceiver, SIGNATURE_HEADER, Secret, SignedCallback};
use http::header::CONTENT_TYPE;
use http::{Request, StatusCode};
use tower::ServiceExt as _;

const URL: &str = "https://example.com/didww?tenant=7";
const FORM: &str = "application/x-www-form-urlencoded";
const ORDER: &str = "id=1&status=completed&type=orders";
const EVENTS: &str = r#"[{"id":"1","type":"voice_out_trunks","status":"blocked","threshold_reached":true,
    "created_at":"2017-06-25T08:21:41.795Z"}]"#;

async fn name(SignedCallback(callback): SignedCallback) -> &'static str {
    match callback {
        Callback::Order(_) => "order",
        Callback::Trunks(_) => "trunks",
        _ => "another",
    }
}

async fn answer(request: Request<Body>) -> (StatusCode, String) {
    let receiver = CallbackReceiver::new(URL, "new secret").or_secret("old secret");
    assert!(!format!("{receiver:?}").contains("secret\""), "{receiver:?}");
    let router: Router = Router::new().route("/didww", post(name).get(name)).with_state(receiver);
    let response = router.oneshot(request).await.unwrap();
    let status = response.status();
    let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (status, String::from_utf8_lossy(&body).into_owned())
}

/// A request as a proxy passes it on: without scheme and host.
fn posted(media_type: &str, body: &str, signature: &str) -> Request<Body> {
    Request::post("/didww?tenant=7")
        .header(CONTENT_TYPE, media_type)
        .header(SIGNATURE_HEADER, signature)
        .body(Body::from(body.to_owned()))
        .unwrap()
}

fn parameters(pairs: &[(&str, &str)]) -> Payload {
    Payload::Parameters(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
}

fn order() -> Payload {
    parameters(&[("id", "1"), ("status", "completed"), ("type", "orders")])
}

#[tokio::test]
async fn a_signed_form_array_or_query_is_handed_over_as_its_type() {
    for secret in ["new secret", "old secret"] {
        let secret = Secret::new(secret);
        let form = posted(FORM, ORDER, &sign(&secret, URL, &order()));
        assert_eq!(answer(form).await, (StatusCode::OK, "order".to_owned()));
        let events = Payload::from_json(EVENTS.as_bytes()).unwrap();
        let json = posted("application/json", EVENTS, &sign(&secret, URL, &events));
        assert_eq!(answer(json).await, (StatusCode::OK, "trunks".to_owned()));
        let url = format!("https://example.com/didww?tenant=7&{ORDER}");
        let get = Request::get(format!("/didww?tenant=7&{ORDER}"))
            .header(SIGNATURE_HEADER, sign(&secret, &url, &order()))
            .body(Body::empty())
            .unwrap();
        assert_eq!(answer(get).await, (StatusCode::OK, "order".to_owned()));
    }
}

#[tokio::test]
async fn what_is_not_signed_does_not_reach_the_handler() {
    let other = sign(&Secret::new("another secret"), URL, &order());
    for signature in [other.as_str(), "", "zz"] {
        let (status, text) = answer(posted(FORM, ORDER, signature)).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{text}");
        assert!(!text.contains("secret\"") && !text.contains("completed"), "{text}");
    }
    let unsigned = Request::post("/didww?tenant=7").body(Body::from("not JSON")).unwrap();
    assert_eq!(answer(unsigned).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_signed_callback_without_its_members_is_refused_with_their_names() {
    let payload = parameters(&[("status", "completed"), ("type", "orders")]);
    let signature = sign(&Secret::new("new secret"), URL, &payload);
    let (status, text) = answer(posted(FORM, "status=completed&type=orders", &signature)).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(text.contains("`id`"), "{text}");
}

#[tokio::test]
async fn a_body_over_the_limit_is_not_read() {
    let (status, _) = answer(posted(FORM, &"x".repeat(3 << 20), "00")).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
}
