//! Creation and update of records.
//!
//! A write is decided against the records as they were read, and committed only if they are still unchanged. On a
//! conflict it is decided again, within the bounds of [`Retries::REQUEST`].

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use didww_types::{
    ApiVersion, ErrorCode, FormCheck, FormSpec, RelationshipSpec, ResourceSpec, Timestamp, Violation, find,
};
use http::StatusCode;
use service_base::log_limiter::LogLimiter;
use service_core::files::{self, Encoded, FileOwner};
use service_core::{AttemptError, Decided, Retries};
use trunk_rules::domain::{
    Credentials, LinkedRecord, Links, MAX_RELATED_RECORDS, RecordChange, RecordText, Refusal, WriteContext,
    WriteError, WriteKind, WriteOutcome,
};
use trunk_store::{Change, Record, StoreError};
use uuid::Uuid;

use super::body::{Body, Purpose};
use super::context::RequestContext;
use super::error::ApiError;
use super::form::{Form, FormRecord};
use super::needs::{Needed, find_in_stock};
use super::query::QueryParams;
use super::read::{find_record, list_query, single_reply};
use super::render::Document;
use super::reply::{JSON, Reply};
use super::target::parse_id;

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
            let decision = Decision::read(context, spec, None, body, None).await?;
            let mut outcome = decision.decide(context, spec, WriteKind::Create, body)?;
            if spec.downloads.is_some() {
                outcome.add_request(&context.base, &context.account.id.to_string());
            }
            let target = outcome.changes.first().and_then(RecordChange::id).and_then(parse_id);
            let records = decision.commit(context, outcome, None).await?;
            if let Some(id) = target {
                let text = Document::new(context, params).identifier_only(spec, id);
                return Ok(Reply::document(StatusCode::CREATED, text));
            }
            // Records on which the new one depends precede it.
            let record = records.into_iter().find(|record| record.kind == spec.name);
            let record = record.ok_or_else(|| ApiError::internal("a creation stored no record"))?;
            Ok(single_reply(context, spec, Some(record), params, StatusCode::CREATED).await?)
        })
        .await
}

/// Creates a record from a form with a file, stores the content of the file, and responds 201. Up to 2026-04-16 the
/// document has the media type of JSON. The older form creates several records at once, and the response has their ids
/// alone.
pub(super) async fn upload(
    context: &RequestContext<'_>,
    spec: &'static ResourceSpec,
    declared: &'static FormSpec,
    params: &QueryParams,
    boundary: &str,
    body: &Bytes,
) -> Result<Reply, ApiError> {
    let Form { checked, mut records, is_batch } = Form::parse(context, spec, declared, boundary, body)?;
    if records.is_empty() {
        records.push(FormRecord::default());
    }
    let mut refusals = Vec::new();
    let check = &declared.check;
    match checked.filter(|text| !text.trim().is_empty()) {
        None => refusals.push(Refusal::attribute(check.name, Violation::Blank)),
        Some(sent) => {
            if expected(context, check).await? != Some(sent) {
                refusals.push(Refusal::attribute(check.name, Violation::OutdatedFingerprint));
            }
        }
    }
    let mut length = 0;
    for record in &records {
        let bytes = record.file.as_ref().map_or(0, Bytes::len);
        length += bytes;
        if bytes == 0 {
            refusals.push(Refusal::attribute(declared.file, Violation::Blank));
        } else if bytes > declared.max_file_bytes {
            let violation = Violation::TooBig(declared.max_file_bytes >> 20);
            refusals.push(Refusal::attribute(declared.file, violation));
        }
    }
    if !refusals.is_empty() {
        return Err(WriteError::Refused(refusals).into());
    }
    let owner = FileOwner { number: context.account.number, id: context.account.id };
    if !files::has_room(context.core, owner, length).await? {
        return Err(StoreError::Quota { kind: "parts of files", most: files::MAX_PARTS_PER_ACCOUNT }.into());
    }
    // Once for all attempts.
    let mut encoded = Vec::with_capacity(records.len());
    for FormRecord { attributes, file } in records {
        let body = Body { attributes, ..Body::default() };
        encoded.push((body, Encoded::of(file.unwrap_or_default()).await?));
    }
    let encoded = &encoded;
    let reply = Retries::REQUEST
        .run(|| async move {
            let mut changes = Vec::new();
            for (body, content) in encoded {
                let decision = Decision::read(context, spec, None, body, None).await?;
                let outcome = decision.decide(context, spec, WriteKind::Create, body)?;
                let decided = Decided { account: owner.number, at: decision.now, read: &[] };
                let of_file = decided.changes(outcome, &context.core.ids)?;
                let inserted = of_file.iter().find_map(|change| match change {
                    Change::Insert { id, .. } => Some(*id),
                    _ => None,
                });
                changes.extend(of_file);
                if let Some(id) = inserted {
                    changes.extend(files::store(owner, id, content, decision.now));
                }
            }
            let records = context.core.commit(changes).await?;
            if is_batch {
                let created = records.iter().filter(|record| record.kind == spec.name);
                let ids: Vec<String> = created.map(|record| record.id.to_string()).collect();
                let text = serde_json::json!({ "ids": ids }).to_string();
                return Ok(Reply::document(StatusCode::CREATED, text));
            }
            let record = records.into_iter().next();
            let record = record.ok_or_else(|| ApiError::internal("a creation stored no record"))?;
            Ok(single_reply(context, spec, Some(record), params, StatusCode::CREATED).await?)
        })
        .await?;
    if is_batch {
        return Ok(reply);
    }
    let content_type = (context.version <= ApiVersion::V2026_04_16).then_some(JSON);
    Ok(Reply { content_type, ..reply })
}

