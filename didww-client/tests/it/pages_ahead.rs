//! Pages that are requested before they are needed: the same as those that are read one after the other.

use std::time::Duration;

use didww_client::{
    Document, EndlessReason, Error, Method, RawAnswer, ResourceObject, RetryPolicy, StreamExt as _,
    TryStreamExt as _,
};
use serde_json::{Value, json};
use wiremock::matchers::{query_param, query_param_is_missing};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::support::{builder, client, error, received, response};

type Read = Result<Document<Vec<ResourceObject>>, Error>;

/// A page with records of these ids, and a link to the page of a number.
fn page(ids: &[&str], total: u64, next: Option<u64>) -> ResponseTemplate {
    let records: Vec<Value> = ids.iter().map(|id| json!({"id": id, "type": "pops"})).collect();
    let link = |number: u64| format!("https://elsewhere.example/v3/pops?page%5Bnumber%5D={number}");
    let links = json!({"first": link(1), "next": next.map(link)});
    response(200, &json!({"data": records, "meta": {"total_records": total}, "links": links}))
}

async fn first(server: &MockServer, answer: ResponseTemplate) {
    Mock::given(query_param_is_missing("page[number]")).respond_with(answer).mount(server).await;
}

async fn numbered(server: &MockServer, number: u64, answer: ResponseTemplate) {
    let is_it = query_param("page[number]", number.to_string());
    Mock::given(is_it).respond_with(answer).mount(server).await;
}

async fn document(answer: RawAnswer) -> Read {
    answer.document()
}

async fn ahead(server: &MockServer) -> Vec<Read> {
    client(server).raw(Method::GET, "/pops").pages_ahead(document).collect().await
}

/// The ids on each page that was read.
fn ids(pages: &[Read]) -> Vec<Vec<&str>> {
    let read = pages.iter().filter_map(|page| page.as_ref().ok());
    read.map(|page| page.data.iter().map(|record| record.id.as_str()).collect()).collect()
}

/// The numbers of the pages that were requested, in ascending order.
async fn requested(server: &MockServer) -> Vec<String> {
    let mut requested: Vec<String> = received(server)
        .await
        .iter()
        .map(|request| request.split_once("%5D=").map_or("", |(_, number)| number).to_owned())
        .collect();
    requested.sort();
    requested
}

#[tokio::test]
async fn pages_come_in_their_order_whichever_is_answered_first() {
    let server = MockServer::start().await;
    first(&server, page(&["1", "2"], 7, Some(2))).await;
    numbered(&server, 2, page(&["3", "4"], 7, Some(3)).set_delay(Duration::from_millis(300))).await;
    numbered(&server, 3, page(&["5", "6"], 7, Some(4))).await;
    numbered(&server, 4, page(&["7"], 7, None)).await;
    let read = ahead(&server).await;
    assert_eq!(ids(&read), [vec!["1", "2"], vec!["3", "4"], vec!["5", "6"], vec!["7"]]);
    assert_eq!(requested(&server).await, ["", "2", "3", "4"], "each page is requested once");
    let one_by_one: Vec<_> = client(&server).raw(Method::GET, "/pops").pages().try_collect().await.unwrap();
    assert_eq!(read.into_iter().map(Result::unwrap).collect::<Vec<_>>(), one_by_one);
}

