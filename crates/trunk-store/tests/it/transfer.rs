//! Transfers: backups, restores and moves between engines. Every line of a backup after its head is compared.

#[cfg(feature = "postgres")]
mod beginning;
mod call_texts;
mod contents;
mod many;

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::json;
use tempfile::TempDir;
use tokio::sync::Notify;
use trunk_store::account::Account;
use trunk_store::transfer::{
    Phase, Place, Source, Step, Table, Total, TransferError, transfer, write_backup,
};
use trunk_store::{
    Accounts as _, Due, Engine as _, OpenError, SqliteStore, StoreError, TakeJobs, Writes as _,
};

use crate::support::records::{account, did, dids, everything, id, insert, key, trunk, trunks};
use contents::{at, fill};

/// A folder for databases and backups.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn place(&self, name: &str) -> Place {
        Place::File(self.path(name))
    }

    /// A database with a row of every kind, which no process has open.
    async fn full(&self, name: &str) -> Place {
        let store = SqliteStore::open(&self.path(name)).unwrap();
        fill(&store).await;
        store.close().await.unwrap();
        self.place(name)
    }
}

fn ignore(_: Step) {}

async fn back_up(place: &Place, file: &Path) -> Result<Vec<Total>, TransferError> {
    write_backup(&Source::database(place)?, file, &mut ignore).await
}

async fn restore(file: &Path, target: &Place) -> Result<Vec<Total>, TransferError> {
    transfer(&Source::backup(file, &mut ignore)?, target, &mut ignore).await
}

async fn move_to(source: &Place, target: &Place) -> Result<Vec<Total>, TransferError> {
    transfer(&Source::idle_database(source).await?, target, &mut ignore).await
}

