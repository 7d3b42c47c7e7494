//! Linkage and related records.

use didww_client::resources::{Did, VoiceOutTrunk};
use didww_client::{ApiVersion, Error, Id, Reason};
use serde_json::{Value, json};
use wiremock::matchers::{any, method};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::support::{DID, TRUNK, builder, client, did, document, id, last_body, received, response};

const LINKAGE: &str = "/v3/voice_out_trunks/0a161808-bb05-42b1-8398-7888abdfa9ef/relationships";

async fn serving(body: &Value) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(method("GET")).respond_with(response(200, body)).mount(&server).await;
    Mock::given(any()).respond_with(ResponseTemplate::new(204)).mount(&server).await;
    server
}

#[tokio::test]
async fn members_are_listed_added_replaced_and_removed() {
    let linkage = json!({"data": [{"type": "dids", "id": DID}]});
    let server = serving(&linkage).await;
    let dids = client(&server).voice_out_trunks().to_many(&id(TRUNK), VoiceOutTrunk::DIDS);
    assert_eq!(dids.ids().await.unwrap(), [Id::<Did>::new(DID)]);
    dids.add([id(DID)]).await.unwrap();
    assert_eq!(last_body(&server).await, linkage);
    dids.remove([id(DID)]).await.unwrap();
    assert_eq!(last_body(&server).await, linkage);
    dids.clear().await.unwrap();
    assert_eq!(last_body(&server).await, json!({"data": []}));
    let expected = ["GET", "POST", "DELETE", "PATCH"].map(|verb| format!("{verb} {LINKAGE}/dids"));
    assert_eq!(received(&server).await, expected);
    let requests = server.received_requests().await.unwrap();
    assert_eq!(requests[2].headers["content-type"], "application/vnd.api+json");
}

#[tokio::test]
async fn one_member_is_read_set_and_cleared() {
    let server = serving(&json!({"data": {"type": "dids", "id": DID}})).await;
    let default = client(&server).voice_out_trunks().to_one(&id(TRUNK), VoiceOutTrunk::DEFAULT_DID);
    assert_eq!(default.id().await.unwrap(), Some(id::<Did>(DID)));
    default.set(&id(DID)).await.unwrap();
    assert_eq!(last_body(&server).await, json!({"data": {"type": "dids", "id": DID}}));
    default.clear().await.unwrap();
    assert_eq!(last_body(&server).await, json!({"data": null}));
    let expected = ["GET", "PATCH", "PATCH"].map(|verb| format!("{verb} {LINKAGE}/default_did"));
    assert_eq!(received(&server).await, expected);
}

#[tokio::test]
async fn related_records_are_a_list_or_one_or_none() {
    let server = serving(&json!({"data": [did(DID, "371")], "meta": {"total_records": 1}})).await;
    let trunks = client(&server).voice_out_trunks();
    let related = trunks.to_many(&id(TRUNK), VoiceOutTrunk::DIDS).related();
    assert_eq!(related.page_size(5).all().await.unwrap()[0].number, "371");
    assert_eq!(received(&server).await, [format!("GET /v3/voice_out_trunks/{TRUNK}/dids?page%5Bsize%5D=5")]);

    let server = serving(&document(&did(DID, "371"))).await;
    let default = client(&server).voice_out_trunks().to_one(&id(TRUNK), VoiceOutTrunk::DEFAULT_DID);
    assert_eq!(default.related().await.unwrap().unwrap().number, "371");

    let server = serving(&json!({"data": null})).await;
    let default = client(&server).voice_out_trunks().to_one(&id(TRUNK), VoiceOutTrunk::DEFAULT_DID);
    assert!(default.related().await.unwrap().is_none());
    assert_eq!(default.id().await.unwrap(), None);
}

#[tokio::test]
async fn the_error_of_linkage_of_the_wrong_shape_has_its_path() {
    let server = serving(&json!({"data": null})).await;
    let dids = client(&server).voice_out_trunks().to_many(&id(TRUNK), VoiceOutTrunk::DIDS);
    let Err(Error::Decode(unreadable)) = dids.ids().await else { panic!("it was decoded") };
    assert_eq!(unreadable.error.path(), "data");
}

#[tokio::test]
async fn read_only_relationships_and_those_that_the_version_lacks_are_refused_before_sending() {
    let server = serving(&json!({"data": null})).await;
    let dids = client(&server).dids();
    let order = dids.to_one(&id(DID), Did::ORDER);
    let Err(Error::NotSent(error)) = order.clear().await else { panic!("it was sent") };
    assert!(matches!(error.reason, Reason::ReadOnly("order")));

    let old = builder(&server.uri()).api_version(ApiVersion::V2022_05_10).build().unwrap();
    let emergency = old.voice_out_trunks().to_many(&id(TRUNK), VoiceOutTrunk::EMERGENCY_DIDS);
    let Err(Error::NotSent(error)) = emergency.ids().await else { panic!("it was sent") };
    assert!(error.to_string().contains("it exists since 2026-04-16"), "{error}");
    assert_eq!(received(&server).await.len(), 0);
}
