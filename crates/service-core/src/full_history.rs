//! What a job does although the history of its account is full.
//!
//! An owner fills the history with requests, and must not keep jobs by it from renewing and releasing what the account has, nor
//! from carrying out its orders.

use didww_types::find;
use trunk_store::{Change, StoreError};

/// The changes without new records of types that keep them for some days alone; `None` if they have none.
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
