//! Deletion of records.
//!
//! A deletion is decided on the record and on the related records that the rules of its type read. It is committed only
//! if none of that changed meanwhile; otherwise it is decided again, within the bounds of [`Retries::REQUEST`].

use didww_types::{FilterTest, ResourceSpec};
use service_core::{AttemptError, Decided, Retries};
use trunk_rules::domain::{DeleteContext, MAX_RELATED_RECORDS, RelatedRecords};
use trunk_store::{Change, Condition, IndexValue, ListQuery, Record, StoreError};

use super::context::RequestContext;
use super::error::ApiError;
use super::needs::Needed;
use super::read::find_record;
use super::reply::Reply;
use super::write::{member_ids, stored};

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
            let changes = deletion(context, spec, &record).await?;
            context.core.commit(changes).await?;
            Ok(Reply::no_content())
        })
        .await
}

/// Decides the deletion of a record. Returns the changes of its transaction: the conditions that the decision was made
/// on, and then what it changes.
async fn deletion(
    context: &RequestContext<'_>,
    spec: &'static ResourceSpec,
    record: &Record,
) -> Result<Vec<Change>, AttemptError<ApiError>> {
    let mut related = Vec::new();
    let mut changes = Vec::new();
    for &reads in context.rules.delete_reads(spec) {
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
    let read: Vec<&Record> = std::iter::once(record).chain(&needed.records).collect();
    let decided = Decided { account: context.account.number, at: now, read: &read };
    changes.extend(decided.changes(outcome, &context.core.ids)?);
    Ok(changes)
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
        RelatedRecords::Owners(owners, relationship) => {
            let query = ListQuery {
                scope: context.scope(owners),
                linked_from: None,
                conditions: vec![Condition {
                    test: FilterTest::Linked(relationship),
                    values: vec![IndexValue::Text(record.id.to_string())],
                }],
                order: Vec::new(),
                offset: 0,
                limit: MAX_RELATED_RECORDS,
            };
            Ok(context.core.store.list_ids(query).await?.into_iter().map(|id| id.to_string()).collect())
        }
    }
}

#[cfg(test)]
mod tests;
