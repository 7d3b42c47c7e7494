//! Transfers to a database on a server that a node opens: either the account that it creates is seen by the transfer,
//! or the transfer by the node.

use std::time::Duration;

use trunk_store::transfer::{Place, Source, Table, TransferError};
use trunk_store::{Accounts as _, PostgresOpenError, PostgresOptions, PostgresStore, StoreError};

use super::{Folder, call_texts, cut_off, lines, many, move_to};
use crate::support::postgres::{Database, server};
use crate::support::records::{account, key};
use crate::support::within;

fn place(database: &Database) -> Place {
    Place::parse(&database.parameters()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_to_a_server_that_was_cut_off_goes_on_and_no_node_opens_it_meanwhile() {
    let folder = Folder::new();
    let many = folder.place("many.db");
    many::fill(&folder.path("many.db"), 2_000).await;
    let database = server().empty();
    let target = place(&database);
    for rows in [0, 900, 2_050] {
        cut_off(&Source::database(&many).unwrap(), &target, rows).await;
        let refused = PostgresStore::open(PostgresOptions::new(database.parameters())).await.unwrap_err();
        assert!(matches!(refused, PostgresOpenError::Unfinished), "{refused}");
    }
    move_to(&many, &target).await.unwrap();
    assert_eq!(lines(&folder, &target).await, lines(&folder, &many).await);
    let refused = move_to(&many, &target).await.unwrap_err();
    assert!(matches!(refused, TransferError::NotEmpty { table: Table::Account, .. }), "{refused}");
    database.node(0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_with_texts_that_the_server_refuses_are_moved_to_it() {
    let folder = Folder::new();
    let database = server().empty();
    move_to(&call_texts::strange(&folder).await, &place(&database)).await.unwrap();
    call_texts::are_cut(&database.node(0).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_with_texts_that_the_server_refuses_are_moved_to_it() {
    let folder = Folder::new();
    let (source, database) = (call_texts::with_nul(&folder).await, server().empty());
    move_to(&source, &place(&database)).await.unwrap();
    assert_eq!(lines(&folder, &place(&database)).await, lines(&folder, &source).await);
    database.node(0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_of_a_text_that_the_server_refuses_names_its_row() {
    let folder = Folder::new();
    let unique = "UPDATE document_unique SET value = ?1 WHERE name = 'name' AND value = 'unique 20'";
    let long = call_texts::long_call_id();
    for (name, update, text, row) in [
        ("account.db", "UPDATE account SET name = ?1 WHERE number = 2", "a\0b", "2 (number 2, id "),
        ("document.db", unique, long.as_str(), "1 (kind 1, document "),
    ] {
        let source = call_texts::changed(&folder, name, update, text).await;
        let refused = move_to(&source, &place(&server().empty())).await.unwrap_err();
        let TransferError::Unstorable { row: named, .. } = &refused else { panic!("{name}: {refused}") };
        assert!(named.starts_with(row), "{name}: {refused}");
        assert!(!refused.to_string().contains(text), "{name}: a text can be a secret");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_opened_a_database_before_a_transfer_to_it_creates_no_account_there() {
    let folder = Folder::new();
    let full = folder.full("full.db").await;
    let database = server().empty();
    let node = database.node(0).await;
    cut_off(&Source::database(&full).unwrap(), &place(&database), 0).await;
    let refused = node.create_account(account(900, "late"), key(901, "late")).await.unwrap_err();
    assert!(matches!(&refused, StoreError::Failed(why) if why.contains("move or restore")), "{refused}");
    drop(node);
    move_to(&full, &place(&database)).await.unwrap();
    assert_eq!(lines(&folder, &place(&database)).await, lines(&folder, &full).await);
    database.node(1).await.create_account(account(900, "late"), key(901, "late")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transfer_waits_for_an_account_that_is_being_created_and_finds_it() {
    let folder = Folder::new();
    let full = folder.full("full.db").await;
    let database = server().migrated().await;
    let (creates, connection) =
        tokio_postgres::connect(&database.parameters(), tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    // As a node creates one.
    let create = "BEGIN; INSERT INTO counter (name, value) VALUES ('account', 1); \
                  INSERT INTO account (number, id, name, version, features, created_at) \
                  VALUES (1, '00000000-0000-0000-0000-000000000001', 'a', '2021-12-15', 0, 0)";
    creates.batch_execute(create).await.unwrap();
    let target = place(&database);
    let moving = move_to(&full, &target);
    tokio::pin!(moving);
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                 AND wait_event_type = 'Lock' AND query LIKE '%counter%'";
    let until_it_waits = async {
        while database.execute(waits) == "0" {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    within("waiting for the account", async {
        tokio::select! {
            biased;
            () = until_it_waits => {}
            moved = &mut moving => panic!("it did not wait: {moved:?}"),
        }
    })
    .await;
    creates.batch_execute("COMMIT").await.unwrap();
    let refused = within("the move", moving).await.unwrap_err();
    assert!(matches!(refused, TransferError::NotEmpty { table: Table::Account, .. }), "{refused}");
    assert_eq!(database.execute("SELECT count(*) FROM transfer"), "0", "nothing was begun");
}
