//! Callbacks about the status of orders, exports and verifications: sent once, as the records ask for it, and signed.

use didww_types::callback::{Payload, verify};
use didww_types::{ApiVersion, Secret};
use trunk_server::control::{NewDid, RecordMembers, Review};

use super::*;
use crate::support::world::{dids, identifier, linking, resource};

/// A server with a frozen clock, whose account has a DID group with a number in stock. Returns the id of the stock
/// keeping unit.
async fn shop(stocked: bool) -> (TestServer, Api, String) {
    let (server, api) = start(settings()).await;
    let control = server.control();
    let sku = RecordMembers::default().attribute("monthly_price", "2.05");
    let sku = control.put_record(None, "stock_keeping_units", None, sku).await.unwrap();
    let group = RecordMembers::default()
        .attribute("area_name", "Vilnius")
        .relationship("stock_keeping_units", [sku])
        .meta("total_count", 1);
    let group = control.put_record(None, "did_groups", None, group).await.unwrap();
    if stocked {
        let number =
            RecordMembers::default().attribute("number", "37061490000").relationship("did_group", [group]);
        control.put_record(None, "available_dids", None, number).await.unwrap();
    }
    let money = RecordMembers::default().attribute("balance", "10.00");
    control.put_record(Some(server.account()), "balances", None, money).await.unwrap();
    (server, api.at(Some(NEW)), sku.to_string())
}

async fn order(api: &Api, sku: &str, callback: &Value) -> String {
    let item = json!({ "type": "did_order_items", "attributes": { "sku_id": sku } });
    let mut attributes = json!({ "items": [item] });
    attributes.as_object_mut().unwrap().extend(callback.as_object().unwrap().clone());
    let body = json!({ "data": { "type": "orders", "attributes": attributes } });
    let made = api.post("/orders", &body).await;
    assert_eq!(made.status, 201, "{}", made.text);
    made.id()
}

fn parameters(id: &str, status: &str) -> Payload {
    let members = [("id", id), ("status", status), ("type", "orders")];
    Payload::Parameters(members.map(|(name, value)| (name.to_owned(), value.to_owned())).into())
}

fn is_signed(callback: &Callback, url: &str, payload: &Payload) -> bool {
    let signature = callback.header("x-didww-signature").expect("a callback is signed");
    verify(&Secret::new(SECRET), url, payload, &signature)
}

#[tokio::test]
async fn a_completed_order_is_posted_as_a_form_once() {
    let mut receiver = Receiver::start(Answer::Status(200)).await;
    let (server, api, sku) = shop(true).await;
    let url = receiver.url("/didww_callbacks?opaque=123");
    let id = order(&api, &sku, &json!({ "callback_url": url, "callback_method": "post" })).await;
    assert_eq!(deliveries(&server.control(), 0).await.len(), 0, "a pending order sends none");
    server.control().clock().advance(Duration::from_secs(5));
    let callback = receiver.next().await;
    assert_eq!(callback.body, format!("id={id}&status=completed&type=orders"));
    assert_eq!(callback.path, "/didww_callbacks?opaque=123");
    assert!(callback.head.starts_with("POST "), "{}", callback.head);
    assert_eq!(callback.header("content-type").as_deref(), Some("application/x-www-form-urlencoded"));
    assert!(is_signed(&callback, &url, &parameters(&id, "completed")));
    let delivered = deliveries(&server.control(), 1).await;
    assert_eq!((delivered[0].subject.to_string(), delivered[0].status), (id.clone(), Some(200)));
    let body =
        json!({ "data": { "type": "orders", "id": id, "attributes": { "external_reference_id": "7" } } });
    assert_eq!(api.patch(&format!("/orders/{id}"), &body).await.status, 200);
    assert_eq!(server.control().backlog(None).await.unwrap().waiting, 0);
    assert_eq!(server.control().deliveries(None, 9).await.unwrap().len(), 1);
    assert_eq!(receiver.untaken(), 0, "a change that leaves the status sends nothing");
}

#[tokio::test]
async fn a_canceled_order_is_sent_in_the_query_and_repeated_until_it_arrives() {
    let mut receiver = Receiver::start(Answer::Status(500)).await;
    let (server, api, sku) = shop(false).await;
    let url = receiver.url("/orders?opaque=1");
    let callback = json!({ "callback_url": url, "callback_method": "get" });
    let by_staff = order(&api, &sku, &callback).await;
    let control = server.control();
    control.cancel_order(server.account(), by_staff.parse().unwrap()).await.unwrap();
    let expected = |id: &str| format!("/orders?opaque=1&id={id}&status=canceled&type=orders");
    let first = receiver.next().await;
    assert_eq!(first.path, expected(&by_staff));
    assert!(first.head.starts_with("GET ") && first.body.is_empty(), "{}", first.head);
    let called = receiver.url(&expected(&by_staff));
    assert!(is_signed(&first, &called, &parameters(&by_staff, "canceled")));
    deliveries(&control, 1).await;
    receiver.answers(Answer::Status(204));
    control.clock().advance(Duration::from_mins(1));
    assert_eq!(receiver.next().await.path, expected(&by_staff));

    let by_owner = order(&api, &sku, &callback).await;
    assert_eq!(api.delete(&format!("/orders/{by_owner}")).await.status, 204);
    assert_eq!(receiver.next().await.path, expected(&by_owner));

    let by_time = order(&api, &sku, &callback).await;
    control.clock().advance(Duration::from_hours(30 * 24));
    assert_eq!(receiver.next().await.path, expected(&by_time));
}

