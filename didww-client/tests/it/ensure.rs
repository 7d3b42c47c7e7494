//! Idempotent provisioning against a server that answers as DIDWW does.

use didww_client::resources::{
    Address, AuthenticationMethod, EncryptedFile, OnCliMismatchAction, Order, OrderItem, Proof,
    VoiceOutTrunk, VoiceOutTrunkCreate,
};
use didww_client::values::{CapacityLimit, ExternalReference, IpNetworks};
use didww_client::{EnsureOutcome, Ensured, Error, Reason};
use serde_json::{Value, json};
use wiremock::matchers::{method, query_param};
use wiremock::{Mock, MockServer};

use crate::support::{
    DID, TRUNK, client, document, error, id, last_body, received, response, trunk, trunk_with,
};

const BY_NAME: &str = "GET /v3/voice_out_trunks?filter%5Bname%5D=Berlin";

fn body(name: &str) -> VoiceOutTrunkCreate {
    let auth = AuthenticationMethod::credentials_and_ip(IpNetworks::parse(["192.168.1.1"]).unwrap());
    VoiceOutTrunk::create(name, OnCliMismatchAction::SendOriginalCli, auth)
}

async fn lists(server: &MockServer, records: &[Value]) {
    let page =
        json!({"data": records, "meta": {"total_records": records.len(), "api_version": "2026-04-16"}});
    Mock::given(method("GET")).respond_with(response(200, &page)).mount(server).await;
}

async fn writes(server: &MockServer, verb: &str, record: &Value) {
    let status = if verb == "POST" { 201 } else { 200 };
    Mock::given(method(verb)).respond_with(response(status, &document(record))).mount(server).await;
}

#[tokio::test]
async fn a_record_that_does_not_exist_is_created() {
    let server = MockServer::start().await;
    // The service finds names that only contain the text, or that are written otherwise.
    lists(&server, &[trunk_with(&json!({"name": "berlin"})), trunk_with(&json!({"name": "Berlin 2"}))]).await;
    writes(&server, "POST", &trunk()).await;
    let ensured = client(&server).voice_out_trunks().ensure(body("Berlin")).await.unwrap();
    assert_eq!((ensured.outcome, ensured.changed), (EnsureOutcome::Created, Vec::<String>::new()));
    assert_eq!(ensured.record.credentials().unwrap().0, "canary-username");
    assert_eq!(received(&server).await, [BY_NAME, "POST /v3/voice_out_trunks"]);
}

#[tokio::test]
async fn a_record_that_is_as_it_should_be_is_left_alone_although_it_has_credentials() {
    let server = MockServer::start().await;
    lists(&server, &[trunk()]).await;
    let ensured = client(&server).voice_out_trunks().ensure(body("Berlin")).await.unwrap();
    assert_eq!((ensured.outcome, ensured.record.id), (EnsureOutcome::Unchanged, id(TRUNK)));
    assert_eq!(received(&server).await, [BY_NAME]);
}

#[tokio::test]
async fn only_what_differs_is_sent() {
    let server = MockServer::start().await;
    lists(&server, &[trunk()]).await;
    writes(&server, "PATCH", &trunk_with(&json!({"capacity_limit": 30}))).await;
    let wanted = body("Berlin").capacity_limit(CapacityLimit::new(30).unwrap());
    let ensured = client(&server).voice_out_trunks().ensure(wanted.clone()).await.unwrap();
    assert_eq!(
        (ensured.outcome, ensured.changed),
        (EnsureOutcome::Updated, vec!["capacity_limit".to_owned()])
    );
    assert_eq!(ensured.record.capacity_limit, Some(CapacityLimit::new(30).unwrap()));
    let sent = last_body(&server).await;
    assert_eq!(
        sent,
        json!({"data": {"id": TRUNK, "type": "voice_out_trunks", "attributes": {"capacity_limit": 30}}})
    );
    let kept = client(&server).voice_out_trunks().ensure(wanted).keep_existing().await.unwrap();
    assert_eq!(kept.outcome, EnsureOutcome::Unchanged);
}

#[tokio::test]
async fn a_relationship_is_read_with_the_record_and_compared() {
    let server = MockServer::start().await;
    let mut linked = trunk();
    linked["relationships"]["dids"]["data"] = json!([{"type": "dids", "id": DID}]);
    lists(&server, &[linked]).await;
    writes(&server, "PATCH", &trunk()).await;
    let trunks = client(&server).voice_out_trunks();
    let same = trunks.ensure(body("Berlin").dids([id(DID)])).await.unwrap();
    assert_eq!(same.outcome, EnsureOutcome::Unchanged);
    let other = trunks.ensure(body("Berlin").dids([id("another")])).await.unwrap();
    assert_eq!((other.outcome, other.changed), (EnsureOutcome::Updated, vec!["dids".to_owned()]));
    let with_dids = "GET /v3/voice_out_trunks?filter%5Bname%5D=Berlin&include=dids";
    let patch = format!("PATCH /v3/voice_out_trunks/{TRUNK}");
    assert_eq!(received(&server).await, [with_dids, with_dids, patch.as_str()]);
}

