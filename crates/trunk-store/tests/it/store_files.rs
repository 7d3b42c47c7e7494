//! The files of an open database: locked, private, at their paths, and with all acknowledged writes.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::json;
use trunk_store::{Engine as _, OpenError, Records as _, SqliteStore, StoreError, WriteHealth, Writes as _};

use crate::support::records::{commit, everything, id, insert, trunk, trunks};
use crate::support::within;

/// The name of the damage to a file, and the function that causes it.
type Harm = (&'static str, fn(&Path));
/// The name of the damage to the write-ahead log, and the function that causes it.
type Damage = (&'static str, fn(&mut Vec<u8>));

fn beside(path: &Path, ending: &str) -> PathBuf {
    PathBuf::from(format!("{}{ending}", path.display()))
}

/// Writes trunks one after the other, each in a separate commit.
async fn write(store: &SqliteStore, numbers: std::ops::Range<u128>) {
    for n in numbers {
        commit(store, vec![insert(trunks(1), id(n), trunk(&n.to_string(), &json!({})))]).await;
    }
}

async fn count(store: &SqliteStore) -> u64 {
    store.list(everything(trunks(1))).await.unwrap().total
}

/// Copies the files to another folder, as a kill would leave them. Returns the database's path.
fn killed(path: &Path, folder: &Path) -> PathBuf {
    fs::create_dir_all(folder).unwrap();
    let copy = folder.join(path.file_name().unwrap());
    for ending in ["", "-wal", "-commits"] {
        fs::copy(beside(path, ending), beside(&copy, ending)).unwrap();
    }
    copy
}

#[test]
fn the_lock_is_on_the_database_and_holds_for_every_name_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("one.db");
    let older = File::create(beside(&path, ".lock")).unwrap();
    let store = SqliteStore::open(&path).unwrap();
    drop(older);
    fs::remove_file(beside(&path, ".lock")).unwrap();
    let other = folder.path().join("other.db");
    fs::hard_link(&path, &other).unwrap();
    for name in [&path, &other] {
        // To this lock, another file descriptor is like another process.
        let outside = File::options().write(true).open(name).unwrap();
        assert!(matches!(outside.try_lock(), Err(fs::TryLockError::WouldBlock)), "{}", name.display());
        let error = SqliteStore::open(name).unwrap_err();
        assert!(matches!(error, OpenError::InUse { .. }), "{error}");
    }
    drop(store);
    let outside = File::options().write(true).open(&path).unwrap();
    outside.try_lock().unwrap();
    let error = SqliteStore::open(&path).unwrap_err();
    assert!(matches!(error, OpenError::InUse { .. }), "{error}");
    drop(outside);
    SqliteStore::open(&path).unwrap();
}

#[test]
fn the_lock_file_of_an_older_server_keeps_the_database_from_being_opened() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("one.db");
    drop(SqliteStore::open(&path).unwrap());
    let older = File::create(beside(&path, ".lock")).unwrap();
    older.try_lock().unwrap();
    assert!(matches!(SqliteStore::open(&path).unwrap_err(), OpenError::InUse { .. }));
    drop(older);
    SqliteStore::open(&path).unwrap();
}

#[tokio::test]
async fn permissions_of_other_users_on_existing_files_are_removed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("open.db");
    let store = SqliteStore::open(&path).unwrap();
    write(&store, 1..3).await;
    let copy = killed(&path, &folder.path().join("copy"));
    for ending in ["", "-wal"] {
        fs::set_permissions(beside(&copy, ending), fs::Permissions::from_mode(0o664)).unwrap();
    }
    let opened = SqliteStore::open(&copy).unwrap();
    for ending in ["", "-wal", "-shm", "-commits"] {
        let mode = fs::metadata(beside(&copy, ending)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{ending}");
    }
    assert_eq!(count(&opened).await, 2);
}

