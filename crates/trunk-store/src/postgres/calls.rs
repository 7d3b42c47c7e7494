//! Records of calls, and running calls. A stub. The running calls of a node have its [`Node::number`](super::Node).

use didww_types::Timestamp;
use uuid::Uuid;

use super::PostgresStore;
use super::failure::Done;
use super::transaction::Transaction;
use crate::{Answer, CallQuery, Calls, RunningCall, RunningCalls, StoreError, StoredCall, StoredCharge};

/// Stores a call that was answered.
pub(super) async fn answered(_transaction: &Transaction<'_>, _call: &RunningCall) -> Done<()> {
    left_out()
}

/// Marks a running call as acknowledged.
pub(super) async fn acknowledged(_transaction: &Transaction<'_>, _id: Uuid) -> Done<()> {
    left_out()
}

/// Stores until when the running calls of this node are known to have been up.
pub(super) async fn step(_transaction: &Transaction<'_>, _at: Timestamp) -> Done<()> {
    left_out()
}

/// Stores the record of a call, in the place of its row as a running call.
pub(super) async fn ended(_transaction: &Transaction<'_>, _call: &StoredCall) -> Done<()> {
    left_out()
}

/// Deletes the calls of one account or of all, running ones too.
pub(super) async fn reset(_transaction: &Transaction<'_>, _account: Option<i64>) -> Done<()> {
    Ok(())
}

fn left_out<T>() -> Done<T> {
    Err(StoreError::Failed("this part is not written".to_owned()).into())
}

fn unwritten<'a, T>() -> Answer<'a, T> {
    Answer::ready(Err(StoreError::Failed("this part is not written".to_owned())))
}

impl Calls for PostgresStore {
    fn calls(&self, _query: CallQuery) -> Answer<'_, Vec<StoredCall>> {
        unwritten()
    }

    fn forget_calls(&self, _before: Timestamp, _most: u64) -> Answer<'_, u64> {
        unwritten()
    }

    fn running_calls(&self) -> Answer<'_, RunningCalls> {
        unwritten()
    }

    fn charges_since(&self, _from: Timestamp) -> Answer<'_, Vec<StoredCharge>> {
        unwritten()
    }
}
