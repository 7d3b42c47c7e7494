//! The texts that every engine can store.
//!
//! PostgreSQL refuses a NUL character in a text, and an entry of an index that is longer than some 2,700 bytes. It does
//! so in the middle of a transaction, and does not name the text. `SQLite` accepts both, but a database in a file can be
//! moved to PostgreSQL. So each engine refuses such texts before a transaction begins.

use crate::account::Account;
use crate::index::{IndexEntry, IndexValue};
use crate::outbox::{EventForm, NewEvent};
use crate::{Change, NewDocument, StoreError, StoredCall};

/// The longest text that something can be found by, in bytes: with the other columns of its index, it is well below
/// the limit of PostgreSQL.
const MAX_INDEXED_BYTES: usize = 2_048;

const HAS_NUL: &str = "contains a NUL character";
const IS_TOO_LONG: &str = "has more than 2048 bytes";

/// Checks the texts of a change. `gained` are the index entries that its record gains: those of records are stored as
/// bytes, and may contain any character.
///
/// # Errors
/// [`StoreError::Unstorable`].
pub(crate) fn check(change: &Change, gained: &[IndexEntry]) -> Result<(), StoreError> {
    for entry in gained {
        if let IndexValue::Text(text) = &entry.value {
            check_length(entry.path.split('@').next().unwrap_or_default(), text)?;
        }
    }
    match change {
        Change::Insert { meta: Some(meta), .. } | Change::Replace { meta: Some(meta), .. } => {
            check_characters("meta", meta)
        }
        Change::Put { document, .. } => check_document(document),
        Change::Call(call) => check_call(call),
        Change::Answered(call) => check_characters("attributes", &call.attributes),
        Change::Emit(event) => check_event(event),
        Change::Schedule { job, .. } => {
            check_characters("subject", &job.subject)?;
            check_characters("payload", &job.payload)
        }
        Change::Reschedule { payload: Some(payload), .. } => check_characters("payload", payload),
        _ => Ok(()),
    }
}

/// Checks the texts of an account.
///
/// # Errors
/// [`StoreError::Unstorable`].
pub(crate) fn check_account(account: &Account) -> Result<(), StoreError> {
    check_indexed("name", &account.name)
}

fn check_document(document: &NewDocument) -> Result<(), StoreError> {
    if document.keyed {
        // A deleted document loses its keys, which an older release may have stored with any text.
        let keys: &[(&'static str, String)] = if document.deleted { &[] } else { &document.keys };
        for &(name, ref value) in keys.iter().chain(&document.unique) {
            check_indexed(name, value)?;
        }
    }
    check_characters("body", &document.body)
}

fn check_call(call: &StoredCall) -> Result<(), StoreError> {
    if let Some(call_id) = &call.call_id {
        check_indexed("call_id", call_id)?;
    }
    check_characters("source", &call.source)?;
    check_characters("destination", &call.destination)?;
    check_characters("price", &call.price)?;
    check_characters("attributes", &call.attributes)
}

fn check_event(event: &NewEvent) -> Result<(), StoreError> {
    if let EventForm::Webhook { method, signature, .. } = &event.form {
        check_characters("method", method)?;
        check_characters("signature", signature.as_deref().unwrap_or_default())?;
    }
    check_characters("url", &event.url)?;
    check_characters("body", &event.body)
}

/// Checks a text that something is found by.
///
/// # Errors
/// [`StoreError::Unstorable`].
pub(crate) fn check_indexed(what: &'static str, text: &str) -> Result<(), StoreError> {
    check_length(what, text)?;
    check_characters(what, text)
}

fn check_length(what: &'static str, text: &str) -> Result<(), StoreError> {
    if text.len() > MAX_INDEXED_BYTES {
        return Err(StoreError::Unstorable { what, flaw: IS_TOO_LONG });
    }
    Ok(())
}

/// Checks the characters of a text.
///
/// # Errors
/// [`StoreError::Unstorable`].
pub(crate) fn check_characters(what: &'static str, text: &str) -> Result<(), StoreError> {
    if text.contains('\0') { Err(StoreError::Unstorable { what, flaw: HAS_NUL }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_names_the_limit() {
        assert!(IS_TOO_LONG.contains(&MAX_INDEXED_BYTES.to_string()));
        assert_eq!(check_indexed("name", &"x".repeat(MAX_INDEXED_BYTES)), Ok(()));
        let refused = check_indexed("name", &"x".repeat(MAX_INDEXED_BYTES + 1)).unwrap_err();
        assert_eq!(refused.to_string(), "`name` has more than 2048 bytes");
    }
}
