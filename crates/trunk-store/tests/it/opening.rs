//! The files that can be opened as a database; every other file is refused and left unchanged.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use didww_types::Timestamp;
use rusqlite::Connection;
use serde_json::json;
use trunk_store::{
    Accounts as _, Backlog, CallQuery, Calls as _, Delivery, DocumentKind, DocumentQuery, Documents as _,
    Due, Engine as _, EventForm, Events as _, NewEvent, OpenError, Owner, Records as _, SqliteStore,
};

use crate::support::records::{account, commit, everything, id, insert, key, trunk, trunks};

/// A closed database with records in a file.
async fn filled(folder: &Path) -> PathBuf {
    let path = folder.join("filled.db");
    let store = SqliteStore::open(&path).unwrap();
    store.create_account(account(1, "somebody"), key(2, "key-1")).await.unwrap();
    let inserts = (10..400).map(|n| insert(trunks(1), id(n), trunk(&n.to_string(), &json!({}))));
    commit(&store, inserts.collect()).await;
    store.close().await.unwrap();
    path
}

fn refusal(path: &Path) -> OpenError {
    match SqliteStore::open(path) {
        Ok(_) => panic!("{} was opened", path.display()),
        Err(error) => error,
    }
}

#[tokio::test]
async fn stored_data_is_present_after_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let path = filled(folder.path()).await;
    let store = SqliteStore::open(&path).unwrap();
    assert_eq!(store.list(everything(trunks(1))).await.unwrap().total, 390);
    assert_eq!(store.accounts().await.unwrap()[0].name, "somebody");
    assert_eq!(store.keys(1).await.unwrap(), [key(2, "key-1")]);
}

#[tokio::test]
async fn other_users_have_no_access_to_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("private.db");
    let store = SqliteStore::open(&path).unwrap();
    commit(&store, vec![insert(trunks(1), id(1), trunk("a", &json!({})))]).await;
    let mut names = Vec::new();
    for file in fs::read_dir(folder.path()).unwrap() {
        let file = file.unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{}", file.path().display());
        names.push(file.file_name().into_string().unwrap());
    }
    names.sort();
    assert_eq!(names, ["private.db", "private.db-commits", "private.db-shm", "private.db-wal"]);
}

#[test]
fn a_database_that_is_open_is_refused_under_every_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("one.db");
    let store = SqliteStore::open(&path).unwrap();
    let link = folder.path().join("other.db");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    for path in [&path, &link] {
        let error = refusal(path);
        assert!(matches!(error, OpenError::InUse { .. }), "{error}");
        assert!(error.to_string().contains("in use by another trunk-server"), "{error}");
    }
    drop(store);
    SqliteStore::open(&link).unwrap();
}

#[test]
fn a_file_that_is_not_a_database_is_refused_and_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    for text in ["x".to_owned(), "Dear diary,\n".repeat(3), "all work and no play\n".repeat(10_000)] {
        fs::write(&path, &text).unwrap();
        let error = refusal(&path);
        assert!(matches!(error, OpenError::Foreign { .. }), "{error}");
        let message = error.to_string();
        assert!(
            message.contains("notes.txt is not a database of trunk-server") && message.contains("--database"),
            "{message}"
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
}

#[test]
fn the_database_of_another_program_is_refused_and_left_alone_with_its_log() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("theirs.db");
    let theirs = Connection::open(&path).unwrap();
    theirs
        .execute_batch("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; CREATE TABLE t (a); INSERT INTO t VALUES (1);")
        .unwrap();
    // The files as their process would leave them if it were killed: the table is only in the log.
    let copy = folder.path().join("copy.db");
    let log = |path: &Path| PathBuf::from(format!("{}-wal", path.display()));
    fs::copy(&path, &copy).unwrap();
    fs::copy(log(&path), log(&copy)).unwrap();
    let before = (fs::read(&copy).unwrap(), fs::read(log(&copy)).unwrap());
    let error = refusal(&copy);
    assert!(error.to_string().contains("another program's SQLite database"), "{error}");
    assert_eq!((fs::read(&copy).unwrap(), fs::read(log(&copy)).unwrap()), before);
    drop(theirs);
}

