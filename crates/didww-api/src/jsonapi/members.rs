//! The endpoints of relationships: the linkage itself, and the records it leads to.

use didww_types::{Links, RelationshipSpec, ResourceSpec, find};
use http::StatusCode;
use trunk_rules::domain::{Act, Membership, membership};
use uuid::Uuid;

use super::body::{Body, read_linkage};
use super::include::{matching, members};
use super::operation::Relinking;
use super::read::{canonical, find as find_record, page, query, single};
use super::render::Document;
use super::write::{Resolved, change, not_writable};
use super::{Call, Refused, Reply, View};
use trunk_store::{Change, StoreError};

pub(super) async fn linkage(
    call: &Call<'_>,
    spec: &'static ResourceSpec,
    id: &str,
    relationship: &'static RelationshipSpec,
) -> Result<Reply, Refused> {
    let owner = find_record(call, spec, id).await?;
    let members = members(call, spec, &owner, relationship).await?;
    let view = View::default();
    let text = Document::new(call, &view).linkage(&owner, relationship.name, relationship.many, &members);
    Ok(Reply::document(StatusCode::OK, text))
}

pub(super) async fn related(
    call: &Call<'_>,
    spec: &'static ResourceSpec,
    id: &str,
    relationship: &'static RelationshipSpec,
    view: &View,
) -> Result<Reply, Refused> {
    let owner = find_record(call, spec, id).await?;
    let Some(target) = find(relationship.target) else {
        // A type that is not declared has no records, so nothing can be linked.
        let text = Document::new(call, view).single(&[], &[]).await?;
        return Ok(Reply::document(StatusCode::OK, text));
    };
    if relationship.many {
        let mut list = query(call, target, view);
        match membership(spec.name, relationship.name, &owner.attributes()?) {
            Membership::Linked => list.linked_from = Some((spec.name, owner.number, relationship.name)),
            Membership::Matching(values) => list.conditions.extend(matching(call, target, values).conditions),
        }
        let url = Links { base: &call.base }.related(spec.name, id, relationship.name);
        return page(call, target, view, list, &url).await;
    }
    let member = members(call, spec, &owner, relationship).await?.into_iter().next();
    let record = match member {
        Some((_, id)) => call.core.store.find(call.scope(target), id).await?,
        None => None,
    };
    single(call, target, record, view, StatusCode::OK).await
}

pub(super) async fn relink(
    call: &Call<'_>,
    spec: &'static ResourceSpec,
    id: &str,
    relationship: &'static RelationshipSpec,
    act: Relinking,
    body: &[u8],
) -> Result<Reply, Refused> {
    if !relationship.update {
        return Err(not_writable(relationship));
    }
    // A to-one relationship is emptied by DELETE without a body.
    let ids = if act == Relinking::Remove && !relationship.many {
        Vec::new()
    } else {
        read_linkage(relationship, body)?
    };
    if act == Relinking::Replace || !relationship.many {
        let body = Body { links: vec![(relationship, ids)], ..Body::default() };
        change(call, spec, id, &body).await?;
        return Ok(Reply::no_content());
    }
    for _ in 0..super::write::ATTEMPTS {
        let owner = find_record(call, spec, id).await?;
        let members: Vec<Uuid> = ids.iter().filter_map(|id| canonical(id)).collect();
        let add = act == Relinking::Add;
        if add {
            // Asked for its refusals: the members come to those that are there already.
            let body = Body { links: vec![(relationship, ids.clone())], ..Body::default() };
            let attributes = owner.attributes()?;
            let resolved = Resolved::of(call, &body).await?;
            resolved.settle(call, spec, Act::Update(&attributes), &owner.meta()?, &body)?;
        }
        let change =
            Change::Members { scope: call.scope(spec), owner, relationship: relationship.name, add, members };
        match call.core.store.commit(vec![change]).await {
            Ok(_) => return Ok(Reply::no_content()),
            Err(StoreError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(StoreError::Conflict.into())
}
