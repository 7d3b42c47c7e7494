//! The history of DIDs that staff, or orders, change. Entries are stored in the transaction of the change.

use didww_types::resources::{Did, DidHistory, DidHistoryAction, DidHistoryMethod};
use didww_types::{DecodeError, Id, Resource as _, Timestamp};
use serde_json::{Map, Value};
use service_core::Core;
use trunk_rules::domain::{DidTerms, HistoryEntry, history_of};
use trunk_store::{Change, Record, Scope, StoreError};

/// The change that stores an entry.
pub(crate) fn insert(core: &Core, account: i64, entry: HistoryEntry, at: Timestamp) -> Change {
    let HistoryEntry { attributes, meta } = entry;
    let scope = Scope { account, spec: DidHistory::SPEC };
    Change::Insert { scope, id: core.ids.record(at), created_at: at, attributes, links: Vec::new(), meta }
}

/// The changes that store the history entries of a staff change of a DID, which then has these attributes. A new DID is
/// assigned.
///
/// # Errors
/// [`StoreError::Corrupt`] if the DID does not have the shape of its declaration.
pub(crate) fn of_staff(
    core: &Core,
    scope: Scope,
    before: Option<&Record>,
    after: &Map<String, Value>,
    at: Timestamp,
) -> Result<Vec<Change>, StoreError> {
    let method = DidHistoryMethod::Staff;
    let corrupt = |error: DecodeError| StoreError::Corrupt(format!("a DID: {error}"));
    let number = after.get("number").and_then(Value::as_str).unwrap_or_default();
    let entries = match before {
        None => vec![HistoryEntry::new(number, &DidHistoryAction::Assigned, &method, at)],
        Some(before) => {
            let text = Value::Object(after.clone()).to_string();
            let id = before.id.to_string();
            let read =
                |attributes: &str| Did::from_texts(Id::new(id.as_str()), attributes, None).map_err(corrupt);
            let (before, after) = (DidTerms::of(&read(&before.attributes)?), DidTerms::of(&read(&text)?));
            history_of(number, before, after, &method, at)
        }
    };
    Ok(entries.into_iter().map(|entry| insert(core, scope.account, entry, at)).collect())
}
