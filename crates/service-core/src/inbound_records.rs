//! Access to the records of calls to DIDs for components other than `inbound-calls`, which writes them: finding them in
//! the store, the members that exports need, and deleting them with their account.

use didww_types::Timestamp;
use serde::Deserialize;
use trunk_store::{Change, Document, DocumentKind, DocumentQuery, KeyedPage, StoreError};
use uuid::Uuid;

use crate::{AttemptError, Core, Retries};

/// The kind of the documents.
pub const KIND: DocumentKind = DocumentKind::InboundCall;
/// The index key with the account of the DID. Calls to other numbers have none.
pub const ACCOUNT: &str = "account";
/// Maximum number of records that one commit deletes. It is small because the writes of calls wait for the commit.
pub const MAX_PER_COMMIT: u64 = 100;

/// The time of creation of the document of a call that began at this time, in microseconds since 1970.
pub const fn created_at(began: Timestamp) -> i64 {
    began.as_unix_micros()
}

/// The members of a record that exports need. Members that older records lack are empty.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct InboundRecord {
    /// The id of the call.
    pub(crate) id: Uuid,
    /// The caller's number as it was received.
    pub(crate) from: String,
    /// The called number in E.164 form without the plus sign.
    pub(crate) to: String,
    /// When the call was placed.
    pub(crate) time_start: Timestamp,
    /// When a trunk's side answered.
    pub(crate) time_connect: Option<Timestamp>,
    /// When the call ended; `None` while it is in progress.
    pub(crate) time_end: Option<Timestamp>,
    /// Seconds from the answer to the end.
    pub(crate) duration: u64,
    /// The name of the group of trunks.
    pub(crate) voice_in_trunk_group_name: Option<String>,
    /// The name of the group of DIDs that share channels.
    pub(crate) shared_capacity_group_name: Option<String>,
    /// The SIP response code that the caller received.
    pub(crate) disconnect_code: Option<u16>,
    /// The side that ended the call: `caller`, `callee` or `server`.
    pub(crate) disconnect_initiator: Option<String>,
    /// Why the call ended, as a sentence.
    pub(crate) reason: Option<String>,
    /// The attempts at trunks, in their order.
    pub(crate) attempts: Vec<InboundRecordAttempt>,
}

/// The members of an attempt that exports need.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct InboundRecordAttempt {
    /// The name of the trunk at the time of the call.
    pub(crate) trunk_name: String,
    /// The caller number that was sent to the trunk.
    pub(crate) cli: String,
    /// The Request-URI of the INVITE; `None` if the trunk has no address.
    pub(crate) uri: Option<String>,
    /// The `Call-ID` of the INVITE, even if it could not be sent; `None` if the trunk was skipped.
    pub(crate) call_id: Option<String>,
    /// When the first INVITE was sent.
    pub(crate) sent_at: Option<Timestamp>,
    /// When the final response arrived.
    pub(crate) final_at: Option<Timestamp>,
    /// The code of the final response.
    pub(crate) code: Option<u16>,
    /// The reason phrase of the final response.
    pub(crate) reason_phrase: String,
    /// The outcome as a sentence.
    pub(crate) outcome: Option<String>,
}

/// The body of a document, without the node that ran the call.
#[derive(Debug, Deserialize)]
struct Body {
    call: InboundRecord,
}

/// Reads the record in a document.
///
/// # Errors
/// [`StoreError::Corrupt`] if it has none.
pub(crate) fn read(document: &Document) -> Result<InboundRecord, StoreError> {
    let Body { call } = document.read()?;
    Ok(call)
}

/// The query for a page of the records of an account, the oldest first, after this position and before this time.
pub(crate) fn page(account: Uuid, after: (i64, i64), before: Timestamp, limit: u64) -> KeyedPage {
    KeyedPage { kind: KIND, key: (ACCOUNT, account.to_string()), after, before: created_at(before), limit }
}

/// Deletes the records of all calls to DIDs of an account. Calls that are in progress end then.
///
/// # Errors
/// If the store fails.
pub async fn forget_all(core: &Core, account: Uuid) -> Result<(), StoreError> {
    // A call that ends meanwhile writes its record between the read and the deletion.
    while Retries::REQUEST.run(|| forget_some(core, account)).await? {}
    Ok(())
}

/// Deletes some of the records of calls to DIDs of an account. Returns false if there are none.
async fn forget_some(core: &Core, account: Uuid) -> Result<bool, AttemptError<StoreError>> {
    let of_account = DocumentQuery::with(KIND, ACCOUNT, account.to_string());
    let found = core.store.documents(DocumentQuery { limit: MAX_PER_COMMIT, ..of_account }).await?;
    if found.is_empty() {
        return Ok(false);
    }
    core.commit(found.iter().map(forget).collect()).await?;
    Ok(true)
}

/// The change that deletes a record, unless it changes before.
pub fn forget(document: &Document) -> Change {
    Change::Forget { kind: KIND, id: document.id, revision: document.revision }
}
