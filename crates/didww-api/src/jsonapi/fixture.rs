//! An account with records, for tests of handlers without a listener.

use std::sync::Arc;

use didww_types::{ApiVersion, Features, ResourceSpec};
use service_base::clock::Clock;
use service_base::descriptors::Descriptors;
use service_base::guessing::GuessLimits;
use service_base::ids::Ids;
use service_core::{Core, Outbox};
use trunk_rules::domain::{Rulebook, with_defaults};
use trunk_store::account::{Account, ApiKey, KeyDigest};
use trunk_store::{Change, Record, Scope, SqliteStore};
use uuid::Uuid;

use super::context::RequestContext;
use super::kept_pages::KeptPages;
use super::rendered::RenderedResources;

pub(super) struct Fixture {
    pub(super) core: Core,
    rules: Rulebook,
    account: Arc<Account>,
    rendered: RenderedResources,
    pages: KeptPages,
}

impl Fixture {
    /// Creates an account in a new store in memory.
    pub(super) async fn start(rules: Rulebook) -> Self {
        let store = Arc::new(SqliteStore::in_memory().unwrap());
        let core = Core::new(
            store,
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
            version: ApiVersion::NEWEST,
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
        let (rendered, pages) = (RenderedResources::default(), KeptPages::default());
        Self { core, rules, account, rendered, pages }
    }

    /// The context of a request at the newest version.
    pub(super) fn context(&self) -> RequestContext<'_> {
        RequestContext {
            core: &self.core,
            rules: self.rules,
            account: Arc::clone(&self.account),
            version: ApiVersion::NEWEST,
            rendered: &self.rendered,
            pages: &self.pages,
            base: "http://127.0.0.1/v3".to_owned(),
        }
    }

    pub(super) fn scope(&self, spec: &'static ResourceSpec) -> Scope {
        self.context().scope(spec)
    }

    /// Inserts a record with this attribute and the defaults of the others.
    pub(super) async fn insert(
        &self,
        spec: &'static ResourceSpec,
        (name, value): (&str, &str),
        links: Vec<(&'static str, Vec<Uuid>)>,
    ) -> Record {
        let now = self.core.clock.now();
        let attributes =
            with_defaults(spec, now, serde_json::Map::from_iter([(name.to_owned(), value.into())]));
        let id = self.core.ids.record(now);
        let insert =
            Change::Insert { scope: self.scope(spec), id, created_at: now, attributes, links, meta: None };
        self.core.store.commit(vec![insert]).await.unwrap().remove(0)
    }
}
