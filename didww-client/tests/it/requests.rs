//! The requests on the wire.

use didww_client::resources::{
    AuthenticationMethod, DidField, DidFilter, DidSort, OnCliMismatchAction, VoiceOutTrunk,
    VoiceOutTrunkField, VoiceOutTrunkInclude,
};
use didww_client::values::IpNetworks;
use didww_client::{Error, Method, Reason};
use serde_json::json;
use wiremock::matchers::{any, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::support::{
    DID, KEY, TRUNK, client, did, document, id, last_body, received, response, trunk, trunk_with,
};

#[tokio::test]
async fn every_request_has_the_headers_of_the_api_and_a_media_type_only_with_a_body() {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(response(200, &document(&trunk()))).mount(&server).await;
    let trunks = client(&server).voice_out_trunks();
    trunks.get(&id(TRUNK)).await.unwrap();
    trunks.update(&id(TRUNK), VoiceOutTrunk::patch().name("Paris")).await.unwrap();
    let requests = server.received_requests().await.unwrap();
    for request in &requests {
        assert_eq!(request.headers["api-key"], KEY);
        assert_eq!(request.headers["x-didww-api-version"], "2026-04-16");
        assert_eq!(request.headers["accept"], "application/vnd.api+json");
        assert_eq!(request.headers["user-agent"], concat!("didww-rust/", env!("CARGO_PKG_VERSION")));
    }
    assert!(!requests[0].headers.contains_key("content-type"));
    assert_eq!(requests[1].headers["content-type"], "application/vnd.api+json");
}

#[tokio::test]
async fn a_trunk_is_created_with_its_required_attributes() {
    let server = MockServer::start().await;
    Mock::given(method("POST")).respond_with(response(201, &document(&trunk()))).mount(&server).await;
    let auth = AuthenticationMethod::credentials_and_ip(IpNetworks::parse(["192.168.1.1"]).unwrap());
    let body = VoiceOutTrunk::create("Berlin", OnCliMismatchAction::SendOriginalCli, auth).dids([id(DID)]);
    let trunk = client(&server).voice_out_trunks().create(body).await.unwrap();
    assert_eq!(trunk.credentials().unwrap().0, "canary-username");
    assert_eq!(received(&server).await, ["POST /v3/voice_out_trunks"]);
    let sent = last_body(&server).await;
    assert_eq!(sent["data"]["type"], "voice_out_trunks");
    assert_eq!(sent["data"].get("id"), None);
    assert_eq!(sent["data"]["relationships"], json!({"dids": {"data": [{"type": "dids", "id": DID}]}}));
}

#[tokio::test]
async fn a_misspelt_text_of_an_enumeration_is_in_no_new_record() {
    let server = MockServer::start().await;
    let body = || {
        let auth = AuthenticationMethod::credentials_and_ip(IpNetworks::parse(["192.168.1.1"]).unwrap());
        VoiceOutTrunk::create("Berlin", "reject_cal", auth)
    };
    let trunks = client(&server).voice_out_trunks();
    let (created, ensured) = (trunks.create(body()).await, trunks.ensure(body()).await);
    for refused in [created.unwrap_err(), ensured.unwrap_err()] {
        let Error::NotSent(refused) = refused else { panic!("{refused}") };
        let Reason::Undeclared(attribute, text) = &refused.reason else { panic!("{refused}") };
        assert_eq!((*attribute, text.given.as_str()), ("on_cli_mismatch_action", "reject_cal"));
        assert!(text.to_string().contains("reject_call"), "{text}");
    }
    assert!(received(&server).await.is_empty());
}

#[tokio::test]
async fn a_query_is_typed_and_written_as_the_service_writes_it() {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(response(200, &json!({"data": []}))).mount(&server).await;
    let list = client(&server).dids().list();
    list.filter(DidFilter::number(["1", "2"]))
        .sort_descending(DidSort::CreatedAt)
        .sort(DidSort::Number)
        .page(2)
        .page_size(10)
        .await
        .unwrap();
    assert_eq!(
        received(&server).await,
        [
            "GET /v3/dids?filter%5Bnumber%5D=1%2C2&page%5Bnumber%5D=2&page%5Bsize%5D=10&sort=-created_at%2Cnumber"
        ]
    );
}

#[tokio::test]
async fn selected_fields_are_decoded_as_a_partial_record() {
    let server = MockServer::start().await;
    let partial = json!({"id": DID, "type": "dids", "attributes": {"number": "371"}});
    Mock::given(any()).respond_with(response(200, &json!({"data": [partial]}))).mount(&server).await;
    let page = client(&server).dids().list().fields([DidField::Number]).await.unwrap();
    assert_eq!(page.items[0].number.as_deref(), Some("371"));
    assert_eq!(page.items[0].blocked, None);
    assert_eq!(received(&server).await, ["GET /v3/dids?fields%5Bdids%5D=number"]);
}

#[tokio::test]
async fn included_records_are_found_from_the_record_that_links_to_them() {
    let server = MockServer::start().await;
    let mut trunk = trunk();
    trunk["relationships"]["dids"]["data"] = json!([{"type": "dids", "id": DID}]);
    let mut body = document(&trunk);
    body["included"] = json!([did(DID, "37061498222")]);
    Mock::given(any()).respond_with(response(200, &body)).mount(&server).await;
    let trunk = client(&server)
        .voice_out_trunks()
        .get(&id(TRUNK))
        .include([VoiceOutTrunkInclude::Dids])
        .await
        .unwrap();
    assert_eq!(trunk.dids.included(&trunk.included).unwrap()[0].number, "37061498222");
    assert_eq!(received(&server).await, [format!("GET /v3/voice_out_trunks/{TRUNK}?include=dids")]);
}

#[tokio::test]
async fn a_rotation_posts_its_request_and_reads_the_trunk_again() {
    let server = MockServer::start().await;
    let rotation = json!({"id": TRUNK, "type": "voice_out_trunk_regenerate_credentials"});
    Mock::given(method("POST"))
        .and(path("/v3/voice_out_trunk_regenerate_credentials"))
        .respond_with(response(201, &document(&rotation)))
        .mount(&server)
        .await;
    Mock::given(method("GET")).respond_with(response(200, &document(&trunk()))).mount(&server).await;
    let rotated = client(&server).voice_out_trunks().regenerate_credentials(&id(TRUNK)).await.unwrap();
    assert_eq!(rotated.credentials().unwrap().1.expose(), "canary-password");
    let expected = [
        "POST /v3/voice_out_trunk_regenerate_credentials".to_owned(),
        format!("GET /v3/voice_out_trunks/{TRUNK}"),
    ];
    assert_eq!(received(&server).await, expected);
}

#[tokio::test]
async fn unknown_values_survive_a_read_modify_write() {
    let server = MockServer::start().await;
    let unknown = json!({"type": "passkey", "attributes": {"key": "canary-passkey"}});
    let unknown_values = trunk_with(&json!({
        "status": "hibernating", "new_attribute": {"a": 1}, "authentication_method": unknown, "rtp_timeout": 9000
    }));
    Mock::given(any()).respond_with(response(200, &document(&unknown_values))).mount(&server).await;
    let trunks = client(&server).voice_out_trunks();
    let before = trunks.get(&id(TRUNK)).await.unwrap();
    assert_eq!(before.status.as_str(), "hibernating");
    assert_eq!(before.extra["new_attribute"], json!({"a": 1}));
    let mut after = before.clone();
    after.name = "Paris".to_owned();
    trunks.save(&before, &after).await.unwrap();
    assert_eq!(
        last_body(&server).await,
        json!({"data": {"id": TRUNK, "type": "voice_out_trunks", "attributes": {"name": "Paris"}}})
    );
    // A program that sets an unknown value sends it exactly as it was read.
    let patch = VoiceOutTrunk::patch()
        .status(before.status.clone())
        .authentication_method(before.authentication_method.clone());
    trunks.update(&before.id, patch).await.unwrap();
    let sent = last_body(&server).await;
    assert_eq!(
        sent["data"]["attributes"],
        json!({"status": "hibernating", "authentication_method": unknown})
    );
}

#[tokio::test]
async fn saving_without_a_difference_sends_nothing_and_saving_another_record_is_refused() {
    let server = MockServer::start().await;
    let other = {
        let mut other = trunk();
        other["id"] = json!("other");
        other
    };
    Mock::given(path("/v3/voice_out_trunks/other"))
        .respond_with(response(200, &document(&other)))
        .mount(&server)
        .await;
    Mock::given(any()).respond_with(response(200, &document(&trunk()))).mount(&server).await;
    let trunks = client(&server).voice_out_trunks();
    let before = trunks.get(&id(TRUNK)).await.unwrap();
    let other = trunks.get(&id("other")).await.unwrap();
    assert_eq!(trunks.save(&before, &before).await.unwrap(), *before);
    let Err(Error::NotSent(error)) = trunks.save(&before, &other).await else { panic!("it was sent") };
    assert!(matches!(error.reason, Reason::DifferentRecords));
    assert_eq!(received(&server).await.len(), 2);
}

#[tokio::test]
async fn an_id_that_would_address_the_collection_is_refused() {
    let server = MockServer::start().await;
    for invalid in ["", ".."] {
        let error = client(&server).voice_out_trunks().delete(&id(invalid)).await.unwrap_err();
        assert!(matches!(&error, Error::NotSent(error) if matches!(error.reason, Reason::Path)), "{error}");
    }
    assert_eq!(received(&server).await.len(), 0);
}

#[tokio::test]
async fn undeclared_resources_are_reached_by_raw_requests() {
    let server = MockServer::start().await;
    let pops = json!({"data": [{"id": "1", "type": "pops", "attributes": {"name": "DE, FRA"}}]});
    Mock::given(method("GET")).respond_with(response(200, &pops)).mount(&server).await;
    Mock::given(method("POST")).respond_with(ResponseTemplate::new(204)).mount(&server).await;
    let client = client(&server);
    let response = client.raw(Method::GET, "/pops").query("filter[name]", "DE, FRA").await.unwrap();
    assert_eq!(response.json().unwrap(), pops);
    assert_eq!(response.document::<Vec<didww_client::ResourceObject>>().unwrap().data[0].kind, "pops");
    client.raw(Method::POST, "/orders").body(&json!({"data": {"type": "orders"}})).await.unwrap();
    assert_eq!(last_body(&server).await, json!({"data": {"type": "orders"}}));
    assert_eq!(received(&server).await, ["GET /v3/pops?filter%5Bname%5D=DE%2C%20FRA", "POST /v3/orders"]);
}

#[tokio::test]
async fn requests_can_be_spawned() {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(response(200, &document(&trunk()))).mount(&server).await;
    let client = client(&server);
    let partial = [VoiceOutTrunkField::Name];
    let task = tokio::spawn(async move { client.voice_out_trunks().get(&id(TRUNK)).fields(partial).await });
    assert_eq!(task.await.unwrap().unwrap().name.as_deref(), Some("Berlin"));
}
