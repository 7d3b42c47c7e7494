//! The records of calls in the store: a document each, which is live until the call has ended.

use std::sync::Arc;

use didww_types::Timestamp;
use serde::{Deserialize, Serialize};
use service_core::Core;
use service_core::inbound_records::{ACCOUNT, KIND, MAX_PER_COMMIT, created_at, forget};
use service_core::interrupted::{Runners, end_calls};
use service_core::jobs::JobSet;
use service_core::retention::retention;
use trunk_rules::inbound::Ending;
use trunk_store::{Aged, Change, Document, DocumentQuery, NewDocument, StoreError};
use uuid::Uuid;

use crate::live_calls::LiveCalls;
use crate::record::InboundCall;
use crate::request::InboundQuery;

/// The name of the job that deletes old records.
const DELETE_OLD: &str = "inbound_calls.delete_old";

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

fn read(document: &Document) -> Result<Stored, StoreError> {
    let Body { node, call } = document.read()?;
    Ok(Stored { node, revision: document.revision, call })
}

/// The change that writes a call: a new one without a `revision`, else one whose stored revision must be this.
///
/// # Errors
/// If the call cannot be written as JSON, which does not happen.
pub(crate) fn put(call: &InboundCall, node: i64, revision: Option<i64>) -> Result<Change, StoreError> {
    let body = serde_json::to_string(&BodyOf { node, call })
        .map_err(|error| StoreError::Failed(format!("inbound call {}: {error}", call.id)))?;
    let document = NewDocument {
        kind: KIND,
        id: call.id,
        customer: call.account.unwrap_or_default(),
        created_at: created_at(call.time_start),
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

/// The revision of the record of a call that has not ended; `None` if it has, or if there is none.
///
/// # Errors
/// As of [`find`].
pub(crate) async fn live_revision(core: &Core, id: Uuid) -> Result<Option<i64>, StoreError> {
    let live = find(core, id).await?.filter(|stored| stored.call.time_end.is_none());
    Ok(live.map(|stored| stored.revision))
}

/// Calls, newest first.
///
/// # Errors
/// As of [`find`].
pub(crate) async fn list(core: &Core, query: &InboundQuery) -> Result<Vec<InboundCall>, StoreError> {
    let before = query.before.map_or(i64::MAX, created_at);
    let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
    let documents = match query.account {
        // There is no index of both conditions: few calls are live in all accounts together.
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
    let is_selected = |call: &Result<InboundCall, StoreError>| match call {
        Ok(call) => query.account.is_none() || call.account == query.account,
        Err(_) => true,
    };
    calls.filter(is_selected).take(limit).collect()
}

/// The job that deletes old records.
pub(crate) fn jobs(core: &Core, keep_months: u32) -> JobSet {
    retention(&core.clock, DELETE_OLD, keep_months, delete_some)
}

/// Deletes some of the records of ended calls that were placed before this time, and returns their number.
async fn delete_some(core: Arc<Core>, before: Timestamp) -> Result<u64, StoreError> {
    let aged =
        Aged { kind: KIND, deleted: false, from: 0, before: created_at(before), limit: MAX_PER_COMMIT };
    let found = core.store.aged_documents(aged).await?;
    if found.is_empty() {
        return Ok(0);
    }
    core.commit(found.iter().map(forget).collect()).await?;
    Ok(u64::try_from(found.len()).unwrap_or_default())
}

/// Ends the records of calls that were in progress when an earlier process of the server was killed, or another node of
/// the database, and of those that this node does not run although the database has them: it did not confirm the write
/// in time. Returns their number.
///
/// # Errors
/// If the store cannot be read or written.
pub(crate) async fn end_interrupted(core: &Core, live: &LiveCalls) -> Result<usize, StoreError> {
    end_calls(core, KIND, |document: &Document, runners: &Runners| {
        let Stored { node, revision, mut call } = read(document)?;
        // A call keeps its slot until its end is written.
        if live.has(call.id) || runners.is_other(node) {
            return Ok(None);
        }
        let is_answered = call.time_connect.is_some();
        let ending = if runners.is_own(node) {
            Ending::Unconfirmed(is_answered)
        } else {
            Ending::Interrupted(is_answered)
        };
        call.end(ending, core.clock.now());
        Ok(Some(vec![put(&call, node, Some(revision))?]))
    })
    .await
}

#[cfg(test)]
mod tests {
    use service_base::clock::Clock;
    use service_base::descriptors::Descriptors;
    use service_base::guessing::GuessLimits;
    use service_base::ids::Ids;
    use service_core::Outbox;
    use service_core::inbound_records::forget_all;
    use trunk_store::SqliteStore;

    use super::*;
    use crate::record::InboundStatus;

    const ACCOUNTS: [Uuid; 2] = [Uuid::from_u128(7), Uuid::from_u128(8)];
    const END: Ending = Ending::CalleeHungUp;

    fn core() -> Arc<Core> {
        let store = Arc::new(SqliteStore::in_memory().unwrap());
        let (clock, guesses) = (Clock::system(), GuessLimits::default());
        Arc::new(Core::new(
            store,
            clock,
            Ids::seeded(1),
            Outbox::new(false),
            Descriptors::new(1_024),
            guesses,
        ))
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_unix_millis(second * 1_000)
    }

    /// A call of this second, which is also its id.
    fn call(second: i64, account: Uuid) -> InboundCall {
        let id = Uuid::from_u128(u128::try_from(second).unwrap());
        let mut call = InboundCall::new(id, "1".to_owned(), "2".to_owned(), at(second));
        call.account = Some(account);
        call
    }

    fn over(mut call: InboundCall) -> InboundCall {
        call.end(END, call.time_start);
        call
    }

    async fn store(core: &Core, calls: &[InboundCall]) {
        let puts = calls.iter().map(|call| put(call, 0, None).unwrap()).collect();
        core.commit(puts).await.unwrap();
    }

    /// The seconds of the calls that a query finds.
    async fn found(core: &Core, query: InboundQuery) -> Vec<i64> {
        let calls = list(core, &query).await.unwrap();
        calls.iter().map(|call| call.time_start.as_unix_millis() / 1_000).collect()
    }

    #[tokio::test]
    async fn calls_are_listed_newest_first_by_account_by_time_and_while_they_are_live() {
        let core = core();
        let [one, other] = ACCOUNTS;
        store(&core, &[call(1, one), over(call(2, other)), call(3, other), over(call(4, one))]).await;
        let all = InboundQuery { limit: 10, ..InboundQuery::default() };
        assert_eq!(found(&core, all).await, [4, 3, 2, 1]);
        assert_eq!(found(&core, InboundQuery { limit: 2, ..all }).await, [4, 3]);
        assert_eq!(found(&core, InboundQuery { before: Some(at(3)), ..all }).await, [2, 1]);
        assert_eq!(found(&core, InboundQuery { account: Some(one), ..all }).await, [4, 1]);
        assert_eq!(found(&core, InboundQuery { live: true, ..all }).await, [3, 1]);
        assert_eq!(found(&core, InboundQuery { live: true, account: Some(other), ..all }).await, [3]);
    }

    #[tokio::test]
    async fn a_call_that_was_live_when_the_server_was_killed_has_ended() {
        let core = core();
        let mut answered = call(2, ACCOUNTS[0]);
        answered.time_connect = Some(at(2));
        store(&core, &[call(1, ACCOUNTS[0]), answered, over(call(3, ACCOUNTS[0]))]).await;
        let live = LiveCalls::new(9);
        assert_eq!(end_interrupted(&core, &live).await, Ok(2));
        assert_eq!(end_interrupted(&core, &live).await, Ok(0));
        for (number, code) in [(1, 500), (2, 200), (3, 200)] {
            let stored = find(&core, Uuid::from_u128(number)).await.unwrap().unwrap().call;
            assert_eq!(
                (stored.status, stored.disconnect_code),
                (InboundStatus::Ended, Some(code)),
                "{number}"
            );
        }
    }

    #[tokio::test]
    async fn a_call_that_this_process_runs_has_not_ended() {
        let core = core();
        let (first, second) = (call(1, ACCOUNTS[0]), call(2, ACCOUNTS[0]));
        store(&core, &[first.clone(), second]).await;
        let live = Arc::new(LiveCalls::new(9));
        let slot = live.reserve(first.id).unwrap();
        assert_eq!(end_interrupted(&core, &live).await, Ok(1));
        assert!(live_revision(&core, first.id).await.unwrap().is_some());
        drop(slot);
        assert_eq!(end_interrupted(&core, &live).await, Ok(1));
    }

    #[tokio::test]
    async fn the_revision_of_a_call_is_that_of_its_last_write_until_it_has_ended() {
        let core = core();
        let call = call(1, ACCOUNTS[0]);
        assert_eq!(live_revision(&core, call.id).await, Ok(None));
        store(&core, std::slice::from_ref(&call)).await;
        let first = live_revision(&core, call.id).await.unwrap().unwrap();
        core.commit(vec![put(&call, 0, Some(first)).unwrap()]).await.unwrap();
        let second = live_revision(&core, call.id).await.unwrap().unwrap();
        assert!(second > first, "{second}");
        core.commit(vec![put(&over(call.clone()), 0, Some(second)).unwrap()]).await.unwrap();
        assert_eq!(live_revision(&core, call.id).await, Ok(None));
    }

    #[tokio::test]
    async fn more_calls_than_a_commit_deletes_are_deleted_by_further_ones() {
        let core = core();
        let calls = |seconds: std::ops::RangeInclusive<i64>| -> Vec<InboundCall> {
            seconds.map(|second| over(call(second, ACCOUNTS[0]))).collect()
        };
        store(&core, &calls(1..=101)).await;
        assert_eq!(delete_some(Arc::clone(&core), at(1_000)).await, Ok(MAX_PER_COMMIT));
        assert_eq!(delete_some(Arc::clone(&core), at(1_000)).await, Ok(1));
        store(&core, &calls(201..=301)).await;
        let all = InboundQuery { limit: 200, ..InboundQuery::default() };
        assert_eq!(found(&core, all).await.len(), 101);
        forget_all(&core, ACCOUNTS[0]).await.unwrap();
        assert_eq!(found(&core, all).await.len(), 0);
    }

    #[tokio::test]
    async fn old_calls_are_deleted_once_they_have_ended_and_those_of_an_account_with_it() {
        let core = core();
        let [one, other] = ACCOUNTS;
        store(&core, &[over(call(1, one)), call(2, one), over(call(3, one)), over(call(4, other))]).await;
        assert_eq!(delete_some(Arc::clone(&core), at(3)).await, Ok(1));
        assert_eq!(delete_some(Arc::clone(&core), at(3)).await, Ok(0));
        let all = InboundQuery { limit: 10, ..InboundQuery::default() };
        assert_eq!(found(&core, all).await, [4, 3, 2]);
        forget_all(&core, one).await.unwrap();
        assert_eq!(found(&core, all).await, [4]);
    }
}