/// The schemas of earlier releases, by version.
const OLDER: [&str; 18] = [
    include_str!("../../src/sqlite/migrations/0001_records.sql"),
    include_str!("../../src/sqlite/migrations/0002_calls.sql"),
    include_str!("../../src/sqlite/migrations/0003_webhooks.sql"),
    include_str!("../../src/sqlite/migrations/0004_documents.sql"),
    include_str!("../../src/sqlite/migrations/0005_backlog.sql"),
    include_str!("../../src/sqlite/migrations/0006_flows.sql"),
    include_str!("../../src/sqlite/migrations/0007_running_calls.sql"),
    include_str!("../../src/sqlite/migrations/0008_claims.sql"),
    include_str!("../../src/sqlite/migrations/0009_commits.sql"),
    include_str!("../../src/sqlite/migrations/0010_quotas.sql"),
    include_str!("../../src/sqlite/migrations/0011_indexed.sql"),
    include_str!("../../src/sqlite/migrations/0012_jobs.sql"),
    include_str!("../../src/sqlite/migrations/0013_call_ids.sql"),
    include_str!("../../src/sqlite/migrations/0014_idempotency.sql"),
    include_str!("../../src/sqlite/migrations/0015_tokens.sql"),
    include_str!("../../src/sqlite/migrations/0016_callback_secrets.sql"),
    include_str!("../../src/sqlite/migrations/0017_key_digests.sql"),
    include_str!("../../src/sqlite/migrations/0018_rewrite.sql"),
];

/// Creates a database as the server with this schema left it.
fn older(path: &Path, schema: usize) -> Connection {
    let version = i64::try_from(schema).unwrap();
    let connection = Connection::open(path).unwrap();
    connection.execute_batch(&OLDER[..schema].concat()).unwrap();
    connection.pragma_update(None, "application_id", 0x5452_4e4b).unwrap();
    connection.pragma_update(None, "user_version", version).unwrap();
    connection
}

#[tokio::test]
async fn a_file_with_keys_is_rewritten_only_when_nothing_else_reads_its_log() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("older.db");
    let reader = older(&path, 12);
    reader.execute_batch("PRAGMA journal_mode = WAL; BEGIN; SELECT count(*) FROM record;").unwrap();
    let error = refusal(&path);
    assert!(error.to_string().contains("another program reads the database"), "{error}");
    reader.execute_batch("COMMIT").unwrap();
    drop(reader);
    SqliteStore::open(&path).unwrap().close().await.unwrap();
}

#[tokio::test]
async fn the_database_of_every_older_server_is_brought_up_to_date() {
    for schema in 1..=OLDER.len() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("older.db");
        drop(older(&path, schema));
        let store = SqliteStore::open(&path).unwrap();
        store.create_account(account(1, "somebody"), key(2, "key-1")).await.unwrap();
        commit(&store, vec![insert(trunks(1), id(1), trunk("a", &json!({})))]).await;
        store.close().await.unwrap();
        drop(store);
        assert_eq!(SqliteStore::open(&path).unwrap().list(everything(trunks(1))).await.unwrap().total, 1);
    }
}

/// The statements that make the tables, indexes and rows of a database.
fn dump(connection: &Connection) -> String {
    let texts = |query: &str| -> Vec<String> {
        let mut select = connection.prepare(query).unwrap();
        let rows = select.query_map([], |row| row.get(0)).unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    };
    // What SQLite makes itself has no text, or a name of its own.
    let mut dump = texts(
        "SELECT sql || ';' FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite@_%' ESCAPE '@'",
    );
    for table in texts("SELECT name FROM sqlite_schema WHERE type = 'table'") {
        let values = texts(&format!("SELECT 'quote(' || name || ')' FROM pragma_table_info('{table}')"));
        let row = values.join(" || ', ' || ");
        dump.extend(texts(&format!("SELECT 'INSERT INTO {table} VALUES (' || {row} || ');' FROM {table}")));
    }
    dump.join("\n")
}