#[tokio::test]
async fn a_page_is_requested_before_the_one_before_it_is_answered() {
    let server = MockServer::start().await;
    first(&server, page(&["1"], 3, Some(2))).await;
    numbered(&server, 2, page(&["2"], 3, Some(3)).set_delay(Duration::from_mins(1))).await;
    numbered(&server, 3, page(&["3"], 3, None)).await;
    let mut pages = client(&server).raw(Method::GET, "/pops").pages_ahead(document);
    assert_eq!(pages.next().await.unwrap().unwrap().data[0].id, "1");
    let is_requested = async {
        while requested(&server).await.last().is_none_or(|number| number != "3") {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        _ = pages.next() => panic!("page 2 is not answered yet"),
        () = is_requested => {}
    }
}

#[tokio::test]
async fn the_pages_after_one_that_is_handled_for_long_are_not_timed_out() {
    let server = MockServer::start().await;
    first(&server, page(&["1"], 4, Some(2))).await;
    numbered(&server, 2, page(&["2"], 4, Some(3))).await;
    // Requested together with page 2, and answered while nothing reads the answer.
    numbered(&server, 3, page(&["3"], 4, Some(4)).set_delay(Duration::from_millis(500))).await;
    numbered(&server, 4, page(&["4"], 4, None)).await;
    let builder = builder(&server.uri()).timeout(Duration::from_secs(2)).retry(RetryPolicy::none());
    let mut pages = builder.build().unwrap().raw(Method::GET, "/pops").pages_ahead(document);
    let mut read = vec![pages.next().await.unwrap(), pages.next().await.unwrap()];
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    while let Some(page) = pages.next().await {
        read.push(page);
    }
    assert_eq!(ids(&read), [["1"], ["2"], ["3"], ["4"]]);
    assert!(read.iter().all(Result::is_ok), "{read:?}");
}

#[tokio::test]
async fn a_list_with_fewer_or_more_pages_than_its_total_let_expect_is_read_to_its_end() {
    let server = MockServer::start().await;
    first(&server, page(&["1", "2"], 6, Some(2))).await;
    numbered(&server, 2, page(&["3"], 3, None)).await;
    numbered(&server, 3, page(&[], 3, None)).await;
    assert_eq!(ids(&ahead(&server).await), [vec!["1", "2"], vec!["3"]]);

    let server = MockServer::start().await;
    first(&server, page(&["1", "2"], 3, Some(2))).await;
    numbered(&server, 2, page(&["3", "4"], 5, Some(3))).await;
    numbered(&server, 3, page(&["5"], 5, None)).await;
    assert_eq!(ids(&ahead(&server).await), [vec!["1", "2"], vec!["3", "4"], vec!["5"]]);
    assert_eq!(requested(&server).await, ["", "2", "3"]);
}

#[tokio::test]
async fn pages_with_numbers_of_their_own_are_read_one_after_the_other() {
    let server = MockServer::start().await;
    first(&server, page(&["1"], 3, Some(10))).await;
    numbered(&server, 10, page(&["2"], 3, Some(20))).await;
    numbered(&server, 20, page(&["3"], 3, None)).await;
    assert_eq!(ids(&ahead(&server).await), [["1"], ["2"], ["3"]]);
    assert_eq!(requested(&server).await, ["", "10", "20"]);
}

#[tokio::test]
async fn a_refused_page_ends_the_list_at_its_place() {
    let server = MockServer::start().await;
    first(&server, page(&["1"], 4, Some(2))).await;
    numbered(&server, 2, page(&["2"], 4, Some(3))).await;
    numbered(&server, 3, error(404, "Not found", None)).await;
    numbered(&server, 4, page(&["4"], 4, None)).await;
    let read = ahead(&server).await;
    assert_eq!(ids(&read), [["1"], ["2"]]);
    assert_eq!(read.len(), 3);
    assert!(matches!(read[2], Err(Error::NotFound(_))), "{:?}", read[2]);
}

#[tokio::test]
async fn a_list_that_never_ends_is_noticed_as_well() {
    let server = MockServer::start().await;
    first(&server, page(&["1"], 2, Some(2))).await;
    numbered(&server, 2, page(&["2"], 2, Some(3))).await;
    let read = ahead(&server).await;
    assert_eq!(ids(&read), [["1"], ["2"]]);
    let Some(Err(Error::Endless(endless))) = read.last() else { panic!("{read:?}") };
    assert_eq!((endless.page, endless.reason), (2, EndlessReason::BeyondTotal { total: 2 }));
}
