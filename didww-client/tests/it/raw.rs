//! Requests for resources that the crate does not declare: bodies and headers of one's own, streams, foreign refusals.

use didww_client::{
    Error, Extra, Id, Method, Multipart, Reason, Resource, ResourceObject, RetryPolicy, TryStreamExt as _,
};
use serde_json::{Value, json};
use wiremock::matchers::{any, query_param, query_param_is_missing};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::support::{builder, client, received, response};

fn pop(id: &str) -> Value {
    json!({"id": id, "type": "pops", "attributes": {"name": format!("POP {id}"), "altitude": 112}})
}

#[tokio::test]
async fn a_form_with_files_is_sent_whole_with_its_boundary() {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(response(201, &json!({"ids": ["1"]}))).mount(&server).await;
    let form = Multipart::new().text("encrypted_files[encryption_fingerprint]", "abc").file(
        "encrypted_files[items][][file]",
        "id.enc",
        "application/octet-stream",
        vec![0, 13, 10, 255],
    );
    let upload = client(&server).raw(Method::POST, "/encrypted_files").header("Accept", "application/json");
    let answer = upload.multipart(&form).await.unwrap();
    assert_eq!(answer.json().unwrap()["ids"], json!(["1"]));
    let request = &server.received_requests().await.unwrap()[0];
    assert_eq!(request.headers["accept"], "application/json");
    let media_type = request.headers["content-type"].to_str().unwrap();
    let boundary = media_type.strip_prefix("multipart/form-data; boundary=").unwrap();
    let mut file =
        b"filename=\"id.enc\"\r\nContent-Type: application/octet-stream\r\n\r\n\0\r\n\xff\r\n--".to_vec();
    file.extend_from_slice(boundary.as_bytes());
    assert!(request.body.windows(file.len()).any(|window| window == file), "{:?}", request.body);
    assert_eq!(request.headers["content-length"], request.body.len().to_string());
}

#[tokio::test]
async fn a_header_of_ones_own_replaces_the_clients_and_a_wrong_one_is_not_sent() {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(response(200, &json!({"data": []}))).mount(&server).await;
    let raw = || client(&server).raw(Method::GET, "/pops");
    raw()
        .header("X-Trace", "1")
        .header("x-trace", "2")
        .header("X-DIDWW-API-Version", "2022-05-10")
        .await
        .unwrap();
    let request = &server.received_requests().await.unwrap()[0];
    assert_eq!(
        (&request.headers["x-trace"], &request.headers["x-didww-api-version"]),
        (&"2".parse().unwrap(), &"2022-05-10".parse().unwrap())
    );
    for (name, value) in
        [("X Trace", "1"), ("X-Trace", "1\r\nX: y"), ("Content-Length", "7"), ("host", "x"), ("", "1")]
    {
        let error = raw().header(name, value).await.unwrap_err();
        let Error::NotSent(not_sent) = &error else { panic!("{error}") };
        assert!(matches!(&not_sent.reason, Reason::Header(wrong) if wrong == name), "{error}");
    }
    let bytes = client(&server).raw(Method::POST, "/pops").bytes("text/plain\n", "x").await;
    assert!(matches!(bytes, Err(Error::NotSent(_))));
    assert_eq!(received(&server).await.len(), 1);
}

#[tokio::test]
async fn bytes_of_any_media_type_are_sent_as_they_are() {
    let server = MockServer::start().await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(200).set_body_bytes(vec![31, 139]))
        .mount(&server)
        .await;
    let request = client(&server).raw(Method::PUT, "/things/1").bytes("application/gzip", vec![1, 2, 3]);
    assert_eq!(request.await.unwrap().bytes().as_ref(), [31, 139]);
    let request = &server.received_requests().await.unwrap()[0];
    assert_eq!(
        (request.headers["content-type"].to_str().unwrap(), &request.body),
        ("application/gzip", &vec![1, 2, 3])
    );
}

async fn two_pages(server: &MockServer) {
    let next = "https://elsewhere.example/v3/pops?page%5Bnumber%5D=2";
    let first = json!({
        "data": [pop("1"), pop("2")],
        "meta": {"total_records": 3, "regions": 1}, "links": {"next": next, "help": "https://x"},
    });
    let second = json!({"data": [pop("3")], "meta": {"total_records": 3}, "links": {"prev": next}});
    Mock::given(query_param_is_missing("page[number]"))
        .respond_with(response(200, &first))
        .mount(server)
        .await;
    Mock::given(query_param("page[number]", "2")).respond_with(response(200, &second)).mount(server).await;
}