#[test]
fn a_new_database_is_what_the_migrations_make() {
    let migrated = Connection::open_in_memory().unwrap();
    migrated.execute_batch(&OLDER.concat()).unwrap();
    migrated.execute_batch(include_str!("../../src/sqlite/migrations/0019_call_id_column.sql")).unwrap();
    let head =
        "-- Written by UPDATE_SCHEMA=1 cargo test -p trunk-store a_new_database: what the migrations make.\n";
    let made = format!("{head}{}\n", dump(&migrated));
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/sqlite/schema.sql");
        fs::write(file, &made).unwrap();
    } else {
        assert_eq!(made, include_str!("../../src/sqlite/schema.sql"), "see the first line of schema.sql");
    }
    // The statements make what they were read from.
    let created = Connection::open_in_memory().unwrap();
    created.execute_batch(&made).unwrap();
    assert_eq!(dump(&created), dump(&migrated));
}

#[tokio::test]
async fn a_call_of_an_older_server_is_found_by_its_call_id() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("older.db");
    let before = older(&path, 18);
    for (number, attributes) in
        [(1, r#"{"call_id":"a@host"}"#), (2, r#"{"call_id":"b@host"}"#), (3, "no JSON")]
    {
        before
            .execute(
                "INSERT INTO call (id, account, trunk, ended_at, cause, code, source, destination, price, attributes) \
                 VALUES (?1, 1, ?1, 1000, 200, 200, '1', '2', '0', ?2)",
                rusqlite::params![id(number).as_bytes(), attributes],
            )
            .unwrap();
    }
    drop(before);
    let store = SqliteStore::open(&path).unwrap();
    let query = CallQuery { call_id: Some("b@host".to_owned()), limit: 9, ..CallQuery::default() };
    let found = store.calls(query).await.unwrap();
    assert_eq!(found.iter().map(|call| call.id).collect::<Vec<_>>(), [id(2)]);
}

#[tokio::test]
async fn the_events_and_attempts_of_an_older_server_belong_to_trunks() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("older.db");
    let before = older(&path, 2);
    let (subject, url) = (id(7), "http://example.com/".to_owned());
    before
        .execute(
            "INSERT INTO outbox (account, subject, url, body, created_at, attempts, due_at) \
             VALUES (3, ?1, ?2, '{}', 1000, 4, 2000)",
            rusqlite::params![subject.as_bytes(), url],
        )
        .unwrap();
    before
        .execute(
            "INSERT INTO delivery (account, subject, url, events, attempt, at, error) \
             VALUES (3, ?1, ?2, 1, 4, 1500, 'no')",
            rusqlite::params![subject.as_bytes(), url],
        )
        .unwrap();
    drop(before);
    let store = SqliteStore::open(&path).unwrap();
    let at = Timestamp::from_unix_millis;
    let due = store
        .due_events(Due { node: 0, now: at(2_000), until: at(9_000), limit: 9, of_owner: 9 })
        .await
        .unwrap();
    let event = NewEvent {
        form: EventForm::Trunk { account: 3 },
        subject,
        url: url.clone(),
        body: "{}".to_owned(),
        created_at: at(1_000),
    };
    assert_eq!((due.len(), &due[0].event, due[0].attempts), (1, &event, 4));
    let delivery = Delivery {
        owner: Owner::Account(3),
        subject,
        url,
        events: 1,
        attempt: 4,
        at: at(1_500),
        status: None,
        error: Some("no".to_owned()),
    };
    assert_eq!(store.deliveries(None, 9).await.unwrap(), [delivery]);
}

