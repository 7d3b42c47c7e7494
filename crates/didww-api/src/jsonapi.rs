//! JSON:API: handlers that are generic over the registry of resources.
//!
//! A request is parsed and checked against the declaration of its resource. `trunk-rules` decides whether a write is
//! valid, the store executes it, and the response is rendered for the API version of the request. Nothing here names a
//! resource.

mod body;
mod cooperative;
mod delete;
mod error;
mod include;
mod operation;
mod page;
mod query;
mod read;
mod relationships;
mod render;
mod target;
mod write;

#[cfg(test)]
mod fixture;

use std::sync::Arc;

use bytes::Bytes;
use didww_types::{ApiVersion, FilterSpec, RelationshipSpec, ResourceSpec};
use http::StatusCode;
use service_core::Core;
use trunk_rules::domain::Rulebook;
use trunk_store::Scope;
use trunk_store::account::Account;

pub(crate) use error::ApiError;
pub(crate) use operation::Operation;
pub(crate) use query::QueryParams;
pub(crate) use target::{Endpoint, Target};

/// What the handlers know about an authenticated request beyond its operation.
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
    /// What the links of the response begin with, such as `http://127.0.0.1:8080/v3`.
    pub base: String,
}

impl RequestContext<'_> {
    fn scope(&self, spec: &'static ResourceSpec) -> Scope {
        Scope { account: self.account.number, spec }
    }

    /// The relationships of a resource that exist in this version and need no feature that the account lacks.
    fn relationships(&self, spec: &'static ResourceSpec) -> impl Iterator<Item = &'static RelationshipSpec> {
        let features = self.account.features;
        spec.relationships_at(self.version)
            .filter(move |relationship| relationship.feature.is_none_or(|feature| features.has(feature)))
    }

    fn relationship(&self, spec: &'static ResourceSpec, name: &str) -> Option<&'static RelationshipSpec> {
        self.relationships(spec).find(|relationship| relationship.name_at(self.version) == name)
    }

    fn filter(&self, spec: &'static ResourceSpec, name: &str) -> Option<&'static FilterSpec> {
        spec.filters_at(self.version).find(|filter| filter.name == name)
    }
}

/// The response to a request that succeeded, or the replayed one to a request that is repeated, without its headers.
#[derive(Debug)]
pub(crate) struct Reply {
    /// A 2xx status; of a replayed response, any below 500.
    pub status: StatusCode,
    /// The JSON:API document; empty for 204.
    pub body: Bytes,
    /// True for the response to an earlier request with the same idempotency key.
    pub replayed: bool,
}

impl Reply {
    fn document(status: StatusCode, body: String) -> Self {
        Self { status, body: Bytes::from(body), replayed: false }
    }

    fn no_content() -> Self {
        Self { status: StatusCode::NO_CONTENT, body: Bytes::new(), replayed: false }
    }
}

/// Executes an operation.
///
/// # Errors
/// The error document that the client receives instead.
pub(crate) async fn perform(
    context: &RequestContext<'_>,
    operation: Operation,
    params: QueryParams,
    body: &[u8],
) -> Result<Reply, ApiError> {
    match operation {
        Operation::List { spec } => read::list(context, spec, &params).await,
        Operation::Get { spec, id } => read::get(context, spec, &id, &params).await,
        Operation::Create { spec } => write::create(context, spec, &params, body).await,
        Operation::Update { spec, id } => write::update(context, spec, &id, &params, body).await,
        Operation::Delete { spec, id } => delete::delete(context, spec, &id).await,
        Operation::Linkage { spec, id, relationship } => {
            relationships::linkage(context, spec, &id, relationship).await
        }
        Operation::Related { spec, id, relationship } => {
            relationships::related(context, spec, &id, relationship, &params).await
        }
        Operation::UpdateLinkage { spec, id, relationship, change } => {
            relationships::update_linkage(context, spec, &id, relationship, change, body).await
        }
    }
}
