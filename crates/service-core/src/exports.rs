//! Makes the files of exports, and deletes them 30 days later.
//!
//! A job makes the file of an export a few seconds after it was requested: its first run shows that the file is being
//! made, and its second one writes it, in the form of the version in which the export was requested. Records of calls
//! are read a page at a time and compressed as they are read, so that neither they nor the file are in memory as a
//! whole. The file is stored in parts ([`parts`]) before the export is completed; the parts of a failed run are deleted
//! by the next one.
//!
//! Bounds: `PER_PAGE` records (`INBOUND_PER_PAGE` of calls to DIDs) and one part in memory, the parts of a file and of
//! an account. An export waits while the account's files have no room for it. One that is too large for a file is
//! abandoned: no later run could write it.

mod inbound;
mod lines;
pub mod parts;

use std::sync::Arc;
use std::time::Duration;

use didww_types::resources::{Export, ExportFilters, ExportStatus, ExportType};
use didww_types::{ApiVersion, DecodeError, Id, Resource as _, Timestamp};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use service_base::clock::Clock;
use trunk_rules::domain::{MAKE_EXPORT, created_in, export_range};
use trunk_store::{CallQuery, Change, Job, KeyedPage, LeasedJob, Record, Scope, StoreError};
use uuid::Uuid;

use crate::Core;
use crate::inbound_records;
use crate::jobs::{JobError, JobKind, JobSet, Outcome};
use lines::Columns;
use parts::{Encoding, FileWriter, Owner};

/// The kind of the job that deletes files and their exports.
const FORGET: &str = "exports.forget";
/// The longest time between two runs of the job that deletes files.
const CHECK_INTERVAL: Duration = Duration::from_hours(1);
/// How long an export waits if the account's files have no room for it.
const ROOM_WAIT: Duration = Duration::from_hours(1);
/// Maximum number of files that are made at once.
const AT_ONCE: usize = 2;
/// Maximum number of records of outbound calls that are read at a time.
const PER_PAGE: u64 = 1_000;
/// Maximum number of records of calls to DIDs that are read at a time. Each can have 40 attempts.
const INBOUND_PER_PAGE: u64 = 100;

/// The jobs that make and delete files.
pub fn jobs(clock: &Clock) -> JobSet {
    let make = |core: Arc<Core>, leased: LeasedJob| async move { make(&core, &leased.job).await };
    let forget = |core: Arc<Core>, _job| async move { forget(&core).await };
    JobSet::default()
        .handle(JobKind::new(MAKE_EXPORT, make).at_once(AT_ONCE))
        .handle(JobKind::new(FORGET, forget))
        .standing(Job::new(FORGET, "", clock.now().after(CHECK_INTERVAL)))
}

/// The data of the request that the job of an export needs.
#[derive(Debug, Default, Deserialize)]
struct Payload {
    /// The id of the account.
    #[serde(default)]
    account: Uuid,
    /// The beginning of the URL of the file.
    base: Option<String>,
}

async fn make(core: &Core, job: &Job) -> Result<Outcome, JobError> {
    let (Some(account), Ok(id)) = (job.account, Uuid::try_parse(&job.subject)) else {
        return Ok(Outcome::done());
    };
    let scope = Scope { account, spec: Export::SPEC };
    let Some(record) = core.store.find(scope, id).await? else { return Ok(Outcome::done()) };
    let export = read(&record)?;
    let now = core.clock.now();
    match export.status {
        ExportStatus::Pending => {
            let shown = Map::from_iter([("status".to_owned(), json!(ExportStatus::Processing))]);
            Ok(Outcome::again_at(now).with([changed(scope, record, shown)?]))
        }
        ExportStatus::Processing => {
            let payload: Payload =
                serde_json::from_str(&job.payload).map_err(|error| JobError::Failed(error.to_string()))?;
            let owner = Owner { number: account, id: payload.account };
            parts::forget_export(core, id).await?;
            if !parts::has_room(core, owner).await? {
                return Ok(Outcome::again_at(now.after(ROOM_WAIT)));
            }
            let file = core.ids.record(now);
            let version = created_in(record.meta.as_deref());
            let encoding = Encoding::of(downloads(version).1);
            let mut writer = FileWriter::new(core, owner, id, file, now).encoded(encoding);
            let written = async {
                write(core, owner, &export, Columns::at(version), &mut writer).await?;
                writer.finish().await
            };
            let written = written.await;
            if writer.is_full() {
                tracing::warn!(export = %id, "an export is too large for a file, and is given up");
                parts::forget_export(core, id).await?;
                return Ok(Outcome::done());
            }
            written?;
            let base = payload.base.as_deref().unwrap_or("http://localhost/v3");
            // The owner can have changed the export meanwhile.
            let Some(record) = core.store.find(scope, id).await? else {
                parts::forget_export(core, id).await?;
                return Ok(Outcome::done());
            };
            let (path, suffix) = downloads(version);
            let url = format!("{base}/{path}/{file}{suffix}");
            Ok(Outcome::done().with(completed(scope, record, url)?))
        }
        _ => Ok(Outcome::done()),
    }
}

