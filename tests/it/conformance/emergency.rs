//! Emergency calling: its requirements, its services, and the verifications that staff review.

use std::sync::Arc;
use std::time::Duration;

use didww_types::{Feature, Timestamp};
use serde_json::{Value, json};
use trunk_server::control::{NewDid, RecordMembers, Review};
use uuid::Uuid;

use crate::support::api::{Api, NEW, TOKENS};
use crate::support::engine;
use crate::support::months::month_after;
use crate::support::world::*;

const REQUIREMENTS: &str = "/emergency_requirements";
const VALIDATIONS: &str = "/emergency_requirement_validations";
pub(super) const SERVICES: &str = "/emergency_calling_services";
pub(super) const VERIFICATIONS: &str = "/emergency_verifications";

/// An account that may have emergency calling, with an address in a country where it has a price.
pub(super) struct Desk {
    world: Arc<World>,
    /// A client at 2026-04-16.
    pub(super) api: Api,
    country: Uuid,
    requirement: String,
    identity: String,
    address: String,
}

impl Desk {
    async fn open(balance: &str) -> Self {
        let world = World::of(engine::builder().feature(Feature::Emergency)).await;
        let money = RecordMembers::default().attribute("balance", balance);
        world
            .server
            .control()
            .put_record(Some(world.server.account()), "balances", None, money)
            .await
            .unwrap();
        Self::of(Arc::new(world)).await
    }

    /// The desk of a server whose account has the feature.
    pub(super) async fn of(world: Arc<World>) -> Self {
        let api = world.api.at(Some(NEW));
        let control = world.server.control();
        let country = RecordMembers::default().attribute("name", "Germany").attribute("iso", "DE");
        let country = control.put_record(None, "countries", None, country).await.unwrap();
        let requirement = RecordMembers::default()
            .attribute("number_type", "local")
            .attribute("personal_area_level", "world_wide")
            .attribute("personal_mandatory_fields", json!(["Birth Date", "Contact email"]))
            .attribute("estimate_setup_time", "7-14 days")
            .meta("setup_price", "1.5")
            .meta("monthly_price", "2.5")
            .relationship("country", [country]);
        let requirement =
            control.put_record(None, "emergency_requirements", None, requirement).await.unwrap();
        let person = json!({
            "identity_type": "personal", "first_name": "Ada", "last_name": "Lovelace", "phone_number": "442071234567",
        });
        let identity = created(&api, "/identities", &resource("identities", person)).await;
        let home = json!({ "address": "221 Long Street", "city_name": "Berlin", "postal_code": "10115" });
        let home = linking(resource("addresses", home), "identity", identifier("identities", &identity));
        let home = linking(home, "country", identifier("countries", &country.to_string()));
        let address = created(&api, "/addresses", &home).await;
        Self { world, api, country, requirement: requirement.to_string(), identity, address }
    }

    /// Creates a number of a new group with these members, in the country.
    async fn number(&self, number: &str, group: RecordMembers) -> String {
        let control = self.world.server.control();
        let group = group.attribute("area_name", "Berlin").relationship("country", [self.country]);
        let group = control.put_record(None, "did_groups", None, group).await.unwrap();
        let did = NewDid::new(number).did_group(group);
        control.add_did(self.world.server.account(), did).await.unwrap().to_string()
    }

    /// Creates a number that supports emergency calling.
    pub(super) async fn local(&self, number: &str) -> String {
        self.number(number, emergency()).await
    }

    fn verification(&self) -> Value {
        let body = resource("emergency_verifications", json!({}));
        linking(body, "address", identifier("addresses", &self.address))
    }

    pub(super) fn of_numbers(&self, numbers: &[&str]) -> Value {
        linking(self.verification(), "dids", dids(numbers))
    }

    fn of_service(&self, service: &str) -> Value {
        let service = identifier("emergency_calling_services", service);
        linking(self.verification(), "emergency_calling_service", service)
    }

    pub(super) async fn review(&self, verification: &str, review: Review) -> Result<(), String> {
        let (account, id) = (self.world.server.account(), verification.parse().unwrap());
        let control = self.world.server.control();
        let reviewed = control.review_emergency_verification(account, id, review).await;
        reviewed.map_err(|error| error.to_string())
    }

