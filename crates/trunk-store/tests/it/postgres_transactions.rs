//! How transactions on PostgreSQL are sent: what is created at the same time shares one, and no statement is executed
//! outside of the transaction that it belongs to.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use didww_types::Timestamp;
use futures_util::future::join_all;
use serde_json::json;
use trunk_store::{
    Change, ChannelRequest, Channels as _, DocumentKind, EventForm, NewDocument, NewEvent, Nodes as _,
    PostgresOptions, PostgresStore, Record, RunningCall, StoreError, Writes as _,
};

use crate::support::postgres::{Database, Pooler, server};
use crate::support::records::{
    commit, did, dids, found, id, insert, linked, members, replace, trunk, trunks,
};
use crate::support::within;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_that_are_created_at_once_share_transactions_and_each_has_its_own_answer() {
    const RECORDS: u128 = 200;
    let database = server().migrated().await;
    let store = database.node(0).await;
    let write = |account: i64, n: u128, name: u128| {
        let of = trunks(account);
        store.commit(vec![insert(
            of,
            id(n),
            trunk(&name.to_string(), &json!({ "external_reference_id": n.to_string() })),
        )])
    };
    let writes = (0..RECORDS).flat_map(|n| [write(1, n, n), write(2, RECORDS + n, n)]);
    let outcomes = within("the writes", join_all(writes)).await;
    let made: Vec<Record> = outcomes.into_iter().flat_map(Result::unwrap).collect();
    for (place, record) in made.iter().enumerate() {
        let place = u128::try_from(place).unwrap();
        assert_eq!(record.id, id(place / 2 + place % 2 * RECORDS), "each has its own record");
    }
    for record in [&made[0], &made[301]] {
        let account = if record.id < id(RECORDS) { 1 } else { 2 };
        assert_eq!(&found(&store, trunks(account), record.id).await, record);
    }
    let count = |sql: &str| database.execute(sql).parse::<u128>().unwrap();
    let transactions = count("SELECT count(DISTINCT xmin::text) FROM record");
    assert!(transactions < RECORDS, "{transactions} transactions for {} records", 2 * RECORDS);
    let shared = "SELECT count(*) FROM (SELECT 1 FROM record GROUP BY xmin::text HAVING count(DISTINCT account) > 1) s";
    assert_eq!(count(shared), 0, "two accounts share no transaction");

    // One of every ten has a name that is taken: these are refused, and no other one is.
    let name = |n: u128| if n.is_multiple_of(10) { n / 10 } else { 10_000 + n };
    let writes = (0..100).map(|n| write(1, 1_000 + n, name(n)));
    let taken = Err(StoreError::Taken("name".to_owned()));
    for (n, outcome) in within("the writes", join_all(writes)).await.into_iter().enumerate() {
        assert_eq!(outcome == taken, n.is_multiple_of(10), "{n}: {outcome:?}");
        assert!(outcome == taken || outcome.is_ok(), "{n}: {outcome:?}");
    }
}

/// The name of a server's socket in its folder.
const SOCKET: &str = ".s.PGSQL.5432";

/// Runs a function after each read.
struct Noted<R, F>(R, F);

impl<R: Read, F: FnMut()> Read for Noted<R, F> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = self.0.read(buffer)?;
        (self.1)();
        Ok(length)
    }
}

/// Carries bytes until one side ends. While it is armed, no transaction can begin.
#[derive(Clone, Default)]
struct Spoiler {
    is_armed: Arc<AtomicBool>,
    /// How often a client sent something after an answer.
    turns: Arc<AtomicUsize>,
}

impl Spoiler {
    fn arm(&self, is_armed: bool) {
        self.is_armed.store(is_armed, Ordering::SeqCst);
    }

