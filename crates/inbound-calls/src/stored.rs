//! The records of calls in the store: a document each, which is live until the call has ended.

use std::sync::Arc;

use didww_types::Timestamp;
use serde::{Deserialize, Serialize};
use service_core::Core;
use service_core::jobs::JobSet;
use service_core::retention::retention;
use trunk_rules::inbound::Ending;
use trunk_store::{Aged, Change, Document, DocumentKind, DocumentQuery, NewDocument, StoreError};
use uuid::Uuid;

use crate::record::InboundCall;
use crate::request::InboundQuery;

const KIND: DocumentKind = DocumentKind::InboundCall;
/// The index key with the account of the DID.
const ACCOUNT: &str = "account";
/// The name of the job that deletes old records.
const DELETE_OLD: &str = "inbound_calls.delete_old";
/// Most records that one commit deletes. The number is small because the writes of calls wait for the commit.
const MAX_PER_COMMIT: u64 = 100;

/// The body of a document.
#[derive(Serialize, Deserialize)]
struct Body {
    /// The node that runs the call, or that ran it.
    node: i64,
    call: InboundCall,
}

/// The body of a document that is written.
#[derive(Serialize)]
struct BodyOf<'a> {
    node: i64,
    call: &'a InboundCall,
}

/// A call as it is stored.
pub(crate) struct Stored {
    pub(crate) node: i64,
    pub(crate) revision: i64,
    pub(crate) call: InboundCall,
}

fn micros(at: Timestamp) -> i64 {
    at.as_unix_millis().saturating_mul(1_000)
}

fn read(document: &Document) -> Result<Stored, StoreError> {
    let Body { node, call } = document.read()?;
    Ok(Stored { node, revision: document.revision, call })
}

/// The change that writes a call: a new one without a `revision`, else one whose stored revision must be this.
///
/// # Errors
/// If the call makes no JSON, which none does.
pub(crate) fn put(call: &InboundCall, node: i64, revision: Option<i64>) -> Result<Change, StoreError> {
    let body = serde_json::to_string(&BodyOf { node, call })
        .map_err(|error| StoreError::Failed(format!("inbound call {}: {error}", call.id)))?;
    let document = NewDocument {
        kind: KIND,
        id: call.id,
        customer: call.account.unwrap_or_default(),
        created_at: micros(call.time_start),
        deleted: false,
        live: call.time_end.is_none(),
        body,
        // The account of a call never changes.
        keyed: revision.is_none(),
        keys: call.account.map(|account| (ACCOUNT, account.to_string())).into_iter().collect(),
        unique: Vec::new(),
    };
    Ok(Change::Put { revision, document: Box::new(document) })
}

/// The call with this id.
///
/// # Errors
/// If the store cannot be read, or the record is corrupt.
pub(crate) async fn find(core: &Core, id: Uuid) -> Result<Option<Stored>, StoreError> {
    core.store.document(KIND, id).await?.as_ref().map(read).transpose()
}

/// Calls, newest first.
///
/// # Errors
/// As of [`find`].
pub(crate) async fn list(core: &Core, query: &InboundQuery) -> Result<Vec<InboundCall>, StoreError> {
    let before = query.before.map_or(i64::MAX, micros);
    let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
    let documents = match query.account {
        // There is no index of both: the live calls of all accounts are few.
        _ if query.live => DocumentQuery { before, ..DocumentQuery::live(KIND) },
        Some(account) => DocumentQuery {
            before,
            limit: query.limit,
            ..DocumentQuery::with(KIND, ACCOUNT, account.to_string())
        },
        None => DocumentQuery { before, limit: query.limit, ..DocumentQuery::all(KIND) },
    };
    let found = core.store.documents(documents).await?;
    let calls = found.iter().map(|document| read(document).map(|stored| stored.call));
    let is_asked_for = |call: &Result<InboundCall, StoreError>| match call {
        Ok(call) => query.account.is_none() || call.account == query.account,
        Err(_) => true,
    };
    calls.filter(is_asked_for).take(limit).collect()
}

/// Deletes the records of all calls to DIDs of an account. Calls that are in progress end then.
///
/// # Errors
/// If the store fails.
pub(crate) async fn forget_all(core: &Core, account: Uuid) -> Result<(), StoreError> {
    loop {
        let of_account = DocumentQuery::with(KIND, ACCOUNT, account.to_string());
        let found = core.store.documents(DocumentQuery { limit: MAX_PER_COMMIT, ..of_account }).await?;
        if found.is_empty() {
            return Ok(());
        }
        core.commit(found.iter().map(forget).collect()).await?;
    }
}

fn forget(document: &Document) -> Change {
    Change::Forget { kind: KIND, id: document.id, revision: document.revision }
}

/// The job that deletes old records.
pub(crate) fn jobs(core: &Core, keep_months: u32) -> JobSet {
    retention(&core.clock, DELETE_OLD, keep_months, delete_some)
}

/// Deletes some of the records of ended calls that were placed before this time, and returns their number.
async fn delete_some(core: Arc<Core>, before: Timestamp) -> Result<u64, StoreError> {
    let aged = Aged { kind: KIND, deleted: false, from: 0, before: micros(before), limit: MAX_PER_COMMIT };
    let found = core.store.aged_documents(aged).await?;
    if found.is_empty() {
        return Ok(0);
    }
    core.commit(found.iter().map(forget).collect()).await?;
    Ok(u64::try_from(found.len()).unwrap_or_default())
}

/// Ends the records of calls that were in progress when an earlier process of the server was killed, or another node of the
/// database. Returns their number. Two nodes may find the same ones; one of them ends each.
///
/// # Errors
/// If the store cannot be read or written.
pub(crate) async fn end_interrupted(core: &Core) -> Result<usize, StoreError> {
    let store = &*core.store;
    let found = store.documents(DocumentQuery::live(KIND)).await?;
    if found.is_empty() {
        return Ok(0);
    }
    // Read after the calls: a node is listed before it has its first one, so one that began meanwhile is not taken for dead.
    let (own, nodes) = (store.node(), store.nodes().await?);
    // No node has the number of an earlier one, so what this one runs is no call of an earlier process.
    let is_running =
        |node: i64| store.is_shared() && (node == own || nodes.iter().any(|other| other.number == node));
    let mut ended = 0;
    for document in &found {
        let Stored { node, revision, mut call } = read(document)?;
        if is_running(node) {
            continue;
        }
        call.end(Ending::Interrupted(call.time_connect.is_some()), core.clock.now());
        match core.commit(vec![put(&call, node, Some(revision))?]).await {
            Ok(_) => ended += 1,
            Err(StoreError::Conflict) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(ended)
}
