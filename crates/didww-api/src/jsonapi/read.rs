//! Lists and single records.

use didww_types::{ErrorCode, Links, ResourceSpec};
use http::StatusCode;
use uuid::Uuid;

use super::include::gather;
use super::render::Document;
use super::{Call, Refused, Reply, View};
use trunk_store::{ListQuery, Record};

pub(super) async fn list(
    call: &Call<'_>,
    spec: &'static ResourceSpec,
    view: &View,
) -> Result<Reply, Refused> {
    if spec.list_needs.is_some_and(|feature| !call.account.features.has(feature)) {
        return Err(Refused::new(ErrorCode::Forbidden, "Forbidden", "Forbidden"));
    }
    let query = query(call, spec, view);
    page(call, spec, view, query, &Links { base: &call.base }.collection(spec.name)).await
}

/// The part of a list that the view asks for.
pub(super) fn query(call: &Call<'_>, spec: &'static ResourceSpec, view: &View) -> ListQuery {
    ListQuery {
        scope: call.scope(spec),
        linked_from: None,
        conditions: view.conditions.clone(),
        order: view.order.clone(),
        offset: view.page.offset(),
        limit: view.page.size,
    }
}

pub(super) async fn page(
    call: &Call<'_>,
    spec: &'static ResourceSpec,
    view: &View,
    query: ListQuery,
    url: &str,
) -> Result<Reply, Refused> {
    let listing = call.core.store.list(query).await?;
    let links = view.page.links(url, &view.repeated, listing.total);
    let (primary, included) = gather(call, spec, listing.records, &view.include).await?;
    let text = Document::new(call, view).collection(&primary, &included, listing.total, &links).await?;
    Ok(Reply::document(StatusCode::OK, text))
}

pub(super) async fn get(
    call: &Call<'_>,
    spec: &'static ResourceSpec,
    id: &str,
    view: &View,
) -> Result<Reply, Refused> {
    let record = find(call, spec, id).await?;
    single(call, spec, Some(record), view, StatusCode::OK).await
}

/// The record of an id as it stood in a path.
pub(super) async fn find(call: &Call<'_>, spec: &'static ResourceSpec, id: &str) -> Result<Record, Refused> {
    let absent = || Refused::not_found(id);
    let uuid = canonical(id).ok_or_else(absent)?;
    call.core.store.find(call.scope(spec), uuid).await?.ok_or_else(absent)
}

/// An id in the only form that the wire has: hyphenated.
pub(super) fn canonical(id: &str) -> Option<Uuid> {
    if id.len() == 36 { Uuid::try_parse(id).ok() } else { None }
}

pub(super) async fn single(
    call: &Call<'_>,
    spec: &'static ResourceSpec,
    record: Option<Record>,
    view: &View,
    status: StatusCode,
) -> Result<Reply, Refused> {
    let (primary, included) = gather(call, spec, record.into_iter().collect(), &view.include).await?;
    Ok(Reply::document(status, Document::new(call, view).single(&primary, &included).await?))
}
