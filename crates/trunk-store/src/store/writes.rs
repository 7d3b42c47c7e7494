//! Writes: transactions of changes, and resets.

use crate::answer::Answer;
use crate::change::Change;
use crate::record::Record;

/// Writes. Each is one transaction, which is durable, and whose changes are in the
/// [change feed](crate::ChangeFeed), before it is answered.
pub trait Writes: Send + Sync + std::fmt::Debug {
    /// Applies all of the changes or none of them. Returns the record of each [`Change::Insert`] and
    /// [`Change::Replace`], in the order of the changes.
    ///
    /// # Errors
    /// [`Taken`](crate::StoreError::Taken), [`Conflict`](crate::StoreError::Conflict),
    /// [`Quota`](crate::StoreError::Quota), [`Unstorable`](crate::StoreError::Unstorable),
    /// [`Overloaded`](crate::StoreError::Overloaded), or a failure of the engine.
    /// Nothing was changed then, except possibly after [`Unknown`](crate::StoreError::Unknown).
    fn commit(&self, changes: Vec<Change>) -> Answer<'_, Vec<Record>>;

    /// Deletes all records, calls and events, of one account or of all; with `accounts`, also the accounts and keys.
    /// Without an account, it also deletes the records of global types, the customers' events, and all documents but
    /// the platform's own state, customers, agents, access keys, numbers and outbound configurations.
    fn reset(&self, account: Option<i64>, accounts: bool) -> Answer<'_, ()> {
        self.reset_with(Vec::new(), account, accounts)
    }

    /// Applies changes and then resets, as [`reset`](Self::reset), in one transaction: if one of the changes fails,
    /// nothing is deleted. The changes concern records that the reset keeps, such as those that all accounts share.
    ///
    /// # Errors
    /// As [`commit`](Self::commit).
    fn reset_with(&self, changes: Vec<Change>, account: Option<i64>, accounts: bool) -> Answer<'_, ()>;
}
