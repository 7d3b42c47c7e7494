use didww_types::Secret;
use didww_types::values::Money;
use http_listener::Limits;
use service_base::clock::Clock;
use service_base::descriptors::Descriptors;
use service_base::guessing::GuessLimits;
use service_base::ids::Ids;
use service_core::{Core, Outbox};
use trunk_rules::outbound::Permission;
use trunk_store::SqliteStore;
use uuid::Uuid;

use super::*;
use crate::config::PlatformConfig;
use crate::entity::Entity;
use crate::records::access_keys::{AccessKeyRequest, AccessKeys};
use crate::records::customers::{Customer, CustomerPrivate, Customers};

async fn platform() -> Arc<Platform> {
    let store = Arc::new(SqliteStore::in_memory().unwrap());
    let (ids, outbox, descriptors) = (Ids::seeded(1), Outbox::new(false), Descriptors::new(1_024));
    let core = Core::new(store, Clock::system(), ids, outbox, descriptors, GuessLimits::default());
    let loaded = Platform::load(Arc::new(core), PlatformConfig::default(), Limits::default()).await;
    Arc::new(loaded.unwrap())
}

/// Adds a customer to the directory, and returns its id and an access key of it.
fn customer(platform: &Platform) -> (Uuid, Secret) {
    let (id, at) = platform.new_id_and_time();
    let public = Customer {
        id,
        name: String::new(),
        detail: String::new(),
        email: String::new(),
        phone_number: String::new(),
        address: String::new(),
        status: CustomerStatus::Active,
        identity_verified: true,
        balance: Money::default(),
        rtp_debug: false,
        webhook_method: String::new(),
        webhook_uri: String::new(),
        webhook_signed: false,
        tm_create: at.to_string(),
    };
    platform.directory.put(Entity::<Customers>::new(id, id, at, public, CustomerPrivate::default()));
    let permission = Permission::CUSTOMER_ADMIN.0;
    let request = AccessKeyRequest { name: String::new(), detail: String::new(), permission, expires: None };
    let named = platform.new_id_and_time();
    let (key, secret) = Entity::<AccessKeys>::generate(&platform.core.ids, named, id, request);
    platform.directory.put_key(&key);
    (id, secret)
}

#[tokio::test]
async fn a_list_waits_for_the_lists_of_its_customer_and_for_no_others() {
    let platform = platform().await;
    let ((ours, our_key), (_, their_key)) = (customer(&platform), customer(&platform));
    let ask = async |path: &str, key: &Secret| {
        let uri = format!("/v1.0{path}?accesskey={}", key.expose());
        let request = http::Request::get(uri).body(Body::empty()).unwrap();
        handle(State(Arc::clone(&platform)), request).await
    };
    let mut turns = Vec::new();
    for _ in 0..4 {
        turns.push(platform.lists.turn(Asker::Customer(ours)).await.unwrap());
    }
    let refused = ask("/flows", &our_key).await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.headers()[header::RETRY_AFTER], "1");
    // Another customer's list does not wait, nor does a single record.
    assert_eq!(ask("/flows", &their_key).await.status(), StatusCode::OK);
    let unknown = format!("/flows/{}", Uuid::from_u128(1));
    assert_eq!(ask(&unknown, &our_key).await.status(), StatusCode::NOT_FOUND);
    drop(turns);
    assert_eq!(ask("/flows", &our_key).await.status(), StatusCode::OK);
}