#[tokio::test]
async fn deleting_moving_or_replacing_a_file_ends_writing_but_not_reading() {
    let harms: [Harm; 5] = [
        ("was deleted or moved", |path| fs::remove_dir_all(path.parent().unwrap()).unwrap()),
        ("was deleted or moved", |path| fs::rename(path, beside(path, ".old")).unwrap()),
        ("was deleted or moved", |path| fs::remove_file(beside(path, "-wal")).unwrap()),
        ("was deleted or moved", |path| fs::remove_file(beside(path, "-shm")).unwrap()),
        ("was replaced by another file", |path| {
            fs::copy(path, beside(path, ".new")).unwrap();
            fs::rename(beside(path, ".new"), path).unwrap();
        }),
    ];
    for (reason, harm) in harms {
        for waits in [true, false] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("in").join("gone.db");
            fs::create_dir(path.parent().unwrap()).unwrap();
            let store = SqliteStore::open(&path).unwrap();
            write(&store, 1..4).await;
            let mut health = store.write_health();
            assert_eq!(*health.borrow(), WriteHealth::Writable);
            harm(&path);
            let write = || store.commit(vec![insert(trunks(1), id(9), trunk("late", &json!({})))]);
            if waits {
                // Detected without a write.
                let ended =
                    |health: &WriteHealth| matches!(health, WriteHealth::Ended(why) if why.contains(reason));
                within("the end of writing", health.wait_for(ended)).await.unwrap();
                assert_eq!(write().await, Err(StoreError::Ended), "{reason}");
            } else {
                let refused = write().await;
                assert!(matches!(refused, Err(StoreError::Ended | StoreError::Unknown)), "{refused:?}");
                assert_eq!(write().await, Err(StoreError::Ended), "{reason}");
            }
            assert!(count(&store).await >= 3, "reads go on");
            store.close().await.unwrap();
        }
    }
}

#[tokio::test]
async fn commits_that_a_damaged_log_lost_are_counted_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.db");
    let store = SqliteStore::open(&path).unwrap();
    write(&store, 100..160).await;
    let harms: [Damage; 5] = [
        ("whole", |_| ()),
        ("half", |log| log.truncate(log.len() / 2)),
        ("flipped", |log| log[5_000] ^= 1),
        ("header", |log| log[9] ^= 1),
        ("empty", Vec::clear),
    ];
    for (name, harm) in harms {
        let copy = killed(&path, &folder.path().join(name));
        let mut log = fs::read(beside(&copy, "-wal")).unwrap();
        harm(&mut log);
        fs::write(beside(&copy, "-wal"), &log).unwrap();
        let opened = SqliteStore::open(&copy).unwrap();
        let present = count(&opened).await;
        let missing = opened.missing_commits();
        assert_eq!(missing.map_or(0, |missing| missing.commits), 60 - present, "{name}: {missing:?}");
        assert_eq!(missing.is_some(), name != "whole", "{name}");
        opened.close().await.unwrap();
        drop(opened);
        assert_eq!(SqliteStore::open(&copy).unwrap().missing_commits(), None, "{name}: reported once");
    }
    store.close().await.unwrap();
}

#[tokio::test]
async fn an_older_copy_and_an_emptied_database_are_noticed_and_a_clean_stop_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("copy.db");
    let store = SqliteStore::open(&path).unwrap();
    write(&store, 1..4).await;
    store.close().await.unwrap();
    drop(store);
    let older = fs::read(&path).unwrap();
    let store = SqliteStore::open(&path).unwrap();
    assert_eq!(store.missing_commits(), None);
    write(&store, 4..9).await;
    store.close().await.unwrap();
    drop(store);
    fs::write(&path, older).unwrap();
    let store = SqliteStore::open(&path).unwrap();
    assert_eq!(store.missing_commits().map(|missing| missing.commits), Some(5));
    store.close().await.unwrap();
    drop(store);
    fs::write(&path, "").unwrap();
    let error = SqliteStore::open(&path).unwrap_err();
    assert!(matches!(error, OpenError::Damaged { .. }), "{error:?}");
    assert!(error.to_string().contains("it is empty, and 3 commits were in it"), "{error}");
    assert_eq!(fs::metadata(&path).unwrap().len(), 0, "and is unchanged");
    fs::write(&path, [0_u8; 512]).unwrap();
    let error = SqliteStore::open(&path).unwrap_err();
    assert!(matches!(error, OpenError::Foreign { .. }), "{error:?}");
    assert_eq!(fs::read(&path).unwrap(), [0_u8; 512], "and is unchanged");
    fs::remove_file(beside(&path, "-commits")).unwrap();
    SqliteStore::open(&path).unwrap();
}