/// The text that a form must contain, which the records of the account determine.
async fn expected(context: &RequestContext<'_>, check: &FormCheck) -> Result<Option<String>, ApiError> {
    let Some(of) = find(check.of) else { return Ok(None) };
    let query = list_query(context, of, &QueryParams::default());
    let records = context.core.store.list(query).await?.records;
    let attributes = records.iter().map(Record::attributes).collect::<Result<Vec<_>, StoreError>>()?;
    Ok((check.expected)(&attributes))
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
            let decision = Decision::read(context, spec, Some(&before), body, None).await?;
            let wire_id = before.id.to_string();
            let outcome =
                decision.decide(context, spec, WriteKind::Update(stored(&before, &wire_id)), body)?;
            let records = decision.commit(context, outcome, Some(&before)).await?;
            Ok(records.into_iter().find(|record| record.id == before.id).unwrap_or(before))
        })
        .await
}

pub(super) fn stored<'a>(record: &'a Record, id: &'a str) -> RecordText<'a> {
    RecordText { id, attributes: &record.attributes, meta: record.meta.as_deref() }
}

/// The inputs of the decision on a write: the time, the records that the ids in its relationships name, and the stored
/// members of the relationships that the rules of the type read.
pub(super) struct Decision {
    now: Timestamp,
    linked: Vec<LinkedRecords>,
    stored_members: BTreeMap<&'static str, Vec<Record>>,
    /// Whether the members of the request are added to those that are stored.
    adds: bool,
    needed: Needed,
}

/// The records of one relationship: the ids as sent, and the records among them that exist.
struct LinkedRecords {
    relationship: &'static str,
    ids: Vec<String>,
    found: Vec<Record>,
}