#[tokio::test]
async fn an_order_without_a_url_or_of_an_account_without_a_secret_sends_nothing() {
    let (server, api, sku) = shop(false).await;
    let receiver = Receiver::start(Answer::Status(200)).await;
    let (control, owner) = (server.control(), server.account());
    let canceled = async |callback: &Value| {
        let id = order(&api, &sku, callback).await;
        control.cancel_order(owner, id.parse().unwrap()).await.unwrap();
        let backlog = control.backlog(Some(owner)).await.unwrap();
        (backlog.waiting, backlog.dropped)
    };
    assert_eq!(canceled(&json!({})).await, (0, 0));
    for secret in control.callback_secrets(owner).await.unwrap() {
        control.remove_callback_secret(owner, secret.id).await.unwrap();
    }
    let callback = json!({ "callback_url": receiver.url("/x"), "callback_method": "post" });
    assert_eq!(canceled(&callback).await, (0, 1));
    assert_eq!(receiver.untaken(), 0);
}

#[tokio::test]
async fn a_completed_export_is_sent_with_the_address_of_its_file() {
    let mut receiver = Receiver::start(Answer::Status(200)).await;
    let (server, api) = start(settings()).await;
    let api = api.at(Some(NEW));
    let url = receiver.url("/exports");
    let attributes = json!({
        "export_type": "cdr_out", "filters": { "from": "2026-04-01 00:00:00", "to": "2026-04-16 00:00:00" }, "callback_url": url,
        "callback_method": "post",
    });
    let made =
        api.post("/exports", &json!({ "data": { "type": "exports", "attributes": attributes } })).await;
    assert_eq!(made.status, 201, "{}", made.text);
    server.control().clock().advance(Duration::from_secs(5));
    let callback = receiver.next().await;
    let file = api.get(&format!("/exports/{}", made.id())).await.at("/data/attributes/url");
    let escaped = file.as_str().unwrap().replace(':', "%3A").replace('/', "%2F");
    assert_eq!(callback.body, format!("id={}&status=completed&type=exports&url={escaped}", made.id()));
    let members = [("id", made.id()), ("status", "completed".to_owned()), ("type", "exports".to_owned())];
    let mut members: std::collections::BTreeMap<String, String> =
        members.map(|(name, value)| (name.to_owned(), value)).into();
    members.insert("url".to_owned(), file.as_str().unwrap().to_owned());
    assert!(is_signed(&callback, &url, &Payload::Parameters(members)), "{}", callback.body);
}

/// The parameters are those of the page of that version.
#[tokio::test]
async fn an_export_of_2021_04_19_is_sent_under_its_name_and_without_an_address() {
    let mut receiver = Receiver::start(Answer::Status(200)).await;
    let builder = engine::builder().version(ApiVersion::V2021_04_19).api_key(KEY).callback_secret(SECRET);
    let server = builder.callbacks(settings()).clock(frozen()).start().await;
    let api = Api::new(server.base_url(), KEY).at(None);
    let attributes = json!({
        "filters": { "year": "2026", "month": "04" }, "callback_url": receiver.url("/exports"),
        "callback_method": "POST",
    });
    let body = json!({ "data": { "type": "cdr_exports", "attributes": attributes } });
    let id = made(&api, "/cdr_exports", &body).await;
    server.control().clock().advance(Duration::from_secs(5));
    let callback = receiver.next().await;
    assert_eq!(callback.body, format!("id={id}&status=completed&type=cdr_exports"));
}

async fn made(api: &Api, path: &str, body: &Value) -> String {
    let made = api.post(path, body).await;
    assert_eq!(made.status, 201, "{}", made.text);
    made.id()
}

#[tokio::test]
async fn a_reviewed_verification_is_sent_with_the_reasons_of_its_rejection() {
    let mut receiver = Receiver::start(Answer::Status(200)).await;
    let (server, api) = start(settings()).await;
    let api = api.at(Some(NEW));
    let (control, owner) = (server.control(), server.account());
    let url = receiver.url("/verifications");
    let country = RecordMembers::default().attribute("name", "Germany").attribute("iso", "DE");
    let country = control.put_record(None, "countries", None, country).await.unwrap().to_string();
    let person = json!({
        "identity_type": "personal", "first_name": "Ada", "last_name": "Lovelace", "phone_number": "442071234567",
    });
    let identity = made(&api, "/identities", &resource("identities", person)).await;
    let home = json!({ "address": "221 Long Street", "city_name": "Berlin", "postal_code": "10115" });
    let home = linking(resource("addresses", home), "identity", identifier("identities", &identity));
    let home = linking(home, "country", identifier("countries", &country));
    let address = made(&api, "/addresses", &home).await;
    let verification = async |number: &str| {
        let did = control.add_did(owner, NewDid::new(number)).await.unwrap().to_string();
        let callback = json!({ "callback_url": url, "callback_method": "post" });
        let body = resource("address_verifications", callback);
        let body = linking(body, "address", identifier("addresses", &address));
        let body = linking(body, "dids", dids(&[&did]));
        made(&api, "/address_verifications", &body).await.parse::<Uuid>().unwrap()
    };
    let approved = verification("37061498222").await;
    control.review_address_verification(owner, approved, Review::Approve).await.unwrap();
    assert_eq!(
        receiver.next().await.body,
        format!("id={approved}&reject_comment=&reject_reason=&status=approved&type=address_verifications")
    );
    let rejected = verification("37061498223").await;
    let reasons = vec!["Blurred".to_owned(), "Expired".to_owned()];
    let review = Review::Reject { reasons, comment: Some("Send it again".to_owned()) };
    control.review_address_verification(owner, rejected, review).await.unwrap();
    assert_eq!(
        receiver.next().await.body,
        format!(
            "id={rejected}&reject_comment=Send+it+again&reject_reason=Blurred%2C+Expired&status=rejected&type=address_verifications"
        )
    );
    assert_eq!(receiver.untaken(), 0, "a new verification sends nothing");
}