    /// The service of a verification: its id and its status.
    pub(super) async fn service(&self, verification: &str) -> (String, String) {
        let path = format!("{VERIFICATIONS}/{verification}?include=emergency_calling_service");
        let answer = self.api.get(&path).await;
        let text = |pointer: &str| answer.at(pointer).as_str().unwrap().to_owned();
        (text("/included/0/id"), text("/included/0/attributes/status"))
    }

    async fn balance(&self) -> Value {
        self.api.get("/balance").await.at("/data/attributes/balance")
    }
}

/// The members of a group of local numbers that support emergency calling.
fn emergency() -> RecordMembers {
    RecordMembers::default().attribute("features", json!(["voice_in", "emergency"]))
}

async fn created(api: &Api, path: &str, body: &Value) -> String {
    let answer = api.post(path, body).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    answer.id()
}

fn reject() -> Review {
    Review::Reject { reasons: vec!["The street does not exist".to_owned()], comment: None }
}

#[tokio::test]
async fn emergency_calling_is_refused_to_an_account_that_may_not_have_it() {
    let world = World::start().await;
    for version in [NEW, TOKENS] {
        let api = world.api.at(Some(version));
        for path in [REQUIREMENTS, SERVICES, VERIFICATIONS] {
            assert_eq!(api.get(path).await.status, 403, "{version} {path}");
            assert_eq!(api.get(&format!("{path}/{UNKNOWN}")).await.status, 403, "{version} {path}");
        }
        for path in [VALIDATIONS, VERIFICATIONS] {
            let body = resource(path.trim_start_matches('/'), json!({}));
            assert_eq!(api.post(path, &body).await.status, 403, "{version} {path}");
        }
        assert_eq!(api.delete(&format!("{SERVICES}/{UNKNOWN}")).await.status, 403, "{version}");
    }
    let older = world.api.at(Some("2022-05-10")).get(REQUIREMENTS).await;
    refused(&older, &[no_route()]);
}

#[tokio::test]
async fn requirements_have_their_prices_and_no_routes_of_relationships() {
    let desk = Desk::open("0.0").await;
    let path = format!("{REQUIREMENTS}/{}", desk.requirement);
    for version in [NEW, TOKENS] {
        let api = desk.world.api.at(Some(version));
        let shown = api.get(&format!("{path}?include=country")).await;
        let prices = json!({ "setup_price": "1.5", "monthly_price": "2.5" });
        assert_eq!(shown.at("/data/meta"), prices, "{version}");
        assert_eq!(shown.at("/data/attributes/address_mandatory_fields"), json!([]), "{version}");
        assert_eq!(shown.at("/data/relationships/country/data/id"), desk.country.to_string());
        for below in ["country", "relationships/country"] {
            refused(&api.get(&format!("{path}/{below}")).await, &[no_route()]);
        }
    }
    let found = |version: &str, query: &str| {
        let (api, path) = (desk.world.api.at(Some(version)), format!("{REQUIREMENTS}?{query}"));
        async move { api.get(&path).await.at("/meta/total_records") }
    };
    assert_eq!(found(TOKENS, "filter[number_type]=local,mobile").await, 1);
    assert_eq!(found(TOKENS, "filter[number_type]=mobile").await, 0);
    assert_eq!(found(NEW, &format!("filter[country.id]={},{UNKNOWN}", desk.country)).await, 1);
}

/// The official document: the list omits what has no price for the account, and its id is 404; a service can still show
/// it.
#[tokio::test]
async fn a_requirement_without_a_price_does_not_exist_but_its_services_show_it() {
    let desk = Desk::open("10.0").await;
    let control = desk.world.server.control();
    let local = desk.local("493011111111").await;
    let id = created(&desk.api, VERIFICATIONS, &desk.of_numbers(&[&local])).await;
    let (service, _) = desk.service(&id).await;
    let other = desk.local("493011111112").await;
    let requirement = Some(desk.requirement.parse().unwrap());
    let path = format!("{REQUIREMENTS}/{}", desk.requirement);
    let check = linking(
        resource("emergency_requirement_validations", json!({})),
        "emergency_requirement",
        identifier("emergency_requirements", &desk.requirement),
    );
    let check = linking(check, "address", identifier("addresses", &desk.address));
    for (price, status, count) in [(json!(null), 404, 0), (json!("2.5"), 200, 1)] {
        let priced = RecordMembers::default().meta("monthly_price", price.clone());
        control.put_record(None, "emergency_requirements", requirement, priced).await.unwrap();
        assert_eq!(desk.api.get(&path).await.status, status, "{price}");
        assert_eq!(desk.api.get(REQUIREMENTS).await.at("/meta/total_records"), count, "{price}");
        assert_eq!(desk.api.post(VALIDATIONS, &check).await.status == 201, status == 200, "{price}");
        let shown = desk.api.get(&format!("{SERVICES}/{service}?include=emergency_requirement")).await;
        assert_eq!(shown.at("/included/0/id"), desk.requirement.as_str(), "{price}");
        assert_eq!(shown.at("/included/0/meta/monthly_price"), price);
        let verified = desk.api.post(VERIFICATIONS, &desk.of_numbers(&[&other])).await;
        if status == 404 {
            refused(&verified, &[Expected::record("Emergency Rate not found")]);
        } else {
            assert_eq!(verified.status, 201, "{}", verified.text);
        }
    }
}

