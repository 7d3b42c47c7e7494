//! Lets jobs write although the history of their account is full.
//!
//! An owner can fill the history with requests. This must not prevent jobs from renewing and releasing the account's
//! DIDs, or from carrying out its orders.

use didww_types::find;
use trunk_store::{Change, StoreError};

/// The changes without new records of types whose records are kept for some days only; `None` if there are no such
/// records.
pub(crate) fn without_kept(changes: &[Change]) -> Option<Vec<Change>> {
    if !changes.iter().any(is_kept) {
        return None;
    }
    let mut rest = changes.to_vec();
    rest.retain(|change| !is_kept(change));
    Some(rest)
}

fn is_kept(change: &Change) -> bool {
    matches!(change, Change::Insert { scope, .. } if scope.spec.kept_days.is_some())
}

/// Whether a write failed because an account has too many records of such a type.
pub(crate) fn is_full(error: &StoreError) -> bool {
    let StoreError::Quota { kind, .. } = error else { return false };
    find(kind).is_some_and(|spec| spec.kept_days.is_some())
}
