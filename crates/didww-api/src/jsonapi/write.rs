//! Creation, update and deletion of records.
//!
//! A write is decided against the records as they were read, and committed only if they are still unchanged. On a
//! conflict it is decided again, up to [`MAX_WRITE_ATTEMPTS`] times.

use std::collections::BTreeMap;

use didww_types::{ErrorCode, ErrorObject, RelationshipSpec, ResourceSpec, Violation, find};
use http::StatusCode;
use serde_json::{Map, Value};
use trunk_rules::domain::{
    Credentials, Linked, LinkedRecord, Refusal, WriteContext, WriteKind, WriteOutcome, decide_write,
};
use uuid::Uuid;

use super::body::{Body, Purpose};
use super::read::{find_record, parse_id, single_reply};
use super::render::Document;
use super::{ApiError, QueryParams, Reply, RequestContext};
use trunk_store::{Change, Record, StoreError};

/// Maximum number of attempts at a write, which is decided again if another write changed the record in between.
pub(super) const MAX_WRITE_ATTEMPTS: usize = 8;

/// Creates a record and responds 201. A resource that only changes another record, such as the regeneration of
/// credentials, responds with an id and stores no record.
pub(super) async fn create(
    context: &RequestContext<'_>,
    spec: &'static ResourceSpec,
    params: &QueryParams,
    body: &[u8],
) -> Result<Reply, ApiError> {
    let body = Body::parse(context, spec, Purpose::Create, body)?;
    for _ in 0..MAX_WRITE_ATTEMPTS {
        match attempt_create(context, spec, params, &body).await {
            Err(AttemptError::Conflict) => {}
            Err(AttemptError::Api(error)) => return Err(error),
            Ok(reply) => return Ok(reply),
        }
    }
    Err(StoreError::Conflict.into())
}

async fn attempt_create(
    context: &RequestContext<'_>,
    spec: &'static ResourceSpec,
    params: &QueryParams,
    body: &Body,
) -> Result<Reply, AttemptError> {
    let resolved = ResolvedLinks::read(context, body).await?;
    let effect = resolved.decide(context, spec, WriteKind::Create, &Map::new(), body)?;
    match effect {
        WriteOutcome::Store { attributes, links, .. } => {
            let now = context.core.clock.now();
            let change = Change::Insert {
                scope: context.scope(spec),
                id: context.core.ids.record(now),
                created_at: now,
                attributes,
                links: uuids(links),
            };
            let record = commit(context, vec![change]).await?;
            Ok(single_reply(context, spec, Some(record), params, StatusCode::CREATED).await?)
        }
        WriteOutcome::Change { kind, id, attributes } => {
            let missing =
                || ApiError::internal(format!("an operation changes {kind} {id}, which was not resolved"));
            let target = find(kind).ok_or_else(missing)?;
            let before = resolved
                .records
                .into_iter()
                .find(|record| record.id.to_string() == id)
                .ok_or_else(missing)?;
            let id = before.id;
            let links = Vec::new();
            let change =
                Change::Replace { scope: context.scope(target), before, attributes, links, meta: None };
            commit(context, vec![change]).await?;
            Ok(Reply::document(StatusCode::CREATED, Document::new(context, params).identifier_only(spec, id)))
        }
    }
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
    for _ in 0..MAX_WRITE_ATTEMPTS {
        let before = find_record(context, spec, id).await?;
        match attempt_update(context, spec, before, body).await {
            Err(AttemptError::Conflict) => {}
            Err(AttemptError::Api(error)) => return Err(error),
            Ok(record) => return Ok(record),
        }
    }
    Err(StoreError::Conflict.into())
}

async fn attempt_update(
    context: &RequestContext<'_>,
    spec: &'static ResourceSpec,
    before: Record,
    body: &Body,
) -> Result<Record, AttemptError> {
    let resolved = ResolvedLinks::read(context, body).await?;
    let attributes = before.attributes()?;
    let effect = resolved.decide(context, spec, WriteKind::Update(&attributes), &before.meta()?, body)?;
    let WriteOutcome::Store { attributes, links, notice } = effect else {
        return Err(ApiError::internal(format!("an update of {} changes another record", spec.name)).into());
    };
    let scope = context.scope(spec);
    let event = notice.and_then(|gate| {
        let state = (gate.blocked, gate.threshold_reached);
        callbacks::trunk_event(scope.account, before.id, &attributes, state, context.core.clock.now())
    });
    let has_event = event.is_some();
    let mut changes = vec![Change::Replace { scope, before, attributes, links: uuids(links), meta: None }];
    changes.extend(event.map(|event| Change::Emit(Box::new(event))));
    let record = commit(context, changes).await?;
    if has_event {
        context.core.outbox.wake();
    }
    Ok(record)
}