#[tokio::test]
async fn a_check_of_emergency_calling_names_what_is_missing() {
    let desk = Desk::open("0.0").await;
    let check = |name: &str, id: &str| {
        let body = resource("emergency_requirement_validations", json!({}));
        let requirement = identifier("emergency_requirements", &desk.requirement);
        let body = linking(body, "emergency_requirement", requirement);
        let kind = if name == "identity" { "identities" } else { "addresses" };
        linking(body, name, identifier(kind, id))
    };
    let of_identity = check("identity", &desk.identity);
    let france = RecordMembers::default().attribute("name", "France").attribute("iso", "FR");
    let france = desk.world.server.control().put_record(None, "countries", None, france).await.unwrap();
    let home = json!({ "address": "1 Rue Longue", "city_name": "Paris", "postal_code": "75001" });
    let home = linking(resource("addresses", home), "identity", identifier("identities", &desk.identity));
    let home = linking(home, "country", identifier("countries", &france.to_string()));
    let abroad = created(&desk.api, "/addresses", &home).await;
    for version in [NEW, TOKENS] {
        let api = desk.world.api.at(Some(version));
        let missing = ["Birth Date", "Contact email"]
            .map(|label| Expected::record(&format!("{label} is required for Personal Identity")));
        refused(&api.post(VALIDATIONS, &of_identity).await, &missing);
        let mut of_both = vec![Expected::record("Address in Germany required")];
        of_both.extend(missing);
        let both = linking(of_identity.clone(), "address", identifier("addresses", &abroad));
        refused(&api.post(VALIDATIONS, &both).await, &of_both);
        let valid = api.post(VALIDATIONS, &check("address", &desk.address)).await;
        assert_eq!(valid.status, 201, "{}", valid.text);
        assert_eq!(valid.at("/data/id"), desk.requirement.as_str());
    }
    let complete = json!({ "birth_date": "1985-12-10", "contact_email": "ada@example.com" });
    let complete = update("identities", &desk.identity, complete);
    assert_eq!(desk.api.patch(&format!("/identities/{}", desk.identity), &complete).await.status, 200);
    assert_eq!(desk.api.post(VALIDATIONS, &of_identity).await.status, 201);
}