#[tokio::test]
async fn a_relationship_that_no_answer_shows_is_not_asked_for() {
    let server = MockServer::start().await;
    let proof = json!({"id": "1", "type": "proofs",
    "attributes": {"created_at": "2026-04-08T06:57:33.304Z", "expires_at": null, "external_reference_id": "scan-7"},
    "relationships": {
        "proof_type": {"data": {"type": "proof_types", "id": "t-1"}},
        "entity": {"data": {"type": "addresses", "id": "a-1"}},
    }});
    lists(&server, &[proof]).await;
    let wanted = Proof::create("t-1", id::<Address>("a-1"), vec![id::<EncryptedFile>("f-1")])
        .external_reference_id(ExternalReference::new("scan-7").unwrap());
    let ensured = client(&server).proofs().ensure(wanted).await.unwrap();
    assert_eq!(ensured.outcome, EnsureOutcome::Unchanged);
    let sent = received(&server).await;
    assert!(sent.len() == 1 && sent[0].contains("entity") && !sent[0].contains("files"), "{sent:?}");
}

#[tokio::test]
async fn a_reference_is_preferred_to_the_name() {
    let server = MockServer::start().await;
    let found = trunk_with(&json!({"name": "Old name", "external_reference_id": "office-1"}));
    lists(&server, &[found]).await;
    writes(&server, "PATCH", &trunk()).await;
    let wanted = body("Berlin").external_reference_id(ExternalReference::new("office-1").unwrap());
    let ensured = client(&server).voice_out_trunks().ensure(wanted.clone()).await.unwrap();
    assert_eq!((ensured.outcome, ensured.changed), (EnsureOutcome::Updated, vec!["name".to_owned()]));
    assert_eq!(
        received(&server).await[0],
        "GET /v3/voice_out_trunks?filter%5Bexternal_reference_id%5D=office-1"
    );
    writes(&server, "POST", &trunk()).await;
    let by_name = client(&server).voice_out_trunks().ensure(wanted).by_name().await.unwrap();
    assert_eq!(by_name.outcome, EnsureOutcome::Created, "no trunk has the name");
}

#[tokio::test]
async fn a_record_that_another_program_creates_meanwhile_is_compared() {
    let server = MockServer::start().await;
    let none = json!({"data": [], "meta": {"total_records": 0, "api_version": "2026-04-16"}});
    Mock::given(query_param("filter[name]", "Berlin"))
        .respond_with(response(200, &none))
        .up_to_n_times(1)
        .with_priority(1)
        .mount(&server)
        .await;
    lists(&server, &[trunk()]).await;
    let taken = error(422, "has already been taken", Some("/data/attributes/name"));
    Mock::given(method("POST")).respond_with(taken).mount(&server).await;
    let ensured = client(&server).voice_out_trunks().ensure(body("Berlin")).await.unwrap();
    assert_eq!(ensured.outcome, EnsureOutcome::Unchanged);
    assert_eq!(received(&server).await, [BY_NAME, "POST /v3/voice_out_trunks", BY_NAME]);
}

#[tokio::test]
async fn what_cannot_be_decided_is_an_error_and_nothing_is_written() {
    let server = MockServer::start().await;
    lists(&server, &[trunk(), trunk()]).await;
    let reason = |refused: Result<Ensured<VoiceOutTrunk>, Error>| match refused {
        Err(Error::NotSent(error)) => error.reason,
        other => panic!("{other:?}"),
    };
    let trunks = client(&server).voice_out_trunks();
    assert!(matches!(reason(trunks.ensure(body("Berlin")).await), Reason::Several(_)));
    let unnamed = trunks.ensure(body("Berlin")).by_reference().await;
    assert!(matches!(reason(unnamed), Reason::Unidentified("external_reference_id")));
    assert_eq!(received(&server).await, [BY_NAME]);
    let order = client(&server).orders().ensure(Order::create(OrderItem::dids("1", 1))).await;
    assert!(matches!(order, Err(Error::NotSent(error)) if matches!(error.reason, Reason::Unidentified(_))));
}

#[tokio::test]
async fn a_member_that_only_a_create_request_can_set_is_named() {
    let server = MockServer::start().await;
    let order = json!({"id": "1", "type": "orders", "attributes": {"amount": "1.0", "status": "Pending",
        "created_at": "2026-04-08T06:57:33.304Z", "description": "DID", "reference": "ABC-1", "callback_url": null,
        "callback_method": null, "external_reference_id": "po-7", "items": []}});
    lists(&server, &[order]).await;
    let wanted =
        Order::create(OrderItem::dids("1", 1)).external_reference_id(ExternalReference::new("po-7").unwrap());
    let refused = client(&server).orders().ensure(wanted).await;
    let Err(Error::NotSent(error)) = refused else { panic!("{refused:?}") };
    assert!(matches!(&error.reason, Reason::Fixed(name) if name == "items"), "{error}");
}
