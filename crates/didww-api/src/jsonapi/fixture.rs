//! An account with records, for tests of handlers without a listener.

use std::sync::Arc;

use didww_types::{ApiVersion, ResourceSpec};
use service_core::Core;
use trunk_rules::domain::{Rulebook, with_defaults};
use trunk_store::account::Account;
use trunk_store::{Change, Record, Scope};
use uuid::Uuid;

use super::context::RequestContext;
use super::kept_pages::KeptPages;
use super::rendered::RenderedResources;
use crate::fixture::core_with_account;

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
        let (core, account) = core_with_account(ApiVersion::NEWEST).await;
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
