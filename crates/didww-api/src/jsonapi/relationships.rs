//! The endpoints of relationships: their resource identifiers (linkage), and the related records.

use didww_types::{FilterTest, Links, RelationshipSpec, ResourceSpec, find};
use http::StatusCode;
use service_core::Retries;
use trunk_rules::domain::Membership;
use trunk_store::{Condition, IndexValue};

use super::body::{Body, parse_linkage};
use super::context::RequestContext;
use super::error::ApiError;
use super::include::{matching, membership, related_identifiers};
use super::operation::LinkageChange;
use super::query::QueryParams;
use super::read::{find_record, list_query, list_reply, single_reply};
use super::render::{Document, Pages};
use super::reply::Reply;
use super::write::{Decision, not_writable, update_record};

/// Responds with the resource identifiers of a relationship.
pub(super) async fn linkage(
    context: &RequestContext<'_>,
    spec: &'static ResourceSpec,
    id: &str,
    relationship: &'static RelationshipSpec,
) -> Result<Reply, ApiError> {
    let owner = find_record(context, spec, id).await?;
    let identifiers = related_identifiers(context, spec, &owner, relationship).await?;
    let params = QueryParams::default();
    let text = Document::new(context, &params).linkage(spec, &owner, relationship, &identifiers);
    Ok(Reply::document(StatusCode::OK, text))
}

/// Responds with the related records: a page of them, or one or null for a to-one relationship.
pub(super) async fn related(
    context: &RequestContext<'_>,
    spec: &'static ResourceSpec,
    id: &str,
    relationship: &'static RelationshipSpec,
    params: &QueryParams,
) -> Result<Reply, ApiError> {
    let owner = find_record(context, spec, id).await?;
    let path = spec.path_at(context.version);
    let Some(target) = find(relationship.target) else {
        // A type that this server does not declare has no records, so the relationship is always empty.
        let document = Document::new(context, params);
        let text = if relationship.many {
            let url = Links { base: &context.base }.related(path, id, relationship.name_at(context.version));
            let pages = Pages { total: 0, links: params.page.links(&url, &params.in_links, 0) };
            document.collection(&[], &[], Some(&pages)).await?
        } else {
            document.single(&[], &[]).await?
        };
        return Ok(Reply::document(StatusCode::OK, text));
    };
    if relationship.many {
        let mut list = list_query(context, target, params);
        match membership(context, spec, &owner, relationship)? {
            Membership::Linked => list.linked_from = Some((spec.name, owner.number, relationship.name)),
            Membership::Matching(values) => {
                list.conditions.extend(matching(context, target, values).conditions);
            }
            // Only to-one relationships have fixed records.
            Membership::Fixed(id) => {
                let values = id.map(|id| IndexValue::Text(id.to_owned())).into_iter().collect();
                list.conditions.push(Condition { test: FilterTest::Id, values });
            }
        }
        let url = Links { base: &context.base }.related(path, id, relationship.name_at(context.version));
        return list_reply(context, target, params, list, &url).await;
    }
    let identifiers = related_identifiers(context, spec, &owner, relationship).await?;
    let member = identifiers.into_iter().next();
    // The member of some relationships can have another type.
    let target = member.as_ref().and_then(|(kind, _)| find(kind)).unwrap_or(target);
    let record = match member {
        Some((_, id)) => context.core.store.find(context.scope(target), id).await?,
        None => None,
    };
    single_reply(context, target, record, params, StatusCode::OK).await
}

/// Adds, replaces or removes the resource identifiers of a relationship. Responds 204.
pub(super) async fn update_linkage(
    context: &RequestContext<'_>,
    spec: &'static ResourceSpec,
    id: &str,
    relationship: &'static RelationshipSpec,
    change: LinkageChange,
    body: &[u8],
) -> Result<Reply, ApiError> {
    if !relationship.update {
        return Err(not_writable(context, relationship));
    }
    // DELETE without a body clears a to-one relationship.
    let ids = if change == LinkageChange::Remove && !relationship.many {
        Vec::new()
    } else {
        parse_linkage(context, relationship, body)?
    };
    if change == LinkageChange::Replace || !relationship.many {
        let body = Body { links: vec![(relationship, ids)], ..Body::default() };
        update_record(context, spec, id, &body).await?;
        return Ok(Reply::no_content());
    }
    let (add, ids) = (change == LinkageChange::Add, &ids);
    Retries::REQUEST
        .run(|| async move {
            let owner = find_record(context, spec, id).await?;
            // Members to remove need not exist.
            let links = if add { vec![(relationship, ids.clone())] } else { Vec::new() };
            let body = Body { links, ..Body::default() };
            let members = Some((relationship, add));
            let decision = Decision::read(context, spec, Some(&owner), &body, members).await?;
            decision.commit_members(context, spec, &owner, (relationship.name, add), ids, &body).await?;
            Ok(Reply::no_content())
        })
        .await
}
