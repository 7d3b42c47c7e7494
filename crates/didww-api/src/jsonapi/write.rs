//! Creates, updates and deletes.

use std::collections::BTreeMap;

use didww_types::{ErrorCode, ErrorObject, RelationshipSpec, ResourceSpec, Violation, find};
use http::StatusCode;
use serde_json::{Map, Value};
use trunk_rules::domain::{Act, Case, Credentials, Effect, Linked, LinkedRecord, Refusal, settle};
use uuid::Uuid;

use super::body::{Body, Purpose};
use super::read::{canonical, find as find_record, single};
use super::render::Document;
use super::{Call, Refused, Reply, View};
use callbacks;
use trunk_store::{Change, Record, StoreError};

/// How often a write is decided anew because somebody else changed the record meanwhile.
pub(super) const ATTEMPTS: usize = 8;

pub(super) async fn create(
    call: &Call<'_>,
    spec: &'static ResourceSpec,
    view: &View,
    body: &[u8],
) -> Result<Reply, Refused> {
    let body = Body::read(call, spec, Purpose::Create, body)?;
    for _ in 0..ATTEMPTS {
        match attempt_create(call, spec, view, &body).await {
            Err(Failed::Conflict) => {}
            Err(Failed::Refused(refused)) => return Err(refused),
            Ok(reply) => return Ok(reply),
        }
    }
    Err(StoreError::Conflict.into())
}

async fn attempt_create(
    call: &Call<'_>,
    spec: &'static ResourceSpec,
    view: &View,
    body: &Body,
) -> Result<Reply, Failed> {
    let resolved = Resolved::of(call, body).await?;
    let effect = resolved.settle(call, spec, Act::Create, &Map::new(), body)?;
    match effect {
        Effect::Store { attributes, links, .. } => {
            let now = call.core.clock.now();
            let change = Change::Insert {
                scope: call.scope(spec),
                id: call.core.ids.record(now),
                created_at: now,
                attributes,
                links: uuids(links),
            };
            let record = commit(call, vec![change]).await?;
            Ok(single(call, spec, Some(record), view, StatusCode::CREATED).await?)
        }
        Effect::Change { kind, id, attributes } => {
            let missing = || Refused::internal(format!("an act changes {kind} {id}, which nobody resolved"));
            let target = find(kind).ok_or_else(missing)?;
            let before = resolved
                .records
                .into_iter()
                .find(|record| record.id.to_string() == id)
                .ok_or_else(missing)?;
            let id = before.id;
            let links = Vec::new();
            let change = Change::Replace { scope: call.scope(target), before, attributes, links, meta: None };
            commit(call, vec![change]).await?;
            Ok(Reply::document(StatusCode::CREATED, Document::new(call, view).bare(spec, id)))
        }
    }
}

pub(super) async fn update(
    call: &Call<'_>,
    spec: &'static ResourceSpec,
    id: &str,
    view: &View,
    body: &[u8],
) -> Result<Reply, Refused> {
    let body = Body::read(call, spec, Purpose::Update(id), body)?;
    let record = change(call, spec, id, &body).await?;
    single(call, spec, Some(record), view, StatusCode::OK).await
}

/// Decides about changes to a record and makes them.
pub(super) async fn change(
    call: &Call<'_>,
    spec: &'static ResourceSpec,
    id: &str,
    body: &Body,
) -> Result<Record, Refused> {
    for _ in 0..ATTEMPTS {
        let before = find_record(call, spec, id).await?;
        match attempt_change(call, spec, before, body).await {
            Err(Failed::Conflict) => {}
            Err(Failed::Refused(refused)) => return Err(refused),
            Ok(record) => return Ok(record),
        }
    }
    Err(StoreError::Conflict.into())
}

async fn attempt_change(
    call: &Call<'_>,
    spec: &'static ResourceSpec,
    before: Record,
    body: &Body,
) -> Result<Record, Failed> {
    let resolved = Resolved::of(call, body).await?;
    let attributes = before.attributes()?;
    let effect = resolved.settle(call, spec, Act::Update(&attributes), &before.meta()?, body)?;
    let Effect::Store { attributes, links, notice } = effect else {
        return Err(Refused::internal(format!("an update of {} changes another record", spec.name)).into());
    };
    let scope = call.scope(spec);
    let event = notice.and_then(|gate| {
        let state = (gate.blocked, gate.threshold_reached);
        callbacks::trunk_event(scope.account, before.id, &attributes, state, call.core.clock.now())
    });
    let tells = event.is_some();
    let mut changes = vec![Change::Replace { scope, before, attributes, links: uuids(links), meta: None }];
    changes.extend(event.map(|event| Change::Emit(Box::new(event))));
    let record = commit(call, changes).await?;
    if tells {
        call.core.outbox.wake();
    }
    Ok(record)
}

