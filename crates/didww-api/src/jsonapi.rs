//! JSON:API: handlers that are generic over the registry of resources.
//!
//! A request is parsed and checked against the declaration of its resource. `trunk-rules` decides whether a write is
//! valid, the store executes it, and the response is rendered for the API version of the request. Nothing here names a
//! resource.

mod body;
mod context;
mod cooperative;
mod delete;
mod error;
mod form;
mod include;
mod kept_pages;
mod needs;
mod operation;
mod page;
mod page_types;
mod query;
mod read;
mod relationships;
mod render;
mod rendered;
mod reply;
mod target;
mod write;

#[cfg(test)]
mod fixture;

use bytes::Bytes;

pub(crate) use context::RequestContext;
pub(crate) use error::ApiError;
pub(crate) use form::too_big;
pub(crate) use kept_pages::KeptPages;
pub(crate) use operation::Operation;
pub(crate) use query::QueryParams;
pub(crate) use rendered::RenderedResources;
pub(crate) use reply::{JSON, Reply};
pub(crate) use target::{Endpoint, Target};

/// Executes an operation.
///
/// Only the future of the most frequent operation is part of this one. Those of the others are several times as large,
/// and would make each request write to memory outside of the processor's caches.
///
/// # Errors
/// The error document that the client receives instead.
pub(crate) async fn perform(
    context: &RequestContext<'_>,
    operation: &Operation,
    params: &QueryParams,
    body: &Bytes,
) -> Result<Reply, ApiError> {
    match *operation {
        Operation::List { spec } => Box::pin(read::list(context, spec, params)).await,
        Operation::Single { spec } => Box::pin(read::single(context, spec, params)).await,
        Operation::Get { spec, ref id } => read::get(context, spec, id, params).await,
        Operation::Create { spec } => Box::pin(write::create(context, spec, params, body)).await,
        Operation::Upload { spec, form, ref boundary } => {
            Box::pin(write::upload(context, spec, form, params, boundary, body)).await
        }
        Operation::Update { spec, ref id } => Box::pin(write::update(context, spec, id, params, body)).await,
        Operation::Delete { spec, ref id } => Box::pin(delete::delete(context, spec, id)).await,
        Operation::Linkage { spec, ref id, relationship } => {
            Box::pin(relationships::linkage(context, spec, id, relationship)).await
        }
        Operation::Related { spec, ref id, relationship } => {
            Box::pin(relationships::related(context, spec, id, relationship, params)).await
        }
        Operation::UpdateLinkage { spec, ref id, relationship, change } => {
            Box::pin(relationships::update_linkage(context, spec, id, relationship, change, body)).await
        }
    }
}