#[tokio::test]
async fn a_verification_of_numbers_creates_their_service_which_an_approval_activates_and_bills() {
    let desk = Desk::open("10.0").await;
    let (one, other) = (desk.local("493011111111").await, desk.local("493011111112").await);
    let id = created(&desk.api, VERIFICATIONS, &desk.of_numbers(&[&one, &other])).await;
    let (service, status) = desk.service(&id).await;
    assert_eq!(status, "new");
    let path = format!("{SERVICES}/{service}");
    let shown = desk.api.get(&format!("{path}?include=dids,emergency_verification,country")).await;
    assert_eq!(shown.at("/data/relationships/dids/data"), dids(&[&one, &other]));
    assert_eq!(shown.at("/data/relationships/emergency_verification/data/id"), id.as_str());
    assert_eq!(shown.at("/data/meta"), json!({ "setup_price": "1.5", "monthly_price": "2.5" }));
    assert_eq!(shown.at("/data/attributes/activated_at"), Value::Null);
    for query in [format!("address.id]={}", desk.address), format!("identity.id]={}", desk.identity)] {
        let found = desk.api.get(&format!("{SERVICES}?filter[{query}")).await;
        assert_eq!(found.at("/data/0/id"), service.as_str(), "{query}: {}", found.text);
    }
    let of_services = format!("{VERIFICATIONS}?filter[emergency_calling_service.id]={UNKNOWN},{service}");
    assert_eq!(desk.api.get(&of_services).await.at("/data/0/id"), id.as_str());
    for in_use in [format!("/addresses/{}", desk.address), format!("/identities/{}", desk.identity)] {
        assert_eq!(desk.api.delete(&in_use).await.status, 409, "{in_use}");
    }

    desk.review(&id, Review::Approve).await.unwrap();
    assert_eq!(desk.balance().await, "6.00");
    let active = desk.api.get(&format!("{path}?include=order")).await;
    assert_eq!(active.at("/data/attributes/status"), "active");
    assert!(
        active.at("/data/attributes/activated_at").is_string()
            && active.at("/data/attributes/renew_date").is_string()
    );
    let order = active.at("/included/0/attributes");
    assert_eq!((&order["amount"], &order["status"]), (&json!("4.0"), &json!("completed")));
    assert_eq!(order["items"][0]["type"], "emergency_order_items");
    assert_eq!(order["items"][0]["attributes"]["emergency_calling_service_id"], service.as_str());
    for did in [&one, &other] {
        let did = desk.api.get(&format!("{DIDS}/{did}")).await;
        assert_eq!(did.at("/data/attributes/emergency_enabled"), true);
    }
    let address = desk.api.delete(&format!("/addresses/{}", desk.address)).await;
    let why = "The address is used by an emergency calling service that is not canceled.";
    refused(&address, &[error(409, "409", "Conflict", why)]);

    assert_eq!(desk.api.delete(&path).await.status, 204);
    let canceled = desk.api.get(&format!("{path}?include=dids")).await;
    assert_eq!(canceled.at("/data/attributes/status"), "canceled");
    assert!(canceled.at("/data/attributes/canceled_at").is_string());
    assert_eq!(canceled.at("/data/attributes/renew_date"), Value::Null);
    assert_eq!(canceled.at("/data/relationships/dids/data"), json!([]));
    let did = desk.api.get(&format!("{DIDS}/{one}")).await;
    assert_eq!(did.at("/data/attributes/emergency_enabled"), false);
    let again = Expected::record("can't be canceled while its status is canceled");
    refused(&desk.api.delete(&path).await, &[again]);
    assert_eq!(desk.api.delete(&format!("/identities/{}", desk.identity)).await.status, 204);
}

#[tokio::test]
async fn an_active_service_is_charged_every_month_and_canceled_a_week_after_it_could_not_be() {
    let desk = Desk::open("7.0").await;
    let control = desk.world.server.control();
    let days = |count: u64| Duration::from_hours(24 * count);
    let approved_at = control.clock().freeze(None);
    let did = desk.local("493011111111").await;
    let id = created(&desk.api, VERIFICATIONS, &desk.of_numbers(&[&did])).await;
    let (service, _) = desk.service(&id).await;
    let path = format!("{SERVICES}/{service}");
    let until = async |path: &str, pointer: &str, expected: Value| {
        let reached = async {
            while desk.api.get(path).await.at(pointer) != expected {
                tokio::task::yield_now().await;
            }
        };
        let reached = tokio::time::timeout(Duration::from_secs(30), reached).await;
        reached.unwrap_or_else(|_| panic!("{path} never was {expected} at {pointer}"));
    };
    desk.review(&id, Review::Approve).await.unwrap();
    assert_eq!(desk.balance().await, "3.00");

    // Longer than any month, and shorter than two.
    control.clock().advance(days(31));
    until("/balance", "/data/attributes/balance", json!("0.50")).await;
    let day = |at: Timestamp| json!(at.to_string()[..10]);
    let renewed = desk.api.get(&path).await.at("/data/attributes");
    let end = day(month_after(month_after(approved_at)));
    assert_eq!((&renewed["status"], &renewed["renew_date"]), (&json!("active"), &end));
    assert_eq!(desk.api.get("/orders").await.at("/meta/total_records"), 1, "a renewal is no order");

    // The period ends at midnight, and so does the week after it.
    let end: Timestamp = format!("{}T00:00:00Z", end.as_str().unwrap()).parse().unwrap();
    control.clock().freeze(Some(end.after(days(6))));
    assert_eq!(desk.api.get(&path).await.at("/data/attributes/status"), "active");
    control.clock().advance(days(1));
    until(&path, "/data/attributes/status", json!("canceled")).await;
    let canceled = desk.api.get(&format!("{path}?include=dids")).await;
    assert!(canceled.at("/data/attributes/canceled_at").is_string(), "{}", canceled.text);
    assert_eq!(canceled.at("/data/attributes/renew_date"), Value::Null);
    assert_eq!(canceled.at("/data/relationships/dids/data"), json!([]));
    assert_eq!(desk.api.get(&format!("{DIDS}/{did}")).await.at("/data/attributes/emergency_enabled"), false);
    assert_eq!(desk.balance().await, "0.50");
    assert_eq!(desk.api.delete(&format!("/addresses/{}", desk.address)).await.status, 204);
}

