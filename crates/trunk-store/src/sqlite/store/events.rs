//! Reads and writes of the outbox.

use std::time::Duration;

use didww_types::Timestamp;

use super::super::outbox;
use super::SqliteStore;
use crate::{Answer, Asker, Attempted, Backlog, Bounds, Delivery, Dropped, Due, Events, Owner, PendingEvent};

impl Events for SqliteStore {
    fn due_events(&self, due: Due) -> Answer<'_, Vec<PendingEvent>> {
        let events = self.connections.read(|connection| outbox::due(connection, due));
        Answer::ready(events.map(|events| self.event_leases.take(due, events)))
    }

    fn next_due(&self, now: Timestamp) -> Answer<'_, Option<Timestamp>> {
        Answer::ready(self.connections.read(|connection| outbox::next_due(connection, now)))
    }

    fn set_back(&self, now: Timestamp, by: Duration) -> Answer<'_, ()> {
        self.event_leases.set_back(now, by);
        Answer::later(self.connections.write(move |connection| outbox::set_back(connection, now, by)))
    }

    fn attempted(&self, node: i64, attempted: Attempted) -> Answer<'_, ()> {
        let is_holder = self.event_leases.end(node, attempted.delivery.subject);
        Answer::later(
            self.connections
                .write(move |connection| outbox::record_attempt(connection, &attempted, is_holder)),
        )
    }

    fn is_overfull(&self, most: u64) -> Answer<'_, bool> {
        Answer::ready(self.connections.read(|connection| outbox::is_overfull(connection, most)))
    }

    fn drop_surplus(&self, bounds: Bounds, most: u64) -> Answer<'_, Vec<Dropped>> {
        Answer::later(
            self.connections.write(move |connection| outbox::drop_surplus(connection, bounds, most)),
        )
    }

    fn backlog(&self, owner: Option<Owner>) -> Answer<'_, Backlog> {
        Answer::later(self.scans.read(Asker::Operator, move |connection| outbox::backlog(connection, owner)))
    }

    fn deliveries(&self, owner: Option<Owner>, limit: u64) -> Answer<'_, Vec<Delivery>> {
        Answer::later(
            self.scans.read(Asker::Operator, move |connection| outbox::deliveries(connection, owner, limit)),
        )
    }
}