/// The lines of a backup of a database behind the head.
async fn lines(folder: &Folder, place: &Place) -> String {
    let file = folder.path("lines.backup");
    back_up(place, &file).await.unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::remove_file(file).unwrap();
    text.split_once('\n').unwrap().1.to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_database_is_the_same_after_a_backup_and_a_restore() {
    let folder = Folder::new();
    let full = folder.full("full.db").await;
    let before = lines(&folder, &full).await;
    let file = folder.path("full.backup");
    let backed_up = back_up(&full, &file).await.unwrap();
    let tables: Vec<Table> = backed_up.iter().map(|total| total.table).collect();
    assert_eq!(tables, Table::ALL, "the test has a row of every kind");
    let mode = file.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "it has secrets");
    let restored = folder.place("restored.db");
    assert_eq!(restore(&file, &restored).await.unwrap(), backed_up);
    assert!(!folder.path("full.backup.partial").exists());
    assert!(!folder.path("restored.db-wal").exists(), "the log is folded into the database");
    assert_eq!(lines(&folder, &restored).await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_database_serves_as_the_one_before_it() {
    let folder = Folder::new();
    let full = folder.full("full.db").await;
    back_up(&full, &folder.path("full.backup")).await.unwrap();
    restore(&folder.path("full.backup"), &folder.place("restored.db")).await.unwrap();
    let store = SqliteStore::open(&folder.path("restored.db")).unwrap();
    assert_eq!(store.missing_commits(), None);
    serves_as_before(&store).await;
}

/// Reads derived data: the index, uniqueness, counts, queues and counters.
async fn serves_as_before(store: &impl trunk_store::Store) {
    let listed = store.list(everything(trunks(1))).await.unwrap();
    assert_eq!((listed.total, listed.records.len()), (2, 2));
    let taken = store.commit(vec![insert(trunks(1), id(70), trunk("first", &json!({})))]).await;
    assert_eq!(taken.unwrap_err(), StoreError::Taken("name".to_owned()), "unique in the account");
    let taken = store.commit(vec![insert(dids(2), id(70), did("37061498221", &json!({})))]).await;
    assert_eq!(taken.unwrap_err(), StoreError::Taken("number".to_owned()), "unique among all accounts");
    let due = Due { node: 1, now: at(1_000_000), until: at(1_001_000), limit: 10, of_owner: 10 };
    let bodies: Vec<String> =
        store.due_events(due).await.unwrap().into_iter().map(|event| event.event.body).collect();
    assert_eq!(bodies, ["repeated", "behind it", "webhook"]);
    let backlog = store.backlog(None).await.unwrap();
    assert_eq!((backlog.waiting, backlog.dropped), (3, 1));
    let take = TakeJobs { node: 1, now: at(1_000_000), until: at(1_001_000), kinds: vec![("test", 10)] };
    assert_eq!(store.take_jobs(take).await.unwrap().len(), 2, "no node holds a job any more");
    let created = store.create_account(account(300, "later"), key(301, "later")).await.unwrap();
    assert_eq!(created.number, 4, "the number of the deleted account is not given again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_in_use_is_backed_up_and_not_moved() {
    let folder = Folder::new();
    let store = SqliteStore::open(&folder.path("used.db")).unwrap();
    fill(&store).await;
    let used = folder.place("used.db");
    let in_use = move_to(&used, &folder.place("moved.db")).await.unwrap_err();
    assert!(matches!(in_use, TransferError::Open(OpenError::InUse { .. })), "{in_use}");
    assert!(!folder.path("moved.db").exists());
    let file = folder.path("used.backup");
    back_up(&used, &file).await.unwrap();
    let exists = back_up(&used, &file).await.unwrap_err().to_string();
    assert!(exists.ends_with("exists; name a new file for the backup, or delete this one first"), "{exists}");
    let in_use = restore(&file, &used).await.unwrap_err();
    assert!(matches!(in_use, TransferError::Open(OpenError::InUse { .. })), "{in_use}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_write_during_a_backup_is_wholly_in_it_or_not_at_all() {
    let folder = Folder::new();
    let store = SqliteStore::open(&folder.path("busy.db")).unwrap();
    store.create_account(account(100, "one"), key(101, "one")).await.unwrap();
    let pair = |number: u128| {
        vec![
            insert(trunks(1), id(2 * number), trunk(&format!("trunk {number}"), &json!({}))),
            insert(dids(1), id(2 * number + 1), did(&format!("3706149{number:04}"), &json!({}))),
        ]
    };
    let begun = Notify::new();
    let write = async {
        for number in 1.. {
            store.commit(pair(number)).await.unwrap();
            begun.notify_one();
        }
    };
    let back_up_often = async {
        let mut sizes = Vec::new();
        for round in 0..8 {
            begun.notified().await;
            let file = folder.path(&format!("{round}.backup"));
            let totals = back_up(&folder.place("busy.db"), &file).await.unwrap();
            let records = totals.iter().find(|total| total.table == Table::Record).unwrap().rows;
            assert_eq!(records % 2, 0, "half of a write");
            sizes.push(records);
        }
        sizes
    };
    let sizes = tokio::select! {
        () = write => unreachable!(),
        sizes = back_up_often => sizes,
    };
    assert!(sizes.is_sorted() && sizes[0] < sizes[7], "writes went on: {sizes:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_that_has_something_is_refused_and_unchanged() {
    let folder = Folder::new();
    let full = folder.full("full.db").await;
    let other = folder.place("other.db");
    let store = SqliteStore::open(&folder.path("other.db")).unwrap();
    store.create_account(account(100, "theirs"), key(101, "theirs")).await.unwrap();
    store.close().await.unwrap();
    let before = lines(&folder, &other).await;
    let refused = move_to(&full, &other).await.unwrap_err();
    assert!(matches!(refused, TransferError::NotEmpty { table: Table::Account, .. }), "{refused}");
    assert_eq!(lines(&folder, &other).await, before);
    assert!(SqliteStore::open(&folder.path("other.db")).is_ok(), "it is served as before");
    let missing = move_to(&folder.place("nothing.db"), &folder.place("new.db")).await.unwrap_err();
    assert!(matches!(missing, TransferError::Missing { .. }), "{missing}");
    assert!(!folder.path("nothing.db").exists(), "a misspelt source is not created");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_of_an_older_release_is_refused_as_a_target_and_not_brought_up_to_date() {
    let folder = Folder::new();
    let full = folder.full("full.db").await;
    let older = folder.path("older.db");
    std::fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/databases/0.1.0.sqlite"), &older)
        .unwrap();
    let before = std::fs::read(&older).unwrap();
    let refused = move_to(&full, &folder.place("older.db")).await.unwrap_err();
    assert!(matches!(refused, TransferError::NotEmpty { table: Table::Account, .. }), "{refused}");
    assert!(std::fs::read(&older).unwrap() == before, "it is the same byte for byte");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_in_the_place_of_a_deleted_database_lacks_none_of_its_commits() {
    let folder = Folder::new();
    let lost = folder.full("lost.db").await;
    let file = folder.path("lost.backup");
    back_up(&lost, &file).await.unwrap();
    std::fs::remove_file(folder.path("lost.db")).unwrap();
    assert!(folder.path("lost.db-commits").exists(), "the note is left");
    restore(&file, &lost).await.unwrap();
    let store = SqliteStore::open(&folder.path("lost.db")).unwrap();
    assert_eq!(store.missing_commits(), None);
}

/// Stops a transfer after some of its rows were written, as a kill does: nothing is done in order.
async fn cut_off(source: &Source, target: &Place, rows: u64) {
    let cut = Notify::new();
    let mut report = |step: Step| {
        if step.phase == Phase::Copy && step.done >= rows {
            cut.notify_one();
        }
    };
    tokio::select! {
        biased;
        () = cut.notified() => {}
        ended = transfer(source, target, &mut report) => panic!("it was not cut off: {ended:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transfer_that_was_cut_off_goes_on_and_no_server_opens_its_target_meanwhile() {
    let folder = Folder::new();
    let many = folder.place("many.db");
    many::fill(&folder.path("many.db"), 3_000).await;
    let (target, file) = (folder.place("target.db"), folder.path("many.backup"));
    back_up(&many, &file).await.unwrap();
    for rows in [0, 1, 1_200, 3_100] {
        let source = Source::backup(&file, &mut ignore).unwrap();
        cut_off(&source, &target, rows).await;
        let refused = SqliteStore::open(&folder.path("target.db")).unwrap_err();
        assert!(matches!(refused, OpenError::Unfinished { .. }), "{refused}");
        let refused = back_up(&target, &folder.path("half.backup")).await.unwrap_err();
        assert!(matches!(refused, TransferError::Unfinished { .. }), "{refused}");
    }
    // The same rows from another source.
    move_to(&many, &target).await.unwrap();
    assert_eq!(lines(&folder, &target).await, lines(&folder, &many).await);
    SqliteStore::open(&folder.path("target.db")).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transfer_does_not_go_on_from_a_source_that_changed() {
    let folder = Folder::new();
    many::fill(&folder.path("many.db"), 1_000).await;
    let (many, target) = (folder.place("many.db"), folder.place("target.db"));
    let source = Source::database(&many).unwrap();
    cut_off(&source, &target, 1_000).await;
    let store = SqliteStore::open(&folder.path("many.db")).unwrap();
    let first = Arc::clone(&store.accounts().await.unwrap()[0]);
    let renamed = Account { name: "renamed".to_owned(), ..(*first).clone() };
    store.save_account(first, renamed).await.unwrap();
    store.close().await.unwrap();
    let changed = move_to(&many, &target).await.unwrap_err();
    assert!(matches!(changed, TransferError::SourceChanged { table: Table::Record, .. }), "{changed}");
    let empty = folder.place("empty.db");
    SqliteStore::open(&folder.path("empty.db")).unwrap().close().await.unwrap();
    let changed = move_to(&empty, &target).await.unwrap_err();
    assert!(matches!(changed, TransferError::SourceChanged { table: Table::Record, .. }), "{changed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_that_was_altered_is_refused_by_the_name_of_the_row() {
    let folder = Folder::new();
    let full = folder.full("full.db").await;
    let file = folder.path("full.backup");
    back_up(&full, &file).await.unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    let all: Vec<&str> = text.lines().collect();
    let without = |index: usize| {
        let kept = all.iter().enumerate().filter(|(at, _)| *at != index).map(|(_, line)| format!("{line}\n"));
        kept.collect::<String>()
    };
    let joined = |lines: &[&str]| lines.join("\n") + "\n";
    let altered = [
        // The second account has another name; the third line is the second account.
        (text.replacen("account two", "account too", 1), "line 3, row 2 of the table account"),
        (without(2), "line 3, row 1 of the table api_key"),
        (without(all.len() - 1), "line"),
        (text.replacen("\"revision\":0", "\"revision\": 0", 1), "of the table record"),
        (text.replacen("\"revision\":0", "\"revision\":\"0\"", 1), "of the table record"),
        (text[..text.len() / 2].to_owned(), "line"),
        (joined(&all[..5]), "line 6, after row"),
        (text.replacen("\"engine\":\"sqlite\"", "\"engine\": \"sqlite\"", 1), "line 1"),
        (format!("{text}\n"), "line"),
        (
            text.replacen(
                "\"end\":[{\"table\":\"account\",\"rows\":2",
                "\"end\":[{\"table\":\"account\",\"rows\":3",
                1,
            ),
            "line",
        ),
        ("no backup\n".to_owned(), "line 1: it is not a backup of trunk-server"),
        (String::new(), "line 1: the file is truncated"),
    ];
    for (number, (altered, at)) in altered.into_iter().enumerate() {
        assert_ne!(altered, text, "{number}");
        let broken = folder.path("altered.backup");
        std::fs::write(&broken, altered).unwrap();
        let refused = restore(&broken, &folder.place("new.db")).await.unwrap_err();
        assert!(matches!(refused, TransferError::Damaged { .. }), "{number}: {refused}");
        assert!(refused.to_string().contains(at), "{number}: {refused}");
        assert!(!refused.to_string().contains("secret"), "{refused}");
        assert!(!folder.path("new.db").exists(), "{number}: the target is not created");
    }
    let newer = text.replacen("\"version\":1", "\"version\":2", 1);
    std::fs::write(&file, newer).unwrap();
    let refused = restore(&file, &folder.place("new.db")).await.unwrap_err().to_string();
    assert!(refused.contains("has format 2, and this trunk-server reads formats up to 1"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_that_was_killed_leaves_a_file_that_the_next_one_replaces() {
    let folder = Folder::new();
    let full = folder.full("full.db").await;
    let partial = folder.path("full.backup.partial");
    std::fs::write(&partial, "half of a backup, which is longer than nothing").unwrap();
    std::fs::set_permissions(&partial, std::fs::Permissions::from_mode(0o644)).unwrap();
    let file = folder.path("full.backup");
    back_up(&full, &file).await.unwrap();
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!partial.exists());
    restore(&file, &folder.place("restored.db")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_writes_through_no_link_and_to_no_file_that_another_one_writes() {
    let folder = Folder::new();
    let full = folder.full("full.db").await;
    let (file, partial) = (folder.path("full.backup"), folder.path("full.backup.partial"));
    let other = folder.path("other");
    std::fs::write(&other, "kept").unwrap();

    std::os::unix::fs::symlink(&other, &partial).unwrap();
    let refused = back_up(&full, &file).await.unwrap_err().to_string();
    assert!(refused.contains("full.backup.partial exists already, and is not a file"), "{refused}");
    std::fs::remove_file(&partial).unwrap();

    std::fs::hard_link(&other, &partial).unwrap();
    let writes = std::fs::File::open(&partial).unwrap();
    writes.lock().unwrap();
    let refused = back_up(&full, &file).await.unwrap_err().to_string();
    assert!(refused.contains("another backup writes"), "{refused}");
    drop(writes);
    back_up(&full, &file).await.unwrap();
    assert_eq!(std::fs::read_to_string(&other).unwrap(), "kept", "it was not written again");

    std::os::unix::fs::symlink(folder.path("nowhere"), folder.path("link.backup")).unwrap();
    let refused = back_up(&full, &folder.path("link.backup")).await.unwrap_err();
    assert!(matches!(refused, TransferError::Exists { .. }), "{refused}");
    assert!(!folder.path("nowhere").exists());
}

/// The backup of a full database in the first format. `UPDATE_BACKUP=1` writes it, as long as that is the format.
const FIRST_FORMAT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/databases/format-1.backup");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_of_the_first_format_is_restored_row_by_row() {
    let folder = Folder::new();
    let file = PathBuf::from(FIRST_FORMAT);
    if std::env::var_os("UPDATE_BACKUP").is_some() {
        std::fs::remove_file(&file).ok();
        back_up(&folder.full("full.db").await, &file).await.unwrap();
    }
    restore(&file, &folder.place("restored.db")).await.unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    assert_eq!(lines(&folder, &folder.place("restored.db")).await, text.split_once('\n').unwrap().1);
    serves_as_before(&SqliteStore::open(&folder.path("restored.db")).unwrap()).await;
}

#[cfg(feature = "postgres")]
mod postgresql {
    use super::*;
    use crate::support::postgres::{Database, server};

    fn place(database: &Database) -> Place {
        Place::parse(&database.parameters()).unwrap()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_full_database_is_the_same_after_a_move_to_a_server_and_back() {
        let folder = Folder::new();
        let full = folder.full("full.db").await;
        let database = server().empty();
        let moved = move_to(&full, &place(&database)).await.unwrap();
        assert_eq!(lines(&folder, &place(&database)).await, lines(&folder, &full).await);
        let back = folder.place("back.db");
        assert_eq!(move_to(&place(&database), &back).await.unwrap(), moved);
        assert_eq!(lines(&folder, &back).await, lines(&folder, &full).await);
        serves_as_before(&database.node(0).await).await;
        serves_as_before(&SqliteStore::open(&folder.path("back.db")).unwrap()).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_was_written_on_a_server_is_the_same_in_a_file_and_on_another_one() {
        let folder = Folder::new();
        let database = server().migrated().await;
        let store = database.node(0).await;
        fill(&store).await;
        let before = lines(&folder, &place(&database)).await;
        store.close().await.unwrap();
        let file = folder.path("server.backup");
        back_up(&place(&database), &file).await.unwrap();
        restore(&file, &folder.place("file.db")).await.unwrap();
        assert_eq!(lines(&folder, &folder.place("file.db")).await, before);
        let other = server().empty();
        move_to(&folder.place("file.db"), &place(&other)).await.unwrap();
        assert_eq!(lines(&folder, &place(&other)).await, before);
        serves_as_before(&SqliteStore::open(&folder.path("file.db")).unwrap()).await;
        serves_as_before(&other.node(0).await).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_server_with_a_node_that_runs_is_backed_up_and_not_moved() {
        let folder = Folder::new();
        let database = server().migrated().await;
        let node = database.node(3).await;
        trunk_store::Nodes::heartbeat(&node, service_base::clock::Clock::system().now()).await.unwrap();
        let refused = move_to(&place(&database), &folder.place("new.db")).await.unwrap_err();
        let TransferError::InUse { nodes, .. } = &refused else { panic!("{refused}") };
        assert_eq!(nodes, &[3]);
        assert!(!folder.path("new.db").exists());
        back_up(&place(&database), &folder.path("server.backup")).await.unwrap();
        assert!(trunk_store::Nodes::remove_node(&node, 3).await.unwrap(), "it ends in order");
        move_to(&place(&database), &folder.place("new.db")).await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn every_table_of_the_schema_is_transferred_or_known_not_to_be() {
        let others = [
            "backlog",
            "change",
            "channel",
            "channel_turn",
            "claim",
            "facet",
            "idempotency_scope",
            "indexed",
            "job_owner",
            "node",
            "node_number",
            "outbox",
            "outbox_lane",
            "outbox_queue",
            "rate_share",
            "rate_share_turn",
            "record_count",
            "schema_version",
            "shared_secret",
            "symbol",
            "token_rotation",
            "transfer",
            "unclaimed",
            "unique_facet",
        ];
        let database = server().migrated().await;
        let tables = database
            .execute("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'");
        for table in tables.lines() {
            assert!(
                Table::named(table).is_some() || others.contains(&table),
                "{table} is new: add it to the tables of a transfer, or to those that have no part in it"
            );
        }
    }
}
