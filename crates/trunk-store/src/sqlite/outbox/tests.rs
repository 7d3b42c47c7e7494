//! How the statements of the outbox are executed. What they do is in the contract of the store.

use super::due::{DUE_OWNERS, FIRST_EVENTS, FOLLOWING_EVENTS, NEXT_DUE};
use super::queue::{DELETE_FINISHED, MARK_FIRST, UPDATE_BACKLOG};
use super::surplus::{DROP_OLDEST, OVERFULL_CUSTOMERS, WAITING_CUSTOMERS};
use super::*;
use crate::SqliteStore;
use crate::sqlite::plan::assert_seeks;

#[test]
fn no_statement_of_the_outbox_scans_the_waiting_events() {
    let store = SqliteStore::in_memory().unwrap();
    store
        .connections
        .read(|connection| {
            for (sql, index) in [
                (DUE_OWNERS, "backlog_due"),
                (FIRST_EVENTS, "outbox_turn"),
                (FOLLOWING_EVENTS, "outbox_queue"),
                (NEXT_DUE, "outbox_due"),
                (INSERT, "outbox_queue"),
                (MARK_FIRST, "outbox_queue"),
                (RECORD_ATTEMPT, "PRIMARY KEY"),
                (UPDATE_BACKLOG, "outbox_turn"),
                (DELETE_FINISHED, "outbox_over"),
                (OVERFULL_CUSTOMERS, "backlog_longest"),
                (WAITING_CUSTOMERS, "backlog"),
                (DROP_OLDEST, "outbox_oldest"),
            ] {
                assert_seeks(connection, sql, index);
            }
            Ok(())
        })
        .unwrap();
}