#[tokio::test]
async fn a_service_that_its_owner_cancels_and_one_of_staff_are_not_charged() {
    let desk = Desk::open("20.0").await;
    let control = desk.world.server.control();
    let now = control.clock().freeze(None);
    let did = desk.local("493011111111").await;
    let id = created(&desk.api, VERIFICATIONS, &desk.of_numbers(&[&did])).await;
    let (service, _) = desk.service(&id).await;
    desk.review(&id, Review::Approve).await.unwrap();
    assert_eq!(desk.api.delete(&format!("{SERVICES}/{service}")).await.status, 204);
    let of_staff = RecordMembers::default()
        .attribute("status", "active")
        .attribute("renew_date", &now.to_string()[..10])
        .meta("monthly_price", "2.5");
    let owner = Some(desk.world.server.account());
    let of_staff = control.put_record(owner, "emergency_calling_services", None, of_staff).await.unwrap();
    // Another service that is charged shows when the renewals have been decided.
    let other = desk.local("493011111112").await;
    let id = created(&desk.api, VERIFICATIONS, &desk.of_numbers(&[&other])).await;
    desk.review(&id, Review::Approve).await.unwrap();
    assert_eq!(desk.balance().await, "12.00");
    control.clock().advance(Duration::from_hours(24 * 31));
    let charged = async {
        while desk.balance().await != "9.50" {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), charged).await.expect("the other one was never charged");
    let kept = desk.api.get(&format!("{SERVICES}/{of_staff}")).await;
    assert_eq!(kept.at("/data/attributes/renew_date"), json!(now.to_string()[..10]), "{}", kept.text);
    assert_eq!(kept.at("/data/attributes/status"), "active");
}

#[tokio::test]
async fn a_period_of_a_service_that_staff_shorten_is_renewed_at_its_new_end() {
    let desk = Desk::open("10.0").await;
    let control = desk.world.server.control();
    let days = |count: u64| Duration::from_hours(24 * count);
    let day = |at: Timestamp| json!(at.to_string()[..10]);
    let now = control.clock().freeze(None);
    let did = desk.local("493011111111").await;
    let id = created(&desk.api, VERIFICATIONS, &desk.of_numbers(&[&did])).await;
    let (service, _) = desk.service(&id).await;
    desk.review(&id, Review::Approve).await.unwrap();
    let end = now.after(days(5));
    let shorter = RecordMembers::default().attribute("renew_date", day(end));
    let (owner, number) = (Some(desk.world.server.account()), Some(service.parse().unwrap()));
    control.put_record(owner, "emergency_calling_services", number, shorter).await.unwrap();
    control.clock().advance(days(5));
    let charged = async {
        while desk.balance().await != "3.50" {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), charged).await.expect("it was never charged");
    let renewed = desk.api.get(&format!("{SERVICES}/{service}")).await;
    assert_eq!(renewed.at("/data/attributes/renew_date"), day(month_after(end)));
}

#[tokio::test]
async fn an_approval_that_the_account_cannot_pay_changes_nothing() {
    let desk = Desk::open("3.99").await;
    let did = desk.local("493011111111").await;
    let id = created(&desk.api, VERIFICATIONS, &desk.of_numbers(&[&did])).await;
    let why = desk.review(&id, Review::Approve).await.unwrap_err();
    assert_eq!(why, "`balance` is too low: 4.0 cannot be paid from 3.99");
    assert_eq!(desk.service(&id).await.1, "new");
    assert_eq!(desk.balance().await, "3.99");
    assert_eq!(desk.api.get("/orders").await.at("/data"), json!([]));
}

