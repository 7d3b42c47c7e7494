//! The outbox. A stub.

use std::time::Duration;

use didww_types::Timestamp;

use super::PostgresStore;
use super::failure::Done;
use super::transaction::Transaction;
use crate::{
    Answer, Attempted, Backlog, Bounds, Delivery, Dropped, Due, Events, NewEvent, Owner, PendingEvent,
    StoreError,
};

/// Queues an event, or counts it as dropped.
pub(super) async fn insert(_transaction: &Transaction<'_>, _event: &NewEvent) -> Done<()> {
    Err(StoreError::Failed("this part is not written".to_owned()).into())
}

/// Deletes the events of one account, or of all owners.
pub(super) async fn reset(_transaction: &Transaction<'_>, _account: Option<i64>) -> Done<()> {
    Ok(())
}

fn unwritten<'a, T>() -> Answer<'a, T> {
    Answer::ready(Err(StoreError::Failed("this part is not written".to_owned())))
}

impl Events for PostgresStore {
    fn due_events(&self, _due: Due) -> Answer<'_, Vec<PendingEvent>> {
        unwritten()
    }

    fn next_due(&self, _now: Timestamp) -> Answer<'_, Option<Timestamp>> {
        unwritten()
    }

    fn set_back(&self, _now: Timestamp, _by: Duration) -> Answer<'_, ()> {
        unwritten()
    }

    fn attempted(&self, _attempted: Attempted) -> Answer<'_, ()> {
        unwritten()
    }

    fn is_overfull(&self, _most: u64) -> Answer<'_, bool> {
        unwritten()
    }

    fn drop_surplus(&self, _bounds: Bounds, _most: u64) -> Answer<'_, Vec<Dropped>> {
        unwritten()
    }

    fn backlog(&self, _owner: Option<Owner>) -> Answer<'_, Backlog> {
        unwritten()
    }

    fn deliveries(&self, _owner: Option<Owner>, _limit: u64) -> Answer<'_, Vec<Delivery>> {
        unwritten()
    }
}