#[tokio::test]
async fn the_events_of_an_older_server_are_sent_in_order_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("older.db");
    let before = older(&path, 4);
    let customer = id(5);
    let mut insert = before
        .prepare(
            "INSERT INTO outbox (account, customer, subject, url, body, created_at, due_at, outcome) \
             VALUES (0, ?1, ?2, 'http://example.com/', ?3, 1000, ?4, ?5)",
        )
        .unwrap();
    // Of one call, the first event is delivered and the second is to be repeated; of another, both are due.
    for (call, body, due_at, outcome) in [
        (7, "1", 1_000, Some("told")),
        (7, "2", 3_000, None),
        (7, "3", 1_000, None),
        (8, "4", 1_000, None),
        (8, "5", 1_000, None),
    ] {
        insert
            .execute(rusqlite::params![customer.as_bytes(), id(call).as_bytes(), body, due_at, outcome])
            .unwrap();
    }
    drop(insert);
    drop(before);
    let store = SqliteStore::open(&path).unwrap();
    let at = Timestamp::from_unix_millis;
    let bodies = async |now| {
        let due = store
            .due_events(Due { node: 0, now: at(now), until: at(now), limit: 9, of_owner: 9 })
            .await
            .unwrap();
        due.iter().map(|pending| pending.event.body.clone()).collect::<Vec<_>>()
    };
    assert_eq!((bodies(999).await, bodies(1_000).await), (vec![], vec!["4".to_owned()]));
    assert_eq!(store.next_due(at(1_000)).await.unwrap(), Some(at(3_000)));
    assert_eq!(bodies(3_000).await, ["2", "4"]);
    let backlog = store.backlog(Some(Owner::Customer(customer))).await.unwrap();
    assert_eq!(backlog, Backlog { waiting: 4, dropped: 0 });
}

#[tokio::test]
async fn calls_that_an_older_server_kept_are_found_by_their_flow() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("older.db");
    let before = older(&path, 5);
    let with = |flow: &str| format!(r#"{{"wire":{{"flow_id":"{flow}"}},"own":{{}}}}"#);
    let (flow, none) = (id(77).to_string(), id(0).to_string());
    // A call, a deleted one, one without a flow, an unreadable one, and a document that is not a call.
    for (kind, number, deleted, body) in [
        (9, 1, false, with(&flow)),
        (9, 2, true, with(&flow)),
        (9, 3, false, with(&none)),
        (9, 4, false, "{".to_owned()),
        (9, 5, false, "{}".to_owned()),
        (8, 6, false, with(&flow)),
    ] {
        before
            .execute(
                "INSERT INTO document (kind, id, customer, created_at, deleted, live, body) \
                 VALUES (?1, ?2, ?2, ?3, ?4, 0, ?5)",
                rusqlite::params![kind, id(number).as_bytes(), i64::try_from(number).unwrap(), deleted, body],
            )
            .unwrap();
    }
    drop(before);
    let store = SqliteStore::open(&path).unwrap();
    let of = async |flow: &str| {
        let query = DocumentQuery::with(DocumentKind::Call, "flow", flow);
        store.documents(query).await.unwrap().iter().map(|call| call.id).collect::<Vec<_>>()
    };
    assert_eq!((of(&flow).await, of(&none).await, of("").await), (vec![id(1)], vec![], vec![]));
}

#[tokio::test]
async fn the_database_of_a_newer_server_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = filled(folder.path()).await;
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let before = fs::read(&path).unwrap();
    let error = refusal(&path);
    let latest = OLDER.len() + 1;
    assert!(matches!(error, OpenError::Newer { schema: 99, known, .. } if known == latest), "{error}");
    let message = error.to_string();
    assert!(message.contains("has schema 99") && message.contains(&format!("up to {latest}")), "{message}");
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[tokio::test]
async fn a_damaged_database_is_refused_and_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    let path = filled(folder.path()).await;
    let whole = fs::read(&path).unwrap();
    assert!(whole.len() > 100_000);
    let cut = |bytes: usize| whole[..bytes].to_vec();
    let overwritten = |from: usize, to: usize| {
        let mut bytes = whole.clone();
        bytes[from..to].fill(0xa5);
        bytes
    };
    let cases = [
        ("cut in the header", cut(50)),
        ("cut in the first page", cut(2_000)),
        ("cut after the first page", cut(4_096)),
        ("cut in the middle", cut(whole.len() / 2)),
        ("without its last page", cut(whole.len() - 4_096)),
        ("without its last byte", cut(whole.len() - 1)),
        ("a header of nonsense", overwritten(0, 100)),
        ("a schema of nonsense", overwritten(100, 4_096)),
        ("nonsense after the first page", overwritten(4_096, whole.len())),
    ];
    for (what, bytes) in cases {
        fs::write(&path, &bytes).unwrap();
        let error = refusal(&path);
        assert!(matches!(error, OpenError::Damaged { .. } | OpenError::Foreign { .. }), "{what}: {error:?}");
        let message = error.to_string();
        assert!(message.contains("filled.db") && message.contains("--database"), "{what}: {message}");
        assert_eq!(fs::read(&path).unwrap(), bytes, "{what}");
        for ending in ["-wal", "-shm"] {
            let _there = fs::remove_file(format!("{}{ending}", path.display()));
        }
    }
    fs::write(&path, &whole).unwrap();
    assert_eq!(SqliteStore::open(&path).unwrap().list(everything(trunks(1))).await.unwrap().total, 390);
}

