//! Moves of texts that an older release stored as callers and operators had sent them.

use rusqlite::{Connection, params};
use trunk_store::transfer::Place;
use trunk_store::{CallQuery, Calls, SqliteStore};
use uuid::Uuid;

use super::{Folder, lines, move_to};

/// A `Call-ID` of 64,000 characters that hardly becomes shorter when an engine compresses it.
pub(super) fn long_call_id() -> String {
    let part = |n: u128| Uuid::from_u128(n.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835));
    (1..=2_000).map(|n| part(n).simple().to_string()).collect()
}

/// A database with a row of every kind, one of whose calls has texts that PostgreSQL refuses.
pub(super) async fn strange(folder: &Folder) -> Place {
    let place = folder.full("strange.db").await;
    let connection = Connection::open(folder.path("strange.db")).unwrap();
    let update = "UPDATE call SET call_id = ?1, source = ?2 WHERE call_id IS NOT NULL";
    assert_eq!(connection.execute(update, params![long_call_id(), "1\0 2"]).unwrap(), 1);
    place
}

/// Checks that the texts were cut.
pub(super) async fn are_cut(store: &impl Calls) {
    let call_id = Some(long_call_id()[..256].to_owned());
    let found = store.calls(CallQuery { call_id, limit: 9, ..CallQuery::default() }).await.unwrap();
    assert_eq!(found.iter().map(|call| call.source.as_str()).collect::<Vec<_>>(), ["1"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_cuts_the_texts_of_calls_that_not_every_engine_can_store() {
    let folder = Folder::new();
    move_to(&strange(&folder).await, &folder.place("moved.db")).await.unwrap();
    are_cut(&SqliteStore::open(&folder.path("moved.db")).unwrap()).await;
}

/// A database with a row of every kind, in which this changes a text.
pub(super) async fn changed(folder: &Folder, name: &str, update: &str, text: &str) -> Place {
    let place = folder.full(name).await;
    let connection = Connection::open(folder.path(name)).unwrap();
    assert!(connection.execute(update, params![text]).unwrap() > 0, "{update}");
    place
}

/// A database whose events and attempts have NUL characters.
pub(super) async fn with_nul(folder: &Folder) -> Place {
    let url = "https://example.com/\0nul";
    let place = changed(folder, "nul.db", "UPDATE outbox SET url = ?1", url).await;
    let connection = Connection::open(folder.path("nul.db")).unwrap();
    assert!(connection.execute("UPDATE delivery SET url = ?1, error = ?1", params![url]).unwrap() > 0);
    place
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_leaves_out_the_nul_characters_of_events() {
    let folder = Folder::new();
    let (source, target) = (with_nul(&folder).await, folder.place("moved.db"));
    move_to(&source, &target).await.unwrap();
    let moved = lines(&folder, &target).await;
    assert!(moved.contains("https://example.com/nul") && !moved.contains("\\u0000"), "{moved}");
}
