//! GET of lists and of single records.

use didww_types::{Links, ResourceSpec};
use http::StatusCode;
use serde_json::{Map, Value};
use trunk_rules::domain::with_defaults;

use super::context::RequestContext;
use super::error::ApiError;
use super::include::collect_included;
use super::kept_pages::{KeptPage, PageOf};
use super::page_types::PageTypes;
use super::query::QueryParams;
use super::render::{Document, Pages};
use super::reply::Reply;
use super::target::parse_id;
use crate::headers::entity_tag;
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
    let url = Links { base: &context.base }.collection(spec.path_at(context.version));
    let types = PageTypes::of(context, spec, &query, &params.include);
    let Some(types) = types.filter(|_| params.text.len() <= MAX_KEPT_QUERY) else {
        return list_reply(context, spec, params, query, &url).await;
    };
    let of = page_of(context, spec, params);
    let kept = context.pages.get(of);
    // Such a page is of one state, and has its number of changes. The number of further permitted records is a separate
    // read.
    let is_read_at_once = types.as_slice().len() == 1
        && params.include.is_empty()
        && context.rules.counted(spec).is_empty()
        && spec.at_most.is_none();
    let before = if kept.is_some() || !is_read_at_once { changes(context, &types).await? } else { None };
    if let Some(KeptPage { changes, body, tag }) = kept
        && before.as_ref() == Some(&changes)
    {
        return Ok(Reply { tag: Some(tag), ..Reply::document(StatusCode::OK, body) });
    }
    let (reply, own) = page(context, spec, params, query, &url).await?;
    let changes = match own {
        Some(own) if is_read_at_once => Some(vec![own]),
        _ if is_read_at_once => None,
        // The parts of the page were read from different states of the store, in which these records are the same.
        _ => match before {
            Some(before) => changes(context, &types).await?.filter(|after| *after == before),
            None => None,
        },
    };
    let Some(changes) = changes else { return Ok(reply) };
    let (body, tag) = (reply.body.clone(), entity_tag(&reply.body));
    context.pages.keep(of, KeptPage { changes, body, tag: tag.clone() });
    Ok(Reply { tag: Some(tag), ..reply })
}

/// The number of changes of the records of each of these types. `None` if the store does not report it.
///
/// Each number only grows. So if the numbers are the same as before, all of them were current at the moment when the
/// first one was read.
async fn changes(context: &RequestContext<'_>, types: &PageTypes) -> Result<Option<Vec<i64>>, ApiError> {
    let mut all = Vec::with_capacity(types.as_slice().len());
    for spec in types.as_slice() {
        let Some(changes) = context.core.store.changes(context.scope(spec)).await? else { return Ok(None) };
        all.push(changes);
    }
    Ok(Some(all))
}

/// The key of a page among the kept ones: its dependencies other than records.
fn page_of<'a>(
    context: &'a RequestContext<'_>,
    spec: &'static ResourceSpec,
    params: &'a QueryParams,
) -> PageOf<'a> {
    PageOf {
        owner: context.scope(spec).owner(),
        kind: spec.name,
        version: context.version,
        features: context.account.features,
        base: &context.base,
        query: &params.text,
    }
}

/// Maximum length of the query of a page that is kept, in bytes.
const MAX_KEPT_QUERY: usize = 1024;

/// Responds with a sample of the matching records, at most this number in random order, and with the number of all of
/// them.
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

/// The number of further records that the account can have of a type with a limit.
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

/// Responds with the account's only record of a singleton type, or with the defaults if none is stored.
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
    Ok(page(context, spec, params, query, url).await?.0)
}

/// As [`list_reply`], with [the number of changes](trunk_store::Listing::changes) of the page.
async fn page(
    context: &RequestContext<'_>,
    spec: &'static ResourceSpec,
    params: &QueryParams,
    query: ListQuery,
    url: &str,
) -> Result<(Reply, Option<i64>), ApiError> {
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
    Ok((Reply::document(StatusCode::OK, text), listing.changes))
}

/// Responds with one record and what it includes; 404 if the account has none with this id.
pub(super) async fn get(
    context: &RequestContext<'_>,
    spec: &'static ResourceSpec,
    id: &str,
    params: &QueryParams,
) -> Result<Reply, ApiError> {
    let record = match find_record(context, spec, id).await {
        Err(error) if spec.unknown_by_type && error.status() == StatusCode::NOT_FOUND => {
            return Err(ApiError::none_of_type(spec.name_at(context.version)));
        }
        outcome => outcome?,
    };
    if let Some((body, tag)) = Document::kept(context, params, &record) {
        return Ok(Reply { tag: Some(tag), ..Reply::document(StatusCode::OK, body) });
    }
    let (primary, included) = collect_included(context, spec, vec![record], &params.include).await?;
    let document = Document::new(context, params).counting("available_count", left(context, spec).await?);
    Ok(Reply::document(StatusCode::OK, document.single(&primary, &included).await?))
}

