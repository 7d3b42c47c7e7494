//! The context that the handlers of a request share.

use std::borrow::Cow;
use std::sync::Arc;

use didww_types::{ApiVersion, FilterSpec, RelationshipSpec, ResourceSpec};
use serde_json::Value;
use service_core::Core;
use trunk_rules::domain::Rulebook;
use trunk_store::Scope;
use trunk_store::account::Account;

use super::kept_pages::KeptPages;
use super::rendered::RenderedResources;

/// The data of an authenticated request that its handlers share, apart from its operation.
#[derive(Debug)]
pub(crate) struct RequestContext<'a> {
    /// Store, clock and ids of the server.
    pub core: &'a Core,
    /// The rules of the declared types.
    pub rules: Rulebook,
    /// The account that the API key belongs to.
    pub account: Arc<Account>,
    /// The version that serves the request: the account's, or a newer one that the request names.
    pub version: ApiVersion,
    /// The texts of recently rendered resources.
    pub rendered: &'a RenderedResources,
    /// The recently rendered pages.
    pub pages: &'a KeptPages,
    /// The beginning of the response's links, such as `http://127.0.0.1:8080/v3`.
    pub base: String,
}

impl RequestContext<'_> {
    pub(super) fn scope(&self, spec: &'static ResourceSpec) -> Scope {
        Scope { account: self.account.number, spec }
    }

    /// The beginning of links, escaped for use inside a JSON string.
    pub(super) fn escaped_base(&self) -> Cow<'_, str> {
        let needs_escape = |byte: u8| byte < b' ' || matches!(byte, b'"' | b'\\');
        // Hardly ever is there such a byte, and without an end at the first one several are compared at once.
        if self.base.bytes().fold(false, |found, byte| found | needs_escape(byte)) {
            let quoted = Value::String(self.base.clone()).to_string();
            Cow::Owned(quoted.trim_matches('"').to_owned())
        } else {
            Cow::Borrowed(self.base.as_str())
        }
    }

    /// The relationships of a resource that exist in this version and need no feature that the account lacks.
    pub(super) fn relationships(
        &self,
        spec: &'static ResourceSpec,
    ) -> impl Iterator<Item = &'static RelationshipSpec> {
        let features = self.account.features;
        spec.relationships_at(self.version)
            .filter(move |relationship| relationship.feature.is_none_or(|feature| features.has(feature)))
    }

    pub(super) fn relationship(
        &self,
        spec: &'static ResourceSpec,
        name: &str,
    ) -> Option<&'static RelationshipSpec> {
        self.relationships(spec).find(|relationship| relationship.name_at(self.version) == name)
    }

    /// As [`relationship`](Self::relationship), including those that only requests have.
    pub(super) fn sent_relationship(
        &self,
        spec: &'static ResourceSpec,
        name: &str,
    ) -> Option<&'static RelationshipSpec> {
        let features = self.account.features;
        spec.sent_relationships_at(self.version)
            .filter(|relationship| relationship.feature.is_none_or(|feature| features.has(feature)))
            .find(|relationship| relationship.name_at(self.version) == name)
    }

    pub(super) fn filter(&self, spec: &'static ResourceSpec, name: &str) -> Option<&'static FilterSpec> {
        spec.filters_at(self.version).find(|filter| filter.name == name)
    }
}