    fn carry(&self, mut from: impl Read, mut to: impl Write) {
        let mut buffer = vec![0; 65_536];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            let bytes = &mut buffer[..length];
            let places: Vec<usize> = bytes
                .windows(6)
                .enumerate()
                .filter(|(_, part)| part == b"BEGIN ")
                .map(|(at, _)| at)
                .collect();
            for at in places.into_iter().filter(|_| self.is_armed.load(Ordering::SeqCst)) {
                bytes[at..at + 6].copy_from_slice(b"BEGAN ");
            }
            if to.write_all(bytes).is_err() {
                return;
            }
        }
    }

    /// A proxy in front of a database. Returns the parameters for a connection.
    fn before(&self, database: &Database) -> String {
        let folder = tempfile::tempdir().unwrap();
        let parameters = {
            let (behind, before) =
                (server().folder().display().to_string(), folder.path().display().to_string());
            database.parameters().replace(&behind, &before)
        };
        let listener = UnixListener::bind(folder.path().join(SOCKET)).unwrap();
        let (spoiler, socket): (_, PathBuf) = (self.clone(), server().folder().join(SOCKET));
        std::thread::spawn(move || {
            // The folder stays for as long as the proxy.
            let _folder = folder;
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = UnixStream::connect(&socket) else { return };
                spoiler.carry_both(&client, &server);
            }
        });
        parameters
    }

    fn carry_both(&self, client: &UnixStream, server: &UnixStream) {
        let (from_client, to_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
        let (from_server, to_client) = (server.try_clone().unwrap(), client.try_clone().unwrap());
        let (there, back) = (self.clone(), Self::default());
        let (is_answered, turns) = (Arc::new(AtomicBool::new(false)), Arc::clone(&self.turns));
        let answer = Arc::clone(&is_answered);
        let from_server = Noted(from_server, move || answer.store(true, Ordering::SeqCst));
        let from_client = Noted(from_client, move || {
            turns.fetch_add(is_answered.swap(false, Ordering::SeqCst).into(), Ordering::SeqCst);
        });
        std::thread::spawn(move || {
            there.carry(from_client, &to_server);
            let _ended = to_server.shutdown(std::net::Shutdown::Both);
        });
        std::thread::spawn(move || {
            back.carry(from_server, &to_client);
            let _ended = to_client.shutdown(std::net::Shutdown::Both);
        });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_that_cannot_begin_leaves_nothing_although_statements_were_sent_behind_its_beginning() {
    let database = server().migrated().await;
    let spoiler = Spoiler::default();
    let mut options = PostgresOptions::new(spoiler.before(&database));
    options.node = Some(1);
    let store = PostgresStore::open(options).await.unwrap();
    store.heartbeat(Timestamp::from_unix_millis(1)).await.unwrap();
    commit(
        &store,
        vec![insert(dids(1), id(1), did("1", &json!({}))), insert(dids(1), id(2), did("2", &json!({})))],
    )
    .await;
    let of = linked(trunks(1), id(3), trunk("a", &json!({})), vec![("dids", vec![id(1)])]);
    let made = commit(&store, vec![of]).await.remove(0);
    commit(&store, [call(20, None, "new"), call(21, None, "new")].concat()).await;
    let ends = [call(20, Some(0), "ended"), call(21, Some(0), "ended")].concat();
    let call = RunningCall {
        id: id(7),
        account: 1,
        trunk: id(3),
        answered_at: Timestamp::from_unix_millis(0),
        acknowledged: false,
        attributes: "{}".to_owned(),
    };
    let tables = [
        "record",
        "facet",
        "unique_facet",
        "claim",
        "link",
        "record_count",
        "document",
        "change",
        "channel",
        "running_call",
        "node",
    ];
    let dump = || {
        let each = tables.map(|table| format!("SELECT '{table}' || t::text AS line FROM {table} t"));
        database.execute(&format!("SELECT line FROM ({}) s ORDER BY 1", each.join(" UNION ALL ")))
    };
    let before = dump();
    assert!(before.lines().count() > 20, "{before}");
    let writes = [
        vec![insert(trunks(1), id(4), trunk("b", &json!({})))],
        vec![
            insert(trunks(1), id(4), trunk("b", &json!({}))),
            insert(trunks(1), id(5), trunk("c", &json!({}))),
        ],
        vec![replace(trunks(1), made.clone(), trunk("c", &json!({})))],
        vec![members(trunks(1), made.clone(), "dids", true, vec![id(2)])],
        vec![members(trunks(1), made.clone(), "dids", false, vec![id(1)])],
        vec![Change::Delete { scope: trunks(1), id: id(3) }],
        vec![Change::Unchanged { record: made.clone() }, Change::Delete { scope: dids(1), id: id(2) }],
        vec![Change::Answered(Arc::new(call)), Change::Step(Timestamp::from_unix_millis(5))],
        vec![Change::HangUp(id(7))],
        ends,
    ];
    spoiler.arm(true);
    for write in &writes {
        let outcome = within("a write", store.commit(write.clone())).await;
        assert!(
            matches!(&outcome, Err(StoreError::Failed(why)) if why.contains("42601")),
            "{write:?}: {outcome:?}"
        );
        assert_eq!(dump(), before, "{write:?}");
    }
    let request = ChannelRequest { trunk: id(3), calls: 0, more: 1, limit: 5 };
    assert!(within("channels", store.hold_channels(vec![request])).await.is_err());
    assert!(within("a heartbeat", store.heartbeat(Timestamp::from_unix_millis(9))).await.is_err());
    assert_eq!(dump(), before, "channels and heartbeats");
    spoiler.arm(false);
    for write in [&writes[0], &writes[2], &writes[7]] {
        commit(&store, write.clone()).await;
    }
    assert_eq!(within("channels", store.hold_channels(vec![request])).await.unwrap()[0].held, 1);
}

/// A new call, or the end of one whose revision must be this, with its event.
fn call(number: u128, revision: Option<i64>, body: &str) -> [Change; 2] {
    let document = NewDocument {
        kind: DocumentKind::Call,
        id: id(number),
        customer: id(7),
        created_at: i64::try_from(number).unwrap(),
        deleted: false,
        live: revision.is_none(),
        body: body.to_owned(),
        keyed: revision.is_none(),
        keys: Vec::new(),
        unique: Vec::new(),
    };
    let event = NewEvent {
        form: EventForm::Trunk { account: 1 },
        subject: id(number),
        url: "https://example.com/".to_owned(),
        body: "{}".to_owned(),
        created_at: Timestamp::from_unix_millis(0),
    };
    [Change::Put { revision, document: Box::new(document) }, Change::Emit(Box::new(event))]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_ends_of_calls_in_a_commit_wait_for_few_answers_and_one_that_conflicts_refuses_all() {
    const CALLS: u128 = 200;
    let database = server().migrated().await;
    let spoiler = Spoiler::default();
    let mut options = PostgresOptions::new(spoiler.before(&database));
    options.node = Some(1);
    let store = PostgresStore::open(options).await.unwrap();
    store.heartbeat(Timestamp::from_unix_millis(1)).await.unwrap();
    commit(&store, (0..CALLS).flat_map(|number| call(number, None, "new")).collect()).await;
    let ended = || {
        database.execute("SELECT count(*) FROM document WHERE body = 'ended' AND revision = 1 AND NOT live")
    };

    let ends = |changed: u128| -> Vec<Change> {
        (0..CALLS).flat_map(|number| call(number, Some((number == changed).into()), "ended")).collect()
    };
    let refused = within("the ends", store.commit(ends(150))).await;
    assert_eq!(refused.map(|made| made.len()), Err(StoreError::Conflict));
    assert_eq!(ended(), "0");
    let before = spoiler.turns.load(Ordering::SeqCst);
    within("the ends", commit(&store, ends(CALLS))).await;
    let turns = spoiler.turns.load(Ordering::SeqCst) - before;
    assert!(turns < 100, "{turns} answers were waited for");
    assert_eq!(ended(), CALLS.to_string());

    // One statement sees what the one before it has written.
    let twice = [call(3, Some(1), "once"), call(3, Some(2), "twice")].concat();
    commit(&store, twice).await;
    assert_eq!(database.execute("SELECT body FROM document WHERE revision = 3"), "twice");
}

/// Makes every change of these tables fail in a transaction with another level of isolation.
fn only_read_committed(database: &Database, tables: &[&str]) {
    database.execute(
        "CREATE FUNCTION isolated() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         IF current_setting('transaction_isolation') <> 'read committed' THEN \
             RAISE EXCEPTION 'a write is %', current_setting('transaction_isolation'); \
         END IF; RETURN NULL; END $$",
    );
    for table in tables {
        database.execute(&format!(
            "CREATE TRIGGER isolated BEFORE INSERT OR UPDATE OR DELETE ON {table} EXECUTE FUNCTION isolated()"
        ));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_are_read_committed_in_a_database_with_another_default() {
    let database = server().migrated().await;
    let written =
        ["record", "facet", "channel", "channel_turn", "change", "node", "schema_version", "node_number"];
    only_read_committed(&database, &written);
    let default = "SET default_transaction_isolation = serializable";
    database.execute(&format!("ALTER DATABASE {} {default}", database.name()));
    let direct_and_pooled = [database.parameters(), Pooler::shared().parameters(&database)];
    for (number, parameters) in (1..).zip(direct_and_pooled) {
        let mut options = PostgresOptions::new(parameters);
        options.node = None;
        let store = within("opening", PostgresStore::open(options)).await.unwrap();
        store.heartbeat(Timestamp::from_unix_millis(1)).await.unwrap();
        let of = id(number);
        commit(&store, vec![insert(trunks(1), of, trunk(&number.to_string(), &json!({})))]).await;
        let found = found(&store, trunks(1), of).await;
        let renamed = trunk(&format!("{number} again"), &json!({}));
        commit(&store, vec![replace(trunks(1), found, renamed)]).await;
        // The second waits for the first, and sees the channel that it has taken.
        let request = ChannelRequest { trunk: of, calls: 0, more: 1, limit: 5 };
        for _ in 0..2 {
            within("channels", store.hold_channels(vec![request])).await.unwrap();
        }
    }
}