/// Deletes a record and responds 204.
pub(super) async fn delete(
    context: &RequestContext<'_>,
    spec: &'static ResourceSpec,
    id: &str,
) -> Result<Reply, ApiError> {
    let record = find_record(context, spec, id).await?;
    match context.core.store.commit(vec![Change::Delete { scope: context.scope(spec), id: record.id }]).await
    {
        Ok(_) => Ok(Reply::no_content()),
        // Another request deleted it first.
        Err(StoreError::Conflict) => Err(ApiError::not_found(id)),
        Err(error) => Err(error.into()),
    }
}

/// Why an attempt to write failed.
pub(super) enum AttemptError {
    /// Another write changed a record in between: the write is decided again.
    Conflict,
    /// The client receives this error.
    Api(ApiError),
}

impl From<ApiError> for AttemptError {
    fn from(error: ApiError) -> Self {
        Self::Api(error)
    }
}

impl From<StoreError> for AttemptError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict => Self::Conflict,
            StoreError::Taken(name) => {
                let error: ErrorObject = Refusal::attribute(&name, Violation::Taken).to_error();
                Self::Api(ApiError::from_object(error))
            }
            other => Self::Api(other.into()),
        }
    }
}

/// Commits changes. Returns the record of the first one.
async fn commit(context: &RequestContext<'_>, changes: Vec<Change>) -> Result<Record, AttemptError> {
    let records = context.core.store.commit(changes).await?;
    records.into_iter().next().ok_or_else(|| ApiError::internal("a commit returned no record").into())
}

/// The relationships of a body with the records that their ids name.
pub(super) struct ResolvedLinks {
    pub(super) links: BTreeMap<&'static str, Linked>,
    records: Vec<Record>,
}

impl ResolvedLinks {
    /// Reads the records from the store. An id that names no record of the account is kept without attributes.
    pub(super) async fn read(context: &RequestContext<'_>, body: &Body) -> Result<Self, ApiError> {
        let mut resolved = Self { links: BTreeMap::new(), records: Vec::new() };
        for (relationship, ids) in &body.links {
            resolved.add(context, relationship, ids).await?;
        }
        Ok(resolved)
    }

    async fn add(
        &mut self,
        context: &RequestContext<'_>,
        relationship: &'static RelationshipSpec,
        ids: &[String],
    ) -> Result<(), ApiError> {
        let uuids = ids.iter().filter_map(|id| parse_id(id)).collect();
        let found = match find(relationship.target) {
            Some(target) => context.core.store.find_all(context.scope(target), uuids).await?,
            None => Vec::new(),
        };
        let mut linked = Linked::default();
        for id in ids {
            let record = parse_id(id).and_then(|id| found.iter().find(|record| record.id == id));
            let attributes = record.map(Record::attributes).transpose()?;
            let id = record.map_or_else(|| id.clone(), |record| record.id.to_string());
            linked.records.push(LinkedRecord { id, attributes });
        }
        self.links.insert(relationship.name, linked);
        self.records.extend(found);
        Ok(())
    }

    /// Decides a write by the rules of the resource.
    pub(super) fn decide(
        &self,
        context: &RequestContext<'_>,
        spec: &'static ResourceSpec,
        kind: WriteKind<'_>,
        meta: &Map<String, Value>,
        body: &Body,
    ) -> Result<WriteOutcome, ApiError> {
        let (username, password) = context.core.ids.credentials(context.version);
        let fresh = Credentials { username, password };
        let write = WriteContext {
            kind,
            version: context.version,
            features: context.account.features,
            now: context.core.clock.now(),
            sent: &body.attributes,
            links: &self.links,
            fresh: &fresh,
            meta,
            callback_on_manual_block: context.core.outbox.on_manual_block,
        };
        Ok(decide_write(spec, &write)?)
    }
}

fn uuids(links: BTreeMap<&'static str, Vec<String>>) -> Vec<(&'static str, Vec<Uuid>)> {
    links.into_iter().map(|(name, ids)| (name, ids.iter().filter_map(|id| parse_id(id)).collect())).collect()
}

/// Returns the error for a relationship that the API declares as read-only.
pub(super) fn not_writable(relationship: &RelationshipSpec) -> ApiError {
    ApiError::new(
        ErrorCode::ParamNotAllowed,
        "Param not allowed",
        format!("{} is not allowed.", relationship.name),
    )
}
