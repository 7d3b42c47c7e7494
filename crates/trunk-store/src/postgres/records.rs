//! Records.

use super::failure::Done;
use super::transaction::Transaction;

/// Deletes the records of one account or of all.
pub(super) async fn reset(_transaction: &Transaction<'_>, _account: Option<i64>) -> Done<()> {
    Ok(())
}
