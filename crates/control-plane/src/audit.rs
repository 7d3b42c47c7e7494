//! The audit: which records were changed, by whom and when, if the server keeps one.

use axum::extract::State;
use axum::response::Response;
use didww_types::Timestamp;
use http::{StatusCode, Uri};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use service_core::audit_log::{self, AuditPage, AuditQuery};
use uuid::Uuid;

use crate::respond::{parse_query, respond};
use crate::route::Route;
use crate::{Control, ControlError};

/// Number of entries that are listed if the request has no `limit`.
const DEFAULT_ENTRIES: usize = 100;
/// Maximum number of entries in one listing.
const MAX_ENTRIES: usize = 1_000;

impl Control {
    /// Returns a page of the audit, newest first, with at most 1,000 entries. It is empty unless
    /// `[accounts] audit_months` is set.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn audit(&self, query: AuditQuery) -> Result<AuditPage, ControlError> {
        let limit = query.limit.clamp(1, MAX_ENTRIES);
        Ok(audit_log::search(&self.core, &AuditQuery { limit, ..query }).await?)
    }
}

/// The routes of the audit.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/audit", "Lists who changed which records when, newest first.", list_entries)
            .query::<Filters>()
            .answers::<Entries>(200)
            .errors(&[404, 422]),
    ]
}

/// Selects entries: those with a change that has all of the values.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Filters {
    /// The account that owns the record.
    account: Option<Uuid>,
    /// The type of the changed record.
    r#type: Option<String>,
    /// The id of the changed record.
    id: Option<Uuid>,
    /// The earliest time of an entry, inclusive.
    since: Option<Timestamp>,
    /// The `next` of the previous page.
    before: Option<i64>,
    /// Maximum number of entries, 100 by default and at most 1,000.
    limit: Option<usize>,
}

/// A page of entries, newest first.
#[derive(Serialize, JsonSchema)]
struct Entries {
    entries: Vec<Entry>,
    /// Where the next page begins; null after the oldest entry. A page before it can have fewer entries than its limit.
    next: Option<i64>,
}

/// A write, and its changes of records.
#[derive(Serialize, JsonSchema)]
struct Entry {
    /// When the write was decided, on the server's clock.
    at: Timestamp,
    by: By,
    /// The changes of records; in a list with filters, only those that match.
    changes: Vec<RecordChange>,
}

/// The actor of a write.
#[derive(Serialize, JsonSchema)]
struct By {
    /// The kind of actor: `key` for a request of the owner, `staff` for the control API, `edge` for the carrier edge,
    /// `job` for a job.
    kind: String,
    /// The id of the API key, or the kind of the job; null for other actors.
    id: Option<String>,
}

/// The change of a record.
#[derive(Serialize, JsonSchema)]
struct RecordChange {
    /// The account; null if it was deleted.
    account: Option<Uuid>,
    r#type: String,
    id: Uuid,
    /// The kind of change: `created`, `updated` or `deleted`.
    action: String,
    /// The attributes that an update changed, and the relationships that it wrote; never their values.
    members: Vec<String>,
}

async fn list_entries(State(control): State<Control>, uri: Uri) -> Response {
    let list = async {
        let Filters { account, r#type: kind, id, since, before, limit } = parse_query(&uri)?;
        let account = match account {
            Some(account) => Some(control.account(account).await?.number),
            None => None,
        };
        let limit = limit.unwrap_or(DEFAULT_ENTRIES);
        let AuditPage { entries, next } =
            control.audit(AuditQuery { account, kind, id, since, before, limit }).await?;
        let accounts = control.accounts().await?;
        let account_id =
            |number| accounts.iter().find(|account| account.number == number).map(|account| account.id);
        let entries = entries
            .into_iter()
            .map(|entry| Entry {
                at: entry.at,
                by: By { kind: entry.by.kind, id: entry.by.id },
                changes: entry
                    .changes
                    .into_iter()
                    .map(|change| RecordChange {
                        account: account_id(change.account),
                        r#type: change.kind,
                        id: change.id,
                        action: change.action,
                        members: change.members,
                    })
                    .collect(),
            })
            .collect();
        Ok((StatusCode::OK, json!(Entries { entries, next })))
    };
    respond(list.await)
}
