//! A store with an account, for unit tests.

use std::sync::Arc;

use didww_types::{ApiVersion, Features};
use service_base::clock::Clock;
use service_base::descriptors::Descriptors;
use service_base::guessing::GuessLimits;
use service_base::ids::Ids;
use service_core::{Core, Outbox};
use trunk_store::SqliteStore;
use trunk_store::account::{Account, ApiKey, KeyDigest};
use uuid::Uuid;

/// Creates an account in a new store in memory. It has the id 1, this version and the API key `key`.
pub(crate) async fn core_with_account(version: ApiVersion) -> (Core, Arc<Account>) {
    let core = Core::new(
        Arc::new(SqliteStore::in_memory().unwrap()),
        Clock::system(),
        Ids::seeded(1),
        Outbox::new(false),
        Descriptors::new(1_024),
        GuessLimits::default(),
    );
    let now = core.clock.now();
    let account = Account {
        number: 0,
        id: Uuid::from_u128(1),
        name: "main".to_owned(),
        version,
        features: Features::NONE,
        rate_limit: None,
        record_quota: None,
        created_at: now,
    };
    let key = ApiKey {
        id: Uuid::from_u128(2),
        digest: KeyDigest::of("key"),
        created_at: now,
        addresses: None,
        environment: None,
    };
    let account = core.store.create_account(account, key).await.unwrap();
    (core, account)
}
