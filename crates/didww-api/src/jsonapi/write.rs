//! Creation, update and deletion of records.
//!
//! A write is decided against the records as they were read, and committed only if they are still unchanged. On a
//! conflict it is decided again, within the bounds of [`Retries::REQUEST`].

use std::collections::BTreeMap;

use didww_types::{ErrorCode, FilterTest, RelationshipSpec, ResourceSpec, Timestamp, find};
use http::StatusCode;
use service_core::{AttemptError, Decided, Retries};
use trunk_rules::domain::{
    Credentials, DeleteContext, LinkedRecord, MAX_RELATED_RECORDS, RecordChange, RecordText, RelatedRecords,
    WriteContext, WriteError, WriteKind, WriteOutcome,
};
use trunk_store::{Change, Condition, IndexValue, ListQuery, Record, StoreError};

use super::body::{Body, Purpose};
use super::read::{find_record, parse_id, single_reply};
use super::render::Document;
use super::{ApiError, QueryParams, Reply, RequestContext};

/// Creates a record and responds 201. A resource that only changes another record, such as the regeneration of
/// credentials, responds with the id of that record and stores none of its own.
pub(super) async fn create(
    context: &RequestContext<'_>,
    spec: &'static ResourceSpec,
    params: &QueryParams,
    body: &[u8],
) -> Result<Reply, ApiError> {
    let body = &Body::parse(context, spec, Purpose::Create, body)?;
    Retries::REQUEST
        .run(|| async move {
            let decision = Decision::read(context, body).await?;
            let outcome = decision.decide(context, spec, WriteKind::Create, body)?;
            let target = outcome.changes.first().and_then(RecordChange::id).and_then(parse_id);
            let records = decision.commit(context, outcome, None).await?;
            if let Some(id) = target {
                let text = Document::new(context, params).identifier_only(spec, id);
                return Ok(Reply::document(StatusCode::CREATED, text));
            }
            let record = records.into_iter().next();
            let record = record.ok_or_else(|| ApiError::internal("a creation stored no record"))?;
            Ok(single_reply(context, spec, Some(record), params, StatusCode::CREATED).await?)
        })
        .await
}

/// Updates a record and responds with it.
pub(super) async fn update(
    context: &RequestContext<'_>,
    spec: &'static ResourceSpec,
    id: &str,
    params: &QueryParams,
    body: &[u8],
) -> Result<Reply, ApiError> {
    let body = Body::parse(context, spec, Purpose::Update(id), body)?;
    let record = update_record(context, spec, id, &body).await?;
    single_reply(context, spec, Some(record), params, StatusCode::OK).await
}

/// Decides an update and commits it. Returns the updated record.
pub(super) async fn update_record(
    context: &RequestContext<'_>,
    spec: &'static ResourceSpec,
    id: &str,
    body: &Body,
) -> Result<Record, ApiError> {
    Retries::REQUEST
        .run(|| async move {
            let before = find_record(context, spec, id).await?;
            let decision = Decision::read(context, body).await?;
            let wire_id = before.id.to_string();
            let outcome =
                decision.decide(context, spec, WriteKind::Update(stored(&before, &wire_id)), body)?;
            let records = decision.commit(context, outcome, Some(&before)).await?;
            Ok(records.into_iter().find(|record| record.id == before.id).unwrap_or(before))
        })
        .await
}

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
            let mut related = Vec::new();
            let mut changes = Vec::new();
            for &reads in context.rules.delete_reads(spec) {
                let ids = related_ids(context, spec, &record, reads).await?;
                if let (RelatedRecords::Owners(owners, relationship), true) = (reads, ids.is_empty()) {
                    let owners = context.scope(owners);
                    changes.push(Change::Unlinked { owners, relationship, target: record.id });
                }
                related.push(ids);
            }
            let now = context.core.clock.now();
            let id = record.id.to_string();
            let deletion = DeleteContext {
                spec,
                record: stored(&record, &id),
                version: context.version,
                features: context.account.features,
                now,
                related: &related,
            };
            let outcome = context.rules.decide_delete(&deletion).map_err(ApiError::from)?;
            let decided = Decided { account: context.account.number, at: now, read: &[&record] };
            changes.extend(decided.changes(outcome, &context.core.ids)?);
            context.core.commit(changes).await?;
            Ok(Reply::no_content())
        })
        .await
}

/// Returns the ids of records that are related to a record, at most [`MAX_RELATED_RECORDS`].
async fn related_ids(
    context: &RequestContext<'_>,
    spec: &'static ResourceSpec,
    record: &Record,
    related: RelatedRecords,
) -> Result<Vec<String>, StoreError> {
    let store = &context.core.store;
    match related {
        RelatedRecords::Members(relationship) => {
            let most = usize::try_from(MAX_RELATED_RECORDS).unwrap_or(usize::MAX);
            let members = store.members(context.scope(spec), vec![record.number], relationship, most).await?;
            Ok(members.into_iter().map(|(_, _, id)| id.to_string()).collect())
        }
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
            Ok(store.list_ids(query).await?.into_iter().map(|id| id.to_string()).collect())
        }
    }
}