#[tokio::test]
async fn a_rejected_service_needs_a_further_verification_and_an_active_one_can_have_it() {
    let desk = Desk::open("10.0").await;
    let did = desk.local("493011111111").await;
    let first = created(&desk.api, VERIFICATIONS, &desk.of_numbers(&[&did])).await;
    let (service, _) = desk.service(&first).await;
    desk.review(&first, reject()).await.unwrap();
    let rejected = desk.api.get(&format!("{VERIFICATIONS}/{first}")).await;
    assert_eq!(rejected.at("/data/attributes/reject_reasons"), json!(["The street does not exist"]));
    assert_eq!(desk.service(&first).await.1, "changes_required");

    let second = created(&desk.api, VERIFICATIONS, &desk.of_service(&service)).await;
    assert_eq!(desk.service(&second).await, (service.clone(), "in_process".to_owned()));
    let newest = desk.api.get(&format!("{SERVICES}/{service}?include=emergency_verification")).await;
    assert_eq!(newest.at("/data/relationships/emergency_verification/data/id"), second.as_str());
    let of_second = desk.api.get(&format!("{VERIFICATIONS}/{second}?include=dids")).await;
    assert_eq!(of_second.at("/data/relationships/dids/data"), dids(&[&did]));
    let reviewed = Expected::record("can't be canceled while its status is in_process");
    refused(&desk.api.delete(&format!("{SERVICES}/{service}")).await, &[reviewed]);
    let twice = desk.api.post(VERIFICATIONS, &desk.of_service(&service)).await;
    let text = "Emergency Calling Service should be in NEW, CHANGES_REQUIRED or ACTIVE status";
    refused(&twice, &[Expected::record(text)]);

    desk.review(&second, Review::Approve).await.unwrap();
    assert_eq!(desk.balance().await, "6.00");
    let third = created(&desk.api, VERIFICATIONS, &desk.of_service(&service)).await;
    assert_eq!(desk.service(&third).await.1, "pending_update");
    desk.review(&third, Review::Approve).await.unwrap();
    assert_eq!(desk.service(&third).await.1, "active");
    assert_eq!(desk.balance().await, "6.00", "a service is paid once");

    let moved = json!({ "address": "7 New Street", "city_name": "Berlin", "postal_code": "10117" });
    let moved = linking(resource("addresses", moved), "identity", identifier("identities", &desk.identity));
    let moved = linking(moved, "country", identifier("countries", &desk.country.to_string()));
    let moved = created(&desk.api, "/addresses", &moved).await;
    let at = async |address: &str| {
        let found = desk.api.get(&format!("{SERVICES}?filter[address.id]={address}")).await;
        found.at("/meta/total_records")
    };
    assert_eq!((at(&desk.address).await, at(&moved).await), (json!(1), json!(0)));
    let fourth =
        linking(resource("emergency_verifications", json!({})), "address", identifier("addresses", &moved));
    let service = identifier("emergency_calling_services", &service);
    created(&desk.api, VERIFICATIONS, &linking(fourth, "emergency_calling_service", service)).await;
    let newest = (at(&desk.address).await, at(&moved).await);
    assert_eq!(newest, (json!(0), json!(1)), "the address of the latest verification counts");
}

