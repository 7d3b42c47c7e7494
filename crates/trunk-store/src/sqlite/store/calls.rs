//! Reads of calls: lists of records are long reads; running calls and charges are read on the caller's thread.

use didww_types::Timestamp;
use uuid::Uuid;

use super::super::{calls, running};
use super::SqliteStore;
use crate::{Answer, Asker, CallQuery, Calls, NodeCall, RunningCalls, StoredCall, StoredCharge};

impl Calls for SqliteStore {
    fn calls(&self, query: CallQuery) -> Answer<'_, Vec<StoredCall>> {
        Answer::later(self.scans.read(Asker::Operator, move |connection| calls::list(connection, &query)))
    }

    fn calls_after(&self, query: CallQuery, number: i64) -> Answer<'_, Vec<(i64, StoredCall)>> {
        Answer::later(
            self.scans
                .read(Asker::Operator, move |connection| calls::select(connection, &query, Some(number))),
        )
    }

    fn forget_calls(&self, before: Timestamp, most: u64) -> Answer<'_, u64> {
        Answer::later(
            self.connections.write(move |connection| calls::delete_oldest(connection, before, most)),
        )
    }

    fn running_calls(&self) -> Answer<'_, RunningCalls> {
        Answer::ready(self.connections.read(running::list))
    }

    fn calls_of_others(&self, _id: Option<Uuid>) -> Answer<'_, Vec<NodeCall>> {
        Answer::ready(Ok(Vec::new()))
    }

    fn charges_since(&self, from: Timestamp) -> Answer<'_, Vec<StoredCharge>> {
        Answer::ready(self.connections.read(|connection| calls::charges_since(connection, from)))
    }
}