fn stored<'a>(record: &'a Record, id: &'a str) -> RecordText<'a> {
    RecordText { id, attributes: &record.attributes, meta: record.meta.as_deref() }
}

/// What a write is decided on: the time, and the records that the ids in its relationships name.
pub(super) struct Decision {
    now: Timestamp,
    linked: Vec<LinkedRecords>,
}

/// The records of one relationship: the ids as sent, and the records among them that exist.
struct LinkedRecords {
    relationship: &'static str,
    ids: Vec<String>,
    found: Vec<Record>,
}

impl Decision {
    /// Reads the records that a body names from the store.
    pub(super) async fn read(context: &RequestContext<'_>, body: &Body) -> Result<Self, StoreError> {
        let mut linked = Vec::with_capacity(body.links.len());
        for (relationship, ids) in &body.links {
            let uuids = ids.iter().filter_map(|id| parse_id(id)).collect();
            let found = match find(relationship.target) {
                Some(target) => context.core.store.find_all(context.scope(target), uuids).await?,
                None => Vec::new(),
            };
            linked.push(LinkedRecords { relationship: relationship.name, ids: ids.clone(), found });
        }
        Ok(Self { now: context.core.clock.now(), linked })
    }

    /// Decides a write by the rules of the resource.
    pub(super) fn decide(
        &self,
        context: &RequestContext<'_>,
        spec: &'static ResourceSpec,
        kind: WriteKind<'_>,
        body: &Body,
    ) -> Result<WriteOutcome, ApiError> {
        Ok(self.with_context(context, kind, body, |write| context.rules.decide_write(spec, write))?)
    }

    /// Decides on members to add to a relationship or to remove from it, and commits that.
    pub(super) async fn commit_members(
        &self,
        context: &RequestContext<'_>,
        spec: &'static ResourceSpec,
        owner: &Record,
        (relationship, add): (&'static str, bool),
        members: &[String],
        body: &Body,
    ) -> Result<(), AttemptError<ApiError>> {
        let id = owner.id.to_string();
        let outcome = self
            .with_context(context, WriteKind::Update(stored(owner, &id)), body, |write| {
                context.rules.decide_members(spec, relationship, add, members.to_vec(), &id, write)
            })
            .map_err(ApiError::from)?;
        self.commit(context, outcome, Some(owner)).await.map(|_| ())
    }

    fn with_context<T>(
        &self,
        context: &RequestContext<'_>,
        kind: WriteKind<'_>,
        body: &Body,
        decide: impl FnOnce(&WriteContext<'_>) -> Result<T, WriteError>,
    ) -> Result<T, WriteError> {
        let links: BTreeMap<_, _> =
            self.linked.iter().map(|linked| (linked.relationship, linked.records())).collect();
        let (username, password) = context.core.ids.credentials(context.version);
        decide(&WriteContext {
            kind,
            version: context.version,
            features: context.account.features,
            now: self.now,
            sent: &body.attributes,
            links: &links,
            fresh: &Credentials { username, password },
            callback_on_manual_block: context.core.outbox.on_manual_block,
        })
    }

    /// Commits an outcome in one transaction. `before` is the record that is updated. Returns the records that were
    /// created or updated, in the order of the changes.
    async fn commit(
        &self,
        context: &RequestContext<'_>,
        outcome: WriteOutcome,
        before: Option<&Record>,
    ) -> Result<Vec<Record>, AttemptError<ApiError>> {
        let linked = self.linked.iter().flat_map(|linked| &linked.found);
        let read: Vec<&Record> = before.into_iter().chain(linked).collect();
        let decided = Decided { account: context.account.number, at: self.now, read: &read };
        let changes = decided.changes(outcome, &context.core.ids)?;
        Ok(context.core.commit(changes).await?)
    }
}

impl LinkedRecords {
    /// The records in the order of the ids. An id that names no record of the account is kept without attributes.
    fn records(&self) -> Vec<LinkedRecord<'_>> {
        let record = |id: &String| {
            let record = parse_id(id).and_then(|id| self.found.iter().find(|record| record.id == id));
            let attributes = record.map(|record| record.attributes.as_str());
            LinkedRecord { id: record.map_or_else(|| id.clone(), |record| record.id.to_string()), attributes }
        };
        self.ids.iter().map(record).collect()
    }
}

/// Returns the error for a relationship that the API declares as read-only.
pub(super) fn not_writable(relationship: &RelationshipSpec) -> ApiError {
    ApiError::new(
        ErrorCode::ParamNotAllowed,
        "Param not allowed",
        format!("{} is not allowed.", relationship.name),
    )
}

#[cfg(test)]
mod tests;