#[tokio::test]
async fn reading_a_damaged_page_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = filled(folder.path()).await;
    let page: i64 = Connection::open(&path)
        .unwrap()
        .query_row("SELECT rootpage FROM sqlite_schema WHERE name = 'record_list'", [], |row| row.get(0))
        .unwrap();
    let mut bytes = fs::read(&path).unwrap();
    let at = usize::try_from(page - 1).unwrap() * 4_096;
    bytes[at..at + 4_096].fill(0xa5);
    fs::write(&path, &bytes).unwrap();
    let store = SqliteStore::open(&path).unwrap();
    let error = store.list(everything(trunks(1))).await.unwrap_err();
    assert!(error.to_string().contains("unreadable"), "{error}");
}

#[test]
fn an_empty_file_becomes_a_new_database_unless_it_has_a_log() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("empty.db");
    fs::write(&path, "").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    drop(SqliteStore::open(&path).unwrap());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

    let path = folder.path().join("emptied.db");
    let log = folder.path().join("emptied.db-wal");
    fs::write(&path, "").unwrap();
    fs::write(&log, "all that is left").unwrap();
    let error = refusal(&path);
    assert!(
        error.to_string().contains("is damaged (it is empty, and its write-ahead log is not)"),
        "{error}"
    );
    assert_eq!(fs::read_to_string(&log).unwrap(), "all that is left");
}

#[test]
fn what_a_power_cut_leaves_of_a_first_page_becomes_a_new_database() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(format!("{name}.db"));
    let page_of = |name: &str, sql: &str| {
        Connection::open(file(name)).unwrap().execute_batch(sql).unwrap();
        fs::read(file(name)).unwrap()[..4_096].to_vec()
    };
    let begun = page_of("begun", "PRAGMA journal_mode = WAL;");
    for (at, left) in [&begun[..512], &begun[..3_584], &[0; 512], &[0; 4_096]].into_iter().enumerate() {
        let path = file(&at.to_string());
        fs::write(&path, left).unwrap();
        drop(SqliteStore::open(&path).unwrap());
    }
    let theirs = page_of("theirs", "PRAGMA user_version = 1;");
    let table = page_of("table", "CREATE TABLE t (a);");
    let refused = [&begun[..107], &begun[100..512], &theirs[..512], &table[..512], &[0; 4_097]];
    for (at, bytes) in (10..).zip(refused) {
        let path = file(&at.to_string());
        fs::write(&path, bytes).unwrap();
        let error = refusal(&path);
        assert!(matches!(error, OpenError::Damaged { .. } | OpenError::Foreign { .. }), "{at}: {error}");
        assert_eq!(fs::read(&path).unwrap(), bytes, "{at}");
    }
    let path = file("logged");
    fs::write(&path, [0_u8; 512]).unwrap();
    fs::write(folder.path().join("logged.db-wal"), "all that is left").unwrap();
    let error = refusal(&path);
    assert!(matches!(error, OpenError::Foreign { .. }), "{error}");
    assert_eq!(fs::read(&path).unwrap(), [0_u8; 512]);
}

#[test]
fn the_error_names_a_path_that_cannot_be_opened() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let below_a_file = file.join("trunks.db");
    let nowhere = folder.path().join("missing").join("trunks.db");
    for path in [folder.path(), &below_a_file, &nowhere, Path::new("/sys/trunks.db")] {
        let error = refusal(path);
        assert!(matches!(error, OpenError::Access { .. }), "{error:?}");
        assert!(error.to_string().contains(&path.display().to_string()), "{error}");
    }
}