#[tokio::test]
async fn a_verification_is_of_numbers_of_one_kind_or_of_a_service() {
    let desk = Desk::open("10.0").await;
    let local = desk.local("493011111111").await;
    let silent = RecordMembers::default().attribute("features", json!(["voice_in"]));
    let silent = desk.number("493011111112", silent).await;
    let mobile = desk.number("493011111113", emergency().attribute("number_type", "mobile")).await;
    let mut towns = Vec::new();
    for (town, number) in [("Berlin", "493011111114"), ("Bonn", "493011111115")] {
        let city = RecordMembers::default().attribute("name", town);
        let city = desk.world.server.control().put_record(None, "cities", None, city).await.unwrap();
        towns.push(desk.number(number, emergency().relationship("city", [city])).await);
    }
    let bare = desk.world.did("493011111116").await;
    let town = RecordMembers::default().attribute("name", "Ulm");
    let town = desk.world.server.control().put_record(None, "cities", None, town).await.unwrap();
    let rural = RecordMembers::default()
        .attribute("features", json!(["voice_in"]))
        .attribute("number_type", "mobile")
        .relationship("city", [town]);
    let rural = desk.number("493011111117", rural).await;
    let id = created(&desk.api, VERIFICATIONS, &desk.of_numbers(&[&local])).await;
    let (service, _) = desk.service(&id).await;
    for version in [NEW, TOKENS] {
        let api = desk.world.api.at(Some(version));
        let post = async |body: Value| api.post(VERIFICATIONS, &body).await;
        let of_dids = |message: &str| [relationship("dids", message)];
        refused(&post(desk.verification()).await, &of_dids("can't be blank"));
        let both = linking(desk.of_service(&service), "dids", dids(&[&mobile]));
        let blank = relationship("emergency_calling_service", "must be blank");
        refused(&post(both).await, &[blank]);
        let unsupported =
            |did: &str| relationship(&format!("dids/{did}"), "does not support Emergency feature");
        refused(&post(desk.of_numbers(&[&silent])).await, &[unsupported(&silent)]);
        // Nor does its group have the type of the others.
        let [other_group] = of_dids("should have the same Did Group Type");
        refused(&post(desk.of_numbers(&[&towns[0], &bare])).await, &[other_group, unsupported(&bare)]);
        refused(&post(desk.of_numbers(&[&local])).await, &of_dids("has already been taken"));
        let several = of_dids("should have the same Did Group Type");
        refused(&post(desk.of_numbers(&[&towns[0], &mobile])).await, &several);
        let unpriced = || Expected::record("Emergency Rate not found");
        refused(&post(desk.of_numbers(&[&mobile])).await, &[unpriced()]);
        let cities = of_dids("should be linked with City ID");
        refused(&post(desk.of_numbers(&[&towns[0], &towns[1]])).await, &cities);
        // The example of the official Postman collection has them all.
        let [several] = of_dids("should have the same Did Group Type");
        let [cities] = of_dids("should be linked with City ID");
        let all = [unpriced(), several, cities, unsupported(&rural)];
        refused(&post(desk.of_numbers(&[&rural, &towns[0]])).await, &all);
        let url = with(desk.of_numbers(&[&towns[0]]), json!({ "callback_url": "https://example.com" }));
        refused(&post(url).await, &[attribute("callback_method", "can't be blank")]);
    }
}

#[tokio::test]
async fn a_service_has_at_most_a_hundred_numbers_and_its_end_frees_all_of_them() {
    let desk = Desk::open("10.0").await;
    let mut numbers = Vec::new();
    for number in 0..101 {
        numbers.push(desk.local(&format!("493011111{number:03}")).await);
    }
    let numbers: Vec<&str> = numbers.iter().map(String::as_str).collect();
    let many = desk.api.post(VERIFICATIONS, &desk.of_numbers(&numbers)).await;
    refused(&many, &[relationship("dids", "is too long (maximum is 100 items)")]);
    let id = created(&desk.api, VERIFICATIONS, &desk.of_numbers(&numbers[1..])).await;
    let (service, _) = desk.service(&id).await;
    let path = format!("{SERVICES}/{service}?include=dids");
    let linked = desk.api.get(&path).await.at("/data/relationships/dids/data");
    assert_eq!(linked.as_array().map(Vec::len), Some(100));
    assert_eq!(desk.api.delete(&format!("{SERVICES}/{service}")).await.status, 204);
    assert_eq!(desk.api.get(&path).await.at("/data/relationships/dids/data"), json!([]));
}

#[tokio::test]
async fn a_number_leaves_its_service_and_does_not_join_another() {
    let desk = Desk::open("10.0").await;
    let (one, other) = (desk.local("493011111111").await, desk.local("493011111112").await);
    let id = created(&desk.api, VERIFICATIONS, &desk.of_numbers(&[&one])).await;
    let (service, _) = desk.service(&id).await;
    let set = |did: &str, service: Value| {
        linking(update("dids", did, json!({})), "emergency_calling_service", service)
    };
    let joined = set(&other, identifier("emergency_calling_services", &service));
    let answer = desk.api.patch(&format!("{DIDS}/{other}"), &joined).await;
    refused(&answer, &[relationship("emergency_calling_service", "is invalid")]);
    desk.review(&id, Review::Approve).await.unwrap();
    let path = format!("{DIDS}/{one}");
    assert_eq!(desk.api.get(&path).await.at("/data/attributes/emergency_enabled"), true);
    let detached = desk.api.patch(&path, &set(&one, Value::Null)).await;
    assert_eq!(detached.at("/data/attributes/emergency_enabled"), false, "{}", detached.text);
    let left = desk.api.get(&format!("{SERVICES}/{service}?include=dids")).await;
    assert_eq!(left.at("/data/relationships/dids/data"), json!([]));
}
