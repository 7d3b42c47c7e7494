//! A server with a frozen clock, and records to store in it, for unit tests of this crate.

use std::sync::Arc;

use didww_types::ResourceSpec;
use serde_json::{Map, Value};
use service_base::clock::Clock;
use service_base::descriptors::Descriptors;
use service_base::guessing::GuessLimits;
use service_base::ids::Ids;
use service_core::{Core, Outbox};
use trunk_rules::domain::with_defaults;
use trunk_store::{Change, NO_ACCOUNT, Scope, SqliteStore};
use uuid::Uuid;

/// The account that [`own`] is about.
pub(crate) const ACCOUNT: i64 = 1;

/// A server without data, whose clock is frozen.
pub(crate) fn core() -> Arc<Core> {
    let store = Arc::new(SqliteStore::in_memory().unwrap());
    let (clock, guesses) = (Clock::system(), GuessLimits::default());
    clock.freeze(None);
    Arc::new(Core::new(store, clock, Ids::seeded(1), Outbox::new(false), Descriptors::new(1_024), guesses))
}

/// The records of a type that belong to the account.
pub(crate) fn own(spec: &'static ResourceSpec) -> Scope {
    Scope { account: ACCOUNT, spec }
}

/// The records of a type that all accounts share.
pub(crate) fn shared(spec: &'static ResourceSpec) -> Scope {
    Scope { account: NO_ACCOUNT, spec }
}

/// The change that stores a new record with these attributes, and the defaults of the others.
pub(crate) fn insert(
    core: &Core,
    scope: Scope,
    id: Uuid,
    attributes: &Value,
    links: Vec<(&'static str, Vec<Uuid>)>,
    meta: Option<Value>,
) -> Change {
    let created_at = core.clock.now();
    let attributes: Map<String, Value> = attributes.as_object().unwrap().clone();
    let attributes = with_defaults(scope.spec, created_at, attributes);
    Change::Insert { scope, id, created_at, attributes, links, meta: meta.map(|meta| meta.to_string()) }
}
