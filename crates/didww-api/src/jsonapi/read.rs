//! GET of lists and of single records.

use didww_types::{Links, ResourceSpec};
use http::StatusCode;
use serde_json::{Map, Value};
use trunk_rules::domain::with_defaults;

use super::context::RequestContext;
use super::error::ApiError;
use super::include::collect_included;
use super::query::QueryParams;
use super::render::{Document, Pages};
use super::reply::Reply;
use super::target::parse_id;
use trunk_store::{Condition, ListQuery, Order, Record};

/// Responds with a page of the account's records.
pub(super) async fn list(
    context: &RequestContext<'_>,
    spec: &'static ResourceSpec,
    params: &QueryParams,
) -> Result<Reply, ApiError> {
    let query = list_query(context, spec, params);
    if let Some(most) = spec.sample {
        return sample(context, spec, params, query, most).await;
    }
    let path = spec.path_at(context.version);
    list_reply(context, spec, params, query, &Links { base: &context.base }.collection(path)).await
}

/// Responds with a sample of the records that a query finds, in random order: at most this number, and the number of all.
async fn sample(
    context: &RequestContext<'_>,
    spec: &'static ResourceSpec,
    params: &QueryParams,
    query: ListQuery,
    most: u64,
) -> Result<Reply, ApiError> {
    let mut query = ListQuery { limit: most, ..query };
    let mut listing = context.core.store.list(query.clone()).await?;
    let total = listing.total;
    if total > most {
        query.offset = random_below(context, total - most + 1);
        listing = context.core.store.list(query).await?;
    }
    let mut records = listing.records;
    for last in (1..records.len()).rev() {
        let other = random_below(context, last as u64 + 1);
        records.swap(last, usize::try_from(other).unwrap_or(last));
    }
    let (primary, included) = collect_included(context, spec, records, &params.include).await?;
    let document = Document::new(context, params).counting("total_count", Some(total));
    Ok(Reply::document(StatusCode::OK, document.collection(&primary, &included, None).await?))
}

/// A random number below a bound, which is at least 1.
fn random_below(context: &RequestContext<'_>, bound: u64) -> u64 {
    context.core.ids.word() % bound.max(1)
}

/// How many more records the account can have of a type that limits them.
async fn left(context: &RequestContext<'_>, spec: &'static ResourceSpec) -> Result<Option<u64>, ApiError> {
    let Some(most) = spec.at_most else { return Ok(None) };
    let all = ListQuery {
        scope: context.scope(spec),
        linked_from: None,
        conditions: Vec::new(),
        order: Vec::new(),
        offset: 0,
        limit: 0,
    };
    Ok(Some(most.saturating_sub(context.core.store.list(all).await?.total)))
}

/// Responds with the only record of a type of which each account has one. An account that has none stored has that of the
/// defaults.
pub(super) async fn single(
    context: &RequestContext<'_>,
    spec: &'static ResourceSpec,
    params: &QueryParams,
) -> Result<Reply, ApiError> {
    let id = context.account.id;
    let stored = context.core.store.find(context.scope(spec), id).await?;
    let record = stored.unwrap_or_else(|| {
        let attributes = with_defaults(spec, context.core.clock.now(), Map::new());
        let attributes = Value::Object(attributes).to_string();
        Record { number: 0, id, kind: spec.name, revision: 0, attributes, meta: None }
    });
    single_reply(context, spec, Some(record), params, StatusCode::OK).await
}

/// Builds the store's query for the page of records that the parameters select.
pub(super) fn list_query(
    context: &RequestContext<'_>,
    spec: &'static ResourceSpec,
    params: &QueryParams,
) -> ListQuery {
    let mut order = params.order.clone();
    if let (true, Some(attribute)) = (order.is_empty(), spec.order_at(context.version)) {
        let descending = attribute.strip_prefix('-');
        let attribute = descending.unwrap_or(attribute);
        order.push(Order { attribute, descending: descending.is_some() });
    }
    let mut conditions = params.conditions.clone();
    conditions.extend(Condition::in_stock(spec));
    ListQuery {
        scope: context.scope(spec),
        linked_from: None,
        conditions,
        order,
        offset: if spec.unpaged { 0 } else { params.page.offset() },
        limit: if spec.unpaged { u64::MAX } else { params.page.size },
    }
}

/// Executes a list query and renders the page with its included records. `url` is the address that the page's links
/// begin with.
pub(super) async fn list_reply(
    context: &RequestContext<'_>,
    spec: &'static ResourceSpec,
    params: &QueryParams,
    query: ListQuery,
    url: &str,
) -> Result<Reply, ApiError> {
    let listing = context.core.store.list(query).await?;
    let pages = (!spec.unpaged).then(|| Pages {
        total: listing.total,
        links: params.page.links(url, &params.in_links, listing.total),
    });
    let (primary, included) = collect_included(context, spec, listing.records, &params.include).await?;
    let document = Document::new(context, params).counting("available_count", left(context, spec).await?);
    let text = if spec.open {
        document.bare_collection(&primary).await?
    } else {
        document.collection(&primary, &included, pages.as_ref()).await?
    };
    Ok(Reply::document(StatusCode::OK, text))
}

/// Responds with one record and what it includes; 404 if the account has none with this id.
pub(super) async fn get(
    context: &RequestContext<'_>,
    spec: &'static ResourceSpec,
    id: &str,
    params: &QueryParams,
) -> Result<Reply, ApiError> {
    let record = find_record(context, spec, id).await?;
    let (primary, included) = collect_included(context, spec, vec![record], &params.include).await?;
    let document = Document::new(context, params).counting("available_count", left(context, spec).await?);
    Ok(Reply::document(StatusCode::OK, document.single(&primary, &included).await?))
}

/// Reads the record of an id from a path.
///
/// # Errors
/// 404 if the id is malformed or the account has no such record.
pub(super) async fn find_record(
    context: &RequestContext<'_>,
    spec: &'static ResourceSpec,
    id: &str,
) -> Result<Record, ApiError> {
    let not_found = || ApiError::not_found(id);
    let uuid = parse_id(id).ok_or_else(not_found)?;
    context.core.store.find(context.scope(spec), uuid).await?.ok_or_else(not_found)
}

/// Renders one record with its included records; `None` is rendered as null.
pub(super) async fn single_reply(
    context: &RequestContext<'_>,
    spec: &'static ResourceSpec,
    record: Option<Record>,
    params: &QueryParams,
    status: StatusCode,
) -> Result<Reply, ApiError> {
    let (primary, included) =
        collect_included(context, spec, record.into_iter().collect(), &params.include).await?;
    Ok(Reply::document(status, Document::new(context, params).single(&primary, &included).await?))
}
