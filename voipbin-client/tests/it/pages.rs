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

async fn mount(server: &MockServer, asked: &str, body: &Value) {
    let asked = query_param("page_token", asked);
    Mock::given(asked).respond_with(ok(body)).with_priority(1).mount(server).await;
}

/// Two pages with records, and the empty one after the last, as the service has it.
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
    let asked: Vec<String> = received(&server).await;
    assert_eq!(asked.len(), 3);
    assert_eq!(asked[2], "GET /v1.0/providers?page_size=2&page_token=2026-04-21T23%3A57%3A00.000000Z");
}

#[tokio::test]
async fn a_stream_of_pages_has_none_that_is_empty() {
    let server = two_pages().await;
    let pages: Vec<_> = client(&server).providers().list().pages().try_collect().await.unwrap();
    assert_eq!(pages.iter().map(|page| page.result.len()).collect::<Vec<_>>(), [2, 1]);
}

#[tokio::test]
async fn one_page_names_the_next_and_a_walk_can_begin_there() {
    let server = two_pages().await;
    let client = client(&server);
    let first = client.providers().list().await.unwrap();
    assert_eq!(ids(&first.result), [1, 2]);
    let rest = client.providers().list().page_token(first.next_page_token).all().await.unwrap();
    assert_eq!(ids(&rest), [3]);
}

#[tokio::test]
async fn a_page_is_read_only_when_it_is_asked_for() {
    let server = two_pages().await;
    let stream = client(&server).providers().list().stream();
    assert_eq!(stream.take(2).try_collect::<Vec<_>>().await.unwrap().len(), 2);
    assert_eq!(received(&server).await.len(), 1);
}

#[tokio::test]
async fn an_empty_list_and_a_last_page_without_a_token_end_the_walk() {
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
async fn a_server_that_does_not_mind_the_token_is_noticed_at_the_second_page() {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(ok(&page(1..3, &token(1)))).mount(&server).await;
    assert_eq!(endless(&server).await, (4, 2, EndlessReason::NoProgress { next: token(1) }));
}

#[tokio::test]
async fn a_circle_of_pages_is_noticed() {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(ok(&page(1..3, "a"))).mount(&server).await;
    for (asked, next) in [("a", "b"), ("b", "c"), ("c", "a")] {
        mount(&server, asked, &page(1..3, next)).await;
    }
    let (_, pages, reason) = endless(&server).await;
    assert!(matches!(reason, EndlessReason::NoProgress { .. }) && pages < 10, "{pages}");
}

#[tokio::test]
async fn an_empty_page_that_names_a_next_one_is_noticed() {
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
    let ends: Vec<bool> = client(&server).providers().list().stream().map(|end| end.is_ok()).collect().await;
    assert_eq!(ends, [true, true, false]);
}