/// Reads the record of an id from a path.
///
/// # Errors
/// 404 if the id is malformed, if the account has no such record, or if the record lacks the price that it needs.
pub(super) async fn find_record(
    context: &RequestContext<'_>,
    spec: &'static ResourceSpec,
    id: &str,
) -> Result<Record, ApiError> {
    let not_found = || ApiError::not_found(id);
    let uuid = parse_id(id).ok_or_else(not_found)?;
    let record = context.core.store.find(context.scope(spec), uuid).await?.ok_or_else(not_found)?;
    if let Some(price) = spec.priced_by
        && record.meta()?.get(price).is_none_or(Value::is_null)
    {
        return Err(not_found());
    }
    Ok(record)
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
    let mut document = Document::new(context, params);
    if status == StatusCode::CREATED {
        document = document.of_new();
    }
    Ok(Reply::document(status, document.single(&primary, &included).await?))
}

#[cfg(test)]
mod histories;

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use didww_types::Resource as _;
    use didww_types::resources::{CapacityPool, Did, VoiceOutTrunk};
    use trunk_rules::domain::Rulebook;
    use trunk_store::Change;

    use super::super::fixture::Fixture;
    use super::super::include::IncludeNode;
    use super::super::rendered::Rendering;
    use super::*;

    #[tokio::test]
    async fn a_page_is_answered_again_until_a_record_of_its_type_changes() {
        let fixture = Fixture::start(Rulebook::new(&[])).await;
        let record = fixture.insert(VoiceOutTrunk::SPEC, ("name", "Alphard"), Vec::new()).await;
        let context = fixture.context();
        let read = async || list(&context, VoiceOutTrunk::SPEC, &QueryParams::default()).await.unwrap();
        let (first, again) = (read().await, read().await);
        assert_eq!(first.body.as_ptr(), again.body.as_ptr(), "it is the same memory");
        assert_eq!(
            (first.tag.as_ref(), again.tag.as_ref()),
            (Some(&entity_tag(&first.body)), first.tag.as_ref())
        );
        fixture.insert(Did::SPEC, ("number", "37061498222"), Vec::new()).await;
        assert_eq!(first.body.as_ptr(), read().await.body.as_ptr(), "of another type");

        fixture.insert(VoiceOutTrunk::SPEC, ("name", "Bellatrix"), Vec::new()).await;
        let with_both = read().await;
        assert!(String::from_utf8_lossy(&with_both.body).contains("Bellatrix"));
        assert_ne!(first.tag, with_both.tag);
        let delete = Change::Delete { scope: fixture.scope(VoiceOutTrunk::SPEC), id: record.id };
        fixture.core.store.commit(vec![delete]).await.unwrap();
        let text = String::from_utf8_lossy(&read().await.body).into_owned();
        assert!(text.contains("Bellatrix") && !text.contains("Alphard"), "{text}");
    }

    #[tokio::test]
    async fn the_text_of_a_new_record_is_kept_by_its_first_read() {
        let fixture = Fixture::start(Rulebook::new(&[])).await;
        let record = fixture.insert(VoiceOutTrunk::SPEC, ("name", "Alphard"), Vec::new()).await;
        let (context, params) = (fixture.context(), QueryParams::default());
        let is_kept = || {
            let (version, features, base) = (context.version, context.account.features, &context.base);
            context.rendered.copy(Rendering { record: &record, version, features, base }, &mut String::new())
        };
        let answer = async |status| {
            let reply = single_reply(&context, VoiceOutTrunk::SPEC, Some(record.clone()), &params, status);
            reply.await.unwrap().body
        };
        let created = answer(StatusCode::CREATED).await;
        assert!(!is_kept());
        assert_eq!(answer(StatusCode::OK).await, created);
        assert!(is_kept());
    }

    #[tokio::test]
    async fn a_record_that_is_read_again_is_answered_from_memory_and_with_the_same_document() {
        let fixture = Fixture::start(Rulebook::new(&[])).await;
        let record = fixture.insert(VoiceOutTrunk::SPEC, ("name", "Alphard"), Vec::new()).await;
        let (context, id, mut params) = (fixture.context(), record.id.to_string(), QueryParams::default());
        let read =
            async |params: &QueryParams| get(&context, VoiceOutTrunk::SPEC, &id, params).await.unwrap();
        let (first, second, third) = (read(&params).await, read(&params).await, read(&params).await);
        assert_eq!((&first.body, first.tag), (&second.body, None), "rendered, and then kept");
        assert_eq!(second.tag, Some(entity_tag(&second.body)));
        assert_eq!(second.body.as_ptr(), third.body.as_ptr());

        params.fields.push((VoiceOutTrunk::SPEC.name, vec!["name".to_owned()]));
        let selected = read(&params).await.body;
        assert!(selected.len() < first.body.len(), "the kept document has all fields");
        params.fields.clear();
        IncludeNode::add(&context, &[VoiceOutTrunk::SPEC], &mut params.include, "dids").unwrap();
        assert!(read(&params).await.body.len() > first.body.len(), "nor has it the linkage");
    }

    #[tokio::test]
    async fn a_page_has_no_more_memory_than_its_text() {
        let fixture = Fixture::start(Rulebook::new(&[])).await;
        let records = vec![fixture.insert(VoiceOutTrunk::SPEC, ("name", "Alphard"), Vec::new()).await];
        let (context, params) = (fixture.context(), QueryParams::default());
        let (primary, _) = collect_included(&context, VoiceOutTrunk::SPEC, records, &[]).await.unwrap();
        let page = Document::new(&context, &params).collection(&primary, &[], None).await.unwrap();
        let bare = Document::new(&context, &params).bare_collection(&primary).await.unwrap();
        assert_eq!((page.capacity(), bare.capacity()), (page.len(), bare.len()));
    }

    #[tokio::test]
    async fn a_page_for_another_query_is_read() {
        let fixture = Fixture::start(Rulebook::new(&[])).await;
        fixture.insert(VoiceOutTrunk::SPEC, ("name", "Alphard"), Vec::new()).await;
        let context = fixture.context();
        let read =
            async |params: &QueryParams| list(&context, VoiceOutTrunk::SPEC, params).await.unwrap().body;
        let mut second = QueryParams::default();
        let first = read(&second).await;
        second.page.number = 2;
        "page[number]=2".clone_into(&mut second.text);
        assert!(!String::from_utf8_lossy(&read(&second).await).contains("Alphard"));
        assert_eq!(first.as_ptr(), read(&QueryParams::default()).await.as_ptr());
    }

    #[tokio::test]
    async fn a_page_with_other_records_is_answered_again_until_one_of_their_types_or_a_link_changes() {
        let fixture = Fixture::start(Rulebook::new(&[])).await;
        let insert = async |number: &str| fixture.insert(Did::SPEC, ("number", number), Vec::new()).await;
        let (did, other) = (insert("37061498222").await, insert("37061498223").await);
        let links = vec![("dids", vec![did.id])];
        let trunk = fixture.insert(VoiceOutTrunk::SPEC, ("name", "Alphard"), links).await;
        let context = fixture.context();
        let mut including = QueryParams::default();
        IncludeNode::add(&context, &[VoiceOutTrunk::SPEC], &mut including.include, "dids").unwrap();
        let read = async || list(&context, VoiceOutTrunk::SPEC, &including).await.unwrap().body;
        let has = |body: &Bytes, number: &str| String::from_utf8_lossy(body).contains(number);
        let first = read().await;
        assert!(has(&first, "37061498222") && !has(&first, "37061498223"));
        assert_eq!(first.as_ptr(), read().await.as_ptr());
        fixture.insert(CapacityPool::SPEC, ("name", "Standard"), Vec::new()).await;
        assert_eq!(first.as_ptr(), read().await.as_ptr(), "of a type that it does not show");

        let scope = fixture.scope(VoiceOutTrunk::SPEC);
        let members = vec![other.id];
        let add = Change::Members { scope, owner: trunk, relationship: "dids", add: true, members };
        fixture.core.store.commit(vec![add]).await.unwrap();
        let with_both = read().await;
        assert!(has(&with_both, "37061498222") && has(&with_both, "37061498223"));
        assert_eq!(with_both.as_ptr(), read().await.as_ptr());
        let delete = Change::Delete { scope: fixture.scope(Did::SPEC), id: did.id };
        fixture.core.store.commit(vec![delete]).await.unwrap();
        let last = read().await;
        assert!(!has(&last, "37061498222") && has(&last, "37061498223"));
    }
}