pub(super) async fn delete(call: &Call<'_>, spec: &'static ResourceSpec, id: &str) -> Result<Reply, Refused> {
    let record = find_record(call, spec, id).await?;
    match call.core.store.commit(vec![Change::Delete { scope: call.scope(spec), id: record.id }]).await {
        Ok(_) => Ok(Reply::no_content()),
        // Somebody else deleted it first.
        Err(StoreError::Conflict) => Err(Refused::not_found(id)),
        Err(error) => Err(error.into()),
    }
}

/// Why an attempt did not work: for good, or because somebody was faster.
pub(super) enum Failed {
    Conflict,
    Refused(Refused),
}

impl From<Refused> for Failed {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict => Self::Conflict,
            StoreError::Taken(name) => {
                let error: ErrorObject = Refusal::attribute(&name, Violation::Taken).to_error();
                Self::Refused(Refused::one(error))
            }
            other => Self::Refused(other.into()),
        }
    }
}

/// The record of the first change.
async fn commit(call: &Call<'_>, changes: Vec<Change>) -> Result<Record, Failed> {
    let records = call.core.store.commit(changes).await?;
    records.into_iter().next().ok_or_else(|| Refused::internal("a write gave no record").into())
}

/// The relationships of a body with the records that they name.
pub(super) struct Resolved {
    pub(super) links: BTreeMap<&'static str, Linked>,
    records: Vec<Record>,
}

impl Resolved {
    pub(super) async fn of(call: &Call<'_>, body: &Body) -> Result<Self, Refused> {
        let mut resolved = Self { links: BTreeMap::new(), records: Vec::new() };
        for (relationship, ids) in &body.links {
            resolved.add(call, relationship, ids).await?;
        }
        Ok(resolved)
    }

    async fn add(
        &mut self,
        call: &Call<'_>,
        relationship: &'static RelationshipSpec,
        ids: &[String],
    ) -> Result<(), Refused> {
        let uuids = ids.iter().filter_map(|id| canonical(id)).collect();
        let found = match find(relationship.target) {
            Some(target) => call.core.store.find_all(call.scope(target), uuids).await?,
            None => Vec::new(),
        };
        let mut linked = Linked::default();
        for id in ids {
            let record = canonical(id).and_then(|id| found.iter().find(|record| record.id == id));
            let attributes = record.map(Record::attributes).transpose()?;
            let id = record.map_or_else(|| id.clone(), |record| record.id.to_string());
            linked.records.push(LinkedRecord { id, attributes });
        }
        self.links.insert(relationship.name, linked);
        self.records.extend(found);
        Ok(())
    }

    pub(super) fn settle(
        &self,
        call: &Call<'_>,
        spec: &'static ResourceSpec,
        act: Act<'_>,
        meta: &Map<String, Value>,
        body: &Body,
    ) -> Result<Effect, Refused> {
        let (username, password) = call.core.ids.credentials(call.version);
        let fresh = Credentials { username, password };
        let case = Case {
            act,
            version: call.version,
            features: call.account.features,
            now: call.core.clock.now(),
            sent: &body.attributes,
            links: &self.links,
            fresh: &fresh,
            meta,
            callback_on_manual_block: call.core.outbox.on_manual_block,
        };
        Ok(settle(spec, &case)?)
    }
}

fn uuids(links: BTreeMap<&'static str, Vec<String>>) -> Vec<(&'static str, Vec<Uuid>)> {
    links.into_iter().map(|(name, ids)| (name, ids.iter().filter_map(|id| canonical(id)).collect())).collect()
}

/// What a relationship that nobody may write is answered with.
pub(super) fn not_writable(relationship: &RelationshipSpec) -> Refused {
    Refused::new(
        ErrorCode::ParamNotAllowed,
        "Param not allowed",
        format!("{} is not allowed.", relationship.name),
    )
}