impl Decision {
    /// Reads the records that a body names from the store, and those that the rules need for the record to update.
    /// `members` is the relationship to which the request adds members, or (false) from which it removes some.
    ///
    /// # Errors
    /// 422 if an inverse relationship of the request has more than [`MAX_CHANGED`] members.
    pub(super) async fn read(
        context: &RequestContext<'_>,
        spec: &'static ResourceSpec,
        before: Option<&Record>,
        body: &Body,
        members: Option<(&'static RelationshipSpec, bool)>,
    ) -> Result<Self, AttemptError<ApiError>> {
        let mut linked = Vec::with_capacity(body.links.len());
        for (relationship, ids) in &body.links {
            let target = body.target(relationship);
            linked.push(LinkedRecords::read(context, relationship, target, ids.clone()).await?);
        }
        let mut stored_members = BTreeMap::new();
        if let Some(before) = before {
            let is_sent = |name: &str| {
                body.attributes.contains_key(name) || body.links.iter().any(|(sent, _)| sent.name == name)
            };
            for name in context.rules.write_reads(spec, is_sent) {
                let Some(relationship) = spec.relationship(name) else { continue };
                let members = members_of(context, spec, before, relationship, MAX_RELATED).await?;
                stored_members.insert(relationship.name, members);
            }
            let sent = body.links.iter().map(|(relationship, _)| *relationship);
            let removed_from = members.filter(|(_, adds)| !adds).map(|(relationship, _)| relationship);
            let changed = sent.chain(removed_from);
            for relationship in changed.filter(|one| one.inverse.is_some()) {
                let members = members_to_change(context, spec, before, relationship, MAX_CHANGED).await?;
                stored_members.insert(relationship.name, members);
            }
        }
        for read in context.rules.linked_reads(spec) {
            let to = linked.iter().find(|linked| linked.relationship == read.relationship);
            let target = spec.relationship(read.relationship).and_then(|to| find(to.target));
            let (Some(to), Some(target)) = (to.and_then(|to| to.found.first()), target) else { continue };
            let Some(relationship) = target.relationship(read.members) else { continue };
            let members = members_of(context, target, to, relationship, MAX_RELATED).await?;
            stored_members.insert(relationship.name, members);
        }
        let links: Links = linked.iter().map(|linked| (linked.relationship, linked.found_ids())).collect();
        let needed = Needed::for_write(context, spec, before, &body.attributes, &links).await?;
        let adds = members.is_some_and(|(_, add)| add);
        Ok(Self { now: context.core.clock.now(), linked, stored_members, adds, needed })
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

    /// Decides on members to add to a relationship or to remove from it, and commits the outcome.
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
        let links = by_relationship(&self.linked);
        let stored_members: BTreeMap<_, Vec<LinkedRecord<'_>>> = self
            .stored_members
            .iter()
            .map(|(name, records)| (*name, records.iter().map(whole).collect()))
            .collect();
        let (username, password) = context.core.ids.credentials(context.version);
        decide(&WriteContext {
            kind,
            version: context.version,
            features: context.account.features,
            now: self.now,
            sent: &body.attributes,
            links: &links,
            stored_members: &stored_members,
            adds: self.adds,
            found: &self.needed.found,
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
        let stored = self.stored_members.values().flatten();
        let needed = &self.needed.records;
        let read: Vec<&Record> = before.into_iter().chain(linked).chain(stored).chain(needed).collect();
        let decided = Decided { account: context.account.number, at: self.now, read: &read };
        let changes = decided.changes(outcome, &context.core.ids)?;
        let records = context.core.commit(changes).await?;
        for record in &records {
            log_notice(context, record, before.filter(|before| before.id == record.id));
        }
        Ok(records)
    }
}

/// A stored record as a decision receives it.
fn whole(record: &Record) -> LinkedRecord<'_> {
    LinkedRecord { id: record.id.to_string(), attributes: Some(&record.attributes) }
}

/// Limits log lines about records that permit more than usual, by account.
static NOTICES: LogLimiter = LogLimiter::new("records that permit more than usual");

/// Logs a notice about a record for the operator, unless it applied to the record before the write too.
fn log_notice(context: &RequestContext<'_>, record: &Record, before: Option<&Record>) {
    let notice = |record: &Record| context.rules.notice(record.kind, &record.attributes);
    let Some(notice_now) = notice(record) else { return };
    let is_new = before.is_none_or(|before| notice(before) != Some(notice_now));
    if is_new && NOTICES.admits(context.account.number, context.core.clock.now()) {
        let (kind, account) = (record.kind, context.account.id);
        tracing::warn!(%account, kind, id = %record.id, "{notice_now}");
    }
}

fn by_relationship(all: &[LinkedRecords]) -> BTreeMap<&'static str, Vec<LinkedRecord<'_>>> {
    all.iter().map(|linked| (linked.relationship, linked.records())).collect()
}

impl LinkedRecords {
    /// Reads the records that ids name.
    async fn read(
        context: &RequestContext<'_>,
        relationship: &'static RelationshipSpec,
        target: Option<&'static ResourceSpec>,
        ids: Vec<String>,
    ) -> Result<Self, StoreError> {
        let uuids = ids.iter().filter_map(|id| parse_id(id)).collect();
        let found = match target {
            Some(target) => find_in_stock(context, target, uuids).await?,
            None => Vec::new(),
        };
        Ok(Self { relationship: relationship.name, ids, found })
    }

    /// The ids of the records that exist.
    fn found_ids(&self) -> Vec<String> {
        self.found.iter().map(|record| record.id.to_string()).collect()
    }

    /// The records in the order of the ids. An id that names no record of the account is kept without attributes.
    fn records(&self) -> Vec<LinkedRecord<'_>> {
        let found: HashMap<Uuid, &Record> = self.found.iter().map(|record| (record.id, record)).collect();
        let record = |id: &String| {
            let record = parse_id(id).and_then(|id| found.get(&id));
            let attributes = record.map(|record| record.attributes.as_str());
            LinkedRecord { id: record.map_or_else(|| id.clone(), |record| record.id.to_string()), attributes }
        };
        self.ids.iter().map(record).collect()
    }
}

/// Returns the ids of the members of a relationship of a record, at most [`MAX_RELATED_RECORDS`].
pub(super) async fn member_ids(
    context: &RequestContext<'_>,
    spec: &'static ResourceSpec,
    owner: &Record,
    relationship: &'static str,
) -> Result<Vec<String>, StoreError> {
    let members = context
        .core
        .store
        .members(context.scope(spec), vec![owner.number], relationship, MAX_RELATED)
        .await?;
    Ok(members.into_iter().map(|(_, _, id)| id.to_string()).collect())
}

/// [`MAX_RELATED_RECORDS`] as a number of members.
pub(super) const MAX_RELATED: usize = 100;
const _: () = assert!(MAX_RELATED as u64 == MAX_RELATED_RECORDS);

/// Returns the members of a relationship of a record, at most `most`.
pub(super) async fn members_of(
    context: &RequestContext<'_>,
    spec: &'static ResourceSpec,
    owner: &Record,
    relationship: &'static RelationshipSpec,
    most: usize,
) -> Result<Vec<Record>, StoreError> {
    let Some(target) = find(relationship.target) else { return Ok(Vec::new()) };
    let store = &context.core.store;
    let ids = store.members(context.scope(spec), vec![owner.number], relationship.name, most).await?;
    let ids = ids.into_iter().map(|(_, _, id)| id).collect();
    store.find_all(context.scope(target), ids).await
}

/// Maximum number of members of an inverse relationship that a request changes. Each of them is in memory, and all of
/// them can be changed in one transaction.
const MAX_CHANGED: usize = 10_000;

/// Returns the members of an inverse relationship that a request changes.
///
/// # Errors
/// 422 if there are more than `most`.
async fn members_to_change(
    context: &RequestContext<'_>,
    spec: &'static ResourceSpec,
    owner: &Record,
    relationship: &'static RelationshipSpec,
    most: usize,
) -> Result<Vec<Record>, AttemptError<ApiError>> {
    let members = members_of(context, spec, owner, relationship, most.saturating_add(1)).await?;
    if members.len() > most {
        let name = relationship.name_at(context.version);
        let why = format!("{name} has more than {most} members; change each of them by itself");
        return Err(ApiError::from(WriteError::from(Refusal::record(why))).into());
    }
    Ok(members)
}

/// Returns the error for a relationship that the API declares as read-only.
pub(super) fn not_writable(context: &RequestContext<'_>, relationship: &RelationshipSpec) -> ApiError {
    ApiError::new(
        ErrorCode::ParamNotAllowed,
        "Param not allowed",
        format!("{} is not allowed.", relationship.name_at(context.version)),
    )
}

#[cfg(test)]
mod tests;
