//! The API itself: generic handlers over the registry.
//!
//! A request is taken apart against the declaration of its resource, decided by the rules, done by the store
//! and written for its version. Nothing here names a resource.

mod body;
mod error;
mod include;
mod members;
mod operation;
mod pace;
mod query;
mod read;
mod render;
mod target;
mod write;

use std::sync::Arc;

use bytes::Bytes;
use didww_types::{ApiVersion, FilterSpec, RelationshipSpec, ResourceSpec};
use http::StatusCode;

use service_core::Core;
use trunk_store::Scope;
use trunk_store::account::Account;

pub(crate) use error::{Lasts, Refused};
pub(crate) use operation::Operation;
pub(crate) use query::View;
pub(crate) use target::{Place, Target};

/// An authorised request, as far as the API is concerned.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    /// The server.
    pub core: &'a Core,
    /// Whose request it is.
    pub account: Arc<Account>,
    /// The version that serves it.
    pub version: ApiVersion,
    /// What the links of the answer begin with, such as `http://127.0.0.1:8080/v3`.
    pub base: String,
}

impl Call<'_> {
    fn scope(&self, spec: &'static ResourceSpec) -> Scope {
        Scope { account: self.account.number, spec }
    }

    /// The relationships that this account sees in this version.
    fn relationships(&self, spec: &'static ResourceSpec) -> impl Iterator<Item = &'static RelationshipSpec> {
        let features = self.account.features;
        spec.relationships_at(self.version)
            .filter(move |relationship| relationship.feature.is_none_or(|feature| features.has(feature)))
    }

    fn relationship(&self, spec: &'static ResourceSpec, name: &str) -> Option<&'static RelationshipSpec> {
        self.relationships(spec).find(|relationship| relationship.name == name)
    }

    fn filter(&self, spec: &'static ResourceSpec, name: &str) -> Option<&'static FilterSpec> {
        spec.filters_at(self.version).find(|filter| filter.name == name)
    }
}

/// What the API answers.
#[derive(Debug)]
pub(crate) struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The document; empty for 204.
    pub body: Bytes,
}

impl Reply {
    fn document(status: StatusCode, body: String) -> Self {
        Self { status, body: Bytes::from(body) }
    }

    fn no_content() -> Self {
        Self { status: StatusCode::NO_CONTENT, body: Bytes::new() }
    }
}

/// Does what a request asks for.
///
/// # Errors
/// What the client is told instead.
pub(crate) async fn perform(
    call: &Call<'_>,
    operation: Operation,
    view: View,
    body: &[u8],
) -> Result<Reply, Refused> {
    match operation {
        Operation::List { spec } => read::list(call, spec, &view).await,
        Operation::Get { spec, id } => read::get(call, spec, &id, &view).await,
        Operation::Create { spec } => write::create(call, spec, &view, body).await,
        Operation::Update { spec, id } => write::update(call, spec, &id, &view, body).await,
        Operation::Delete { spec, id } => write::delete(call, spec, &id).await,
        Operation::Linkage { spec, id, relationship } => {
            members::linkage(call, spec, &id, relationship).await
        }
        Operation::Related { spec, id, relationship } => {
            members::related(call, spec, &id, relationship, &view).await
        }
        Operation::Relink { spec, id, relationship, act } => {
            members::relink(call, spec, &id, relationship, act, body).await
        }
    }
}
