//! Lists over several pages.

use serde_json::{Value, json};
use voipbin_client::types::Provider;
use voipbin_client::{EndlessReason, Error, StreamExt as _, TryStreamExt as _, Uuid};
use wiremock::matchers::{any, query_param};
use wiremock::{Mock, MockServer};

use crate::support::{client, error, ok, received};

fn token(page: u32) -> String {
    format!("2026-04-21T23:{:02}:00.000000Z", 59 - page)
}

fn page(ids: std::ops::Range<u128>, next: &str) -> Value {
    let records: Vec<Value> = ids.map(|id| json!({"id": Uuid::from_u128(id)})).collect();
    json!({"result": records, "next_page_token": next})
}

async fn mount(server: &MockServer, token: &str, body: &Value) {
    let requested = query_param("page_token", token);
    Mock::given(requested).respond_with(ok(body)).with_priority(1).mount(server).await;
}

/// A server with two pages of records and an empty page after them, like the real service.
async fn two_pages() -> MockServer {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(ok(&page(1..3, &token(1)))).mount(&server).await;
    mount(&server, &token(1), &page(3..4, &token(2))).await;
    mount(&server, &token(2), &page(0..0, "")).await;
    server
}

fn ids(providers: &[Provider]) -> Vec<u128> {
    providers.iter().map(|provider| provider.id.as_u128()).collect()
}

#[tokio::test]
async fn the_stream_ends_with_the_empty_page_after_the_last() {
    let server = two_pages().await;
    let providers = client(&server).providers().list().page_size(2).all().await.unwrap();
    assert_eq!(ids(&providers), [1, 2, 3]);
    let requests: Vec<String> = received(&server).await;
    assert_eq!(requests.len(), 3);
    assert_eq!(requests[2], "GET /v1.0/providers?page_size=2&page_token=2026-04-21T23%3A57%3A00.000000Z");
}

#[tokio::test]
async fn a_stream_of_pages_yields_no_empty_page() {
    let server = two_pages().await;
    let pages: Vec<_> = client(&server).providers().list().pages().try_collect().await.unwrap();
    assert_eq!(pages.iter().map(|page| page.result.len()).collect::<Vec<_>>(), [2, 1]);
}

#[tokio::test]
async fn a_stream_can_begin_at_the_token_of_a_page() {
    let server = two_pages().await;
    let client = client(&server);
    let first = client.providers().list().await.unwrap();
    assert_eq!(ids(&first.result), [1, 2]);
    let rest = client.providers().list().page_token(first.next_page_token).all().await.unwrap();
    assert_eq!(ids(&rest), [3]);
}

#[tokio::test]
async fn a_page_is_requested_only_when_the_stream_is_polled_for_it() {
    let server = two_pages().await;
    let stream = client(&server).providers().list().stream();
    assert_eq!(stream.take(2).try_collect::<Vec<_>>().await.unwrap().len(), 2);
    assert_eq!(received(&server).await.len(), 1);
}

#[tokio::test]
async fn an_empty_list_and_a_last_page_without_a_token_end_the_stream() {
    for (body, records) in [(page(0..0, ""), 0), (page(1..3, ""), 2)] {
        let server = MockServer::start().await;
        Mock::given(any()).respond_with(ok(&body)).expect(1).mount(&server).await;
        assert_eq!(client(&server).providers().list().all().await.unwrap().len(), records);
    }
}

async fn endless(server: &MockServer) -> (usize, u64, EndlessReason) {
    let mut stream = client(server).providers().list().stream();
    let mut records = 0;
    loop {
        match stream.try_next().await {
            Ok(Some(_)) => records += 1,
            Ok(None) => panic!("the list came to an end"),
            Err(Error::Endless(endless)) => {
                assert_eq!(endless.exchange.path, "/v1.0/providers");
                return (records, endless.page, endless.reason);
            }
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test]
async fn a_server_that_ignores_the_token_is_detected_at_the_second_page() {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(ok(&page(1..3, &token(1)))).mount(&server).await;
    assert_eq!(endless(&server).await, (4, 2, EndlessReason::NoProgress { next: token(1) }));
}

#[tokio::test]
async fn a_cycle_of_pages_is_detected() {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(ok(&page(1..3, "a"))).mount(&server).await;
    for (token, next) in [("a", "b"), ("b", "c"), ("c", "a")] {
        mount(&server, token, &page(1..3, next)).await;
    }
    let (_, pages, reason) = endless(&server).await;
    assert!(matches!(reason, EndlessReason::NoProgress { .. }) && pages < 10, "{pages}");
}

#[tokio::test]
async fn an_empty_page_with_a_token_is_detected() {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(ok(&page(0..0, &token(1)))).mount(&server).await;
    assert_eq!(endless(&server).await, (0, 1, EndlessReason::Empty));
}

#[tokio::test]
async fn an_error_on_a_later_page_ends_the_stream() {
    let server = MockServer::start().await;
    Mock::given(query_param("page_token", token(1)))
        .respond_with(error(400, "INVALID_ARGUMENT", "The request contains invalid data."))
        .with_priority(1)
        .mount(&server)
        .await;
    Mock::given(any()).respond_with(ok(&page(1..3, &token(1)))).mount(&server).await;
    let successes: Vec<bool> =
        client(&server).providers().list().stream().map(|provider| provider.is_ok()).collect().await;
    assert_eq!(successes, [true, true, false]);
}
