//! Deletion of records.
//!
//! A deletion is decided on the record and on the related records that the rules of its type read, and so is that of
//! each record that is deleted with it. It is committed only if none of that changed meanwhile; otherwise it is decided
//! again, within the bounds of [`Retries::REQUEST`].

use didww_types::{FilterTest, ResourceSpec};
use service_core::{AttemptError, Decided, Retries, files};
use trunk_rules::domain::{
    DeleteContext, Dependents, MAX_DEPENDENTS, MAX_RELATED_RECORDS, Refusal, RelatedRecords, WriteError,
};
use trunk_store::{Change, Condition, IndexValue, ListQuery, Record, StoreError};

use super::context::RequestContext;
use super::error::ApiError;
use super::needs::Needed;
use super::read::find_record;
use super::reply::Reply;
use super::write::{member_ids, members_of, stored};

/// Deletes a record and responds 204, unless a rule of its type refuses that.
pub(super) async fn delete(
    context: &RequestContext<'_>,
    spec: &'static ResourceSpec,
    id: &str,
) -> Result<Reply, ApiError> {
    Retries::REQUEST
        .run(|| async move {
            // After a conflict: 404 if another request deleted the record first.
            let record = find_record(context, spec, id).await?;
            let mut changes = Vec::new();
            let mut pending = vec![(spec, record)];
            let mut left = MAX_DEPENDENTS;
            while let Some((spec, record)) = pending.pop() {
                changes.extend(deletion(context, spec, &record).await?);
                if spec.form.is_some() {
                    changes.extend(files::forget(record.id));
                }
                for &dependents in context.rules.dependents(spec) {
                    let records = dependent_records(context, &record, dependents, &mut left).await?;
                    pending.extend(records.into_iter().map(|record| (dependents.spec, record)));
                }
            }
            context.core.commit(changes).await?;
            Ok(Reply::no_content())
        })
        .await
}

/// Decides the deletion of a record. Returns the changes of its transaction: the conditions of the decision, and then
/// its effects.
async fn deletion(
    context: &RequestContext<'_>,
    spec: &'static ResourceSpec,
    record: &Record,
) -> Result<Vec<Change>, AttemptError<ApiError>> {
    let mut related = Vec::new();
    let mut changes = Vec::new();
    let mut members = Vec::new();
    for &reads in context.rules.delete_reads(spec) {
        if let RelatedRecords::Members(name) = reads
            && let Some(relationship) = spec.relationship(name)
        {
            let found =
                members_of(context, spec, record, relationship, MAX_DELETED.saturating_add(1)).await?;
            if found.len() > MAX_DELETED {
                return Err(too_many().into());
            }
            related.push(found.iter().map(|member| member.id.to_string()).collect());
            members.extend(found);
            continue;
        }
        let ids = related_ids(context, spec, record, reads).await?;
        if let (RelatedRecords::Owners(owners, relationship), true) = (reads, ids.is_empty()) {
            let owners = context.scope(owners);
            changes.push(Change::Unlinked { owners, relationship, target: record.id });
        }
        related.push(ids);
    }
    let needed = Needed::of(context, context.rules.delete_needs(spec)).await?;
    let now = context.core.clock.now();
    let id = record.id.to_string();
    let deletion = DeleteContext {
        spec,
        record: stored(record, &id),
        version: context.version,
        features: context.account.features,
        now,
        related: &related,
        found: &needed.found,
    };
    let outcome = context.rules.decide_delete(&deletion).map_err(ApiError::from)?;
    let read: Vec<&Record> = std::iter::once(record).chain(&members).chain(&needed.records).collect();
    let decided = Decided { account: context.account.number, at: now, read: &read };
    changes.extend(decided.changes(outcome, &context.core.ids)?);
    Ok(changes)
}

/// Returns the records that are deleted with a record. `left` is the number of further records that may be deleted.
///
/// # Errors
/// 409 if there are more.
async fn dependent_records(
    context: &RequestContext<'_>,
    record: &Record,
    dependents: Dependents,
    left: &mut u64,
) -> Result<Vec<Record>, ApiError> {
    let query = owners(context, dependents.spec, dependents.relationship, record, left.saturating_add(1));
    let ids = context.core.store.list_ids(query).await?;
    let found = context.core.store.find_all(context.scope(dependents.spec), ids).await?;
    *left = left.checked_sub(u64::try_from(found.len()).unwrap_or(u64::MAX)).ok_or_else(too_many)?;
    Ok(found)
}

/// [`MAX_DEPENDENTS`] as a number of members.
const MAX_DELETED: usize = 1_000;
const _: () = assert!(MAX_DELETED as u64 == MAX_DEPENDENTS);

/// The refusal of a deletion that would also delete too many other records.
fn too_many() -> ApiError {
    let why = format!("The record has more than {MAX_DEPENDENTS} others that are deleted with it.");
    ApiError::from(WriteError::from(Refusal::in_use(why)))
}

/// The query for records whose relationship contains a record.
fn owners(
    context: &RequestContext<'_>,
    spec: &'static ResourceSpec,
    relationship: &'static str,
    record: &Record,
    limit: u64,
) -> ListQuery {
    ListQuery {
        scope: context.scope(spec),
        linked_from: None,
        conditions: vec![Condition {
            test: FilterTest::Linked(relationship),
            values: vec![IndexValue::Text(record.id.to_string())],
        }],
        order: Vec::new(),
        offset: 0,
        limit,
    }
}

/// Returns the ids of records that are related to a record, at most [`MAX_RELATED_RECORDS`].
async fn related_ids(
    context: &RequestContext<'_>,
    spec: &'static ResourceSpec,
    record: &Record,
    related: RelatedRecords,
) -> Result<Vec<String>, StoreError> {
    match related {
        RelatedRecords::Members(relationship) => member_ids(context, spec, record, relationship).await,
        RelatedRecords::Owners(owned_by, relationship) | RelatedRecords::ByPath(owned_by, relationship) => {
            let query = owners(context, owned_by, relationship, record, MAX_RELATED_RECORDS);
            Ok(context.core.store.list_ids(query).await?.into_iter().map(|id| id.to_string()).collect())
        }
    }
}

#[cfg(test)]
mod tests;