/// The path below which the files of a version are, and their extension.
fn downloads(version: ApiVersion) -> (&'static str, &'static str) {
    let path = Export::SPEC.path_at(version);
    (path, Export::SPEC.downloads_below(path).unwrap_or_default())
}

/// The changes that complete an export. The callback is stored with them.
fn completed(scope: Scope, record: Record, url: String) -> Result<Vec<Change>, StoreError> {
    let shown = Map::from_iter([
        ("status".to_owned(), json!(ExportStatus::Completed)),
        ("url".to_owned(), Value::String(url)),
    ]);
    Ok(vec![changed(scope, record, shown)?])
}

fn changed(scope: Scope, before: Record, members: Map<String, Value>) -> Result<Change, StoreError> {
    let mut attributes = before.attributes()?;
    attributes.extend(members);
    Ok(Change::Replace { scope, before, attributes, links: Vec::new(), meta: None })
}

fn read(record: &Record) -> Result<Export, StoreError> {
    let corrupt = |error: DecodeError| StoreError::Corrupt(format!("the export {}: {error}", record.id));
    Export::from_texts(Id::new(record.id.to_string()), &record.attributes, None).map_err(corrupt)
}

/// Writes the lines of a file. The server handles no text messages, so exports of messages have no records.
async fn write(
    core: &Core,
    owner: Owner,
    export: &Export,
    columns: Columns,
    writer: &mut FileWriter<'_>,
) -> Result<(), JobError> {
    writer.add(&lines::header(&export.export_type, columns)).await?;
    let Some(range) = export_range(&export.filters) else { return Ok(()) };
    match export.export_type {
        ExportType::CdrIn => write_inbound(core, owner.id, &export.filters, range, columns, writer).await,
        ExportType::CdrOut => write_outbound(core, owner.number, &export.filters, range, writer).await,
        _ => Ok(()),
    }
}

/// Writes the outbound calls of the account with this number, in the order in which they were recorded.
async fn write_outbound(
    core: &Core,
    account: i64,
    filters: &ExportFilters,
    (from, to): (Timestamp, Timestamp),
    writer: &mut FileWriter<'_>,
) -> Result<(), JobError> {
    let query = CallQuery {
        account: Some(account),
        trunk: trunk(filters),
        // No call ends before it starts.
        from: Some(from),
        limit: PER_PAGE,
        ..CallQuery::default()
    };
    let mut after = i64::MIN;
    loop {
        let page = core.store.calls_after(query.clone(), after).await?;
        for (number, call) in &page {
            after = *number;
            if let Some(line) = lines::outbound(&call.attributes, filters, (from, to)) {
                writer.add(&line).await?;
            }
        }
        // Calls that end meanwhile are not read.
        if u64::try_from(page.len()).is_ok_and(|read| read < PER_PAGE) {
            return Ok(());
        }
        yield_to_others().await;
    }
}

/// Writes the calls to the DIDs of the account with this id, in the order in which they began.
async fn write_inbound(
    core: &Core,
    account: Uuid,
    filters: &ExportFilters,
    (from, to): (Timestamp, Timestamp),
    columns: Columns,
    writer: &mut FileWriter<'_>,
) -> Result<(), JobError> {
    let mut after = KeyedPage::beginning_at(inbound_records::created_at(from));
    loop {
        let page = inbound_records::page(account, after, to, INBOUND_PER_PAGE);
        let documents = core.store.documents_after(page).await?;
        for document in &documents {
            after = (document.created_at, document.number);
            match inbound_records::read(document) {
                Ok(record) => writer.add(&inbound::lines_of(&record, filters, columns)).await?,
                // An error would prevent every file whose period contains this record.
                Err(error) => tracing::error!(%error, "a call to a DID is left out of an export"),
            }
        }
        if u64::try_from(documents.len()).is_ok_and(|read| read < INBOUND_PER_PAGE) {
            return Ok(());
        }
        yield_to_others().await;
    }
}

/// Lets other tasks run between two pages: reading a database in a file and compressing never yield by themselves.
async fn yield_to_others() {
    tokio::task::yield_now().await;
}

fn trunk(filters: &ExportFilters) -> Option<Uuid> {
    Uuid::try_parse(filters.get("voice_out_trunk.id")?.as_str()?).ok()
}

async fn forget(core: &Core) -> Result<Outcome, JobError> {
    let now = core.clock.now();
    let expired = parts::expired(core, now).await?;
    let mut changes = Vec::new();
    for (account, export) in &expired.exports {
        let scope = Scope { account: *account, spec: Export::SPEC };
        if core.store.find(scope, *export).await?.is_some() {
            changes.push(Change::Delete { scope, id: *export });
        }
    }
    let found_some = !expired.parts.is_empty();
    changes.extend(expired.parts);
    if found_some {
        // There may be more, which the next run reads.
        return Ok(Outcome::again_at(now).with(changes));
    }
    let latest: Timestamp = now.after(CHECK_INTERVAL);
    Ok(Outcome::again_at(expired.next.map_or(latest, |next| next.min(latest))))
}

#[cfg(test)]
mod tests;