#[tokio::test]
async fn the_pages_of_a_list_are_a_stream() {
    let server = MockServer::start().await;
    two_pages(&server).await;
    let list =
        || client(&server).raw(Method::GET, "/pops").query("sort", "name").query("filter[name]", "a&b");
    let records: Vec<ResourceObject> = list().records().try_collect().await.unwrap();
    let ids: Vec<&str> = records.iter().map(|record| record.id.as_str()).collect();
    assert_eq!(ids, ["1", "2", "3"]);
    assert_eq!(
        received(&server).await,
        [
            "GET /v3/pops?sort=name&filter%5Bname%5D=a%26b",
            "GET /v3/pops?sort=name&filter%5Bname%5D=a%26b&page%5Bnumber%5D=2",
        ]
    );
    let pages: Vec<_> = list().pages().try_collect().await.unwrap();
    assert_eq!((pages.len(), &pages[0].meta.extra["regions"]), (2, &json!(1)));
    assert_eq!(pages[0].links.extra["help"], "https://x");
    let of_second: Vec<ResourceObject> =
        list().query("page[number]", "2").records().try_collect().await.unwrap();
    assert_eq!(of_second.len(), 1);
}

#[tokio::test]
async fn a_refusal_in_another_shape_is_readable() {
    let refused = async |status: u16, media_type: &str, body: &str| {
        let server = MockServer::start().await;
        let answer = ResponseTemplate::new(status).set_body_raw(body.to_owned(), media_type);
        Mock::given(any()).respond_with(answer).mount(&server).await;
        let client = builder(&server.uri()).retry(RetryPolicy::none()).build().unwrap();
        client.raw(Method::POST, "/token").body(&json!({})).await.unwrap_err()
    };
    let json = "application/json";
    for (status, body, text) in [
        (401, r#"{"error":"invalid_client","error_description":"unknown\nkey"}"#, ": unknown key"),
        (403, r#"{"error":{"code":7,"message":"no"}}"#, ": no"),
        (400, r#"{"message":"bad"}"#, ": bad"),
        (422, r#"{"errors":{"name":["is taken"]}}"#, "422 Unprocessable Entity"),
        (422, r#"{"errors":["name is taken"]}"#, ": name is taken"),
        (422, r#"{"errors":[{"status":422,"code":100,"detail":"is bad"}]}"#, ": is bad"),
    ] {
        let error = refused(status, json, body).await;
        assert!(error.to_string().ends_with(text), "{error}");
        let refusal = error.refusal().unwrap();
        assert_eq!((refusal.text().as_ref(), refusal.body().as_ref()), (body, body.as_bytes()));
        assert_eq!(refusal.json(), serde_json::from_str(body).ok());
        assert!(!format!("{error:?}").contains("invalid_client"), "a body is not printed");
    }
    let error = refused(502, "text/html", "<h1>Bad gateway</h1>").await;
    assert_eq!(error.refusal().unwrap().text(), "<h1>Bad gateway</h1>");
    assert_eq!(error.refusal().unwrap().json(), None);
}

/// A resource that this program declares. The crate does not know it.
#[derive(Debug, Clone, PartialEq, Resource)]
#[resource(
    name = "pops",
    since = "2017-09-18",
    verbs(list, get, create, update, delete),
    crate = "didww_client"
)]
#[filter(name = "id", id, list, value = Id<Pop>)]
struct Pop {
    /// The id.
    id: Id<Pop>,
    /// The name.
    #[attr(create = required, update, sort, filter)]
    name: String,
    /// The height above the sea, in metres.
    #[attr(create, update)]
    altitude: Option<i64>,
    /// The same POP in another building.
    #[rel(one = "pops", create, update)]
    twin: didww_client::ToOne<Pop>,
    /// Other attributes.
    #[extra]
    extra: Extra,
}

#[tokio::test]
async fn a_resource_that_a_program_declares_has_typed_requests() {
    let server = MockServer::start().await;
    two_pages(&server).await;
    let pops = client(&server).api::<Pop>();
    let all = pops.list().all().await.unwrap();
    assert_eq!((all.len(), all[2].name.as_str(), all[2].altitude), (3, "POP 3", Some(112)));

    let server = MockServer::start().await;
    Mock::given(any()).respond_with(response(200, &json!({"data": pop("1")}))).mount(&server).await;
    let pops = client(&server).api::<Pop>();
    let created = pops.create(Pop::create("POP 1").twin("2")).await.unwrap();
    let mut changed = created.clone();
    changed.altitude = None;
    pops.save(&created, &changed).await.unwrap();
    let bodies: Vec<Value> = server
        .received_requests()
        .await
        .unwrap()
        .iter()
        .map(|request| request.body_json().unwrap())
        .collect();
    let twin = json!({"twin": {"data": {"type": "pops", "id": "2"}}});
    assert_eq!(
        bodies,
        [
            json!({"data": {"type": "pops", "attributes": {"name": "POP 1"}, "relationships": twin}}),
            json!({"data": {"id": "1", "type": "pops", "attributes": {"altitude": null}}}),
        ]
    );
}
