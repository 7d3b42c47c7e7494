//! Waiting for a record, on a clock that the tests advance.

use std::time::Duration;

use didww_client::resources::OrderStatus;
use didww_client::{Error, Single};
use serde_json::{Value, json};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer};

use crate::raw_server::raw_server;
use crate::support::{builder, client, document, error, id, received, response};

fn order(status: &str) -> Value {
    document(&json!({"id": "1", "type": "orders", "attributes": {"amount": "1.0", "status": status,
        "created_at": "2026-04-08T06:57:33.304Z", "description": "DID", "reference": "ABC-1", "callback_url": null,
        "callback_method": null, "external_reference_id": null, "items": []}}))
}

async fn answers(server: &MockServer, times: u64, body: &Value) {
    Mock::given(any()).respond_with(response(200, body)).up_to_n_times(times).mount(server).await;
}

#[tokio::test]
async fn an_order_is_read_until_it_is_carried_out() {
    let server = MockServer::start().await;
    answers(&server, 2, &order("pending")).await;
    answers(&server, 9, &order("completed")).await;
    let waiting = client(&server).orders().wait_until_carried_out(&id("1"));
    let order = waiting.every(Duration::from_millis(1)).await.unwrap();
    assert_eq!(order.status, OrderStatus::Completed);
    assert_eq!(received(&server).await, ["GET /v3/orders/1"; 3]);
}

#[tokio::test]
async fn an_order_with_a_status_of_a_later_version_is_not_carried_out() {
    let server = MockServer::start().await;
    answers(&server, 1, &order("in_review")).await;
    answers(&server, 9, &order("canceled")).await;
    let waiting = client(&server).orders().wait_until_carried_out(&id("1"));
    let order = waiting.every(Duration::from_millis(1)).await.unwrap();
    assert_eq!(order.status, OrderStatus::Canceled);
    assert_eq!(received(&server).await, ["GET /v3/orders/1"; 2]);
}

#[tokio::test]
async fn a_wait_ends_at_its_deadline_with_the_time_that_passed() {
    let server = MockServer::start().await;
    answers(&server, u64::MAX, &order("pending")).await;
    let orders = client(&server).orders();
    let waiting = orders.wait_for(&id("1"), |order| order.status == OrderStatus::Canceled);
    let waiting = waiting.timeout(Duration::from_millis(30)).every(Duration::from_millis(10));
    let overdue = waiting.await;
    let Err(Error::Overdue(overdue)) = overdue else { panic!("{overdue:?}") };
    assert!(overdue.waited >= Duration::from_millis(30), "{overdue}");
    assert!(
        overdue.to_string().starts_with("GET /orders/1: the record is not as expected after "),
        "{overdue}"
    );
    let at_once = orders.wait_until_carried_out(&id("1")).timeout(Duration::ZERO).await;
    assert!(matches!(at_once, Err(Error::Overdue(_))));
}

#[tokio::test]
async fn a_service_that_does_not_answer_prolongs_a_wait_by_one_request_at_most() {
    let base = raw_server(Vec::new()).await;
    let client = builder(&base).timeout(Duration::from_millis(400)).build().unwrap();
    let waiting = client.orders().wait_until_carried_out(&id("1")).timeout(Duration::from_millis(100));
    let overdue = waiting.await;
    // Four attempts would take 1.6 s.
    let Err(Error::Overdue(overdue)) = overdue else { panic!("{overdue:?}") };
    assert!(overdue.waited >= Duration::from_millis(500), "{overdue}");
}

#[tokio::test]
async fn a_record_that_is_gone_ends_the_wait() {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(error(404, "Record not found", None)).mount(&server).await;
    let gone: Result<Single<_>, Error> = client(&server).orders().wait_until_carried_out(&id("1")).await;
    assert!(gone.unwrap_err().is_not_found());
}

#[tokio::test]
async fn an_export_is_read_until_its_file_can_be_downloaded() {
    let export = |status: &str, url: Value| {
        document(
            &json!({"id": "1", "type": "exports", "attributes": {"export_type": "cdr_out", "status": status,
            "filters": {"from": "2026-04-01 00:00:00", "to": "2026-04-02 00:00:00"}, "url": url,
            "callback_url": null, "callback_method": null, "external_reference_id": null,
            "created_at": "2026-04-08T06:57:33.304Z"}}),
        )
    };
    let server = MockServer::start().await;
    answers(&server, 1, &export("pending", Value::Null)).await;
    answers(&server, 1, &export("processing", Value::Null)).await;
    answers(&server, 9, &export("completed", json!("https://api.didww.com/v3/exports/2.csv.gz"))).await;
    let waiting = client(&server).exports().wait_until_completed(&id("1"));
    let export = waiting.every(Duration::from_millis(1)).await.unwrap();
    assert_eq!(export.url.as_deref(), Some("https://api.didww.com/v3/exports/2.csv.gz"));
    assert_eq!(received(&server).await, ["GET /v3/exports/1"; 3]);
}
