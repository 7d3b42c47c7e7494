//! Lists over several pages.

use didww_client::resources::Did;
use didww_client::{EndlessReason, Error, StreamExt as _, TryStreamExt as _};
use serde_json::{Value, json};
use wiremock::matchers::{any, query_param};
use wiremock::{Mock, MockServer};

use crate::support::{client, did, received, response};

fn page(numbers: std::ops::Range<u64>, total: u64, next: Option<u64>) -> Value {
    let records: Vec<Value> =
        numbers.map(|number| did(&format!("id-{number}"), &number.to_string())).collect();
    let link =
        |number: u64| format!("https://api.didww.com/v3/dids?page%5Bnumber%5D={number}&page%5Bsize%5D=2");
    let mut links = json!({"first": link(1), "last": link(total.div_ceil(2))});
    if let Some(next) = next {
        links["next"] = json!(link(next));
    }
    json!({"data": records, "meta": {"total_records": total, "api_version": "2026-04-16"}, "links": links})
}

async fn mount(server: &MockServer, number: u64, body: &Value) {
    let requested = query_param("page[number]", number.to_string());
    Mock::given(requested).respond_with(response(200, body)).with_priority(1).mount(server).await;
}

async fn three_pages() -> MockServer {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(response(200, &page(0..2, 5, Some(2)))).mount(&server).await;
    mount(&server, 2, &page(2..4, 5, Some(3))).await;
    mount(&server, 3, &page(4..5, 5, None)).await;
    server
}

fn numbers(dids: &[Did]) -> Vec<&str> {
    dids.iter().map(|did| did.number.as_str()).collect()
}

#[tokio::test]
async fn a_page_has_its_records_the_total_and_the_links() {
    let server = three_pages().await;
    let page = client(&server).dids().list().await.unwrap();
    assert_eq!(numbers(&page.items), ["0", "1"]);
    assert_eq!(page.total, Some(5));
    assert!(page.links.next.is_some() && page.links.prev.is_none());
    assert_eq!(page.into_iter().count(), 2);
}

#[tokio::test]
async fn the_stream_reads_all_pages_at_the_base_url_with_the_same_query() {
    let server = three_pages().await;
    let dids = client(&server).dids().list().page_size(2).all().await.unwrap();
    assert_eq!(numbers(&dids), ["0", "1", "2", "3", "4"]);
    assert_eq!(
        received(&server).await,
        [
            "GET /v3/dids?page%5Bsize%5D=2",
            "GET /v3/dids?page%5Bnumber%5D=2&page%5Bsize%5D=2",
            "GET /v3/dids?page%5Bnumber%5D=3&page%5Bsize%5D=2",
        ]
    );
}

#[tokio::test]
async fn a_page_is_requested_only_when_the_stream_is_polled_for_it() {
    let server = three_pages().await;
    let dids: Vec<_> = client(&server).dids().list().stream().take(2).try_collect().await.unwrap();
    assert_eq!(dids.len(), 2);
    assert_eq!(received(&server).await.len(), 1);
}

#[tokio::test]
async fn the_stream_can_begin_in_the_middle() {
    let server = three_pages().await;
    let dids = client(&server).dids().list().page(2).all().await.unwrap();
    assert_eq!(numbers(&dids), ["2", "3", "4"]);
}

#[tokio::test]
async fn an_empty_list_is_one_page() {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(response(200, &page(0..0, 0, None))).expect(1).mount(&server).await;
    assert!(client(&server).dids().list().all().await.unwrap().is_empty());
}

async fn endless(server: &MockServer) -> (usize, EndlessReason) {
    let mut stream = client(server).dids().list().stream();
    let mut records = 0;
    loop {
        match stream.try_next().await {
            Ok(Some(_)) => records += 1,
            Ok(None) => panic!("the list came to an end"),
            Err(Error::Endless(endless)) => {
                assert_eq!(endless.exchange.path, "/v3/dids");
                return (records, endless.reason);
            }
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test]
async fn a_page_that_links_to_itself_ends_the_stream_after_its_records() {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(response(200, &page(0..2, 9, Some(1)))).mount(&server).await;
    assert_eq!(endless(&server).await, (2, EndlessReason::Repeated { next: 1 }));
}

#[tokio::test]
async fn a_server_that_returns_the_first_page_for_every_number_is_detected() {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(response(200, &page(0..2, 9, Some(2)))).mount(&server).await;
    assert_eq!(endless(&server).await, (4, EndlessReason::Repeated { next: 2 }));
}

#[tokio::test]
async fn pages_without_end_are_detected_by_the_total() {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(response(200, &page(0..2, 4, Some(2)))).mount(&server).await;
    mount(&server, 2, &page(2..4, 4, Some(3))).await;
    assert_eq!(endless(&server).await, (4, EndlessReason::BeyondTotal { total: 4 }));
}

#[tokio::test]
async fn empty_pages_without_end_are_detected() {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(response(200, &page(0..0, 9, Some(2)))).mount(&server).await;
    assert_eq!(endless(&server).await, (0, EndlessReason::Empty));
}

#[tokio::test]
async fn an_error_on_a_later_page_ends_the_stream() {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(response(200, &page(0..2, 5, Some(2)))).mount(&server).await;
    mount(&server, 2, &json!({"data": [{"type": "dids", "id": "x", "attributes": {"number": 7}}]})).await;
    let mut stream = client(&server).dids().list().stream();
    let mut successes = Vec::new();
    while let Some(did) = stream.next().await {
        successes.push(did.is_ok());
    }
    assert_eq!(successes, [true, true, false]);
}
